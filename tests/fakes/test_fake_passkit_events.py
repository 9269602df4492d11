"""Lists of events, and how little they prove."""

from __future__ import annotations

import json

import pytest

from tests.fakes.passkit.seed import PROGRAM
from tests.fakes.passkit_client import Client, filter_by

EARN = "/members/member/points/earn"
EVENTS = f"/members/program/list/events/{PROGRAM}"
COUNT = f"/members/program/count/events/{PROGRAM}"


@pytest.fixture
def member_id(client: Client) -> str:
    """A member who came, and then earned twice."""
    identity = client.enrol()
    client.right("POST", "/members/member/checkIn", {"memberId": identity, "externalEventId": "visit"})
    for event_id in ("first", "second"):
        client.right("PUT", EARN, {"id": identity, "points": 1, "eventDetails": {"externalEventId": event_id}})
    return identity


def told(client: Client, member_id: str, limit: int = 100) -> list[str]:
    """Return the events of a member by the caller's IDs, which both routes must tell alike."""
    of_program = client.listed(EVENTS, {"filters": {**filter_by("member.id", member_id), "limit": limit}})
    answer = client.ask("POST", f"/members/member/list/events/{member_id}")
    of_member = [json.loads(line)["result"] for line in answer.text.splitlines()]
    assert of_member == of_program
    return [event["externalId"] for event in of_program]


def count(client: Client) -> int:
    """Return how many events the program has, as it says."""
    return int(client.right("POST", COUNT, {})["total"])


def test_an_event_carries_back_what_was_given_with_it(client: Client) -> None:
    details = {"externalEventId": "invoice-17", "metaData": {"till": "3"}, "notes": "by hand", "externalUserId": "u-1"}
    client.right("PUT", EARN, {"id": client.enrol(), "points": 1, "eventDetails": details})
    (event,) = client.listed(EVENTS)
    assert (event["externalId"], event["metaData"]) == ("invoice-17", {"till": "3"})
    assert (event["notes"], event["externalUserId"]) == ("by hand", "u-1")


def test_a_type_of_event_may_not_be_kept(client: Client, member_id: str) -> None:
    client.fake.switches.event_types_not_kept = ["EVENT_MEMBER_POINTS_EARNED"]
    assert (told(client, member_id), count(client)) == (["visit"], 1)


def test_an_event_may_be_listed_late(client: Client, member_id: str) -> None:
    client.fake.switches.seconds_until_events_are_listed = 30
    client.fake.advance(seconds=29)
    assert (told(client, member_id), count(client)) == ([], 0)
    client.fake.advance(seconds=1)
    assert (told(client, member_id), count(client)) == (["visit", "first", "second"], 3)


def test_the_last_event_may_be_lost_without_a_word(client: Client, member_id: str) -> None:
    client.fake.switches.lose_last_event = True
    assert (told(client, member_id), count(client)) == (["visit", "first"], 3)


def test_a_list_of_events_may_be_empty_although_there_are_some(client: Client, member_id: str) -> None:
    client.fake.switches.list_no_events = True
    assert (told(client, member_id), count(client)) == ([], 3)
    assert client.ask("POST", EVENTS, {}).content == b""


def test_a_list_of_events_may_be_shorter_than_its_limit(client: Client, member_id: str) -> None:
    client.fake.switches.most_events_listed = 2
    assert (told(client, member_id, limit=3), count(client)) == (["visit", "first"], 3)
