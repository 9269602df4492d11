"""Who is calling, what may they do, and how often."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flask import Flask, Response, current_app, g, request

from app.accounts.keys import Caller
from app.errors import Forbidden, PassrailError, RateLimited, Unauthorized
from app.model import Clock
from app.service import Service

CLOCK_GIVE_SECONDS = 1.0  # a wall clock is corrected by less than this all the time

_NUMBER = struct.Struct("<d")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go on, and what its caller is told about the limit.

    Attributes:
        limit: requests a minute.
        remaining: requests that may be made at once after this one.
        reset_seconds: until all of the burst is there again; for a refused request the same as `retry_after`.
        retry_after: seconds until a request will be allowed; 0 for one that is.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How often an API key may be used.

    Attributes:
        per_minute: requests in the long run.
        burst: requests at once.
    """

    per_minute: int
    burst: int

    @property
    def interval(self) -> float:
        """Seconds between two requests at the rate."""
        return 60.0 / self.per_minute

    @property
    def capacity(self) -> float:
        """Seconds after which a bucket that is empty is full."""
        return self.burst * self.interval

    @property
    def tolerance(self) -> float:
        """Seconds to give: instants as floats have a quarter of a microsecond, else the last of a burst gets lost."""
        return max(self.interval / 1000, 2e-6)


def decision_of(limits: Limits, debt: float, allowed: bool) -> Decision:
    """Say what a caller is told.

    Args:
        limits: the limits.
        debt: seconds until the bucket is full, after this request.
        allowed: whether the request was taken out of it.
    """
    if allowed:
        remaining = int((limits.capacity - debt + limits.tolerance) / limits.interval)
        return Decision(True, limits.per_minute, remaining, math.ceil(debt - limits.tolerance))
    wait = max(1, math.ceil(debt + limits.interval - limits.capacity - limits.tolerance))
    return Decision(False, limits.per_minute, 0, wait, wait)


class RateLimiter:
    """Counts requests by slot, the number of an API key: one limit for all server processes of the machine.

    The algorithm is GCRA, a token bucket that is one number for each key: the *theoretical arrival time*, the instant
    at which the bucket will be full again. The numbers stand in a file, 8 bytes for each key at the key's number.
    Reading and writing 8 bytes of a file that lives in the page cache takes less than a microsecond. Unlike with a
    memory map, a full disk or a truncated file is then an error that can be caught, not a signal that ends the process.

    It fails open: where the file cannot be used every request is allowed, and that is logged. A limiter that cannot
    count must not be what stops the service.
    """

    def __init__(self, path: Path, per_minute: int, burst: int, clock: Clock) -> None:
        self._path = path
        self.limits = Limits(per_minute, burst)
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._file: int | None = None
        self._process = 0

    def take(self, slot: int) -> Decision:
        """Take one request out of the slot's bucket, if there is one in it."""
        try:
            with self._one_at_a_time:
                debt, allowed = self._take(slot)
        except (OSError, OverflowError, struct.error) as error:
            _log.error("the rate limiter cannot use its file, all requests are allowed", exc_info=error)
            return Decision(True, self.limits.per_minute, self.limits.burst, 0)
        return decision_of(self.limits, debt, allowed)

    def _take(self, slot: int) -> tuple[float, bool]:
        """Return the seconds until the bucket is full, after this request, and whether it was allowed."""
        file = self._file if self._process == os.getpid() else None
        if file is None:
            file = self._open()
        place = slot * 8
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            # The time is read under the lock: otherwise who waited comes with an older one than the last writer.
            now = self._clock().timestamp()
            found = os.pread(file, 8, place)
            debt = _NUMBER.unpack(found)[0] - now if len(found) == 8 else 0.0
            if not debt > 0.0:  # full again, never used, or not a number
                debt = 0.0
            elif debt > self.limits.capacity + CLOCK_GIVE_SECONDS:
                # More than a burst is never owed: the wall clock was set back. Start from now, or it never ends.
                debt = self.limits.capacity
                os.pwrite(file, _NUMBER.pack(now + debt), place)
            if debt + self.limits.interval > self.limits.capacity + self.limits.tolerance:
                return debt, False
            debt += self.limits.interval
            os.pwrite(file, _NUMBER.pack(now + debt), place)
            return debt, True
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _open(self) -> int:
        """Open the file for this process: a lock belongs to an opening, which a forked process would share."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._process = os.getpid()
        return self._file


def headers(decision: Decision) -> dict[str, str]:
    """Return the header fields that tell a caller about the limit.

    Their form is that of an IETF draft which has changed before and is no promise; this is its one place.
    """
    fields = {
        "RateLimit-Policy": f'"default";q={decision.limit};w=60',
        "RateLimit": f'"default";r={decision.remaining};t={decision.reset_seconds}',
    }
    if not decision.allowed:
        fields["Retry-After"] = str(decision.retry_after)
    return fields


class Limiter(Protocol):
    """Counts the requests of API keys."""

    def take(self, slot: int) -> Decision:
        """Take one request out of the slot's bucket, if there is one in it."""


def init_app(app: Flask, limiter: Limiter) -> None:
    """Keep the limiter at hand, and tell every caller what is left of the limit."""
    app.extensions["passrail_limiter"] = limiter

    @app.after_request
    def tell_rate(response: Response) -> Response:
        if (decision := g.get("rate_decision")) is not None:
            for name, value in headers(decision).items():
                if decision.allowed or name not in response.headers:  # the refusal has a Retry-After already
                    response.headers.add(name, value)
        return response


def authenticate(scope: str) -> Caller:
    """Return the caller of the present request.

    Raises:
        Unauthorized, KeyRevoked: there is no valid key.
        Forbidden: the key lacks the scope.
        RateLimited: it was used too often.
    """
    try:
        service: Service = current_app.extensions["passrail"]
        caller = service.keys.verify(_key_of_request())
    except PassrailError as error:
        error.headers["WWW-Authenticate"] = 'Bearer realm="passrail"'
        raise
    g.caller = caller
    g.rate_decision = current_app.extensions["passrail_limiter"].take(caller.key_number)
    if not g.rate_decision.allowed:
        wait = g.rate_decision.retry_after
        raise RateLimited(f"Too many requests with this API key. Send it again in {wait} s.", retry_after=wait)
    if scope not in caller.scopes:
        raise Forbidden(f"This API key has no '{scope}' scope. Use a key that has it for this request.")
    return caller


def _key_of_request() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized()
    return key.strip()
