"""A running service, and Zapier's own programs beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.processes import free_port, running, wait_until
from tests.world import World, make_world
from tests.zapier.workshop import Workshop, open_workshop


@dataclass(frozen=True)
class RunningService:
    """Web server and worker, as the Procfile starts them. It may deliver to `receiver_port` of this machine."""

    world: World
    port: int
    receiver_port: int
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="package")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The app with its libraries, and Zapier's client."""
    return open_workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service with the demo's programs."""
    folder = tmp_path_factory.mktemp("service")
    port, receiver_port = free_port(), free_port()
    environment = {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": "",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RATE_LIMIT_PER_MINUTE": "10000000",
        "RATE_LIMIT_BURST": "1000000",
        "HOOK_ALLOWED_HOSTS": f"127.0.0.1:{receiver_port}",
    }
    world = make_world(folder / "data")
    with running("web", environment, folder / "web.log"), running("worker", environment, folder / "worker.log"):
        wait_until(lambda: _is_up(port), "the server")
        yield RunningService(world, port, receiver_port, environment)
    world.service.store.close()


@pytest.fixture(scope="package")
def python_environment(service: RunningService) -> dict[str, str]:
    """The environment in which a Python program of the project meets the service's data."""
    root = str(Path(__file__).parents[2])
    return {**service.environment, "PYTHONPATH": os.pathsep.join([root, *sys.path[1:]])}


def _is_up(port: int) -> bool:
    probe = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        probe.request("GET", "/healthz")
        return probe.getresponse().status == 200
    except OSError:
        return False
    finally:
        probe.close()
