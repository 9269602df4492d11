"""How much is sent at once, and how long a hook rests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.events.pace import LONGEST_REST, LONGEST_REST_IF_IT_ANSWERS, Pace, after_failure, after_success
from app.events.schedule import Outcome

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BROKEN, SILENT = Outcome(500), Outcome(error="No complete answer within 15 seconds.")


@pytest.mark.parametrize(("at_once", "duration_ms", "then"), [(2, 200, 3), (16, 200, 16), (9, 2_001, 8), (2, 9_000, 2)])
def test_success_gives_a_place_and_slowness_takes_one(at_once: int, duration_ms: int, then: int) -> None:
    assert after_success(Pace(at_once), duration_ms) == Pace(then)


@pytest.mark.parametrize(("at_once", "then"), [(16, 8), (9, 4), (3, 2), (2, 2)])
def test_failure_takes_half_of_the_places(at_once: int, then: int) -> None:
    assert after_failure(Pace(at_once), BROKEN, NOW) == Pace(then, 1)


@pytest.mark.parametrize(
    ("outcome", "longest"), [(BROKEN, LONGEST_REST_IF_IT_ANSWERS), (SILENT, LONGEST_REST)], ids=["answers", "silent"]
)
def test_rests_begin_with_the_third_failure_and_grow_to_a_limit(outcome: Outcome, longest: timedelta) -> None:
    pace, now, rests = Pace(), NOW, []
    for _ in range(40):
        pace = after_failure(pace, outcome, now)
        rests.append((pace.rests_until or now) - now)
        now += rests[-1]
        assert pace.limit(now) == (2 if rests[-1] == timedelta(0) else 1)
    assert rests[:5] == [timedelta(seconds=seconds) for seconds in (0, 0, 5, 10, 20)]
    assert max(rests) == rests[-1] == longest


def test_nothing_is_sent_in_a_rest_and_what_ends_in_it_changes_nothing() -> None:
    resting = Pace(2, 3, NOW + timedelta(seconds=5))
    assert resting.limit(NOW) == 0
    assert after_failure(resting, SILENT, NOW) == resting


def test_one_success_ends_it_all() -> None:
    assert after_success(Pace(2, 30, NOW), 10) == Pace(3)
