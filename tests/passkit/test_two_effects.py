"""An action of two effects, as nobody has built one yet: each is there once and told once, wherever it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest

from app.actions import update_points
from app.effects import AddPoints, ChangeTier
from app.errors import IdempotencyKeyReused, OutcomeUnknown, PassrailError, UpstreamRejected
from app.operations import steps
from app.operations.action import Decision
from app.operations.record import Request
from app.operations.repeats import digest_of, fingerprint_of
from app.operations.resume import resume_all
from app.operations.runner import run
from app.store.tables import operations
from tests.fakes.passkit import seed
from tests.passkit.conftest import Joined, our_id, passkit_of
from tests.passkit.test_unclear import EARN, EVENTS, MEMBER, lose_answer
from tests.world import BRONZE, GOLD, World

TIER = "PUT /members/member/tier"
EFFECTS = [{"effect": "add_points", "is_done": True}, {"effect": "change_tier", "is_done": False}]


def reward(world: World, made: dict[str, Any], key: str | None = "k-1", *, points: int = 5) -> dict[str, Any]:
    """Add points and move to Gold: one request, two effects."""
    effects = AddPoints(points=Decimal(points)), ChangeTier(tier_id=seed.GOLD if is_at_passkit(made) else GOLD)
    action = replace(update_points.ACTION, name="reward", decide=lambda case: Decision(effects))
    caller = world.service.keys.verify(world.key)
    data = {"pass_id": made["id"]}
    digest = None if key is None else digest_of(world.service, caller.account_id, caller.mode, action.name, key)
    request = Request(world.service, caller, action, data, digest, fingerprint_of({**data, "points": points}))
    answer: dict[str, Any] = json.loads(run(request).body)
    return answer


def is_at_passkit(made: dict[str, Any]) -> bool:
    return bool(made["issuer"] == "passkit")


@pytest.fixture
def made(joined: Joined) -> dict[str, Any]:
    """A member with ten points on Bronze."""
    passkit_of(joined.world).pool.sleep = lambda seconds: None
    member = joined.make(points=10)
    joined.routes()
    return member


def types(world: World) -> list[str]:
    """Return the types of what happened after the pass was made, oldest first."""
    return [one["type"] for one in reversed(world.events())][1:]


def operation(joined: Joined, error: PassrailError) -> dict[str, Any]:
    found: dict[str, Any] = joined.world.get(f"/v1/operations/{error.extra['operation_id']}").get_json()
    return found


def counted(joined: Joined) -> tuple[int, int]:
    """Return how often PassKit has done each of the two, by our IDs of them."""
    first, second = (our_id(joined, "reward", "k-1", place) for place in (0, 1))
    return joined.fake.effects(EARN, first), joined.fake.effects(TIER, second)


def is_rewarded(joined: Joined, made: dict[str, Any]) -> bool:
    """Tell whether both are there, at PassKit and on record, each done and told once."""
    record, found = joined.record(made), joined.world.get(f"/v1/passes/{made['id']}").get_json()
    return (
        (record["points"], record["tierId"]) == (15, seed.GOLD)
        and (found["points"], found["tier_id"]) == (15, seed.GOLD)
        and counted(joined) == (1, 1)
        and types(joined.world) == ["points.changed", "tier.changed"]
    )


def test_both_are_done_and_told(joined: Joined, made: dict[str, Any]) -> None:
    answer = reward(joined.world, made)
    assert (answer["points"], answer["points_before"], answer["points_change"]) == (15, 10, 5)
    assert (answer["tier_id"], answer["tier_before"]) == (seed.GOLD, seed.BRONZE)
    assert joined.routes() == [MEMBER, EARN, TIER]
    assert is_rewarded(joined, made)
    tier, points = joined.world.events()[:2]
    assert (points["data"]["points"], points["data"]["tier_id"]) == (15, seed.BRONZE)
    assert (tier["data"]["points"], tier["data"]["tier_id"]) == (15, seed.GOLD)
    assert {one["data"]["operation_id"] for one in (tier, points)} == {answer["operation_id"]}
    assert reward(joined.world, made) == answer
    assert joined.routes() == []


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("by", ["repeat", "sweep"])
def test_what_stayed_unknown_is_gone_on_with_until_both_are_there(
    joined: Joined, made: dict[str, Any], place: int, by: str, is_done: bool
) -> None:
    lose_answer(joined, (EARN, TIER)[place], is_done=is_done)
    joined.fake.fail("delay", MEMBER, effect="first")  # the look before anything is decided goes well
    for route in (EVENTS, MEMBER):
        joined.fake.fail("status", route, status=503, times=1000)
    with pytest.raises(OutcomeUnknown) as unknown:
        reward(joined.world, made)
    joined.fake.faults.clear()
    left = operation(joined, unknown.value)
    assert left["status"] == "unknown"
    assert [one["is_done"] for one in left["effects"]] == [place == 1, False]
    assert types(joined.world) == ["points.changed"][:place]
    joined.world.clock.advance(seconds=61)
    if by == "sweep":
        assert resume_all(joined.world.service) == 1
    answer = reward(joined.world, made)
    assert (answer["points_before"], answer["tier_before"]) == (10, seed.BRONZE)
    assert answer["operation_id"] == left["id"]
    assert is_rewarded(joined, made)


def tier_is_gone(joined: Joined) -> Callable[[], Any]:
    """Take the tier away at PassKit; return what gives it back."""
    name = f"{seed.PROGRAM}/{seed.GOLD}"
    gold = joined.fake.state.tiers.get(name)
    joined.fake.state.tiers.remove(name)
    assert gold is not None
    return lambda: joined.fake.state.tiers.add(name, gold)


def test_what_was_done_before_a_refusal_is_told_and_the_same_key_goes_on_after_it(
    joined: Joined, made: dict[str, Any]
) -> None:
    give_back = tier_is_gone(joined)
    for _ in range(2):
        with pytest.raises(UpstreamRejected, match="does not have this tier any more") as refusal:
            reward(joined.world, made)
        assert "Done before that: add points. The same request goes on after it." in refusal.value.detail
        left = operation(joined, refusal.value)
        assert (left["status"], left["problem"]["code"]) == ("failed", "upstream-rejected")
        assert (left["has_key"], left["effects"]) == (True, EFFECTS)
        assert types(joined.world) == ["points.changed"]
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 15
    with pytest.raises(IdempotencyKeyReused):
        reward(joined.world, made, points=6)
    joined.world.clock.advance(hours=5)
    assert resume_all(joined.world.service) == 0
    give_back()
    joined.routes()
    answer = reward(joined.world, made)
    assert joined.routes() == [TIER]
    assert (answer["points_before"], answer["points_change"], answer["tier_before"]) == (10, 5, seed.BRONZE)
    assert answer["operation_id"] == left["id"]
    assert is_rewarded(joined, made)


def test_without_a_key_what_was_done_before_a_refusal_is_told_and_kept(joined: Joined, made: dict[str, Any]) -> None:
    tier_is_gone(joined)
    with pytest.raises(UpstreamRejected) as refusal:
        reward(joined.world, made, key=None)
    assert "Done before that: add points." in refusal.value.detail
    left = operation(joined, refusal.value)
    assert (left["status"], left["effects"]) == ("failed", EFFECTS)
    assert types(joined.world) == ["points.changed"]


@pytest.mark.parametrize("by", ["repeat", "sweep"])
def test_after_a_crash_between_the_two_the_first_is_not_done_again(
    joined: Joined, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    perform = steps.perform

    def dies_at_the_second(issuer: Any, effect: Any, step: Any) -> Any:
        if isinstance(effect, ChangeTier):
            raise KeyboardInterrupt
        return perform(issuer, effect, step)

    with monkeypatch.context() as patched:
        patched.setattr(steps, "perform", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            reward(joined.world, made)
    joined.world.clock.advance(minutes=5)
    if by == "sweep":
        assert resume_all(joined.world.service) == 1
    reward(joined.world, made)
    assert is_rewarded(joined, made)


def test_in_our_own_database_both_are_one_transaction(lonely: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lonely.make_pass(external_id="c-1", points=10)
    write = Mock(wraps=lonely.service.store.write)
    monkeypatch.setattr(lonely.service.store, "write", write)
    answer = reward(lonely, made)
    assert write.call_count == 1
    assert (answer["points"], answer["points_before"], answer["points_change"]) == (15, 10, 5)
    assert (answer["tier_id"], answer["tier_before"]) == (GOLD, BRONZE)
    assert reward(lonely, made) == answer
    assert types(lonely) == ["points.changed", "tier.changed"]
    times = [one["timestamp"] for one in lonely.events()[:2]]
    assert times[0] > times[1]
    with lonely.service.store.read() as connection:
        kept = connection.execute(operations.select().where(operations.c.action == "reward")).all()
    assert [(one.status, one.request) for one in kept] == [("succeeded", None)]
