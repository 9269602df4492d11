"""`Filters`, the body of every list: which records, in which order, and which part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

from app.issuers.passkit.failures import InvalidRequest

PAGE = 100  # records asked for at once
DEFAULT_PAGE = 25  # what PassKit gives when not asked; its largest is not known (500 and 1000 are in use)
LARGEST_PAGE = 1000
SCAN = 5000  # records that a bounded scan looks at
OPERATORS = frozenset({"eq", "gt", "gte", "lt", "lte", "like"})

T = TypeVar("T")


class Condition(NamedTuple):
    """One comparison. Which fields a list can be filtered by is PassKit's choice; any other is answered with 400."""

    field: str
    value: str
    operator: str = "eq"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to.

    All conditions stand in one group: how PassKit combines several groups is not documented.

    Args:
        conditions: comparisons.
        combined: whether all of them or any of them must hold.
        limit, offset: the part of the list.
        order_by, ascending: the order.
    """

    conditions: tuple[Condition, ...] = ()
    combined: Literal["AND", "OR"] = "AND"
    limit: int = PAGE
    offset: int = 0
    order_by: str = ""
    ascending: bool = True

    def to_json(self) -> dict[str, Any]:
        """Write the body.

        Raises:
            InvalidRequest: an operator PassKit does not have, an empty text, a limit out of range.
        """
        if not 1 <= self.limit <= LARGEST_PAGE or self.offset < 0:
            raise InvalidRequest(f"A page has 1 to {LARGEST_PAGE} records.")
        body: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        if self.conditions:
            if not all(one.field and one.value and one.operator in OPERATORS for one in self.conditions):
                raise InvalidRequest("A filter needs a field, a value and one of PassKit's operators.")
            fields = [
                {"filterField": one.field, "filterValue": one.value, "filterOperator": one.operator}
                for one in self.conditions
            ]
            body["filterGroups"] = [{"condition": self.combined, "fieldFilters": fields}]
        if self.order_by:
            body |= {"orderBy": self.order_by, "orderAsc": self.ascending}
        return body


def where(field: str, value: str) -> Filters:
    """Return filters for the records whose field equals the value."""
    return Filters(conditions=(Condition(field, value),))


def pages(ask: Callable[[Filters], list[T]], filters: Filters | None = None, most: int = SCAN) -> Iterator[T]:
    """Walk through all records page by page, at most `most` of them.

    No answer tells how many there are, nor how large a page may be: one that is not full can be the last, or cut by
    PassKit. So the walk only ends at a page that is shorter than even PassKit's default. A record made or deleted
    meanwhile can move another over a page's edge, so that it is met twice or not at all.
    """
    filters, seen = filters or Filters(), 0
    while seen < most:
        page = ask(replace(filters, offset=filters.offset + seen))
        yield from page[: most - seen]
        seen += len(page)
        if len(page) < min(filters.limit, DEFAULT_PAGE):
            return
