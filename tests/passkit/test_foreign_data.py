"""What others wrote into a record at PassKit stays, and odd data in it keeps no one from changing or reading a pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.fakes.test_fake_passkit_persons import COUNTESS
from tests.passkit.conftest import Joined
from tests.passkit.test_actions import done, every_kind, stored, values
from tests.passkit.test_webhooks import held, settle
from tests.test_cli import succeeded
from tests.test_sweeps import command

ODD_PHONE = "07700 900123"


def enrol_by_form(joined: Joined, **person: Any) -> dict[str, Any]:
    """Let somebody enrol at PassKit's own page; return the pass that the webhook made of it."""
    Client(joined.fake).enrol_by_form(**person)
    assert settle(joined) == ["pass.created"]
    found: dict[str, Any] = joined.world.events()[0]["data"]
    return found


# --- what others wrote ---


@every_kind
def test_what_others_wrote_of_the_holder_stays(joined: Joined, kind: str) -> None:
    made = joined.make(kind, **values(joined, kind))
    joined.record(made)["person"] = dict(COUNTESS)
    changed = done(joined, "update-pass", {"pass_id": made["id"], "last_name": "Noel", "email": "an@example.com"})
    assert joined.record(made)["person"] == {**COUNTESS, "surname": "Noel", "emailAddress": "an@example.com"}
    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Augusta", "Noel", "an@example.com")
    # What the answer tells as changed is this request's doing, whoever else wrote the record meanwhile.
    assert changed["changed"] == ["email", "last_name"]


def test_what_our_record_has_already_is_written_where_passkit_has_something_else(joined: Joined) -> None:
    made = joined.make(first_name="Ada", last_name="Lovelace", fields={"favouriteColour": "blue"})
    joined.record(made)["person"] = {"forename": "Ada", "surname": "King"}
    joined.record(made)["metaData"] = {"favouriteColour": "green"}
    body = {"pass_id": made["id"], "first_name": "Augusta", "last_name": "Lovelace"}
    changed = done(joined, "update-pass", {**body, "fields": {"favouriteColour": "blue"}})
    assert changed["changed"] == ["first_name", "last_name", "fields.favouriteColour"]
    record = joined.record(made)
    assert (record["person"]["forename"], record["person"]["surname"]) == ("Augusta", "Lovelace")
    assert record["metaData"] == {"favouriteColour": "blue"}


@pytest.mark.parametrize("data_collection", [True, False])
def test_custom_fields_leave_the_holder_as_he_is(joined: Joined, data_collection: bool) -> None:
    joined.fake.switches.data_collection = data_collection
    made = joined.make(fields={"favouriteColour": "blue"})
    joined.record(made)["person"] = dict(COUNTESS)
    joined.record(made)["metaData"]["other"] = "kept"
    done(joined, "update-pass", {"pass_id": made["id"], "fields": {"favouriteColour": "red"}})
    assert joined.record(made)["person"] == COUNTESS
    assert joined.record(made)["metaData"] == {"favouriteColour": "red", "other": "kept"}


def test_other_actions_leave_the_holder_as_he_is(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.record(made)["person"] = dict(COUNTESS)
    done(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 5})
    done(joined, "update-points", {"pass_id": made["id"], "change": "set", "points": 5})
    done(joined, "change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD})
    done(joined, "revoke-pass", {"pass_id": made["id"]})
    done(joined, "reinstate-pass", {"pass_id": made["id"]})
    assert joined.record(made)["person"] == COUNTESS


def test_a_name_in_one_piece_is_split_for_our_record_and_kept_whole_at_passkit(joined: Joined) -> None:
    made = enrol_by_form(joined, displayName="Grace Brewster Hopper", emailAddress="G@example.com")
    assert (made["first_name"], made["last_name"]) == ("Grace", "Brewster Hopper")
    changed = done(joined, "update-pass", {"pass_id": made["id"], "email": "grace@example.com"})
    assert changed["changed"] == ["email"]
    person = joined.record(made)["person"]
    assert (person["displayName"], person.get("forename")) == ("Grace Brewster Hopper", None)
    changed = done(joined, "update-pass", {"pass_id": made["id"], "first_name": "Anna"})
    assert changed["changed"] == ["first_name"]
    assert joined.record(made)["person"]["displayName"] == "Anna Brewster Hopper"


# --- a phone number that PassKit has and would not take again ---


def test_an_odd_phone_number_keeps_no_action_from_being_done(joined: Joined) -> None:
    made = enrol_by_form(joined, forename="Grace", mobileNumber=ODD_PHONE)
    assert made["phone"] == ODD_PHONE
    pass_id = {"pass_id": made["id"]}
    assert done(joined, "update-pass", {**pass_id, "first_name": "Anna"})["changed"] == ["first_name"]
    assert done(joined, "update-pass", {**pass_id, "fields": {"favouriteColour": "red"}})["notes"] == []
    assert done(joined, "update-points", {**pass_id, "change": "set", "points": 20})["points"] == 20
    assert done(joined, "update-points", {**pass_id, "change": "subtract", "points": 5})["points"] == 15
    assert done(joined, "change-tier", {**pass_id, "tier_id": seed.GOLD})["tier_id"] == seed.GOLD
    record = joined.record(made)
    assert (record["person"]["forename"], record["person"]["mobileNumber"]) == ("Anna", ODD_PHONE)
    assert (record["points"], record["tierId"], record["metaData"]) == (15, seed.GOLD, {"favouriteColour": "red"})
    assert stored(joined, made["id"])["phone"] == ODD_PHONE
    assert done(joined, "revoke-pass", pass_id)["status"] == "revoked"


def test_an_odd_phone_number_keeps_no_webhook_from_being_read(joined: Joined) -> None:
    made = joined.make(points=10)
    held(joined)
    joined.record(made)["person"] = {"forename": "Grace", "mobileNumber": ODD_PHONE}
    earned = {"id": joined.record(made)["id"], "points": 5}
    Client(joined.fake).right("PUT", "/members/member/points/earn", earned)
    assert settle(joined) == ["points.changed", "pass.updated"]
    found = stored(joined, made["id"])
    assert (found["points"], found["first_name"], found["phone"]) == (15, "Grace", ODD_PHONE)
    assert settle(joined) == []


def test_an_odd_phone_number_is_mended_by_the_accounts_country_and_by_a_better_one(joined: Joined) -> None:
    made = enrol_by_form(joined, forename="Grace", mobileNumber=ODD_PHONE)
    changed = done(joined, "update-pass", {"pass_id": made["id"], "phone": "+44 7700 900124"})
    assert (changed["changed"], changed["phone"]) == (["phone"], "+447700900124")
    joined.world.clock.advance(seconds=1)
    other = enrol_by_form(joined, forename="Anna", mobileNumber=ODD_PHONE)
    succeeded(command(joined.world)("account", "set", "demo", "--country", "GB"))
    joined.world.clock.advance(seconds=3)  # another process sees it after so long
    changed = done(joined, "update-pass", {"pass_id": other["id"], "last_name": "Hopper"})
    assert joined.record(other)["person"]["mobileNumber"] == "+447700900123"
    assert changed["last_name"] == "Hopper"
