"""Batches: each item succeeds or fails on its own, in order, with its own idempotency."""

from __future__ import annotations

from typing import Any

import pytest

from app.actions import ACTIONS
from app.operations.action import Action
from tests.world import COUPON, MEMBERSHIP, World

ADD = {"program_id": MEMBERSHIP, "external_id": "customer-501", "change": "add", "points": 25}


def batch(world: World, action: str, items: list[Any], **options: Any) -> dict[str, Any]:
    answer = world.act(f"{action}/batch", {"items": items}, **options)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.get_json()
    return told


def test_items_are_done_in_order_and_told_in_order(world: World) -> None:
    made = world.make_pass()
    items = [{"pass_id": made["id"], "change": "add", "points": number} for number in range(1, 101)]
    told = batch(world, "update-points", items)
    assert (told["succeeded"], told["failed"]) == (100, 0)
    assert [result["index"] for result in told["results"]] == list(range(100))
    sums = [number * (number + 1) // 2 for number in range(1, 101)]
    assert [result["answer"]["points"] for result in told["results"]] == sums


def test_the_history_of_a_batch_is_in_the_order_of_its_items(any_world: World) -> None:
    made = any_world.make_pass()
    items = [{"pass_id": made["id"], "change": "add", "points": number} for number in range(1, 101)]
    batch(any_world, "update-points", items)
    history = any_world.get(f"/v1/passes/{made['id']}/history", query_string={"limit": 100}).get_json()["data"]
    assert [event["data"]["points_change"] for event in history] == list(range(100, 0, -1))


def test_one_item_that_fails_stops_no_other(world: World) -> None:
    items = [
        {"program_id": MEMBERSHIP, "external_id": "a"},
        {"program_id": MEMBERSHIP, "external_id": "b", "email": "nobody"},
        {"program_id": "prog_nowhere", "external_id": "c"},
        {"program_id": MEMBERSHIP, "external_id": "simulate_upstream_down"},
        {"program_id": MEMBERSHIP, "external_id": "e"},
    ]
    told = batch(world, "create-pass", items)
    assert (told["succeeded"], told["failed"]) == (2, 3)
    assert [result["succeeded"] for result in told["results"]] == [True, False, False, False, True]
    codes = [result["problem"] and result["problem"]["code"] for result in told["results"]]
    assert codes == [None, "validation-failed", "not-found", "upstream-unavailable", None]
    assert told["results"][1]["problem"]["errors"][0]["field"] == "email"
    assert [result["answer"] and result["answer"]["external_id"] for result in told["results"]] == [
        "a",
        None,
        None,
        None,
        "e",
    ]
    listed = world.get("/v1/passes").get_json()["data"]
    assert [one["external_id"] for one in listed] == ["e", "a"]


def test_a_problem_in_a_batch_is_as_complete_as_one_alone(world: World) -> None:
    body = {"program_id": "prog_nowhere"}
    inside = batch(world, "create-pass", [body])["results"][0]["problem"]
    alone = world.act("create-pass", body).get_json()
    for name in ("instance", "request_id", "operation_id"):
        assert inside.pop(name) != alone.pop(name)
    assert inside == alone


def test_an_answer_in_a_batch_is_as_complete_as_one_alone(world: World) -> None:
    inside = batch(world, "create-pass", [{"program_id": COUPON}])["results"][0]["answer"]
    assert set(inside) == set(world.make_pass(COUPON))


def test_each_item_has_an_idempotency_of_its_own(any_world: World) -> None:
    any_world.make_pass(external_id="customer-501")
    items = [
        {**ADD, "unique_event_id": "invoice-1"},
        {**ADD, "unique_event_id": "invoice-1"},
        {**ADD, "unique_event_id": "invoice-2"},
        {**ADD, "unique_event_id": "invoice-1", "points": 26},
        ADD,
        ADD,
    ]
    results = batch(any_world, "update-points", items)["results"]
    assert [result["replayed"] for result in results] == [False, True, False, False, False, False]
    assert results[1]["answer"] == results[0]["answer"]
    assert results[3]["problem"]["code"] == "idempotency-key-reused"
    assert results[5]["answer"]["points"] == 100
    again = batch(any_world, "update-points", items[:3])["results"]
    assert [result["replayed"] for result in again] == [True, True, True]


def test_a_unique_event_id_means_the_same_in_a_batch_and_alone(world: World) -> None:
    world.make_pass(external_id="customer-501")
    alone = world.act("update-points", ADD, idempotency_key="invoice-1").get_json()
    inside = batch(world, "update-points", [{**ADD, "unique_event_id": "invoice-1"}])["results"][0]
    assert (inside["replayed"], inside["answer"]) == (True, alone)


@pytest.mark.parametrize("count", [0, 101])
def test_no_item_and_more_than_a_hundred_are_refused_as_a_whole(shared_world: World, count: int) -> None:
    answer = shared_world.act("create-pass/batch", {"items": [{"program_id": MEMBERSHIP}] * count})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation-failed")
    assert answer.get_json()["errors"] == [{"field": "items", "message": "Give 1 to 100 items."}]
    assert shared_world.get("/v1/passes").get_json()["data"] == []  # no test of this module makes one in this world


@pytest.mark.parametrize("count", [1, 100])
def test_one_and_a_hundred_items_are_taken(world: World, count: int) -> None:
    assert batch(world, "create-pass", [{"program_id": MEMBERSHIP}] * count)["succeeded"] == count


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": None}, "items"),
        ({"items": {"program_id": MEMBERSHIP}}, "items"),
        ({"items": [{"program_id": MEMBERSHIP}, "text"]}, "items.1"),
        ({"items": [{"program_id": MEMBERSHIP}], "unique_event_id": "x"}, "unique_event_id"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(shared_world: World, body: dict[str, Any], field: str) -> None:
    answer = shared_world.act("create-pass/batch", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert shared_world.get("/v1/passes").get_json()["data"] == []  # no test of this module makes one in this world


def test_the_header_idempotency_key_is_refused_and_nothing_done(world: World) -> None:
    answer = world.act("create-pass/batch", {"items": [{"program_id": MEMBERSHIP}]}, idempotency_key="invoice-1")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid-idempotency-key")
    assert "unique_event_id" in answer.get_json()["detail"]
    assert world.get("/v1/passes").get_json()["data"] == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_action_has_batches(shared_world: World, action: Action) -> None:
    result = batch(shared_world, action.name, [{}])["results"][0]
    assert (result["succeeded"], result["problem"]["code"]) == (False, "validation-failed")


def test_a_key_that_may_only_read_cannot_send_a_batch(world: World) -> None:
    key = world.make_key(scopes=("read",))
    assert world.act("create-pass/batch", {"items": [{"program_id": MEMBERSHIP}]}, key=key).status_code == 403
