"""What goes wrong on purpose."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
import requests

from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit.faults import UnknownFault
from tests.fakes.passkit.seed import BRONZE, GOLD, PRODUCTION, PROGRAM
from tests.fakes.passkit_client import Client, refused

EARN = "/members/member/points/earn"
MEMBERS = f"/members/member/list/{PROGRAM}"
TICKETS = "/eventTickets/tickets/list"


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
    deadline = time.monotonic() + 60
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


ANY_STATUS = [301, 400, 401, 403, 404, 408, 409, 429, 500, 501, 502, 503, 504]
BODIES = ['{"error":"context deadline exceeded","code":4,"message":"deadline"}', "<html>Bad gateway</html>", ""]


@pytest.mark.parametrize("status", ANY_STATUS)
@pytest.mark.parametrize("body", BODIES)
def test_a_status_has_the_body_that_a_test_wants(client: Client, status: int, body: str) -> None:
    identity = client.enrol()
    client.fake.fail("status", f"PUT {EARN}", status=status, body=body, location="/elsewhere")
    answer = client.ask("PUT", EARN, {"id": identity, "points": 5}, allow_redirects=False)
    assert (answer.status_code, answer.text, answer.headers["Location"]) == (status, body, "/elsewhere")
    assert answer.headers["Content-Type"] == ("text/html" if body.startswith("<") else "application/json")
    assert client.member(identity)["points"] == 0


@pytest.mark.parametrize(
    ("options", "points"),
    [
        ({"effect": "never"}, [0, 0, 0]),
        ({"effect": "first"}, [5, 10, 15]),
        ({"effect": "first", "on_try": "first"}, [5, 5, 5]),
        ({"effect": "first", "on_try": "last"}, [0, 0, 5]),
    ],
)
def test_a_fault_has_its_effect_on_every_try_or_on_one(
    client: Client, options: dict[str, Any], points: list[int]
) -> None:
    identity = client.enrol()
    client.fake.fail("status", f"PUT {EARN}", status=503, times=3, **options)
    found = []
    for _ in range(3):
        assert client.ask("PUT", EARN, {"id": identity, "points": 5}).status_code == 503
        found.append(client.member(identity)["points"])
    assert found == points
    assert client.right("PUT", EARN, {"id": identity, "points": 5})["points"] == points[-1] + 5


def test_a_success_can_hide_an_error_and_do_nothing(client: Client) -> None:
    identity = client.enrol()
    told = {"code": 13, "message": "internal"}
    client.fake.fail("status", "DELETE /members/member", status=200, body=json.dumps(told))
    assert client.right("DELETE", "/members/member", {"id": identity}) == told
    assert client.member(identity)["id"] == identity


def test_an_answer_can_be_about_another_record(client: Client, descriptors: Descriptors) -> None:
    mine, other = client.enrol("mine"), client.enrol("other", points=999, person={"emailAddress": "o@example.com"})

    def mixed_up(method: str, path: str, body: Any = None, **options: Any) -> Any:
        client.fake.fail("another_record", record_id=other, **options)
        answer = client.ask(method, path, body)
        descriptors.check_answer(method, path, answer.status_code, answer.content)
        return answer.json()

    earned = mixed_up("PUT", EARN, {"id": mine, "points": 5})
    assert (earned["id"], earned["externalId"], earned["points"]) == (other, "other", 999)
    read = mixed_up("GET", f"/members/member/id/{mine}")
    assert (read["id"], read["person"]["emailAddress"]) == (other, "o@example.com")
    event = mixed_up("PUT", "/members/member/tier", {"memberId": mine, "tierId": GOLD}, effect="never")
    assert event["member"]["externalId"] == "other"
    client.fake.fail("another_record", record_id=other)
    assert {member["id"] for member in client.listed(MEMBERS)} == {other}
    member = client.member(mine)
    assert (member["points"], member["tierId"], member["person"]) == (5, BRONZE, None)


def test_a_ticket_can_be_mixed_up_too(client: Client, descriptors: Descriptors) -> None:
    mine, other = client.issue_ticket("t-1"), client.issue_ticket("t-2", optOut=True)
    by_id = ("GET", f"/eventTickets/ticket/id/{mine}", None)
    for method, path, body in (by_id, ("POST", TICKETS, {"productionId": PRODUCTION})):
        client.fake.fail("another_record", record_id=other)
        answer = client.ask(method, path, body)
        descriptors.check_answer(method, path, answer.status_code, answer.content)
        assert ('"ticketNumber": "t-2"' in answer.text, "t-1" in answer.text) == (True, False)


def test_an_answer_can_tell_the_id_only(client: Client) -> None:
    identity = client.enrol()
    client.fake.fail("only_id", f"PUT {EARN}")
    assert client.right("PUT", EARN, {"id": identity, "points": 5}) == {"id": identity}
    assert client.member(identity)["points"] == 5


def test_an_error_is_not_made_an_answer(client: Client) -> None:
    for options in ({"kind": "only_id"}, {"kind": "another_record", "record_id": client.enrol()}):
        client.fake.fail(**options)
        refused(client.ask("GET", "/members/member/id/none"), 404, "does not exist")


@pytest.mark.parametrize(
    "wrong", [{"kind": "another_record"}, {"kind": "status", "record_id": "x"}, {"kind": "status", "on_try": "second"}]
)
def test_a_fault_must_make_sense(client: Client, wrong: dict[str, Any]) -> None:
    with pytest.raises(UnknownFault):
        client.fake.fail(**wrong)


def test_routes_can_be_slow_one_by_one(client: Client) -> None:
    client.fake.switches.change({"route_delays": {"GET /user/profile": 0.2}})
    began = time.monotonic()
    client.right("GET", "/user/profile")
    assert time.monotonic() - began >= 0.2
    client.fake.switches.route_delays["GET /user/profile"] = 60
    assert client.listed("/projects/list")


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
    client.fake.switches.delay_seconds = 2  # so long that all are there before the first is answered
    threads = [threading.Thread(target=Client(client.fake).ask, args=("GET", "/user/profile")) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [recorded.status for recorded in client.fake.requests] == [200] * 64
    assert client.fake.most_at_once > 32
