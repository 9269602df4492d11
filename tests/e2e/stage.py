"""A real server, its clients, and a look into its database that does not go through the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from app.api.actions import BATCH_MAX
from app.server import figures
from app.store.tables import events, operations, passes
from tests.e2e import killable
from tests.e2e.scenes import Scene
from tests.processes import ROOT, free_port, running, wait_until
from tests.world import World, make_world

HOST = "127.0.0.1"
PATIENCE_SECONDS = 180.0
LEASE_SECONDS = 60
WORKERS_TO_KILL = 4


class Cut(Exception):
    """The connection ended without an answer: what a caller sees of a crash."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_replay(self) -> bool:
        """Tell whether it is the stored answer of an earlier request."""
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def json(self) -> dict[str, Any]:
        """The body, read."""
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def code(self) -> str:
        """The stable code of a problem, or nothing."""
        return str(self.json.get("code", "")) if self.status >= 400 else ""

    @property
    def is_in_progress(self) -> bool:
        """Tell whether it asks to come again because the first request still runs."""
        return (self.status, self.code) == (409, "idempotency-in-progress")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to do an action, ready to be sent any number of times."""

    action: str
    body: Mapping[str, Any]
    idempotency_key: str | None = None
    kill_at: str | None = None
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """How often an action's effect is there, as told by each of the three tables that must agree."""

    by_passes: int
    by_events: int
    by_operations: int

    @property
    def effects(self) -> int:
        """The highest number that any table tells."""
        return max(self.by_passes, self.by_events, self.by_operations)

    @property
    def is_whole(self) -> bool:
        """Tell whether pass, event and operation are all there, or none of them is."""
        return self.by_passes == self.by_events == self.by_operations


