"""Whoever starts the service is told beforehand where PostgreSQL will run out of connections."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from app.connection_budget import WORKER_THREADS, too_few, warn_if_too_few
from app.settings import Settings
from tests.postgres import NewDatabase
from tests.processes import ROOT


def test_the_defaults_fit_a_fresh_postgresql() -> None:
    assert too_few(Settings(), most=100, reserved=3) is None


def test_what_does_not_fit_is_told_with_the_sum() -> None:
    assert too_few(Settings(web_concurrency=3), most=100, reserved=3) == (
        "PostgreSQL has too few connections: 3 web processes x 32 (half of WEB_THREADS) + 26 of the worker = 122, and "
        "there are 100 (max_connections) - 3 (superuser_reserved_connections) = 97. "
        "Lower WEB_CONCURRENCY or WEB_THREADS, or raise max_connections."
    )
    assert too_few(Settings(web_concurrency=3), most=125, reserved=3) is None
    assert too_few(Settings(web_concurrency=3), most=124, reserved=3) is not None


def test_the_server_itself_is_asked(
    postgres_url: NewDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres_url()
    with caplog.at_level(logging.WARNING):
        warn_if_too_few(Settings(database_url=url))
        assert caplog.records == []
        warn_if_too_few(Settings(database_url=url, web_concurrency=100))
    assert "too few connections: 100 web processes" in caplog.text


@pytest.mark.parametrize("url", ["", "postgresql://nobody:secret@127.0.0.1:1/none"])
def test_nothing_is_said_where_nobody_can_tell(url: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_if_too_few(Settings(database_url=url, web_concurrency=100))
    assert caplog.records == []


def test_the_worker_has_the_number_of_threads_that_is_counted() -> None:
    found = re.search(r"^worker: .*--workers (\d+)", (ROOT / "Procfile").read_text(), re.MULTILINE)
    assert found is not None
    assert int(found.group(1)) == WORKER_THREADS
