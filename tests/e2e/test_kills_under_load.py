"""Processes of the service as the Procfile starts it die at any moment, under load, and nobody's points are wrong."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.store.tables import events, operations, passes
from tests.e2e.kills import KILLS, Count, show
from tests.e2e.stage import Answer, Call, Stage, procfile_server
from tests.processes import wait_until
from tests.tables import Tally
from tests.thorough import DATABASES, amount
from tests.world import MEMBERSHIP

pytestmark = pytest.mark.slow

CLIENTS = 6
MOST_BETWEEN_KILLS = 30


@pytest.fixture(params=amount(("sqlite",), thorough=DATABASES))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The service as the Procfile starts it."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    with procfile_server(tmp_path_factory.mktemp("stage"), url) as running:
        yield running


def test_points_are_exact_while_server_processes_die(tally: Tally, stage: Stage) -> None:
    kills = max(2, KILLS // 2)
    made = stage.until_done(Call("create-pass", {"program_id": MEMBERSHIP, "external_id": "shared"})).json
    answers: list[tuple[Call, Answer]] = []
    ended, numbers = threading.Event(), count(1)

    def earn() -> None:
        while not ended.is_set():
            body = {"pass_id": made["id"], "change": "add", "points": 1}
            call = Call("update-points", body, idempotency_key=f"purchase-{next(numbers)}")
            answers.append((call, stage.until_done(call)))

    clients = [threading.Thread(target=earn) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _ in range(kills):
            enough = len(answers) + random.randint(1, MOST_BETWEEN_KILLS)
            wait_until(lambda: len(answers) >= enough, "some answers")  # noqa: B023 - waited for at once
            kill_one_process(stage)
    finally:
        ended.set()
        for client in clients:
            client.join(120)
    counted = count_wrongs(stage, str(made["id"]), answers)
    counted.kills = kills
    show(tally, f"under load, {stage.world.service.store.engine.dialect.name}", "update-points", "any", counted)
    assert counted.is_clean, counted
    assert len(answers) >= kills


def kill_one_process(stage: Stage) -> None:
    """Kill one, whatever it is doing, and wait for its successor."""
    victim = random.choice(workers(stage))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in workers(stage) and len(workers(stage)) == 2, "a new process")


def workers(stage: Stage) -> list[int]:
    """Return the server's processes without their master."""
    children = Path(f"/proc/{stage.master}/task/{stage.master}/children")
    return [int(number) for number in children.read_text().split()]


def count_wrongs(stage: Stage, pass_id: str, answers: list[tuple[Call, Answer]]) -> Count:
    """Hold the balance, the events and the operations against what was acknowledged."""
    with stage.world.service.store.read() as connection:
        points = connection.execute(select(passes.c.points).where(passes.c.id == pass_id)).scalar_one()
        told = connection.execute(
            select(func.count()).where(events.c.pass_id == pass_id, events.c.type == "points.changed")
        ).scalar_one()
        done = connection.execute(
            select(func.count()).where(operations.c.pass_id == pass_id, operations.c.action == "update-points")
        ).scalar_one()
    counted = Count()
    counted.doubles = max(0, points // 100 - len(answers))
    counted.lost = sum(not stage.is_kept(answer) for _, answer in answers) + max(0, len(answers) - points // 100)
    counted.torn = int(not points / 100 == told == done)
    return counted
