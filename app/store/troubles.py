"""Troubles: work that a sweep or a job could not do. It waits for its next try, or is parked until people decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, or_, select

from app.store.columns import from_milliseconds, instant, to_milliseconds
from app.store.tables import hooks, imports, inbox, operations, passes, troubles


class Kind(StrEnum):
    """What the work is on. It says what `item_id` is the ID of."""

    OPERATION = "operation"
    WEBHOOK = "webhook"  # one that a remote issuer sent us, in the table `inbox`
    EXPIRY = "expiry"  # of a pass
    CONNECTION = "connection"  # `IssuerConnection.name`
    HOOK = "hook"  # and all deliveries to it
    IMPORT = "import"
    PURGE = "purge"  # `retention.PARTS`


# The tables that the items are rows of, by their ID. A connection's trouble goes where the connection is forgotten.
KIND_OF: Mapping[Table, Kind] = {
    hooks: Kind.HOOK,
    imports: Kind.IMPORT,
    inbox: Kind.WEBHOOK,
    operations: Kind.OPERATION,
    passes: Kind.EXPIRY,
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One item that could not be done.

    `why` is shown to operators and kept, so it holds no person's data. `parked_at` is None while tries are left.
    """

    kind: Kind
    item_id: str
    tries: int
    why: str
    first_at: datetime
    next_at: datetime
    parked_at: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Tell whether the item is to be left alone now: it is parked, or its next try is later."""
        return self.parked_at is not None or self.next_at > now


def rests(kind: Kind, item_id: ColumnElement[str], now: datetime) -> ColumnElement[bool]:
    """Say in SQL which items are to be left alone now, as `Trouble.rests` does.

    Sweeps leave them out of their queries: enough parked items would else fill the part of the table that one sweep
    looks at, and nothing after them would be done.
    """
    later = or_(troubles.c.parked_at.is_not(None), troubles.c.next_at > to_milliseconds(now))
    return select(troubles.c.kind).where(troubles.c.kind == kind.value, troubles.c.item_id == item_id, later).exists()


def get(connection: Connection, kind: Kind, item_id: str) -> Trouble | None:
    """Return the trouble with an item."""
    row = connection.execute(select(troubles).where(*_is(kind, item_id))).first()
    return None if row is None else _from_columns(row)


def list_parked(connection: Connection) -> list[Trouble]:
    """Return what waits for people, what was parked first at the top."""
    query = select(troubles).where(troubles.c.parked_at.is_not(None)).order_by(troubles.c.parked_at, troubles.c.item_id)
    return [_from_columns(row) for row in connection.execute(query)]


def put(connection: Connection, trouble: Trouble) -> None:
    """Write the trouble; an earlier one with the same item is gone."""
    forget(connection, trouble.kind, trouble.item_id)
    connection.execute(insert(troubles), _to_row(trouble))


def forget(connection: Connection, kind: Kind, item_id: str) -> bool:
    """Delete the trouble with an item. False: there was none."""
    return connection.execute(delete(troubles).where(*_is(kind, item_id))).rowcount == 1


def forget_with(connection: Connection, table: Table, item_ids: Sequence[str]) -> None:
    """Delete the troubles with rows of a table that are deleted."""
    kind = KIND_OF.get(table)
    if kind is not None:
        connection.execute(delete(troubles).where(troubles.c.kind == kind.value, troubles.c.item_id.in_(item_ids)))


def forget_stale(connection: Connection, before: datetime) -> int:
    """Delete troubles whose next try was due before then; return how many. Parked ones stay.

    No sweep came for them, so their items are done or gone.
    """
    stale = delete(troubles).where(troubles.c.parked_at.is_(None), troubles.c.next_at < to_milliseconds(before))
    return connection.execute(stale).rowcount


def _is(kind: Kind, item_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return troubles.c.kind == kind.value, troubles.c.item_id == item_id


def _from_columns(columns: Sequence[Any]) -> Trouble:
    kind, item_id, tries, why, first_at, next_at, parked_at = columns
    return Trouble(Kind(kind), item_id, tries, why, instant(first_at), instant(next_at), from_milliseconds(parked_at))


def _to_row(trouble: Trouble) -> dict[str, Any]:
    return {
        "kind": trouble.kind.value,
        "item_id": trouble.item_id,
        "tries": trouble.tries,
        "why": trouble.why,
        "first_at": to_milliseconds(trouble.first_at),
        "next_at": to_milliseconds(trouble.next_at),
        "parked_at": to_milliseconds(trouble.parked_at),
    }
