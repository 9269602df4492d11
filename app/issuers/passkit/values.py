"""How single values are written for PassKit, which changes or loses some of them silently: those are refused here."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from app.clock import to_text
from app.issuers.passkit.failures import InvalidRequest

# Points are float32 (documented): above 2^24 whole numbers change, below it some fractions do.
LARGEST_POINTS = Decimal(2**24)
LARGEST_TIER_POINTS = 2**32 - 1
POINTS_PLACES = Decimal("0.01")
EVENT_ID_LENGTH = 255

T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def path_value(text: str) -> str:
    """Write a value for a path.

    Raises:
        InvalidRequest: it is empty, has a slash or a control character, or is a dot that the way would resolve.
            An external ID like that could be created and never be asked for again.
    """
    if not text or text in (".", "..") or "/" in text or _CONTROL.search(text):
        raise InvalidRequest("An ID must not be empty, '.' or '..', nor hold a slash or a control character.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest("An ID holds half a character.") from None


def external_id(text: str) -> str:
    """Return an external ID that can be created and found again; raises as `path_value`."""
    path_value(text)
    return text


def points(value: Decimal) -> int | float:
    """Write points as the JSON number that PassKit will read as the same value.

    Raises:
        InvalidRequest: below 0, above 16 777 216, more than two places, or changed by float32 (1234567.89 becomes
            1234567.88 there).
    """
    if not value.is_finite() or value < 0 or value > LARGEST_POINTS:
        raise InvalidRequest(f"PassKit keeps points between 0 and {LARGEST_POINTS:,} only.")
    (kept,) = struct.unpack("<f", struct.pack("<f", value))
    if Decimal(kept).quantize(POINTS_PLACES) != value:
        raise InvalidRequest("PassKit keeps about 7 digits of points; this value would be changed. Use fewer digits.")
    return int(value) if value == value.to_integral_value() else float(value)


def tier_points(value: int) -> int:
    """Check tier points, whole numbers of 32 bits.

    Raises:
        InvalidRequest: they are none.
    """
    if not 0 <= value <= LARGEST_TIER_POINTS:
        raise InvalidRequest(f"PassKit keeps tier points between 0 and {LARGEST_TIER_POINTS:,} only.")
    return value


def instant(value: datetime) -> str:
    """Write an instant as RFC 3339 with `Z`; PassKit refuses dates without a time or zone."""
    if value.tzinfo is None:
        raise InvalidRequest("An instant needs a time zone.")
    return to_text(value)


def event_id(text: str) -> str:
    """Check an `externalEventId`; raises InvalidRequest when PassKit would not keep it."""
    if not 0 < len(text) <= EVENT_ID_LENGTH:
        raise InvalidRequest(f"An event ID has 1 to {EVENT_ID_LENGTH} characters.")
    return text


def meta_data(values: Mapping[str, str]) -> dict[str, str]:
    """Check `metaData`: names and values are text (documented).

    Raises:
        InvalidRequest: one is not.
    """
    if not all(isinstance(name, str) and name and isinstance(text, str) for name, text in values.items()):
        raise InvalidRequest("metaData holds text only.")
    return dict(values)


def merge_meta_data(current: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the whole `metaData` to write, because PassKit replaces it as a whole (field report).

    Read the record, merge, write. Names that `changes` does not know stay; None takes a name out. The last name of
    all is emptied instead: PassKit takes an empty `metaData` for an absent one and would change nothing.
    """
    merged = {**current, **changes}
    kept = {name: text for name, text in merged.items() if text is not None}
    return kept or dict.fromkeys(merged, "")


def without_none(**fields: Any) -> dict[str, Any]:
    """Make a JSON object of the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def given(value: Any, write: Callable[[Any], T]) -> T | None:
    """Write a value unless it is None."""
    return None if value is None else write(value)
