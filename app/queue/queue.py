"""Huey with our kind of messages, in a file or in Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from huey import Huey
from huey.api import Task
from huey.exceptions import HueyException
from huey.storage import RedisStorage, SqliteStorage
from redis import ConnectionPool

from app.queue.messages import SignedJson, UnusableMessage
from app.settings import Settings

_log = logging.getLogger(__name__)


class Queue(Huey):  # type: ignore[misc]
    """A queue that drops what it cannot use: what was not signed here, and jobs that this version does not know."""

    def dequeue(self) -> Task | None:
        """Return the next job; None where there is none, or one that is dropped."""
        data = self.storage.dequeue()
        return None if data is None else self._read(data)

    def read_schedule(self, timestamp: datetime | None = None) -> list[Task]:
        """Return the jobs whose time has come."""
        found = self.storage.read_schedule(timestamp or self._get_timestamp())
        return [task for data in found if (task := self._read(data)) is not None]

    def _read(self, data: bytes) -> Task | None:
        try:
            return self.deserialize_task(data)
        except (UnusableMessage, HueyException):
            _log.warning("a message in the queue was dropped: it is not signed by this installation and version")
            return None


def make_queue(kind: type[Queue], settings: Settings, sign: Callable[[str], str]) -> Any:
    """Make the queue that the settings name.

    Args:
        kind: the class to make it of.
        settings: where it is.
        sign: returns the keyed hash of a text. It is called when the first job is posted or read.
    """
    common = {"serializer": SignedJson(sign), "results": False}
    if settings.redis_url:
        # Only the poster's and the worker's threads ever wait this long.
        pool = ConnectionPool.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2)
        return kind("passrail", storage_class=RedisStorage, connection_pool=pool, **common)
    folder = Path(settings.data_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # Nothing waits for the disk: what a power cut takes from the queue, the sweep finds.
    return kind("passrail", storage_class=SqliteStorage, filename=str(folder / "jobs.db"), fsync=False, **common)
