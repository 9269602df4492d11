from __future__ import annotations

import logging
import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from app.api.authentication import Decision, RateLimiter, headers
from app.logs import StandardOutput
from app.model import system_clock

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class FakeClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limiter(tmp_path: Path, clock: FakeClock) -> RateLimiter:
    return RateLimiter(tmp_path / "ratelimit", per_minute=300, burst=60, clock=clock)


def take_all(limiter: RateLimiter, slot: int) -> int:
    taken = 0
    while limiter.take(slot).allowed:
        taken += 1
    return taken


def test_allows_exactly_the_burst_and_then_exactly_the_rate(limiter: RateLimiter, clock: FakeClock) -> None:
    assert take_all(limiter, 1) == 60
    for _ in range(1000):
        clock.forward(0.2)
        assert take_all(limiter, 1) == 1


def test_a_long_pause_gives_back_the_burst_and_no_more(limiter: RateLimiter, clock: FakeClock) -> None:
    take_all(limiter, 1)
    clock.forward(6)
    assert take_all(limiter, 1) == 30
    clock.forward(3600)
    assert take_all(limiter, 1) == 60


def test_tells_what_is_left_and_when_to_come_back(limiter: RateLimiter, clock: FakeClock) -> None:
    assert limiter.take(1) == Decision(True, 300, remaining=59, reset_seconds=1)
    for left in range(58, -1, -1):
        assert limiter.take(1).remaining == left
    assert limiter.take(1) == Decision(False, 300, remaining=0, reset_seconds=1, retry_after=1)
    clock.forward(1)
    assert limiter.take(1) == Decision(True, 300, remaining=4, reset_seconds=12)


def test_who_waits_as_long_as_told_is_let_in(tmp_path: Path, clock: FakeClock) -> None:
    limiter = RateLimiter(tmp_path / "ratelimit", per_minute=7, burst=3, clock=clock)
    for _ in range(50):
        take_all(limiter, 1)
        clock.forward(limiter.take(1).retry_after)
        assert limiter.take(1).allowed


def test_a_refused_request_costs_nothing(limiter: RateLimiter, clock: FakeClock) -> None:
    take_all(limiter, 1)
    for _ in range(500):
        assert not limiter.take(1).allowed
    clock.forward(0.2)
    assert limiter.take(1).allowed


def test_keys_do_not_share_a_limit(limiter: RateLimiter) -> None:
    test_key, live_key = 1, 2
    assert take_all(limiter, test_key) == 60
    assert take_all(limiter, live_key) == 60
    assert take_all(limiter, 100_000) == 60


def test_a_restart_does_not_give_a_new_burst(tmp_path: Path, clock: FakeClock) -> None:
    take_all(RateLimiter(tmp_path / "ratelimit", 300, 60, clock), 1)
    assert take_all(RateLimiter(tmp_path / "ratelimit", 300, 60, clock), 1) == 0


def test_a_clock_set_back_locks_nobody_out(limiter: RateLimiter, clock: FakeClock) -> None:
    take_all(limiter, 1)
    clock.forward(-7200)
    assert limiter.take(1).retry_after == 1
    clock.forward(12)
    assert take_all(limiter, 1) == 60


@pytest.mark.parametrize("content", [b"\xff" * 16, b"\x7f", b"\x7f" * 16, b"\xc0" * 16, b"\x00" * 5])
def test_a_damaged_file_locks_nobody_out(tmp_path: Path, clock: FakeClock, content: bytes) -> None:
    (tmp_path / "ratelimit").write_bytes(content)
    limiter = RateLimiter(tmp_path / "ratelimit", 300, 60, clock)
    clock.forward(12)
    take_all(limiter, 1)
    clock.forward(12)
    assert take_all(limiter, 1) == 60


def test_fails_open_with_one_line_for_all(tmp_path: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    limiter = RateLimiter(tmp_path / "file" / "ratelimit", 300, 60, clock)
    log, handler = logging.getLogger("app.api.authentication"), StandardOutput()
    log.addHandler(handler)
    log.propagate = False
    try:
        assert all(limiter.take(1).allowed for _ in range(500))
    finally:
        log.removeHandler(handler)
        log.propagate = True
    assert capsys.readouterr().out.count("all requests are allowed") == 1


def test_works_again_when_the_file_does(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("in the way")
    limiter = RateLimiter(tmp_path / "file" / "ratelimit", 300, 60, clock)
    assert limiter.take(1).allowed
    (tmp_path / "file").unlink()
    assert take_all(limiter, 1) == 60


def test_headers_of_an_allowed_and_of_a_refused_request() -> None:
    assert headers(Decision(True, 300, 50, 30)) == {
        "RateLimit-Policy": '"default";q=300;w=60',
        "RateLimit": '"default";r=50;t=30',
    }
    assert headers(Decision(False, 300, 0, 2, 2)) == {
        "RateLimit-Policy": '"default";q=300;w=60',
        "RateLimit": '"default";r=0;t=2',
        "Retry-After": "2",
    }


BURST = 2_000


def hammer(path: Path, start: Barrier, result: Connection) -> None:
    limiter = RateLimiter(path, per_minute=60, burst=BURST, clock=system_clock)
    start.wait()
    result.send(sum(limiter.take(3).allowed for _ in range(BURST)))


def test_two_processes_share_one_limit(tmp_path: Path) -> None:
    """Each would be let through all of its requests; together they get half, and one more for each second."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    began = time.monotonic()
    pipes, processes = [], []
    for _ in range(2):
        receiving, sending = spawn.Pipe(duplex=False)
        process = spawn.Process(target=hammer, args=(tmp_path / "ratelimit", start, sending))
        process.start()
        pipes.append(receiving)
        processes.append(process)
    allowed = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    assert BURST <= sum(allowed) <= BURST + 1 + time.monotonic() - began, allowed
