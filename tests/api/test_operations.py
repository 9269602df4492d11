"""The log of operations: what was asked for, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.operations.resume import resume, resume_all
from app.store import operations
from tests.actions.checks import done, refused, stored
from tests.world import MEMBERSHIP, World

TIMEOUT = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout"}


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
        "has_key": True,
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


# --- an unknown outcome, as a person settles it ---


def leave_unknown(world: World, action: str = "create-pass", **values: Any) -> str:
    """Do something whose outcome stays unknown, with the key k1; return the operation's ID."""
    problem = refused(world, action, {**TIMEOUT, **values}, 504, "outcome-unknown", idempotency_key="k1")
    return str(problem["operation_id"])


def resolve(world: World, operation_id: str, *, happened: bool, **options: Any) -> TestResponse:
    path = f"/v1/operations/{operation_id}/resolve"
    return world.request("POST", path, json={"happened": happened}, **options)


def resolved(world: World, operation_id: str, *, happened: bool) -> dict[str, Any]:
    answer = resolve(world, operation_id, happened=happened)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.get_json()
    assert told == operation(world, operation_id)
    return told


def not_applicable(world: World, operation_id: str, *, happened: bool) -> str:
    """Resolve what cannot be resolved, which must change nothing; return what is told."""
    before, passes_and_events = operation(world, operation_id), stored(world)
    answer = resolve(world, operation_id, happened=happened)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable"), answer.text
    assert (operation(world, operation_id), stored(world)) == (before, passes_and_events)
    return str(answer.get_json()["detail"])


def test_an_unknown_outcome_tells_what_is_to_be_done_and_when_it_is_looked_into(any_world: World) -> None:
    found = operation(any_world, leave_unknown(any_world))
    assert (found["status"], found["answer"], found["problem"]["code"]) == ("unknown", None, "outcome-unknown")
    assert found["effects"] == [{"effect": "issue", "is_done": False}]
    assert found["next_look_at"] == "2026-11-20T09:31:00.000Z"
    assert (found["is_parked"], found["resolution"], found["finished_at"]) == (False, None, None)


def test_what_happened_is_recorded_as_if_the_issuer_had_said_so(any_world: World) -> None:
    operation_id = leave_unknown(any_world)
    told = resolved(any_world, operation_id, happened=True)
    assert (told["status"], told["problem"], told["effects"]) == ("succeeded", None, [])
    assert (told["next_look_at"], told["finished_at"]) == (None, "2026-11-20T09:30:00.000Z")
    assert told["answer"]["created"] is True
    made = any_world.get(f"/v1/passes/{told['pass_id']}").get_json()
    assert (made["external_id"], made["status"]) == ("simulate_timeout", "active")
    [event] = any_world.events()
    assert (event["type"], event["operation_id"]) == ("pass.created", operation_id)


def test_a_repeat_of_what_happened_gets_the_stored_answer(any_world: World) -> None:
    told = resolved(any_world, leave_unknown(any_world), happened=True)
    before = stored(any_world)
    again = any_world.act("create-pass", TIMEOUT, idempotency_key="k1")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.get_json() == told["answer"]
    assert stored(any_world) == before


def test_points_that_were_added_count_once(any_world: World) -> None:
    made = resolved(any_world, leave_unknown(any_world), happened=True)["answer"]
    operation_id = leave_unknown(any_world, "update-points", change="add", points=25)
    answer = resolved(any_world, operation_id, happened=True)["answer"]
    assert (answer["id"], answer["points"], answer["points_before"]) == (made["id"], 25, 0)
    add = {**TIMEOUT, "change": "add", "points": 25}
    assert done(any_world, "update-points", add, idempotency_key="k1") == answer
    assert len(any_world.events(type="points.changed")) == 1


def test_what_did_not_happen_has_failed_and_changed_nothing(any_world: World) -> None:
    operation_id, before = leave_unknown(any_world), stored(any_world)
    told = resolved(any_world, operation_id, happened=False)
    assert (told["status"], told["answer"], told["effects"], told["next_look_at"]) == ("failed", None, [], None)
    assert told["problem"]["code"] == "not-applicable"
    assert "it did not happen" in told["problem"]["detail"]
    assert stored(any_world) == before


