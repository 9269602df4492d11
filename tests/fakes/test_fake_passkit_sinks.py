"""What the fake sends to webhooks: Go's plain JSON, enums as numbers, and no promises about order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.fakes.passkit.delivery import sign
from tests.fakes.passkit.seed import CAMPAIGN, PRODUCTION, PROGRAM
from tests.fakes.passkit_client import Client


class Receiver:
    """Somebody who listens: (method, headers, body) of everything that came. The next answers are in `statuses`."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append((self.command, headers, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the base class)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def subscribe(client: Client, receiver: Receiver, *events: str, **values: Any) -> str:
    """Make a sink for a membership program, or as the values say."""
    body = {
        "classId": PROGRAM,
        "protocol": "MEMBERSHIP",
        "passEventId": list(events),
        "status": "INTEGRATION_ACTIVE",
        "configType": "WEBHOOK",
        "configuration": json.dumps({"targetUrl": receiver.url}),
        **values,
    }
    return str(client.right("POST", "/integrations/sink", body)["id"])


def test_a_payload_is_plain_go_json(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    identity = client.enrol(points=100, person={"surname": "Berg", "gender": "FEMALE"}, metaData={"colour": "red"})
    client.fake.deliveries.wait()
    ((method, headers, payload),) = receiver.received
    assert (method, payload["event"], payload["pass"]["protocol"]) == ("POST", 1, 100)
    assert headers["content-type"] == "application/json"
    described = payload["pass"]
    assert (described["id"], described["classId"], described["externalId"]) == (identity, PROGRAM, "c-17")
    assert described["personDetails"] == {"surname": "Berg", "gender": 2}
    assert described["metadata"] == {"issueAt": {"seconds": int(client.fake.state.now().timestamp())}}
    data = described["recordData"]
    assert (data["members.member.points"], data["members.tier.id"], data["meta.colour"]) == (
        "100.000000",
        "bronze",
        "red",
    )
    assert "universal.status" not in data
    client.fake.install(identity)


def test_a_sink_hears_what_it_subscribed_to(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_INSTALLED", "PASS_EVENT_UNINSTALLED", "PASS_EVENT_RECORD_DELETED")
    identity = client.enrol()
    client.fake.install(identity)
    client.fake.uninstall(identity)
    client.right("DELETE", "/members/member", {"id": identity})
    client.fake.deliveries.wait()
    assert [(method, payload["event"]) for method, _, payload in receiver.received] == [
        ("PUT", 2),
        ("PUT", 8),
        ("PUT", 32),
    ]
    status = [payload["pass"]["recordData"].get("universal.status") for _, _, payload in receiver.received]
    assert status == [1, 1, 1]


def test_members_and_coupons_have_events_of_their_own(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, membershipEvents={"ids": ["MEMBER_EVENT_UPDATED"]}, passEventId=[])
    coupon_sink = {"classId": CAMPAIGN, "protocol": "SINGLE_USE_COUPON", "passEventId": []}
    subscribe(client, receiver, couponEvents={"ids": ["COUPON_EVENT_REDEEMED"]}, **coupon_sink)
    client.right("PUT", "/members/member/points/earn", {"id": client.enrol(), "points": 5})
    client.right("PUT", "/coupon/singleUse/coupon/redeem", {"id": client.make_coupon()})
    client.fake.deliveries.wait()
    assert [(payload["event"], payload["pass"]["protocol"]) for _, _, payload in receiver.received] == [
        (2, 100),
        (2, 101),
    ]


def test_tickets_are_delivered_too(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED", classId=PRODUCTION, protocol="EVENT_TICKETING")
    client.issue_ticket("t-1")
    client.fake.deliveries.wait()
    ((_, _, payload),) = receiver.received
    assert (payload["pass"]["externalId"], payload["pass"]["recordData"]["universal.status"]) == ("t-1", 1)


def test_deliveries_can_be_doubled_held_and_reordered(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    client.fake.switches.change({"duplicate_deliveries": True, "hold_deliveries": True})
    client.enrol("a")
    client.enrol("b")
    client.fake.deliveries.wait()
    assert receiver.received == []
    client.fake.deliveries.release(newest_first=True)
    client.fake.deliveries.wait()
    assert [payload["pass"]["externalId"] for _, _, payload in receiver.received] == ["b", "b", "a", "a"]


def test_a_delivery_can_be_signed(client: Client, receiver: Receiver) -> None:
    client.fake.switches.signature_header = "x-passkit-signature"
    identity = subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    sink = client.right("GET", f"/integrations/sink/MEMBERSHIP/{identity}")
    client.enrol()
    client.fake.deliveries.wait()
    secret = json.loads(sink["configuration"])["signingSecret"]
    (delivery,) = client.fake.deliveries.sent
    assert receiver.received[0][1]["x-passkit-signature"] == sign(secret, delivery.body)


def test_a_sink_is_listed_changed_and_deleted(client: Client, receiver: Receiver) -> None:
    identity = subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    asked = {"classId": PROGRAM, "protocol": "MEMBERSHIP"}
    assert [sink["id"] for sink in client.listed("/integrations/sinks/list", asked)] == [identity]
    client.right("PUT", "/integrations/sink", {"id": identity, "status": "INTEGRATION_DISABLED"})
    client.enrol()
    client.fake.deliveries.wait()
    assert receiver.received == []
    assert client.right("DELETE", f"/integrations/sink/MEMBERSHIP/{identity}") == {}
    assert client.ask("GET", f"/integrations/sink/MEMBERSHIP/{identity}").status_code == 404


def test_a_subscription_whose_answer_was_lost_is_found_by_its_target(client: Client, receiver: Receiver) -> None:
    client.fake.fail("reset", "POST /integrations/sink", effect="first")
    with pytest.raises(requests.ConnectionError):
        subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    (sink,) = client.listed("/integrations/sinks/list", {"classId": PROGRAM, "protocol": "MEMBERSHIP"})
    assert json.loads(sink["configuration"])["targetUrl"] == receiver.url
    assert client.right("DELETE", f"/integrations/sink/MEMBERSHIP/{sink['id']}") == {}


def test_a_delivery_that_is_not_accepted_may_be_sent_again(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    receiver.statuses = [500, 302]
    client.enrol("once")
    client.fake.deliveries.wait()
    client.fake.switches.delivery_repeats = 3
    receiver.statuses = [500, 302]
    client.enrol("again")
    client.fake.deliveries.wait()
    assert [payload["pass"]["externalId"] for _, _, payload in receiver.received] == ["once", *["again"] * 3]
    assert [attempt.status for attempt in client.fake.deliveries.sent] == [500, 500, 302, 204]


def test_a_delivery_is_given_up_some_time(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    client.fake.switches.delivery_repeats = 2
    receiver.statuses = [500] * 9
    client.enrol()
    client.fake.deliveries.wait()
    assert len(receiver.received) == 3


def test_the_configuration_is_json_in_a_text(client: Client) -> None:
    body = {"classId": PROGRAM, "protocol": "MEMBERSHIP", "configType": "WEBHOOK", "configuration": "{}"}
    answer = client.ask("POST", "/integrations/sink", body)
    assert (answer.status_code, "targetUrl" in answer.json()["error"]) == (500, True)


def test_a_dead_receiver_does_no_harm(client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "PASS_EVENT_RECORD_CREATED")
    receiver.server.server_close()
    receiver.server.shutdown()
    client.enrol()
    client.fake.deliveries.wait()
    assert [delivery.status for delivery in client.fake.deliveries.sent] == [0]
