"""A web server, a worker and a receiver, all real: what the tests of deliveries by real processes share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.events.receivers import Receiver, answer, receiving
from tests.processes import ROOT, command_of, free_port, running, wait_until
from tests.world import MEMBERSHIP, make_world


@dataclass
class HookStage:
    """The running parts. The worker is started by the test, as often as it likes."""

    url: str
    key: str
    receiver: Receiver
    environment: dict[str, str]
    folder: Path

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the web server and return the answer's JSON."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answered = requests.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=120)
        assert answered.ok, answered.text
        return answered.json()

    def subscribe(self, *event_types: str, program_id: str | None = None, url: str | None = None) -> str:
        """Make a hook that leads to the receiver, or another one, and return its ID."""
        body = {"target_url": url or self.receiver.url, "event_types": event_types, "program_id": program_id}
        return str(self.request("POST", "/v1/hooks", body)["id"])

    def make_program(self, name: str) -> str:
        """Make another program, and return its ID."""
        return str(self.request("POST", "/v1/programs", {"kind": "membership", "name": name})["id"])

    def make_passes(self, number: int, program_id: str = MEMBERSHIP) -> None:
        """Issue passes, each with its event."""
        for done in range(0, number, 100):
            items = [{"program_id": program_id}] * min(100, number - done)
            assert self.request("POST", "/v1/actions/create-pass/batch", {"items": items})["failed"] == 0

    def event_ids(self) -> set[str]:
        """Return the IDs of all events that hooks were to hear of."""
        found: set[str] = set()
        query = "limit=100&type=pass.created"
        while True:
            page = self.request("GET", f"/v1/events?{query}")
            found |= {event["id"] for event in page["data"]}
            if page["next_cursor"] is None:
                return found
            query = f"limit=100&type=pass.created&cursor={page['next_cursor']}"

    def heard(self) -> list[str]:
        """Return the IDs of the events the receiver got, in that order."""
        return [json.loads(body)["id"] for _, body in list(self.receiver.requests)]

    @contextmanager
    def worker(self, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker until the end of the block."""
        with running("worker", {**self.environment, **settings}, self.folder / "worker.log") as process:
            yield process

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker that the caller kills."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                command_of("worker"),
                cwd=ROOT,
                env={**os.environ, "PATH": path, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a crash would."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)


@contextmanager
def hook_stage(folder: Path, database_url: str = "", **settings: str) -> Iterator[HookStage]:
    """Start web server and receiver on a fresh database.

    Args:
        folder: where everything of it lies.
        database_url: default: SQLite.
        settings: more of the environment, for web server and worker alike.
    """
    world = make_world(folder / "data", database_url)
    world.service.store.close()
    port = free_port()
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving(answer(204)))
        environment = {
            "DATA_DIR": str(folder / "data"),
            "DATABASE_URL": database_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "HOOK_ALLOWED_HOSTS": "127.0.0.1",
            "RATE_LIMIT_PER_MINUTE": "1000000",
            "RATE_LIMIT_BURST": "1000000",
            **settings,
        }
        stack.enter_context(running("web", environment, folder / "web.log"))
        stage = HookStage(f"http://127.0.0.1:{port}", world.key, receiver, environment, folder)
        wait_until(lambda: _is_ready(stage.url), "the web server")
        yield stage


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=120).ok
    except requests.RequestException:
        return False
