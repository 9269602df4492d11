from __future__ import annotations

import gzip
import http.cookiejar
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from app.issuers.passkit import wire as wire_module
from app.issuers.passkit.failures import Garbled, Lost, NotSent, PassKitFailure
from app.issuers.passkit.wire import Answer, Wire
from tests.issuers.passkit.server import RawServer, reset, serving, whole

QUICK = 0.3  # seconds for an answer, in tests that wait for it to run out


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(4)
    yield made
    made.close()


def request_to(url: str, body: bytes = b'{"a":1}') -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.prepare("PUT", f"{url}/path", headers={"Authorization": "canary-token"}, data=body)
    return request


def write(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


def write_and_close(data: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.close()

    return handler


def write_and_reset(data: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        connection.sendall(data)
        time.sleep(0.05)  # else the reset overtakes the data
        reset(connection)

    return handler


def drip(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.02)

    return handler


def silence(connection: socket.socket) -> None:
    connection.recv(1)


def failing(wire: Wire, url: str, seconds: float = 5.0) -> PassKitFailure:
    with pytest.raises(PassKitFailure) as caught:
        wire.exchange(request_to(url), seconds)
    failure = caught.value
    assert "canary" not in f"{failure}{failure!r}"
    # What the libraries raised holds the request with its token; nothing leads there.
    assert failure.__cause__ is None
    assert failure.__context__ is None
    return failure


def test_an_answer_comes_back_whole(wire: Wire) -> None:
    with serving(write(whole(b'{"id":"x"}', "X-Request-Id: r1"))) as server:
        answer = wire.exchange(request_to(server.url))
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (200, b'{"id":"x"}', "r1")
    assert server.requests[0].endswith(b'\r\n\r\n{"a":1}')


def test_an_answer_shows_no_body() -> None:
    assert repr(Answer(200, {}, b"canary")) == "Answer(200, 6 bytes)"


def test_connections_are_used_again(wire: Wire) -> None:
    with serving(write(whole())) as server:
        for _ in range(5):
            wire.exchange(request_to(server.url))
    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize(
    "handler",
    [
        silence,
        drip(b"", b"H"),
        drip(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", b" "),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["silence", "status line", "header", "body", "chunks"],
)
def test_time_counts_for_the_whole_answer_however_it_drips(wire: Wire, handler: Callable[..., None]) -> None:
    with serving(handler) as server:
        started = time.monotonic()
        failure = failing(wire, server.url, QUICK)
    assert time.monotonic() - started < QUICK + 30  # the server would go on for ever
    assert type(failure) is Lost
    assert failure.text == "PassKit did not answer in time."


@pytest.mark.parametrize(
    "handler",
    [
        lambda connection: reset(connection),
        lambda connection: connection.close(),
        write_and_close(b"HTTP/1.1 200"),
        write_and_close(b"HTTP/1.1 200 OK\r\nContent-Le"),
        write_and_close(b"HTTP/1.1 200 OK\r\n\r\n"),
        write_and_close(b'HTTP/1.1 200 OK\r\n\r\n{"result":{"id":"1"}}\n'),
        write_and_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        write_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        write_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        write_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        write_and_close(b"not HTTP at all\r\n\r\n"),
        write(whole(b"not gzip", "Content-Encoding: gzip")),
    ],
    ids=[
        "reset",
        "end",
        "cut line",
        "cut head",
        "no length",
        "no length of a list",
        "reset in body",
        "cut body",
        "cut chunks",
        "bad chunk",
        "not HTTP",
        "bad gzip",
    ],
)
def test_a_connection_that_breaks_after_sending_is_unclear(wire: Wire, handler: Callable[..., None]) -> None:
    with serving(handler) as server:
        failure = failing(wire, server.url)
    assert type(failure) is Lost
    assert len(server.requests) == 1


def test_an_answer_may_have_10_megabytes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "LARGEST_ANSWER", 100_000)
    with serving(write(whole(b" " * 100_000))) as server:
        assert len(wire.exchange(request_to(server.url)).body) == 100_000
    with serving(write(whole(b" " * 100_001))) as server:
        assert type(failing(wire, server.url)) is Garbled


def test_an_endless_answer_is_given_up_at_10_megabytes(wire: Wire) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b" " * 100_000)
            sent += 100_000

    with serving(endless) as server:
        assert type(failing(wire, server.url)) is Garbled
    assert sent < 20_000_000


def test_a_small_answer_that_unpacks_to_a_large_one_is_given_up(wire: Wire) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    with serving(write(whole(bomb, "Content-Encoding: gzip"))) as server:
        assert type(failing(wire, server.url)) is Garbled


def test_a_refused_connection_is_certainly_not_sent(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failure = failing(wire, f"http://127.0.0.1:{port}")
    assert type(failure) is NotSent
    assert failure.text == "No connection to PassKit (NewConnectionError)."


def test_a_name_that_does_not_resolve_is_certainly_not_sent(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    failure = failing(wire, "https://api.pub1.passkit.io")
    assert type(failure) is NotSent
    assert failure.text == "No connection to PassKit (NameResolutionError)."


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x01\x00\x02\x02\x28"],
    ids=["plain HTTP", "end", "alert"],
)
def test_a_tls_handshake_that_fails_is_certainly_not_sent(wire: Wire, first: bytes) -> None:
    hello = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                hello.set()
                connection.sendall(first)

        threading.Thread(target=answer, daemon=True).start()
        failure = failing(wire, f"https://127.0.0.1:{listener.getsockname()[1]}")
    assert hello.is_set()
    assert type(failure) is NotSent


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(wire: Wire) -> None:
    with serving(write_and_close(whole())) as server:
        wire.exchange(request_to(server.url))
        time.sleep(0.05)
        wire.exchange(request_to(server.url))
    assert server.connections == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_redirects_are_not_followed(wire: Wire, status: str) -> None:
    with (
        serving(write(whole())) as other,
        serving(write(whole(b"", f"Location: {other.url}/", status=status))) as server,
    ):
        assert wire.exchange(request_to(server.url)).status == int(status[:3])
    assert other.requests == []


def test_cookies_are_not_kept_for_the_next_account(wire: Wire) -> None:
    with serving(write(whole(b"{}", "Set-Cookie: session=canary; Path=/"))) as server:
        wire.exchange(request_to(server.url))
        wire.exchange(request_to(server.url))
    assert b"ookie" not in server.requests[1]
    assert isinstance(wire.session.cookies, http.cookiejar.CookieJar)
    assert list(wire.session.cookies) == []


def test_the_environment_has_no_say(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    with serving(write(whole())) as server:
        assert wire.exchange(request_to(server.url)).status == 200


def test_threads_share_the_pool(wire: Wire) -> None:
    statuses: list[int] = []

    def work(server: RawServer) -> None:
        for _ in range(20):
            statuses.append(wire.exchange(request_to(server.url)).status)

    with serving(write(whole())) as server:
        threads = [threading.Thread(target=work, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 80
    assert server.connections <= 4


def test_nothing_is_logged_about_a_request(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), serving(write(whole())) as server:
        wire.exchange(request_to(server.url))
        failing(wire, "http://127.0.0.1:9")
    assert caplog.text == ""
