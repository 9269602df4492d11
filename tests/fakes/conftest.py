"""A fake PassKit for each test, and somebody who talks to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.fakes.passkit_client import Client
from tests.world import FakeClock


@pytest.fixture(scope="session")
def descriptors() -> Descriptors:
    """PassKit's own description of its API."""
    return Descriptors()


@pytest.fixture
def client(descriptors: Descriptors) -> Iterator[Client]:
    """A client of a fake that checks everything: a wrong request fails the test."""
    with FakePassKit(FakeClock(), seed.demo, contract=descriptors).running() as fake:
        made = Client(fake)
        yield made
        made.session.close()


@pytest.fixture
def careless() -> Iterator[Client]:
    """A client of a fake that lets wrong requests pass, as the live service does."""
    fake = FakePassKit(FakeClock(), seed.demo)
    fake.start()
    made = Client(fake)
    yield made
    made.session.close()
    fake.stop()
