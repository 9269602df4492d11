"""What the tests with real servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import faults
from tests.e2e.kills import TALLY
from tests.e2e.stage import Stage, killable_server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was killed or broken and what came of it, also when everything is well."""
    for title, lines in (("kills", TALLY.table()), ("faults", faults.lines())):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)


@pytest.fixture(scope="package")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server on SQLite that can be killed."""
    with killable_server(_folder(tmp_path_factory)) as stage:
        yield stage


@pytest.fixture(scope="package")
def killable_on_postgresql(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The same on PostgreSQL."""
    url = request.getfixturevalue("postgres_url")()
    with killable_server(_folder(tmp_path_factory), url) as stage:
        yield stage


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("stage")
