"""Posting costs nobody time, whatever the queue does, and what the queue did not take is posted when it is back."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from app.queue import posting
from app.queue.posting import Poster

PATIENCE = 30.0


class Wire:
    """A queue that can be away."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.is_away = False
        self.tries = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def put(self, name: str, row_id: str, at: datetime | None) -> None:
        self.tries += 1
        self.goes_on.wait(PATIENCE)
        if self.is_away:
            raise ConnectionError("the queue is away")
        self.taken.append((name, row_id))


def test_who_posts_does_not_wait_for_a_queue_that_hangs() -> None:
    wire = Wire()
    wire.goes_on.clear()
    poster = Poster(wire.put)
    began = time.monotonic()
    for number in range(1000):
        poster.post("deliver", f"hook_{number % 10}")
    assert time.monotonic() - began < 1
    assert wire.taken == []
    wire.goes_on.set()
    assert poster.wait(PATIENCE)
    # The one that was on its way when it was asked for again is posted again: it may not have seen the change.
    assert set(wire.taken) == {("deliver", f"hook_{number}") for number in range(10)}
    assert len(wire.taken) <= 11


def test_what_the_queue_did_not_take_is_posted_once_it_is_back() -> None:
    wire = Wire()
    wire.is_away = True
    poster = Poster(wire.put, pause_seconds=0.01)
    for number in range(3):
        poster.post("deliver", f"hook_{number}")
    assert not poster.wait(0.1)
    wire.is_away = False
    assert poster.wait(PATIENCE)
    assert wire.taken == [("deliver", "hook_0"), ("deliver", "hook_1"), ("deliver", "hook_2")]


def test_a_queue_that_is_away_is_tried_once_in_a_pause() -> None:
    wire = Wire()
    wire.is_away = True
    poster = Poster(wire.put, pause_seconds=PATIENCE)
    for number in range(100):
        poster.post("deliver", f"hook_{number}")
    assert not poster.wait(0.2)
    assert wire.tries == 1


def test_a_long_outage_fills_no_memory() -> None:
    wire = Wire()
    wire.goes_on.clear()
    poster = Poster(wire.put)
    for number in range(posting.MOST_WAITING * 2):
        poster.post("deliver", f"hook_{number}")
    wire.goes_on.set()
    assert poster.wait(PATIENCE)
    assert len(wire.taken) <= posting.MOST_WAITING + 1
