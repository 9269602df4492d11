"""How single values are written for PassKit, which changes or loses some of them silently: those are refused here."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from app.answer import to_text
from app.issuers.passkit.failures import InvalidRequest
from app.model import POINTS_PLACES

# Points are float32 (documented): above 2^24 whole numbers change, below it some fractions do.
LARGEST_POINTS = Decimal(2**24)

T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def path_value(text: str) -> str:
    """Write a value for a path.

    Raises:
        InvalidRequest: it is empty, has a slash or a control character, or is a dot that the way would resolve.
    """
    if not text or text in (".", "..") or "/" in text or _CONTROL.search(text):
        raise InvalidRequest("An ID must not be empty, '.' or '..', nor hold a slash or a control character.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest("An ID holds half a character.") from None


def path_external_id(text: str) -> str:
    """Return an external ID by which a record can be asked for in a path.

    Lists cannot be filtered by it (field report: 400), so that a pass with another one could be made and never be
    found again.

    Raises:
        InvalidRequest: as `path_value`.
    """
    try:
        path_value(text)
    except InvalidRequest as refused:
        raise InvalidRequest(f"PassKit cannot be asked for this ID. {refused.text}", "external_id") from None
    return text


def points(value: Decimal) -> int | float:
    """Write points as the JSON number that PassKit will read as the same value.

    Raises:
        InvalidRequest: below 0, above 16 777 216, or changed by float32 (1234567.89 becomes 1234567.88 there).
    """
    if not is_kept(value):
        raise InvalidRequest(
            f"PassKit keeps about 7 digits of points, and no more than {LARGEST_POINTS:,}: this value would be changed "
            "there. Use fewer digits.",
            "points",
        )
    if value < 0:
        raise InvalidRequest("PassKit takes no points below zero here.", "points")
    return int(value) if value == value.to_integral_value() else float(value)


def is_kept(value: Decimal) -> bool:
    """Tell whether PassKit keeps a balance as it is."""
    if not value.is_finite() or abs(value) > LARGEST_POINTS:
        return False
    (kept,) = struct.unpack("<f", struct.pack("<f", value))
    return Decimal(kept).quantize(POINTS_PLACES) == value


def instant(value: datetime) -> str:
    """Write an instant as RFC 3339 with `Z`; PassKit refuses dates without a time or zone."""
    return to_text(value)


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
