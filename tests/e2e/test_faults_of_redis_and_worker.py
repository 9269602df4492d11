"""Redis stopped, killed or hanging, and the worker dead: callers notice nothing, events are late and none is lost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.store import tables
from app.store.workers import ALIVE
from tests.e2e.faults import FAULTS, Fault
from tests.e2e.groups import Machine, Machines, running_machines
from tests.postgres import NewDatabase
from tests.processes import wait_until
from tests.redis_server import running_redis
from tests.world import MEMBERSHIP

REQUESTS = 9
# What an action may take longer than before, in the middle of all; the machine may be busy, so three times as long is
# nothing to complain of. A wait for Redis would be seconds.
MORE_SECONDS = 0.1
LONGEST_SECONDS = 3.0
# The kinds of line that an outage of a few seconds may make: web server, worker's threads, its scheduler, its poster.
MOST_LINES = 12
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, postgres_url: NewDatabase) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("faults")
    with running_redis(folder) as redis, running_machines(folder, postgres_url(), redis, 1) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of requests of one kind."""

    statuses: tuple[int, ...]
    seconds: tuple[float, ...]
    pass_ids: frozenset[str] = frozenset()


def send_all(machine: Machine, key: str) -> dict[str, Sent]:
    """Send every kind of request several times."""
    body = {"program_id": MEMBERSHIP}
    kinds = {
        "read": ("GET", "/v1/passes?limit=1", None),
        "write": ("POST", "/v1/actions/create-pass", body),
        "health": ("GET", "/readyz", None),
    }
    return {name: _send(machine, key, *request) for name, request in kinds.items()}


def _send(machine: Machine, key: str, method: str, path: str, body: object) -> Sent:
    statuses, seconds, pass_ids = [], [], set()
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = machine.send(method, path, key, body)
        seconds.append(time.perf_counter() - began)
        statuses.append(answer.status_code)
        if method == "POST" and answer.ok:
            pass_ids.add(answer.json()["id"])
    return Sent(tuple(statuses), tuple(seconds), frozenset(pass_ids))


def heard_of(machines: Machines) -> set[str]:
    return {event["data"]["id"] for event in machines.heard("pass.created")}


def try_fault(machines: Machines, name: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Send requests before and during a fault, and wait until all is well again; note the rows of the table."""
    (machine,) = machines.machines
    key = machines.world.make_key()
    machines.subscribe(key, "pass.created")
    before = send_all(machine, key)
    wait_until(lambda: before["write"].pass_ids <= heard_of(machines), "the events before the fault")
    lines = len(machine.complaints())
    begin()
    try:
        during = send_all(machine, key)
    finally:
        end()
    ended = time.monotonic()
    wait_until(lambda: during["write"].pass_ids <= heard_of(machines), "the events of the fault")
    healed = time.monotonic() - ended
    lost = len(during["write"].pass_ids - heard_of(machines))
    for kind, sent in during.items():
        status = "/".join(map(str, sorted(set(sent.statuses))))
        FAULTS.append(Fault(name, kind, status, max(sent.seconds), healed if kind == "write" else 0.0, lost))
        assert set(sent.statuses) == {200}, kind
        allowed = 3 * statistics.median(before[kind].seconds) + MORE_SECONDS
        assert statistics.median(sent.seconds) < allowed, (kind, sent, before[kind])
        assert max(sent.seconds) < LONGEST_SECONDS, (kind, sent)
    complaints = machine.complaints()[lines:]
    assert len(complaints) <= MOST_LINES, complaints


@pytest.mark.parametrize("fault", ["stop", "kill", "hang"])
def test_redis_that_is_away_is_not_noticed_by_callers(machines: Machines, fault: str) -> None:
    redis = machines.redis
    begin, end, name = {
        "stop": (redis.stop, redis.start, "Redis stopped"),
        "kill": (redis.kill, redis.start, "Redis killed"),
        "hang": (redis.hang, redis.go_on, "Redis hangs"),
    }[fault]
    try_fault(machines, name, begin, end)


def test_a_dead_worker_is_noticed_by_who_asks_for_it_alone(machines: Machines) -> None:
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
        try_fault(machines, "worker dead", begin, lambda: machine.start_worker(stack))
        wait_until(is_ready_with_worker, "the heartbeat of the new worker")


def let_heartbeats_age(machines: Machines) -> None:
    """Do what two minutes would."""
    with machines.world.service.store.write() as connection:
        older = tables.workers.c.seen_at - (ALIVE + timedelta(seconds=1)) // timedelta(milliseconds=1)
        connection.execute(update(tables.workers).values(seen_at=older))
