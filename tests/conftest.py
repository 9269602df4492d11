"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, make_world

pytest_plugins = [
    "tests.strict",
    "tests.thorough",
    "tests.tables",
    "tests.postgres",
    "tests.redis_server",
    "tests.browser",
    "tests.e2e.faults",
]


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes share the tests: one more than there are processors, because tests often wait."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 7) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: where processes share the tests, none has such a one left at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world on SQLite."""
    made = make_world(tmp_path / "data")
    yield made
    made.service.store.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the databases that it is for."""
    from tests.thorough import databases_of  # pytest must load it first, as a plug-in

    if "any_world" in metafunc.fixturenames:
        metafunc.parametrize("any_world", databases_of(metafunc), indirect=True)


@pytest.fixture
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world on each of the two databases, for promises that the database keeps."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    made = make_world(tmp_path / "data", url)
    yield made
    made.service.store.close()
