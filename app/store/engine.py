"""The database: one engine, a way to read and a way to write.

SQLite by default, PostgreSQL by setting. What differs between the two is in this file only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url

from app.settings import Settings

BUSY_TIMEOUT_MS = 20_000
# Every 32 MB instead of every 4 MB: an action writes to a dozen pages, and a checkpoint makes its writer wait.
CHECKPOINT_PAGES = 8_000


class Store:
    """The database of the service.

    A write on SQLite starts as a writer (`BEGIN IMMEDIATE`): a reader that becomes a writer half-way fails with
    "database is locked" under load. Writers of one process queue up at a lock of their own, because SQLite's way
    to wait is to sleep and look again.
    """

    def __init__(self, settings: Settings) -> None:
        url = make_url(settings.database)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            url,
            pool_size=settings.web_threads,
            max_overflow=2,
            pool_pre_ping=not self.is_sqlite,
            # Reads are single statements, each its own snapshot; `write` starts its transactions itself.
            isolation_level=None if self.is_sqlite else "AUTOCOMMIT",
        )
        self._one_writer: Any = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            self._prepare_sqlite(settings.sqlite_synchronous)

    def _prepare_sqlite(self, synchronous: str) -> None:
        @event.listens_for(self.engine, "connect")
        def on_connect(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection to look things up with."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end, rolled back by an exception.

        Never call an issuer inside: on SQLite everybody else waits for the end.
        """
        with self._one_writer, self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection = connection.execution_options(isolation_level="READ COMMITTED")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()
