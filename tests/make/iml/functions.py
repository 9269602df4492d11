"""The functions the app may use. Make has more; those are left out, so that their use raises and is looked at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.make.iml.values import UNDEFINED, Unknown, are_equal, is_missing, is_true, to_text

TOKENS = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "A": "%p",
    "Z": "%z",
}
_TOKEN = re.compile("|".join(sorted(TOKENS, key=len, reverse=True)) + "|[A-Za-z]")


def choose(condition: Any, one: Any, other: Any) -> Any:
    """`if`."""
    return one if is_true(condition) else other


def ifempty(value: Any, other: Any) -> Any:
    """Return the other value for undefined, null and the empty text; an empty array stays."""
    return other if is_missing(value) or value == "" else value


def length(value: Any) -> int:
    """Count the characters of a text, the items of an array."""
    return 0 if is_missing(value) else len(value)


def format_date(value: Any, form: str) -> str:
    """Write a date. The time zone is UTC, as a scenario's is unless its owner has chosen another."""
    if not isinstance(value, datetime):
        raise Unknown(f"formatDate of {value!r}, which is no date")
    text = value.astimezone(UTC).strftime(_TOKEN.sub(_strftime, form))
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text) if form.endswith("Z") else text


def parse_date(value: str, form: str) -> datetime:
    """Read a date, in UTC."""
    if form == "X":
        return datetime.fromtimestamp(int(value), UTC)
    found = datetime.strptime(value, _TOKEN.sub(_strftime, form))  # noqa: DTZ007 - the zone follows
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _strftime(match: re.Match[str]) -> str:
    if match[0] not in TOKENS and match[0] != "T":
        raise Unknown(f"{match[0]!r} in a date's form")
    return TOKENS.get(match[0], match[0])


def sha256(text: str, encoding: str = "hex", key: Any = UNDEFINED) -> str:
    """Hash a text; with a key, the HMAC."""
    if key is UNDEFINED:
        digest = hashlib.sha256(text.encode()).digest()
    else:
        digest = hmac.new(to_text(key).encode(), text.encode(), hashlib.sha256).digest()
    writers: dict[str, Callable[[], str]] = {"hex": digest.hex, "base64": lambda: base64.b64encode(digest).decode()}
    return writers[encoding]()


def contains(whole: Any, part: Any) -> bool:
    """Tell whether a text holds another, or an array a value."""
    return any(are_equal(one, part) for one in whole) if isinstance(whole, list) else to_text(part) in to_text(whole)


def to_collection(items: Any, key: str, value: str) -> dict[str, Any]:
    """Make a collection from an array of keys and values."""
    return {} if is_missing(items) else {to_text(item[key]): item.get(value, UNDEFINED) for item in items}


def pluck(items: Any, key: str, filter_key: Any = UNDEFINED, wanted: Any = UNDEFINED) -> Any:
    """`map`: one value of each collection, of those that fit."""
    if is_missing(items):
        return UNDEFINED
    fitting = to_text(wanted).split(",")
    return [
        item.get(key, UNDEFINED)
        for item in items
        if filter_key is UNDEFINED or any(are_equal(item.get(filter_key, UNDEFINED), one) for one in fitting)
    ]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "if": choose,
    "ifempty": ifempty,
    "length": length,
    "lower": lambda text: to_text(text).lower(),
    "substring": lambda text, start, end: to_text(text)[start:end],
    "trim": lambda text: to_text(text).strip(),
    "join": lambda items, separator: separator.join(to_text(item) for item in items),
    "split": lambda text, separator: to_text(text).split(separator),
    "first": lambda items: items[0] if items else UNDEFINED,
    "map": pluck,
    "omit": lambda value, *names: {name: one for name, one in value.items() if name not in names},
    "pick": lambda value, *names: {name: one for name, one in value.items() if name in names},
    "toCollection": to_collection,
    "contains": contains,
    "encodeURL": lambda text: quote(to_text(text), safe=""),
    "formatDate": format_date,
    "parseDate": parse_date,
    "sha256": sha256,
}
