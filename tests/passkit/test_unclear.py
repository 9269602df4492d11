"""Answers of PassKit that got lost: found out about by a repeat or by the sweep, and done once."""

from __future__ import annotations

from typing import Any

import pytest

from app.operations.resume import resume_all
from tests.fakes.passkit import seed
from tests.passkit.conftest import Joined, passkit_of
from tests.world import World

EARN = "PUT /members/member/points/earn"
SET = "PUT /members/member/points/set"
KEY = "k-1"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, lonely: World) -> None:
    passkit_of(lonely).pool.sleep = lambda seconds: None


def status(joined: Joined, operation_id: str) -> dict[str, Any]:
    found: dict[str, Any] = joined.world.get(f"/v1/operations/{operation_id}").get_json()
    return found


def add(joined: Joined, made: dict[str, Any], key: str | None = KEY) -> Any:
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    return joined.act("update-points", body, idempotency_key=key)


def lose_answer(joined: Joined, route: str = EARN, *, is_done: bool = True) -> None:
    joined.fake.fail("reset", route, effect="first" if is_done else "never")


@pytest.mark.parametrize("is_done", [True, False])
def test_the_same_key_finds_out_and_finishes(joined: Joined, is_done: bool) -> None:
    made = joined.make(points=10)
    lose_answer(joined, is_done=is_done)
    first = add(joined, made)
    assert (first.status_code, first.get_json()["code"]) == (504, "outcome-unknown")
    operation_id = first.get_json()["operation_id"]
    assert status(joined, operation_id)["status"] == "unknown"
    if not is_done:
        early = add(joined, made)
        assert (early.status_code, early.get_json()["code"]) == (504, "outcome-unknown")
        assert int(early.headers["Retry-After"]) == 60
        joined.world.clock.advance(seconds=59)
        assert add(joined, made).status_code == 504
        joined.world.clock.advance(seconds=1)
    again = add(joined, made)
    assert again.status_code == 200, again.text
    assert again.get_json()["operation_id"] == operation_id
    assert (again.get_json()["points"], again.get_json()["points_before"]) == (15, 10)
    assert joined.fake.effects(EARN, operation_id) == 1
    assert joined.record(made)["points"] == 15
    assert len(joined.world.events(type="points.changed")) == 1


@pytest.mark.parametrize("is_done", [True, False])
def test_the_sweep_finishes_what_nobody_asks_for_again(joined: Joined, is_done: bool) -> None:
    made = joined.make(points=10)
    lose_answer(joined, is_done=is_done)
    operation_id = add(joined, made).get_json()["operation_id"]
    joined.world.clock.advance(seconds=60)
    assert resume_all(joined.world.service) == 1
    assert status(joined, operation_id)["status"] == "succeeded"
    assert joined.record(made)["points"] == 15
    assert resume_all(joined.world.service) == 0
    replay = add(joined, made)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert joined.fake.effects(EARN, operation_id) == 1


@pytest.mark.parametrize(("is_done", "outcome"), [(True, "succeeded"), (False, "failed")])
def test_without_a_key_what_was_not_done_is_not_done_late(joined: Joined, is_done: bool, outcome: str) -> None:
    made = joined.make(points=10)
    lose_answer(joined, is_done=is_done)
    operation_id = add(joined, made, key=None).get_json()["operation_id"]
    joined.world.clock.advance(seconds=60)
    resume_all(joined.world.service)
    assert status(joined, operation_id)["status"] == outcome
    assert joined.record(made)["points"] == (15 if is_done else 10)


def test_the_sweep_leaves_open_what_passkit_does_not_tell(joined: Joined) -> None:
    made = joined.make(points=10)
    lose_answer(joined)
    operation_id = add(joined, made).get_json()["operation_id"]
    for fault in ({"status": 503}, {"status": 401}, {"status": 400}):
        joined.fake.fail("status", "POST /members/program/list/events/{programId}", times=4, **fault)
        resume_all(joined.world.service)
        joined.fake.faults.clear()
        assert status(joined, operation_id)["status"] == "unknown"
    assert resume_all(joined.world.service) == 1
    assert joined.fake.effects(EARN, operation_id) == 1


