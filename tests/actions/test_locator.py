"""Which pass is meant: its ID, or program and external ID, or program and e-mail address."""

from __future__ import annotations

from typing import Any

import pytest

from app.actions import ACTIONS
from app.model import Mode
from tests.actions.checks import done, refused, wrong_fields
from tests.world import COUPON, MEMBERSHIP, World

MORE: dict[str, dict[str, Any]] = {
    "update-pass": {"phone": "1"},
    "update-points": {"change": "add", "points": 1},
    "change-tier": {"tier_id": "tier_demo_gold"},
    "redeem-pass": {},
    "revoke-pass": {},
    "reinstate-pass": {},
}
OF_PASSES = [action.name for action in ACTIONS if not action.creates]


def test_every_action_on_a_pass_is_in_the_tables_of_this_module() -> None:
    assert sorted(MORE) == sorted(OF_PASSES)
    assert [action.name for action in ACTIONS if action.creates] == ["create-pass"]


@pytest.mark.parametrize("action", OF_PASSES)
def test_a_pass_is_found_by_each_of_its_names(shared_world: World, action: str) -> None:
    program_id = COUPON if action == "redeem-pass" else MEMBERSHIP
    for number in range(3):
        who = {"external_id": f"{action}-{number}", "email": f"{action}{number}@example.com"}
        made = shared_world.make_pass(program_id, **who)
        locator = (
            {"pass_id": made["id"]},
            {"program_id": program_id, "external_id": who["external_id"]},
            {"program_id": program_id, "email": who["email"].upper()},
        )[number]
        assert done(shared_world, action, {**locator, **MORE[action]})["id"] == made["id"]


@pytest.mark.parametrize(
    ("locator", "field"),
    [
        ({}, "pass_id"),
        ({"program_id": MEMBERSHIP}, "pass_id"),
        ({"external_id": "customer-501"}, "program_id"),
        ({"email": "ada@example.com"}, "program_id"),
        ({"pass_id": None}, "pass_id"),
        ({"pass_id": "../etc"}, "pass_id"),
        ({"pass_id": "x" * 65}, "pass_id"),
        ({"program_id": 5, "external_id": "customer-501"}, "program_id"),
    ],
)
def test_a_request_that_names_no_pass_is_refused(shared_world: World, locator: dict[str, Any], field: str) -> None:
    for action in OF_PASSES:
        assert wrong_fields(shared_world, action, {**locator, **MORE[action]})[0] == field


@pytest.mark.parametrize("action", OF_PASSES)
def test_a_pass_that_is_not_there_is_not_found(shared_world: World, action: str) -> None:
    for locator in (
        {"pass_id": "pass_nowhere"},
        {"program_id": MEMBERSHIP, "external_id": "nobody"},
        {"program_id": MEMBERSHIP, "email": "nobody@example.com"},
        {"program_id": "prog_nowhere", "external_id": "nobody"},
    ):
        problem = refused(shared_world, action, {**locator, **MORE[action]}, 404, "not-found")
        assert "in test mode" in problem["detail"]


@pytest.mark.parametrize("action", OF_PASSES)
def test_two_passes_with_one_address_are_ambiguous_and_listed(shared_world: World, action: str) -> None:
    email = f"two-of-{action}@example.com"
    first, second = (shared_world.make_pass(email=email) for _ in range(2))
    shared_world.make_pass(COUPON, email=email)
    body = {"program_id": MEMBERSHIP, "email": email.title(), **MORE[action]}
    problem = refused(shared_world, action, body, 409, "ambiguous-pass")
    assert problem["pass_ids"] == [first["id"], second["id"]]


def test_an_ambiguous_address_is_settled_by_the_external_id(world: World) -> None:
    for name in ("a", "b"):
        made = world.make_pass(email="ada@example.com", external_id=name)
    body = {"program_id": MEMBERSHIP, "email": "ada@example.com", "external_id": "b", **MORE["update-points"]}
    assert done(world, "update-points", body)["id"] == made["id"]


def test_names_that_do_not_fit_one_another_find_nothing(world: World) -> None:
    made = world.make_pass(external_id="customer-501", email="ada@example.com")
    world.make_pass(external_id="customer-502", email="bob@example.com")
    for wrong in (
        {"pass_id": made["id"], "program_id": COUPON},
        {"pass_id": made["id"], "external_id": "customer-502"},
        {"pass_id": made["id"], "email": "bob@example.com"},
        {"program_id": MEMBERSHIP, "external_id": "customer-501", "email": "bob@example.com"},
    ):
        problem = refused(world, "update-points", {**wrong, **MORE["update-points"]}, 404, "not-found")
        assert "another" in problem["detail"]


def test_names_that_fit_one_another_may_all_be_given(world: World) -> None:
    made = world.make_pass(external_id="customer-501", email="ada@example.com")
    everything = {
        "pass_id": made["id"],
        "program_id": MEMBERSHIP,
        "external_id": "customer-501",
        "email": "ada@example.com",
    }
    assert done(world, "update-points", {**everything, **MORE["update-points"]})["id"] == made["id"]


@pytest.mark.parametrize("action", OF_PASSES)
def test_the_passes_of_others_and_of_the_other_mode_are_not_there(shared_world: World, action: str) -> None:
    made = shared_world.make_pass(external_id=f"for {action}", email=f"{action}@example.com")
    for key in (shared_world.make_key(account="other"), shared_world.make_key(mode=Mode.LIVE)):
        for locator in (
            {"pass_id": made["id"]},
            {"program_id": MEMBERSHIP, "external_id": f"for {action}"},
            {"program_id": MEMBERSHIP, "email": f"{action}@example.com"},
        ):
            problem = refused(shared_world, action, {**locator, **MORE[action]}, 404, "not-found", key=key)
            assert made["id"] not in problem["detail"] or "pass_id" in locator
