"""What messages look like in JSON: reading requests as strictly, and as carelessly, as the live service does.

A record holds a message as protobuf sees it: only what is set. In protobuf's third version a zero, a false or an
empty text *is* "not set", which is why the live service cannot tell `"points": 0` from no points at all, and why
its PATCH ignores them. Enums are kept by name, times as RFC 3339 text in UTC.

The shapes are in `shapes.json`, made from PassKit's official SDK (`describe.py`), so that the fake runs without it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from tests.fakes.passkit.errors import bad_shape

Record = dict[str, Any]

SHAPES = Path(__file__).with_name("shapes.json")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_DEFAULTS: dict[str, Any] = {
    "string": "", "bytes": "", "bool": False, "float": 0, "double": 0,
    "int32": 0, "uint32": 0, "int64": "0", "uint64": "0", "time": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its type (a scalar, `time`, an enum or a message), whether it is a list or a map, its oneof."""

    name: str
    type: str
    is_list: bool
    is_map: bool
    oneof: str


@cache
def _shapes() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SHAPES.read_text())
    return loaded


@cache
def enum(name: str) -> dict[str, int]:
    """Return an enum's numbers by name, or nothing when there is no such enum."""
    values: dict[str, int] = _shapes()["enums"].get(name, {})
    return values


@cache
def fields(message: str) -> dict[str, Field]:
    """Return a message's fields by the names they have in JSON; a name in snake case is also known in camel case."""
    found: dict[str, Field] = {}
    for name, text in _shapes()["messages"][message].items():
        spelled, _, oneof = text.partition(" | ")
        kind = spelled.removeprefix("[] ").removeprefix("{} ")
        found[name] = Field(name, kind, spelled.startswith("[] "), spelled.startswith("{} "), oneof)
    for name in [name for name in found if "_" in name]:
        first, *others = name.split("_")
        found[first + "".join(part[:1].upper() + part[1:] for part in others)] = found[name]
    return found


@cache
def _is_message(kind: str) -> bool:
    return kind in _shapes()["messages"]


@cache
def _defaults(message: str) -> Record:
    """What a message prints when nothing is set. Fields of a oneof are left out, as the gateway does."""
    return {field.name: _default(field) for field in fields(message).values() if not field.oneof}


def _default(field: Field) -> Any:
    if field.is_list:
        return []
    if field.is_map:
        return {}
    if names := enum(field.type):
        return next((name for name, number in names.items() if number == 0), 0)
    return None if _is_message(field.type) else _DEFAULTS[field.type]


