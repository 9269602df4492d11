"""Idempotency keys that a version before kept in plain text are hashes afterwards, and repeats still find them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, inspect, text

from app.accounts.secret import PLACE
from app.accounts.vault import Vault, VaultError, generate_key
from app.model import Mode
from app.operations.repeats import digest_of
from app.service import make_service
from app.settings import Settings
from app.store import operations
from app.store.migrate import configuration, migrate
from tests.postgres import NewDatabase

INSERT = (
    "INSERT INTO operations (id, account_id, mode, action, status, idempotency_key, fingerprint, created_at)"
    " VALUES (:id, 'acct_1', 'test', 'update-points', 'succeeded', :key, 'f', 1)"
)
KEYS = {"op_1": "invoice-1", "op_2": None, "op_3": "invoice-é"}


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a database as the version before left it."""
    url = ""
    if request.param == "postgresql":
        new_database: NewDatabase = request.getfixturevalue("empty_postgres_url")
        url = new_database()
    (tmp_path / "data").mkdir()
    chosen = Settings(data_dir=str(tmp_path / "data"), database_url=url)
    run(chosen, write_rows)
    return chosen


def run(settings: Settings, step: object) -> None:
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        step(connection)  # type: ignore[operator]
    engine.dispose()


def write_rows(connection: Connection) -> None:
    command.upgrade(configuration(connection), "0005")
    connection.execute(text("INSERT INTO accounts (id, name, created_at) VALUES ('acct_1', 'demo', 1)"))
    connection.execute(text(INSERT), [{"id": row_id, "key": key} for row_id, key in KEYS.items()])


def seal(settings: Settings) -> None:
    """Seal the installation's secret, as `passrail vault rotate` does."""
    vault = Vault.from_setting(settings.vault_keys)

    def step(connection: Connection) -> None:
        plain = connection.execute(text("SELECT value FROM secrets")).scalar_one()
        connection.execute(text("UPDATE secrets SET value = :value"), {"value": vault.seal(plain, PLACE)})

    run(settings, step)


def found_by_key(settings: Settings) -> dict[str, str | None]:
    """Return the ID of the operation that each key finds."""
    service = make_service(settings)
    found: dict[str, str | None] = {}
    with service.store.read() as connection:
        for key in filter(None, KEYS.values()):
            digest = digest_of(service, "acct_1", Mode.TEST, "update-points", key)
            known = operations.get_by_key(connection, "acct_1", Mode.TEST, "update-points", digest)
            found[key] = None if known is None else known.id
    service.store.close()
    return found


def test_a_repeat_finds_the_operation_it_repeats(settings: Settings) -> None:
    migrate(settings)
    assert found_by_key(settings) == {"invoice-1": "op_1", "invoice-é": "op_3"}


def test_no_plain_key_is_left(settings: Settings) -> None:
    migrate(settings)
    engine = create_engine(settings.database)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM operations")).all()
    engine.dispose()
    assert "invoice" not in str(rows)
    assert [row.key_digest is None for row in sorted(rows, key=lambda row: str(row.id))] == [False, True, False]


def test_a_sealed_secret_is_opened_for_it(settings: Settings) -> None:
    sealed = replace(settings, vault_keys=f"a:{generate_key()}")
    seal(sealed)
    migrate(sealed)
    assert found_by_key(sealed) == {"invoice-1": "op_1", "invoice-é": "op_3"}


@pytest.mark.parametrize("vault_keys", ["", f"a:{generate_key()}", f"b:{generate_key()}"])
def test_without_the_key_that_sealed_it_nothing_is_changed(settings: Settings, vault_keys: str) -> None:
    seal(replace(settings, vault_keys=f"a:{generate_key()}"))
    with pytest.raises(VaultError):
        migrate(replace(settings, vault_keys=vault_keys))
    engine = create_engine(settings.database)
    columns = {column["name"] for column in inspect(engine).get_columns("operations")}
    engine.dispose()
    assert "idempotency_key" in columns
    assert "key_digest" not in columns
