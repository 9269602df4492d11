"""Redis stopped, killed or hanging, the queue locked, the worker dead: callers notice nothing, no event is lost."""

from __future__ import annotations

import pickle
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis
from sqlalchemy import update

from app.store import tables
from app.store.workers import ALIVE
from tests.e2e.faults import Row, RowsOf
from tests.e2e.groups import Machine, Machines, running_machines
from tests.e2e.hooks import hook_stage
from tests.postgres import NewDatabase
from tests.processes import wait_until
from tests.redis_server import running_redis
from tests.world import MEMBERSHIP

REQUESTS = 9
# What the middle one of all requests may take longer than before; on a busy machine, three times as long is no sign of
# anything. Whoever waited for Redis would wait for seconds.
MORE_SECONDS = 0.1
LONGEST_SECONDS = 3.0
# The kinds of line that an outage of a few seconds makes: web server, worker's threads, its scheduler, its poster.
MOST_LINES = 12
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, postgres_url: NewDatabase) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("faults")
    with running_redis(folder) as redis, running_machines(folder, postgres_url(), redis, 1) as made:
        yield made


def ask_all(machine: Machine, key: str, rows: Mapping[str, Row]) -> set[str]:
    """Send every kind of request several times; return the passes that were made."""
    made: set[str] = set()
    for _ in range(REQUESTS):
        rows["health"].ask(partial(machine.send, "GET", "/readyz", key))
        rows["read"].ask(partial(machine.send, "GET", "/v1/passes?limit=1", key))
        rows["write"].ask(partial(_create, machine, key, made))
    return made


def _create(machine: Machine, key: str, made: set[str]) -> requests.Response:
    answer = machine.send("POST", "/v1/actions/create-pass", key, {"program_id": MEMBERSHIP})
    if answer.ok:
        made.add(answer.json()["id"])
    return answer


def middle(row: Row) -> float:
    return statistics.median(answer.seconds for answer in row.answers)


def heard_of(machines: Machines) -> set[str]:
    return {event["data"]["id"] for event in machines.heard("pass.created")}


def try_fault(machines: Machines, rows: Mapping[str, Row], begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Send requests before and during a fault, and wait until all their events are heard."""
    (machine,) = machines.machines
    key = machines.world.make_key()
    machines.subscribe(key, "pass.created")
    before = {kind: Row("none", kind) for kind in ("read", "write", "health")}
    made = ask_all(machine, key, before)
    wait_until(lambda: made <= heard_of(machines), "the events before the fault")
    lines = len(machine.complaints())
    begin()
    try:
        made = ask_all(machine, key, rows)
    finally:
        end()
    ended = time.monotonic()
    wait_until(lambda: made <= heard_of(machines), "the events of the fault")
    rows["write"].heals_in = time.monotonic() - ended
    rows["write"].lost = len(made - heard_of(machines))
    for kind, row in rows.items():
        assert row.statuses == {"200"}, kind
        assert middle(row) < 3 * middle(before[kind]) + MORE_SECONDS, kind
        assert row.slowest < LONGEST_SECONDS, kind
    complaints = machine.complaints()[lines:]
    assert len(complaints) <= MOST_LINES, complaints


@pytest.mark.parametrize("fault", ["stopped", "killed", "hanging"])
def test_redis_that_is_away_is_not_noticed_by_callers(machines: Machines, fault: str, rows_of: RowsOf) -> None:
    redis = machines.redis
    begin, end = {
        "stopped": (redis.stop, redis.start),
        "killed": (redis.kill, redis.start),
        "hanging": (redis.hang, redis.go_on),
    }[fault]
    try_fault(machines, rows_of(f"Redis {fault}"), begin, end)


def test_a_dead_worker_is_noticed_by_who_asks_for_it_alone(machines: Machines, rows_of: RowsOf) -> None:
    (machine,) = machines.machines

    def is_ready_with_worker() -> bool:
        return machine.send("GET", "/readyz?worker", "none").status_code == 200

    def begin() -> None:
        machine.kill_worker()
        assert is_ready_with_worker(), "a restart is no alarm"
        let_heartbeats_age(machines)
        answer = machine.send("GET", "/readyz?worker", "none")
        assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")

    with ExitStack() as stack:
        try_fault(machines, rows_of("worker dead"), begin, lambda: machine.start_worker(stack))
        wait_until(is_ready_with_worker, "the heartbeat of the new worker")
    machine.start_worker(machines.stack)


def let_heartbeats_age(machines: Machines) -> None:
    """Do what two minutes would."""
    with machines.world.service.store.write() as connection:
        older = tables.workers.c.seen_at - (ALIVE + timedelta(seconds=1)) // timedelta(milliseconds=1)
        connection.execute(update(tables.workers).values(seen_at=older))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.file), "w")


def test_who_can_write_to_redis_runs_nothing_in_the_worker(machines: Machines, tmp_path: Path) -> None:
    (machine,) = machines.machines
    with Redis.from_url(machines.redis.url) as redis:
        for place in ("queue", "schedule"):
            pickled = pickle.dumps(Trap(tmp_path / place))
            if place == "queue":
                redis.lpush("huey.redis.passrail", pickled)
            else:
                redis.zadd("huey.schedule.passrail", {pickled: 0})
        wait_until(lambda: not redis.exists("huey.redis.passrail", "huey.schedule.passrail"), "the worker to take it")
    wait_until(lambda: dropped(machine) == 2, "the lines about it")
    assert list(tmp_path.iterdir()) == []
    pickle.loads(pickled).close()
    assert list(tmp_path.iterdir()) == [tmp_path / "schedule"], "the pickle would have run code"


def dropped(machine: Machine) -> int:
    return sum("a message in the queue was dropped" in line["message"] for line in machine.complaints())


def test_a_locked_file_of_the_queue_is_not_noticed_by_callers(tmp_path: Path, rows_of: RowsOf) -> None:
    with hook_stage(tmp_path) as stage, stage.worker():
        stage.subscribe("pass.created")
        stage.make_passes(1)
        wait_until(lambda: len(stage.heard()) == 1, "the first event")
        rows = rows_of("queue file locked")
        machine = Machine(stage.url, stage.environment, stage.folder)
        other = sqlite3.connect(tmp_path / "data" / "jobs.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        made = ask_all(machine, stage.key, rows)
        other.execute("COMMIT")
        other.close()
        ended = time.monotonic()
        wait_until(lambda: len(set(stage.heard())) == 1 + len(made), "the events of the fault")
        rows["write"].heals_in = time.monotonic() - ended
        for kind, row in rows.items():
            assert row.statuses == {"200"}, kind
            assert row.slowest < LONGEST_SECONDS, kind
