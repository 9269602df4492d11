"""What was really done, and how often: the fake counts, so that tests can look for doubles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.fakes.passkit.seed import GOLD
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit_client import Client

EARN = "PUT /members/member/points/earn"


def write(client: Client, route: str, body: dict[str, Any]) -> requests.Response:
    """Send a write to a route by its name."""
    method, path = route.split()
    return client.ask(method, path, body)


def writes(client: Client, identity: str) -> dict[str, dict[str, Any]]:
    """Return writes to a member that say nothing of the caller's own ID of them, by route."""
    later = to_text(client.fake.state.now() + timedelta(days=1))
    return {
        "PUT /members/member": {"id": identity, "groupingIdentifier": "family"},
        "PATCH /members/member/person": {"id": identity, "person": {"surname": "Berg"}},
        "PUT /members/member/updateExpiry": {"id": identity, "expiryDate": later},
        "PUT /members/member/tier": {"memberId": identity, "tierId": GOLD},
        "PUT /members/member/points/set": {"id": identity, "points": 7},
        "POST /members/member/checkIn": {"memberId": identity},
        "DELETE /members/member": {"id": identity},
    }


@pytest.mark.parametrize("external_id", ["c-17", ""])
def test_writes_without_an_event_id_are_counted_by_record(client: Client, external_id: str) -> None:
    identity, other = client.enrol(external_id), client.enrol("other")
    for route, body in writes(client, identity).items():
        assert write(client, route, body).status_code == 200
        assert client.fake.effects(route, external_id or identity) == 1, route
        assert client.fake.effects(route, identity) == 1, route
        assert client.fake.effects(route, other) == client.fake.effects(route, "other") == 0
    assert client.fake.doubles == {}


def test_events_are_counted_by_their_own_ids_and_by_record(client: Client) -> None:
    identity = client.enrol()
    for event_id in ("a", "b", "b"):
        write(client, EARN, {"id": identity, "points": 1, "eventDetails": {"externalEventId": event_id}})
    counted = {key: client.fake.effects(EARN, key) for key in ("a", "b", "c-17", identity)}
    assert counted == {"a": 1, "b": 2, "c-17": 0, identity: 3}
    assert client.fake.doubles == {(EARN, "b"): 2}


def test_what_was_refused_has_no_effect(client: Client) -> None:
    identity = client.enrol()
    client.fake.fail("status", EARN, status=500)
    for points in (1, 0):
        assert write(client, EARN, {"id": identity, "points": points}).status_code != 200
    assert client.fake.effects(EARN, identity) == 0


def test_coupons_tickets_and_subscriptions_are_counted_by_record_too(client: Client) -> None:
    coupon, ticket = client.make_coupon("k-1"), client.issue_ticket("t-1")
    client.right("DELETE", "/coupon/singleUse/coupon", {"id": coupon})
    client.right("PUT", "/eventTickets/ticket", {"id": ticket, "metaData": {"a": "1"}})
    for route, external_id, identity in (
        ("DELETE /coupon/singleUse/coupon", "k-1", coupon),
        ("POST /eventTickets/ticket", "t-1", ticket),
        ("PUT /eventTickets/ticket", "t-1", ticket),
    ):
        assert client.fake.effects(route, external_id) == client.fake.effects(route, identity) == 1
