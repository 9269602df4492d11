"""Pages of long lists: what a page costs does not depend on how long the list is.

A page is read from one range of one index, or from a few ranges merged. What no index answers is checked row by row;
then a page looks at `SCANNED` rows at most, and holds what fits among them. It may be empty and still name a next one.

The planner of neither database gets a choice: without statistics, and for some accounts with them, it is wrong. So
conditions are either those of the range's index or `hidden`, and each range is cut to the page before
it is merged or joined.

The SQL of a list is built once and kept: with a dozen ranges that takes longer than to read the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    TextClause,
    bindparam,
    case,
    false,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

SCANNED = 2_000
KEPT = 1_024  # more than there are combinations of filters
MILLISECONDS_DIGITS = 15
Item = TypeVar("Item")
Condition = ColumnElement[bool] | TextClause
Place = tuple[Any, ...]
_LIMIT = bindparam("limit", type_=Integer)


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


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A list and where the database finds it. Its SQL is kept for it: make one for each combination of filters.

    Values that differ from request to request are a `parameter` wherever they stand.

    Attributes:
        whole: selects the rows as they are returned, without conditions.
        order: the ID, or an instant and the ID; the greatest come first.
        ranges: where its rows are; no row is in two of them.
        checks: conditions that no index answers.
        least: the least place of a row, in terms of `order`; None: there is no such bound.
    """

    whole: Select[Any]
    order: tuple[Column[Any], ...]
    ranges: Sequence[Range]
    checks: Sequence[Condition] = ()
    least: Place | None = None


def parameter(column: Column[Any], name: str | None = None) -> BindParameter[Any]:
    """Return what stands for a value to compare with the column, called like the column or as given."""
    return bindparam(name or column.name, type_=BigInteger() if isinstance(column.type, Integer) else String())


def unindexed(column: Column[Any]) -> ColumnElement[Any]:
    """Return the column's value as an expression that no index has."""
    return column.concat("") if isinstance(column.type, String) else column + 0


def hidden(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition that no index answers, and that either planner takes for true of many rows.

    PostgreSQL would expect hardly any row of several equal values, and rather sort the whole table than read a range in
    order until a page is full.
    """
    return case((condition, true()), else_=false())


def read(
    connection: Connection, listing: Listing, values: Mapping[str, Any], cursor: str | None, limit: int
) -> Page[Any]:
    """Read a page.

    Args:
        connection: of the database.
        listing: what is listed.
        values: of its parameters.
        cursor: `next_cursor` of the page before; None: the first page.
        limit: most items of the page.

    Returns:
        Rows of `listing.whole`.
    """
    values, has_cursor, last = {**values, "limit": limit + 1}, cursor is not None, None
    if cursor is not None:
        values.update(_named("before", _read_cursor(cursor, listing.order)))
    if listing.checks:
        looked = {**values, "limit": SCANNED, "offset": SCANNED - 1}
        last = connection.execute(_last_looked_at(listing, has_cursor), looked).first()
    if last is not None:
        values.update(_named("last", tuple(last)))
    rows = list(connection.execute(_rows(listing, has_cursor, last is not None), values))
    place = None if last is None else tuple(last)
    if len(rows) > limit:
        del rows[limit:]
        place = tuple(rows[-1]._mapping[column] for column in listing.order)
    return Page(rows, None if place is None else "-".join(str(value) for value in place))


def _named(name: str, place: Place) -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(place)}


def _place(name: str, order: Sequence[Column[Any]]) -> Place:
    """Return the parameters that `_named` gives the values of."""
    return tuple(parameter(column, f"{name}_{number}") for number, column in enumerate(order))


class Bounds(NamedTuple):
    """The part of a list that is looked at: places below `before`, down to `least`."""

    before: Place | None
    least: Place | None


@lru_cache(maxsize=KEPT)
def _rows(listing: Listing, has_cursor: bool, has_last: bool) -> Select[Any]:
    """Select the rows of a page, and one more."""
    before = _place("before", listing.order) if has_cursor else None
    least = _place("last", listing.order) if has_last else listing.least
    found = _places(listing, listing.checks, Bounds(before, least)).subquery()
    newest_first = [column.desc() for column in listing.order]
    return listing.whole.where(listing.order[-1].in_(select(found.c.id))).order_by(*newest_first)


@lru_cache(maxsize=KEPT)
def _last_looked_at(listing: Listing, has_cursor: bool) -> Select[Any]:
    """Select where a page stops looking; nothing where it gets to the end of the list."""
    before = _place("before", listing.order) if has_cursor else None
    places = _places(listing, (), Bounds(before, listing.least)).subquery()
    query = select(places).order_by(*(column.desc() for column in places.c))
    return query.offset(bindparam("offset", type_=Integer)).limit(1)


def _places(listing: Listing, checks: Sequence[Condition], bounds: Bounds) -> Select[Any]:
    """Select the places of as many rows as `limit` says, greatest first."""
    parts = [_places_in(part, listing.order, checks, bounds) for part in listing.ranges]
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(merged).order_by(*(column.desc() for column in merged.c)).limit(_LIMIT)


def _places_in(
    part: Range, columns_of_order: Sequence[Column[Any]], checks: Sequence[Condition], bounds: Bounds
) -> Select[Any]:
    # Each leading column has an equality of its own. PostgreSQL ends a scan at a bound on several columns together
    # only where the first of them decides; otherwise it reads on through the rest of the index.
    conditions = [*(column == value for column, value in part.equal), *part.conditions, *checks]
    order: Sequence[ColumnElement[Any]] = columns_of_order
    if not part.is_in_order:
        order = [unindexed(column).label(column.name) for column in columns_of_order]
    if bounds.before is not None:
        conditions.append(_row(order) < _literal(bounds.before))
    if bounds.least is not None:
        conditions.append(_row(order) >= _literal(bounds.least))
    return select(*order).where(*conditions).order_by(*(column.desc() for column in order)).limit(_LIMIT)


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
