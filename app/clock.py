"""The time, as a part that tests can replace.

Everything that asks for the time is handed a `Clock`; nothing calls `datetime.now` by itself. Instants are
timezone-aware UTC, cut to milliseconds because that is what the database keeps (`store/tables.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present instant in UTC, cut to whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
