"""Fixtures of the web tests."""

from __future__ import annotations

import pytest

from tests.web.shelf import Shelf
from tests.world import World


@pytest.fixture
def shelf(world: World) -> Shelf:
    """A shelf to put programs and passes on."""
    return Shelf(world)
