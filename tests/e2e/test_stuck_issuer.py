"""A remote issuer that hangs holds only those who wait for it: the real server goes on answering everybody else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from bench import passkit
from bench.databases import Database, databases
from bench.servers import SERVICE, Server, serving
from bench.upstream import Upstream, running_upstream

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the server is watched through /proc")

THREADS = 16  # in each of two processes: 8 of them may wait for the issuer
CALLERS = 60
STUCK_SECONDS = 6.0
QUICK_SECONDS = 2.0  # on a machine that does much else; beside the callers that wait it is a third of their time


@dataclass(frozen=True, slots=True)
class Stage:
    """The Procfile's web server, an account connected to an upstream, its members."""

    server: Server
    upstream: Upstream
    database: Database

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the account's key on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.database.key}", **options.pop("headers", {})}
        address = f"http://127.0.0.1:{self.server.port}{path}"
        return requests.request(method, address, headers=headers, timeout=60, **options)

    def add_points(self, number: int) -> requests.Response:
        """Add a point to a member, under the number as key."""
        body = {"pass_id": passkit.PASS_IDS[number % passkit.PASSES], "change": "add", "points": 1}
        return self.send("POST", "/v1/actions/update-points", json=body, headers={"Idempotency-Key": f"k-{number}"})


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with databases("sqlite") as new_database, running_upstream() as upstream:
        database = passkit.connect(new_database(), upstream)
        environment = {**database.environment, **getattr(request, "param", {})}
        with serving(SERVICE, environment, database.folder, "/healthz") as server:
            yield Stage(server, upstream, database)


def at_once(stage: Stage, callers: int) -> list[requests.Response]:
    with ThreadPoolExecutor(callers) as threads:
        return list(threads.map(stage.add_points, range(callers)))


@pytest.mark.parametrize("stage", [{"WEB_THREADS": str(THREADS)}], indirect=True)
def test_others_are_answered_while_more_callers_than_threads_wait_for_a_stuck_issuer(stage: Stage) -> None:
    stage.add_points(passkit.PASSES - 1)
    stage.upstream.delay(STUCK_SECONDS)
    with ThreadPoolExecutor(CALLERS) as threads:
        sent = [threads.submit(stage.add_points, number) for number in range(CALLERS)]
        began = time.monotonic()
        while time.monotonic() - began < STUCK_SECONDS / 2:
            for path in ("/healthz", f"/v1/passes/{passkit.PASS_IDS[0]}", "/v1/passes?limit=5"):
                answer = stage.send("GET", path)
                assert answer.status_code == 200
                assert answer.elapsed.total_seconds() < QUICK_SECONDS, path
        answers = [one.result() for one in sent]
    stage.upstream.delay(0)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert CALLERS - THREADS <= len(refused) < CALLERS
    for answer in refused:
        assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "too-busy", True)
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.elapsed.total_seconds() < STUCK_SECONDS / 2
    # Who was refused has begun nothing, and sends the same request again.
    assert {stage.add_points(number).status_code for number in range(CALLERS)} == {200}
    passkit.check_effects(stage.database, stage.upstream.counted())


def test_thirty_two_callers_at_a_slow_issuer_are_ordinary_traffic(stage: Stage) -> None:
    stage.upstream.delay(passkit.DELAY_SECONDS)
    for _ in range(5):
        failed = [answer.text for answer in at_once(stage, passkit.MANY) if answer.status_code != 200]
        assert failed == [], (stage.database.folder / "web.log").read_text(encoding="utf-8")[-4000:]
