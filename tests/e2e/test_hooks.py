"""Deliveries by real processes: punctual, not lost by kills of the worker, through a file or through Redis."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.settings import Settings
from tests.e2e.hooks import HookStage, hook_stage, kill
from tests.e2e.kills import KILLS
from tests.events.receivers import answer, receiving
from tests.postgres import NewDatabase
from tests.processes import wait_until
from tests.redis_server import running_redis
from tests.thorough import DATABASES, amount

PASSES_A_KILL = 30
PATIENCE_SECONDS = 300.0
SWEEP_SECONDS = 60  # so long it takes what is only found by looking through everything
pytestmark = pytest.mark.slow


def wait_long(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.1)


def is_complete(stage: HookStage, expected: set[str]) -> bool:
    return expected <= set(stage.heard())


def test_an_event_is_heard_at_once_and_a_retry_is_punctual(tmp_path: Path) -> None:
    with hook_stage(tmp_path) as stage, stage.worker():
        hook_id = stage.subscribe("pass.created")
        began = time.monotonic()
        stage.make_passes(1)
        wait_until(lambda: len(stage.heard()) == 1, "the first event")
        assert time.monotonic() - began < SWEEP_SECONDS / 2
        stage.receiver.behave = answer(500)
        stage.make_passes(1)
        wait_until(lambda: len(stage.heard()) == 2, "the failed attempt")
        stage.receiver.behave = answer(200)
        wait_until(lambda: len(stage.heard()) == 3, "the retry")
        path = f"/v1/hooks/{hook_id}/deliveries"
        wait_until(
            lambda: {one["status"] for one in stage.request("GET", path)["data"]} == {"delivered"}, "the end of both"
        )
        [repeated] = [one for one in stage.request("GET", path)["data"] if len(one["attempts"]) == 2]
        first, second = (datetime.fromisoformat(attempt["at"]) for attempt in repeated["attempts"])
        assert timedelta(seconds=4.4) < second - first < timedelta(seconds=SWEEP_SECONDS / 2)


def test_what_the_worker_itself_has_to_tell_is_heard_at_once(tmp_path: Path) -> None:
    with hook_stage(tmp_path) as stage, receiving(answer(410)) as gone, stage.worker():
        stage.subscribe("hook.disabled")
        stage.subscribe("pass.created", url=gone.url)
        began = time.monotonic()
        stage.make_passes(1)
        wait_until(lambda: len(stage.heard()) == 1, "the end of the hook")
        assert time.monotonic() - began < SWEEP_SECONDS / 2


def test_a_worker_that_starts_finds_what_was_never_posted(tmp_path: Path) -> None:
    """As if the queue had lost everything: its file is gone."""
    with hook_stage(tmp_path) as stage:
        stage.subscribe("pass.created")
        stage.make_passes(20)
        for file in (tmp_path / "data").glob("jobs.db*"):
            file.unlink()
        with stage.worker():
            wait_until(lambda: is_complete(stage, stage.event_ids()), "all events")


@pytest.mark.parametrize("backend", amount(("sqlite",), thorough=DATABASES))
def test_kills_of_the_worker_lose_nothing(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = ""
    if backend == "postgresql":
        new_database: NewDatabase = request.getfixturevalue("postgres_url")
        url = new_database()
    with hook_stage(tmp_path, url) as stage:
        # A hook of its own for each kill: what the dead worker has claimed keeps places of the hook for a while.
        hook_ids = [_kill_in_mid_work(stage, number) for number in range(KILLS)]
        expected = stage.event_ids()
        assert len(expected) == KILLS * PASSES_A_KILL
        _let_leases_lapse(stage)
        with stage.worker():
            wait_long(lambda: not any(_waits(stage, hook_id) for hook_id in hook_ids), "nothing to be pending")
        heard = Counter(stage.heard())
        assert expected - set(heard) == set()
        twice = heard.total() - len(expected)
        print(f"{backend}: {KILLS} kills of the worker, {len(expected)} deliveries, 0 lost, {twice} sent twice")


def _kill_in_mid_work(stage: HookStage, number: int) -> str:
    program_id = stage.make_program(f"Program {number}")
    hook_id = stage.subscribe("pass.created", program_id=program_id)
    worker = stage.start_worker()
    try:
        before = len(stage.heard())
        stage.make_passes(PASSES_A_KILL, program_id)
        wait_until(lambda: len(stage.heard()) > before, "the worker to begin")
        time.sleep(random.uniform(0, 0.03))
    finally:
        kill(worker)
    return hook_id


def _let_leases_lapse(stage: HookStage) -> None:
    """Do what half a minute would: set the leases of the dead workers back."""
    settings = Settings(data_dir=stage.environment["DATA_DIR"], database_url=stage.environment["DATABASE_URL"])
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET lease_until = 1 WHERE lease_until IS NOT NULL"))
    engine.dispose()


def _waits(stage: HookStage, hook_id: str) -> bool:
    page = stage.request("GET", f"/v1/hooks/{hook_id}/deliveries?status=pending&limit=1")
    return bool(page["data"])


def test_with_redis_events_are_heard_and_without_it_they_are_found(tmp_path: Path) -> None:
    with running_redis(tmp_path) as redis, hook_stage(tmp_path, REDIS_URL=redis.url) as stage:
        stage.subscribe("pass.created")
        with stage.worker():
            stage.make_passes(20)
            wait_until(lambda: is_complete(stage, stage.event_ids()), "all events")
        assert not (tmp_path / "data" / "jobs.db").exists()
        assert Counter(stage.heard()).most_common(1)[0][1] == 1
        # A Redis that is away costs nothing but time: the action succeeds, and the rows are found.
        stage.environment["REDIS_URL"] = ""
        os.environ.pop("REDIS_URL", None)
    with running_redis(tmp_path) as redis, hook_stage(tmp_path / "away", REDIS_URL="redis://127.0.0.1:1/0") as stage:
        stage.subscribe("pass.created")
        stage.make_passes(3)
        with stage.worker(REDIS_URL=redis.url):
            wait_until(lambda: is_complete(stage, stage.event_ids()), "all events")
