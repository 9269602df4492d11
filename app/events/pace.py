"""How much a hook is sent at once, and when it rests. Pure functions: no database, no clock, no network.

A receiver that takes what it gets, and soon, is given more and more at once; one that fails gets half as much. After
several failures in a row the hook rests: nothing is sent to it, and then one delivery to see whether it is back. So a
dead receiver costs the worker next to nothing, however much waits for it, and a live one is as fast as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.events.schedule import Outcome

FEWEST, MOST = 2, 16
# A receiver that takes longer holds a thread of the worker so long that it gets no more of them.
SOON_MS = 2_000
FAILURES_BEFORE_REST = 3
FIRST_REST = timedelta(seconds=5)
# Of a receiver that answers a try costs little, and it may be single events that it refuses.
LONGEST_REST_IF_IT_ANSWERS = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pace:
    """What a hook is sent at the moment.

    Attributes:
        at_once: how many deliveries may be under way, while it does not rest.
        failures_in_row: tries that failed since the last success.
        rests_until: nothing is sent before; afterwards one delivery at a time, until one succeeds. None: it works.
    """

    at_once: int = FEWEST
    failures_in_row: int = 0
    rests_until: datetime | None = None

    def limit(self, now: datetime) -> int:
        """Return how many deliveries may be under way now."""
        if self.rests_until is None:
            return self.at_once
        return 1 if self.rests_until <= now else 0


def after_success(pace: Pace, duration_ms: int) -> Pace:
    """Give one more place to a receiver that took it soon, and one less to one that was slow.

    One more with each success doubles the number in each round of answers.
    """
    at_once = pace.at_once + (1 if duration_ms <= SOON_MS else -1)
    return Pace(min(MOST, max(FEWEST, at_once)))


def after_failure(pace: Pace, outcome: Outcome, now: datetime) -> Pace:
    """Halve the places, and let the hook rest when it has failed several times in a row, longer each time."""
    if pace.limit(now) == 0:
        return pace  # the end of a try from before the rest: nothing new
    failures = pace.failures_in_row + 1
    rests_until = None
    if failures >= FAILURES_BEFORE_REST:
        longest = LONGEST_REST if outcome.status_code is None else LONGEST_REST_IF_IT_ANSWERS
        doublings = min(failures - FAILURES_BEFORE_REST, 10)
        rests_until = now + min(FIRST_REST * 2**doublings, longest)
    return Pace(max(FEWEST, pace.at_once // 2), failures, rests_until)
