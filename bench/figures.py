"""The arithmetic: from measured runs to the figures that are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


class BenchFailed(Exception):
    """Something was measured that must not count: requests that failed, effects that are missing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of load on one server.

    Attributes:
        requests: answers with a status of 2xx or 3xx that came.
        seconds: for how long.
        errors: answers with another status, broken connections, timeouts.
        p50_ms: half of the answers took at most so many milliseconds.
        p99_ms: 99 of 100 answers took at most so many milliseconds.
        cpu_seconds: processor time of the server's workers, user and system.
    """

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float
    cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time a request."""
        return self.cpu_seconds / self.requests * 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure that was taken several times."""

    middle: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up repeated measurements; the median does not mind a run that something disturbed."""
    return Spread(median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that `percent` of all values do not exceed (the nearest-rank method)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Pair:
    """A run of the baseline and one of the subject right after it, under the same load."""

    bare: Run
    subject: Run


def throughput_ratio(pairs: Sequence[Pair]) -> Spread:
    """Requests a second of the subject, the bare route being 1. Each pair is compared by itself: what slows the
    machine down for a while slows both of its runs."""
    return spread([pair.subject.per_second / pair.bare.per_second for pair in pairs])


def cpu_ratio(pairs: Sequence[Pair]) -> Spread:
    """The same by processor time a request, which other programs on the machine disturb less."""
    return spread([pair.bare.cpu_ms / pair.subject.cpu_ms for pair in pairs])
