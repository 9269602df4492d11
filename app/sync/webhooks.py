"""Reading what a remote issuer's webhooks tell: the pass is read again, and what differs becomes events.

Because only states are compared, a webhook that comes twice, late or in another order makes no event of its own. One
about a pass that an operation of ours is changing is read later: the operation tells of its own effect.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from app.answer import describe
from app.errors import OutcomeUnknown, RateLimited, UpstreamCredentialsRefused, UpstreamUnavailable
from app.events import outbox
from app.events.types import PASS_CREATED
from app.model import Pass, Program
from app.service import Service
from app.store import issuer_webhooks, operations, passes, programs
from app.store.columns import to_json
from app.store.issuer_webhooks import Subscription, WebhookNotification
from app.store.troubles import Kind
from app.sweeps import each
from app.sync import connections
from app.sync.erased import is_erased, is_record_erased
from app.sync.refresh import current, put_on_record, write_difference

AT_ONCE = 500  # of each subscription
TRIES = 3
REVOKED, ERASED = "revoked for good before", "of somebody who was erased"
# What these brought is not kept: it holds the data of people who were forgotten here.
ABOUT_NOBODY = (REVOKED, ERASED)
# The issuer cannot be asked for anything now, whatever pass it is about.
CANNOT_BE_ASKED = (OutcomeUnknown, RateLimited, UpstreamCredentialsRefused, UpstreamUnavailable)

_log = logging.getLogger(__name__)


def read_all(service: Service) -> int:
    """Read everything that waits; return how much of it is done."""
    with service.store.read() as connection:
        waiting = issuer_webhooks.waiting(connection, service.clock(), AT_ONCE)
    return read_each(service, waiting)


def read_each(service: Service, webhook_ids: Iterable[str]) -> int:
    """Read these webhooks, whatever happens to any of them; return how many are done.

    Where the issuer cannot be asked for one, it is not asked for the others that came by the same subscription.
    """
    silent: set[str] = set()
    return each(service, Kind.WEBHOOK, webhook_ids, partial(_read, service, silent))


def _read(service: Service, silent: set[str], webhook_id: str) -> bool:
    """Read one webhook. False: it is read later, or was read already."""
    with service.store.read() as connection:
        came = issuer_webhooks.get(connection, webhook_id)
        by = None if came is None else issuer_webhooks.get_subscription(connection, came.subscription_id)
    if came is None or came.subscription_id in silent:
        return False
    try:
        note = "its subscription is gone" if by is None else _look_into(service, by, came)
    except CANNOT_BE_ASKED as reason:
        silent.add(came.subscription_id)
        _log.info("a webhook is read later", extra={"webhook": webhook_id, "why": reason.code})
        return False
    if note is None:
        return False
    finish = issuer_webhooks.erase_body if note in ABOUT_NOBODY else issuer_webhooks.close
    with service.store.write() as connection:
        finish(connection, webhook_id, note, service.clock())
    return True


def _look_into(service: Service, by: Subscription, came: WebhookNotification) -> str | None:
    """Return what came of it; None: it is to be read later."""
    with service.store.read() as connection:
        program = programs.get(connection, by.account_id, by.mode, by.program_id)
    if program is None:
        return "its program is gone"
    told = service.remote_kinds[program.issuer].notification(came.body)
    if told is None:
        return "not understood"
    for _ in range(TRIES):
        with service.store.read() as connection:
            known = passes.get_by_upstream_id(connection, by.program_id, told.upstream_id)
            place = by.account_id, by.mode, by.program_id
            if known is None and is_record_erased(connection, service, *place, told.upstream_id):
                return ERASED
        if known is not None and known.deleted_at is not None:
            return REVOKED
        fresh = _ask(service, program, known, told.upstream_id)
        if fresh is None and (known is None or not told.is_deleted):
            return "the issuer does not have it"
        if known is None and fresh is not None and _is_erased(service, fresh):
            return ERASED
        written = _write(service, program, known, fresh)
        if written is not None:
            return "read" if written else None
    return None


def _is_erased(service: Service, fresh: Pass) -> bool:
    with service.store.read() as connection:
        return is_erased(connection, service, fresh)


def _ask(service: Service, program: Program, known: Pass | None, upstream_id: str) -> Pass | None:
    """Return the pass as the issuer has it, None where it has none of this program."""
    connected = connections.need(service, program.account_id, program.mode)
    with connections.asking(service, connected) as issuer:
        if known is not None:
            return issuer.read(program, known)
        return issuer.read_new(program, upstream_id)


def _write(service: Service, program: Program, known: Pass | None, fresh: Pass | None) -> bool | None:
    """Write pass and events.

    Returns:
        True: it is written. False: an operation of ours is at work on the pass, or making it; its outcome comes first.
        None: somebody has written the pass since it was read, or erased its holder.
    """
    with service.store.write() as connection:
        if known is None:
            if operations.is_creating(connection, program.id):
                return False
            assert fresh is not None
            put = put_on_record(connection, service, program, fresh)
            if put is None or not put[1]:
                return None
            made = put[0]
            plain = describe(made, program, now=made.updated_at, public_url=service.public_url)
            data = to_json({**plain, "created": True, "changed": [], "notes": []})
            outbox.record(connection, PASS_CREATED, made, None, data, made.updated_at, service.clock())
            return True
        if operations.is_open_on(connection, known.id):
            return False
        if current(connection, known) != known:
            return None
        write_difference(connection, service, program, known, fresh)
    return True
