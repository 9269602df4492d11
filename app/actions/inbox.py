"""Looking into what PassKit's webhooks hint at: the pass is read again, and what differs becomes events.

Because only states are compared, a hint that comes twice, late or in another order makes no event of its own. A hint
about a pass that an operation of ours is changing waits for its outcome: the operation tells of its own effect.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from app import upstream
from app.actions.elsewhere import current, reader_of
from app.actions.erasing import erase_holder
from app.answer import describe, number
from app.errors import PassrailError
from app.events import outbox
from app.events.types import (
    PASS_CREATED,
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
from app.issuers.passkit.failures import NotFound
from app.model import InstallState, Pass, Program, Status
from app.service import Service
from app.store import expiries, inbox, operations, passes, programs
from app.store.inbox import Hint, Sink
from app.store.troubles import Kind
from app.store.values import to_json
from app.sweeps import each

AT_ONCE = 500
TRIES = 3
DELETED = (32, "PASS_EVENT_RECORD_DELETED")

_UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_log = logging.getLogger(__name__)


class Waits(Exception):
    """It cannot be looked into now; the next sweep tries again."""


def read_all(service: Service) -> int:
    """Look into everything that waits; return how much of it is done."""
    with service.store.read() as connection:
        waiting = inbox.waiting(connection, service.clock(), AT_ONCE)
    return read_each(service, waiting)


def read_each(service: Service, hint_ids: Iterable[str]) -> int:
    """Look into these hints, whatever happens to any of them; return how many are done."""
    return each(service, Kind.WEBHOOK, hint_ids, partial(_read, service))


def _read(service: Service, hint_id: str) -> bool:
    """Look into one hint. False: it waits, or was looked into already."""
    with service.store.read() as connection:
        hint = inbox.get(connection, hint_id)
        sink = None if hint is None else inbox.get_sink(connection, hint.sink_id)
    if hint is None:
        return False
    try:
        note = "its subscription is gone" if sink is None else _look_into(service, sink, hint)
    except (Waits, PassrailError) as reason:
        _log.info("a webhook waits", extra={"hint": hint_id, "why": type(reason).__name__})
        return False
    with service.store.write() as connection:
        inbox.close(connection, hint_id, note, service.clock())
    return True


def forget_old(service: Service) -> int:
    """Delete what was looked into more than a week ago."""
    with service.store.write() as connection:
        return inbox.forget_before(connection, service.clock() - timedelta(days=inbox.KEPT_DAYS))


def _look_into(service: Service, sink: Sink, hint: Hint) -> str:
    named = _named(hint.body)
    if named is None:
        return "not understood"
    upstream_id, is_deleted = named
    for _ in range(TRIES):
        with service.store.read() as connection:
            program = programs.get(connection, sink.account_id, sink.mode, sink.program_id)
            known = passes.get_by_upstream_id(connection, sink.program_id, upstream_id)
        if program is None:
            return "its program is gone"
        if known is not None and known.deleted_at is not None:
            return "revoked for good before"
        fresh = _ask(service, program, known, upstream_id)
        if fresh is None and (known is None or not is_deleted):
            return "PassKit does not have it"
        if known is not None and fresh is None:
            fresh = _erased(known, service.clock())
        assert fresh is not None
        if _write(service, program, known, fresh):
            return "looked into"
    raise Waits


def _named(body: str) -> tuple[str, bool] | None:
    """Return which pass a webhook is about, and whether it was deleted; None for anything else."""
    try:
        found = json.loads(body)
        upstream_id, event = found["pass"]["id"], found.get("event")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(upstream_id, str) or not _UPSTREAM_ID.fullmatch(upstream_id):
        return None
    return upstream_id, isinstance(event, int | str) and event in DELETED


def _ask(service: Service, program: Program, known: Pass | None, upstream_id: str) -> Pass | None:
    """Return the pass as PassKit has it, None where it has none of this program."""
    one = upstream.need(service, program.account_id, program.mode)
    with upstream.asking(service, one) as transport:
        reader = reader_of(service, program, transport)
        try:
            return reader.read(known) if known is not None else reader.read_new(upstream_id)
        except NotFound:
            return None


def _erased(known: Pass, now: datetime) -> Pass:
    bare = replace(known, email=None, first_name=None, last_name=None, phone=None, fields={})
    return replace(bare, revoked_at=known.revoked_at or now, deleted_at=now, updated_at=now)


def _write(service: Service, program: Program, known: Pass | None, fresh: Pass) -> bool:
    """Write pass and events. False: somebody has written the pass since it was read.

    Raises:
        Waits: an operation of ours is at work on it, or making it.
    """
    now = service.clock()
    with service.store.write() as connection:
        if known is None:
            if operations.is_creating(connection, program.id):
                raise Waits
            assert fresh.upstream_id is not None
            if passes.get_by_upstream_id(connection, program.id, fresh.upstream_id) is not None:
                return False
            passes.add(connection, fresh)
        else:
            if operations.is_open_on(connection, known.id):
                raise Waits
            if current(connection, known) != known:
                return False
            if fresh is known:
                return True
            passes.save(connection, known, fresh)
            if fresh.deleted_at is not None:
                erase_holder(connection, fresh.id)
        for event_type, details in _events(known, fresh, now):
            _tell(connection, service, event_type, fresh, program, details, now)
            if event_type == PASS_EXPIRED:
                expiries.note_told(connection, fresh.id)
    return True


def _tell(
    connection: Connection,
    service: Service,
    event_type: str,
    subject: Pass,
    program: Program,
    details: dict[str, Any],
    now: datetime,
) -> None:
    plain = describe(subject, program, now=now, public_url=service.settings.public_url)
    outbox.record(connection, event_type, subject, None, to_json({**plain, **details}), now)


def _events(before: Pass | None, after: Pass, now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say in events what differs."""
    if before is None:
        yield PASS_CREATED, {"created": True, "changed": []}
        return
    if after.install_state != before.install_state and after.install_state is not InstallState.ISSUED:
        is_installed = after.install_state is InstallState.INSTALLED
        yield (PASS_INSTALLED if is_installed else PASS_UNINSTALLED), {}
    if after.points != before.points and after.points is not None and before.points is not None:
        change = after.points - before.points
        yield POINTS_CHANGED, {"points_before": number(before.points), "points_change": number(change)}
    if after.tier_id != before.tier_id:
        yield TIER_CHANGED, {"tier_before": before.tier_id}
    if after.redeemed_at is not None and before.redeemed_at is None:
        yield PASS_REDEEMED, {"reference": None, "amount": None}
    if after.revoked_at is not None and before.revoked_at is None:
        yield PASS_REVOKED, {}
    elif before.revoked_at is not None and after.revoked_at is None:
        yield PASS_REINSTATED, {}
    elif after.status(now) is Status.EXPIRED and after.expires_at != before.expires_at:
        yield PASS_EXPIRED, {}
    changed = [
        name
        for name in ("email", "first_name", "last_name", "phone", "fields", "expires_at")
        if getattr(after, name) != getattr(before, name)
    ]
    if changed and after.deleted_at is None:
        yield PASS_UPDATED, {"changed": changed}
