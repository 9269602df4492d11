"""How values are kept in columns, and the statements that run in every request.

Instants are milliseconds, points are hundredths, structures are JSON text.

SQLAlchemy writes the SQL of a `Statement` once, the database driver runs it. An action runs six of them. Through
SQLAlchemy's executor each costs about 25 µs beyond the database's own work, which made a third of the whole request
(`bench/`); the text it would run is always the same. Everything else goes through `connection.execute` as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Table, bindparam, update
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

from app.store import postgresql

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


Values = Mapping[str, Any]


class Prepared(NamedTuple):
    """A statement in the words of one database.

    `names` tells the order of the values where the driver takes a list (SQLite); else it takes them by name. `fixed`
    are values that are part of the statement (a limit).
    """

    sql: str
    names: tuple[str, ...]
    fixed: dict[str, Any]


class Statement:
    """A statement with named values. What it returns is the driver's cursor: plain tuples in the order selected."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._prepared: dict[str, Prepared] = {}

    def run(self, connection: Connection, values: Values) -> Any:
        """Run it on the connection, in the transaction that is open there; return the cursor.

        Raises:
            sqlalchemy.exc.IntegrityError, sqlalchemy.exc.OperationalError: as `connection.execute` would; it may be
                about a statement that was sent before.
        """
        dialect = connection.dialect
        prepared = self._prepared.get(dialect.name) or self._prepare(dialect)
        if prepared.fixed:
            values = {**prepared.fixed, **values}
        driver: Any = connection.connection.dbapi_connection
        try:
            if dialect.name == "sqlite":
                return driver.execute(prepared.sql, [values[name] for name in prepared.names])
            return postgresql.run(connection, driver, prepared.sql, values)
        except dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(prepared.sql, None, error, dialect.loaded_dbapi.Error) from error

    def send(self, connection: Connection, values: Values) -> None:
        """Run it in a transaction when its result is not needed. On PostgreSQL it goes with the next statement.

        Raises:
            sqlalchemy.exc.IntegrityError, sqlalchemy.exc.OperationalError: as `run`, but maybe later.
        """
        if connection.dialect.name == "sqlite":
            self.run(connection, values)
            return
        prepared = self._prepared.get(connection.dialect.name) or self._prepare(connection.dialect)
        postgresql.add(connection, prepared.sql, {**prepared.fixed, **values})

    def first(self, connection: Connection, values: Values) -> tuple[Any, ...] | None:
        """Run it and return the first row, or None."""
        cursor = self.run(connection, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row

    def _prepare(self, dialect: Dialect) -> Prepared:
        compiled = self._clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        prepared = Prepared(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()), fixed)
        self._prepared[dialect.name] = prepared
        return prepared


def save_changed(connection: Connection, table: Table, row_id: str, before: Values, after: Values) -> None:
    """Write what differs between two states over the row; SQLite then touches only the indexes that have one of it."""
    changed = {name: value for name, value in after.items() if value != before[name]}
    if changed:
        _update_of(table, tuple(changed)).send(connection, {"row_id": row_id, **changed})


@lru_cache(maxsize=256)
def _update_of(table: Table, columns: tuple[str, ...]) -> Statement:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Statement(update(table).where(table.c.id == bindparam("row_id")).values(values))
