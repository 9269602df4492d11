"""The bench of hooks in a small setting: live receivers hear in time beside a dead one, and losses are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.events.pace import MOST
from bench import hooks
from bench.databases import databases
from bench.figures import percentile
from bench.hooks import LIVE

pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]

EVENTS, RATE = 120, 15.0  # eight seconds, so that the start of a worker on a busy machine is the lesser part


def test_a_dead_receiver_delays_nobody_and_nothing_is_lost() -> None:
    with databases("sqlite") as new_database:
        delays = hooks.measure(new_database(), events=EVENTS, rate=RATE)
    assert (delays.lost, delays.repeated, len(delays.seconds)) == (0, 0, EVENTS * LIVE)
    assert percentile(delays.seconds, 50) < hooks.GOAL_SECONDS  # the first wait for the start of the worker


def test_receivers_that_fail_hang_and_refuse_delay_no_live_one() -> None:
    with databases("sqlite") as new_database:
        delays = hooks.beside_bad(new_database(), events=150, rate=15.0)
    assert (delays.lost, delays.repeated, len(delays.seconds)) == (0, 0, 150)
    assert percentile(delays.seconds, 50) < hooks.GOAL_SECONDS  # the tail is for a quiet machine, and the bench


def test_a_burst_to_a_slow_receiver_is_taken_whole() -> None:
    """How soon is for the bench to say; `tests/events/test_deliveries.py` counts how many are sent at once."""
    with databases("sqlite") as new_database:
        assert hooks.burst(new_database(), batches=1) > 0.2 * hooks.BATCH / MOST


def test_what_was_not_heard_counts_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PATIENCE_SECONDS", 0.0)
    log = tmp_path / "received"
    log.write_text("".join(f"{number} evt_1 0.5\n" for number in range(LIVE - 1)) + "0 evt_1 0.7\n")
    counted = hooks._collect(log, LIVE)
    assert (counted.lost, counted.repeated) == (1, 1)
