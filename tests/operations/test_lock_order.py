"""Requests lock their pass, then their operation. Whoever finishes an operation does so too, so that none waits for one
that waits for him (PostgreSQL; SQLite has one writer at a time).
"""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import create_engine, select, text

from app.store.tables import operations, passes
from tests.postgres import NewDatabase
from tests.world import MEMBERSHIP, World, make_world

BODY = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout"}
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
PATIENCE_SECONDS = 10.0


@pytest.fixture
def world(postgres_url: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world") / "data", postgres_url())


def test_who_waits_for_a_pass_to_finish_an_operation_does_not_hold_the_operation(world: World) -> None:
    assert world.act("create-pass", BODY, idempotency_key="make").status_code == 504
    made = world.act("create-pass", BODY, idempotency_key="make").get_json()
    add = {**BODY, "change": "add", "points": 5}
    assert world.act("update-points", add, idempotency_key="add").status_code == 504
    answers = []
    finishing = threading.Thread(target=lambda: answers.append(world.act("update-points", add, idempotency_key="add")))
    engine = create_engine(world.service.settings.database)
    with engine.begin() as holder, engine.connect() as watcher:
        holder.execute(select(passes.c.id).where(passes.c.id == made["id"]).with_for_update())
        finishing.start()
        until = time.monotonic() + PATIENCE_SECONDS
        while not watcher.execute(WAITING).scalar() and time.monotonic() < until:
            watcher.rollback()
        assert finishing.is_alive()
        of_pass = select(operations.c.id).where(operations.c.pass_id == made["id"])
        assert len(watcher.execute(of_pass.with_for_update(nowait=True)).all()) == 2
    finishing.join()
    engine.dispose()
    assert (answers[0].status_code, answers[0].get_json()["points"]) == (200, 5)
    world.service.store.close()
