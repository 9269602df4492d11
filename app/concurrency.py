"""A bound on how many threads of a process do one kind of work, so that what is slow never keeps everybody waiting."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from app.errors import TooBusy

RETRY_SECONDS = 2


class ConcurrencyLimit(AbstractContextManager[None]):
    """Let so many threads at once into the block; whoever comes beyond that is refused.

    A thread that is in already comes in again.

    Args:
        at_once: how many.
        waiting: how many others may wait for a place.
        seconds: for so long.

    Raises:
        TooBusy: on entering, when there is no place.
    """

    def __init__(self, at_once: int, waiting: int = 0, seconds: float = 0.0) -> None:
        self._present = threading.BoundedSemaphore(at_once + waiting)
        self._at_work = threading.BoundedSemaphore(at_once)
        self._seconds = seconds
        self._mine = threading.local()

    def __enter__(self) -> None:
        depth: int = getattr(self._mine, "depth", 0)
        if depth == 0:
            self._take_place()
        self._mine.depth = depth + 1

    def __exit__(self, *_error: object) -> None:
        self._mine.depth -= 1
        if self._mine.depth == 0:
            self._at_work.release()
            self._present.release()

    def _take_place(self) -> None:
        if not self._present.acquire(blocking=False):
            raise TooBusy(retry_after=RETRY_SECONDS)
        if not self._at_work.acquire(timeout=self._seconds):
            self._present.release()
            raise TooBusy(retry_after=RETRY_SECONDS)
