"""Spreading connections evenly over the server processes.

All processes listen to one socket, and the kernel wakes whichever is quickest. Left to that, one process can get all
connections of a client that keeps them, and the other none: one of two cores idles. (A socket for each process,
`SO_REUSEPORT`, does not prevent it, lets two services take the same port, and drops what waits when a process ends.)
So every process tells the others how many connections it has, in memory that all share, and one that has more lets
the others go first.
"""

from __future__ import annotations

import mmap

FREE, STARTING = -2, -1
_SEATS = 256


class Seats:
    """A number for each server process: of its connections, or that it is starting, or that there is none."""

    def __init__(self) -> None:
        # Anonymous memory that forked processes share. Each number has one writer at a time.
        self._numbers = memoryview(mmap.mmap(-1, _SEATS * 4)).cast("i")
        for seat in range(_SEATS):
            self._numbers[seat] = FREE

    def take(self) -> int:
        """Return a seat for a process that is about to start; the last one is shared where there are too many."""
        seat = next((seat for seat in range(_SEATS) if self._numbers[seat] == FREE), _SEATS - 1)
        self._numbers[seat] = STARTING
        return seat

    def leave(self, seat: int) -> None:
        """Give the seat of a process back that has ended."""
        self._numbers[seat] = FREE

    def tell(self, seat: int, connections: int) -> None:
        """Tell the others how many connections a process has."""
        self._numbers[seat] = connections

    def any_is_starting(self) -> bool:
        """Tell whether a process is not ready for connections yet."""
        return STARTING in self._numbers

    def another_has_fewer(self, connections: int) -> bool:
        """Tell whether a process has fewer connections than these."""
        return any(0 <= number < connections for number in self._numbers)


seats = Seats()
