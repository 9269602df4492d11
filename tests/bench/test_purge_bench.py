"""The bench of the purge: it deletes what is old, and says what a live load notices of it."""

from __future__ import annotations

import shutil
import sys

import pytest

from bench import purge

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the bench reads Linux's /proc"),
    pytest.mark.only_thorough,
]


def test_figures_come_from_a_purge_of_just_the_old_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)  # wrk runs for whole seconds only
    found = purge.run("sqlite", seconds=0.3, rows=2_000)
    assert found.rows == 2_000
    assert found.idle_p99_ms > 0
    assert found.purging_p99_ms > 0
    assert 0 < found.held_p99_ms <= found.held_most_ms
    assert "a purge of 2000 rows" in capsys.readouterr().out
