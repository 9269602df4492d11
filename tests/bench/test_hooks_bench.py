"""The bench of hooks in a small setting: live receivers hear in time beside a dead one, and losses are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import hooks
from bench.databases import databases
from bench.figures import percentile
from bench.hooks import LIVE

EVENTS, RATE = 60, 15.0


@pytest.mark.slow
def test_a_dead_receiver_delays_nobody_and_nothing_is_lost() -> None:
    with databases("sqlite") as new_database:
        delays = hooks.measure(new_database(), events=EVENTS, rate=RATE)
    assert (delays.lost, delays.repeated, len(delays.seconds)) == (0, 0, EVENTS * LIVE)
    assert percentile(delays.seconds, 95) < hooks.GOAL_SECONDS


@pytest.mark.slow
def test_receivers_that_fail_hang_and_refuse_delay_no_live_one() -> None:
    with databases("sqlite") as new_database:
        delays = hooks.beside_bad(new_database(), events=300, rate=30.0)
    assert (delays.lost, delays.repeated, len(delays.seconds)) == (0, 0, 300)
    assert percentile(delays.seconds, 95) < hooks.GOAL_SECONDS


@pytest.mark.slow
def test_a_burst_is_taken_by_a_slow_receiver_many_at_once() -> None:
    """Two at a time would need 10 s."""
    with databases("sqlite") as new_database:
        assert hooks.burst(new_database(), batches=1) < hooks.BURST_GOAL_SECONDS


def test_what_was_not_heard_counts_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PATIENCE_SECONDS", 0.0)
    log = tmp_path / "received"
    log.write_text("".join(f"{number} evt_1 0.5\n" for number in range(LIVE - 1)) + "0 evt_1 0.7\n")
    counted = hooks._collect(log, LIVE)
    assert (counted.lost, counted.repeated) == (1, 1)