def test_the_key_of_what_did_not_happen_is_free_for_a_repeat_that_succeeds(any_world: World) -> None:
    operation_id = leave_unknown(any_world)
    assert resolved(any_world, operation_id, happened=False)["has_key"] is False
    # A simulated time-out is one at every first try: the repeat is a new operation.
    second = leave_unknown(any_world)
    answer = done(any_world, "create-pass", TIMEOUT, idempotency_key="k1")
    assert second != operation_id
    assert (answer["created"], answer["operation_id"]) == (True, second)
    assert operation(any_world, operation_id)["status"] == "failed"


@pytest.mark.parametrize("happened", [True, False])
def test_who_said_so_and_when_is_recorded(any_world: World, happened: bool) -> None:
    operation_id = leave_unknown(any_world)
    any_world.clock.advance(hours=3)
    me = any_world.get("/v1/me").get_json()
    told = resolved(any_world, operation_id, happened=happened)
    assert told["resolution"] == {"happened": happened, "by": me["key_id"], "at": "2026-11-20T12:30:00.000Z"}


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("said_before", [True, False])
def test_only_an_unknown_outcome_can_be_resolved_and_only_once(
    any_world: World, happened: bool, said_before: bool
) -> None:
    operation_id = leave_unknown(any_world)
    resolved(any_world, operation_id, happened=said_before)
    assert "is known" in not_applicable(any_world, operation_id, happened=happened)


@pytest.mark.parametrize("happened", [True, False])
def test_what_succeeded_or_was_refused_is_known(any_world: World, happened: bool) -> None:
    made = done(any_world, "create-pass", {"program_id": MEMBERSHIP})
    take = {"pass_id": made["id"], "change": "subtract", "points": 5}
    problem = refused(any_world, "update-points", take, 422, "insufficient-points")
    for one in (made, problem):
        not_applicable(any_world, one["operation_id"], happened=happened)


@pytest.mark.parametrize("happened", [True, False])
def test_nobody_settles_what_is_being_found_out_at_this_moment(any_world: World, happened: bool) -> None:
    operation_id = leave_unknown(any_world)
    now = any_world.clock()
    with any_world.service.store.write() as connection:
        operations.claim(connection, operation_id, now, now.replace(minute=now.minute + 1))
    not_applicable(any_world, operation_id, happened=happened)


def test_what_this_version_cannot_go_on_with_can_only_have_failed(any_world: World) -> None:
    operation_id = leave_unknown(any_world)
    with any_world.service.store.write() as connection:
        before = operations.get_any(connection, operation_id)
        assert before is not None
        operations.save(connection, before, replace(before, request='{"version": 99}'))
    assert "only be resolved as false" in not_applicable(any_world, operation_id, happened=True)
    assert resolved(any_world, operation_id, happened=False)["status"] == "failed"


@pytest.mark.parametrize("happened", [True, False])
def test_the_sweep_leaves_alone_what_a_person_has_settled(any_world: World, happened: bool) -> None:
    operation_id = leave_unknown(any_world)
    told = resolved(any_world, operation_id, happened=happened)
    before = stored(any_world)
    any_world.clock.advance(days=1)
    assert resume_all(any_world.service) == 0
    assert resume(any_world.service, operation_id) is False
    assert (operation(any_world, operation_id), stored(any_world)) == (told, before)


def test_a_key_that_may_only_read_settles_nothing(any_world: World) -> None:
    operation_id = leave_unknown(any_world)
    answer = resolve(any_world, operation_id, happened=True, key=any_world.make_key(scopes=("read",)))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
    assert operation(any_world, operation_id)["status"] == "unknown"


@pytest.mark.parametrize("body", [{}, {"happened": None}, {"happened": "perhaps"}, {"happened": True, "why": "x"}])
def test_what_happened_must_be_said(any_world: World, body: dict[str, Any]) -> None:
    operation_id = leave_unknown(any_world)
    answer = any_world.request("POST", f"/v1/operations/{operation_id}/resolve", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation-failed")
    assert operation(any_world, operation_id)["status"] == "unknown"
