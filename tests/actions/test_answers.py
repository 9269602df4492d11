"""Answers are flat and complete: the same fields whatever the pass, and null where nothing is set."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from app.actions import ACTIONS
from app.answer import PassAnswer, example
from app.model import Mode, Ticket
from app.operations.action import Action
from app.store import passes
from tests.actions.checks import done, with_event
from tests.world import COUPON, MEMBERSHIP, TICKET, World

BY_NAME = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
MORE: dict[str, dict[str, Any]] = {
    "update-points": {"change": "add", "points": 1},
    "change-tier": {"tier_id": "tier_demo_gold"},
}
FULL = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "1",
    "expires_at": "2027-12-31",
}
NUMBERS = count()


def full() -> dict[str, str]:
    return {**FULL, "external_id": f"customer-{next(NUMBERS)}"}


def run(world: World, action: Action, **holder: str) -> dict[str, Any]:
    program_id = COUPON if action.name == "redeem-pass" else MEMBERSHIP
    if action.creates:
        return done(world, action.name, {"program_id": program_id, **holder})
    made = world.make_pass(program_id, **holder)
    return done(world, action.name, {"pass_id": made["id"], **MORE.get(action.name, {})})


@BY_NAME
def test_an_answer_has_exactly_the_fields_described_whatever_is_set(shared_world: World, action: Action) -> None:
    described = set(action.answer.dump_fields)
    for answer in (run(shared_world, action), run(shared_world, action, **full())):
        assert set(answer) == described
        nullable = {name for name, field in action.answer.dump_fields.items() if field.allow_none}
        assert {name for name, value in answer.items() if value is None} <= nullable


@BY_NAME
def test_an_answer_is_flat_but_for_the_custom_fields(shared_world: World, action: Action) -> None:
    nested = {name for name, value in run(shared_world, action, **full()).items() if isinstance(value, dict)}
    assert nested == {"fields"}


@BY_NAME
def test_values_have_the_types_described(shared_world: World, action: Action) -> None:
    answer = run(shared_world, action, **full())
    assert action.answer.validate(answer) == {}
    for name, field in action.answer.dump_fields.items():
        if (choices := field.metadata.get("enum")) is not None:
            assert answer[name] in choices


@BY_NAME
def test_an_action_that_did_what_was_asked_has_no_notes(shared_world: World, action: Action) -> None:
    assert run(shared_world, action, **full())["notes"] == []


@BY_NAME
def test_the_examples_are_right(action: Action) -> None:
    assert action.input.validate(action.example_input) == {}
    assert action.answer.validate(example(action.example_details)) == {}


def test_a_pass_that_is_looked_up_has_the_same_fields(world: World) -> None:
    made = world.make_pass()
    shown = world.get(f"/v1/passes/{made['id']}").get_json()
    assert set(shown) == set(PassAnswer().dump_fields)
    assert world.get("/v1/passes").get_json()["data"] == [shown]


@pytest.mark.parametrize(
    ("program_id", "facts", "told"),
    [
        (MEMBERSHIP, {"tier_points": 250}, {"tier_points": 250}),
        (
            TICKET,
            {"ticket": Ticket("order-77", "Row 4, seat 12", "Rosewater Night", "2026-12-31T19:00:00Z")},
            {
                "order_number": "order-77",
                "seat": "Row 4, seat 12",
                "event_name": "Rosewater Night",
                "event_starts_at": "2026-12-31T19:00:00Z",
            },
        ),
    ],
    ids=["membership", "ticket"],
)
def test_what_only_a_remote_issuer_tells_is_null_until_it_is_known_and_then_in_every_answer(
    world: World, program_id: str, facts: dict[str, Any], told: dict[str, Any]
) -> None:
    made = world.make_pass(program_id)
    assert {made[name] for name in told} == {None}
    with world.service.store.write() as connection:
        found = passes.get(connection, world.account.id, Mode.TEST, made["id"])
        assert found is not None
        passes.save(connection, found[0], replace(found[0], **facts))
    answer, event = with_event(world, "pass.updated", "update-pass", {"pass_id": made["id"], "first_name": "Ada"})
    shown = world.get(f"/v1/passes/{made['id']}").get_json()
    (listed,) = world.get("/v1/passes").get_json()["data"]
    for one in (answer, event, shown, listed):
        assert told.items() <= one.items()
    assert PassAnswer().validate(shown) == {}


def test_an_answer_names_its_operation_which_tells_the_same(world: World) -> None:
    answer = done(world, "create-pass", {"program_id": MEMBERSHIP, **full()})
    kept = world.get(f"/v1/operations/{answer['operation_id']}").get_json()
    assert (kept["action"], kept["status"], kept["answer"]) == ("create-pass", "succeeded", answer)
    assert (kept["program_id"], kept["pass_id"]) == (MEMBERSHIP, answer["id"])
