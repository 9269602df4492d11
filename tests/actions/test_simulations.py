"""Test mode: magic external IDs force an outcome. In live mode they are external IDs like any other."""

from __future__ import annotations

from typing import Any

import pytest

from app.actions import ACTIONS
from app.errors import catalogue
from app.issuers.simulated import OUTCOMES, simulated_issuer
from app.model import Mode
from app.retention import purge
from tests.actions.checks import done, refused, stored
from tests.world import GOLD, MEMBERSHIP, World

TIMEOUT = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout"}
FORCED = [
    ("simulate_rate_limited", 429, "rate-limited", "2"),
    ("simulate_upstream_down", 503, "upstream-unavailable", "30"),
    ("simulate_rejected", 422, "upstream-rejected", None),
    ("simulate_timeout", 504, "outcome-unknown", None),
]


def test_the_outcomes_are_those_promised() -> None:
    assert sorted(OUTCOMES) == sorted(external_id for external_id, *_ in FORCED)
    assert {code for _, _, code, _ in FORCED} <= {kind.code for kind in catalogue()}


@pytest.mark.parametrize(("external_id", "status", "code", "retry_after"), FORCED)
def test_a_magic_id_forces_its_outcome_and_nothing_is_done(
    shared_world: World, external_id: str, status: int, code: str, retry_after: str | None
) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": external_id}
    for _ in range(2):
        problem = refused(shared_world, "create-pass", body, status, code)
        assert problem["detail"].startswith("Simulated: ")
        assert problem["retryable"] is (code != "upstream-rejected")
    answer = shared_world.act("create-pass", body)
    assert answer.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize(("external_id", "status", "code", "_retry_after"), FORCED[:3])
def test_every_action_can_be_made_to_fail_though_such_a_pass_can_never_be_made(
    shared_world: World, external_id: str, status: int, code: str, _retry_after: str | None
) -> None:
    named = {"program_id": MEMBERSHIP, "external_id": external_id}
    needed: dict[str, dict[str, Any]] = {
        "update-points": {"change": "add", "points": 1},
        "change-tier": {"tier_id": GOLD},
    }
    for action in ACTIONS[1:]:
        refused(shared_world, action.name, {**named, **needed.get(action.name, {})}, status, code)
    refused(shared_world, "revoke-pass", {**named, "program_id": "prog_unknown"}, 404, "not-found")


def test_after_a_timeout_the_same_request_with_its_key_succeeds_with_one_effect(any_world: World) -> None:
    problem = refused(any_world, "create-pass", TIMEOUT, 504, "outcome-unknown", idempotency_key="k1")
    kept = any_world.get(f"/v1/operations/{problem['operation_id']}").get_json()
    assert (kept["status"], kept["finished_at"], kept["has_key"]) == ("unknown", None, True)
    answer = any_world.act("create-pass", TIMEOUT, idempotency_key="k1")
    assert answer.status_code == 200
    assert (answer.get_json()["created"], answer.get_json()["operation_id"]) == (True, problem["operation_id"])
    again = any_world.act("create-pass", TIMEOUT, idempotency_key="k1")
    assert (again.get_data(), again.headers["Idempotent-Replayed"]) == (answer.get_data(), "true")
    assert [len(rows) for rows in stored(any_world).values()] == [1, 1]
    kept = any_world.get(f"/v1/operations/{problem['operation_id']}").get_json()
    assert (kept["status"], kept["problem"]) == ("succeeded", None)


def test_points_added_through_a_timeout_count_once(any_world: World) -> None:
    any_world.act("create-pass", TIMEOUT, idempotency_key="make")
    made = done(any_world, "create-pass", TIMEOUT, idempotency_key="make")
    add = {**TIMEOUT, "change": "add", "points": 25}
    refused(any_world, "update-points", add, 504, "outcome-unknown", idempotency_key="k1")
    answers = [done(any_world, "update-points", add, idempotency_key="k1") for _ in range(3)]
    assert [answer["points"] for answer in answers] == [25, 25, 25]
    assert len(any_world.events(type="points.changed")) == 1
    assert any_world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 25


def test_a_timeout_that_is_not_yet_settled_refuses_another_body(world: World) -> None:
    refused(world, "create-pass", TIMEOUT, 504, "outcome-unknown", idempotency_key="k1")
    other = {**TIMEOUT, "first_name": "Ada"}
    refused(world, "create-pass", other, 422, "idempotency-key-reused", idempotency_key="k1")
    assert done(world, "create-pass", TIMEOUT, idempotency_key="k1")["created"] is True


def test_an_unsettled_timeout_is_never_forgotten(world: World) -> None:
    refused(world, "create-pass", TIMEOUT, 504, "outcome-unknown", idempotency_key="k1")
    world.clock.advance(days=1000)
    purge(world.service)
    assert done(world, "create-pass", TIMEOUT, idempotency_key="k1")["created"] is True


@pytest.mark.parametrize(("external_id", "status", "code", "_retry_after"), FORCED[:3])
def test_a_refusal_leaves_the_key_free_whoever_refused(
    world: World, external_id: str, status: int, code: str, _retry_after: str | None
) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": external_id}
    first = refused(world, "create-pass", body, status, code, idempotency_key="k2")
    second = refused(world, "create-pass", body, status, code, idempotency_key="k2")
    assert first["operation_id"] != second["operation_id"]
    assert world.get(f"/v1/operations/{first['operation_id']}").get_json()["has_key"] is False


def test_rules_come_before_the_forced_outcome(world: World) -> None:
    body = {"program_id": "prog_nowhere", "external_id": "simulate_rejected"}
    refused(world, "create-pass", body, 404, "not-found")


@pytest.mark.parametrize("external_id", sorted(OUTCOMES))
def test_live_mode_knows_no_magic(shared_world: World, external_id: str) -> None:
    key = shared_world.make_key(mode=Mode.LIVE)
    program = {"kind": "membership", "name": f"Real {external_id}"}
    program_id = shared_world.request("POST", "/v1/programs", json=program, key=key).get_json()["id"]
    body = {"program_id": program_id, "external_id": external_id}
    made = done(shared_world, "create-pass", body, key=key)
    assert (made["created"], made["mode"], made["issuer"]) == (True, "live", "builtin")
    assert simulated_issuer(Mode.LIVE, external_id) is None


def test_only_the_magic_ids_are_magic() -> None:
    for external_id in (None, "", "simulate", "Simulate_timeout", "simulate_timeout "):
        assert simulated_issuer(Mode.TEST, external_id) is None
