"""Deleting what is old enough: in chunks, and by indexes alone, so that no query reads more than a chunk.

IDs begin with the millisecond they were made in, so the oldest rows stand first in the primary key: no table needs an
index by age for this.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, select, text, true, update

from app.store.chunks import Chunk, delete_in_chunks, in_chunks
from app.store.columns import to_milliseconds
from app.store.engine import Store
from app.store.operations import ENDED
from app.store.tables import ANSWERED, FINISHED, READ, deliveries, events, hooks, inbox, operations


def forget_answers(store: Store, before: datetime) -> int:
    """Forget the stored answers of operations that were begun before then; return how many."""
    old = select(operations.c.id).where(ANSWERED, operations.c.created_at < to_milliseconds(before))

    def forget(connection: Connection, limit: int) -> Chunk:
        found = list(connection.execute(old.limit(limit)).scalars())
        connection.execute(update(operations).where(operations.c.id.in_(found)).values(answer=None))
        return Chunk(len(found), is_last=len(found) < limit)

    return in_chunks(store, forget)


def delete_operations(store: Store, before: datetime) -> int:
    """Delete the operations that were begun before then, with their keys; return how many.

    Those without an outcome stay.
    """
    return _delete_oldest(store, operations, before, ENDED)


def delete_events(store: Store, before: datetime) -> int:
    """Delete the events of before then; return how many.

    Their deliveries go first, because they send what the event tells. Only a paused hook has some that wait so long.
    """
    _delete_oldest(store, deliveries, before)
    return _delete_oldest(store, events, before)


def delete_deliveries(store: Store, before: datetime) -> int:
    """Delete the deliveries that ended before then, and the deleted hooks that have none left; return how many."""
    total = delete_in_chunks(store, deliveries, FINISHED, deliveries.c.finished_at < to_milliseconds(before))
    is_used = select(deliveries.c.id).where(deliveries.c.hook_id == hooks.c.id).exists()
    with store.write() as connection:
        connection.execute(delete(hooks).where(text("status = 'deleted'"), ~is_used))
    return total


def delete_webhooks(store: Store, before: datetime) -> int:
    """Delete what remote issuers sent before then and what was read; return how many."""
    return delete_in_chunks(store, inbox, READ, inbox.c.received_at < to_milliseconds(before))


def _delete_oldest(store: Store, table: Table, before: datetime, may_go: ColumnElement[bool] | None = None) -> int:
    """Go through a table from its oldest row to the first one that is not old enough, and delete what may go."""
    condition = true() if may_go is None else may_go
    moment, after = to_milliseconds(before) or 0, ""

    def drop(connection: Connection, limit: int) -> Chunk:
        nonlocal after
        ages = select(table.c.id, table.c.created_at).where(table.c.id > after).order_by(table.c.id).limit(limit)
        old = [row_id for row_id, created_at in connection.execute(ages) if created_at < moment]
        # Asked again here: somebody may have taken up an operation since it was looked at.
        deleted = connection.execute(delete(table).where(table.c.id.in_(old), condition)).rowcount
        after = old[-1] if old else after
        return Chunk(deleted, is_last=len(old) < limit)

    return in_chunks(store, drop)
