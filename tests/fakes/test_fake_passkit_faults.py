"""What goes wrong on purpose."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
import requests

from tests.fakes.passkit.seed import BRONZE, PROGRAM
from tests.fakes.passkit_client import Client, refused

EARN = "/members/member/points/earn"
MEMBERS = f"/members/member/list/{PROGRAM}"


def test_a_delay_before_the_effect_can_swallow_the_request(client: Client) -> None:
    identity = client.enrol()
    client.fake.fail("delay", f"PUT {EARN}", seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        client.ask("PUT", EARN, {"id": identity, "points": 5}, timeout=0.1)
    assert client.member(identity)["points"] == 0
    assert client.right("PUT", EARN, {"id": identity, "points": 5})["points"] == 5


def test_a_delay_after_the_effect_hides_that_it_happened(client: Client) -> None:
    identity = client.enrol()
    client.fake.fail("delay", f"PUT {EARN}", effect="first", seconds=5)
    with pytest.raises(requests.ReadTimeout):
        client.ask("PUT", EARN, {"id": identity, "points": 5}, timeout=0.1)
    assert client.member(identity)["points"] == 5


def test_an_effect_can_come_after_the_client_has_given_up(client: Client) -> None:
    identity = client.enrol()
    client.fake.fail("delay", f"PUT {EARN}", effect="last", seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        client.ask("PUT", EARN, {"id": identity, "points": 5}, timeout=0.1)
    assert client.member(identity)["points"] == 0
    deadline = time.monotonic() + 5
    while client.member(identity)["points"] == 0:
        assert time.monotonic() < deadline
    assert client.member(identity)["points"] == 5


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 502, 503])
@pytest.mark.parametrize("effect", ["never", "first"])
def test_a_status_comes_instead_of_the_effect_or_after_it(client: Client, status: int, effect: str) -> None:
    identity = client.enrol()
    client.fake.fail("status", f"PUT {EARN}", status=status, effect=effect, text="no luck", retry_after=7)
    answer = client.ask("PUT", EARN, {"id": identity, "points": 5})
    refused(answer, status, "no luck")
    assert answer.headers["Retry-After"] == "7"
    assert client.member(identity)["points"] == (5 if effect == "first" else 0)


def test_a_connection_can_be_reset(client: Client) -> None:
    client.fake.fail("reset", times=2)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            client.ask("GET", "/user/profile")
    assert client.ask("GET", "/user/profile").status_code == 200


def test_an_answer_can_be_spoilt_after_the_effect(client: Client) -> None:
    route = "POST /members/member"
    body = {"programId": PROGRAM, "tierId": BRONZE}

    def spoilt(kind: str, **options: Any) -> requests.Response:
        client.fake.fail(kind, route, **options)
        return client.ask("POST", "/members/member", body)

    with pytest.raises(requests.JSONDecodeError):
        spoilt("truncated").json()
    assert isinstance(spoilt("wrong_type").json(), list)
    assert spoilt("html").headers["Content-Type"] == "text/html"
    assert spoilt("html", status=502).status_code == 502
    assert spoilt("empty").content == b""
    assert len(spoilt("huge", size=11_000_000).content) == 11_000_000
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        spoilt("cut")
    client.fake.fail("drip", route, seconds_per_byte=0.05)
    with client.ask("POST", "/members/member", body, stream=True) as answer:
        assert next(answer.iter_content(1)) == b"{"
    assert len(client.fake.state.members) == 8


def test_a_stream_can_end_in_an_error_or_in_mid_line(client: Client) -> None:
    for number in range(4):
        client.enrol(f"c-{number}")
    client.fake.fail("stream_error", "POST /members/member/list/{programId}", text="backend gone")
    lines = [json.loads(line) for line in client.ask("POST", MEMBERS, {}).text.splitlines()]
    assert [list(line) for line in lines] == [["result"], ["result"], ["error"]]
    assert lines[-1]["error"]["message"] == "backend gone"
    client.fake.fail("cut")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.ask("POST", MEMBERS, {})
    client.fake.fail("truncated")
    assert not client.ask("POST", MEMBERS, {}).text.endswith("\n")


def test_a_fault_waits_for_its_route(client: Client) -> None:
    client.fake.fail("status", f"PUT {EARN}", status=500)
    identity = client.enrol()
    assert client.ask("PUT", EARN, {"id": identity, "points": 1}).status_code == 500
    assert client.ask("PUT", EARN, {"id": identity, "points": 1}).status_code == 200


def test_64_clients_wait_at_the_same_time(client: Client) -> None:
    client.fake.switches.delay_seconds = 0.15
    began = time.monotonic()
    threads = [threading.Thread(target=Client(client.fake).ask, args=("GET", "/user/profile")) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [recorded.status for recorded in client.fake.requests] == [200] * 64
    assert client.fake.most_at_once > 32
    assert 0.15 <= time.monotonic() - began < 64 * 0.15 / 4