def test_an_empty_list_of_events_is_no_proof(joined: Joined) -> None:
    """The balance says that the points were counted, so nothing is counted again."""
    made = joined.make(points=10)
    lose_answer(joined)
    operation_id = add(joined, made).get_json()["operation_id"]
    joined.fake.fail("empty", "POST /members/program/list/events/{programId}", times=2)
    joined.world.clock.advance(seconds=60)
    assert add(joined, made).get_json()["points"] == 15
    assert joined.fake.effects(EARN, operation_id) == 1


def test_a_webhook_that_came_first_does_not_hide_what_was_done(joined: Joined) -> None:
    """Decided anew on what is on record by then, the action would be refused although it was done."""
    made = joined.make("coupon")
    route = "PUT /coupon/singleUse/coupon/redeem"
    lose_answer(joined, route)
    body = {"pass_id": made["id"]}
    first = joined.act("redeem-pass", body, idempotency_key=KEY)
    assert first.status_code == 504
    from app.actions.elsewhere import refresh

    from app.model import Mode
    from app.store import passes

    service = joined.world.service
    with service.store.read() as connection:
        found = passes.get(connection, joined.world.account.id, Mode.TEST, made["id"])
    assert found is not None
    assert refresh(service, found[0])
    again = joined.act("redeem-pass", body, idempotency_key=KEY)
    assert (again.status_code, again.get_json()["status"]) == (200, "redeemed")
    assert joined.fake.effects(route, first.get_json()["operation_id"]) == 1
    assert joined.act("redeem-pass", body).get_json()["code"] == "already-redeemed"


def test_a_delayed_effect_is_waited_for(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    """PassKit does the work after we have hung up: "not there" is believed only after a minute."""
    monkeypatch.setattr("app.issuers.passkit.transport.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("app.issuers.passkit.transport.SHORTEST_TRY", 0.1)
    made = joined.make(points=10)
    joined.fake.fail("delay", EARN, effect="last", seconds=0.6)
    assert add(joined, made).status_code == 504
    assert add(joined, made).status_code == 504
    import time

    time.sleep(0.8)
    answer = add(joined, made)
    assert answer.get_json()["points"] == 15
    assert joined.record(made)["points"] == 15


def test_a_removed_connection_keeps_the_outcome_open(joined: Joined) -> None:
    made = joined.make(points=10)
    lose_answer(joined)
    operation_id = add(joined, made).get_json()["operation_id"]
    joined.world.request("DELETE", "/v1/issuer")
    assert add(joined, made).get_json()["code"] == "outcome-unknown"
    assert status(joined, operation_id)["status"] == "unknown"


def test_a_create_whose_answer_is_lost_is_found_by_its_external_id(joined: Joined) -> None:
    route = "POST /members/member"
    body = {"program_id": joined.program_id(), "points": 5}
    joined.fake.fail("reset", route, effect="first", times=1)
    answer = joined.act("create-pass", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["created"]) == (200, True)
    assert joined.fake.effects(route, f"passrail-{answer.get_json()['operation_id']}") == 1


def test_points_set_twice_is_set_once(joined: Joined) -> None:
    made = joined.make(points=10)
    lose_answer(joined, SET)
    body = {"pass_id": made["id"], "change": "set", "points": 7}
    answer = joined.act("update-points", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["points"]) == (200, 7)


def test_two_answers_that_cross_leave_the_later_balance_on_record(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's answer is written after the second one's: what is on record is what PassKit has."""
    from app.actions import stepwise

    made = joined.make(points=100)
    finish = stepwise._finish
    calls: list[int] = []

    def late(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            inner = joined.act("update-points", {"pass_id": made["id"], "change": "add", "points": 7})
            assert (inner.get_json()["points"], inner.get_json()["points_before"]) == (112, 105)
        return finish(*arguments)

    monkeypatch.setattr(stepwise, "_finish", late)
    outer = add(joined, made)
    assert (outer.get_json()["points"], outer.get_json()["points_before"]) == (105, 100)
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 112
    assert joined.record(made)["points"] == 112


def test_tier_ids_stay(joined: Joined) -> None:
    made = joined.make()
    lose_answer(joined, "PUT /members/member/tier")
    body = {"pass_id": made["id"], "tier_id": seed.GOLD}
    answer = joined.act("change-tier", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["tier_id"]) == (200, seed.GOLD)
