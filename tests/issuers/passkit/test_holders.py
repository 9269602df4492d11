"""Holders at PassKit: merged as raw JSON, so that what others wrote stays; phone numbers as PassKit takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.effects import UpdateHolder
from app.errors import ValidationFailed
from app.issuers.passkit.holders import e164, holder_of, merged_person
from app.model import Kind
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.issuers.passkit.conftest import Account, done, refused

COUNTESS: dict[str, Any] = {
    "forename": "Augusta",
    "surname": "King",
    "otherNames": ["Ada"],
    "suffix": "PhD",
    "salutation": "Lady",
    "displayName": "The Countess",
    "gender": "FEMALE",
    "dateOfBirth": {"year": 1815, "month": 12, "day": 10},
    "emailAddress": "ada@example.com",
    "externalIds": {"3": "17"},
}
ROUTES = {
    Kind.MEMBERSHIP: ["GET /members/member/id/{id}", "PUT /members/member"],
    Kind.COUPON: ["GET /coupon/singleUse/coupon/{id}", "PATCH /coupon/singleUse/coupon/person"],
    Kind.EVENT_TICKET: ["GET /eventTickets/ticket/id/{id}", "PATCH /eventTickets/ticket/person"],
}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_others_wrote_of_a_person_stays(account: Account, kind: Kind) -> None:
    made = account.make(kind)
    account.record(made)["person"] = dict(COUNTESS)
    outcome = done(account.do(UpdateHolder(holder={"last_name": "Lovelace"}), made))
    assert account.routes() == ROUTES[kind]
    assert account.record(made)["person"] == {**COUNTESS, "surname": "Lovelace"}
    assert (outcome.before.last_name, outcome.after.last_name) == ("King", "Lovelace")
    assert outcome.after.first_name == "Augusta"


def test_custom_fields_of_others_stay_too(account: Account) -> None:
    made = account.make(fields={"favouriteColour": "blue"})
    account.record(made)["metaData"]["other"] = "kept"
    outcome = done(account.do(UpdateHolder(fields={"favouriteColour": "red"}), made))
    assert account.record(made)["metaData"] == {"favouriteColour": "red", "other": "kept"}
    assert outcome.after.fields == {"favouriteColour": "red", "other": "kept"}
    assert outcome.before.fields["favouriteColour"] == "blue"


def test_the_last_custom_field_is_emptied(account: Account) -> None:
    made = account.make(fields={"favouriteColour": "blue"})
    outcome = done(account.do(UpdateHolder(fields={"favouriteColour": None}), made))
    assert account.record(made)["metaData"] == {"favouriteColour": ""}
    assert outcome.after.fields == {}


def test_a_program_that_collects_data_gets_the_person_with_every_write(account: Account) -> None:
    account.fake.switches.data_collection = True
    made = account.make(holder={"first_name": "Ada"})
    done(account.do(UpdateHolder(fields={"favouriteColour": "red"}), made))
    assert account.record(made)["person"] == {"forename": "Ada", "displayName": "Ada"}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_there_already_is_not_written_again(account: Account, kind: Kind) -> None:
    made = account.make(kind, holder={"first_name": "Ada"}, fields={"a": "b"})
    done(account.do(UpdateHolder(holder={"first_name": "Ada"}, fields={"a": "b"}), made))
    assert account.routes() == ROUTES[kind][:1]


@pytest.mark.parametrize("kind", [Kind.COUPON, Kind.EVENT_TICKET])
def test_holder_and_fields_of_a_coupon_are_two_writes_the_holder_first(account: Account, kind: Kind) -> None:
    made = account.make(kind)
    effect = UpdateHolder(holder={"first_name": "Ada"}, fields={"a": "b"})
    route = ROUTES[kind][1].removesuffix("/person").replace("PATCH", "PUT")
    account.fake.fail("status", route, status=400, text="validation error: Key: 'x'")
    outcome = account.do(effect, made)
    assert getattr(outcome, "is_answered", False), outcome
    assert account.routes() == [*ROUTES[kind], route]
    assert account.record(made)["person"]["forename"] == "Ada"
    done(account.do(effect, made))
    assert account.record(made)["metaData"] == {"a": "b"}
    assert done(account.settle(effect, made)).after.fields == {"a": "b"}


def test_passkit_cannot_clear_a_value_of_a_person(account: Account) -> None:
    made = account.make(holder={"first_name": "Ada", "email": "ada@example.com"})
    refusal = refused(account.do(UpdateHolder(holder={"email": None, "last_name": None}), made))
    assert isinstance(refusal.error, ValidationFailed)
    assert [one.field for one in refusal.error.errors] == ["email"]


# --- names ---


def test_a_name_that_is_a_display_name_only_is_split(account: Account) -> None:
    member_id = account.fake.enrol_by_form(seed.PROGRAM, seed.BRONZE, {"displayName": "Grace Brewster Hopper"})
    found = account.issuer.read_new(account.programs[Kind.MEMBERSHIP], member_id)
    assert found is not None
    assert (found.first_name, found.last_name) == ("Grace", "Brewster Hopper")
    done(account.do(UpdateHolder(holder={"first_name": "Anna"}), found))
    assert account.record(found)["person"] == {
        "displayName": "Anna Brewster Hopper",
        "forename": "Anna",
        "surname": "Brewster Hopper",
    }


@pytest.mark.parametrize(
    ("person", "holder", "shown"),
    [
        ({"forename": "Ada", "surname": "King", "displayName": "Ada King"}, {"last_name": "Lovelace"}, "Ada Lovelace"),
        ({"forename": "Ada", "displayName": "Ada"}, {"last_name": "Lovelace"}, "Ada Lovelace"),
        ({"forename": "Ada", "displayName": "The Countess"}, {"first_name": "Grace"}, "The Countess"),
        ({"forename": "Ada", "displayName": ""}, {"first_name": "Grace"}, "Grace"),
        ({}, {"first_name": "Ada", "last_name": "Lovelace"}, "Ada Lovelace"),
        ({}, {"last_name": "Lovelace"}, "Lovelace"),
        ({"displayName": "The Countess"}, {"email": "ada@example.com"}, "The Countess"),
    ],
)
def test_a_display_name_of_somebodys_own_choice_stays(
    person: dict[str, Any], holder: dict[str, str], shown: str
) -> None:
    assert merged_person(person, holder, None)[0]["displayName"] == shown


def test_values_that_say_nothing_are_not_written(account: Account) -> None:
    unset = {"surname": "", "gender": 0, "otherNames": [], "dateOfBirth": {"year": 0, "month": 0, "day": 0}, "x": None}
    assert merged_person({**unset, "forename": "Ada"}, {}, None)[0] == {"forename": "Ada"}


@pytest.mark.parametrize("odd", [5, None, [], {"a": 1}])
def test_odd_values_of_a_person_keep_no_pass_from_being_read(odd: Any) -> None:
    person = dict.fromkeys(("forename", "surname", "displayName", "emailAddress", "mobileNumber"), odd)
    assert set(holder_of(person).values()) == {None}


# --- phone numbers ---


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+44 20 7946 0000", None, "+442079460000"),
        ("+44 (0)20 7946 0000", None, "+442079460000"),
        ("020 7946 0000", "GB", "+442079460000"),
        ("(650) 555-3311", "US", "+16505553311"),
        ("0049 30 1234567", "DE", "+49301234567"),
        ("030/1234567", "DE", "+49301234567"),
        ("+1-650-555-3311", "DE", "+16505553311"),
        ("020 7946 0000", None, None),
        ("1", "GB", None),
        ("call me", "GB", None),
        ("+", None, None),
    ],
)
def test_numbers_are_written_with_their_country_code(text: str, country: str | None, number: str | None) -> None:
    assert e164(text, country) == number


def test_a_number_that_cannot_be_written_blocks_nothing_else(account: Account) -> None:
    made = account.make(holder={"phone": "+44 20 7946 0000", "first_name": "Ada"})
    outcome = done(account.do(UpdateHolder(holder={"phone": "030 1234", "first_name": "Grace"}), made))
    assert "phone number was left out" in outcome.notes[0]
    assert (outcome.after.first_name, outcome.after.phone) == ("Grace", "+442079460000")
    assert account.record(made)["person"]["mobileNumber"] == "+442079460000"
    only = done(account.do(UpdateHolder(holder={"phone": "030 1234"}), made))
    assert (len(only.notes), only.after == only.before) == (1, True)


def odd_member(account: Account) -> Any:
    person = {"forename": "Ada", "mobileNumber": "07700 900123"}
    member_id = account.fake.enrol_by_form(seed.PROGRAM, seed.BRONZE, person)
    found = account.issuer.read_new(account.programs[Kind.MEMBERSHIP], member_id)
    assert found is not None
    assert found.phone == "07700 900123"
    account.fake.recording.requests.clear()
    return found


def test_a_number_that_passkit_would_not_take_again_is_mended_by_the_accounts_country(account: Account) -> None:
    subject = odd_member(account)
    effect = UpdateHolder(holder={"first_name": "Grace"}, fields={"favouriteColour": "red"})
    outcome = done(account.do(effect, subject, default_country="GB"))
    assert account.record(subject)["person"]["mobileNumber"] == "+447700900123"
    assert (outcome.after.first_name, outcome.after.phone) == ("Grace", "+447700900123")


def test_a_number_that_cannot_be_mended_stays_as_it_is(account: Account) -> None:
    subject = odd_member(account)
    effect = UpdateHolder(holder={"first_name": "Grace"}, fields={"favouriteColour": "red"})
    outcome = done(account.do(effect, subject))
    assert account.routes()[1:] == ["PATCH /members/member/person", "PUT /members/member"]
    person = account.record(subject)["person"]
    assert (person["forename"], person["mobileNumber"]) == ("Grace", "07700 900123")
    assert (outcome.after.first_name, outcome.after.phone) == ("Grace", "07700 900123")
    assert account.record(subject)["metaData"] == {"favouriteColour": "red"}
    read = account.issuer.read(account.programs[Kind.MEMBERSHIP], outcome.after)
    assert read == outcome.after


def test_a_number_written_otherwise_is_the_same(account: Account) -> None:
    member_id = Client(account.fake).enrol("c-7", person={"mobileNumber": "+442079460000"})
    program = account.programs[Kind.MEMBERSHIP]
    found = account.issuer.read_new(program, member_id)
    assert found is not None
    ours = replace(found, phone="+44 20 7946-0000")
    assert account.issuer.read(program, ours) is ours
