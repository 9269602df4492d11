"""The stored events: written with the change they tell of, listed newest first.

With an event go its deliveries: one row for each hook that wants it, in the same transaction. Whoever sees the change
finds both, and a crash can lose neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update

from app.answer import to_text
from app.events import deliveries
from app.events.hooks import EVERYTHING
from app.model import IdKind, Mode, Pass, new_id
from app.store.columns import Statement, instant, to_json, to_milliseconds
from app.store.engine import post_after_commit
from app.store.tables import events, hooks

_INSERT = Statement(insert(events))
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
    event_id = new_id(IdKind.EVENT)
    _INSERT.run(connection, {**row, "id": event_id, "created_at": to_milliseconds(at)})
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
    connection.execute(update(events).where(events.c.id == event_id).values(data=data))


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
) -> list[Event]:
    """Return at most `limit` events, newest first, those older than the event ID `before`."""
    query = select(events).where(events.c.account_id == account_id, events.c.mode == mode.value)
    if event_type is not None:
        query = query.where(events.c.type == event_type)
    if program_id is not None:
        query = query.where(events.c.program_id == program_id)
    if pass_id is not None:
        query = query.where(events.c.pass_id == pass_id)
    if since is not None:
        query = query.where(events.c.created_at >= to_milliseconds(since))
    if until is not None:
        query = query.where(events.c.created_at <= to_milliseconds(until))
    if before is not None:
        query = query.where(events.c.id < before)
    return [_from_columns(row) for row in connection.execute(query.order_by(events.c.id.desc()).limit(limit))]


def _from_columns(columns: Sequence[Any]) -> Event:
    event_id, _account_id, _mode, event_type, program_id, pass_id, operation_id, data, created_at = columns
    return Event(event_id, event_type, instant(created_at), program_id, pass_id, operation_id, data)
