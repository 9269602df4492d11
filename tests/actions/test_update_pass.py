"""Update pass: null clears, what is absent stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.checks import differing, done, refused, unchanged, with_event, wrong_fields
from tests.world import COUPON, MEMBERSHIP, TICKET, World

ADA = {
    "external_id": "customer-501",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+44 20 7946 0000",
    "expires_at": "2027-12-31T18:00:00.000Z",
    "fields": {"seat": "A1", "doors_open": "19:00"},
}


@pytest.fixture(scope="module")
def shared_ticket(shared_world: World) -> dict[str, Any]:
    return shared_world.make_pass(TICKET, **ADA)


@pytest.fixture
def ticket(world: World) -> dict[str, Any]:
    return world.make_pass(TICKET, **ADA)


def test_each_field_alone_is_changed_named_and_cleared(world: World, ticket: dict[str, Any]) -> None:
    before = ticket
    for name, value in (
        ("email", "augusta@example.com"),
        ("first_name", "Augusta"),
        ("last_name", "King"),
        ("phone", "+1 202 555 0100"),
        ("expires_at", "2028-01-01T00:00:00.000Z"),
    ):
        for wanted in (value, None):
            world.clock.advance(hours=1)
            answer, data = with_event(world, "pass.updated", "update-pass", {"pass_id": ticket["id"], name: wanted})
            assert answer["changed"] == data["changed"] == [name]
            assert differing(before, answer) == {name, "updated_at"}
            assert answer[name] == data[name] == wanted
            before = world.get(f"/v1/passes/{ticket['id']}").get_json()
            assert differing(before, answer) == set()


def test_several_fields_change_at_once_and_only_those_that_differ_are_named(
    world: World, ticket: dict[str, Any]
) -> None:
    body = {"pass_id": ticket["id"], "first_name": "Ada", "last_name": None, "phone": "1", "email": "ADA@example.com"}
    answer, _ = with_event(world, "pass.updated", "update-pass", body)
    assert answer["changed"] == ["last_name", "phone"]


def test_custom_fields_are_merged_one_by_one(world: World, ticket: dict[str, Any]) -> None:
    set_one = done(world, "update-pass", {"pass_id": ticket["id"], "fields": {"seat": "B2"}})
    assert (set_one["fields"], set_one["changed"]) == ({"seat": "B2", "doors_open": "19:00"}, ["fields.seat"])
    clear = done(world, "update-pass", {"pass_id": ticket["id"], "fields": {"seat": None, "doors_open": "20:00"}})
    assert clear["fields"] == {"doors_open": "20:00"}
    assert clear["changed"] == ["fields.doors_open", "fields.seat"]


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"first_name": "Ada"},
        {"email": "Ada@Example.com"},
        {"fields": {}},
        {"fields": {"seat": "A1"}},
        {"expires_at": "2027-12-31T20:00:00+02:00"},
        {"external_id": "customer-501"},
    ],
)
def test_what_is_there_already_changes_nothing(
    shared_world: World, shared_ticket: dict[str, Any], same: dict[str, Any]
) -> None:
    shared_world.clock.advance(hours=1)
    answer = unchanged(shared_world, "update-pass", {"pass_id": shared_ticket["id"], **same})
    assert answer["changed"] == []
    assert answer["updated_at"] == shared_ticket["updated_at"]


def test_clearing_what_is_not_set_changes_nothing(world: World) -> None:
    made = world.make_pass(COUPON)
    body = {"pass_id": made["id"], "email": None, "phone": None, "expires_at": None, "fields": {"code": None}}
    assert unchanged(world, "update-pass", body)["changed"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"first_name": ""}, "first_name"),
        ({"expires_at": "31.12.2027"}, "expires_at"),
        ({"fields": {"member_since": "2026"}}, "fields.member_since"),
        ({"points": 5}, "points"),
        ({"tier_id": "tier_demo_seated"}, "tier_id"),
        ({"reason": "none"}, "reason"),
    ],
)
def test_a_field_that_is_not_right_is_named(
    shared_world: World, shared_ticket: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    body = {"pass_id": shared_ticket["id"], "phone": "1", **change}
    assert wrong_fields(shared_world, "update-pass", body) == [field]


def test_a_required_custom_field_cannot_be_cleared(world: World) -> None:
    program = {"kind": "coupon", "name": "Strict", "fields": [{"name": "code", "required": True}]}
    program_id = world.request("POST", "/v1/programs", json=program).get_json()["id"]
    made = world.make_pass(program_id, fields={"code": "A1"})
    assert wrong_fields(world, "update-pass", {"pass_id": made["id"], "fields": {"code": None}}) == ["fields.code"]
    assert done(world, "update-pass", {"pass_id": made["id"], "first_name": "Ada"})["fields"] == {"code": "A1"}


def test_the_address_that_names_the_pass_is_not_taken_for_a_change(world: World, ticket: dict[str, Any]) -> None:
    body = {"program_id": TICKET, "email": "ada@example.com", "phone": "1"}
    answer = done(world, "update-pass", body)
    assert (answer["id"], answer["changed"], answer["email"]) == (ticket["id"], ["phone"], "ada@example.com")


def test_with_an_external_id_the_address_is_the_new_one(world: World, ticket: dict[str, Any]) -> None:
    body = {"program_id": TICKET, "external_id": "customer-501", "email": "new@example.com"}
    answer = done(world, "update-pass", body)
    assert (answer["id"], answer["changed"], answer["email"]) == (ticket["id"], ["email"], "new@example.com")


def test_a_revoked_pass_is_updated_but_stays_revoked(world: World, ticket: dict[str, Any]) -> None:
    done(world, "revoke-pass", {"pass_id": ticket["id"]})
    assert done(world, "update-pass", {"pass_id": ticket["id"], "phone": None})["status"] == "revoked"


def test_a_permanently_revoked_pass_cannot_be_updated(world: World, ticket: dict[str, Any]) -> None:
    world.clock.advance(minutes=1)
    done(world, "revoke-pass", {"pass_id": ticket["id"], "permanent": True})
    problem = refused(world, "update-pass", {"pass_id": ticket["id"], "first_name": "Ada"}, 422, "not-applicable")
    assert "permanently revoked on 2026-11-20T09:31:00.000Z" in problem["detail"]


def test_an_expiry_in_the_past_expires_the_pass_and_one_in_the_future_does_not(world: World) -> None:
    made = world.make_pass(MEMBERSHIP)
    past = done(world, "update-pass", {"pass_id": made["id"], "expires_at": "2026-11-20T09:30:00Z"})
    assert past["status"] == "expired"
    future = done(world, "update-pass", {"pass_id": made["id"], "expires_at": "2026-11-20T09:30:01Z"})
    assert future["status"] == "active"