class Reader:
    """Reads one request. `unknown` collects the dotted names of fields that no message has."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def read(self, message: str, value: Any, where: str = "") -> Record:
        """Make a record of a JSON object.

        Raises:
            Refusal: a value has the wrong type, or two members of a oneof are set.
        """
        if not isinstance(value, dict):
            raise _unexpected(value)
        known = fields(message)
        record: Record = {}
        chosen: dict[str, str] = {}
        for name, given in value.items():
            field = known.get(name)
            if field is None:
                self.unknown.append(where + name)
                continue
            if given is None:
                continue
            if field.oneof:
                if chosen.setdefault(field.oneof, name) != name:
                    raise bad_shape(f"error parsing {name!r}, oneof {message}.{field.oneof} is already set")
                record[field.name] = self._one(field, given, where)
                continue
            read = self._value(field, given, where)
            if read or (isinstance(read, dict) and not field.is_map):
                record[field.name] = read
        return record

    def _value(self, field: Field, given: Any, where: str) -> Any:
        if field.is_list:
            if not isinstance(given, list):
                raise _unexpected(given)
            return [self._one(field, one, where) for one in given]
        if field.is_map:
            if not isinstance(given, dict):
                raise _unexpected(given)
            return {key: self._one(field, one, where) for key, one in given.items()}
        read = self._one(field, given, where)
        names = enum(field.type)
        return None if names and names.get(read) == 0 else read

    def _one(self, field: Field, given: Any, where: str) -> Any:
        kind = field.type
        if kind == "string":
            if not isinstance(given, str):
                raise _unexpected(given)
            return given
        if _is_message(kind):
            return self.read(kind, given, f"{where}{field.name}.")
        return read_scalar(kind, given)


def read_scalar(kind: str, given: Any) -> Any:
    """Read a single value that is no message, as Go's protojson does: numbers may come as text, enums as numbers.

    Raises:
        Refusal: it does not fit.
    """
    if names := enum(kind):
        return _read_enum(names, given)
    if kind == "time":
        return read_time(given)
    if kind == "bool":
        if not isinstance(given, bool):
            raise _unexpected(given)
        return given
    if kind in {"string", "bytes"}:
        if not isinstance(given, str):
            raise _unexpected(given)
        if kind == "bytes":
            _check_base64(given)
        return given
    return _read_number(kind, given)


def _read_enum(names: Mapping[str, int], given: Any) -> str | int:
    if isinstance(given, str) and given in names:
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        # The live service accepts numbers that have no name, too.
        return next((name for name, number in names.items() if number == given), given)
    raise _unexpected(given)


def _read_number(kind: str, given: Any) -> int | float | str:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise _unexpected(given)
    try:
        number = float(given)
    except ValueError:
        raise _unexpected(given) from None
    if not math.isfinite(number):
        raise _unexpected(given)
    if kind == "double":
        return tidy(number)
    if kind == "float":
        return float32(number)
    if number != int(number):
        raise _unexpected(given)
    whole = int(given) if isinstance(given, int) or given.lstrip("-").isdigit() else int(number)  # type: ignore[union-attr]
    lowest, highest = _RANGES[kind]
    if not lowest <= whole <= highest:
        raise _unexpected(given)
    return str(whole) if kind.endswith("64") else whole


def _check_base64(given: str) -> None:
    try:
        base64.b64decode(given, validate=True)
    except binascii.Error:
        raise _unexpected(given) from None


def _unexpected(value: Any) -> Exception:
    return bad_shape(f"unexpected token {json.dumps(value)[:60]}")


def read_time(given: Any) -> str:
    """Read RFC 3339 with a zone; a bare date is refused. Returns UTC with no more digits than needed."""
    match = _TIME.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise _unexpected(given)
    try:
        instant = datetime.fromisoformat(match[1] + match[3]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unexpected(given) from None
    fraction = (match[2] or "").rstrip("0").rstrip(".")
    return instant.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def float32(number: float) -> int | float:
    """Round to what PassKit's points can hold (about 7 digits), written with as few digits as Go would use.

    Raises:
        Refusal: the number is too large for it.
    """
    try:
        packed = struct.pack("<f", number)
    except OverflowError:
        raise _unexpected(number) from None
    (rounded,) = struct.unpack("<f", packed)
    for digits in (7, 8):
        short = float(f"{rounded:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return tidy(short)
    return tidy(float(f"{rounded:.9g}"))


def tidy(number: float) -> int | float:
    """Write a whole number without a decimal point."""
    return int(number) if number == int(number) else number


def show(message: str, record: Mapping[str, Any], *, omit_unset: bool = False) -> Record:
    """Print a record. Normally every field that is not set is printed as `null`, `""`, `0`, `false`, `[]` or `{}`."""
    known = fields(message)
    shown: Record = {} if omit_unset else dict(_defaults(message))
    for name, value in record.items():
        field = known.get(name)
        if field is None:
            continue  # what the fake keeps for itself, or a field this view of the object does not have
        if omit_unset and not value and not field.oneof:
            continue
        if _is_message(field.type):
            value = _show_messages(field, value, omit_unset)
        shown[name] = value
    return shown


def _show_messages(field: Field, value: Any, omit_unset: bool) -> Any:
    if field.is_list:
        return [show(field.type, one, omit_unset=omit_unset) for one in value]
    if field.is_map:
        return {key: show(field.type, one, omit_unset=omit_unset) for key, one in value.items()}
    return show(field.type, value, omit_unset=omit_unset)


def value_at(message: str, record: Mapping[str, Any], path: str) -> Any:
    """Return a field by its dotted path, or the default of its type."""
    name, _, rest = path.partition(".")
    field = fields(message)[name]
    if rest:
        return value_at(field.type, record.get(name) or {}, rest)
    return record.get(name, _default(field))
