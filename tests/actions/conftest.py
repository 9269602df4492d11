"""A world that the tests of one module share: for tables of cases that leave nothing behind for one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World, make_world


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world on SQLite. A test that takes it makes passes of its own, without external ID."""
    made = make_world(tmp_path_factory.mktemp("shared"))
    yield made
    made.service.store.close()
