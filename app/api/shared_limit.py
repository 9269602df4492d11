"""The rate limit of several machines, counted in the Redis that they share."""

from __future__ import annotations

import logging
import math
import threading
import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.api.authentication import CLOCK_GIVE_SECONDS, Decision, RateLimiter, decision_of

# A request waits no longer than this for Redis, and is counted on this machine when it takes longer.
WAIT_SECONDS = 0.04
# After a failure Redis is left alone this long; then one request tries it.
PAUSE_SECONDS = 2.0
# What `RateLimiter` does with a file, see there. The clock is that of Redis: machines need not agree on the time.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local interval, capacity, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local debt = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) - now, 0)
if debt > capacity + tonumber(ARGV[4]) then debt = capacity end
if debt + interval > capacity + tolerance then return {0, tostring(debt)} end
debt = debt + interval
redis.call('SET', KEYS[1], string.format('%.6f', now + debt), 'PX', math.ceil(debt * 1000) + 1000)
return {1, tostring(debt)}
"""

_log = logging.getLogger(__name__)


class SharedRateLimiter:
    """Counts requests by slot, the number of an API key: one limit for all machines with the same Redis.

    Redis that is away, or hangs, costs a request `WAIT_SECONDS` at most, and one request in `PAUSE_SECONDS` of each
    process; all others are then counted by the limiter of this machine.
    """

    def __init__(self, url: str, of_machine: RateLimiter) -> None:
        """Prepare the connection; the first one is made when it is needed.

        Args:
            url: address of the Redis server.
            of_machine: has the limits, and counts while Redis cannot.
        """
        redis = Redis.from_url(
            url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._script = redis.register_script(TAKE)
        self._of_machine = of_machine
        limits = of_machine.limits
        self._arguments = [limits.interval, limits.capacity, limits.tolerance, CLOCK_GIVE_SECONDS]
        self._one_at_a_time = threading.Lock()
        self._left_alone_until = -math.inf

    def take(self, slot: int) -> Decision:
        """Take one request out of the slot's bucket, if there is one in it."""
        if not self._may_ask():
            return self._of_machine.take(slot)
        try:
            allowed, debt = self._script(keys=[f"passrail.rate.{slot}"], args=self._arguments)
        except (RedisError, OSError):
            with self._one_at_a_time:
                self._left_alone_until = time.monotonic() + PAUSE_SECONDS
            _log.warning("Redis does not count requests, each machine counts for itself", exc_info=True)
            return self._of_machine.take(slot)
        self._left_alone_until = -math.inf
        return decision_of(self._of_machine.limits, float(debt), allowed == 1)

    def _may_ask(self) -> bool:
        """Say whether to ask Redis. After a pause the first request does; the others wait for what comes of that."""
        if self._left_alone_until == -math.inf:
            return True
        with self._one_at_a_time:
            now = time.monotonic()
            if now < self._left_alone_until:
                return False
            self._left_alone_until = now + PAUSE_SECONDS
            return True
