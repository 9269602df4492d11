"""A world whose demo account is connected to the remote issuer in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from app.accounts.connections import IssuerConnection
from app.model import Mode
from app.sync import connections, webhooks
from tests.issuers.memory import MemoryKind, MemoryServer, Record
from tests.thorough import databases_of
from tests.world import World, make_world

VAULT_KEYS = "k1:bWFkZSBvZiAzMiBieXRlcyBmb3IgYSB0ZXN0IG9ubHk="
CONNECT = {"issuer": "memory", "token": "right"}


@dataclass
class Connected:
    """The world, and the remote issuer it is connected to or can be; `programs` are ours, by kind."""

    world: World
    kind: MemoryKind

    @property
    def server(self) -> MemoryServer:
        """The issuer's side."""
        return self.kind.server

    @property
    def connection(self) -> IssuerConnection:
        """The demo account's connection."""
        return connections.need(self.world.service, self.world.account.id, Mode.TEST)

    @property
    def programs(self) -> dict[str, dict[str, Any]]:
        """The issuer's programs as the API tells them, by kind."""
        listed = self.world.get("/v1/programs").get_json()["data"]
        return {one["kind"]: one for one in listed if one["issuer"] == "memory"}

    def program_id(self, kind: str = "membership") -> str:
        """Return the ID of our program of this kind."""
        return str(self.programs[kind]["id"])

    def connect(self, **values: Any) -> TestResponse:
        """Connect the account."""
        return self.world.request("PUT", "/v1/issuer", json={**CONNECT, **values})

    def issuer(self) -> dict[str, Any]:
        """Return what `/v1/issuer` tells."""
        shown: dict[str, Any] = self.world.get("/v1/issuer").get_json()
        return shown

    def make(self, kind: str = "membership", **values: Any) -> dict[str, Any]:
        """Create a pass at the issuer and return the answer."""
        return self.world.make_pass(self.program_id(kind), **values)

    def get(self, pass_id: str) -> dict[str, Any]:
        """Return a pass as the API tells it."""
        shown: dict[str, Any] = self.world.get(f"/v1/passes/{pass_id}").get_json()
        return shown

    def record(self, made: dict[str, Any]) -> Record:
        """Return a pass as the issuer has it."""
        return self.server.records[upstream_id(made)]

    def deliver(self) -> None:
        """Hand all webhooks that are on their way to the service."""
        for url, body in self.server.outgoing:
            assert self.world.client.post(urlsplit(url).path, data=body).status_code == 204
        self.server.outgoing.clear()

    def settle(self) -> list[str]:
        """Let all webhooks arrive and be read; return the types of the new events, oldest first."""
        before = {one["id"] for one in self.world.events()}
        self.deliver()
        webhooks.read_all(self.world.service)
        return [one["type"] for one in reversed(self.world.events()) if one["id"] not in before]

    def asked(self) -> list[str]:
        """Return what was asked of the issuer since the last look."""
        asked = list(self.server.requests)
        self.server.requests.clear()
        return asked


def upstream_id(made: dict[str, Any]) -> str:
    """Return the issuer's ID of a pass, which stands in its address."""
    return str(made["pass_url"].rsplit("/", 1)[1])


def with_memory(world: World) -> Connected:
    """Register the remote issuer in memory with a world's service."""
    kind = MemoryKind(world.service.settings, world.clock)
    cast(dict[str, Any], world.service.remote_kinds)[kind.name] = kind
    return Connected(world, kind)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the databases that it is for."""
    if "lonely" in metafunc.fixturenames:
        metafunc.parametrize("lonely", databases_of(metafunc), indirect=True)


@pytest.fixture
def lonely(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connected]:
    """A world with keys for a vault and no connection yet."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    made = make_world(tmp_path / "data", url, vault_keys=VAULT_KEYS)
    yield with_memory(made)
    made.service.store.close()


@pytest.fixture
def connected(lonely: Connected) -> Connected:
    """The world connected; what that asked is forgotten."""
    assert lonely.connect().status_code == 200
    lonely.server.requests.clear()
    return lonely
