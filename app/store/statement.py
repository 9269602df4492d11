"""Statements that run in every request: SQLAlchemy writes their SQL once, the database driver runs them.

An action runs six of them. Through SQLAlchemy's executor each costs about 25 µs beyond the database's own work, which
made a third of the whole request (`bench/`); the text it would run is always the same. Everything else goes through
`connection.execute` as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

Values = Mapping[str, Any]


class Statement:
    """A statement with named values. What it returns is the driver's cursor: plain tuples in the order selected."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause

    def run(self, connection: Connection, values: Values) -> Any:
        """Run it on the connection, in the transaction that is open there.

        Raises:
            sqlalchemy.exc.IntegrityError, sqlalchemy.exc.OperationalError: as `connection.execute` would.
        """
        is_sqlite = connection.dialect.name == "sqlite"
        sql, names, fixed = self._for_sqlite if is_sqlite else self._for_postgresql
        all_values = {**fixed, **values}
        parameters: Any = [all_values[name] for name in names] if is_sqlite else all_values
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(sql, None, error, connection.dialect.loaded_dbapi.Error) from error
        return cursor

    def first(self, connection: Connection, values: Values) -> tuple[Any, ...] | None:
        """Run it and return the first row, or None."""
        cursor = self.run(connection, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row

    @cached_property
    def _for_sqlite(self) -> tuple[str, list[str], dict[str, Any]]:
        return self._compile(sqlite.dialect())

    @cached_property
    def _for_postgresql(self) -> tuple[str, list[str], dict[str, Any]]:
        return self._compile(postgresql.psycopg.dialect())  # type: ignore[no-untyped-call]

    def _compile(self, dialect: Dialect) -> tuple[str, list[str], dict[str, Any]]:
        compiled = self._clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), list(getattr(compiled, "positiontup", None) or ()), fixed
