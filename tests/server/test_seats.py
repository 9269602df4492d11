"""Server processes share connections evenly, from the first moment on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from app.server.seats import Seats
from tests.server.web import Web, read_answer, serving
from tests.thorough import amount

STARTS = int(os.environ.get("PASSRAIL_STARTS", amount(1, thorough=3)))
CONNECTIONS = 8


@pytest.mark.parametrize("start", range(STARTS))
def test_kept_connections_are_spread_over_the_processes(start: int, tmp_path: Path) -> None:
    """`PASSRAIL_STARTS=20` starts the server so often."""
    with serving(tmp_path) as web:
        kept = [web.connect() for _ in range(CONNECTIONS)]
        for connection in kept:
            connection.sendall(web.head("GET /healthz"))
        assert [read_answer(connection)[0] for connection in kept] == [200] * CONNECTIONS
        ports = {connection.getsockname()[1] for connection in kept}
        held = Counter(_holder_of(web.workers(), port) for port in ports)
        for connection in kept:
            connection.close()
    assert len(held) == 2, held
    assert min(held.values()) >= CONNECTIONS // 4, held


def test_many_connections_at_once_are_taken_at_once(web: Web) -> None:
    assert _seconds_to_take(web, 400) < 3.0


def test_a_process_that_does_not_come_for_its_share_holds_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path) as web:
        stopped = web.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            assert _seconds_to_take(web, 200) < 3.0
        finally:
            os.kill(stopped, signal.SIGCONT)


def _seconds_to_take(web: Web, number: int) -> float:
    """Return how long it takes until the last of so many connections is answered."""
    began = time.monotonic()
    connections = [web.connect() for _ in range(number)]
    connections[-1].sendall(web.head("GET /healthz"))
    assert read_answer(connections[-1])[0] == 200
    for connection in connections:
        connection.close()
    return time.monotonic() - began


def _holder_of(workers: list[int], client_port: int) -> int:
    """Return the process that has the server's end of a connection."""
    filter_ = f"( dport = :{client_port} )"
    shown = subprocess.run(["ss", "-tnpH", filter_], capture_output=True, text=True, check=True).stdout
    [holder] = [worker for worker in workers if re.search(rf"pid={worker}\b", shown)]
    return holder


def test_who_has_more_knows_it_and_who_has_ended_does_not_count() -> None:
    seats = Seats()
    first, second = seats.take(), seats.take()
    assert first != second
    assert seats.any_is_starting()
    seats.tell(first, 0)
    assert seats.any_is_starting()
    seats.tell(second, 3)
    assert not seats.any_is_starting()
    assert seats.another_has_fewer(3)
    assert not seats.another_has_fewer(0)
    seats.leave(first)
    assert not seats.another_has_fewer(3)
    assert seats.take() == first
