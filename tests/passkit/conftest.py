"""A world whose demo account is connected to a fake PassKit over HTTP, which checks every request it gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.issuers.passkit import PassKit
from app.issuers.remote import Target
from app.model import Mode
from app.operations.plan import issuer_id
from app.operations.repeats import digest_of
from app.sync.connecting import connect
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.thorough import databases_of
from tests.world import World, make_world

VAULT_KEYS = "k1:bWFkZSBvZiAzMiBieXRlcyBmb3IgYSB0ZXN0IG9ubHk="
PASS_URL = "https://pub1.pskt.io"


@dataclass
class Joined:
    """The world and the PassKit it is connected to; `programs` are ours, by kind."""

    world: World
    fake: FakePassKit
    programs: dict[str, dict[str, Any]]

    def act(self, action: str, body: dict[str, Any], **options: Any) -> Any:
        """POST an action."""
        return self.world.act(action, body, **options)

    def make(self, kind: str = "membership", **values: Any) -> dict[str, Any]:
        """Create a pass at PassKit and return the answer."""
        return self.world.make_pass(self.programs[kind]["id"], **values)

    def program_id(self, kind: str = "membership") -> str:
        """Return the ID of our program of this kind."""
        return str(self.programs[kind]["id"])

    def record(self, answer: dict[str, Any]) -> Any:
        """Return a pass as PassKit has it."""
        return self.fake.record(upstream_id(answer))

    def routes(self) -> list[str]:
        """Return what was asked of PassKit since the last look."""
        asked = [one.route for one in self.fake.requests]
        self.fake.recording.requests.clear()
        return asked


def upstream_id(answer: dict[str, Any]) -> str:
    """Return PassKit's ID of a pass, which stands in its address."""
    return str(answer["pass_url"].rsplit("/", 1)[1])


def our_id(joined: Joined, action: str, key: str, position: int = 0) -> str:
    """Return what stands at PassKit beside an effect of an action with this key."""
    service, account_id = joined.world.service, joined.world.account.id
    return issuer_id(digest_of(service, account_id, Mode.TEST, action, key), position)


@pytest.fixture(scope="session")
def descriptors() -> Descriptors:
    """PassKit's own description of its API."""
    return Descriptors()


def passkit_of(world: World) -> PassKit:
    """Return what the world's process has of PassKit."""
    kind = world.service.remote_kinds["passkit"]
    assert isinstance(kind, PassKit)
    return kind


def target_of(fake: FakePassKit, **other: str) -> Target:
    """Return where and how to connect to the fake."""
    secrets = {"api_key": fake.credentials.key, "secret": fake.credentials.secret, **other}
    return Target(region="pub1", secrets=secrets, base_url=fake.url, pass_url=PASS_URL)


def join(world: World, fake: FakePassKit) -> Joined:
    """Connect the demo account's test mode to the fake."""
    connect(world.service, world.account.id, Mode.TEST, "passkit", target_of(fake))
    listed = world.get("/v1/programs").get_json()["data"]
    return Joined(world, fake, {one["kind"]: one for one in listed if one["issuer"] == "passkit"})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the databases that it is for."""
    if "lonely" in metafunc.fixturenames:
        metafunc.parametrize("lonely", databases_of(metafunc), indirect=True)


@pytest.fixture
def lonely(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world with keys for a vault and no connection, on each of the two databases."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    made = make_world(tmp_path / "data", url, vault_keys=VAULT_KEYS)
    yield made
    made.service.store.close()
    passkit_of(made).close()


@pytest.fixture
def fake(lonely: World, descriptors: Descriptors) -> Iterator[FakePassKit]:
    """A PassKit that a wrong request fails the test of."""
    with FakePassKit(lonely.clock, seed.demo, contract=descriptors).running() as running:
        running.switches.hold_deliveries = True  # the service has no address on the network here
        yield running


@pytest.fixture
def joined(lonely: World, fake: FakePassKit) -> Joined:
    """The two connected; what connecting asked is forgotten."""
    made = join(lonely, fake)
    fake.recording.requests.clear()
    return made
