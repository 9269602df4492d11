"""Purges that are killed half-way, beside a server at work, lose nothing that is still promised."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from app.model import system_clock
from app.retention import purge
from app.store.columns import to_milliseconds
from app.store.tables import operations
from tests.e2e.kills import KILLS, Count, new_names, show
from tests.e2e.purging import CHUNK, CHUNKS_BEFORE_A_KILL
from tests.e2e.scenes import SCENES
from tests.e2e.stage import Answer, Call, Stage, killable_server
from tests.processes import ROOT
from tests.tables import Tally

# Some of them die amid the answers, which are forgotten first, and some amid the operations.
PURGE_KILLS = max(KILLS, 3)
pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]

SCENE = SCENES["create-pass"]
STATUSES = ("succeeded", "failed", "running", "unknown")
OPEN = ("running", "unknown")
# Past the time of its answer, and past all time.
ANSWERED, ENDED = timedelta(days=7), timedelta(days=400)


OLDEST, YOUNGER = "op_00_ended_", "op_00_kept_"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server at work while old operations are purged."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    with killable_server(tmp_path_factory.mktemp("stage"), url) as running:
        yield running


@dataclass(frozen=True, slots=True)
class OldOperation:
    """What a purge changes of an operation, or must not."""

    id: str
    status: str
    key_digest: str | None
    answer: str | None

    @property
    def is_kept(self) -> bool:
        """Tell whether it must be there, whatever a purge has done."""
        return self.status in OPEN or self.id.startswith(YOUNGER)


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
    number = (PURGE_KILLS + 2) * CHUNKS_BEFORE_A_KILL * CHUNK // 2
    made = [
        *add_operations(stage, OLDEST, ENDED, None, number),
        *add_operations(stage, YOUNGER, ANSWERED, "{}", CHUNK),
    ]
    with Traffic(stage) as traffic:
        died = kill_purges(stage, PURGE_KILLS)
    counted = Count(kills=died)
    counted.lost = sum(not is_repeated(stage, call, answer) for call, answer in [*young, *traffic.answers])
    left = {row.id: row for row in old_rows(stage)}
    counted.lost += sum(row.is_kept and row.id not in left for row in made)
    counted.torn = sum(row.key_digest is None for row in left.values())
    show(tally, f"during purge, {stage.world.service.store.engine.dialect.name}", "purge", "during purge", counted)
    assert died == PURGE_KILLS
    assert counted.is_clean, counted
    assert traffic.answers
    assert any(row.id not in left for row in made), "the purges were killed before the first operation was deleted"
    assert any(not row.is_kept for row in left.values()), "the purges were killed after the last chunk"


def test_the_next_purge_ends_what_the_killed_ones_began(stage: Stage) -> None:
    young = acknowledge(stage, 5)
    service = dataclasses.replace(stage.world.service, clock=system_clock)
    purge(service)
    assert set(purge(service).values()) == {0}
    left = old_rows(stage)
    assert all(row.is_kept and row.key_digest for row in left)
    assert {row.answer for row in left if row.id.startswith(YOUNGER)} == {None}
    assert all(is_repeated(stage, call, answer) for call, answer in young)


def acknowledge(stage: Stage, number: int) -> list[tuple[Call, Answer]]:
    """Do some actions; one half of them is as old as can be and still promised."""
    calls = [Call(SCENE.action, SCENE.body(name), f"key-{name}") for name in new_names(SCENE, number)]
    done = [(call, stage.until_done(call)) for call in calls]
    almost = system_clock() - ANSWERED + timedelta(minutes=5)
    ids = [answer.json["operation_id"] for _, answer in done[::2]]
    with stage.world.service.store.write() as connection:
        query = update(operations).where(operations.c.id.in_(ids))
        connection.execute(query.values(created_at=to_milliseconds(almost)))
    return done


def is_repeated(stage: Stage, call: Call, answer: Answer) -> bool:
    """Tell whether a repeat is answered alike, and what was acknowledged is still there."""
    again = stage.send(call)
    return again.is_replay and again.body == answer.body and stage.is_kept(answer)


def add_operations(stage: Stage, prefix: str, age: timedelta, answer: str | None, number: int) -> list[OldOperation]:
    """Add operations that are a little older than this; some of the oldest are still open."""
    made = [
        OldOperation(
            id=f"{prefix}{index:06}",
            status=STATUSES[index // 10 % len(STATUSES)] if index % 10 == 0 and answer is None else STATUSES[0],
            key_digest=f"{prefix}{index}",
            answer=answer,
        )
        for index in range(number)
    ]
    same = {
        "account_id": stage.world.account.id,
        "mode": "test",
        "action": SCENE.action,
        "fingerprint": "f",
        "created_at": to_milliseconds(system_clock() - age - timedelta(minutes=5)),
    }
    with stage.world.service.store.write() as connection:
        connection.execute(insert(operations), [{**same, **dataclasses.asdict(row)} for row in made])
    return made


def kill_purges(stage: Stage, kills: int) -> int:
    """Run the purges that are killed, in a process of their own."""
    settings = json.dumps(dataclasses.asdict(stage.world.service.settings))
    command = [sys.executable, "-m", "tests.e2e.purging", settings, str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout)


def old_rows(stage: Stage) -> list[OldOperation]:
    """Return those of the added operations that are left."""
    columns = (operations.c.id, operations.c.status, operations.c.key_digest, operations.c.answer)
    with stage.world.service.store.read() as connection:
        found = [OldOperation(*row) for row in connection.execute(select(*columns))]
    return [row for row in found if row.id.startswith((OLDEST, YOUNGER))]
