"""Create pass: a new pass, or the one that is there."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.actions.checks import differing, done, refused, stored, unchanged, with_event, wrong_fields
from tests.world import BRONZE, COUPON, GOLD, MEMBERSHIP, TICKET, World

ADA = {
    "program_id": MEMBERSHIP,
    "external_id": "customer-501",
    "email": "Ada@Example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+44 20 7946 0000",
    "tier_id": GOLD,
    "points": "20.5",
    "expires_at": "2027-12-31",
    "fields": {"member_since": "2026"},
}


def test_a_new_pass_has_what_it_was_made_from(any_world: World) -> None:
    answer = done(any_world, "create-pass", ADA)
    assert answer["created"] is True
    expected = {
        "mode": "test",
        "issuer": "builtin",
        "kind": "membership",
        "program_id": MEMBERSHIP,
        "program_name": "Rosewater Club",
        "tier_id": GOLD,
        "tier_name": "Gold",
        "external_id": "customer-501",
        "status": "active",
        "install_state": "issued",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "+44 20 7946 0000",
        "points": 20.5,
        "fields": {"member_since": "2026"},
        "expires_at": "2027-12-31T23:59:59.000Z",
        "created_at": "2026-11-20T09:30:00.000Z",
        "updated_at": "2026-11-20T09:30:00.000Z",
    }
    assert {name: answer[name] for name in expected} == expected
    shown = any_world.get(f"/v1/passes/{answer['id']}").get_json()
    assert differing(answer, shown) == set()


def test_a_pass_made_from_the_program_alone_has_the_first_tier_and_nothing_else(world: World) -> None:
    answer = done(world, "create-pass", {"program_id": MEMBERSHIP})
    assert (answer["tier_id"], answer["points"], answer["fields"]) == (BRONZE, 0, {})
    for name in ("external_id", "email", "first_name", "last_name", "phone", "expires_at"):
        assert answer[name] is None


@pytest.mark.parametrize("program_id", [COUPON, TICKET])
def test_coupons_and_tickets_have_no_points(shared_world: World, program_id: str) -> None:
    assert done(shared_world, "create-pass", {"program_id": program_id})["points"] is None
    problem = refused(shared_world, "create-pass", {"program_id": program_id, "points": 5}, 422, "not-applicable")
    assert "Only memberships have points" in problem["detail"]


def test_the_event_tells_what_the_answer_tells(world: World) -> None:
    answer, data = with_event(world, "pass.created", "create-pass", ADA)
    assert data == answer


def test_every_pass_has_an_address_nobody_can_work_out_from_its_id(world: World) -> None:
    answer, other = done(world, "create-pass", ADA), done(world, "create-pass", {"program_id": MEMBERSHIP})
    token = answer["pass_url"].removeprefix("https://pass.example.com/p/")
    assert len(token) == 22
    assert token not in answer["id"]
    assert token not in other["pass_url"]
    assert answer["qr_code_url"] == f"{answer['pass_url']}/qr.png"


def test_without_external_id_every_request_makes_a_pass(world: World) -> None:
    made = {done(world, "create-pass", {"program_id": MEMBERSHIP, "email": "a@example.com"})["id"] for _ in range(3)}
    assert len(made) == 3


def test_the_same_external_id_gets_the_pass_that_is_there_unchanged(any_world: World) -> None:
    first = done(any_world, "create-pass", ADA)
    any_world.clock.advance(hours=1)
    again = unchanged(any_world, "create-pass", {**ADA, "first_name": "Augusta", "points": 7, "tier_id": BRONZE})
    assert again["created"] is False
    assert differing(first, again) == set()


def test_the_same_external_id_in_another_program_is_another_pass(world: World) -> None:
    first = world.make_pass(external_id="customer-501")
    other = world.make_pass(COUPON, external_id="customer-501")
    assert other["created"] is True
    assert other["id"] != first["id"]


def test_external_ids_differ_by_case(world: World) -> None:
    first, other = world.make_pass(external_id="A-1"), world.make_pass(external_id="a-1")
    assert first["id"] != other["id"]


def test_many_requests_at_once_for_one_external_id_make_one_pass(any_world: World) -> None:
    def create(_number: int) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {any_world.key}"}
        body = {"program_id": MEMBERSHIP, "external_id": "customer-501"}
        answer = any_world.app.test_client().post("/v1/actions/create-pass", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(24)))
    assert len({answer["id"] for answer in answers}) == 1
    assert [answer["created"] for answer in answers].count(True) == 1
    assert [len(rows) for rows in stored(any_world).values()] == [1, 1]


def test_if_exists_update_takes_over_holder_fields_and_expiry(world: World) -> None:
    first = done(world, "create-pass", ADA)
    world.clock.advance(hours=1)
    body = {
        "program_id": MEMBERSHIP,
        "external_id": "customer-501",
        "if_exists": "update",
        "phone": None,
        "first_name": "Augusta",
        "fields": {"member_since": "2025"},
        "expires_at": "2028-01-01T00:00:00Z",
    }
    answer, data = with_event(world, "pass.updated", "create-pass", body)
    assert answer["created"] is False
    assert differing(first, answer) == {"phone", "first_name", "fields", "expires_at", "updated_at"}
    assert set(data["changed"]) == {"phone", "first_name", "fields.member_since", "expires_at"}
    assert answer["phone"] is None


def test_if_exists_update_leaves_points_and_tier_alone(world: World) -> None:
    done(world, "create-pass", ADA)
    answer = unchanged(world, "create-pass", {**ADA, "if_exists": "update", "points": 1, "tier_id": BRONZE})
    assert (answer["points"], answer["tier_id"]) == (20.5, GOLD)


def test_if_exists_error_refuses_and_names_the_pass_that_is_there(world: World) -> None:
    first = done(world, "create-pass", {**ADA, "if_exists": "error"})
    assert first["created"] is True
    problem = refused(world, "create-pass", {**ADA, "if_exists": "error"}, 409, "duplicate")
    assert problem["pass_id"] == first["id"]
    assert first["id"] in problem["detail"]


def test_if_exists_returns_a_revoked_pass_as_it_is(world: World) -> None:
    made = done(world, "create-pass", ADA)
    done(world, "revoke-pass", {"pass_id": made["id"]})
    assert unchanged(world, "create-pass", ADA)["status"] == "revoked"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"program_id": None}, "program_id"),
        ({"program_id": "a b"}, "program_id"),
        ({"tier_id": "tier_demo_welcome"}, "tier_id"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "   "}, "external_id"),
        ({"external_id": None}, "external_id"),
        ({"external_id": "x" * 121}, "external_id"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@"}, "email"),
        ({"email": "ada@example"}, "email"),
        ({"first_name": "x" * 61}, "first_name"),
        ({"first_name": "Ada\nLovelace"}, "first_name"),
        ({"phone": 4420}, "phone"),
        ({"points": -1}, "points"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2027-02-30"}, "expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"fields": {"shoe_size": "44"}}, "fields.shoe_size"),
        ({"fields": {"member_since": 2026}}, "fields.member_since"),
        ({"fields": ["2026"]}, "fields"),
        ({"if_exists": "replace"}, "if_exists"),
        ({"extrenal_id": "customer-501"}, "extrenal_id"),
    ],
)
def test_a_field_that_is_not_right_is_named(shared_world: World, change: dict[str, Any], field: str) -> None:
    assert wrong_fields(shared_world, "create-pass", {**ADA, **change}) == [field]


def test_a_wrong_tier_is_answered_with_the_right_ones(world: World) -> None:
    problem = refused(world, "create-pass", {**ADA, "tier_id": "tier_demo_seated"}, 422, "validation-failed")
    for text in ("tier_demo_bronze (Bronze)", "tier_demo_gold (Gold)"):
        assert text in problem["detail"]


def test_a_program_that_is_not_there_is_not_found(world: World) -> None:
    refused(world, "create-pass", {"program_id": "prog_nowhere"}, 404, "not-found")


def test_the_program_of_another_account_is_not_found(world: World) -> None:
    refused(world, "create-pass", ADA, 404, "not-found", key=world.make_key(account="other"))


def test_required_and_typed_custom_fields_are_held_against_the_program(world: World) -> None:
    program = {
        "kind": "membership",
        "name": "Strict",
        "fields": [
            {"name": "code", "required": True},
            {"name": "birthday", "type": "date"},
            {"name": "size", "type": "number"},
        ],
    }
    program_id = world.request("POST", "/v1/programs", json=program).get_json()["id"]
    body = {"program_id": program_id}
    assert wrong_fields(world, "create-pass", body) == ["fields.code"]
    assert wrong_fields(world, "create-pass", {**body, "fields": {"code": None}}) == ["fields.code"]
    wrong = {"birthday": "soon", "size": "NaN"}
    assert wrong_fields(world, "create-pass", {**body, "fields": wrong}) == [
        "fields.birthday",
        "fields.size",
        "fields.code",
    ]
    right = {"code": "A1", "birthday": "2001-02-03", "size": "44.5"}
    assert done(world, "create-pass", {**body, "fields": right})["fields"] == right


def test_text_of_every_language_comes_back_as_it_was(any_world: World) -> None:
    names = {"first_name": "Łukasz 李", "last_name": 'O\'Connor "X" \\ 🎟', "phone": "٠١٢"}
    made = any_world.make_pass(external_id="ключ-1", fields={"member_since": "año\nnuevo"}, **names)
    shown = any_world.get(f"/v1/passes/{made['id']}").get_json()
    assert {name: shown[name] for name in names} == names
    assert (shown["external_id"], shown["fields"]) == ("ключ-1", {"member_since": "año\nnuevo"})
    assert json.loads(json.dumps(any_world.events()[0]["data"]))["first_name"] == "Łukasz 李"


def test_blanks_around_text_are_cut(world: World) -> None:
    made = world.make_pass(external_id="  customer-501 ", first_name=" Ada ", email=" ADA@example.com ")
    assert (made["external_id"], made["first_name"], made["email"]) == ("customer-501", "Ada", "ada@example.com")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2027-12-31", "2027-12-31T23:59:59.000Z"),
        ("2027-12-31T18:00:00Z", "2027-12-31T18:00:00.000Z"),
        ("2027-12-31T18:00:00+02:00", "2027-12-31T16:00:00.000Z"),
        ("2027-12-31t18:00:00.123456z", "2027-12-31T18:00:00.123Z"),
        ("2027-12-31 18:00-00:30", "2027-12-31T18:30:00.000Z"),
        ("2020-01-01", "2020-01-01T23:59:59.000Z"),
    ],
)
def test_an_expiry_is_a_day_or_an_instant_with_its_zone(shared_world: World, given: str, kept: str) -> None:
    assert shared_world.make_pass(expires_at=given)["expires_at"] == kept
