"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import document
from tests.world import RECEIVER_HOST, World, make_world

OPERATIONS = document.load().operations
FOREIGN_RECEIVER = "ulyana-zarubina.example.com"


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that the tests of a module share; each makes what it needs and leaves the rest alone."""
    made = make_world(tmp_path_factory.mktemp("shared"), hook_allowed_hosts=f"{RECEIVER_HOST},{FOREIGN_RECEIVER}")
    yield made
    made.service.store.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes an `operation` for every operation of the description."""
    if "operation" in metafunc.fixturenames:
        found: list[Any] = [pytest.param(one, id=one.id) for one in OPERATIONS]
        metafunc.parametrize("operation", found)
