"""An action repeated is an action done once."""

from __future__ import annotations

import pytest

from app.retention import purge
from tests.world import MEMBERSHIP, World

ADD = {"program_id": MEMBERSHIP, "external_id": "customer-501", "change": "add", "points": 25}


def points_of(world: World, pass_id: str) -> float:
    points: float = world.get(f"/v1/passes/{pass_id}").get_json()["points"]
    return points


def test_a_repeat_with_the_same_key_is_answered_alike_and_done_once(any_world: World) -> None:
    made = any_world.make_pass(external_id="customer-501")
    first = any_world.act("update-points", ADD, idempotency_key="invoice-1")
    again = any_world.act("update-points", ADD, idempotency_key="invoice-1")
    assert first.status_code == again.status_code == 200
    assert first.get_data() == again.get_data()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert points_of(any_world, made["id"]) == 25
    assert len(any_world.events(type="points.changed")) == 1


def test_the_header_and_the_field_are_the_same_key(world: World) -> None:
    world.make_pass(external_id="customer-501")
    first = world.act("update-points", ADD, idempotency_key="invoice-1")
    again = world.act("update-points", {**ADD, "unique_event_id": "invoice-1"})
    quoted = world.act("update-points", ADD, idempotency_key='"invoice-1"')
    assert first.get_data() == again.get_data() == quoted.get_data()


def test_header_and_field_that_differ_are_refused(world: World) -> None:
    answer = world.act("update-points", {**ADD, "unique_event_id": "invoice-1"}, idempotency_key="invoice-2")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "unique_event_id"


@pytest.mark.parametrize("key", ["", "with blank", "tab\t", "x" * 256, "é", '""'])
def test_a_header_that_cannot_be_a_key_is_refused(world: World, key: str) -> None:
    answer = world.act("update-points", ADD, idempotency_key=key)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid-idempotency-key")


def test_a_key_used_for_something_else_is_refused_and_changes_nothing(any_world: World) -> None:
    made = any_world.make_pass(external_id="customer-501")
    any_world.act("update-points", ADD, idempotency_key="invoice-1")
    answer = any_world.act("update-points", {**ADD, "points": 26}, idempotency_key="invoice-1")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency-key-reused")
    assert points_of(any_world, made["id"]) == 25


def test_the_order_of_fields_does_not_make_a_different_request(world: World) -> None:
    world.make_pass(external_id="customer-501")
    world.act("update-points", ADD, idempotency_key="invoice-1")
    again = world.act("update-points", dict(reversed(ADD.items())), idempotency_key="invoice-1")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_means_nothing_to_another_account_mode_or_action(world: World) -> None:
    from app.model import Mode

    world.make_pass(external_id="customer-501")
    first = world.act("update-points", ADD, idempotency_key="invoice-1").get_json()
    redo = {"program_id": MEMBERSHIP, "external_id": "customer-501"}
    other_action = world.act("revoke-pass", redo, idempotency_key="invoice-1")
    assert other_action.status_code == 200
    for key in (world.make_key(account="other"), world.make_key(mode=Mode.LIVE)):
        answer = world.act("update-points", ADD, idempotency_key="invoice-1", key=key)
        assert answer.status_code == 404
        assert first["id"] not in answer.text


def test_without_a_key_two_equal_purchases_are_two_purchases(world: World) -> None:
    made = world.make_pass(external_id="customer-501")
    world.act("update-points", ADD)
    world.act("update-points", ADD)
    assert points_of(world, made["id"]) == 50


def test_a_refusal_that_changed_nothing_leaves_the_key_free(any_world: World) -> None:
    missing = any_world.act("update-points", ADD, idempotency_key="invoice-1")
    assert missing.status_code == 404
    any_world.make_pass(external_id="customer-501")
    assert any_world.act("update-points", ADD, idempotency_key="invoice-1").status_code == 200


def test_a_refusal_is_in_the_log_of_operations(world: World) -> None:
    problem = world.act("update-points", ADD, idempotency_key="invoice-1").get_json()
    found = world.get(f"/v1/operations/{problem['operation_id']}").get_json()
    assert (found["status"], found["problem"]["code"]) == ("failed", "not-found")
    assert found["has_key"] is False


def test_stored_answers_are_kept_seven_days_and_then_forgotten(any_world: World) -> None:
    any_world.make_pass(external_id="customer-501")
    first = any_world.act("update-points", ADD, idempotency_key="invoice-1")
    any_world.clock.advance(days=6, hours=23)
    assert purge(any_world.service)["answers"] == 0
    assert any_world.act("update-points", ADD, idempotency_key="invoice-1").get_data() == first.get_data()
    any_world.clock.advance(hours=2)
    assert purge(any_world.service)["answers"] > 0
    kept = any_world.get(f"/v1/operations/{first.get_json()['operation_id']}").get_json()
    assert (kept["status"], kept["answer"], kept["has_key"]) == ("succeeded", None, True)
