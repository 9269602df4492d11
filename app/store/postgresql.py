"""PostgreSQL: limits on time, and as few trips to the server as there can be.

Statements of a transaction whose results nobody needs wait, and go with the next one that is asked.

Each statement that is sent by itself costs a trip to the server and back, which in most installations takes longer than
the statement's own work. BEGIN, inserts and updates wait here; the next statement takes them along in one trip
(libpq's pipeline mode), in their order. An error of theirs is raised then, and ends the transaction.
"""

from __future__ import annotations

import logging
import select
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DisconnectionError

# What is rolled back amid a pipeline is no news: the exception that led to it goes its way.
logging.getLogger("psycopg").setLevel(logging.ERROR)
CONNECT_SECONDS = 5
SEND_SECONDS = 15  # until a server that takes no data any more is given up
SPARE_SECONDS = 2  # that a statement's end may be late
_WAITING = "passrail_waiting"
_BEGIN = ("BEGIN", None)


def begin(connection: Connection) -> Any:
    """Begin a transaction: from now on statements may wait. Return the driver's connection.

    A session that began while the database was read-only stays so when the database is not any more: a new one takes
    its place.
    """
    driver: Any = connection.connection.dbapi_connection
    if driver.info.parameter_status("default_transaction_read_only") == "on":  # the server tells it unasked
        connection.invalidate()
        driver = connection.connection.dbapi_connection
    connection.info[_WAITING] = [_BEGIN]
    return driver


def add(connection: Connection, sql: str, values: Any) -> None:
    """Let a statement of the transaction wait."""
    connection.info[_WAITING].append((sql, values))


def run(connection: Connection, driver: Any, sql: str, values: Any) -> Any:
    """Run a statement behind those that wait, all in one trip; return its cursor.

    Raises:
        psycopg.Error: of the first statement that failed.
    """
    waiting = connection.info.get(_WAITING)
    if not waiting:
        return driver.execute(sql, values)
    connection.info[_WAITING] = []
    with driver.pipeline():
        for earlier in waiting:
            driver.execute(*earlier)
        return driver.execute(sql, values)


def _flush(connection: Connection, driver: Any) -> None:
    """Run what waits, before a statement that does not come through `run`.

    Raises:
        psycopg.Error: of the first statement that failed.
    """
    waiting = connection.info.get(_WAITING)
    if waiting:
        run(connection, driver, *waiting.pop())


def commit(connection: Connection, driver: Any) -> None:
    """Commit the transaction; one in which nothing was asked for has not begun for the server.

    Raises:
        psycopg.Error: it was not committed, or that is not known.
    """
    if connection.info.get(_WAITING) == [_BEGIN]:
        return
    ended = run(connection, driver, "COMMIT", None)
    if ended.statusmessage != "COMMIT":
        # The server ends a transaction in which a statement has failed by ROLLBACK, and says so without an error.
        raise connection.dialect.loaded_dbapi.InternalError("the transaction was rolled back")


def end(connection: Connection) -> None:
    """Forget what waits; no further statement may."""
    connection.info.pop(_WAITING, None)


def with_timeouts(url: URL) -> URL:
    """Return the address with limits on connecting, and on sending to a server that is not there any more."""
    limits = {"connect_timeout": str(CONNECT_SECONDS), "tcp_user_timeout": str(SEND_SECONDS * 1000)}
    return url.set(query={**limits, **url.query})


def prepare(engine: Engine, wait_seconds: float, statement_seconds: int) -> None:
    """Give an engine's connections limits on time and plans, and replace those that the server has ended.

    Args:
        engine: that has not connected yet.
        wait_seconds: for another transaction's lock.
        statement_seconds: a statement ends after this long; 0: it takes its time.
    """

    @event.listens_for(engine, "connect")
    def on_connect(driver: Any, _record: object) -> None:
        driver.autocommit = True
        limits = {
            "lock_timeout": f"{wait_seconds:.0f}s",
            "statement_timeout": f"{statement_seconds}s",
            # A bitmap has no order. Where PostgreSQL takes a long list for a short one, it would sort it whole for the
            # sake of one page (`pages.py`).
            "enable_bitmapscan": "off",
        }
        driver.execute("; ".join(f"SET {name} = '{value}'" for name, value in limits.items()))
        if statement_seconds:
            _give_up_after(driver, statement_seconds + SPARE_SECONDS, engine.dialect.loaded_dbapi.errors._WaitTimeout)

    @event.listens_for(engine, "checkout")
    def on_checkout(driver: Any, _record: object, _proxy: object) -> None:
        """Have a connection replaced that the server has ended, without a trip to the server to find out."""
        if driver.closed or _has_something_to_say(driver.fileno()):
            raise DisconnectionError

    @event.listens_for(engine, "before_cursor_execute")
    def on_execute(connection: Connection, *_more: object) -> None:
        _flush(connection, connection.connection.dbapi_connection)


def _give_up_after(driver: Any, seconds: float, timeout: type[Exception]) -> None:
    """Have a connection closed whose server says nothing for so long: a frozen one cannot end a statement itself."""
    wait = driver.wait

    def wait_for_so_long(*arguments: Any, **options: Any) -> Any:
        try:
            return wait(*arguments, **{"timeout": seconds, **options})
        except timeout:
            driver.pgconn.finish()
            raise

    driver.wait = wait_for_so_long


def _has_something_to_say(socket: int) -> bool:
    """Tell whether the server has sent something unasked: it is the end of the connection, or a notice of it."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
