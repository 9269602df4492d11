"""Asking a remote issuer for webhooks: one subscription a program, each with a secret address of its own."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from secrets import token_urlsafe

from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.errors import PassrailError
from app.model import Mode, Program
from app.service import Service
from app.store import inbox, programs
from app.store.troubles import Kind
from app.sweeps import each
from app.sync import connections
from app.sync.programs import refresh_programs

WEBHOOK_PATH = "/in/"

_log = logging.getLogger(__name__)


def can_hear(service: Service, one: IssuerConnection) -> bool:
    """Tell whether the issuer's webhooks can reach this service."""
    return service.remote_kinds[one.issuer].can_reach(service.public_url, one.base_url)


def subscribe(service: Service, one: IssuerConnection) -> int:
    """Ask for webhooks of every program that has none yet; return how many programs have some now.

    Where the issuer refuses, passes are still right after every action, and older than the issuer's until then.
    """
    with service.store.read() as connection:
        known = {sink.program_id for sink in inbox.list_sinks(connection, one.account_id, one.mode)}
        found = programs.all_of(connection, one.account_id, one.mode)
    wanting = [program for program in found if program.issuer == one.issuer and program.id not in known]
    if not wanting or not can_hear(service, one):
        return len(known)
    made = 0
    for program in wanting:
        try:
            _subscribe_to(service, one, program)
            made += 1
        except PassrailError as failure:
            _log.warning("no webhooks of a program", extra={"program": program.id, "why": failure.code})
    return len(known) + made


def _subscribe_to(service: Service, one: IssuerConnection, program: Program) -> None:
    token = token_urlsafe(24)
    with service.store.write() as connection:
        sink_id = inbox.add_sink(connection, one.account_id, one.mode, program.id, "", token, service.clock())
    url = f"{service.public_url}{WEBHOOK_PATH}{one.issuer}/{token}"
    try:
        upstream_id = connections.open_issuer(service, one).subscribe(program, url)
    except PassrailError:
        with service.store.write() as connection:
            inbox.drop_sink(connection, sink_id)
        raise
    with service.store.write() as connection:
        inbox.name_sink(connection, sink_id, upstream_id)


def unsubscribe(service: Service, one: IssuerConnection) -> None:
    """End all webhooks. Where the issuer cannot be told, what it sends finds nobody here."""
    with service.store.read() as connection:
        mine = inbox.list_sinks(connection, one.account_id, one.mode)
        by_id = {program.id: program for program in programs.all_of(connection, one.account_id, one.mode)}
    for sink in mine:
        with suppress(PassrailError):
            if sink.upstream_id is not None:
                connections.open_issuer(service, one).unsubscribe(by_id[sink.program_id], sink.upstream_id)
        with service.store.write() as connection:
            inbox.drop_sink(connection, sink.id)


def keep_up(service: Service) -> None:
    """Look at the programs of every connection, and subscribe to those that are new."""
    with service.store.read() as connection:
        names = rows.list_names(connection)
    each(service, Kind.CONNECTION, names, partial(_keep_up_with, service))


def _keep_up_with(service: Service, name: str) -> bool:
    account_id, mode = name.split("/")
    try:
        one = connections.need(service, account_id, Mode(mode))
        subscribe(service, refresh_programs(service, one))
    except PassrailError as error:
        _log.warning("a connection does not work", extra={"connection": name, "why": error.code})
        return False
    return True
