"""`Filters`, the body of every list: which records, in which order, and which part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

PAGE = 100  # records asked for at once
DEFAULT_PAGE = 25  # what PassKit gives when not asked; its largest is not known (500 and 1000 are in use)
SCAN = 5000  # records that a walk through a list looks at

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to.

    Args:
        field, value: only records whose field has this value. Which fields a list can be filtered by is PassKit's
            choice; any other is answered with 400.
        limit, offset: the part of the list.
        order_by: a field, ascending; "": PassKit's own order.
    """

    field: str = ""
    value: str = ""
    limit: int = PAGE
    offset: int = 0
    order_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write the body."""
        body: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        if self.field:
            condition = {"filterField": self.field, "filterValue": self.value, "filterOperator": "eq"}
            body["filterGroups"] = [{"condition": "AND", "fieldFilters": [condition]}]
        if self.order_by:
            body |= {"orderBy": self.order_by, "orderAsc": True}
        return body


def pages(ask: Callable[[Filters], list[T]], filters: Filters, most: int = SCAN) -> Iterator[T]:
    """Walk through all records page by page, at most `most` of them.

    No answer tells how many there are, nor how large a page may be: one that is not full can be the last, or cut by
    PassKit. So the walk only ends at a page that is shorter than even PassKit's default. A record made or deleted
    meanwhile can move another over a page's edge, so that it is met twice or not at all.
    """
    seen = 0
    while seen < most:
        page = ask(replace(filters, offset=filters.offset + seen))
        yield from page[: most - seen]
        seen += len(page)
        if len(page) < min(filters.limit, DEFAULT_PAGE):
            return
