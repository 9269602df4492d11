"""Backup, destroy, restore: nothing differs. On both databases, through the command line."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, inspect, text

from app import create_app
from app.accounts.vault import generate_key
from app.cli import main
from app.settings import Settings
from tests.postgres import NewDatabase
from tests.world import World, make_world

Run = Callable[..., Result]
Rows = dict[str, list[tuple[object, ...]]]


def rows_of(database: str) -> Rows:
    """Return every row of every table."""
    engine = create_engine(database)
    with engine.connect() as connection:
        tables = sorted(inspect(engine).get_table_names())
        found = {
            table: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{table}"'))), key=repr)
            for table in tables
        }
    engine.dispose()
    return found


def command(world: World, *words: str, **environment: str) -> Result:
    settings = world.service.settings
    told = {"DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url, "VAULT_KEYS": ""}
    return CliRunner().invoke(main, words, env={**told, **environment})


def fill(world: World) -> None:
    for number in range(20):
        world.make_pass(external_id=f"customer-{number}", first_name="Zoë", email=f"{number}@example.com")
        world.act("update-points", {"program_id": "prog_demo_membership", "external_id": f"customer-{number}",
                                    "change": "add", "points": 7})  # fmt: skip


@pytest.fixture
def elsewhere(any_world: World, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of an installation that has nothing yet, of the same kind of database."""
    new_database: NewDatabase = request.getfixturevalue("empty_postgres_url")
    is_sqlite = any_world.service.store.is_sqlite
    return {"DATA_DIR": str(tmp_path / "elsewhere"), "DATABASE_URL": "" if is_sqlite else new_database()}


def database_of(environment: dict[str, str]) -> str:
    return environment["DATABASE_URL"] or f"sqlite:///{environment['DATA_DIR']}/passrail.db"


def test_a_restored_backup_has_every_row_and_the_service_goes_on_with_it(
    any_world: World, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    fill(any_world)
    file = tmp_path / "backup"
    taken = command(any_world, "backup", str(file))
    assert taken.exit_code == 0, taken.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = rows_of(any_world.service.settings.database)
    assert len(before["passes"]) == 20
    restored = command(any_world, "restore", str(file), **elsewhere)
    assert restored.exit_code == 0, restored.output
    assert "needs no key" in restored.output
    assert rows_of(database_of(elsewhere)) == before
    again = create_app(Settings(data_dir=elsewhere["DATA_DIR"], database_url=elsewhere["DATABASE_URL"]))
    pass_id = before["passes"][0][0]
    found = again.test_client().get(f"/v1/passes/{pass_id}", headers={"Authorization": f"Bearer {any_world.key}"})
    again.extensions["passrail"].store.close()
    assert found.status_code == 200


def test_a_backup_is_one_moment_though_the_service_goes_on_writing(any_world: World, tmp_path: Path) -> None:
    fill(any_world)
    stop, failures = threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            body = {"program_id": "prog_demo_membership", "external_id": "customer-1", "change": "add", "points": 1}
            answer = any_world.act("update-points", body)
            if answer.status_code != 200:
                failures.append(answer.text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = command(any_world, "backup", str(tmp_path / "backup"))
    finally:
        stop.set()
        writer.join()
    assert taken.exit_code == 0, taken.output
    assert failures == []
    if any_world.service.store.is_sqlite:
        with sqlite3.connect(tmp_path / "backup") as copy:
            query = (
                "SELECT points, (SELECT count(*) FROM operations WHERE pass_id = passes.id"
                " AND action = 'update-points') FROM passes WHERE external_id = 'customer-1'"
            )
            points, operations = copy.execute(query).fetchone()
        assert points == 700 + (operations - 1) * 100


def test_a_database_that_is_not_empty_is_never_overwritten(any_world: World, tmp_path: Path) -> None:
    fill(any_world)
    file = tmp_path / "backup"
    assert command(any_world, "backup", str(file)).exit_code == 0
    before = rows_of(any_world.service.settings.database)
    refused = command(any_world, "restore", str(file))
    assert refused.exit_code == 1
    assert "not empty" in refused.output
    assert rows_of(any_world.service.settings.database) == before


def test_an_earlier_backup_is_never_overwritten(world: World, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("of yesterday")
    refused = command(world, "backup", str(file))
    assert refused.exit_code == 1
    assert "is there already" in refused.output
    assert file.read_text() == "of yesterday"
    assert list(tmp_path.glob("*.part")) == []


def test_what_is_no_backup_or_is_damaged_is_refused_and_changes_nothing(world: World, tmp_path: Path) -> None:
    fill(world)
    file, whole = tmp_path / "backup", tmp_path / "whole"
    assert command(world, "backup", str(whole)).exit_code == 0
    bytes_of = whole.read_bytes()
    cases = {
        "no backup": b"hello",
        "PostgreSQL": b"PGDMP....",
        "database": bytes_of[:8192] + bytes(4096) + bytes_of[12288:],
    }
    for word, content in cases.items():
        file.write_bytes(content)
        refused = command(world, "restore", str(file), DATA_DIR=str(tmp_path / "new"))
        assert refused.exit_code == 1, word
        assert "Traceback" not in refused.output
        assert word in refused.output
        assert not (tmp_path / "new" / "passrail.db").exists()


def test_a_backup_says_which_keys_it_needs_and_a_restore_which_are_missing(any_world: World, tmp_path: Path) -> None:
    keys = f"k2026:{generate_key()}"
    assert command(any_world, "vault", "rotate", VAULT_KEYS=keys).exit_code == 0
    taken = command(any_world, "backup", str(tmp_path / "backup"), VAULT_KEYS=keys)
    assert "k2026" in taken.output


def test_a_restore_without_the_keys_says_so(world: World, tmp_path: Path) -> None:
    keys = f"k2026:{generate_key()}"
    assert command(world, "vault", "rotate", VAULT_KEYS=keys).exit_code == 0
    assert command(world, "backup", str(tmp_path / "backup"), VAULT_KEYS=keys).exit_code == 0
    restored = command(world, "restore", str(tmp_path / "backup"), DATA_DIR=str(tmp_path / "new"))
    assert restored.exit_code == 0
    assert "VAULT_KEYS lacks k2026" in restored.output


def test_without_the_programs_of_postgresql_a_sentence_names_the_missing_one(
    postgres_url: NewDatabase, tmp_path: Path
) -> None:
    world = make_world(tmp_path / "data", postgres_url())
    refused = command(world, "backup", str(tmp_path / "backup"), PATH=str(tmp_path))
    world.service.store.close()
    assert "pg_dump is not installed" in refused.output
    assert list(tmp_path.glob("backup*")) == []
