"""Deliveries: events on their way to hooks, as rows. The rows are the truth; jobs only say that there is work.

A delivery is *pending* until it is delivered, failed or dropped. A worker claims it with a lease: while the lease
lasts nobody else sends it, and when the worker dies it comes back by itself. Hence "at least once": what was sent and
not written down is sent again, under the same `webhook-id`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from app.answer import to_text
from app.events.schedule import Outcome
from app.model import IdKind, new_id
from app.store import pages
from app.store.columns import Statement, from_milliseconds, instant, to_json, to_milliseconds
from app.store.engine import post_after_commit
from app.store.pages import Listing, Page, Range, hidden, parameter
from app.store.tables import LEASED, PENDING, UNDELIVERED, deliveries

JOB = "deliver"
# Longer than an attempt can take (`sending.py`): who is late lost the delivery to somebody else.
LEASE = timedelta(seconds=30)

_NEW: dict[str, Any] = {column.name: bindparam(column.name) for column in deliveries.c if column.name != "finished_at"}
_INSERT = Statement(insert(deliveries).values(_NEW))
# A worker runs these for every delivery.
_MINE = deliveries.c.hook_id == bindparam("hook_id")
_UNDER_WAY = Statement(select(func.count()).where(_MINE, LEASED, deliveries.c.lease_until > bindparam("now")))
_DUE = (
    _MINE,
    PENDING,
    deliveries.c.next_attempt_at <= bindparam("now"),
    or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= bindparam("now")),
)
_ANY_DUE = Statement(select(deliveries.c.id).where(*_DUE).limit(1))
_NEXT = Statement(select(deliveries).where(*_DUE).order_by(deliveries.c.next_attempt_at, deliveries.c.id).limit(2))
_LEASE = Statement(
    update(deliveries).where(deliveries.c.id == bindparam("delivery_id")).values(lease_until=bindparam("lease"))
)
_RESULT = ("status", "attempts", "tries", "next_attempt_at", "lease_until", "finished_at")
_FINISH = Statement(
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery_id"), PENDING, deliveries.c.lease_until == bindparam("lease"))
    .values({name: bindparam(f"new_{name}") for name in _RESULT})
)
FIRST_DUE = select(func.min(deliveries.c.next_attempt_at)).where(PENDING)
_FIRST_DUE = Statement(FIRST_DUE.where(_MINE))
_NEXT_DUE = Statement(FIRST_DUE.where(_MINE, deliveries.c.next_attempt_at > bindparam("now")))


class DeliveryStatus(StrEnum):
    """Where a delivery is in its life."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one hook. `test_body` is what is sent for a test, which has no event."""

    id: str
    hook_id: str
    event_id: str
    event_type: str
    status: DeliveryStatus
    attempts: tuple[dict[str, Any], ...]
    tries: int
    next_attempt_at: datetime | None
    lease_until: datetime | None
    created_at: datetime
    test_body: str | None = None

    @property
    def is_test(self) -> bool:
        """Tell whether it is a sample that somebody asked for."""
        return self.test_body is not None


def add(
    connection: Connection,
    hook_id: str,
    event_id: str,
    event_type: str,
    now: datetime,
    test_body: str | None = None,
) -> str:
    """Write a delivery that is due at once, and return its ID. The caller asks for the job."""
    delivery_id = new_id(IdKind.DELIVERY)
    row = {
        "id": delivery_id,
        "hook_id": hook_id,
        "event_id": event_id,
        "event_type": event_type,
        "test_body": test_body,
        "status": DeliveryStatus.PENDING.value,
        "attempts": "[]",
        "tries": 0,
        "next_attempt_at": to_milliseconds(now),
        "lease_until": None,
        "created_at": to_milliseconds(now),
    }
    _INSERT.send(connection, row)
    return delivery_id


def can_claim(connection: Connection, hook_id: str, limit: int, now: datetime) -> bool:
    """Tell whether something is due and has room, without claiming it."""
    mine = {"hook_id": hook_id, "now": to_milliseconds(now)}
    return _has_room(connection, mine, limit) and _ANY_DUE.first(connection, mine) is not None


def claim(connection: Connection, hook_id: str, limit: int, now: datetime) -> Delivery | None:
    """Take the hook's next due delivery; None where nothing is due, or enough is under way.

    Where more is due and there is room for it, another job is asked for.

    Args:
        connection: in a transaction that holds the hook's row, so that two workers do not count at the same time.
        hook_id: of the hook.
        limit: how many deliveries to it may be under way.
        now: when the lease begins.
    """
    mine = {"hook_id": hook_id, "now": to_milliseconds(now)}
    if not _has_room(connection, mine, limit):
        return None
    rows = _NEXT.run(connection, mine).fetchall()
    if not rows:
        return None
    claimed = replace(_from_columns(rows[0]), lease_until=now + LEASE)
    _LEASE.send(connection, {"delivery_id": claimed.id, "lease": to_milliseconds(claimed.lease_until)})
    if len(rows) > 1 and _has_room(connection, mine, limit):
        post_after_commit(connection, JOB, hook_id)
    return claimed


def _has_room(connection: Connection, mine: dict[str, Any], limit: int) -> bool:
    under_way = _UNDER_WAY.first(connection, mine)
    return under_way is not None and under_way[0] < limit


