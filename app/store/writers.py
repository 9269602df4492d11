"""Whose turn it is to write to SQLite."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.store.unavailable import BUSY, DatabaseUnavailable


class WriterQueue:
    """The queue of one database, for the threads of this process and all other processes.

    SQLite's own way to wait is to sleep and look again, longer each time: with two processes and many threads that
    makes the slowest requests ten times slower. Threads wait at a lock, processes at the lock of a file, which the
    kernel hands on at once, and sets free when a process dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._file: int | None = None
        self._process = 0

    @contextmanager
    def turn(self, seconds: float) -> Iterator[float]:
        """Wait for the turn; it ends with the block. Give what is left of `seconds`.

        Raises:
            DatabaseUnavailable: it did not come within `seconds`.
        """
        until = time.monotonic() + seconds
        if not self._threads.acquire(timeout=seconds):
            raise DatabaseUnavailable(BUSY)
        try:
            file = self._open()
            if not _lock(file, until - time.monotonic()):
                # Once closed, the file's lock ends as soon as the thread that still waits for it has got it.
                os.close(file)
                self._file = None
                raise DatabaseUnavailable(BUSY)
            try:
                yield until - time.monotonic()
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _open(self) -> int:
        """Open the file once in each process: a lock belongs to an opening, which a forked process would share."""
        if self._file is None or self._process != os.getpid():
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._process = os.getpid()
        return self._file


def _lock(file: int, seconds: float) -> bool:
    """Lock a file; say whether that was possible in time."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # `flock` knows no time limit: a thread waits in our place.
        waiter = threading.Thread(target=fcntl.flock, args=(file, fcntl.LOCK_EX), daemon=True)
        waiter.start()
        waiter.join(max(0.0, seconds))
        return not waiter.is_alive()
    return True
