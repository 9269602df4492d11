"""Operations that were open when this version was installed are finished by it: their rows are rewritten."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from app.effects import AddPoints, ChangeTier, Effect, Issue, Redeem, Revoke, SetExpiry, SetPoints, UpdateHolder
from app.operations.plan import Plan, plan_of
from app.settings import Settings
from app.store import operations
from app.store.engine import Store
from app.store.migrate import configuration, migrate
from app.store.operations import Operation, OperationStatus
from tests.postgres import NewDatabase

# Written by the version before, for answers of PassKit's that were lost.
ROWS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("operations_of_version_1.json").read_text())
KEYS = {row["id"]: row["idempotency_key"] for row in ROWS}
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a database as the version before left it, with these rows."""
    url = ""
    if request.param == "postgresql":
        new_database: NewDatabase = request.getfixturevalue("empty_postgres_url")
        url = new_database()
    chosen = Settings(data_dir=str(tmp_path / "data"), database_url=url)
    (tmp_path / "data").mkdir()
    engine = create_engine(chosen.database)
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "0003")
        connection.execute(text("INSERT INTO accounts (id, name, created_at) VALUES ('acct_1', 'demo', 1)"))
        names = ", ".join(ROWS[0])
        places = ", ".join(f":{name}" for name in ROWS[0])
        connection.execute(text(f"INSERT INTO operations ({names}) VALUES ({places})"), ROWS)
        nothing = {**ROWS[0], "id": "op_nothing", "idempotency_key": "nothing", "status": "running"}
        nothing["request"] = json.dumps({**json.loads(ROWS[0]["request"]), "event": None})
        connection.execute(text(f"INSERT INTO operations ({names}) VALUES ({places})"), nothing)
    engine.dispose()
    return chosen


def migrated(settings: Settings) -> dict[str, Operation]:
    """Migrate, and return the operations by key; those without one by ID."""
    migrate(settings)
    store = Store(settings)
    with store.read() as connection:
        ids = [str(row[0]) for row in connection.execute(text("SELECT id FROM operations"))]
        every = [operations.get_any(connection, one) for one in ids]
    store.close()
    return {KEYS.get(one.id, one.id): one for one in every if one is not None}


def effects(plan: Plan) -> list[type[Effect]]:
    return [type(effect) for effect in plan.effects]


def test_every_row_is_read_by_name_afterwards(settings: Settings) -> None:
    plans = {key: plan_of(one) for key, one in migrated(settings).items() if one.request is not None}
    assert {key: effects(plan) for key, plan in plans.items()} == {
        "create": [Issue],
        "create-bare": [Issue],
        "add": [AddPoints],
        "subtract": [AddPoints],
        "set": [SetPoints],
        "update": [UpdateHolder, SetExpiry],
        "tier": [ChangeTier],
        "redeem": [Redeem],
        "revoke": [Revoke],
        "delete": [Revoke],
    }
    assert plans["add"].next == AddPoints(points=Decimal(5))
    assert plans["subtract"].next == AddPoints(points=Decimal(-3), floor=Decimal(0))
    assert plans["set"].next == SetPoints(points=Decimal(40))
    assert plans["delete"].next == Revoke(at=NOW, permanent=True)
    assert plans["redeem"].next == Redeem(at=NOW, reference="r-77", amount=Decimal("49.90"))
    update = plans["update"].next
    assert isinstance(update, UpdateHolder)
    assert update.holder == {"first_name": "Augusta", "phone": "+44 20 7946 0000"}
    made = plans["create"].next
    assert isinstance(made, Issue)
    assert (made.external_id, made.points, made.if_exists, made.gives_expiry) == ("c-2", Decimal(5), "update", True)
    assert plans["add"].reason == "Invoice 1"
    assert plans["add"].basis.points == Decimal(10)


def test_what_was_written_at_the_issuer_is_still_what_is_looked_for(settings: Settings) -> None:
    for operation in migrated(settings).values():
        if operation.request is not None:
            assert plan_of(operation).ids[0] == operation.id


def test_they_are_due_at_once_and_know_when_they_were_tried(settings: Settings) -> None:
    found = migrated(settings)
    assert {found["add"].tried_at, found["add"].look_at} == {NOW}
    assert found["add"].lease_until is None
    store = Store(settings)
    with store.read() as connection:
        assert len(operations.due(connection, NOW, 100)) == len(ROWS)
    store.close()


def test_one_that_had_nothing_to_do_ends_and_its_key_is_free(settings: Settings) -> None:
    ended = migrated(settings)["op_nothing"]
    assert (ended.status, ended.key_digest, ended.request) == (OperationStatus.FAILED, None, None)
    assert json.loads(ended.problem or "")["code"] == "upstream-unavailable"
