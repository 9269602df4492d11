"""Programs: made, changed and listed."""

from __future__ import annotations

from typing import Any

import pytest

from app.model import Mode
from tests.world import COUPON, MEMBERSHIP, TICKET, World

WHOLE: dict[str, Any] = {
    "kind": "event_ticket",
    "name": "Winter Concert",
    "tiers": [{"name": "Standing"}, {"name": "Seated"}],
    "fields": [{"name": "seat", "title": "Seat", "type": "text", "required": True}, {"name": "row", "type": "number"}],
    "background_color": "#1E3A8A",
    "text_color": "#ffffff",
    "label_color": "#bfdbfe",
    "logo_text": "Rosewater Live",
    "terms": "Doors close early.\nNo refunds.",
}


def create(world: World, **body: Any) -> dict[str, Any]:
    answer = world.request("POST", "/v1/programs", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"/v1/programs/{made['id']}"
    return made


def change(world: World, program_id: str, **body: Any) -> dict[str, Any]:
    answer = world.request("PATCH", f"/v1/programs/{program_id}", json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.get_json()
    assert changed == world.get(f"/v1/programs/{program_id}").get_json()
    return changed


def wrong_fields(world: World, method: str, path: str, body: dict[str, Any]) -> list[str]:
    before = world.get("/v1/programs").get_json()
    answer = world.request(method, path, json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation-failed"), answer.text
    assert world.get("/v1/programs").get_json() == before
    return [error["field"] for error in answer.get_json()["errors"]]


def test_a_new_program_has_what_it_was_made_from(any_world: World) -> None:
    made = create(any_world, **WHOLE)
    assert made["id"].startswith("prog_")
    assert [tier["name"] for tier in made["tiers"]] == ["Standing", "Seated"]
    assert len({tier["id"] for tier in made["tiers"]}) == 2
    assert made["fields"] == [
        {"name": "seat", "title": "Seat", "type": "text", "required": True},
        {"name": "row", "title": "row", "type": "number", "required": False},
    ]
    same = ("kind", "name", "text_color", "label_color", "logo_text", "terms")
    assert {name: made[name] for name in same} == {name: WHOLE[name] for name in same}
    assert (made["background_color"], made["mode"], made["issuer"]) == ("#1e3a8a", "test", "builtin")
    assert made["created_at"] == made["updated_at"] == "2026-11-20T09:30:00.000Z"
    assert any_world.get(f"/v1/programs/{made['id']}").get_json() == made


def test_a_program_made_from_kind_and_name_alone_is_complete(world: World) -> None:
    made = create(world, kind="membership", name="Plain")
    assert [tier["name"] for tier in made["tiers"]] == ["Standard"]
    assert (made["fields"], made["logo_text"], made["terms"]) == ([], None, None)
    assert set(made) == set(create(world, **WHOLE))
    assert world.make_pass(made["id"])["tier_id"] == made["tiers"][0]["id"]


def test_tiers_and_fields_have_addresses_of_their_own(world: World) -> None:
    made = create(world, **WHOLE)
    assert world.get(f"/v1/programs/{made['id']}/tiers").get_json() == {"data": made["tiers"]}
    assert world.get(f"/v1/programs/{made['id']}/fields").get_json() == {"data": made["fields"]}


def test_a_second_program_of_the_same_name_is_refused_and_the_first_named(world: World) -> None:
    made = create(world, **WHOLE)
    answer = world.request("POST", "/v1/programs", json={"kind": "coupon", "name": "Winter Concert"})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "duplicate")
    assert answer.get_json()["program_id"] == made["id"]
    renamed = world.request("PATCH", f"/v1/programs/{MEMBERSHIP}", json={"name": "Winter Concert"})
    assert (renamed.status_code, renamed.get_json()["code"]) == (409, "duplicate")


def test_another_account_or_mode_may_use_the_same_name(world: World) -> None:
    for key in (world.make_key(account="other"), world.make_key(mode=Mode.LIVE)):
        body = {"kind": "membership", "name": "Rosewater Club"}
        assert world.request("POST", "/v1/programs", json=body, key=key).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "card"}, "kind"),
        ({"kind": None}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": None}, "name"),
        ({"tiers": []}, "tiers"),
        ({"tiers": [{"name": str(number)} for number in range(21)]}, "tiers"),
        ({"tiers": [{"name": "A"}, {"name": "A"}]}, "tiers.1.name"),
        ({"tiers": [{"name": "A", "id": "tier_mine"}]}, "tiers.0.id"),
        ({"tiers": [{}]}, "tiers.0.name"),
        ({"tiers": [{"name": "A", "color": "red"}]}, "tiers.0.color"),
        ({"fields": [{"name": "a"}, {"name": "a"}]}, "fields.1.name"),
        ({"fields": [{"name": "Seat No."}]}, "fields.0.name"),
        ({"fields": [{"name": "a", "type": "money"}]}, "fields.0.type"),
        ({"fields": [{"name": "a", "required": "yes"}]}, "fields.0.required"),
        ({"fields": [{"name": f"f{number}"} for number in range(31)]}, "fields"),
        ({"background_color": "red"}, "background_color"),
        ({"background_color": "#12345"}, "background_color"),
        ({"logo_text": "x" * 41}, "logo_text"),
        ({"terms": "x" * 2001}, "terms"),
        ({"id": "prog_mine"}, "id"),
        ({"mode": "live"}, "mode"),
    ],
)
def test_a_field_that_is_not_right_is_named(shared_world: World, body: dict[str, Any], field: str) -> None:
    assert wrong_fields(shared_world, "POST", "/v1/programs", {"kind": "membership", "name": "New", **body}) == [field]


