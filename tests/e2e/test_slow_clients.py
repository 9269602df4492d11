"""Hundreds of slow clients keep nobody else waiting, and each is ended after a bounded time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import requests

from app.server.worker import LINGER_SECONDS, REQUEST_SECONDS
from tests.e2e.faults import RowsOf
from tests.server.web import Web, read_answer, seconds_until_closed, serving

CLIENTS = 100  # of each kind
CREATE = "POST /v1/actions/create-pass"
PROBES = 20
GIVE_SECONDS = 5.0  # to a busy machine


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A server of the usual size."""
    with serving(tmp_path_factory.mktemp("slow")) as running:
        yield running


# What each kind of client sends first; afterwards it sends a byte every two seconds.
SLOW: Mapping[str, Sequence[Callable[[Web], bytes]]] = {
    "slow headers": (
        lambda web: b"G",
        lambda web: b"GET /healthz HTTP/1.1\r\nX-Slow: ",
        lambda web: web.head("GET /v1/me")[:-2] + b"X-Slow: ",
    ),
    "slow bodies": (
        lambda web: web.head(CREATE, "Content-Length: 1000"),
        lambda web: web.head(CREATE, "Transfer-Encoding: chunked") + b"fff\r\n",
        lambda web: f"{CREATE} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".encode(),
        lambda web: b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_keep_nobody_waiting_and_are_ended_in_time(web: Web, kind: str, rows_of: RowsOf) -> None:
    rows = rows_of(kind)
    silent = [web.connect() for _ in range(CLIENTS)]
    with trickling(web, [first(web) for first in SLOW[kind]]) as clients:
        made = []
        for number in range(PROBES):
            rows["health"].ask(lambda: requests.get(f"{web.address}/healthz", timeout=5))
            rows["read"].ask(lambda: requests.get(f"{web.address}/v1/me", headers=web.headers, timeout=5))
            made.append(f"{kind}-{number}")
            rows["write"].ask(partial(web.create, made[-1]))
        for client in (*clients, *silent):
            client.settimeout(REQUEST_SECONDS + GIVE_SECONDS)
        assert {read_answer(client)[0] for client in clients} == {408}
        began = time.monotonic()
        for client in (*clients, *silent):
            seconds_until_closed(client)
            client.close()
        assert time.monotonic() - began < LINGER_SECONDS + GIVE_SECONDS
    for row in rows.values():
        assert row.statuses == {"200"}, row
        # The machine may be busy with other things for a moment.
        assert sum(answer.seconds >= 1.0 for answer in row.answers) <= PROBES // 10, row
    listed = requests.get(f"{web.address}/v1/passes?limit=100", headers=web.headers, timeout=10).json()["data"]
    rows["write"].lost = len(set(made) - {item["external_id"] for item in listed})
    assert rows["write"].lost == 0


@contextmanager
def trickling(web: Web, beginnings: Sequence[bytes]) -> Iterator[list[socket.socket]]:
    """Have clients that send a beginning, and then a byte every two seconds."""
    clients = []
    for beginning in beginnings:
        for _ in range(CLIENTS):
            clients.append(web.connect())
            clients[-1].sendall(beginning)
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(2):
            for client in clients:
                with suppress(OSError):
                    client.send(b" ")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        yield clients
    finally:
        over.set()
        thread.join()
        for client in clients:
            client.close()
