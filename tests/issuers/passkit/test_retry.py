from __future__ import annotations

import pytest

from app.issuers.passkit.retry import LONGEST_SECONDS, TRIES, Outcome, next_wait

NOT_SENT, BUSY, LOST, FINAL = Outcome.NOT_SENT, Outcome.BUSY, Outcome.LOST, Outcome.FINAL


@pytest.mark.parametrize(
    ("outcome", "of_a_read", "of_a_write"),
    [(NOT_SENT, True, True), (BUSY, True, False), (LOST, True, False), (FINAL, False, False)],
)
def test_only_what_is_harmless_is_repeated(outcome: Outcome, of_a_read: bool, of_a_write: bool) -> None:
    for is_read, repeated in ((True, of_a_read), (False, of_a_write)):
        for retry_after in (None, 1.0):
            assert (next_wait(1, outcome, is_read=is_read, retry_after=retry_after) is not None) is repeated


def test_the_waits_double_and_end_with_the_fourth_try() -> None:
    assert [next_wait(attempt, BUSY, is_read=True) for attempt in (1, 2, 3, 4, 5)] == [0.25, 0.5, 1.0, None, None]
    assert TRIES == 4


@pytest.mark.parametrize(("attempt", "least"), [(1, 0.25), (2, 0.5), (3, 1.0)])
def test_jitter_lengthens_a_wait_up_to_twice_and_never_shortens_it(attempt: int, least: float) -> None:
    waits = [next_wait(attempt, LOST, is_read=True, jitter=jitter) for jitter in (0.0, 0.5, 0.999)]
    assert waits == [least, pytest.approx(1.5 * least), pytest.approx(1.999 * least)]


@pytest.mark.parametrize(
    ("retry_after", "jitter", "wait"),
    [
        (0.0, 0.0, 0.0),
        (3.0, 0.0, 3.0),
        (3.0, 0.5, 3.125),
        (LONGEST_SECONDS, 0.0, LONGEST_SECONDS),
        (LONGEST_SECONDS + 0.1, 0.0, None),
        (86_400.0, 0.0, None),
    ],
)
def test_retry_after_wins_unless_it_is_too_long_to_wait_for(
    retry_after: float, jitter: float, wait: float | None
) -> None:
    assert next_wait(3, BUSY, is_read=True, retry_after=retry_after, jitter=jitter) == wait


def test_retry_after_does_not_add_tries() -> None:
    assert next_wait(TRIES, BUSY, is_read=True, retry_after=0.0) is None
