"""Answers of PassKit that got lost: looked into at once, by a repeat, by the sweep or by a person; and done once."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from app.model import Mode
from app.operations import outcomes
from app.operations.resume import resume_all
from app.store import passes
from app.store.troubles import Kind
from app.sweeps import park
from app.sync.refresh import refresh
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, our_id, passkit_of, upstream_id
from tests.world import World

EARN = "PUT /members/member/points/earn"
SET = "PUT /members/member/points/set"
EVENTS = "POST /members/program/list/events/{programId}"
ENROL = "POST /members/member"
BY_EXTERNAL_ID = "GET /members/member/externalId/{programId}/{externalId}"
MEMBER = "GET /members/member/id/{id}"
KEY = "k-1"


@pytest.fixture(autouse=True)
def impatient(lonely: World) -> None:
    passkit_of(lonely).pool.sleep = lambda seconds: None


def status(joined: Joined, operation_id: str) -> dict[str, Any]:
    found: dict[str, Any] = joined.world.get(f"/v1/operations/{operation_id}").get_json()
    return found


def add(joined: Joined, made: dict[str, Any], key: str | None = KEY, points: int = 5) -> Any:
    body = {"pass_id": made["id"], "change": "add", "points": points}
    return joined.act("update-points", body, idempotency_key=key)


def counted(joined: Joined, key: str = KEY) -> int:
    """Return how often PassKit has counted the points of this key."""
    return joined.fake.effects(EARN, our_id(joined, "update-points", key))


def lose_answer(joined: Joined, route: str = EARN, *, is_done: bool = True) -> None:
    joined.fake.fail("reset", route, effect="first" if is_done else "never")


def go_away(joined: Joined) -> None:
    """Let PassKit tell nothing about members and their events, until `faults.clear()`."""
    for route in (EVENTS, MEMBER):
        joined.fake.fail("status", route, status=503, times=1000)


def leave_unknown(joined: Joined, made: dict[str, Any], *, is_done: bool = True, key: str | None = KEY) -> str:
    """Add points so that nobody can tell what became of it; return the operation's ID."""
    lose_answer(joined, is_done=is_done)
    go_away(joined)
    answer = add(joined, made, key)
    joined.fake.faults.clear()
    assert (answer.status_code, answer.get_json()["code"]) == (504, "outcome-unknown")
    return str(answer.get_json()["operation_id"])


def test_a_lost_answer_is_looked_into_at_once(joined: Joined) -> None:
    made = joined.make(points=10)
    lose_answer(joined)
    answer = add(joined, made)
    assert (answer.status_code, answer.get_json()["points"], answer.get_json()["points_before"]) == (200, 15, 10)
    assert counted(joined) == 1


@pytest.mark.parametrize("is_done", [True, False])
def test_the_same_key_finds_out_and_finishes(joined: Joined, is_done: bool) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made, is_done=is_done)
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
    assert counted(joined) == 1
    assert joined.record(made)["points"] == 15
    assert len(joined.world.events(type="points.changed")) == 1


@pytest.mark.parametrize("is_done", [True, False])
def test_the_sweep_finishes_what_nobody_asks_for_again(joined: Joined, is_done: bool) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made, is_done=is_done)
    joined.world.clock.advance(seconds=60)
    assert resume_all(joined.world.service) == 1
    assert status(joined, operation_id)["status"] == "succeeded"
    assert joined.record(made)["points"] == 15
    assert resume_all(joined.world.service) == 0
    replay = add(joined, made)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert counted(joined) == 1


@pytest.mark.parametrize(("is_done", "outcome"), [(True, "succeeded"), (False, "failed")])
def test_without_a_key_what_was_not_done_is_not_done_late(joined: Joined, is_done: bool, outcome: str) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made, is_done=is_done, key=None)
    joined.world.clock.advance(seconds=60)
    resume_all(joined.world.service)
    assert status(joined, operation_id)["status"] == outcome
    assert joined.record(made)["points"] == (15 if is_done else 10)


def test_what_stays_unknown_is_looked_into_ever_more_rarely_and_after_a_day_waits_for_a_person(joined: Joined) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made)
    go_away(joined)
    pauses, minutes = [], 0
    while not status(joined, operation_id)["is_parked"]:
        assert minutes < 2000
        before = len(joined.fake.requests)
        resume_all(joined.world.service)
        if len(joined.fake.requests) > before:
            pauses.append(minutes)
        joined.world.clock.advance(minutes=1)
        minutes += 1
    gaps = [later - earlier for earlier, later in pairwise(pauses)]
    assert gaps[:7] == [2, 4, 8, 16, 32, 64, 128]
    assert set(gaps[7:]) == {180}
    assert 24 * 60 <= minutes <= 28 * 60
    joined.fake.recording.requests.clear()
    joined.world.clock.advance(days=3)
    assert resume_all(joined.world.service) == 0
    assert joined.routes() == []
    joined.fake.faults.clear()
    # A repeat of the request still finds out.
    assert add(joined, made).get_json()["points"] == 15
    assert status(joined, operation_id)["is_parked"] is False
    assert counted(joined) == 1


