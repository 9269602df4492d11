from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from app.settings import Settings
from app.store.engine import Store
from app.store.migrate import head, is_current, migrate
from app.store.tables import metadata
from tests.postgres import NewDatabase

Databases = pytest.mark.parametrize("backend", ["sqlite", "postgresql"])


@pytest.fixture
def settings(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    if backend == "sqlite":
        return Settings(data_dir=str(tmp_path / "data"))
    new_database: NewDatabase = request.getfixturevalue("postgres_url")
    return Settings(data_dir=str(tmp_path / "data"), database_url=new_database())


def differences(settings: Settings) -> list[object]:
    engine = create_engine(settings.database)
    with engine.connect() as connection:
        found = list(compare_metadata(MigrationContext.configure(connection), metadata))
    engine.dispose()
    return found


def definitions(connection: Connection) -> set[str]:
    """Return how the database describes its indexes and constraints, the conditions of partial indexes included."""
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION"
            " SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
        )
    else:
        query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    return {line for (line,) in connection.execute(text(query)) if "alembic_version" not in line}


def definitions_of(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        found = definitions(connection)
    engine.dispose()
    return found


@Databases
def test_migrations_make_exactly_the_tables_of_the_code(settings: Settings) -> None:
    migrate(settings)
    assert differences(settings) == []


@Databases
def test_migrations_make_the_same_indexes_as_the_code(
    settings: Settings, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    migrate(settings)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    if backend == "postgresql":
        other = request.getfixturevalue("postgres_url")()
    engine = create_engine(other)
    metadata.create_all(engine)
    wanted = definitions_of(engine)
    assert len(wanted) > 10
    assert definitions_of(create_engine(settings.database)) == wanted


@Databases
def test_a_planted_column_is_noticed(settings: Settings) -> None:
    migrate(settings)
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE passes ADD COLUMN planted INTEGER"))
    engine.dispose()
    assert [difference[0] for difference in differences(settings)] == ["remove_column"]  # type: ignore[index]


@Databases
def test_migrating_again_changes_nothing(settings: Settings) -> None:
    migrate(settings)
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO accounts (id, name, created_at) VALUES ('acct_1', 'Cafe', 1)"))
    migrate(settings)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM accounts")).scalar_one() == "Cafe"
    engine.dispose()
    assert differences(settings) == []


@Databases
def test_two_servers_that_start_at_once_both_find_the_tables_made(settings: Settings) -> None:
    code = "from app.settings import load_settings; from app.store.migrate import migrate; migrate(load_settings())"
    environment = {**os.environ, "DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert differences(settings) == []


@Databases
def test_a_migration_that_fails_leaves_nothing_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer._insert_version", broken)
    with pytest.raises(RuntimeError, match="the power went out"):
        migrate(settings)
    engine = create_engine(settings.database)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@Databases
def test_says_whether_the_database_is_that_of_the_code(settings: Settings) -> None:
    store = Store(settings)
    assert not is_current(store)
    migrate(settings)
    assert is_current(store)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert not is_current(store)
    store.close()


def test_there_is_one_line_of_migrations() -> None:
    assert head() == "0009"
