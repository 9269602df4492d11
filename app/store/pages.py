"""Pages of long lists: what a page costs does not depend on how long the list is.

A page is read from one range of one index, or from a few ranges merged. What no index answers is checked row by row;
then a page looks at `SCANNED` rows at most, and holds what fits among them. It may be empty and still name a next one.

The planner of neither database gets a choice. Without statistics SQLite takes the index with the most equal columns,
PostgreSQL the one with the fewest expected rows, and both are wrong for some account. So conditions are either those
of the range's index or written with `unindexed`, and each range is cut to the page before it is merged or joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    TextClause,
    literal,
    select,
    tuple_,
    union_all,
)

SCANNED = 2_000
MILLISECONDS_DIGITS = 15
Item = TypeVar("Item")
Condition = ColumnElement[bool] | TextClause
Place = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and the cursor of the next page; None on the last."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Range:
    """Rows that lie together in an index.

    Attributes:
        conditions: those that the index answers.
        is_in_order: whether the index has them in the list's order. Else they are few, and are sorted.
    """

    conditions: Sequence[Condition]
    is_in_order: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """A list and where the database finds it.

    Attributes:
        order: the ID, or an instant and the ID; the greatest come first.
        ranges: where its rows are; no row is in two of them.
        checks: conditions that no index answers.
        least: the least place of a row, in terms of `order`; None: there is no such bound.
    """

    order: tuple[Column[Any], ...]
    ranges: Sequence[Range]
    checks: Sequence[Condition] = ()
    least: Place | None = None


def unindexed(column: Column[Any]) -> ColumnElement[Any]:
    """Return the column's value as an expression that no index has."""
    return column.concat("") if isinstance(column.type, String) else column + 0


def read(connection: Connection, whole: Select[Any], listing: Listing, cursor: str | None, limit: int) -> Page[Any]:
    """Read a page.

    Args:
        connection: of the database.
        whole: selects the rows as they are returned, without conditions.
        listing: what is listed.
        cursor: `next_cursor` of the page before; None: the first page.
        limit: most items of the page.

    Returns:
        Rows of `whole`.
    """
    before = None if cursor is None else _read_cursor(cursor, listing.order)
    last = _last_looked_at(connection, listing, before) if listing.checks else None
    found = _places(listing, listing.checks, before, last or listing.least, limit + 1).subquery()
    newest_first = [column.desc() for column in listing.order]
    query = whole.where(listing.order[-1].in_(select(found.c.id))).order_by(*newest_first)
    rows = list(connection.execute(query))
    if len(rows) > limit:
        del rows[limit:]
        last = tuple(rows[-1]._mapping[column] for column in listing.order)
    return Page(rows, None if last is None else "-".join(str(value) for value in last))


def _last_looked_at(connection: Connection, listing: Listing, before: Place | None) -> Place | None:
    """Return where a page stops looking; None where it gets to the end of the list."""
    places = _places(listing, (), before, listing.least, SCANNED).subquery()
    query = select(places).order_by(*(column.desc() for column in places.c))
    row = connection.execute(query.offset(SCANNED - 1).limit(1)).first()
    return None if row is None else tuple(row)


def _places(
    listing: Listing, checks: Sequence[Condition], before: Place | None, least: Place | None, limit: int
) -> Select[Any]:
    """Select the places of the first `limit` rows between two places."""
    parts = [_places_in(part, listing.order, checks, before, least, limit) for part in listing.ranges]
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(merged).order_by(*(column.desc() for column in merged.c)).limit(limit)


def _places_in(
    part: Range,
    columns: Sequence[Column[Any]],
    checks: Sequence[Condition],
    before: Place | None,
    least: Place | None,
    limit: int,
) -> Select[Any]:
    order = columns if part.is_in_order else [unindexed(column).label(column.name) for column in columns]
    place = order[0] if len(order) == 1 else tuple_(*order)
    conditions = [*part.conditions, *checks]
    if before is not None:
        conditions.append(place < _literal(before))
    if least is not None:
        conditions.append(place >= _literal(least))
    return select(*order).where(*conditions).order_by(*(column.desc() for column in order)).limit(limit)


def _literal(place: Place) -> ColumnElement[Any]:
    values = [literal(value, BigInteger if isinstance(value, int) else String) for value in place]
    return values[0] if len(values) == 1 else tuple_(*values)


def _read_cursor(cursor: str, order: Sequence[Column[Any]]) -> Place:
    """Return a cursor's place. One of another list, or an invented one, is no error."""
    if len(order) == 1:
        return (cursor,)
    milliseconds, _, row_id = cursor.partition("-")
    is_number = milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= MILLISECONDS_DIGITS
    return int(milliseconds) if is_number else 0, row_id