@pytest.mark.parametrize("happened", [True, False])
def test_a_person_settles_what_nobody_can_find_out(joined: Joined, happened: bool) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made, is_done=happened)
    answer = joined.world.request("POST", f"/v1/operations/{operation_id}/resolve", json={"happened": happened})
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert told["status"] == ("succeeded" if happened else "failed")
    assert (told["resolution"]["happened"], told["resolution"]["by"][:4]) == (happened, "key_")
    again = add(joined, made)
    assert again.get_json()["points"] == 15
    assert (again.headers.get("Idempotent-Replayed") == "true") is happened
    assert counted(joined) == 1
    assert [one["data"]["points_before"] for one in joined.world.events(type="points.changed")] == [10]
    second = joined.world.request("POST", f"/v1/operations/{operation_id}/resolve", json={"happened": happened})
    assert (second.status_code, second.get_json()["code"]) == (422, "not-applicable")


def resolve(joined: Joined, operation_id: str, *, happened: bool) -> tuple[int, str]:
    """Say what happened; return the status of the answer, and its code or the operation's status."""
    answer = joined.world.request("POST", f"/v1/operations/{operation_id}/resolve", json={"happened": happened})
    told = answer.get_json()
    return answer.status_code, told["code"] if answer.status_code >= 400 else told["status"]


def test_what_cannot_be_resolved_now_stays_as_it_was_and_can_be_resolved_at_once_when_passkit_is_back(
    joined: Joined,
) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made)
    park(joined.world.service, Kind.OPERATION, operation_id, "Nobody can tell.")
    before = status(joined, operation_id)
    go_away(joined)
    assert resolve(joined, operation_id, happened=True) == (503, "upstream-unavailable")
    assert status(joined, operation_id) == before
    assert (before["status"], before["is_parked"], before["resolution"]) == ("unknown", True, None)
    joined.fake.faults.clear()
    assert resolve(joined, operation_id, happened=True) == (200, "succeeded")
    assert status(joined, operation_id)["is_parked"] is False
    assert joined.record(made)["points"] == 15


def test_a_pass_that_passkit_does_not_have_was_not_made_whoever_says_so(joined: Joined) -> None:
    lose_answer(joined, ENROL, is_done=False)
    joined.fake.fail("status", BY_EXTERNAL_ID, status=503, times=1000)
    body = {"program_id": joined.program_id(), "external_id": "customer-7"}
    operation_id = joined.act("create-pass", body, idempotency_key=KEY).get_json()["operation_id"]
    joined.fake.faults.clear()
    before = status(joined, operation_id)
    assert before["status"] == "unknown"
    assert resolve(joined, operation_id, happened=True) == (422, "not-applicable")
    assert status(joined, operation_id) == before
    assert resolve(joined, operation_id, happened=False) == (200, "failed")
    again = joined.act("create-pass", body, idempotency_key=KEY)
    assert (again.status_code, again.get_json()["created"]) == (200, True)


def test_another_accounts_operation_cannot_be_resolved(joined: Joined) -> None:
    operation_id = leave_unknown(joined, joined.make(points=10))
    for key in (joined.world.make_key(account="other"), joined.world.make_key(mode=Mode.LIVE)):
        path = f"/v1/operations/{operation_id}/resolve"
        assert joined.world.request("POST", path, json={"happened": True}, key=key).status_code == 404
    assert status(joined, operation_id)["status"] == "unknown"


# --- lists that lie, and other writers ---


def hide_all_events(joined: Joined) -> None:
    joined.fake.switches.list_no_events = True


def keep_no_events(joined: Joined) -> None:
    joined.fake.switches.event_types_not_kept = ["EVENT_MEMBER_POINTS_EARNED"]


def lose_the_last_line(joined: Joined) -> None:
    joined.fake.switches.lose_last_event = True


def list_few(joined: Joined) -> None:
    joined.fake.switches.most_events_listed = 1


def list_late(joined: Joined) -> None:
    joined.fake.switches.seconds_until_events_are_listed = 3600


LIARS = [hide_all_events, keep_no_events, lose_the_last_line, list_few, list_late]


