"""Purges that are killed half-way, beside a server at work, lose nothing that is still promised."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from app.model import system_clock
from app.operations.purge import purge
from app.store.columns import to_milliseconds
from app.store.tables import operations
from tests.e2e.kills import KILLS, Count, new_names, show
from tests.e2e.purging import CHUNK, CHUNKS_BEFORE_A_KILL
from tests.e2e.scenes import SCENES
from tests.e2e.stage import Answer, Call, Stage, killable_server
from tests.processes import ROOT
from tests.tables import Tally

pytestmark = pytest.mark.slow

SCENE = SCENES["create-pass"]
STATUSES = ("succeeded", "failed", "running", "unknown")
OPEN = ("running", "unknown")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server at work while old operations are purged."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    with killable_server(tmp_path_factory.mktemp("stage"), url) as running:
        yield running


@dataclass(frozen=True, slots=True)
class OldOperation:
    """What a purge changes of an operation, or must not."""

    status: str
    idempotency_key: str | None
    answer: str | None


@dataclass
class Traffic:
    """Requests that go on meanwhile; each is repeated until it succeeds, and every answer is kept."""

    stage: Stage
    answers: list[tuple[Call, Answer]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Traffic:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._ended.is_set():
            [name] = new_names(SCENE, 1)
            call = Call(SCENE.action, SCENE.body(name), idempotency_key=f"key-{name}")
            self.answers.append((call, self.stage.until_done(call)))


def test_a_purge_that_is_killed_loses_nothing_that_is_promised(tally: Tally, stage: Stage) -> None:
    young = acknowledge(stage, 20)
    add_old_operations(stage, (KILLS + 2) * CHUNKS_BEFORE_A_KILL * CHUNK)
    with Traffic(stage) as traffic:
        died = kill_purges(stage, KILLS)
    counted = Count(kills=died)
    counted.lost = sum(not is_repeated(stage, call, answer) for call, answer in [*young, *traffic.answers])
    rows = old_rows(stage)
    counted.lost += sum(row.idempotency_key is None for row in rows if row.status in OPEN)
    counted.torn = sum((row.idempotency_key is None) != (row.answer is None) for row in rows if row.status not in OPEN)
    show(tally, f"during purge, {stage.world.service.store.engine.dialect.name}", "purge", "during purge", counted)
    assert died == KILLS
    assert counted.is_clean, counted
    assert traffic.answers
    forgotten = sum(row.idempotency_key is None for row in rows)
    assert 0 < forgotten < len(rows), "the purges were killed before the first or after the last chunk"


def test_the_next_purge_ends_what_the_killed_ones_began(stage: Stage) -> None:
    young = acknowledge(stage, 5)
    service = dataclasses.replace(stage.world.service, clock=system_clock)
    purge(service)
    assert purge(service) == 0
    for row in old_rows(stage):
        assert (row.idempotency_key is None) == (row.status not in OPEN)
    assert all(is_repeated(stage, call, answer) for call, answer in young)


def acknowledge(stage: Stage, number: int) -> list[tuple[Call, Answer]]:
    """Do some actions; one half of them is as old as can be and still promised."""
    calls = [Call(SCENE.action, SCENE.body(name), f"key-{name}") for name in new_names(SCENE, number)]
    done = [(call, stage.until_done(call)) for call in calls]
    almost = long_ago() + timedelta(minutes=5)
    keys = [call.idempotency_key for call in calls[::2]]
    with stage.world.service.store.write() as connection:
        query = update(operations).where(operations.c.idempotency_key.in_(keys))
        connection.execute(query.values(created_at=to_milliseconds(almost)))
    return done


def is_repeated(stage: Stage, call: Call, answer: Answer) -> bool:
    """Tell whether a repeat is answered alike, and what was acknowledged is still there."""
    again = stage.send(call)
    return again.is_replay and again.body == answer.body and stage.is_kept(answer)


def add_old_operations(stage: Stage, number: int) -> None:
    """Add operations that are over their time; some of them are still open."""
    old = to_milliseconds(long_ago() - timedelta(minutes=5))
    rows = [
        {
            "id": f"op_old_{index}",
            "account_id": stage.world.account.id,
            "mode": "test",
            "action": SCENE.action,
            "status": STATUSES[0] if index % 10 else STATUSES[index // 10 % len(STATUSES)],
            "idempotency_key": f"old-{index}",
            "fingerprint": "f",
            "answer": "{}",
            "created_at": old,
        }
        for index in range(number)
    ]
    with stage.world.service.store.write() as connection:
        connection.execute(insert(operations), rows)


def kill_purges(stage: Stage, kills: int) -> int:
    """Run the purges that are killed, in a process of their own."""
    settings = json.dumps(dataclasses.asdict(stage.world.service.settings))
    command = [sys.executable, "-m", "tests.e2e.purging", settings, str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout)


def old_rows(stage: Stage) -> list[OldOperation]:
    """Return the operations that are over their time."""
    with stage.world.service.store.read() as connection:
        found = connection.execute(select(operations).where(operations.c.id.startswith("op_old_"))).all()
    return [OldOperation(row.status, row.idempotency_key, row.answer) for row in found]


def long_ago() -> datetime:
    """Return the instant before which nothing is promised any more."""
    return system_clock() - timedelta(days=7)
