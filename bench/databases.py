"""Fresh databases to measure on, each with the demo account, a key, and a rate limit nobody reaches."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import psycopg
from sqlalchemy import text

from app import demo
from app.accounts import keys
from app.accounts.accounts import Account
from app.model import Mode, system_clock
from app.settings import Settings
from app.store.engine import Store
from app.store.migrate import migrate
from bench.figures import BenchFailed
from tests import postgres

KINDS = ("sqlite", "postgresql")
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

# The tests' server is set to forget everything in a power cut. Here PostgreSQL keeps its own defaults, which wait for
# the disk at every commit.
_POSTGRESQL = ("max_connections=300",)


@dataclass(frozen=True, slots=True)
class Database:
    """A database with an account in it, and the key to that account's test mode."""

    settings: Settings
    account: Account
    key: str

    @property
    def folder(self) -> Path:
        """Where everything of this database lies."""
        return Path(self.settings.data_dir)

    @property
    def environment(self) -> dict[str, str]:
        """The settings as a process gets them."""
        changed = {
            one.name: getattr(self.settings, one.name)
            for one in dataclasses.fields(Settings)
            if getattr(self.settings, one.name) != one.default
        }
        return {name.upper(): str(value) for name, value in changed.items()}

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the database in this process."""
        store = Store(self.settings)
        try:
            yield store
        finally:
            store.close()

    def counts(self, query: str) -> dict[str, int]:
        """Run a query that counts something by name."""
        with self.store() as store, store.read() as connection:
            return {name: int(number) for name, number in connection.execute(text(query))}


NewDatabase = Callable[[], Database]


@contextmanager
def databases(kind: str) -> Iterator[NewDatabase]:
    """Give a function that makes databases of a kind; they are gone after the block."""
    with tempfile.TemporaryDirectory(prefix="passrail-bench-") as name:
        folder = Path(name)
        if kind == "sqlite":
            yield lambda: _make(folder, "")
            return
        binaries = postgres.find_binaries()
        if binaries is None:
            raise BenchFailed("PostgreSQL is not installed. Install it, or give --database sqlite.")
        with patch.object(postgres, "SETTINGS", _POSTGRESQL), postgres.running_server(binaries) as cluster:
            yield lambda: _make(folder, _new_postgresql(cluster.port))


def _new_postgresql(port: int) -> str:
    with psycopg.connect(f"host=127.0.0.1 port={port} user=passrail dbname=postgres", autocommit=True) as connection:
        number = connection.execute("SELECT count(*) FROM pg_database").fetchone()
        assert number is not None
        name = f"bench_{number[0]}"
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"postgresql+psycopg://passrail@127.0.0.1:{port}/{name}"


def _make(parent: Path, database_url: str) -> Database:
    settings = Settings(
        data_dir=tempfile.mkdtemp(dir=parent),
        database_url=database_url,
        rate_limit_per_minute=10_000_000,
        rate_limit_burst=10_000_000,
    )
    migrate(settings)
    store = Store(settings)
    try:
        with store.write() as connection:
            account = demo.ensure(connection, system_clock())
            _, key = keys.create_key(connection, account, Mode.TEST, keys.SCOPES, system_clock())
    finally:
        store.close()
    return Database(settings, account, key)
