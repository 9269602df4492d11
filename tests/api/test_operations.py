"""The log of operations: what was asked for, and what came of it."""

from __future__ import annotations

from typing import Any

from tests.actions.checks import done
from tests.world import MEMBERSHIP, World


def operation(world: World, operation_id: str) -> dict[str, Any]:
    answer = world.get(f"/v1/operations/{operation_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_success_keeps_its_answer(any_world: World) -> None:
    answer = done(any_world, "create-pass", {"program_id": MEMBERSHIP}, idempotency_key="k1")
    assert operation(any_world, answer["operation_id"]) == {
        "id": answer["operation_id"],
        "action": "create-pass",
        "status": "succeeded",
        "unique_event_id": "k1",
        "program_id": MEMBERSHIP,
        "pass_id": answer["id"],
        "answer": answer,
        "problem": None,
        "effects": [],
        "next_look_at": None,
        "is_parked": False,
        "resolution": None,
        "created_at": "2026-11-20T09:30:00.000Z",
        "finished_at": "2026-11-20T09:30:00.000Z",
    }


def test_a_refusal_keeps_its_reason(world: World) -> None:
    made = world.make_pass()
    body = {"pass_id": made["id"], "change": "subtract", "points": 5}
    problem = world.act("update-points", body).get_json()
    found = operation(world, problem["operation_id"])
    assert (found["status"], found["answer"], found["pass_id"]) == ("failed", None, made["id"])
    assert found["problem"] == {"code": "insufficient-points", "detail": problem["detail"]}
    assert found["finished_at"] is not None


def test_a_success_that_changed_nothing_is_in_the_log_and_not_among_the_events(world: World) -> None:
    made = world.make_pass()
    answer = done(world, "reinstate-pass", {"pass_id": made["id"]})
    assert operation(world, answer["operation_id"])["status"] == "succeeded"
    assert answer["operation_id"] not in {event["operation_id"] for event in world.events()}


def test_a_request_with_wrong_fields_is_no_operation(shared_world: World) -> None:
    problem = shared_world.act("create-pass", {"program_id": MEMBERSHIP, "email": "x"}).get_json()
    assert "operation_id" not in problem


def test_an_operation_that_is_not_there_is_not_found(shared_world: World) -> None:
    answer = shared_world.get("/v1/operations/op_nowhere")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not-found")