@pytest.mark.parametrize("lie", LIARS)
@pytest.mark.parametrize("is_done", [True, False])
def test_a_list_of_events_that_lies_never_makes_anything_count_twice(
    joined: Joined, lie: Callable[[Joined], None], is_done: bool
) -> None:
    """The member was checked in, too: an event of another kind, which says nothing about points."""
    made = joined.make(points=10)
    checked = {"memberId": upstream_id(made), "programId": seed.PROGRAM}
    Client(joined.fake).right("POST", "/members/member/checkIn", checked)
    lie(joined)
    lose_answer(joined, is_done=is_done)
    answer = add(joined, made)
    if not is_done:
        assert answer.get_json()["code"] == "outcome-unknown"
        joined.world.clock.advance(seconds=61)
        answer = add(joined, made)
    assert (answer.status_code, answer.get_json()["points"]) == (200, 15), answer.text
    assert joined.record(made)["points"] == 15
    assert counted(joined) == 1


@pytest.mark.parametrize("is_done", [True, False])
def test_who_else_changed_the_balance_meanwhile_makes_it_unknown_and_never_double(
    joined: Joined, is_done: bool
) -> None:
    """Without our event the balance could be our doing or theirs."""
    made = joined.make(points=10)
    lose_answer(joined, is_done=is_done)
    go_away(joined)
    assert add(joined, made).get_json()["code"] == "outcome-unknown"
    joined.fake.faults.clear()
    Client(joined.fake).right("PUT", "/members/member/points/burn", {"id": upstream_id(made), "points": 5})
    joined.fake.switches.event_types_not_kept = ["EVENT_MEMBER_POINTS_EARNED"]
    for _ in range(3):
        joined.world.clock.advance(minutes=5)
        assert add(joined, made).get_json()["code"] == "outcome-unknown"
    assert counted(joined) == int(is_done)


def test_an_event_under_our_id_with_another_amount_is_told_as_it_was_counted(joined: Joined) -> None:
    """The first request was refused in words we do not know, and came true later than we could see."""
    made = joined.make(points=10)
    joined.fake.fail("status", EARN, status=500, body='{"error":"runtime error"}', effect="never")
    assert add(joined, made, points=5).get_json()["code"] == "upstream-rejected"
    late = {
        "id": upstream_id(made),
        "points": 5,
        "eventDetails": {
            "externalEventId": our_id(joined, "update-points", KEY),
            "metaData": {"passrail_points": "5.00"},
        },
    }
    Client(joined.fake).right("PUT", "/members/member/points/earn", late)
    answer = add(joined, made, points=7)
    told = answer.get_json()
    assert (answer.status_code, told["points"], told["points_change"]) == (200, 15, 5), answer.text
    assert len(told["notes"]) == 1
    assert counted(joined) == 1
    assert joined.record(made)["points"] == 15


def test_a_refusal_in_words_we_do_not_know_frees_the_key_and_a_repeat_looks_first(joined: Joined) -> None:
    made = joined.make(points=10)
    body = '{"error":"runtime error: index out of range"}'
    joined.fake.fail("status", EARN, status=500, body=body, effect="never")
    first = add(joined, made)
    assert (first.status_code, first.get_json()["code"]) == (422, "upstream-rejected")
    assert "index out of range" in first.get_json()["detail"]
    joined.routes()
    other = add(joined, made, points=7)
    assert (other.status_code, other.get_json().get("points")) == (200, 17), other.text
    asked = joined.routes()
    assert asked.index(EVENTS) < asked.index(EARN)
    assert joined.record(made)["points"] == 17


def test_a_member_deleted_in_the_portal_ends_the_operation(joined: Joined) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made)
    Client(joined.fake).right("DELETE", "/members/member", {"id": upstream_id(made)})
    joined.world.clock.advance(minutes=2)
    assert resume_all(joined.world.service) == 1
    assert status(joined, operation_id)["status"] == "failed"
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["status"] == "revoked"
    again = joined.make(points=1)
    assert again["id"] != made["id"]


# --- other writes ---


def test_a_webhook_that_came_first_does_not_hide_what_was_done(joined: Joined) -> None:
    """Decided anew on what is on record by then, the action would be refused although it was done."""
    made = joined.make("coupon")
    route = "PUT /coupon/singleUse/coupon/redeem"
    lose_answer(joined, route)
    joined.fake.fail("status", "GET /coupon/singleUse/coupon/{id}", status=503, times=100)
    body = {"pass_id": made["id"]}
    first = joined.act("redeem-pass", body, idempotency_key=KEY)
    assert first.status_code == 504
    joined.fake.faults.clear()
    service = joined.world.service
    with service.store.read() as connection:
        found = passes.get(connection, joined.world.account.id, Mode.TEST, made["id"])
    assert found is not None
    refresh(service, found[0])
    again = joined.act("redeem-pass", body, idempotency_key=KEY)
    assert (again.status_code, again.get_json()["status"]) == (200, "redeemed")
    assert joined.fake.effects(route, upstream_id(made)) == 1
    assert len(joined.world.events(type="pass.redeemed")) == 1
    assert joined.act("redeem-pass", body).get_json()["code"] == "already-redeemed"


