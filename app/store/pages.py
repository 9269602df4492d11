"""Pages of long lists: what a page costs does not depend on how long the list is.

A page is read from one range of one index, or from a few ranges merged. What no index answers is checked row by row;
then a page looks at `SCANNED` rows at most, and holds what fits among them. It may be empty and still name a next one.

The planner of neither database gets a choice: without statistics, and for some accounts with them, it is wrong. So
conditions are either those of the range's index or `hidden`, and each range is cut to the page before
it is merged or joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    TextClause,
    case,
    false,
    literal,
    select,
    true,
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
        equal: the index's leading columns, in its order, and their values.
        conditions: what else is true of the rows, or of all but few that the index has there.
        is_in_order: whether the index goes on with the list's order. Else the rows are few, and are sorted.
    """

    equal: Sequence[tuple[Column[Any], Any]]
    conditions: Sequence[Condition] = ()
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


def hidden(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition that no index answers, and that either planner takes for true of many rows.

    PostgreSQL would expect hardly any row of several equal values, and rather sort the whole table than read a range in
    order until a page is full.
    """
    return case((condition, true()), else_=false())


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
    found = _places(connection, listing, Bounds(before, last or listing.least, limit + 1)).subquery()
    newest_first = [column.desc() for column in listing.order]
    query = whole.where(listing.order[-1].in_(select(found.c.id))).order_by(*newest_first)
    rows = list(connection.execute(query))
    if len(rows) > limit:
        del rows[limit:]
        last = tuple(rows[-1]._mapping[column] for column in listing.order)
    return Page(rows, None if last is None else "-".join(str(value) for value in last))


def _last_looked_at(connection: Connection, listing: Listing, before: Place | None) -> Place | None:
    """Return where a page stops looking; None where it gets to the end of the list."""
    whole = Bounds(before, listing.least, SCANNED)
    places = _places(connection, replace(listing, checks=()), whole).subquery()
    query = select(places).order_by(*(column.desc() for column in places.c))
    row = connection.execute(query.offset(SCANNED - 1).limit(1)).first()
    return None if row is None else tuple(row)


class Bounds(NamedTuple):
    """The part of a list that is looked at: places below `before`, down to `least`; at most `limit` rows."""

    before: Place | None
    least: Place | None
    limit: int


def _places(connection: Connection, listing: Listing, bounds: Bounds) -> Select[Any]:
    """Select the places of rows, greatest first."""
    parts = [_places_in(connection, part, listing, bounds) for part in listing.ranges]
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(merged).order_by(*(column.desc() for column in merged.c)).limit(bounds.limit)


def _places_in(connection: Connection, part: Range, listing: Listing, bounds: Bounds) -> Select[Any]:
    columns, values = [column for column, _ in part.equal], tuple(value for _, value in part.equal)
    conditions = [*part.conditions, *listing.checks]
    order: Sequence[ColumnElement[Any]] = listing.order
    if not part.is_in_order:
        order = [unindexed(column).label(column.name) for column in listing.order]
    if part.is_in_order and connection.dialect.name == "postgresql":
        # The same in other words: PostgreSQL expects more rows of a comparison than of equal values, so that it reads
        # them in order; and only the index that goes on with the list's order has this order.
        order_by = [*columns, *order]
        low, high = values + (bounds.least or ()), values + (bounds.before or ())
        conditions.append(_row(order_by[: len(low)]) >= _literal(low))
        upper = _row(order_by[: len(high)])
        conditions.append(upper <= _literal(high) if bounds.before is None else upper < _literal(high))
    else:
        order_by = list(order)
        conditions += [column == value for column, value in part.equal]
        if bounds.before is not None:
            conditions.append(_row(order) < _literal(bounds.before))
        if bounds.least is not None:
            conditions.append(_row(order) >= _literal(bounds.least))
    return select(*order).where(*conditions).order_by(*(column.desc() for column in order_by)).limit(bounds.limit)


def _row(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def _literal(place: Place) -> ColumnElement[Any]:
    return _row([_value(value) for value in place])


def _value(value: Any) -> ColumnElement[Any]:
    if isinstance(value, ColumnElement):
        return value
    return literal(value, BigInteger if isinstance(value, int) else String)


def _read_cursor(cursor: str, order: Sequence[Column[Any]]) -> Place:
    """Return a cursor's place. One of another list, or an invented one, is no error."""
    if len(order) == 1:
        return (cursor,)
    milliseconds, _, row_id = cursor.partition("-")
    is_number = milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= MILLISECONDS_DIGITS
    return int(milliseconds) if is_number else 0, row_id
