"""How single values of PassKit's answers are read: null, absent, empty and zero all mean that nothing is set.

Enumerations come as names, from some developers' reports as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from app.issuers.passkit.answers import Json, MalformedAnswer
from app.model import POINTS_PLACES

LARGEST_NUMBER = 10**18
# What Go and Protocol Buffers write for a time that was never set.
_NEVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))


def text_of(found: Json, name: str) -> str:
    """Read a text; "" when unset."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedAnswer(f"{name} is not text")
    return value


def required(found: Json, name: str) -> str:
    """Read a text that cannot be unset, an ID."""
    if value := text_of(found, name):
        return value
    raise MalformedAnswer(f"{name} is missing")


def object_of(found: Json, name: str) -> Json:
    """Read an object; {} when unset."""
    value = found.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedAnswer(f"{name} is not an object")
    return value


def objects_of(found: Json, name: str) -> Sequence[Json]:
    """Read a list of objects; [] when unset."""
    items = found.get(name) or ()
    if not isinstance(items, list | tuple) or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer(f"{name} is not a list of objects")
    return items


def flag_of(found: Json, name: str) -> bool:
    """Read a boolean."""
    value = found.get(name)
    if value is not None and not isinstance(value, bool):
        raise MalformedAnswer(f"{name} is not true or false")
    return bool(value)


def number_of(found: Json, name: str) -> Decimal:
    """Read a number, which may come as text."""
    value = found.get(name)
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise MalformedAnswer(f"{name} is not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > LARGEST_NUMBER:
        raise MalformedAnswer(f"{name} is not a number")
    return number


def whole_of(found: Json, name: str) -> int:
    """Read a whole number."""
    return int(number_of(found, name))


def points_of(found: Json, name: str) -> Decimal:
    """Read points, with two places: what float32 did behind them is not meant."""
    return number_of(found, name).quantize(POINTS_PLACES)


def instant_of(found: Json, name: str) -> datetime | None:
    """Read an instant: RFC 3339, or `{"seconds": ..., "nanos": ...}` as webhooks have it."""
    value = found.get(name)
    if not value:
        return None
    try:
        if isinstance(value, dict):
            read = datetime.fromtimestamp(whole_of(value, "seconds") + whole_of(value, "nanos") / 1e9, UTC)
        else:
            read = datetime.fromisoformat(value)
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise MalformedAnswer(f"{name} is not an instant") from None
    return None if read in _NEVER else read


def name_of(found: Json, name: str, names: Mapping[int, str]) -> str:
    """Read an enumeration's value by name or number; names that came later than ours are handed on as they are."""
    value = found.get(name)
    if value is None or value == "":
        value = 0
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedAnswer(f"{name} is not a name")
    return names.get(value, str(value))


def names_of(found: Json, name: str, names: Mapping[int, str]) -> tuple[str, ...]:
    """Read a list of an enumeration's values."""
    items = found.get(name) or ()
    if not isinstance(items, list | tuple):
        raise MalformedAnswer(f"{name} is not a list")
    return tuple(name_of({name: item}, name, names) for item in items)


def texts_by_name(found: Json, name: str) -> dict[str, str]:
    """Read a map of texts, as `metaData` is one; a value that is not text is given as text."""
    return {key: value if isinstance(value, str) else str(value or "") for key, value in object_of(found, name).items()}


def same_id(found: Json, asked: str) -> str:
    """Read the `id` of an answer, which must be that of what was asked for.

    Raises:
        MalformedAnswer: it is about another record, which says nothing about this one.
    """
    if required(found, "id") != asked:
        raise MalformedAnswer("it is about another record")
    return asked


def nothing(found: Json) -> None:
    """Read `{}`, the answer of every delete.

    Raises:
        MalformedAnswer: there is something in it, an error for example.
    """
    if found:
        raise MalformedAnswer("it should be empty")
