"""How values are kept in columns: instants as milliseconds, points as hundredths, structures as JSON text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(instant: datetime | None) -> int | None:
    """Give the milliseconds since 1970; exact, unlike `timestamp()`, which goes through a float."""
    return None if instant is None else (instant - _EPOCH) // _MILLISECOND


def instant(value: int) -> datetime:
    """Give back an instant that is always there."""
    return _EPOCH + timedelta(milliseconds=value)


def from_milliseconds(value: int | None) -> datetime | None:
    """Give the instant back."""
    return None if value is None else instant(value)


def to_hundredths(points: Decimal | None) -> int | None:
    """Give points as whole hundredths."""
    return None if points is None else int(points * 100)


def from_hundredths(value: int | None) -> Decimal | None:
    """Give the points back, always with two places."""
    return None if value is None else Decimal(value).scaleb(-2)


def to_json(value: Any) -> str:
    """Write JSON text without spaces; not ASCII-only, so that a database browser shows names as they are.

    Raises:
        orjson.JSONEncodeError: a text has half of a surrogate pair, which is no Unicode; schemas refuse such texts.
    """
    return orjson.dumps(value).decode()
