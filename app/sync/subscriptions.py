"""Asking a remote issuer for webhooks: one subscription a program, each with a secret address of its own.

A subscription is written down before the issuer is asked for it. The token in its address is made of its ID and the
vault's key, so that the address is known again where the issuer's answer was lost: the subscription is then looked for
before another one is asked for.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import IntegrityError

from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.errors import PassrailError
from app.model import IdKind, Mode, Program, new_id
from app.service import Service
from app.store import issuer_webhooks, programs
from app.store.issuer_webhooks import Subscription, digest_of
from app.store.troubles import Kind
from app.sweeps import each
from app.sync import connections
from app.sync.programs import refresh_programs

WEBHOOK_PATH = "/in/"
# An issuer that did not answer may still be at work on the subscription for this long.
ASK_AGAIN_AFTER = timedelta(minutes=1)

_log = logging.getLogger(__name__)


def can_hear(service: Service, connected: IssuerConnection) -> bool:
    """Tell whether the issuer's webhooks can reach this service."""
    return service.remote_kinds[connected.issuer].can_reach(service.public_url, connected.base_url)


def subscribe(service: Service, connected: IssuerConnection) -> int:
    """Ask for webhooks of every program that has none yet; return how many programs have some now.

    Where the issuer refuses, passes are still right after every action, and older than the issuer's until then.
    """
    with service.store.read() as connection:
        mine = issuer_webhooks.list_subscriptions(connection, connected.account_id, connected.mode)
        found = programs.all_of(connection, connected.account_id, connected.mode)
    if not can_hear(service, connected):
        return sum(known.upstream_id is not None for known in mine)
    by_program = {known.program_id: known for known in mine}
    wanted = [program for program in found if program.issuer == connected.issuer]
    return sum(_is_subscribed(service, connected, program, by_program.get(program.id)) for program in wanted)


def _is_subscribed(service: Service, connected: IssuerConnection, program: Program, known: Subscription | None) -> bool:
    """Tell whether the issuer has a subscription to the program, after asking it for one where it may have none."""
    if known is not None and known.upstream_id is not None:
        return True
    try:
        taken = _take(service, connected, program, known)
        if taken is None:
            return False
        subscription, url = taken
        with connections.asking(service, connected) as issuer:
            upstream_id = issuer.find_subscription(program, url) if known is not None else None
            upstream_id = upstream_id or issuer.subscribe(program, url)
    except PassrailError as failure:
        _log.warning("no webhooks of a program", extra={"program": program.id, "why": failure.code})
        return False
    with service.store.write() as connection:
        issuer_webhooks.name_subscription(connection, subscription.id, upstream_id)
    return True


def _take(
    service: Service, connected: IssuerConnection, program: Program, known: Subscription | None
) -> tuple[Subscription, str] | None:
    """Write down that the issuer is asked now; return the subscription and its address. None: it was asked just now."""
    now = service.clock()
    if known is not None and now - known.asked_at < ASK_AGAIN_AFTER:
        return None
    url = None if known is None else _address(service, connected, known)
    try:
        with service.store.write() as connection:
            if known is not None and url is not None:
                issuer_webhooks.note_asked(connection, known.id, now)
                return known, url
            if known is not None:  # its address cannot be known again: the vault's key is another one by now
                issuer_webhooks.drop_subscription(connection, known.id)
            subscription, url = _new(service, connected, program)
            issuer_webhooks.add_subscription(connection, subscription)
    except IntegrityError:  # somebody else asks at this moment
        return None
    return subscription, url


def _new(service: Service, connected: IssuerConnection, program: Program) -> tuple[Subscription, str]:
    subscription_id = new_id(IdKind.SUBSCRIPTION)
    token = next(connections.vault_of(service).tokens(subscription_id))
    subscription = Subscription(
        id=subscription_id,
        account_id=connected.account_id,
        mode=connected.mode,
        program_id=program.id,
        digest=digest_of(token),
        asked_at=service.clock(),
    )
    return subscription, _url(service, connected, token)


def _address(service: Service, connected: IssuerConnection, known: Subscription) -> str | None:
    """Return the address of a subscription; None: no key of the vault's has made it."""
    tokens = connections.vault_of(service).tokens(known.id)
    token = next((token for token in tokens if digest_of(token) == known.digest), None)
    return None if token is None else _url(service, connected, token)


def _url(service: Service, connected: IssuerConnection, token: str) -> str:
    return f"{service.public_url}{WEBHOOK_PATH}{connected.issuer}/{token}"


def unsubscribe(service: Service, connected: IssuerConnection) -> None:
    """End all webhooks and forget what came. If the issuer cannot be reached, its later webhooks are answered 404."""
    with service.store.read() as connection:
        mine = issuer_webhooks.list_subscriptions(connection, connected.account_id, connected.mode)
        by_id = {program.id: program for program in programs.all_of(connection, connected.account_id, connected.mode)}
    for subscription in mine:
        with suppress(PassrailError):
            _end(service, connected, by_id[subscription.program_id], subscription)
        issuer_webhooks.forget_webhooks(service.store, subscription.id)
        with service.store.write() as connection:
            issuer_webhooks.drop_subscription(connection, subscription.id)


def _end(service: Service, connected: IssuerConnection, program: Program, subscription: Subscription) -> None:
    issuer = connections.open_issuer(service, connected)
    upstream_id = subscription.upstream_id
    if upstream_id is None and (url := _address(service, connected, subscription)) is not None:
        upstream_id = issuer.find_subscription(program, url)
    if upstream_id is not None:
        issuer.unsubscribe(program, upstream_id)


def keep_up(service: Service) -> None:
    """Look at the programs of every connection, and subscribe to those that are new."""
    with service.store.read() as connection:
        names = rows.list_names(connection)
    each(service, Kind.CONNECTION, names, partial(_keep_up_with, service))


def _keep_up_with(service: Service, name: str) -> bool:
    account_id, mode = name.split("/")
    try:
        subscribe(service, refresh_programs(service, connections.need(service, account_id, Mode(mode))))
    except PassrailError as error:
        _log.warning("a connection does not work", extra={"connection": name, "why": error.code})
        return False
    return True
