"""What a connection may do (be kept, be used ahead, ask first, bring too much), and that it keeps nobody waiting."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import requests

from tests.processes import wait_until
from tests.server.web import Web, read_answer, seconds_until_closed, serving
from tests.world import MEMBERSHIP

CREATE = "POST /v1/actions/create-pass"


def body_of(external_id: str) -> bytes:
    return json.dumps({"program_id": MEMBERSHIP, "external_id": external_id}).encode()


def test_a_connection_is_kept_and_requests_on_it_may_come_in_any_pieces(web: Web) -> None:
    with web.connect() as connection:
        for number in range(3):
            body = body_of(f"pieces-{number}")
            request = web.head(CREATE, f"Content-Length: {len(body)}") + body
            for start in range(0, len(request), 37):
                connection.sendall(request[start : start + 37])
            status, headers, answer = read_answer(connection)
            assert (status, headers["Connection"]) == (200, "keep-alive")
            assert json.loads(answer)["external_id"] == f"pieces-{number}"


def test_requests_sent_at_once_are_answered_in_their_order(web: Web) -> None:
    bodies = [body_of(f"pipelined-{number}") for number in range(5)]
    with web.connect() as connection:
        connection.sendall(b"".join(web.head(CREATE, f"Content-Length: {len(body)}") + body for body in bodies))
        answers = [read_whole(connection) for _ in bodies]
    assert [json.loads(answer)["external_id"] for answer in answers] == [f"pipelined-{number}" for number in range(5)]


def read_whole(connection: socket.socket) -> bytes:
    """Read one of several answers, and not a byte of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return body


def test_a_body_in_chunks_leaves_the_connection_usable(web: Web) -> None:
    body = body_of("chunked")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:10], body[10:], b""))
    with web.connect() as connection:
        for _ in range(2):
            connection.sendall(web.head(CREATE, "Transfer-Encoding: chunked") + chunks)
            assert read_answer(connection)[0] == 200


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(web: Web) -> None:
    body = body_of("expecting")
    with web.connect() as connection:
        connection.sendall(web.head(CREATE, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection)[0] == 200


def test_a_client_that_asks_before_it_sends_too_much_is_refused_at_once(web: Web) -> None:
    with web.connect() as connection:
        connection.sendall(web.head(CREATE, "Content-Length: 100000000", "Expect: 100-continue"))
        status, headers, _ = read_answer(connection)
        assert (status, headers["Connection"]) == (413, "close")


@pytest.mark.parametrize("size", [65_537, 262_144, 262_145, 3_000_000])
@pytest.mark.parametrize("path", ["/v1/actions/create-pass", "/nowhere", "/healthz"])
def test_after_a_body_that_is_too_large_the_same_session_goes_on(web: Web, size: int, path: str) -> None:
    with requests.Session() as session:
        session.headers.update({**web.headers, "Content-Type": "application/json"})
        for _ in range(3):
            refused = session.post(f"{web.address}{path}", data=b" " * size, timeout=30)
            assert refused.status_code in (404, 405, 413)
            assert refused.json()["status"] == refused.status_code
            assert session.get(f"{web.address}/v1/me", timeout=30).status_code == 200


def test_what_follows_a_refused_body_is_never_taken_for_a_request(web: Web) -> None:
    hidden = web.head(CREATE, "Content-Length: 2") + b"{}"
    with web.connect() as connection:
        connection.sendall(web.head("POST /nowhere", "Content-Length: 300000") + b" " * 1000 + hidden)
        status, headers, _ = read_answer(connection)
        assert (status, headers["Connection"]) == (404, "close")
        assert connection.recv(1000) == b""


def test_a_request_that_came_too_slowly_is_told_so_and_may_be_sent_again(web: Web) -> None:
    with web.connect() as client:
        client.sendall(web.head(CREATE, "Content-Length: 10") + b"{")
        status, headers, body = read_answer(client)
        problem = json.loads(body)
        assert (status, problem["code"], problem["retryable"]) == (408, "request-timeout", True)
        assert headers["Connection"] == "close"
        assert headers["Content-Type"] == "application/problem+json"


def test_more_connections_than_there_is_room_for_leave_room_for_another(tmp_path: Path) -> None:
    with serving(tmp_path, {"WEB_CONCURRENCY": "1"}) as web:
        silent = [web.connect() for _ in range(900)]
        try:
            for _ in range(5):
                assert web.is_healthy(seconds=5)
        finally:
            for client in silent:
                client.close()


def test_a_server_that_is_asked_to_stop_answers_what_has_begun(tmp_path: Path) -> None:
    with serving(tmp_path) as web:
        body = body_of("last")
        begun, idle = web.connect(), web.connect()
        idle.sendall(web.head("GET /healthz"))
        assert read_answer(idle)[0] == 200
        request = web.head(CREATE, f"Content-Length: {len(body)}") + body
        begun.sendall(request[:-1])
        time.sleep(0.5)  # the server must have met it; nothing outside tells when
        os.kill(web.master, signal.SIGTERM)
        wait_until(lambda: not _accepts(web), "the end of listening")
        begun.sendall(request[-1:])
        status, headers, _ = read_answer(begun)
        assert (status, headers["Connection"]) == (200, "close")
        assert seconds_until_closed(idle) < 10


def _accepts(web: Web) -> bool:
    try:
        web.connect().close()
    except OSError:
        return False
    return True
