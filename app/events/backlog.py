"""What waits for hooks: how much, and for how long. Bounded, so that it costs the same however much there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal, select, text

from app.store.columns import to_milliseconds
from app.store.tables import PENDING, deliveries, hooks

COUNTED = 1000  # of one hook; a larger backlog counts as this
COUNTED_OF_ALL = 100_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a hook.

    Attributes:
        pending: how many deliveries wait, retries included; at most `COUNTED`.
        age_seconds: how long the oldest one that is due has been due; 0.0 where none is.
    """

    pending: int = 0
    age_seconds: float = 0.0


def _counted() -> ColumnElement[int]:
    some = select(literal(1)).where(deliveries.c.hook_id == hooks.c.id, PENDING).correlate(hooks).limit(COUNTED)
    return select(func.count()).select_from(some.subquery()).correlate(hooks).scalar_subquery()


def _first_due() -> ColumnElement[int]:
    mine = select(func.min(deliveries.c.next_attempt_at)).where(deliveries.c.hook_id == hooks.c.id, PENDING)
    return mine.correlate(hooks).scalar_subquery()


_EACH = select(hooks.c.id, _counted(), _first_due())
_FIRST_DUES = (
    select(hooks.c.id, hooks.c.rests_until, _first_due().label("first_due"))
    .where(text("hooks.status = 'active'"))
    .subquery()
)
_OVERDUE = select(_FIRST_DUES.c.id).order_by(_FIRST_DUES.c.first_due)
_LATEST = select(func.min(_FIRST_DUES.c.first_due)).where(_FIRST_DUES.c.rests_until.is_(None))
_ALL = (
    select(literal(1))
    .select_from(deliveries.join(hooks, hooks.c.id == deliveries.c.hook_id))
    .where(text("deliveries.status = 'pending'"), text("hooks.status = 'active'"))
    .limit(COUNTED_OF_ALL)
    .subquery()
)
_RESTING = select(func.count()).where(text("status = 'active'"), hooks.c.rests_until.is_not(None))


def of_each(connection: Connection, hook_ids: Sequence[str], now: datetime) -> dict[str, Backlog]:
    """Return the backlogs of hooks by their IDs."""
    found = connection.execute(_EACH.where(hooks.c.id.in_(hook_ids)))
    return {hook_id: Backlog(number, _age(first_due, now)) for hook_id, number, first_due in found}


def of_oldest(connection: Connection, now: datetime, limit: int) -> dict[str, Backlog]:
    """Return the backlogs of the active hooks whose deliveries have been due the longest, at most `limit` hooks."""
    due = _OVERDUE.where(_FIRST_DUES.c.first_due <= to_milliseconds(now)).limit(limit)
    return of_each(connection, connection.execute(due).scalars().all(), now)


def of_all(connection: Connection, now: datetime) -> Backlog:
    """Return the backlog of all active hooks together: at most `COUNTED_OF_ALL` deliveries are counted.

    The age is that of hooks that do not rest: what waits for a receiver that is away says nothing of the worker.
    """
    number = connection.execute(select(func.count()).select_from(_ALL)).scalar_one()
    return Backlog(number, _age(connection.execute(_LATEST).scalar(), now))


def count_resting(connection: Connection) -> int:
    """Return how many active hooks rest because their receivers fail."""
    return connection.execute(_RESTING).scalar_one()


def _age(first_due: int | None, now: datetime) -> float:
    return 0.0 if first_due is None else max(0, (to_milliseconds(now) or 0) - first_due) / 1000
