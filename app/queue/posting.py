"""Posting jobs from a thread of its own, so that nobody who changes something ever waits for the queue."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

# What waits while the queue is away. More than that is left to the sweeps.
MOST_WAITING = 10_000
PAUSE_SECONDS = 1.0
# A process that ends waits this long for what it has not posted yet.
LAST_SECONDS = 1.0

Job = tuple[str, str, datetime | None]
_log = logging.getLogger(__name__)


class Poster:
    """Puts jobs into the queue, one after another, each as soon as the queue takes it.

    The same job asked for again while it waits is one job. Where the queue is away (Redis stopped or hanging, the file
    locked), jobs wait here, and it is tried again after a pause. What a process has not posted when it ends is found by
    the sweeps.
    """

    def __init__(self, put: Callable[[str, str, datetime | None], None], pause_seconds: float = PAUSE_SECONDS) -> None:
        """Keep what puts a job into the queue; it may take its time and may raise anything."""
        self._put, self._pause_seconds = put, pause_seconds
        self._waiting: dict[Job, None] = {}
        self._is_putting = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def post(self, name: str, row_id: str, at: datetime | None = None) -> None:
        """Ask for a job.

        Args:
            name: the job's.
            row_id: ID of the row it is about.
            at: when it is to be done; None: now.
        """
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                return
            self._waiting[name, row_id, at] = None
            # Threads do not survive a fork, so the first post of a process starts one.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="poster", daemon=True)
                self._thread.start()
                atexit.register(self.wait, LAST_SECONDS)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is posted; False: it is not after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._is_putting, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_putting = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                job = next(iter(self._waiting))
                # Before it is put: who asks for it from now on may mean a change that this one does not see.
                del self._waiting[job]
                self._is_putting = True
            try:
                self._put(*job)
            except Exception:
                _log.warning("the queue does not take a job", exc_info=True)
                with self._changed:
                    self._waiting = {job: None, **self._waiting}
                time.sleep(self._pause_seconds)
