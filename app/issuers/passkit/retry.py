"""Whether a failed try is repeated, and after how long: one pure function, so that a table can test all of it."""

from __future__ import annotations

from enum import Enum

TRIES = 4  # the first one included
BASE_SECONDS = 0.25  # PassKit on 503: "Back off for 250ms and repeat request until successful"
LONGEST_SECONDS = 10.0  # a server that wants more time gets it from the caller: the failure names the time


class Outcome(Enum):
    """What is known after a try that failed."""

    NOT_SENT = "not sent"  # no byte of the request left: refused connection, DNS, TLS
    BUSY = "busy"  # PassKit said: not now
    LOST = "lost"  # sent, and no whole answer came back: it may have happened
    FINAL = "final"  # the answer is there, and would be the same again


def next_wait(
    attempt: int, outcome: Outcome, *, is_read: bool, retry_after: float | None = None, jitter: float = 0.0
) -> float | None:
    """Return the seconds to wait before the next try, or None when there is to be none.

    250 ms, doubling, each lengthened by up to as much again so that callers who failed together do not come back
    together; never shorter, because that is the least PassKit asks for. What `Retry-After` says wins over that.

    A request that writes is only repeated when not a byte of it was sent. Not even a 429 or 503 is reason enough:
    what it says is no evidence, and whoever holds the idempotency key looks at the record first.

    Args:
        attempt: number of the try that has just failed, from 1.
        outcome: how it failed.
        is_read: the request only reads.
        retry_after: seconds the server asked for.
        jitter: a random number, 0 <= jitter < 1.
    """
    if outcome is Outcome.FINAL or attempt >= TRIES:
        return None
    if not is_read and outcome is not Outcome.NOT_SENT:
        return None
    if retry_after is None:
        return BASE_SECONDS * 2.0 ** (attempt - 1) * (1 + jitter)
    if retry_after > LONGEST_SECONDS:
        return None
    return retry_after + BASE_SECONDS * jitter
