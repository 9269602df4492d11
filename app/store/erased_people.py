"""What stays of people who were erased: keyed hashes of their names, with the time of the erasure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from app.model import Mode
from app.store.columns import instant, to_milliseconds
from app.store.tables import erased_people


def put(connection: Connection, account_id: str, mode: Mode, digests: Sequence[str], now: datetime) -> None:
    """Keep the hashes; those that are there already get the new time."""
    connection.execute(delete(erased_people).where(erased_people.c.digest.in_(digests)))
    row = {"account_id": account_id, "mode": mode.value, "erased_at": to_milliseconds(now)}
    connection.execute(insert(erased_people), [{**row, "digest": digest} for digest in sorted(set(digests))])


def last_erased_at(connection: Connection, digests: Sequence[str]) -> datetime | None:
    """Return when the person of one of these hashes was last erased; None: none of them was."""
    query = select(erased_people.c.erased_at).where(erased_people.c.digest.in_(digests))
    times = connection.execute(query).scalars().all()
    return instant(max(times)) if times else None
