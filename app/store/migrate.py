"""Bringing the database to the tables of this version, without an `alembic.ini`.

All pending migrations run in one transaction, on SQLite too: the database is either as it was or up to date. The
transaction begins with a lock, so that of two servers that start at once the second waits and finds nothing to do.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text

from app.settings import Settings
from app.store.engine import Store

LOCK_WAIT_MS = 60_000
# Any number does, as long as nothing else in the same PostgreSQL database takes advisory locks under it.
POSTGRESQL_LOCK = 7_277_245


def migrate(settings: Settings) -> None:
    """Make the tables, or change them to those of this version.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached, or somebody held it for a minute.
        alembic.util.CommandError: the database was made by a newer version.
        app.accounts.vault.VaultError: VAULT_KEYS lack the key that sealed the installation's secret.
    """
    engine = _engine(settings)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": POSTGRESQL_LOCK})
            command.upgrade(configuration(connection, settings.vault_keys), "head")
    finally:
        engine.dispose()


def configuration(connection: Connection | None = None, vault_keys: str = "") -> Config:
    """Return Alembic's configuration: `migrations/env.py` finds the connection in it, migrations the vault's keys."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["vault_keys"] = vault_keys
    return config


@lru_cache(maxsize=1)
def head() -> str:
    """Return the revision this version of the code needs."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None
    return revision


def is_current(store: Store) -> bool:
    """Tell whether the database has exactly the tables of this version.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
    """
    with store.read() as connection:
        return MigrationContext.configure(connection).get_current_heads() == (head(),)


def _engine(settings: Settings) -> Engine:
    """Return an engine of its own: the `Store`'s starts no transactions by itself, and SQLite's needs more patience."""
    url = make_url(settings.database)
    engine = create_engine(url, poolclass=NullPool)
    if url.get_backend_name() != "sqlite":
        return engine
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
