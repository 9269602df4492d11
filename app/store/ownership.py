"""Which rows of all tables belong to an account."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, select

from app.store.chunks import delete_in_chunks
from app.store.engine import Store
from app.store.tables import accounts, deliveries, hooks, inbox, metadata, secrets, sinks, troubles, workers

# Rows of no account; the account itself; and troubles, which go with the rows they are about.
NOT_OWNED = {secrets, accounts, troubles, workers}


def owned_by(account_id: str) -> dict[Table, ColumnElement[bool]]:
    """Return what tells an account's rows in each table that has some, in an order in which they can be deleted.

    A table has a column `account_id`, or belongs to an account by way of another table.
    """
    its_hooks = select(hooks.c.id).where(hooks.c.account_id == account_id)
    its_sinks = select(sinks.c.id).where(sinks.c.account_id == account_id)
    indirectly = {deliveries: deliveries.c.hook_id.in_(its_hooks), inbox: inbox.c.sink_id.in_(its_sinks)}
    children_first = [table for table in reversed(metadata.sorted_tables) if "account_id" in table.c]
    return {**indirectly, **{table: table.c.account_id == account_id for table in children_first}}


def delete_owned(store: Store, account_id: str) -> None:
    """Delete every row that belongs to an account, in chunks.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody has written more of them meanwhile.
    """
    for table, is_its in owned_by(account_id).items():
        delete_in_chunks(store, table, is_its)