@dataclass
class Stage:
    """A running server with its world: `world.service` reaches the same database from the outside."""

    world: World
    port: int
    folder: Path
    master: int = 0
    offset: float = 0.0

    def send(self, call: Call, connection: HTTPConnection | None = None) -> Answer:
        """Send a request.

        Raises:
            Cut: no answer came.
        """
        connection = connection or self.connect()
        headers = {"Authorization": f"Bearer {call.api_key or self.world.key}", "Content-Type": "application/json"}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        if call.kill_at is not None:
            headers[killable.HEADER] = call.kill_at
        try:
            connection.request("POST", f"/v1/actions/{call.action}", json.dumps(dict(call.body)), headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        except (HTTPException, OSError) as error:
            raise Cut from error
        finally:
            connection.close()

    def connect(self) -> HTTPConnection:
        """Open a connection of one's own."""
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE_SECONDS)
        wait_until(lambda: _connects(connection), "a connection")
        return connection

    def send_at_once(self, calls: Sequence[Call]) -> list[Answer]:
        """Send all requests at the same moment, each from a thread with a connection that is open already."""
        barrier = threading.Barrier(len(calls))
        answers: list[Answer | None] = [None] * len(calls)

        def run(place: int) -> None:
            connection = self.connect()
            barrier.wait(PATIENCE_SECONDS)
            answers[place] = self.send(calls[place], connection)

        threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE_SECONDS)
        assert None not in answers, f"{answers.count(None)} requests got no answer"
        return [answer for answer in answers if answer is not None]

    def until_done(self, call: Call) -> Answer:
        """Send a request until it succeeds, as Zapier and Make do; let leases lapse meanwhile."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < deadline, f"never succeeded: {call}"
            try:
                answer = self.send(call)
            except Cut:
                continue
            if answer.status == 200:
                return answer
            assert answer.is_in_progress or answer.status in (503, 504), answer
            if answer.is_in_progress:
                assert 1 <= int(answer.headers["retry-after"]) <= 5
                self.let_leases_lapse()

    def let_leases_lapse(self) -> None:
        """Move the clock of the killable server."""
        self.offset += LEASE_SECONDS + 1
        beside = self.folder / "clock.new"
        beside.write_text(str(self.offset))
        beside.replace(self.folder / "clock")

    def prepare(self, scene: Scene, names: Sequence[str], remote: bool = False) -> None:
        """Make the passes a scene is about."""
        for action, bodies in scene.preparation(names, remote=remote):
            for start in range(0, len(bodies), BATCH_MAX):
                answer = self.send(Call(f"{action}/batch", {"items": bodies[start : start + BATCH_MAX]}))
                assert answer.status == 200, answer
                assert answer.json["failed"] == 0, answer

    def look(self, scene: Scene, name: str) -> Seen:
        """Count the effect in the database."""
        with self.world.service.store.read() as connection:
            found = connection.execute(select(passes).where(passes.c.email == scene.email(name))).all()
            mine = [row.id for row in found]
            told = connection.execute(select(events.c.type).where(events.c.pass_id.in_(mine))).scalars().all()
            done = connection.execute(
                select(operations.c.id).where(
                    operations.c.pass_id.in_(mine),
                    operations.c.action == scene.action,
                    operations.c.status == "succeeded",
                )
            ).all()
        return Seen(sum(scene.count(row) for row in found), told.count(scene.event), len(done))

    def operation(self, operation_id: str) -> Row[Any] | None:
        """Return an operation's row."""
        with self.world.service.store.read() as connection:
            return connection.execute(select(operations).where(operations.c.id == operation_id)).first()

    def is_kept(self, answer: Answer) -> bool:
        """Tell whether what a success said is still true: the operation, its stored answer and its event."""
        row = self.operation(answer.json["operation_id"])
        if row is None or row.status != "succeeded" or row.answer is None or row.answer.encode() != answer.body:
            return False
        with self.world.service.store.read() as connection:
            told = connection.execute(select(events.c.id).where(events.c.operation_id == row.id)).all()
        return len(told) == 1

    def kills(self) -> list[str]:
        """Return the seams at which processes died so far."""
        return _lines(self.folder / "kills")

    def remote_effects(self, scene: Scene, name: str) -> int:
        """Count the effects in the place outside of our database."""
        ends = f" {killable.REMOTE}{name} {scene.event}"
        return sum(line.endswith(ends) for line in _lines(self.folder / "ledger"))

    def processes_that_answered(self) -> int:
        """Count the processes that answered: each has written figures, beyond the 8 bytes of an empty file."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text().split()
        files = [file for child in children for file in figures.MEMORY.glob(f"{figures.PREFIX}*/histogram_{child}.db")]
        return sum(int.from_bytes(file.read_bytes()[:4], "little") > 8 for file in files)


@contextmanager
def procfile_server(folder: Path, database_url: str) -> Iterator[Stage]:
    """Run the service exactly as the Procfile does: 2 processes of 32 threads."""
    stage, environment = _set_up(folder, database_url)
    log = folder / "log"
    with running("web", environment, log) as process:
        _wait_for(stage, process, log)
        stage.master = process.pid
        yield stage
    stage.world.service.store.close()


@contextmanager
def killable_server(folder: Path, database_url: str = "", plant: str = "", **settings: str) -> Iterator[Stage]:
    """Run `killable.py` under gunicorn, whose master replaces the processes that are killed."""
    stage, environment = _set_up(folder, database_url)
    environment |= {
        killable.FOLDER: str(folder),
        killable.PLANT: plant,
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "WEB_CONCURRENCY": str(WORKERS_TO_KILL),
        "LOG_LEVEL": "ERROR",
        **settings,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "python:app.gunicorn_conf", "--preload"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "tests.e2e.killable:application()"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(stage, process, log)
        yield stage
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: there is nothing in it that must end well
        process.wait(PATIENCE_SECONDS)
        stage.world.service.store.close()


def _set_up(folder: Path, database_url: str) -> tuple[Stage, dict[str, str]]:
    port = free_port()
    world = make_world(folder / "data", database_url)
    environment = {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": database_url,
        "HOST": HOST,
        "PORT": str(port),
        "RATE_LIMIT_PER_MINUTE": "10000000",
        "RATE_LIMIT_BURST": "1000000",
    }
    return Stage(world, port, folder), environment


def _wait_for(stage: Stage, process: subprocess.Popen[bytes], log: Path) -> None:
    probe = HTTPConnection(HOST, stage.port, timeout=PATIENCE_SECONDS)
    wait_until(lambda: process.poll() is not None or _connects(probe), "the server")
    probe.close()
    assert process.poll() is None, log.read_text()


def _connects(connection: HTTPConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    return True


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
