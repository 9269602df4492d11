"""Members and their points, tiers, events and end."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.fakes.passkit.seed import BRONZE, CAMPAIGN, GOLD, PROGRAM
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit_client import Client, filter_by, refused

EARN = "/members/member/points/earn"
BURN = "/members/member/points/burn"
SET = "/members/member/points/set"
MEMBERS = f"/members/member/list/{PROGRAM}"


def test_a_taken_external_id_is_a_conflict(client: Client) -> None:
    identity = client.enrol("c-17")
    refused(
        client.ask("POST", "/members/member", {"programId": PROGRAM, "tierId": GOLD, "externalId": "c-17"}), 409, "c-17"
    )
    assert client.right("GET", f"/members/member/externalId/{PROGRAM}/c-17")["id"] == identity
    assert client.fake.effects("POST /members/member", "c-17") == 1


def test_an_external_id_with_a_slash_is_taken_and_cannot_be_asked_for(careless: Client) -> None:
    identity = careless.enrol("c/17")
    careless.make_coupon("c/17")
    assert careless.member(identity)["externalId"] == "c/17"
    for path in (f"/members/member/externalId/{PROGRAM}", f"/coupon/singleUse/coupon/externalId/{CAMPAIGN}"):
        for spelled in ("c%2F17", "c/17"):
            assert careless.ask("GET", f"{path}/{spelled}").status_code == 404
    body = {"externalId": "c/17", "programId": PROGRAM, "points": 5}
    assert careless.right("PUT", EARN, body)["id"] == identity


def test_a_patch_ignores_what_is_zero_false_or_empty(client: Client) -> None:
    identity = client.enrol(points=5, optOut=True, groupingIdentifier="family")
    client.right("PUT", "/members/member", {"id": identity, "points": 0, "optOut": False, "groupingIdentifier": ""})
    member = client.member(identity)
    assert (member["points"], member["optOut"], member["groupingIdentifier"]) == (5, True, "family")


def test_a_put_clears_what_it_does_not_mention(client: Client) -> None:
    identity = client.enrol(points=5, groupingIdentifier="family")
    client.right("PUT", "/members/member", {"id": identity, "operation": "OPERATION_PUT", "secondaryPoints": 1})
    member = client.member(identity)
    assert (member["points"], member["secondaryPoints"], member["groupingIdentifier"]) == (0, 1, "")
    assert (member["externalId"], member["tierId"]) == ("c-17", BRONZE)


def test_meta_data_is_replaced_as_a_whole(client: Client) -> None:
    identity = client.enrol(metaData={"colour": "red", "size": "L"})
    client.right("PUT", "/members/member", {"externalId": "c-17", "programId": PROGRAM, "metaData": {"colour": "blue"}})
    assert client.member(identity)["metaData"] == {"colour": "blue"}
    client.right("PUT", "/members/member", {"id": identity, "metaData": {}})
    assert client.member(identity)["metaData"] == {"colour": "blue"}


def test_an_external_id_never_changes(client: Client) -> None:
    identity = client.enrol("c-17")
    client.right("PUT", "/members/member", {"id": identity, "externalId": "c-18"})
    assert client.member(identity)["externalId"] == "c-17"


def test_patching_a_person_merges_and_cannot_clear(client: Client) -> None:
    identity = client.enrol(person={"forename": "Alma", "surname": "Berg"})
    body = {"externalId": "c-17", "classId": PROGRAM, "person": {"surname": "Tal", "forename": ""}}
    client.right("PATCH", "/members/member/person", body)
    person = client.member(identity)["person"]
    assert (person["forename"], person["surname"]) == ("Alma", "Tal")


def test_earn_and_burn_answer_the_balances_afterwards(client: Client) -> None:
    identity = client.enrol(points=100)
    earned = client.right("PUT", EARN, {"externalId": "c-17", "programId": PROGRAM, "points": 5})
    who = {"id": identity, "externalId": "c-17", "programId": PROGRAM}
    assert earned == {**who, "points": 105, "secondaryPoints": 0, "tierPoints": 0}
    burnt = client.right("PUT", BURN, {"id": identity, "points": 0.5, "tierPoints": 0})
    assert (burnt["points"], burnt["tierPoints"]) == (104.5, 0)


def test_the_same_earn_counts_every_time(client: Client) -> None:
    identity = client.enrol()
    body = {"id": identity, "points": 5, "eventDetails": {"externalEventId": "invoice-17"}}
    assert [client.right("PUT", EARN, body)["points"] for _ in range(2)] == [5, 10]
    assert client.fake.effects(f"PUT {EARN}", "invoice-17") == 2
    client.fake.switches.refuse_repeated_event_ids = True
    refused(client.ask("PUT", EARN, body), 409, "invoice-17")


def test_zero_points_count_as_missing(client: Client) -> None:
    identity = client.enrol(points=5)
    for path in (EARN, BURN, SET):
        refused(client.ask("PUT", path, {"id": identity, "points": 0}), 400, "validation error")
    refused(client.ask("PUT", EARN, {"id": identity, "points": -1}), 400, "'gte' tag")
    assert client.member(identity)["points"] == 5


def test_setting_zero_needs_a_reset_flag(client: Client) -> None:
    identity = client.enrol(points=5, secondaryPoints=6)
    assert client.right("PUT", SET, {"id": identity, "points": 7})["points"] == 7
    balances = client.right("PUT", SET, {"id": identity, "resetPoints": True})
    assert (balances["points"], balances["secondaryPoints"]) == (0, 6)


def test_points_are_kept_in_32_bits(careless: Client) -> None:
    identity = careless.enrol()
    assert careless.right("PUT", SET, {"id": identity, "points": 16777217})["points"] == 16777216
    assert careless.right("PUT", EARN, {"id": identity, "points": 1})["points"] == 16777216
    assert careless.right("PUT", SET, {"id": identity, "points": 123456.789})["points"] == 123456.79
    careless.right("PUT", SET, {"id": identity, "points": 0.1})
    assert careless.right("PUT", EARN, {"id": identity, "points": 0.2})["points"] == 0.3


def test_a_burn_below_zero_is_refused_unless_the_tier_allows_it(client: Client) -> None:
    identity = client.enrol(points=5)
    refused(client.ask("PUT", BURN, {"id": identity, "points": 6}), 500, "insufficient points")
    client.fake.switches.overdrawn_status = 400
    refused(client.ask("PUT", BURN, {"id": identity, "points": 6}), 400, "insufficient points")
    client.fake.state.tiers.get(f"{PROGRAM}/{BRONZE}")["pointsOverdrawn"] = True  # type: ignore[index]
    assert client.right("PUT", BURN, {"id": identity, "points": 6})["points"] == -1


def test_changing_the_tier_calls_the_member_otherwise(careless: Client) -> None:
    identity = careless.enrol()
    refused(careless.ask("PUT", "/members/member/tier", {"id": identity, "tierId": GOLD}), 400, "MemberId")
    assert careless.fake.unknown_fields == ["PUT /members/member/tier: id"]
    body = {"externalMemberId": "c-17", "programId": PROGRAM, "tierId": GOLD, "eventDetails": {"externalEventId": "e"}}
    event = careless.right("PUT", "/members/member/tier", body)
    assert (event["eventType"], event["externalId"], event["member"]["tierId"]) == (
        "EVENT_MEMBER_TIER_CHANGED",
        "e",
        GOLD,
    )
    refused(careless.ask("PUT", "/members/member/tier", {"memberId": identity, "tierId": "none"}), 404, "tier")


def test_check_in_and_check_out(client: Client) -> None:
    identity = client.enrol()
    event = client.right(
        "POST", "/members/member/checkIn", {"memberId": identity, "externalEventId": "visit-1", "lat": 52.5}
    )
    assert (event["externalId"], event["eventType"], event["lat"]) == ("visit-1", "EVENT_MEMBER_CHECKED_IN", 52.5)
    assert client.member(identity)["status"] == "CHECKED_IN"
    client.right("POST", "/members/member/checkOut", {"externalMemberId": "c-17", "programId": PROGRAM})
    assert client.member(identity)["status"] == "CHECKED_OUT"


def test_events_are_found_by_the_member_and_carry_the_callers_id(client: Client) -> None:
    identity, other = client.enrol("a"), client.enrol("b")
    client.right("PUT", EARN, {"id": identity, "points": 5, "eventDetails": {"externalEventId": "op-1", "notes": "hi"}})
    client.right("PUT", EARN, {"id": other, "points": 5})
    path = f"/members/program/list/events/{PROGRAM}"
    (event,) = client.listed(path, {"filters": filter_by("member.id", identity)})
    assert (event["externalId"], event["notes"], event["member"]["id"]) == ("op-1", "hi", identity)
    refused(client.ask("POST", path, {"filters": filter_by("externalId", "op-1")}), 400, "externalId")
    count = f"/members/program/count/events/{PROGRAM}"
    assert client.right("POST", count, {}) == {"total": 2}


def test_the_events_of_one_member_are_the_first_25(client: Client) -> None:
    identity = client.enrol()
    for number in range(30):
        client.right("PUT", EARN, {"id": identity, "points": 1, "eventDetails": {"externalEventId": f"e{number}"}})
    answer = client.ask("POST", f"/members/member/list/events/{identity}")
    found = [json.loads(line)["result"]["externalId"] for line in answer.text.splitlines()]
    assert found == [f"e{number}" for number in range(25)]


def test_an_event_id_has_255_characters_at_most(client: Client) -> None:
    body = {"id": client.enrol(), "points": 1, "eventDetails": {"externalEventId": "x" * 256}}
    refused(client.ask("PUT", EARN, body), 400, "'max' tag")


def test_a_deleted_member_is_gone(client: Client) -> None:
    identity = client.enrol()
    assert client.right("DELETE", "/members/member", {"externalId": "c-17", "programId": PROGRAM}) == {}
    refused(client.ask("GET", f"/members/member/id/{identity}"), 404, "does not exist")
    refused(client.ask("DELETE", "/members/member", {"id": identity}), 404, "does not exist")
    assert client.enrol() != identity


def test_a_past_date_expires_and_a_later_one_brings_back(client: Client) -> None:
    identity = client.enrol()
    now = client.fake.state.now()
    path = "/members/member/updateExpiry"
    client.right("PUT", path, {"id": identity, "expiryDate": to_text(now)})
    member = client.member(identity)
    assert (member["status"], member["passMetaData"]["status"]) == ("EXPIRED", "PASS_INVALIDATED")
    refused(client.ask("PUT", EARN, {"id": identity, "points": 1}), 500, "expired")
    client.right("PUT", path, {"id": identity, "expiryDate": to_text(now + timedelta(days=1))})
    member = client.member(identity)
    assert (member["status"], member["passMetaData"]["status"]) == ("ENROLLED", "PASS_ISSUED")


def test_an_expired_pass_may_stay_expired(client: Client) -> None:
    identity = client.enrol()
    client.fake.switches.reactivation = False
    for days in (-1, 1):
        date = to_text(client.fake.state.now() + timedelta(days=days))
        client.right("PUT", "/members/member/updateExpiry", {"id": identity, "expiryDate": date})
    assert client.member(identity)["status"] == "EXPIRED"


def test_90_days_after_expiry_a_pass_is_gone(client: Client) -> None:
    identity = client.enrol(expiryDate=to_text(client.fake.state.now() + timedelta(days=1)))
    client.fake.advance(days=90)
    assert client.member(identity)["status"] == "EXPIRED"
    client.fake.advance(days=1, seconds=1)
    refused(client.ask("GET", f"/members/member/id/{identity}"), 404, "does not exist")
    assert client.listed(MEMBERS) == []


def test_installing_makes_a_member_active(client: Client) -> None:
    identity = client.enrol()
    client.fake.install(identity)
    member = client.member(identity)
    assert (member["status"], member["passMetaData"]["status"]) == ("ACTIVE", "PASS_INSTALLED")
    client.fake.uninstall(identity)
    assert client.member(identity)["passMetaData"]["status"] == "PASS_UNINSTALLED"
