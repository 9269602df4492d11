"""One pass, read again at its remote issuer or found there; what differs is written, and told as events.

What we have on record can be older than what the issuer has. So a refusal by our record, and a decision that there is
nothing to do, are believed only after a look; and a pass or program that is not on record may be at the issuer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.accounts.connections import IssuerConnection
from app.accounts.keys import Caller
from app.answer import describe, number, to_text
from app.effects import MOMENT, Revoke, moment_after
from app.events import outbox
from app.events.types import (
    PASS_EXPIRED,
    PASS_INSTALLED,
    PASS_REDEEMED,
    PASS_REINSTATED,
    PASS_REVOKED,
    PASS_UNINSTALLED,
    PASS_UPDATED,
    POINTS_CHANGED,
    TIER_CHANGED,
)
from app.model import BUILTIN, HOLDER_FIELDS, InstallState, Kind, Pass, Program, Status
from app.service import Service
from app.store import expiries, operations, passes, programs
from app.store.columns import to_json
from app.sync import connections
from app.sync.erase import erase_holder
from app.sync.erased import is_erased
from app.sync.programs import refresh_programs

# What no action does: such events have no notes.
BY_ITSELF = (PASS_INSTALLED, PASS_UNINSTALLED, PASS_EXPIRED)


def current(connection: Connection, known: Pass) -> Pass:
    """Return a pass as its row is now; it stays so until the transaction ends."""
    found = passes.get(connection, known.account_id, known.mode, known.id, lock=True)
    assert found is not None
    return found[0]


def refresh(service: Service, known: Pass) -> None:
    """Read a pass again at its remote issuer, and write and tell what differs.

    Raises:
        PassrailError: the issuer cannot be asked.
    """
    connected = connections.find(service, known.account_id, known.mode)
    if connected is None or known.issuer == BUILTIN or known.upstream_id is None or known.deleted_at is not None:
        return
    with service.store.read() as connection:
        program = programs.get(connection, known.account_id, known.mode, known.program_id)
    assert program is not None
    with connections.asking(service, connected) as issuer:
        fresh = issuer.read(program, known)
    with service.store.write() as connection:
        if current(connection, known) == known:
            # What an operation of ours did to the pass is told by that operation, once its outcome is known.
            is_told = not operations.is_open_on(connection, known.id)
            write_difference(connection, service, program, known, fresh, is_told=is_told)


def mark_gone(service: Service, program: Program, known: Pass) -> None:
    """Write down that the issuer has no record of the pass any more."""
    with service.store.write() as connection:
        row = current(connection, known)
        if row.deleted_at is None:
            write_difference(connection, service, program, row, None)


def fetch_if_missing(service: Service, caller: Caller, data: Mapping[str, Any]) -> bool:
    """Look at the account's remote issuer for a pass that is not on record, named by program and external ID.

    Returns:
        True: it is on record now, or at least its program is.

    Raises:
        PassrailError: the issuer cannot be asked.
    """
    connected = connections.find(service, caller.account_id, caller.mode)
    if connected is None or "program_id" not in data:
        return False
    program, is_new = _program(service, connected, data["program_id"]), False
    if program is None:
        refresh_programs(service, connected)
        program, is_new = _program(service, connected, data["program_id"]), True
    if program is None or program.issuer == BUILTIN or "external_id" not in data:
        return program is not None and is_new
    with connections.asking(service, connected) as issuer:
        found = issuer.find(program, data["external_id"])
    known = None if found is None else record_found(service, program, found)
    return known is not None and known.deleted_at is None


def _program(service: Service, connected: IssuerConnection, program_id: str) -> Program | None:
    with service.store.read() as connection:
        return programs.get(connection, connected.account_id, connected.mode, program_id)


def record_found(service: Service, program: Program, found: Pass, *, is_wanted: bool = False) -> Pass | None:
    """Take a pass of a remote issuer on record, without an event; return our record of it.

    Where it is on record already, that record is returned as it is. None: it is of somebody who was erased, and stays
    out, unless it is wanted: a caller has just asked for exactly this pass.
    """
    try:
        with service.store.write() as connection:
            made = put_on_record(connection, service, program, found, is_wanted=is_wanted)
    except IntegrityError:  # somebody else was faster
        with service.store.write() as connection:
            made = put_on_record(connection, service, program, found, is_wanted=is_wanted)
    return None if made is None else made[0]


def put_on_record(
    connection: Connection, service: Service, program: Program, found: Pass, *, is_wanted: bool = False
) -> tuple[Pass, bool] | None:
    """Write a pass of a remote issuer that may not be on record yet; return our record, and whether it is new.

    None: as `record_found`.

    An issuer gives an external ID to a second record only when the first one is gone. A coupon's is an exception: it
    may be given again once the old coupon has expired, and stays with the old one here.
    """
    assert found.upstream_id is not None
    known = passes.get_by_upstream_id(connection, found.program_id, found.upstream_id)
    if known is not None:
        return known, False
    if not is_wanted and is_erased(connection, service, found):
        return None
    if found.external_id is not None:
        named = found.account_id, found.mode, found.program_id, found.external_id
        same = passes.get_by_external_id(connection, *named, lock=True)
        if same is not None and same[0].deleted_at is None:
            if program.kind is Kind.COUPON:
                found = replace(found, external_id=None)
            else:
                write_difference(connection, service, program, same[0], None)
    passes.add(connection, found)
    return found, True


def write_difference(
    connection: Connection,
    service: Service,
    program: Program,
    row: Pass,
    fresh: Pass | None,
    *,
    is_told: bool = True,
) -> Pass:
    """Write what a remote issuer has over our record, with events that tell what differs.

    Args:
        connection: in a transaction that holds the pass locked.
        service: for the time, and the address in links.
        program: of the pass.
        row: our record.
        fresh: the pass as the issuer has it; None: its record is gone.
        is_told: whether there are events.

    Returns:
        The pass as it is on record now.
    """
    now = moment_after(service.clock(), row.updated_at)
    if fresh is None:
        fresh = Revoke(at=now, permanent=True).on(row, now)
    if fresh == row:
        return row
    told = list(_events(row, fresh, now)) if is_told else []
    after = replace(fresh, updated_at=now + max(0, len(told) - 1) * MOMENT)
    passes.save(connection, row, after)
    if after.deleted_at is not None:
        erase_holder(connection, after, service.public_url)
    plain = describe(after, program, now=after.updated_at, public_url=service.public_url)
    for place, (event_type, details) in enumerate(told):
        notes: dict[str, list[str]] = {} if event_type in BY_ITSELF else {"notes": []}
        data = to_json({**plain, **details, **notes})
        outbox.record(connection, event_type, after, None, data, now + place * MOMENT, service.clock())
        if event_type == PASS_EXPIRED:
            expiries.note_notified(connection, after.id, after.updated_at)
    return after


def _events(before: Pass, after: Pass, now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say in events what differs."""
    if after.install_state != before.install_state and after.install_state is not InstallState.ISSUED:
        is_installed = after.install_state is InstallState.INSTALLED
        yield (PASS_INSTALLED if is_installed else PASS_UNINSTALLED), {}
    if after.points != before.points and after.points is not None and before.points is not None:
        change = after.points - before.points
        yield POINTS_CHANGED, {"points_before": number(before.points), "points_change": number(change)}
    if after.tier_id != before.tier_id:
        yield TIER_CHANGED, {"tier_before": before.tier_id}
    if after.redeemed_at is not None and before.redeemed_at is None:
        yield PASS_REDEEMED, {"redeemed_at": to_text(after.redeemed_at), "reference": None, "amount": None}
    if after.revoked_at is not None and before.revoked_at is None:
        yield PASS_REVOKED, {}
    elif before.revoked_at is not None and after.revoked_at is None:
        yield PASS_REINSTATED, {}
    elif after.status(now) is Status.EXPIRED and after.expires_at != before.expires_at:
        yield PASS_EXPIRED, {}
    changed = [
        name for name in (*HOLDER_FIELDS, "fields", "expires_at") if getattr(after, name) != getattr(before, name)
    ]
    if changed and after.deleted_at is None:
        yield PASS_UPDATED, {"changed": changed}
