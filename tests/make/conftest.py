"""The real service with its worker on loopback, and users of the app who reach it as Make does: by a public address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.make.iml.project import Project
from tests.make.iml.runner import Runner
from tests.make.iml.wire import Wire
from tests.processes import free_port, running, wait_until
from tests.world import World, make_world

ADDRESS = "https://passes.example.com"
Answerer = Callable[[str, dict[str, str], bytes], tuple[int, str, bytes]]


@dataclass
class Listener:
    """A small HTTP server that answers what it is told to, and keeps what it got."""

    answer: Answerer
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                listener.got.append((self.path, dict(self.headers), body))
                status, content_type, answer = listener.answer(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        """Where it listens: host and port."""
        return f"127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Service:
    """The running service, and what Make's side of a webhook is: `gateway`."""

    world: World
    url: str
    gateway: Listener

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API beside the app, and return what it answers."""
        headers = {"Authorization": f"Bearer {self.world.key}"}
        answer = requests.request(method, self.url + path, headers=headers, json=body, timeout=120)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def user(self, key: str | None = None) -> Runner:
        """Return somebody who has connected the app."""
        runner = Runner(Wire({ADDRESS: self.url}))
        runner.connect({"baseUrl": ADDRESS, "apiKey": key or self.world.key})
        return runner


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as the Procfile runs it: web and worker."""
    folder = tmp_path_factory.mktemp("make")
    world, port = make_world(folder / "data"), free_port()
    gateway = Listener(lambda path, headers, body: (404, "text/plain", b"no such webhook"))
    environment = {
        "DATA_DIR": str(folder / "data"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RATE_LIMIT_PER_MINUTE": "10000000",
        "RATE_LIMIT_BURST": "1000000",
        "HOOK_ALLOWED_HOSTS": gateway.host,
    }
    url = f"http://127.0.0.1:{port}"
    with running("web", environment, folder / "web.log"), running("worker", environment, folder / "worker.log"):
        wait_until(lambda: _is_ready(url), "the service")
        yield Service(world, url, gateway)
    gateway.close()
    world.service.store.close()


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=120).status_code == 200
    except requests.RequestException:
        return False


@pytest.fixture
def user(service: Service) -> Runner:
    """Somebody who has connected the app with a key that may do everything."""
    return service.user()


@pytest.fixture
def stranger() -> Iterator[Listener]:
    """A server that is told what to answer."""
    listener = Listener(lambda path, headers, body: (200, "text/html", b"<h1>Welcome</h1>"))
    yield listener
    listener.close()


@pytest.fixture
def connected_to_stranger(stranger: Listener) -> Runner:
    """Somebody whose connection was made in better days: now the stranger answers."""
    return Runner(Wire({ADDRESS: f"http://{stranger.host}"}), connection={"baseUrl": ADDRESS, "apiKey": "pr_test_x"})


@pytest.fixture(scope="session")
def project() -> Project:
    """The app's files."""
    return Project()
