"""Lists: newest first, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import marshmallow as ma

from app.schema import Base, Documented, Identifier
from app.store.pages import Page

LIMIT_DEFAULT, LIMIT_MAX = 25, 100
_WHOLE = re.compile(r"[0-9]{1,3}")
Row = TypeVar("Row")


class Limit(Documented):
    """How many to return, from the query string."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, float | Decimal) and 1 <= value <= LIMIT_MAX and value % 1 == 0:
            value = int(value)  # JSON has one kind of number: 5.0 is 5
        if not _WHOLE.fullmatch(str(value)) or not 1 <= int(value) <= LIMIT_MAX:
            raise ma.ValidationError(f"Give a whole number from 1 to {LIMIT_MAX}.")
        return int(value)


class PageQuery(Base):
    """The query parameters every list takes."""

    limit = Limit("Limit", "How many to return.", default=LIMIT_DEFAULT)
    cursor = Identifier("Cursor", "`next_cursor` of the page before; without it, the first page.")


def page_answer(name: str, item: ma.Schema) -> ma.Schema:
    """Make the schema of a page of items."""
    fields: dict[str, ma.fields.Field[Any]] = {
        "data": ma.fields.List(
            ma.fields.Nested(item), required=True, metadata={"title": "Data", "description": "The items, newest first."}
        ),
        "next_cursor": ma.fields.String(
            required=True,
            allow_none=True,
            metadata={
                "title": "Next Cursor",
                "description": "Give it as `cursor` to get the next page; null on the last. A page may hold fewer "
                "items than `limit`, or none, and still name a next one: only null says that there is no more.",
            },
        ),
    }
    return Base.from_dict(fields, name=name)()


def page_of(
    found: Sequence[Row], limit: int, show: Callable[[Row], dict[str, Any]], id_of: Callable[[Row], str]
) -> dict[str, Any]:
    """Make a page from the rows that were found, which are `limit + 1` where there is another page."""
    shown = found[:limit]
    return {"data": [show(row) for row in shown], "next_cursor": id_of(shown[-1]) if len(found) > limit else None}


def show_page(found: Page[Row], show: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """Make the answer of a page."""
    return {"data": [show(item) for item in found.items], "next_cursor": found.next_cursor}
