"""One attempt as the receiver sees it: its head, its body, and what is not done."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.events.hook_secrets import generate
from app.events.sending import LARGEST_ANSWER, Sender
from tests.events.receivers import PIECE, Receiver, answer, receiving

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BODY = json.dumps({"id": "evt_1", "data": {"first_name": "Ädä"}}, ensure_ascii=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(answer(204, {"Set-Cookie": "a=b"})) as one:
        yield one


@pytest.fixture
def sender() -> Sender:
    return Sender(frozenset({"127.0.0.1"}))


def test_a_delivery_has_exactly_these_headers(receiver: Receiver, sender: Sender) -> None:
    outcome = sender.send(receiver.url, "evt_1", BODY, [generate(), generate()], NOW)
    assert (outcome.status_code, outcome.is_success) == (204, True)
    [(headers, body)] = receiver.requests
    assert body.decode() == BODY
    assert headers.pop("webhook-signature").count("v1,") == 2
    assert len(headers.pop("passrail-sender-signature").split()) == 2
    assert headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "user-agent": "Passrail",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "content-length": str(len(BODY.encode())),
    }


def test_a_receiver_that_closes_without_a_word_is_reached_again_and_again(receiver: Receiver, sender: Sender) -> None:
    outcomes = [sender.send(receiver.url, "evt_1", BODY, [generate()], NOW) for _ in range(50)]
    assert all(outcome.is_success for outcome in outcomes)
    assert len(receiver.requests) == 50
    assert all("cookie" not in headers for headers, _ in receiver.requests)


def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(answer(200)) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert sender.send(receiver.url, "evt_1", BODY, [generate()], NOW).status_code == 204
        assert proxy.requests == []


def test_of_an_answer_no_more_than_64_kb_are_read(sender: Sender) -> None:
    taken = 0

    def endless(connection: socket.socket) -> None:
        nonlocal taken
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            taken += connection.send(PIECE[:4096])

    with receiving(endless) as one:
        assert sender.send(one.url, "evt_1", BODY, [generate()], NOW).is_success
    # What is read (the last pieces may not be counted yet), and what the two sockets' buffers take besides.
    assert LARGEST_ANSWER - 2 * 4096 <= taken < 12_000_000


def test_a_host_that_is_allowed_no_more_is_not_sent_to(receiver: Receiver) -> None:
    outcome = Sender(frozenset()).send(receiver.url, "evt_1", BODY, [generate()], NOW)
    assert "Nothing was sent" in (outcome.error or "")
    assert receiver.requests == []