def put_back(connection: Connection, claimed: Delivery) -> None:
    """Give a claimed delivery back untried."""
    held = _one(claimed.id).where(deliveries.c.lease_until == to_milliseconds(claimed.lease_until))
    connection.execute(held.values(lease_until=None))


def finish(
    connection: Connection,
    claimed: Delivery,
    outcome: Outcome,
    now: datetime,
    status: DeliveryStatus,
    next_attempt_at: datetime | None,
) -> bool:
    """Write down what came of an attempt. False: the delivery was lost to somebody else, or dropped, meanwhile."""
    attempt = {
        "at": to_text(now),
        "status_code": outcome.status_code,
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
    }
    values = {
        "status": status.value,
        "attempts": to_json([*claimed.attempts, attempt]),
        "tries": claimed.tries + 1,
        "next_attempt_at": to_milliseconds(next_attempt_at),
        "lease_until": None,
        "finished_at": None if status is DeliveryStatus.PENDING else to_milliseconds(now),
    }
    held = {"delivery_id": claimed.id, "lease": to_milliseconds(claimed.lease_until)}
    cursor = _FINISH.run(connection, {**held, **{f"new_{name}": value for name, value in values.items()}})
    return bool(cursor.rowcount == 1)


def drop_pending(connection: Connection, hook_id: str, now: datetime) -> None:
    """Give up whatever waits for a hook that ends."""
    _end_pending(connection, hook_id, DeliveryStatus.DROPPED, now)


def fail_pending(connection: Connection, hook_id: str, now: datetime) -> None:
    """Give up whatever waits for a hook that goes on; it can be replayed."""
    _end_pending(connection, hook_id, DeliveryStatus.FAILED, now)


def ended(status: DeliveryStatus, now: datetime) -> dict[str, Any]:
    """Return the columns of a delivery that is given up."""
    return {
        "status": status.value,
        "next_attempt_at": None,
        "lease_until": None,
        "finished_at": to_milliseconds(now),
    }


def _end_pending(connection: Connection, hook_id: str, status: DeliveryStatus, now: datetime) -> None:
    connection.execute(update(deliveries).where(deliveries.c.hook_id == hook_id, PENDING).values(ended(status, now)))


def get(connection: Connection, hook_id: str, delivery_id: str) -> Delivery | None:
    """Return the hook's delivery of this ID."""
    found = get_any(connection, delivery_id)
    return None if found is None or found.hook_id != hook_id else found


def get_any(connection: Connection, delivery_id: str) -> Delivery | None:
    """Return the delivery of this ID, of any hook."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).first()
    return None if row is None else _from_columns(row)


def page(
    connection: Connection, hook_id: str, *, status: DeliveryStatus | None, before: str | None, limit: int
) -> Page[Delivery]:
    """Return at most `limit` deliveries, newest first, those older than the ID `before`."""
    values = {"hook_id": hook_id, "status": status and status.value}
    found = pages.read(connection, _listing(status), values, before, limit)
    return Page([_from_columns(row) for row in found.items], found.next_cursor)


@cache
def _listing(status: DeliveryStatus | None) -> Listing:
    equal = [(column, parameter(column)) for column in (deliveries.c.status, deliveries.c.hook_id)]
    if status in (DeliveryStatus.FAILED, DeliveryStatus.DROPPED):
        return Listing(select(deliveries), (deliveries.c.id,), [Range(equal, [UNDELIVERED])])
    checks = [] if status is None else [hidden(deliveries.c.status == parameter(deliveries.c.status))]
    return Listing(select(deliveries), (deliveries.c.id,), [Range(equal[1:])], checks)


def first_due(connection: Connection, hook_id: str) -> datetime | None:
    """Return when the first of the hook's waiting deliveries is or was due; None where none waits."""
    row = _FIRST_DUE.first(connection, {"hook_id": hook_id})
    return None if row is None else from_milliseconds(row[0])


def next_due(connection: Connection, hook_id: str, after: datetime) -> datetime | None:
    """Return when the hook's next delivery after that moment is due; None where none is."""
    row = _NEXT_DUE.first(connection, {"hook_id": hook_id, "now": to_milliseconds(after)})
    return None if row is None else from_milliseconds(row[0])


def show(delivery: Delivery) -> dict[str, Any]:
    """Make the answer of a delivery, as `DeliveryAnswer` describes it."""
    return {
        "id": delivery.id,
        "hook_id": delivery.hook_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "is_test": delivery.is_test,
        "status": delivery.status.value,
        "attempts": list(delivery.attempts),
        "next_attempt_at": to_text(delivery.next_attempt_at) if delivery.next_attempt_at else None,
        "created_at": to_text(delivery.created_at),
    }


def _one(delivery_id: str) -> Any:
    return update(deliveries).where(deliveries.c.id == delivery_id)


def _from_columns(columns: Sequence[Any]) -> Delivery:
    (
        delivery_id,
        hook_id,
        event_id,
        event_type,
        test_body,
        status,
        attempts,
        tries,
        next_attempt_at,
        lease_until,
        created_at,
        _finished_at,
    ) = columns
    return Delivery(
        id=delivery_id,
        hook_id=hook_id,
        event_id=event_id,
        event_type=event_type,
        status=DeliveryStatus(status),
        attempts=tuple(json.loads(attempts)),
        tries=tries,
        next_attempt_at=from_milliseconds(next_attempt_at),
        lease_until=from_milliseconds(lease_until),
        created_at=instant(created_at),
        test_body=test_body,
    )
