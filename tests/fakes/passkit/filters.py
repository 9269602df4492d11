"""Lists: which fields can be filtered by, how, and where a page ends.

Known of the live service: the default page has 25 records, -1 means all, each filter needs its three texts, and a
field that is not on the list's own list is refused. Unknown, and chosen here: several groups must all hold; `like`
without a percent sign finds a part; without `orderBy` the oldest record comes first; every list can be ordered by when
its records were made or changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.fakes.passkit.errors import Refusal
from tests.fakes.passkit.shapes import Record, enum, fields, read_time, value_at
from tests.fakes.passkit.state import to_time

DEFAULT_LIMIT = 25
ALL = -1
_ALWAYS_SORTABLE = frozenset({"created", "updated"})
_LONG_AGO = "0001-01-01T00:00:00Z"

# What filters call by another name than the record does.
_ELSEWHERE = {"passStatus": "passMetaData.status", "ticketId": "id", "passkitId": "id"}
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "gt": lambda value, wanted: bool(value > wanted),
    "gte": lambda value, wanted: bool(value >= wanted),
    "lt": lambda value, wanted: bool(value < wanted),
    "lte": lambda value, wanted: bool(value <= wanted),
    "like": lambda value, wanted: _is_like(str(value), str(wanted)),
}


def page(message: str, records: Iterable[Record], filters: Record, allowed: frozenset[str]) -> list[Record]:
    """Return the records that a list request asks for: filtered, ordered, cut to the page."""
    found = matching(message, records, filters.get("filterGroups", []), allowed)
    order = filters.get("orderBy", "")
    if order:
        path = _path(order, allowed | (_ALWAYS_SORTABLE & fields(message).keys()))
        found.sort(key=_reader(message, path), reverse=not filters.get("orderAsc"))
    offset = filters.get("offset", 0)
    limit = filters.get("limit", DEFAULT_LIMIT)
    return found[offset:] if limit == ALL else found[offset : offset + limit]


def matching(message: str, records: Iterable[Record], groups: list[Record], allowed: frozenset[str]) -> list[Record]:
    """Return the records for which all groups of filters hold.

    Raises:
        Refusal: a filter is incomplete, or asks for a field or an operator that there is not.
    """
    tests = [_group(message, group, allowed) for group in groups]
    return [record for record in records if all(test(record) for test in tests)]


def _group(message: str, group: Record, allowed: frozenset[str]) -> Callable[[Record], bool]:
    tests = [_filter(message, one, allowed) for one in group.get("fieldFilters", [])]
    if not tests:
        return lambda record: True
    if group.get("condition") == "OR":
        return lambda record: any(test(record) for test in tests)
    return lambda record: all(test(record) for test in tests)


def _filter(message: str, one: Record, allowed: frozenset[str]) -> Callable[[Record], bool]:
    for name in ("filterField", "filterValue", "filterOperator"):
        if not one.get(name):
            raise Refusal(400, f"invalid filter: {name} is required")
    path = _path(one["filterField"], allowed)
    operator = _OPERATORS.get(one["filterOperator"])
    if operator is None:
        raise Refusal(400, f"invalid filter operator: {one['filterOperator']}")
    wanted = _wanted(message, path, one["filterValue"])
    read = _reader(message, path)

    def test(record: Record) -> bool:
        value = read(record)
        if isinstance(value, list):
            return any(operator(each, wanted) for each in value)
        return operator(value, wanted)

    return test


def _path(name: str, allowed: frozenset[str]) -> str:
    if name not in allowed:
        raise Refusal(400, f"invalid filter field: {name}")
    return _ELSEWHERE.get(name, name)


def _type_at(message: str, path: str) -> str:
    name, _, rest = path.partition(".")
    kind = fields(message)[name].type
    return _type_at(kind, rest) if rest else kind


def _wanted(message: str, path: str, text: str) -> Any:
    """Read the value of a filter, which is always a text, as what it will be compared with."""
    kind = _type_at(message, path)
    if kind == "time":
        return to_time(read_time(text))
    names = enum(kind)
    if names and text.lstrip("-").isdigit():
        return next((name for name, number in names.items() if number == int(text)), text)
    return text


def _reader(message: str, path: str) -> Callable[[Record], Any]:
    """Return what fetches the field of a record in a form that compares."""
    if _type_at(message, path) == "time":
        return lambda record: to_time(value_at(message, record, path) or _LONG_AGO)
    return lambda record: value_at(message, record, path)


def _is_like(value: str, pattern: str) -> bool:
    if "%" not in pattern:
        return pattern.lower() in value.lower()
    parts = ".*".join(re.escape(part) for part in pattern.split("%"))
    return re.fullmatch(parts, value, re.IGNORECASE | re.DOTALL) is not None