def test_kind_and_name_must_be_given(shared_world: World) -> None:
    assert sorted(wrong_fields(shared_world, "POST", "/v1/programs", {})) == ["kind", "name"]


def test_what_a_change_leaves_out_stays_as_it_is(world: World) -> None:
    made = create(world, **WHOLE)
    world.clock.advance(hours=1)
    changed = change(world, made["id"], text_color="#000000", terms=None)
    assert {name for name in made if made[name] != changed[name]} == {"text_color", "terms", "updated_at"}
    assert (changed["terms"], changed["updated_at"]) == (None, "2026-11-20T10:30:00.000Z")


def test_a_changed_program_is_seen_on_its_passes_at_once(any_world: World) -> None:
    made = any_world.make_pass()
    tiers = any_world.get(f"/v1/programs/{MEMBERSHIP}").get_json()["tiers"]
    tiers[0]["name"] = "Copper"
    change(any_world, MEMBERSHIP, name="Tulip Club", tiers=tiers)
    shown = any_world.get(f"/v1/passes/{made['id']}").get_json()
    assert (shown["program_name"], shown["tier_name"]) == ("Tulip Club", "Copper")


def test_the_same_name_again_is_no_duplicate_of_itself(world: World) -> None:
    assert change(world, MEMBERSHIP, name="Rosewater Club")["name"] == "Rosewater Club"


def test_tiers_are_kept_renamed_added_ordered_and_left_out_by_the_new_list(world: World) -> None:
    tiers = [{"id": "tier_demo_gold", "name": "Gold"}, {"name": "Platinum"}, {"id": "tier_demo_bronze", "name": "Iron"}]
    changed = change(world, MEMBERSHIP, tiers=tiers)
    assert [tier["name"] for tier in changed["tiers"]] == ["Gold", "Platinum", "Iron"]
    assert [tier["id"] for tier in changed["tiers"]][::2] == ["tier_demo_gold", "tier_demo_bronze"]
    assert world.make_pass()["tier_id"] == "tier_demo_gold"


def test_a_tier_with_passes_cannot_be_left_out(world: World) -> None:
    world.make_pass(tier_id="tier_demo_silver")
    path = f"/v1/programs/{MEMBERSHIP}"
    answer = world.request("PATCH", path, json={"tiers": [{"id": "tier_demo_gold", "name": "Gold"}]})
    assert answer.status_code == 422
    assert "tier_demo_silver" in answer.get_json()["detail"]
    assert "tier_demo_bronze" not in answer.get_json()["detail"]
    assert len(world.get(path).get_json()["tiers"]) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "coupon"}, "kind"),
        ({"name": None}, "name"),
        ({"tiers": []}, "tiers"),
        ({"tiers": [{"id": "tier_demo_seated", "name": "Seated"}]}, "tiers.0.id"),
        (
            {"tiers": [{"id": "tier_demo_gold", "name": "A"}, {"id": "tier_demo_gold", "name": "B"}]},
            "tiers.1.id",
        ),
        ({"background_color": None}, "background_color"),
    ],
)
def test_a_change_that_is_not_right_is_named(shared_world: World, body: dict[str, Any], field: str) -> None:
    assert wrong_fields(shared_world, "PATCH", f"/v1/programs/{MEMBERSHIP}", body) == [field]


def test_programs_are_listed_newest_first_a_page_at_a_time(world: World) -> None:
    names = [f"Program {number}" for number in range(7)]
    for name in names:
        create(world, kind="coupon", name=name)
    found, cursor = [], None
    while True:
        query = {"limit": 3, "kind": "coupon"} | ({"cursor": cursor} if cursor else {})
        page = world.get("/v1/programs", query_string=query).get_json()
        found += [program["name"] for program in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    demo = "Welcome Coupon"
    assert [name for name in found if name != demo] == names[::-1]
    assert found.count(demo) == 1


def test_programs_are_narrowed_to_a_kind(shared_world: World) -> None:
    for kind, program_id in (("membership", MEMBERSHIP), ("coupon", COUPON), ("event_ticket", TICKET)):
        page = shared_world.get("/v1/programs", query_string={"kind": kind}).get_json()
        assert [program["id"] for program in page["data"]] == [program_id]
    assert len(shared_world.get("/v1/programs").get_json()["data"]) == 3


def test_a_program_that_is_not_there_is_not_found(shared_world: World) -> None:
    for path in ("prog_nowhere", "prog_nowhere/tiers", "prog_nowhere/fields"):
        assert shared_world.get(f"/v1/programs/{path}").status_code == 404
    assert shared_world.request("PATCH", "/v1/programs/prog_nowhere", json={}).status_code == 404
