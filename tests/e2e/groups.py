"""Machines that share a PostgreSQL and a Redis: each a web server and a worker with a data folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.e2e.hooks import kill
from tests.events.receivers import Receiver, answer, receiving
from tests.processes import ROOT, free_port, running, wait_until
from tests.redis_server import RedisServer
from tests.world import World, make_world

PATIENCE_SECONDS = 60.0
# Nothing comes back while a test runs: one request a minute.
PER_MINUTE, BURST = 1, 200


@dataclass
class Machine:
    """A machine that runs the two lines of the Procfile."""

    url: str
    environment: dict[str, str]
    folder: Path
    worker: subprocess.Popen[bytes] | None = None

    def send(self, method: str, path: str, key: str, body: Any = None) -> requests.Response:
        """Send a request to this machine's web server."""
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS)

    def run_python(self, code: str) -> None:
        """Run code on this machine, with its settings."""
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, **self.environment})

    def start_worker(self, stack: ExitStack) -> None:
        """Start the worker; it ends with the stack at the latest."""
        self.worker = stack.enter_context(running("worker", self.environment, self.folder / "worker.log"))

    def kill_worker(self) -> None:
        """End the worker as a crash would."""
        assert self.worker is not None
        kill(self.worker)

    def complaints(self) -> list[dict[str, Any]]:
        """Return the lines of both logs that tell of something wrong."""
        lines = [
            json.loads(line)
            for name in ("web.log", "worker.log")
            for line in (self.folder / name).read_text().splitlines()
            if line.startswith("{")
        ]
        return [line for line in lines if line["level"] in ("warning", "error", "critical")]


@dataclass
class Machines:
    """All of them, with the receiver that hooks lead to. `world.service` reaches the database from the outside."""

    machines: Sequence[Machine]
    world: World
    redis: RedisServer
    receiver: Receiver
    stack: ExitStack

    def subscribe(self, key: str, *event_types: str) -> str:
        """Make a hook that leads to the receiver, and return its ID."""
        body = {"target_url": self.receiver.url, "event_types": event_types}
        made = self.machines[0].send("POST", "/v1/hooks", key, body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def heard(self, event_type: str) -> list[dict[str, Any]]:
        """Return the events of a type that the receiver got, repeats included."""
        told = [json.loads(body) for _, body in list(self.receiver.requests)]
        return [event for event in told if event["type"] == event_type]

    def act_at_once(self, action: str, bodies: Sequence[Any], key: str) -> list[requests.Response]:
        """Send requests at the same moment, to the machines in turn."""
        barrier = threading.Barrier(len(bodies))
        answers: dict[int, requests.Response] = {}

        def run(place: int) -> None:
            machine = self.machines[place % len(self.machines)]
            barrier.wait(PATIENCE_SECONDS)
            answers[place] = machine.send("POST", f"/v1/actions/{action}", key, bodies[place])

        threads = [threading.Thread(target=run, args=(place,)) for place in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE_SECONDS)
        assert len(answers) == len(bodies), "requests without an answer"
        return [answers[place] for place in range(len(bodies))]


@contextmanager
def running_machines(folder: Path, database_url: str, redis: RedisServer, number: int) -> Iterator[Machines]:
    """Start that many machines on a fresh database."""
    world = make_world(folder / "world", database_url)
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving(answer(204)))
        machines = []
        for place in range(number):
            own, port = folder / f"machine_{place}", free_port()
            own.mkdir()
            environment = {
                "DATA_DIR": str(own / "data"),
                "DATABASE_URL": database_url,
                "REDIS_URL": redis.url,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WEB_CONCURRENCY": "1",
                "HOOK_ALLOWED_HOSTS": "127.0.0.1",
                "RATE_LIMIT_PER_MINUTE": str(PER_MINUTE),
                "RATE_LIMIT_BURST": str(BURST),
            }
            machine = Machine(f"http://127.0.0.1:{port}", environment, own)
            stack.enter_context(running("web", environment, own / "web.log"))
            machine.start_worker(stack)
            machines.append(machine)
        for machine in machines:
            wait_until(lambda machine=machine: _is_ready(machine), "a machine with its worker")  # type: ignore[misc]
        yield Machines(machines, world, redis, receiver, stack)
    world.service.store.close()


def _is_ready(machine: Machine) -> bool:
    try:
        return requests.get(f"{machine.url}/readyz?worker", timeout=5).ok
    except requests.ConnectionError:
        return False
