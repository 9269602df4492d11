"""When a delivery is tried again, and when a hook is given up. Pure functions: no database, no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Standard Webhooks' schedule: the first try is at once, each number is the wait before the next.
WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
JITTER_SHARE = 0.1
LONGEST_WAIT = timedelta(hours=24)
# Receivers that say themselves when to come again.
MAY_ASK_FOR_TIME = frozenset({429, 502, 503, 504})
GONE = 410

SEVERAL_FAILURES = 3
WITHIN = timedelta(hours=24)
GIVE_UP_AFTER = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: a status, or an error where there was none.

    `is_ours`: it failed here, before anything was sent; that says nothing of the receiver.
    """

    status_code: int | None = None
    error: str | None = None
    retry_after: str | None = None
    duration_ms: int = 0
    is_ours: bool = False

    @property
    def is_success(self) -> bool:
        """Tell whether the receiver took it: 2xx, and nothing else."""
        return self.error is None and self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver ended the subscription."""
        return self.status_code == GONE


@dataclass(frozen=True, slots=True)
class Health:
    """How a hook does: failures since the last success, counted from `first_failure_at`.

    `failing_since` is set after several failures.
    """

    failures: int = 0
    first_failure_at: datetime | None = None
    failing_since: datetime | None = None

    def is_hopeless(self, now: datetime) -> bool:
        """Tell whether nothing has got through for so long that the hook is given up."""
        return self.failing_since is not None and now - self.failing_since >= GIVE_UP_AFTER


def next_attempt(tries: int, outcome: Outcome, now: datetime, jitter: float) -> datetime | None:
    """Say when to try again after a failure; None: never.

    Args:
        tries: how often it was tried, this time included.
        outcome: what came of it.
        now: when that was.
        jitter: 0 to 1, spreads the tries so that a receiver that comes back is not run over.
    """
    if tries > len(WAITS):
        return None
    asked = _asked_wait(outcome, now)
    if asked is not None:
        return now + asked * (1 + JITTER_SHARE * jitter)  # never sooner than asked
    return now + WAITS[tries - 1] * (1 + JITTER_SHARE * (2 * jitter - 1))


def after_failure(health: Health, now: datetime) -> Health:
    """Count a failure. The clock of the five days starts when there were several within a day."""
    first = health.first_failure_at
    if health.failing_since is None and (first is None or now - first > WITHIN):
        return Health(1, now, None)
    failures = health.failures + 1
    since = health.failing_since or (now if failures >= SEVERAL_FAILURES else None)
    return Health(failures, first, since)


def _asked_wait(outcome: Outcome, now: datetime) -> timedelta | None:
    """Read `Retry-After`, seconds or a date; None where it says nothing that helps."""
    text = (outcome.retry_after or "").strip()
    if outcome.status_code not in MAY_ASK_FOR_TIME or not text:
        return None
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), LONGEST_WAIT.total_seconds()))
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return min(wait, LONGEST_WAIT) if wait >= timedelta(seconds=1) else None
