"""The holder's data: nothing of it is lost, and the enrolment page takes more than the API."""

from __future__ import annotations

from typing import Any

from tests.fakes.passkit.seed import BRONZE, PROGRAM
from tests.fakes.passkit_client import Client, refused

COUNTESS: dict[str, Any] = {
    "forename": "Augusta",
    "surname": "King",
    "otherNames": ["Ada", "Byron"],
    "salutation": "Lady",
    "suffix": "PhD",
    "displayName": "The Countess",
    "gender": "FEMALE",
    "dateOfBirth": {"year": 1815, "month": 12, "day": 10},
    "emailAddress": "ada@example.com",
    "mobileNumber": "+447700900123",
    "externalIds": {"1": "4711"},
}


def test_everything_about_a_person_is_kept_and_returned(client: Client) -> None:
    identity = client.enrol(person=COUNTESS, optOut=True)
    client.right("PUT", "/members/member", {"id": identity, "points": 5})
    client.right("PATCH", "/members/member/person", {"id": identity, "person": {"suffix": "FRS"}})
    member = client.member(identity)
    assert member["person"] == {**COUNTESS, "suffix": "FRS", "externalId": ""}
    assert member["optOut"] is True


def test_a_person_that_is_put_replaces_all_that_was_known(client: Client) -> None:
    identity = client.enrol(person=COUNTESS)
    client.right("PUT", "/members/member", {"id": identity, "person": {"forename": "Ada"}})
    person = client.member(identity)["person"]
    assert {name: value for name, value in person.items() if value} == {
        "forename": "Ada",
        "gender": "NOT_KNOWN",
    }


def test_the_enrolment_page_may_ask_for_one_name_only(client: Client) -> None:
    identity = client.enrol_by_form(displayName="Grace Hopper")
    member = client.member(identity)
    assert (member["programId"], member["tierId"], member["externalId"]) == (PROGRAM, BRONZE, "")
    assert (member["person"]["displayName"], member["person"]["forename"]) == ("Grace Hopper", "")


def test_a_telephone_number_of_another_form_stands_in_a_record_and_cannot_be_written(client: Client) -> None:
    identity = client.enrol_by_form(forename="Grace", mobileNumber="07700 900123")
    person = client.member(identity)["person"]
    assert person["mobileNumber"] == "07700 900123"
    expected = (
        "validation error: Key: 'Member.Person.MobileNumber' "
        "Error:Field validation for 'MobileNumber' failed on the 'e164' tag"
    )
    refused(client.ask("PUT", "/members/member", {"id": identity, "person": person}), 400, expected)
    body = {"id": identity, "person": {"mobileNumber": "07700 900123"}}
    refused(client.ask("PATCH", "/members/member/person", body), 400, "'e164' tag")
    client.right("PATCH", "/members/member/person", {"id": identity, "person": {"forename": "Gracia"}})
    person = client.member(identity)["person"]
    assert (person["forename"], person["mobileNumber"]) == ("Gracia", "07700 900123")


def test_a_program_that_collects_data_may_want_the_person_in_every_update(client: Client) -> None:
    identity = client.enrol(person={"forename": "Grace"})
    client.fake.switches.data_collection = True
    answer = client.ask("PUT", "/members/member", {"id": identity, "metaData": {"a": "1"}})
    refused(answer, 400, "Key: 'Member.Person' Error:Field validation for 'Person' failed on the 'required' tag")
    assert client.member(identity)["metaData"] == {}
    body = {"id": identity, "metaData": {"a": "1"}, "person": {"forename": "Grace"}}
    client.right("PUT", "/members/member", body)
    client.expire(identity, days=1)
    assert client.member(identity)["metaData"] == {"a": "1"}
