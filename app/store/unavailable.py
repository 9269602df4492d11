"""When a database cannot do its work now: busy, locked, read-only, full, stopped. A repeat later may succeed.

The drivers say so by many classes of exceptions; SQLAlchemy gives some of them names of its own. Here they become one.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

BUSY = "Something else holds the database."
READ_ONLY = "The database is read-only."
FULL = "The database's disk is full."
CROWDED = "All connections to the database are in use."
AWAY = "The database does not answer."

# Primary result codes of SQLite, and SQLSTATEs of PostgreSQL (whose standby servers are read-only, too).
_SQLITE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_FULL: FULL,
}
_POSTGRESQL = {"25006": READ_ONLY, "53100": FULL, "53300": CROWDED, "55P03": BUSY, "57014": BUSY, "40P01": BUSY}


class DatabaseUnavailable(SQLAlchemyError):
    """The database cannot do it now. If it was COMMIT that failed, the transaction may have been committed.

    Attributes:
        why: a sentence.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def why_unavailable(error: BaseException) -> str | None:
    """Return a sentence on why the database cannot do it now; None: the error says something else."""
    if isinstance(error, DatabaseUnavailable):
        return error.why
    if isinstance(error, PoolTimeout):
        return CROWDED
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None)
    if state in _POSTGRESQL:
        return _POSTGRESQL[state]
    if isinstance(error, OperationalError):
        return _SQLITE.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF, AWAY)
    return AWAY if isinstance(error, InterfaceError) else None
