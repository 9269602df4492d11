"""The bad manners of the live service that all its routes share, as the fake has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.passkit import FakePassKit, seed
from tests.fakes.passkit.recording import WrongRequests
from tests.fakes.passkit.seed import ADULT, BRONZE, EVENT, FOREVER, GOLD, PROGRAM, SILVER, VENUE
from tests.fakes.passkit_client import Client, refused
from tests.world import FakeClock

EARN = "/members/member/points/earn"
TICKET = "/eventTickets/ticket"
MEMBERS = f"/members/member/list/{PROGRAM}"


def test_unknown_fields_are_dropped_without_a_word_and_recorded(careless: Client) -> None:
    identity = careless.enrol(nickname="Al", person={"forname": "Alma"})
    assert "nickname" not in careless.member(identity)
    assert careless.fake.unknown_fields == ["POST /members/member: nickname", "POST /members/member: person.forname"]
    with pytest.raises(WrongRequests, match="nickname"):
        careless.fake.recording.check()


def test_an_unknown_field_fails_a_test_that_runs_the_fake() -> None:
    with pytest.raises(WrongRequests, match="nickname"), FakePassKit(FakeClock(), seed.demo).running() as fake:
        Client(fake).enrol(nickname="Al")


def test_unknown_fields_are_refused_in_strict_mode(careless: Client) -> None:
    careless.fake.switches.strict_fields = True
    answer = careless.ask("POST", "/members/member", {"programId": PROGRAM, "tierId": BRONZE, "nickname": "Al"})
    refused(answer, 400, 'proto: syntax error (line 1:1): unknown field "nickname"')
    assert len(careless.fake.state.members) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": "many"},
        {"points": [1]},
        {"optOut": "true"},
        {"externalId": 17},
        {"metaData": {"visits": 3}},
        {"metaData": ["visits"]},
        {"status": "SLEEPING"},
        {"expiryDate": "2027-01-01"},
        {"expiryDate": "2027-01-01T00:00:00"},
        {"person": "Alma"},
        {"tierPoints": -1},
        {"tierPoints": 1.5},
        {"points": 1e39},
    ],
)
def test_a_wrong_type_is_a_syntax_error(careless: Client, wrong: dict[str, Any]) -> None:
    body = {"programId": PROGRAM, "tierId": BRONZE, **wrong}
    refused(careless.ask("POST", "/members/member", body), 400, "proto: syntax error")


def test_a_single_value_for_a_list_of_enums_is_a_syntax_error(careless: Client) -> None:
    body = {"ticketId": {"id": "x"}, "format": "PASS_URL"}
    refused(careless.ask("POST", "/eventTickets/pass", body), 400, "proto: syntax error")


def test_two_members_of_a_oneof_are_a_syntax_error(careless: Client) -> None:
    body = {"eventId": EVENT, "event": {"venueId": VENUE}, "ticketTypeId": ADULT, "ticketNumber": "1"}
    refused(careless.ask("POST", TICKET, body), 400, "oneof")


@pytest.mark.parametrize("body", [b"{", b'{"points": NaN}', b"[]", b"points=5"])
def test_what_is_not_a_json_object_is_a_syntax_error(careless: Client, body: bytes) -> None:
    refused(careless.ask("PUT", EARN, data=body), 400, "proto: syntax error")


def test_missing_fields_are_told_one_at_a_time(client: Client) -> None:
    answer = client.ask("POST", "/members/member", {"externalId": "c-17"})
    expected = (
        "validation error: Key: 'Member.ProgramId' Error:Field validation for 'ProgramId' failed on the 'required' tag"
    )
    assert (answer.status_code, answer.json()) == (400, {"error": expected})
    refused(client.ask("POST", "/members/member", {"programId": PROGRAM}), 400, "'Member.TierId'")


def test_an_email_address_and_a_mobile_number_must_look_like_one(client: Client) -> None:
    body = {"programId": PROGRAM, "tierId": BRONZE}
    answer = client.ask("POST", "/members/member", {**body, "person": {"emailAddress": "alma"}})
    refused(answer, 400, "'Member.Person.EmailAddress'")
    answer = client.ask("POST", "/members/member", {**body, "person": {"mobileNumber": "0170 123"}})
    refused(answer, 400, "'Member.Person.MobileNumber'")


def test_a_wrong_method_is_not_implemented(careless: Client) -> None:
    assert careless.ask("PUT", MEMBERS, {}).status_code == 501
    careless.fake.switches.wrong_method_status = 405
    assert careless.ask("PUT", MEMBERS, {}).status_code == 405


def test_a_member_cannot_be_deleted_by_path(careless: Client) -> None:
    assert careless.ask("DELETE", f"/members/member/{careless.enrol()}").status_code == 404
    assert careless.fake.recording.unknown_routes


def test_a_business_rule_is_an_internal_error(client: Client) -> None:
    client.fake.state.tiers.get(f"{PROGRAM}/{GOLD}")["passTemplateId"] = ""  # type: ignore[index]
    answer = client.ask("POST", "/members/member", {"programId": PROGRAM, "tierId": GOLD})
    assert (answer.status_code, answer.json()) == (500, {"error": "pass template id cannot be empty"})


def test_errors_have_three_forms(client: Client) -> None:
    path = "/members/program/none"
    assert client.ask("GET", path).json() == {"error": "program [uuid:none] does not exist"}
    client.fake.switches.error_style = "model"
    assert client.ask("GET", path).json()["message"] == "program [uuid:none] does not exist"
    client.fake.switches.error_style = "nested"
    assert client.ask("GET", path).json() == {"error": {"code": 5, "message": "program [uuid:none] does not exist"}}


def test_what_is_not_set_is_printed(client: Client) -> None:
    member = client.member(client.enrol())
    assert (member["points"], member["groupingIdentifier"], member["optOut"]) == (0, "", False)
    assert (member["person"], member["expiryDate"], member["notes"], member["metaData"]) == (None, None, [], {})
    assert (member["status"], member["passMetaData"]["status"]) == ("ENROLLED", "PASS_ISSUED")


def test_what_is_not_set_can_be_left_out(client: Client) -> None:
    identity = client.enrol()
    client.fake.switches.omit_unset = True
    assert client.member(identity).keys() == {
        "id", "externalId", "tierId", "programId", "created", "updated", "passMetaData",
    }  # fmt: skip


def test_everything_for_a_dropdown_is_there(client: Client) -> None:
    projects = client.listed("/projects/list", {"limit": -1})
    assert {project["protocol"] for project in projects} == {"MEMBERSHIP", "SINGLE_USE_COUPON", "EVENT_TICKETING"}
    assert all(project["secret"] and project["key"] for project in projects)
    tiers = client.listed("/members/tiers/list", {"programId": PROGRAM})
    assert [tier["id"] for tier in tiers] == [BRONZE, SILVER, GOLD, FOREVER]
    template = client.right("GET", f"/template/data/{tiers[0]['passTemplateId']}")["template"]
    names = {field["uniqueName"] for field in template["data"]["dataFields"]}
    assert {"meta.favouriteColour", "person.emailAddress", "custom.slogan"} <= names
    params = {"protocol": "MEMBERSHIP", "objectId": BRONZE, "classId": PROGRAM}
    fields = client.right("GET", "/distribution/fields", params=params)["fields"]
    assert {field["uniqueName"] for field in fields} == names


def test_messages_are_there_only_when_switched_on(client: Client) -> None:
    message = {"classId": PROGRAM, "protocol": "MEMBERSHIP", "title": "Hi", "body": "Come in"}
    assert client.ask("POST", "/message", message).status_code == 404
    client.fake.switches.messages = True
    identity = client.right("POST", "/message", message)["id"]
    body = {"messageId": identity, "passIds": {"ids": [client.enrol()]}}
    assert client.right("POST", "/message/send", body) == {"count": 1}
