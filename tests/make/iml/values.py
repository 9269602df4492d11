"""Values as Make sees them: JSON's, dates, and `undefined`, which is not the same as `null`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final


class Unknown(Exception):
    """A function, directive, variable or type that the runner has no documentation for."""


class _Undefined:
    """The value of what is not there. Keys that have it vanish from what is sent."""

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = _Undefined()


def is_missing(value: Any) -> bool:
    """Tell whether a value is undefined or null."""
    return value is UNDEFINED or value is None


def is_true(value: Any) -> bool:
    """Decide as JavaScript does: empty collections and arrays are true."""
    return bool(value) or (isinstance(value, list | dict))


def to_text(value: Any) -> str:
    """Write a value into a text."""
    if is_missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)


def iso(value: datetime) -> str:
    """Write a date as JSON does: UTC, milliseconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


def are_equal(one: Any, other: Any) -> bool:
    """Compare loosely: null equals undefined, a number equals its text."""
    if is_missing(one) or is_missing(other):
        return is_missing(one) and is_missing(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return bool(one == other)
    if isinstance(one, str) != isinstance(other, str):
        return to_text(one) == to_text(other)
    return bool(one == other)


def pruned(value: Any) -> Any:
    """Return a value without the keys whose value is undefined, however deep."""
    if isinstance(value, dict):
        return {name: pruned(inner) for name, inner in value.items() if inner is not UNDEFINED}
    if isinstance(value, list):
        return [pruned(inner) for inner in value if inner is not UNDEFINED]
    return value
