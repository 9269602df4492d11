"""Purges that are killed, in a process of their own: `python -m tests.e2e.purging SETTINGS KILLS`.

Each purge runs in a child that ends itself with SIGKILL in the middle of the work: just before or just after the
commit of one of its chunks. The chunks are small, so that there are many.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from sqlalchemy import Connection

from app.retention import purge
from app.service import make_service
from app.settings import Settings
from app.store import chunks
from app.store.engine import Store

CHUNK = 20
CHUNKS_BEFORE_A_KILL = 4


def main(settings: str, kills: str) -> None:
    """Kill so many purges and print how many died; one after the other."""
    for name in ("LEAST", "MOST"):
        setattr(chunks, name, CHUNK)
    died = sum(_one_purge(Settings(**json.loads(settings)), number) for number in range(int(kills)))
    print(died)


def _one_purge(settings: Settings, number: int) -> bool:
    child = os.fork()
    if child == 0:
        _purge_and_die(settings, number)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _purge_and_die(settings: Settings, number: int) -> NoReturn:
    """Die before the commit of a chunk, or after it, by turns."""
    chunk = random.randrange(CHUNKS_BEFORE_A_KILL)
    setattr(Store, "write", _dying_write(Store.write, chunk, after_commit=bool(number % 2)))  # noqa: B010
    purge(make_service(settings))
    os._exit(0)


def _dying_write(write: Callable[[Store], Any], chunk: int, *, after_commit: bool) -> Callable[[Store], Any]:
    left = iter(range(chunk + 1))

    @contextmanager
    def wrapper(store: Store) -> Iterator[Connection]:
        is_last = next(left) == chunk
        with write(store) as connection:
            yield connection
            if is_last and not after_commit:
                os.kill(os.getpid(), signal.SIGKILL)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

    return wrapper


if __name__ == "__main__":
    main(*sys.argv[1:])
