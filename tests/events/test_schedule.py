"""When a delivery is tried again, and when a hook is given up: pure functions, so every case can stand here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.events.schedule import Health, Outcome, after_failure, next_attempt

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BROKEN = Outcome(500)
HOUR = 3600
# The promised waits before the second to the tenth try, in seconds.
PROMISED = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)


def wait(tries: int, outcome: Outcome, jitter: float = 0.5) -> float:
    again_at = next_attempt(tries, outcome, NOW, jitter)
    assert again_at is not None
    return (again_at - NOW).total_seconds()


@pytest.mark.parametrize(("tries", "promised"), list(enumerate(PROMISED, start=1)))
def test_each_wait_is_the_promised_one_give_or_take_a_tenth(tries: int, promised: int) -> None:
    waits = [wait(tries, BROKEN, jitter) for jitter in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert waits == sorted(waits)
    assert (waits[0], waits[2], waits[-1]) == pytest.approx((promised * 0.9, promised, promised * 1.1))


def test_after_ten_tries_it_is_over_whatever_the_receiver_asks_for() -> None:
    assert next_attempt(10, BROKEN, NOW, 0.5) is None
    assert next_attempt(10, Outcome(503, retry_after="60"), NOW, 0.5) is None


def test_ten_tries_span_about_three_days() -> None:
    assert sum(PROMISED) == pytest.approx(75.6 * HOUR, rel=0.01)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Fri, 20 Nov 2026 09:40:00 GMT", 600),
        ("86400", 86400),
        ("90000", 86400),
        ("9" * 400, 86400),
        ("Sun, 20 Dec 2026 09:30:00 GMT", 86400),
    ],
)
def test_a_receiver_that_names_a_time_is_not_asked_sooner(status: int, text: str, seconds: int) -> None:
    for tries in (1, 5):
        asked = Outcome(status, retry_after=text)
        assert wait(tries, asked, 0.0) == seconds
        assert wait(tries, asked, 1.0) == pytest.approx(seconds * 1.1)


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "0", "1.5", "٣", "Fri, 99 Nov 2026", "Thu, 19 Nov 2026 09:40:00 GMT"]
)
def test_a_time_that_makes_no_sense_is_not_heeded(text: str) -> None:
    assert wait(2, Outcome(503, retry_after=text)) == 300


@pytest.mark.parametrize("status", [200, 301, 400, 404, 500])
def test_only_those_who_are_busy_may_name_a_time(status: int) -> None:
    assert wait(2, Outcome(status, retry_after="9")) == 300


@pytest.mark.parametrize(
    ("outcome", "success"),
    [
        (Outcome(200), True),
        (Outcome(204), True),
        (Outcome(299), True),
        (Outcome(199), False),
        (Outcome(300), False),
        (Outcome(302), False),
        (Outcome(404), False),
        (Outcome(410), False),
        (Outcome(200, error="cut off"), False),
        (Outcome(error="refused"), False),
    ],
)
def test_only_2xx_is_success(outcome: Outcome, success: bool) -> None:
    assert outcome.is_success is success


def failing(*hours: float) -> Health:
    """Fail at these hours after NOW."""
    health = Health()
    for hour in hours:
        health = after_failure(health, NOW + timedelta(hours=hour))
    return health


def test_the_clock_of_the_five_days_starts_with_the_third_failure_within_a_day() -> None:
    assert failing(0).failing_since is None
    assert failing(0, 1).failing_since is None
    assert failing(0, 1, 24).failing_since == NOW + timedelta(hours=24)
    assert failing(0, 1, 24, 50).failing_since == NOW + timedelta(hours=24)


def test_failures_that_are_days_apart_start_no_clock() -> None:
    assert failing(0, 1, 25, 26, 51, 52) == Health(2, NOW + timedelta(hours=51), None)


def test_a_hook_is_hopeless_after_five_days_and_not_before() -> None:
    health = failing(0, 1, 2)
    assert not health.is_hopeless(NOW + timedelta(hours=2, days=5, milliseconds=-1))
    assert health.is_hopeless(NOW + timedelta(hours=2, days=5))
    assert not Health().is_hopeless(NOW + timedelta(days=1000))
