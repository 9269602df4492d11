"""Erased is erased: nothing that is kept anywhere names the person, and nothing brings the person back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.people import planting
from tests.people.planting import EMAIL, EXTERNAL_ID, HOLDER, NEVER, PLANTED, WORDS, dump, erase, export, hits
from tests.world import COUPON, MEMBERSHIP, World

NOTHING = {"passes": 0, "events": 0, "operations": 0, "deliveries": 0, "webhooks": 0, "remarks": 0}


def test_every_text_column_is_planted_or_has_a_reason() -> None:
    """A new table or column has to be planted and erased, or to be given a reason why nobody's data comes into it."""
    assert planting.text_columns() - set(NEVER) == PLANTED
    assert set(NEVER) & PLANTED == set()


@pytest.mark.parametrize("named", [{"external_id": EXTERNAL_ID}, {"email": EMAIL.upper()}])
def test_no_word_of_an_erased_person_is_left(any_world: World, named: dict[str, str], capsys: Any) -> None:
    pass_ids = planting.plant(any_world, MEMBERSHIP, COUPON, "member_since")
    planting.plant_rows(any_world, pass_ids[0])
    other = any_world.make_pass(external_id="another", email="other@example.com", first_name="Ada")
    before = dump(any_world)
    tables = {place for _, place in hits(before)}
    assert {"passes", "events", "operations", "imports", "troubles", "inbox"} <= tables
    assert {word for word, _ in hits(before)} == {*WORDS, planting.SEAT}
    preview = erase(any_world, **named, dry_run=True)
    assert dump(any_world).keys() == before.keys()
    assert hits(dump(any_world)) == hits(before)
    told = erase(any_world, **named)
    assert told == {**preview, "dry_run": False}
    assert told["pass_ids"] == pass_ids
    assert told["rows"] == {
        "passes": 2, "events": 5, "operations": 9, "deliveries": 5, "webhooks": 1, "remarks": 2,
    }  # fmt: skip
    assert hits(dump(any_world)) == set()
    assert erase(any_world, **named)["rows"] == NOTHING
    shown = any_world.get(f"/v1/passes/{other['id']}").get_json()
    assert (shown["email"], shown["first_name"], shown["status"]) == ("other@example.com", "Ada", "active")
    printed = capsys.readouterr()
    assert "/v1/people/erase" in printed.out
    assert hits({"log": printed.out + printed.err}) == set()


def test_history_stays_as_that_of_nobody_and_hooks_are_told_that_the_pass_is_over(world: World) -> None:
    card, coupon = planting.plant(world, MEMBERSHIP, COUPON, "member_since")
    erase(world, external_id=EXTERNAL_ID)
    types = [event["type"] for event in world.events(pass_id=card)]
    assert types == ["pass.revoked", "points.changed", "pass.updated", "pass.created"]
    assert [event["data"]["points"] for event in world.events(pass_id=card)][:2] == [8, 8]
    told = world.events(pass_id=coupon)[0]
    assert (told["type"], told["data"]["status"], told["data"]["external_id"]) == ("pass.revoked", "revoked", None)
    assert world.get(f"/v1/passes/{card}").get_json()["status"] == "revoked"


def test_an_address_of_several_people_is_refused_with_the_candidates_and_no_names(world: World) -> None:
    made = [world.make_pass(external_id=name, **HOLDER) for name in ("c-1", "c-2")]
    for route in ("erase", "export"):
        answer = world.request("POST", f"/v1/people/{route}", json={"email": EMAIL})
        problem = answer.get_json()
        assert (answer.status_code, problem["code"]) == (409, "ambiguous-pass")
        assert problem["external_ids"] == ["c-1", "c-2"]
        assert problem["pass_ids"] == [one["id"] for one in made]
        assert HOLDER["first_name"] not in answer.text


def test_a_person_is_erased_from_one_program_only_where_one_is_named(world: World) -> None:
    card, coupon = planting.plant(world, MEMBERSHIP, COUPON, "member_since")
    assert erase(world, external_id=EXTERNAL_ID, program_id=COUPON)["pass_ids"] == [coupon]
    assert world.get(f"/v1/passes/{card}").get_json()["email"] == EMAIL


@pytest.mark.parametrize("body", [{}, {"external_id": "c-1", "email": EMAIL}, {"external_id": ""}])
def test_exactly_one_name_is_taken(world: World, body: dict[str, str]) -> None:
    answer = world.request("POST", "/v1/people/erase", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation-failed")


def test_after_an_erasure_the_caller_may_make_the_person_anew(world: World) -> None:
    old = world.make_pass(external_id="c-1", **HOLDER)
    erase(world, external_id="c-1")
    made = world.make_pass(external_id="c-1", **HOLDER)
    assert (made["created"], made["id"] == old["id"], made["email"]) == (True, False, EMAIL)


def test_while_an_operation_is_open_the_person_is_not_erased(any_world: World) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout", **HOLDER}
    unknown = any_world.act("create-pass", body, idempotency_key="k-1")
    assert unknown.status_code == 504
    named = {"external_id": "simulate_timeout"}
    assert erase(any_world, **named, dry_run=True)["open_operations"] == [unknown.get_json()["operation_id"]]
    answer = any_world.request("POST", "/v1/people/erase", json=named)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (409, "operation-open", True)
    assert problem["operation_ids"] == [unknown.get_json()["operation_id"]]
    assert answer.headers["Retry-After"] == "60"
    assert any_world.act("create-pass", body, idempotency_key="k-1").status_code == 200
    erase(any_world, **named)
    assert hits(dump(any_world), tuple(HOLDER.values())) == set()


def test_an_export_has_everything_that_is_held_page_by_page(any_world: World) -> None:
    pass_ids = planting.plant(any_world, MEMBERSHIP, COUPON, "member_since")
    planting.plant_rows(any_world, pass_ids[0])
    any_world.make_pass(external_id="another", email="other@example.com")
    items = export(any_world, external_id=EXTERNAL_ID, limit=3)
    assert items == export(any_world, email=EMAIL)
    assert len({item["id"] for item in items}) == len(items)
    kinds = [item["kind"] for item in items]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "pass": 2, "operation": 9, "event": 5, "delivery": 5, "webhook": 1,
    }  # fmt: skip
    assert {word for word, _ in hits({"export": str(items)}, WORDS)} == set(WORDS)
    assert "other@example.com" not in str(items)
    assert export(any_world, external_id="nobody") == []
