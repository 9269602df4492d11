"""Changing very many rows without holding up anybody: in short transactions, with pauses between them.

SQLite has one writer, and whoever wants to write waits for the transaction before. So a transaction takes as many rows
as fit into `AIM_SECONDS`, and the pause after it leaves most of the time to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, TextClause, delete, select, tuple_

from app.store import troubles
from app.store.engine import Store

AIM_SECONDS = 0.01
# Rows in a transaction. Where the commit alone takes longer (a slow disk), fewer rows would not make it shorter.
LEAST, MOST = 50, 500
# Times as long as the transaction took: it has a quarter of the writer's time and of a processor's at most.
PAUSE, LONGEST_PAUSE_SECONDS = 3, 0.25


class Chunk(NamedTuple):
    """What one transaction did: how many rows it changed, and whether nothing is left."""

    changed: int
    is_last: bool


def in_chunks(store: Store, change: Callable[[Connection, int], Chunk]) -> int:
    """Change rows until none is left; return how many were changed.

    Args:
        store: the database.
        change: changes at most so many rows, in a transaction of its own each time.
    """
    total, limit = 0, LEAST
    while True:
        with store.write() as connection:
            begun = time.perf_counter()
            chunk = change(connection, limit)
        took = time.perf_counter() - begun
        total += chunk.changed
        if chunk.is_last:
            return total
        limit = max(LEAST, min(MOST, limit * 2, int(limit * AIM_SECONDS / took)))
        store.checkpoint()
        time.sleep(min(LONGEST_PAUSE_SECONDS, took * PAUSE))


def delete_in_chunks(store: Store, table: Table, *conditions: ColumnElement[bool] | TextClause) -> int:
    """Delete all rows that fulfil the conditions, and what trouble there was with them; return how many.

    The conditions must be those of an index, or a chunk reads the whole table.
    """
    key = list(table.primary_key.columns)
    wanted = select(*key).where(*conditions)

    def drop(connection: Connection, limit: int) -> Chunk:
        found = connection.execute(wanted.limit(limit)).all()
        connection.execute(delete(table).where(_rows(table, found)))
        troubles.forget_with(connection, table, [str(row[0]) for row in found])
        return Chunk(len(found), is_last=len(found) < limit)

    return in_chunks(store, drop)


def _rows(table: Table, keys: Sequence[Any]) -> ColumnElement[bool]:
    key = list(table.primary_key.columns)
    if len(key) == 1:
        return key[0].in_([row[0] for row in keys])
    return tuple_(*key).in_([tuple(row) for row in keys])
