"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.issuers.passkit.credentials import REGIONS
from app.model import Mode
from app.sync import connecting, connections
from tests.contract import document
from tests.fakes.passkit import FakePassKit, seed
from tests.passkit.conftest import VAULT_KEYS
from tests.world import RECEIVER_HOST, FakeClock, World, make_world

OPERATIONS = document.load().operations
FOREIGN_RECEIVER = "ulyana-zarubina.example.com"


@pytest.fixture(scope="package", autouse=True)
def passkit() -> Iterator[FakePassKit]:
    """A PassKit where its region pub1 is, for the operation that connects to it."""
    with FakePassKit(FakeClock(), seed.demo).running() as fake, pytest.MonkeyPatch.context() as patch:
        fake.switches.hold_deliveries = True
        patch.setitem(REGIONS, "pub1", (fake.url, "https://pub1.pskt.io"))
        yield fake


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that the tests of a module share; each makes what it needs and leaves the rest alone."""
    receivers = f"{RECEIVER_HOST},{FOREIGN_RECEIVER}"
    made = make_world(tmp_path_factory.mktemp("shared"), vault_keys=VAULT_KEYS, hook_allowed_hosts=receivers)
    yield made
    made.service.store.close()


@pytest.fixture(autouse=True)
def unconnected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no test a world that another one has connected to PassKit."""
    yield
    if "shared_world" in request.fixturenames:
        world: World = request.getfixturevalue("shared_world")
        for mode in Mode:
            if connections.find(world.service, world.account.id, mode) is not None:
                connecting.forget(world.service, world.account.id, mode)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes an `operation` for every operation of the description."""
    if "operation" in metafunc.fixturenames:
        found: list[Any] = [pytest.param(one, id=one.id) for one in OPERATIONS]
        metafunc.parametrize("operation", found)
