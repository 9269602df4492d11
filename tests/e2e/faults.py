"""What a fault did to reads, writes and health, as rows of a table at the end of the test run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests


@dataclass(frozen=True, slots=True)
class Answered:
    """How a request ended: its status, or `-` where there was no answer, and the seconds that took."""

    status: str
    seconds: float


@dataclass(slots=True)
class Row:
    """What one fault did to one kind of request.

    Attributes:
        fault: its name.
        kind: `read`, `write` or `health`.
        answers: every answer while it lasted.
        heals_in: seconds from its end to the first good answer.
        lost: writes that were answered as done and are not there afterwards.
    """

    fault: str
    kind: str
    answers: list[Answered] = field(default_factory=list)
    heals_in: float = 0.0
    lost: int = 0

    @property
    def statuses(self) -> set[str]:
        """What was answered while the fault lasted."""
        return {answer.status for answer in self.answers}

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took."""
        return max((answer.seconds for answer in self.answers), default=0.0)

    def ask(self, send: Callable[[], requests.Response]) -> None:
        """Send a request while the fault lasts, and keep how it ended."""
        began = time.monotonic()
        try:
            status = str(send().status_code)
        except requests.RequestException:
            status = "-"
        self.answers.append(Answered(status, time.monotonic() - began))

    def heal(self, send: Callable[[], requests.Response], patience: float = 30.0) -> None:
        """Measure, right after the fault's end, how long it takes until a request succeeds."""
        began = time.monotonic()
        while time.monotonic() < began + patience:
            try:
                if send().ok:
                    self.heals_in = time.monotonic() - began
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.fault}: {self.kind} did not heal within {patience} s")


def rows_of(fault: str) -> Mapping[str, Row]:
    """Make the rows of a fault, a kind each, and put them into the table."""
    rows = {kind: Row(fault, kind) for kind in ("read", "write", "health")}
    TABLE.extend(rows.values())
    return rows


def lines() -> list[str]:
    """Write the table."""
    if not TABLE:
        return []
    head = f"{'fault':<24}{'kind':<8}{'status':<14}{'slowest':>10}{'heals in':>10}{'lost':>6}"
    return [head] + [
        f"{row.fault:<24}{row.kind:<8}{' '.join(sorted(row.statuses)):<14}"
        f"{row.slowest:>8.2f} s{row.heals_in:>8.2f} s{row.lost:>6}"
        for row in TABLE
    ]


TABLE: list[Row] = []
