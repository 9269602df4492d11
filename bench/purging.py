"""A purge that is measured, in a process of its own: `python -m bench.purging SETTINGS`, with the settings as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.retention import purge
from app.service import make_service
from app.settings import Settings
from bench.figures import percentile


def main(settings: str) -> None:
    """Purge, and print how many rows went in how many seconds, and for how long transactions held the writer."""
    logging.disable()
    service = make_service(Settings(**json.loads(settings)))
    write = service.store.write
    held: list[float] = []

    @contextmanager
    def timed() -> Iterator[Connection]:
        began = 0.0
        with write() as connection:
            began = time.perf_counter()
            yield connection
        held.append((time.perf_counter() - began) * 1000)

    setattr(service.store, "write", timed)  # noqa: B010
    begun = time.perf_counter()
    rows = sum(purge(service).values())
    seconds = time.perf_counter() - begun
    told = {"rows": rows, "seconds": seconds, "held_p99_ms": percentile(held, 99), "held_most_ms": max(held)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
