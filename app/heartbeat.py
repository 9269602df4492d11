"""The worker writes into the database that it lives, so that `/readyz?worker` and `/metrics` can tell."""

from __future__ import annotations

import logging
import threading
import time

from app.answer import to_text
from app.model import IdKind, new_id
from app.service import Service
from app.store import workers

BEAT_SECONDS = 20.0
_log = logging.getLogger(__name__)


def living(service: Service) -> tuple[int, str]:
    """Return how many workers are alive, and when the last one was: words that end "No worker has been alive"."""
    with service.store.read() as connection:
        seen = workers.seen_at(connection)
    now = service.clock()
    return sum(workers.is_alive(at, now) for at in seen), f"since {to_text(max(seen))}" if seen else "so far"


class Heartbeat:
    """The heartbeat of one process."""

    def __init__(self, service: Service) -> None:
        self._service, self._id, self._started_at = service, new_id(IdKind.WORKER), service.clock()

    def beat(self) -> None:
        """Write down that the process lives now."""
        with self._service.store.write() as connection:
            workers.see(connection, self._id, self._started_at, self._service.clock())

    def go_on(self) -> None:
        """Beat for as long as the process lives, whatever the database does."""
        while True:
            try:
                self.beat()
            except Exception:
                _log.warning("the worker's heartbeat cannot be written", exc_info=True)
            time.sleep(BEAT_SECONDS)


def start(service: Service) -> None:
    """Let the heart of this process beat from now on, in a thread that ends with it."""
    threading.Thread(target=Heartbeat(service).go_on, name="heartbeat", daemon=True).start()
