"""The bench of hooks in a small setting: live receivers hear in time beside a dead one, and losses are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.events import sending
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
    # The goal is for a machine that does nothing else; whoever waits for the dead receiver waits for its time-out.
    assert percentile(delays.seconds, 95) < sending.TOTAL_SECONDS


def test_what_was_not_heard_counts_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PATIENCE_SECONDS", 0.0)
    log = tmp_path / "received"
    log.write_text("".join(f"{number} evt_1 0.5\n" for number in range(LIVE - 1)) + "0 evt_1 0.7\n")
    counted = hooks._collect(log, 1)
    assert (counted.lost, counted.repeated) == (1, 1)
