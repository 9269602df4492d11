"""The stored events: written with the change they tell of, listed newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from app import identifiers
from app.model import Mode, Pass
from app.store.statement import Statement
from app.store.tables import events
from app.store.values import from_milliseconds, to_milliseconds

_INSERT = Statement(insert(events))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a pass. `data` is the JSON text of the pass as it was then, and the details."""

    id: str
    type: str
    created_at: datetime
    program_id: str
    pass_id: str
    operation_id: str | None
    data: str


def record(
    connection: Connection, event_type: str, subject: Pass, operation_id: str | None, data: str, now: datetime
) -> None:
    """Write an event, in the transaction of the change itself: neither is ever there without the other."""
    row = {
        "id": identifiers.new_id(identifiers.EVENT),
        "account_id": subject.account_id,
        "mode": subject.mode.value,
        "type": event_type,
        "program_id": subject.program_id,
        "pass_id": subject.id,
        "operation_id": operation_id,
        "data": data,
        "created_at": to_milliseconds(now),
    }
    _INSERT.run(connection, row)


def of_pass(connection: Connection, pass_id: str) -> list[tuple[str, str | None, str]]:
    """Return ID, operation ID and data of every event of a pass."""
    query = select(events.c.id, events.c.operation_id, events.c.data).where(events.c.pass_id == pass_id)
    return [(event_id, operation_id, data) for event_id, operation_id, data in connection.execute(query)]


def rewrite(connection: Connection, event_id: str, data: str) -> None:
    """Put other data in the place of an event's."""
    connection.execute(update(events).where(events.c.id == event_id).values(data=data))


def page(
    connection: Connection,
    account_id: str,
    mode: Mode,
    *,
    event_type: str | None = None,
    pass_id: str | None = None,
    since: datetime | None = None,
    before: str | None,
    limit: int,
) -> list[Event]:
    """Return at most `limit` events, newest first, those older than the event ID `before`."""
    query = select(events).where(events.c.account_id == account_id, events.c.mode == mode.value)
    if event_type is not None:
        query = query.where(events.c.type == event_type)
    if pass_id is not None:
        query = query.where(events.c.pass_id == pass_id)
    if since is not None:
        query = query.where(events.c.created_at >= to_milliseconds(since))
    if before is not None:
        query = query.where(events.c.id < before)
    found = []
    for row in connection.execute(query.order_by(events.c.id.desc()).limit(limit)):
        created_at = from_milliseconds(row.created_at)
        assert created_at is not None
        found.append(Event(row.id, row.type, created_at, row.program_id, row.pass_id, row.operation_id, row.data))
    return found
