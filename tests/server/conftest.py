"""What the tests of the web server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.web import Web, serving


@pytest.fixture(scope="package")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A server for all tests that leave it as it is."""
    with serving(tmp_path_factory.mktemp("web")) as running:
        yield running
