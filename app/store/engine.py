"""The database: one engine, a way to read and a way to write.

SQLite by default, PostgreSQL by setting. What differs between the two is in this file and `postgresql.py`.
Transactions begin and end on the driver: SQLAlchemy's own bookkeeping of them costs as much as two statements.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.settings import Settings
from app.store import postgresql
from app.store.unavailable import DatabaseUnavailable, why_unavailable
from app.store.writers import WriterQueue

# A transaction waits this long for others, then it is answered that the database is busy.
WAIT_SECONDS = 12.0
# A statement of a request ends after this long at the latest; the worker's and the commands' take their time.
STATEMENT_SECONDS = 15
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


def web_connections(settings: Settings) -> int:
    """Return how many connections to PostgreSQL a web process keeps: half of its threads may wait for an issuer."""
    return max(1, settings.web_threads // 2)


class Store:
    """The database of the service.

    A write on SQLite starts as a writer (`BEGIN IMMEDIATE`): a reader that becomes a writer half-way fails with
    "database is locked" under load.
    """

    def __init__(
        self,
        settings: Settings,
        post: Callable[[str, str], None] = post_nothing,
        *,
        connections: int | None = None,
        bounds_statements: bool = False,
    ) -> None:
        """Prepare the connections; the first one is made when it is needed.

        Args:
            settings: which database.
            post: takes the name of a background job and the ID of the row it is about.
            connections: how many to PostgreSQL at once; whoever comes beyond that waits for one. Default: half of
                WEB_THREADS.
            bounds_statements: end statements that take longer than a request may (PostgreSQL).
        """
        self._post = post
        url = make_url(settings.database)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._writers: WriterQueue | None = None
        self._writing: Connection | None = None
        self._waits = 0  # seconds that the connection which writes waits for other processes
        self._mine = threading.local()
        self._opened: list[Connection] = []
        if self.is_sqlite:
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            # Every thread keeps a connection to read with.
            self.engine = create_engine(url, max_overflow=-1, hide_parameters=True)
            _prepare_sqlite(self.engine, settings.sqlite_synchronous)
            self._writers = WriterQueue(Path(f"{url.database}-writers"))
        else:
            self.engine = create_engine(
                postgresql.with_timeouts(url),
                pool_size=connections or web_connections(settings),
                max_overflow=0,
                pool_timeout=WAIT_SECONDS,
                hide_parameters=True,  # holders' data has no place in exceptions
                # Reads are single statements, each its own snapshot; `write` starts its transactions itself.
                isolation_level="AUTOCOMMIT",
            )
            postgresql.prepare(self.engine, WAIT_SECONDS, STATEMENT_SECONDS if bounds_statements else 0)
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection to look things up with.

        Raises:
            DatabaseUnavailable: that is not possible now.
        """
        with self._telling_unavailable():
            if not self.is_sqlite:
                with self._postgresql() as connection:
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

        Raises:
            DatabaseUnavailable: that is not possible now. Nothing was written, unless it was COMMIT that failed: then
                that is not known.
        """
        transaction = self._write_to_postgresql if self._writers is None else self._write_to_sqlite
        with transaction() as connection:
            connection.info.pop(_JOBS, None)  # jobs that an earlier transaction asked for and that was rolled back
            yield connection
            jobs = connection.info.pop(_JOBS, ())
        for job, row_id in jobs:
            self._post(job, row_id)

    def checkpoint(self) -> None:
        """Have SQLite move what was written from its log to its file, while others go on writing.

        It does so by itself when the log is long enough, but within the transaction that makes it so: whoever writes
        very much spares the others that wait.
        """
        if self.is_sqlite:
            with self.read() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def _telling_unavailable(self) -> Iterator[None]:
        """Turn whatever says that the database cannot do it now into `DatabaseUnavailable`.

        Raises:
            DatabaseUnavailable: it cannot.
            sqlalchemy.exc.SQLAlchemyError: everything else that the database says, IntegrityError for example.
        """
        try:
            yield
        except (SQLAlchemyError, self._driver_error) as error:
            is_raw = isinstance(error, self._driver_error)
            told = DBAPIError.instance("", None, error, self._driver_error) if is_raw else error
            why = why_unavailable(told)
            if why is not None:
                raise DatabaseUnavailable(why) from error
            if told is error:
                raise
            raise told from error

    @contextmanager
    def _postgresql(self) -> Iterator[Connection]:
        """Give a connection out of the pool; one that breaks does not go back."""
        with self.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            try:
                yield connection
            except BaseException:
                if driver.closed:
                    connection.invalidate()
                raise

    @contextmanager
    def _write_to_postgresql(self) -> Iterator[Connection]:
        with self._telling_unavailable(), self._postgresql() as connection:
            driver = postgresql.begin(connection)
            try:
                yield connection
                postgresql.commit(connection, driver)
            except BaseException:
                with suppress(self._driver_error):  # of a connection that is broken there is nothing to roll back
                    driver.rollback()
                raise
            finally:
                postgresql.end(connection)

    @contextmanager
    def _write_to_sqlite(self) -> Iterator[Connection]:
        assert self._writers is not None
        with self._writers.turn(WAIT_SECONDS) as seconds:
            try:
                with self._telling_unavailable(), self._immediate(seconds) as connection:
                    yield connection
            except DatabaseUnavailable:
                self._forget_writer()  # one that was opened while the file could not be written to would never write
                raise

    @contextmanager
    def _immediate(self, seconds: float) -> Iterator[Connection]:
        """Give the one connection that writes in a transaction; only who has the turn may touch it."""
        if self._writing is None:
            self._writing, self._waits = self.engine.connect(), round(WAIT_SECONDS)
        connection = self._writing
        driver: Any = connection.connection.dbapi_connection
        if round(seconds) != self._waits:
            self._waits = round(seconds)
            driver.execute(f"PRAGMA busy_timeout = {self._waits * 1000}")
        driver.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            driver.execute("COMMIT")
        except BaseException:
            driver.rollback()
            raise
        finally:
            if connection.in_transaction():  # for SQLAlchemy, if a statement came through it
                connection.rollback()

    def _forget_writer(self) -> None:
        if self._writing is not None:
            self._writing.invalidate()
            self._writing.close()
            self._writing = None

    def empty_log(self) -> None:
        """Move what stands in SQLite's write-ahead log into the database and empty the log.

        What was overwritten in the database stands in the log until then. Where somebody reads from the log for longer
        than a moment, nothing is done: later changes overwrite it.
        """
        if self._writers is None:
            return
        self.checkpoint()  # most of it, while others go on writing
        with self._writers.turn(WAIT_SECONDS), self._telling_unavailable(), self.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute(f"PRAGMA busy_timeout = {LOG_TIMEOUT_MS}")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}")

    def close(self) -> None:
        """Close all connections."""
        for connection in self._opened:
            connection.close()
        self._opened, self._mine = [], threading.local()
        self._forget_writer()
        self.engine.dispose()


def _prepare_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted or replaced is overwritten: people who were erased are not to be read in free pages.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
