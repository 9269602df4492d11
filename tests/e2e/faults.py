"""What a fault of the ground costs: one row for each fault and kind of request, shown when the tests have run."""

from __future__ import annotations

from dataclasses import dataclass

FAULTS: list[Fault] = []
HEADINGS = ("fault", "request", "status", "answered in", "healed in", "lost")


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table.

    Attributes:
        fault: what was wrong: "Redis hangs".
        request: what was sent meanwhile: "read", "write" or "health".
        status: the HTTP status, several with a slash between.
        answer_seconds: the longest time that an answer took.
        heal_seconds: after the fault ended, until all was as before.
        lost: what was acknowledged and is not there afterwards.
    """

    fault: str
    request: str
    status: str
    answer_seconds: float
    heal_seconds: float
    lost: int


def table() -> list[str]:
    """Return the lines of the table, none where no fault was tried."""
    if not FAULTS:
        return []
    rows = [HEADINGS] + [
        (row.fault, row.request, row.status, f"{row.answer_seconds:.3f} s", f"{row.heal_seconds:.1f} s", str(row.lost))
        for row in FAULTS
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
