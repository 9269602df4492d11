"""Rows of the worker's processes: when each was last alive."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from app.store.columns import instant, to_milliseconds
from app.store.tables import workers

# A worker that was seen less than this ago is taken to be alive: several heartbeats may be late.
ALIVE = timedelta(minutes=2)
KEPT = timedelta(days=1)


def see(connection: Connection, worker_id: str, started_at: datetime, now: datetime) -> None:
    """Write down that a worker is alive, and forget those that have not been for a day."""
    seen_at = to_milliseconds(now)
    mine = workers.c.id == worker_id
    if connection.execute(update(workers).where(mine).values(seen_at=seen_at)).rowcount == 0:
        row = {"id": worker_id, "started_at": to_milliseconds(started_at), "seen_at": seen_at}
        connection.execute(insert(workers), row)
        connection.execute(delete(workers).where(workers.c.seen_at < to_milliseconds(now - KEPT)))


def seen_at(connection: Connection) -> list[datetime]:
    """Return when each worker was last alive."""
    return [instant(value) for value in connection.execute(select(workers.c.seen_at)).scalars()]


def is_alive(seen: datetime, now: datetime) -> bool:
    """Tell whether a worker that was last alive then is taken to be alive."""
    return now - seen <= ALIVE
