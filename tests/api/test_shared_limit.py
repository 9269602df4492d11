"""Machines that share a Redis share one rate limit; without it each counts for itself, and nobody waits for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from app.api import shared_limit
from app.api.authentication import Decision, RateLimiter
from app.api.shared_limit import SharedRateLimiter
from app.model import system_clock
from tests.redis_server import RedisServer

BURST = 60


def machine(folder: Path, name: str, redis: RedisServer) -> SharedRateLimiter:
    """A rate that gives nothing back while a test runs: one request in a minute after the burst."""
    return SharedRateLimiter(redis.url, RateLimiter(folder / name, per_minute=1, burst=BURST, clock=system_clock))


def let_pass(redis: RedisServer, slot: int, seconds: float) -> None:
    """Do what so much time would."""
    with Redis.from_url(redis.url) as connection:
        value = connection.get(f"passrail.rate.{slot}")
        assert isinstance(value, bytes)
        connection.set(f"passrail.rate.{slot}", float(value) - seconds)


def take_all(limiter: SharedRateLimiter, slot: int) -> int:
    taken = 0
    while limiter.take(slot).allowed:
        taken += 1
    return taken


def test_two_machines_share_one_limit(tmp_path: Path, redis: RedisServer) -> None:
    first, second = machine(tmp_path, "first", redis), machine(tmp_path, "second", redis)
    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(lambda number: (first, second)[number % 2].take(1), range(3 * BURST)))
    assert sum(decision.allowed for decision in decisions) == BURST
    assert {decision.remaining for decision in decisions} == set(range(BURST))
    assert second.take(2).remaining == BURST - 1, "another key has a limit of its own"


def test_tells_what_is_left_and_when_to_come_back(tmp_path: Path, redis: RedisServer) -> None:
    limiter = machine(tmp_path, "one", redis)
    assert limiter.take(1) == Decision(True, 1, remaining=BURST - 1, reset_seconds=60)
    take_all(limiter, 1)
    assert limiter.take(1) == Decision(False, 1, remaining=0, reset_seconds=60, retry_after=60)
    let_pass(redis, 1, 30)
    assert limiter.take(1).retry_after == 30
    let_pass(redis, 1, 30)
    assert limiter.take(1).allowed
    assert not limiter.take(1).allowed


def test_a_long_pause_gives_back_the_burst_and_no_more(tmp_path: Path, redis: RedisServer) -> None:
    limiter = machine(tmp_path, "one", redis)
    take_all(limiter, 1)
    let_pass(redis, 1, 1_000_000)
    assert take_all(limiter, 1) == BURST


def test_a_clock_of_redis_that_is_set_back_locks_nobody_out(tmp_path: Path, redis: RedisServer) -> None:
    limiter = machine(tmp_path, "one", redis)
    limiter.take(1)
    let_pass(redis, 1, -1_000_000)
    assert limiter.take(1).retry_after == 60


@pytest.mark.parametrize("fault", ["hang", "kill", "stop"])
def test_without_redis_the_machine_counts_and_nobody_waits(
    tmp_path: Path, redis: RedisServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = machine(tmp_path, "one", redis)
    assert limiter.take(1).remaining == BURST - 1
    getattr(redis, fault)()
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        decision = limiter.take(1)
        taken.append((decision.remaining, time.perf_counter() - began))
    assert [remaining for remaining, _ in taken] == [BURST - 1 - number for number in range(20)]
    slow = [seconds for _, seconds in taken if seconds > shared_limit.WAIT_SECONDS / 2]
    assert len(slow) <= 2, "only who tries Redis may wait"
    if fault == "hang":
        redis.go_on()
    else:
        redis.start()
    monkeypatch.setattr(limiter, "_left_alone_until", 0.0)  # the pause is over
    assert limiter.take(2).remaining == BURST - 1
    assert machine(tmp_path, "two", redis).take(2).remaining == BURST - 2, "counted in Redis again"
