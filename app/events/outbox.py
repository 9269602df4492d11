"""The stored events: written with the change they tell of, listed newest first.

With an event go its deliveries: one row for each hook that wants it, in the same transaction. Whoever sees the change
finds both, and a crash can lose neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, bindparam, insert, select, text, update

from app.answer import to_text
from app.events import deliveries
from app.events.hooks import EVERYTHING
from app.events.types import DESCRIPTIONS
from app.model import Mode, Pass, first_event_id, new_event_id
from app.store import pages
from app.store.columns import Statement, instant, to_json, to_milliseconds
from app.store.engine import post_after_commit
from app.store.pages import Condition, Listing, Page, Place, Range, hidden, parameter
from app.store.programs import OWN_ID
from app.store.tables import events, hooks

# An ID begins with the event's time. Those of earlier versions began with the time at which it was written, which is
# less than this apart from it; migration 0006 sees to that.
ID_TOLERANCE = timedelta(minutes=1)

_INSERT = Statement(insert(events))
_REWRITE = Statement(update(events).where(events.c.id == bindparam("event_id")).values(data=bindparam("new_data")))
_BY_ID = Statement(select(events).where(events.c.id == bindparam("id")))
# Runs in every action. Paused hooks get their deliveries too; they wait until the hook is resumed.
_LISTENING = Statement(
    select(hooks.c.id, hooks.c.event_types, hooks.c.program_id, hooks.c.rests_until).where(
        hooks.c.account_id == bindparam("account_id"),
        hooks.c.mode == bindparam("mode"),
        text("status IN ('active', 'paused')"),
    )
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a pass or a hook. `data` is the JSON text of it as it was then, and the details."""

    id: str
    type: str
    created_at: datetime
    program_id: str | None
    pass_id: str | None
    operation_id: str | None
    data: str


def record(
    connection: Connection,
    event_type: str,
    subject: Pass,
    operation_id: str | None,
    data: str,
    at: datetime,
    now: datetime,
) -> None:
    """Write an event, in the transaction of the change itself: neither is ever there without the other.

    Args:
        connection: in a transaction.
        event_type: what happened.
        subject: to this pass.
        operation_id: of the operation that did it; None: it happened by itself.
        data: JSON text.
        at: when, as told. It may be a little ahead of the clock, so that times tell the order of a pass's events.
        now: by the clock; hooks are to be told at once.
    """
    row = {
        "account_id": subject.account_id,
        "mode": subject.mode.value,
        "type": event_type,
        "program_id": subject.program_id,
        "pass_id": subject.id,
        "operation_id": operation_id,
        "data": data,
    }
    _write(connection, row, at, now)


def record_of_hook(
    connection: Connection, event_type: str, account_id: str, mode: Mode, data: str, now: datetime
) -> None:
    """Write an event about a hook, in the transaction of its change."""
    row = {
        "account_id": account_id,
        "mode": mode.value,
        "type": event_type,
        "program_id": None,
        "pass_id": None,
        "operation_id": None,
        "data": data,
    }
    _write(connection, row, now, now)


def _write(connection: Connection, row: dict[str, str | None], at: datetime, now: datetime) -> None:
    event_id = new_event_id(at)
    _INSERT.send(connection, {**row, "id": event_id, "created_at": to_milliseconds(at)})
    scope = {"account_id": row["account_id"], "mode": row["mode"]}
    for hook_id, event_types, program_id, rests_until in _LISTENING.run(connection, scope).fetchall():
        wanted = json.loads(event_types)
        if (EVERYTHING in wanted or row["type"] in wanted) and program_id in (None, row["program_id"]):
            deliveries.add(connection, hook_id, event_id, str(row["type"]), now)
            # The worker has a job for the end of a rest already.
            if rests_until is None or rests_until <= (to_milliseconds(now) or 0):
                post_after_commit(connection, deliveries.JOB, hook_id)


def of_pass(connection: Connection, pass_id: str) -> list[tuple[str, str]]:
    """Return ID and data of every event of a pass."""
    query = select(events.c.id, events.c.data).where(events.c.pass_id == pass_id)
    return [(event_id, data) for event_id, data in connection.execute(query)]


def rewrite(connection: Connection, event_id: str, data: str) -> None:
    """Put other data in the place of an event's."""
    _REWRITE.send(connection, {"event_id": event_id, "new_data": data})


def get(connection: Connection, event_id: str) -> Event | None:
    """Return the event of this ID, for the worker."""
    row = _BY_ID.first(connection, {"id": event_id})
    return None if row is None else _from_columns(row)


def payload(event: Event) -> str:
    """Return the event as it is delivered and listed: JSON text."""
    head = to_json(
        {
            "id": event.id,
            "type": event.type,
            "timestamp": to_text(event.created_at),
            "operation_id": event.operation_id,
        }
    )
    return f'{head[:-1]},"data":{event.data}}}'


def page(
    connection: Connection,
    account_id: str,
    mode: Mode,
    *,
    event_type: str | None = None,
    program_id: str | None = None,
    pass_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: str | None,
    limit: int,
) -> Page[Event]:
    """Return at most `limit` events, newest first, those older than the event ID `before`."""
    values = {
        "account_id": account_id,
        "mode": mode.value,
        "type": event_type,
        "program_id": program_id,
        "pass_id": pass_id,
        "since": to_milliseconds(since),
        "until": to_milliseconds(until),
    }
    given = frozenset(name for name, value in values.items() if value is not None)
    if since is not None:
        values["since_id"] = first_event_id(since - ID_TOLERANCE)
    if until is not None:
        after = first_event_id(until + ID_TOLERANCE)
        before = after if before is None else min(before, after)
    found = pages.read(connection, _listing(given), values, before, limit)
    return Page([_from_columns(row) for row in found.items], found.next_cursor)


@cache
def _listing(given: frozenset[str]) -> Listing:
    """Return where events are found by the filters of these names."""
    mine = [(column, parameter(column)) for column in (events.c.account_id, events.c.mode)]
    by_type = [(events.c.type, parameter(events.c.type))] if "type" in given else []
    checks: list[Condition] = []
    if "pass_id" in given:
        ranges = [Range([(events.c.pass_id, parameter(events.c.pass_id))], [_is(column) for column, _ in mine])]
        checks = [_is(column) for column in (events.c.type, events.c.program_id) if column.name in given]
    elif "program_id" in given:
        # A program's index names no account. Nobody else's is looked into.
        own_program = (events.c.program_id, OWN_ID)
        types = [[(events.c.type, one)] for one in DESCRIPTIONS]
        ranges = [Range([own_program, *one]) for one in ([by_type] if by_type else types)]
    else:
        ranges = [Range([*mine, *by_type])]
    least: Place | None = None
    if "since" in given:
        least = (parameter(events.c.id, "since_id"),)
        checks.append(hidden(events.c.created_at >= parameter(events.c.created_at, "since")))
    if "until" in given:
        checks.append(hidden(events.c.created_at <= parameter(events.c.created_at, "until")))
    return Listing(select(events), (events.c.id,), ranges, checks, least)


def _is(column: Column[Any]) -> Condition:
    return hidden(column == parameter(column))


def _from_columns(columns: Sequence[Any]) -> Event:
    event_id, _account_id, _mode, event_type, program_id, pass_id, operation_id, data, created_at = columns
    return Event(event_id, event_type, instant(created_at), program_id, pass_id, operation_id, data)