def test_a_delayed_effect_is_waited_for(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    """PassKit does the work after we have hung up: "not there" is believed only after a minute."""
    monkeypatch.setattr("app.issuers.passkit.transport.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("app.issuers.passkit.transport.SHORTEST_TRY", 0.1)
    made = joined.make(points=10)
    joined.fake.fail("delay", EARN, effect="last", seconds=0.6)
    assert add(joined, made).status_code == 504
    assert add(joined, made).status_code == 504
    time.sleep(0.8)  # the fake's own time, in which it does what was asked
    answer = add(joined, made)
    assert answer.get_json()["points"] == 15
    assert joined.record(made)["points"] == 15


def test_a_removed_connection_keeps_the_outcome_open(joined: Joined) -> None:
    made = joined.make(points=10)
    operation_id = leave_unknown(joined, made)
    joined.world.request("DELETE", "/v1/issuer")
    assert add(joined, made).get_json()["code"] == "outcome-unknown"
    assert status(joined, operation_id)["status"] == "unknown"


def test_a_create_whose_answer_is_lost_is_found_by_its_external_id(joined: Joined) -> None:
    route = "POST /members/member"
    body = {"program_id": joined.program_id(), "points": 5}
    joined.fake.fail("reset", route, effect="first", times=1)
    answer = joined.act("create-pass", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["created"]) == (200, True)
    own = our_id(joined, "create-pass", KEY)
    assert joined.fake.effects(route, f"passrail-{own}") == 1


def test_a_clock_that_is_wrong_does_not_make_our_own_pass_somebody_elses(joined: Joined) -> None:
    joined.fake.switches.clock_offset = -600.0
    joined.fake.advance(seconds=-600)
    joined.make()  # an answer tells PassKit's time
    joined.fake.fail("reset", "POST /members/member", effect="first", times=1)
    body = {"program_id": joined.program_id(), "external_id": "c-1"}
    assert joined.act("create-pass", body, idempotency_key=KEY).get_json()["created"] is True


def test_points_set_twice_is_set_once(joined: Joined) -> None:
    made = joined.make(points=10)
    lose_answer(joined, SET)
    body = {"pass_id": made["id"], "change": "set", "points": 7}
    answer = joined.act("update-points", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["points"]) == (200, 7)
    assert joined.fake.doubles == {}


def test_set_and_tier_tell_what_was_before_at_passkit(joined: Joined) -> None:
    made = joined.make(points=10)
    Client(joined.fake).right("PUT", "/members/member/points/set", {"id": upstream_id(made), "points": 500})
    moved = {"memberId": upstream_id(made), "programId": seed.PROGRAM, "tierId": seed.SILVER}
    Client(joined.fake).right("PUT", "/members/member/tier", moved)
    body = {"pass_id": made["id"], "change": "set", "points": 20}
    told = joined.act("update-points", body).get_json()
    assert (told["points_before"], told["points_change"]) == (500, -480)
    told = joined.act("change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD}).get_json()
    assert told["tier_before"] == seed.SILVER


def test_two_answers_that_cross_leave_the_later_balance_on_record(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's answer is written after the second one's: what is on record is what PassKit has."""
    made = joined.make(points=100)
    record = outcomes._record
    calls: list[int] = []

    def late(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            inner = joined.act("update-points", {"pass_id": made["id"], "change": "add", "points": 7})
            assert (inner.get_json()["points"], inner.get_json()["points_before"]) == (112, 105)
        return record(*arguments)

    monkeypatch.setattr(outcomes, "_record", late)
    told = add(joined, made).get_json()
    # The balance is the one that is true now, what was before and what was added are the request's own.
    assert (told["points"], told["points_before"], told["points_change"]) == (112, 100, 5)
    newest = max(joined.world.events(type="points.changed"), key=lambda one: str(one["timestamp"]))
    assert newest["data"]["points"] == 112
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 112
    assert joined.record(made)["points"] == 112


def test_tier_ids_stay(joined: Joined) -> None:
    made = joined.make()
    lose_answer(joined, "PUT /members/member/tier")
    body = {"pass_id": made["id"], "tier_id": seed.GOLD}
    answer = joined.act("change-tier", body, idempotency_key=KEY)
    assert (answer.status_code, answer.get_json()["tier_id"]) == (200, seed.GOLD)
    assert joined.fake.doubles == {}
