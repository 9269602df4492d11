"""Looking after deliveries as a whole: sending again, finding what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from app.events.deliveries import FIRST_DUE, JOB, Delivery, DeliveryStatus, ended
from app.store.columns import instant, to_milliseconds
from app.store.engine import post_after_commit
from app.store.tables import FINISHED, LEASED, PENDING, deliveries, hooks

CHUNK = 1000  # rows that one transaction changes at most


def replay(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Make a delivery due again, at the start of the schedule, whatever came of it; its attempts stay listed."""
    again = update(deliveries).where(deliveries.c.id == delivery.id, deliveries.c.lease_until.is_(None))
    connection.execute(again.values(_due_again(now)))
    post_after_commit(connection, JOB, delivery.hook_id)


def replay_range(
    connection: Connection, hook_id: str, since: datetime, until: datetime, after: str, now: datetime
) -> tuple[int, str | None]:
    """Make finished deliveries of events in a time due again, at most `CHUNK` of them, in the order of their IDs.

    Returns:
        How many, and the ID to go on after; None when that was all.
    """
    query = (
        select(deliveries.c.id)
        .where(
            deliveries.c.hook_id == hook_id,
            deliveries.c.id > after,
            FINISHED,
            deliveries.c.test_body.is_(None),
            deliveries.c.created_at.between(to_milliseconds(since), to_milliseconds(until)),
        )
        .order_by(deliveries.c.id)
        .limit(CHUNK)
    )
    found = list(connection.execute(query).scalars())
    if found:
        connection.execute(update(deliveries).where(deliveries.c.id.in_(found)).values(_due_again(now)))
        post_after_commit(connection, JOB, hook_id)
    return len(found), found[-1] if len(found) == CHUNK else None


def waiting(connection: Connection, until: datetime) -> Sequence[tuple[str, datetime]]:
    """Return the active hooks that have something to be sent until then, and when: also what a dead worker claimed.

    What waits for a hook that rests is sent at the end of the rest.
    """
    first_due = FIRST_DUE.where(deliveries.c.hook_id == hooks.c.id).correlate(hooks).scalar_subquery()
    lapses = (
        select(func.max(deliveries.c.lease_until))
        .where(deliveries.c.hook_id == hooks.c.id, LEASED)
        .correlate(hooks)
        .scalar_subquery()
    )
    query = select(hooks.c.id, hooks.c.rests_until, first_due, lapses).where(text("hooks.status = 'active'"))
    return [
        (hook_id, instant(max(when, rests_until or 0)))
        for hook_id, rests_until, due, lapse in connection.execute(query)
        for when in (due, lapse)
        if when is not None and max(when, rests_until or 0) <= (to_milliseconds(until) or 0)
    ]


def drop_of_ended_hooks(connection: Connection, now: datetime) -> int:
    """Drop what still waits for hooks that have ended; return how many deliveries.

    An action that took a hook for a living one can add a delivery after the hook's end has dropped all others.
    """
    ended_hooks = select(hooks.c.id).where(text("status IN ('disabled', 'deleted')"))
    left = update(deliveries).where(PENDING, deliveries.c.hook_id.in_(ended_hooks))
    return connection.execute(left.values(ended(DeliveryStatus.DROPPED, now))).rowcount


def _due_again(now: datetime) -> dict[str, Any]:
    return {
        "status": DeliveryStatus.PENDING.value,
        "tries": 0,
        "next_attempt_at": to_milliseconds(now),
        "finished_at": None,
    }
