"""The web server of the Procfile as clients see it: bytes on sockets."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.processes import free_port, running, wait_until
from tests.world import MEMBERSHIP, World, make_world

HOST = "127.0.0.1"
NO_LIMIT = {"RATE_LIMIT_PER_MINUTE": "10000000", "RATE_LIMIT_BURST": "1000000"}


@dataclass(frozen=True)
class Web:
    """A running server, and the database it serves."""

    world: World
    port: int
    master: int
    log: Path

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What identifies a caller."""
        return {"Authorization": f"Bearer {self.world.key}"}

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection((HOST, self.port), timeout=60)

    def head(self, start: str, *fields: str) -> bytes:
        """Write the head of a request with a key: `POST /v1/... `, further fields."""
        own = ("Host: localhost", f"Authorization: Bearer {self.world.key}", "Content-Type: application/json")
        return "\r\n".join([f"{start} HTTP/1.1", *own, *fields, "", ""]).encode()

    def workers(self) -> list[int]:
        """Return the process IDs of the server processes."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        return [int(pid) for pid in children.read_text().split()]

    def is_healthy(self, seconds: float = 5) -> bool:
        """Tell whether it answers in time."""
        try:
            return requests.get(f"{self.address}/healthz", timeout=seconds).ok
        except requests.RequestException:
            return False

    def create(self, external_id: str) -> requests.Response:
        """Create a pass."""
        body = {"program_id": MEMBERSHIP, "external_id": external_id}
        url = f"{self.address}/v1/actions/create-pass"
        return requests.post(url, json=body, headers=self.headers, timeout=30)


@contextmanager
def serving(
    folder: Path, environment: Mapping[str, str] | None = None, *, data: Path | None = None, within: Sequence[str] = ()
) -> Iterator[Web]:
    """Run the server on a fresh database, until the block ends.

    Args:
        folder: for its output, and for its data.
        environment: settings.
        data: another place for its data.
        within: see `running`.
    """
    data = data or folder / "data"
    environment = environment or {}
    world, port, log = make_world(data, environment.get("DATABASE_URL", "")), free_port(), folder / "log"
    settings = {"DATA_DIR": str(data), "HOST": HOST, "PORT": str(port), **NO_LIMIT, **environment}
    with running("web", settings, log, within) as process:
        web = Web(world, port, process.pid, log)
        wait_until(lambda: process.poll() is not None or web.is_healthy(), "the server")
        assert process.poll() is None, log.read_text()
        try:
            yield web
        finally:
            world.service.store.close()


def read_answer(connection: socket.socket) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Read one answer: status, headers, body."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.headers, answer.read()


def seconds_until_closed(connection: socket.socket) -> float:
    """Read on until the server closes; return how long that took."""
    began = time.monotonic()
    while connection.recv(65536):
        pass
    return time.monotonic() - began
