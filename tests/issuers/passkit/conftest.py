"""PassKit's client with nothing real around it: time that stands still, sleeps that are written down, mocked HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import responses

from app.issuers.passkit.credentials import Credentials
from app.issuers.passkit.transport import Transport, Upstream
from app.issuers.passkit.wire import Wire
from tests.world import FakeClock

API = "https://api.pub1.passkit.io"
KEY = "key-of-the-account"
SECRET = "a secret that is long enough for anybody"


@dataclass
class Bench:
    """An upstream to try things with. `slept` are the waits it asked for; they pass at once."""

    clock: FakeClock = field(default_factory=FakeClock)
    slept: list[float] = field(default_factory=list)
    passed: float = 0.0
    upstream: Upstream = field(init=False)

    def __post_init__(self) -> None:
        self.upstream = Upstream(
            wire=Wire(4), clock=self.clock, sleep=self._sleep, chance=lambda: 0.0, monotonic=lambda: self.passed
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    def transport(self, credentials: Credentials | None = None, *, connection: str = "conn_1") -> Transport:
        return self.upstream.transport(connection, credentials or make_credentials())


def make_credentials() -> Credentials:
    return Credentials.of_region("pub1", api_key=KEY, secret=SECRET)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.upstream.wire.close()


@pytest.fixture
def transport(bench: Bench) -> Transport:
    return bench.transport()


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """HTTP that is mocked; every answer that was prepared must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
