"""The database: one engine, a way to read and a way to write.

SQLite by default, PostgreSQL by setting. What differs between the two is in this file only.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url

from app.settings import Settings

BUSY_TIMEOUT_MS = 20_000
# How long the emptying of the log waits for readers; all writers wait with it.
LOG_TIMEOUT_MS = 1_000
# Every 32 MB instead of every 4 MB: an action writes to a dozen pages, and a checkpoint makes its writer wait.
CHECKPOINT_PAGES = 8_000
_JOBS = "passrail_jobs"


def post_nothing(job: str, row_id: str) -> None:
    """Post nothing: the sweeps of `jobs.py` find every row that waits."""


def post_after_commit(connection: Connection, job: str, row_id: str) -> None:
    """Ask for a background job on a row that this transaction writes; it is posted once the row is there to be seen."""
    connection.info.setdefault(_JOBS, {})[job, row_id] = None


class WriterQueue:
    """Where the writers of an SQLite database wait for their turn.

    SQLite's own way to wait is to sleep and look again, longer each time: with two processes and many threads that
    makes the slowest requests ten times slower. Threads wait at a lock, processes at the lock of a file, which the
    kernel hands on at once, and sets free when a process dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._file: int | None = None
        self._process = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn; it ends with the block."""
        with self._threads:
            file = self._open()
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _open(self) -> int:
        """Open the file once in each process: a lock belongs to an opening, which a forked process would share."""
        if self._file is None or self._process != os.getpid():
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._process = os.getpid()
        return self._file


class Store:
    """The database of the service.

    A write on SQLite starts as a writer (`BEGIN IMMEDIATE`): a reader that becomes a writer half-way fails with
    "database is locked" under load.
    """

    def __init__(self, settings: Settings, post: Callable[[str, str], None] = post_nothing) -> None:
        self._post = post
        url = make_url(settings.database)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            url,
            pool_size=settings.web_threads,
            # Threads that are not of the web server's (tests, tools) read too, and SQLite keeps a connection for each.
            max_overflow=-1,
            hide_parameters=True,  # holders' data has no place in exceptions
            pool_pre_ping=not self.is_sqlite,
            # Reads are single statements, each its own snapshot; `write` starts its transactions itself.
            isolation_level=None if self.is_sqlite else "AUTOCOMMIT",
        )
        self._writers: WriterQueue | None = None
        self._writing: Connection | None = None
        self._mine = threading.local()
        self._opened: list[Connection] = []
        if self.is_sqlite:
            self._prepare_sqlite(settings.sqlite_synchronous)
            self._writers = WriterQueue(Path(f"{url.database}-writers"))

    def _prepare_sqlite(self, synchronous: str) -> None:
        @event.listens_for(self.engine, "connect")
        def on_connect(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            # What is deleted or replaced is overwritten: people who were erased are not to be read in free pages.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection to look things up with."""
        if not self.is_sqlite:
            with self.engine.connect() as connection:
                yield connection
            return
        connection = self._reader()
        try:
            yield connection
        finally:
            if connection.in_transaction():
                connection.rollback()

    def _reader(self) -> Connection:
        """The thread's own connection to SQLite: a file is opened once, and what SQLite knows of it stays warm."""
        connection: Connection | None = getattr(self._mine, "reader", None)
        if connection is None:
            connection = self._mine.reader = self.engine.connect()
            self._opened.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end, rolled back by an exception.

        Never call an issuer inside: on SQLite everybody else waits for the end.
        """
        with self._transaction() as connection:
            connection.info.pop(_JOBS, None)  # jobs that an earlier transaction asked for and that was rolled back
            yield connection
            jobs = connection.info.pop(_JOBS, ())
        for job, row_id in jobs:
            self._post(job, row_id)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._writers is None:
            with self.engine.connect() as connection:
                connection = connection.execution_options(isolation_level="READ COMMITTED")
                with connection.begin():
                    yield connection
        else:
            with self._writers.turn(), self._writer().begin():
                connection = self._writer()
                connection.connection.cursor().execute("BEGIN IMMEDIATE")
                yield connection

    def _writer(self) -> Connection:
        """The one connection that writes to SQLite; only who has the turn may touch it."""
        if self._writing is None:
            self._writing = self.engine.connect()
            self._opened.append(self._writing)
        return self._writing

    def empty_log(self) -> None:
        """Move what stands in SQLite's write-ahead log into the database and empty the log.

        What was overwritten in the database stands in the log until then. Where somebody reads from the log for longer
        than a moment, nothing is done: later changes overwrite it.
        """
        if self._writers is None:
            return
        with self._writers.turn():
            driver: Any = self._writer().connection.dbapi_connection
            driver.execute(f"PRAGMA busy_timeout = {LOG_TIMEOUT_MS}")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def close(self) -> None:
        """Close all connections."""
        for connection in self._opened:
            connection.close()
        self._opened, self._mine, self._writing = [], threading.local(), None
        self.engine.dispose()
