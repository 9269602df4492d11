"""Update points: add, subtract and set, in points or in money."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.actions.checks import differing, done, refused, unchanged, with_event, wrong_fields
from tests.world import COUPON, TICKET, World


def test_the_balance_changes_as_asked_and_says_what_it_was(any_world: World) -> None:
    for change, after, difference in (("add", 120, 25), ("subtract", 70, -25), ("set", 25, -70)):
        made = any_world.make_pass(points=95)
        any_world.clock.advance(hours=1)
        body = {"pass_id": made["id"], "change": change, "points": 25, "reason": "Invoice 1001 paid"}
        answer, data = with_event(any_world, "points.changed", "update-points", body)
        assert (answer["points_before"], answer["points"], answer["points_change"]) == (95, after, difference)
        assert data == {**answer, "reason": "Invoice 1001 paid"}
        assert differing(made, answer) == {"points", "updated_at"}
        assert any_world.get(f"/v1/passes/{made['id']}").get_json()["points"] == after


def test_without_a_reason_the_event_has_none(world: World) -> None:
    made = world.make_pass()
    _, data = with_event(
        world, "points.changed", "update-points", {"pass_id": made["id"], "change": "add", "points": 1}
    )
    assert "reason" not in data


@pytest.mark.parametrize("body", [{"change": "add", "points": 0}, {"change": "set", "points": "5.00"}])
def test_a_change_of_nothing_is_a_success_that_changes_nothing(shared_world: World, body: dict[str, Any]) -> None:
    made = shared_world.make_pass(points=5)
    answer = unchanged(shared_world, "update-points", {"pass_id": made["id"], **body})
    assert (answer["points_before"], answer["points_change"], answer["points"]) == (5, 0, 5)


@pytest.mark.parametrize("program_id", [COUPON, TICKET])
def test_coupons_and_tickets_have_no_points(shared_world: World, program_id: str) -> None:
    made = shared_world.make_pass(program_id)
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    problem = refused(shared_world, "update-points", body, 422, "not-applicable")
    assert "Only memberships have points." in problem["detail"]


@pytest.mark.parametrize("permanent", [False, True])
def test_a_revoked_pass_keeps_its_points(shared_world: World, permanent: bool) -> None:
    made = shared_world.make_pass(points=5)
    done(shared_world, "revoke-pass", {"pass_id": made["id"], "permanent": permanent})
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    refused(shared_world, "update-points", body, 422, "not-applicable")


def test_subtracting_more_than_there_is_is_refused(world: World) -> None:
    made = world.make_pass(points=20)
    body = {"pass_id": made["id"], "change": "subtract", "points": "20.01"}
    problem = refused(world, "update-points", body, 422, "insufficient-points")
    assert problem["detail"].startswith("The pass has 20 points, 20.01 cannot be subtracted.")
    assert done(world, "update-points", {**body, "points": 20})["points"] == 0


def test_a_negative_balance_is_possible_when_it_is_meant(world: World) -> None:
    made = world.make_pass(points=20)
    body = {"pass_id": made["id"], "change": "subtract", "points": "20.5"}
    answer, _ = with_event(world, "points.changed", "update-points", {**body, "allow_negative": True})
    assert (answer["points"], answer["points_change"]) == (-0.5, -20.5)
    refused(world, "update-points", body, 422, "insufficient-points")


def test_adding_to_a_negative_balance_needs_no_permission(world: World) -> None:
    made = world.make_pass()
    less = {"pass_id": made["id"], "change": "subtract", "points": 50, "allow_negative": True}
    done(world, "update-points", less)
    more = done(world, "update-points", {"pass_id": made["id"], "change": "add", "points": 20})
    assert (more["points_before"], more["points"]) == (-50, -30)


def test_money_becomes_points_at_the_rate_given(world: World) -> None:
    made = world.make_pass(points=1)
    body = {"pass_id": made["id"], "change": "add", "amount": "49.90", "points_per_unit": 1.5}
    answer, data = with_event(world, "points.changed", "update-points", body)
    assert (answer["points_change"], answer["points"]) == (74, 75)
    assert data["points_change"] == 74
    back = {"pass_id": made["id"], "change": "subtract", "amount": 49.9, "points_per_unit": "1.5"}
    assert done(world, "update-points", back)["points"] == 1
    exactly = {"pass_id": made["id"], "change": "set", "amount": 10, "points_per_unit": 2}
    assert done(world, "update-points", exactly)["points"] == 20


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, ["points"]),
        ({"points": 1, "amount": 1, "points_per_unit": 1}, ["points"]),
        ({"points": 1, "amount": 1}, ["points"]),
        ({"points": 1, "points_per_unit": 1}, ["points_per_unit"]),
        ({"amount": 1}, ["points_per_unit"]),
        ({"points_per_unit": 1}, ["points"]),
        ({"points": -1}, ["points"]),
        ({"points": None}, ["points"]),
        ({"amount": -1, "points_per_unit": 1}, ["amount"]),
        ({"amount": 1, "points_per_unit": 0}, ["points_per_unit"]),
        ({"amount": 1, "points_per_unit": 1000001}, ["points_per_unit"]),
        ({"amount": 1, "points_per_unit": "0.00001"}, ["points_per_unit"]),
        ({"amount": 999999999.99, "points_per_unit": 2}, ["points"]),
        ({"points": 1, "change": "multiply"}, ["change"]),
        ({"points": 1, "change": None}, ["change"]),
        ({"points": 1, "allow_negative": "yes"}, ["allow_negative"]),
        ({"points": 1, "note": "hello"}, ["note"]),
        ({"points": 1, "reason": "x" * 201}, ["reason"]),
    ],
)
def test_a_field_that_is_not_right_is_named(shared_world: World, change: dict[str, Any], fields: list[str]) -> None:
    made = shared_world.make_pass(points=5)
    assert wrong_fields(shared_world, "update-points", {"pass_id": made["id"], "change": "add", **change}) == fields


def test_the_change_must_be_given(world: World) -> None:
    made = world.make_pass()
    assert wrong_fields(world, "update-points", {"pass_id": made["id"], "points": 5}) == ["change"]


def test_many_changes_at_once_all_count(any_world: World) -> None:
    made = any_world.make_pass()

    def add(_number: int) -> int:
        headers = {"Authorization": f"Bearer {any_world.key}"}
        body = {"pass_id": made["id"], "change": "add", "points": "0.1"}
        answer = any_world.app.test_client().post("/v1/actions/update-points", json=body, headers=headers)
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(40))) == {200}
    assert any_world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 4
    befores = sorted(event["data"]["points_before"] for event in any_world.events(type="points.changed"))
    assert befores == [number / 10 for number in range(40)]
