"""What lasts is logged once a minute: an outage makes a line a minute of each kind, not thousands with tracebacks.

Redis that is away fails in every thread of the worker several times a second; the database that is away fails every
request. One of these lines says all that the others would.
"""

from __future__ import annotations

import logging
import threading

from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import NotReady
from app.store.unavailable import DatabaseUnavailable

EVERY_SECONDS = 60.0
# Something this process needs is away: another machine, the database, Redis, a disk.
OUTAGES = (OSError, RedisError, DatabaseUnavailable, DBAPIError, PoolTimeout, NotReady)

Kind = tuple[str, str, str]


class OncePerMinute(logging.Filter):
    """Lets one record about an outage pass in each minute and kind, with the number of those left out since.

    A kind is a logger, its message before anything is filled in, and the exception's type: which request, job or hook
    met the outage makes no difference. Records without an exception, or with one that tells of a mistake in the code,
    all pass. It belongs on a handler, before what takes the exception out of the record.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._last: dict[Kind, float] = {}
        self._left_out: dict[Kind, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record passes."""
        failure = record.exc_info[1] if record.exc_info else None
        if not isinstance(failure, OUTAGES):
            return True
        kind = (record.name, str(record.msg), type(failure).__name__)
        with self._lock:
            last = self._last.get(kind)
            # A clock that was set back counts as a minute.
            if last is not None and 0 <= record.created - last < EVERY_SECONDS:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return False
            self._last[kind] = record.created
            left_out = self._left_out.pop(kind, 0)
        if left_out:
            record.left_out = left_out
        return True
