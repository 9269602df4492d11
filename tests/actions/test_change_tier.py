"""Change tier: to another tier of the pass's own program."""

from __future__ import annotations

import pytest

from tests.actions.checks import differing, done, refused, unchanged, with_event, wrong_fields
from tests.world import BRONZE, GOLD, SILVER, TICKET, World


def test_a_pass_moves_to_the_tier_and_says_where_it_was(world: World) -> None:
    made = world.make_pass()
    world.clock.advance(hours=1)
    body = {"pass_id": made["id"], "tier_id": GOLD, "reason": "Spent more than 1000"}
    answer, data = with_event(world, "tier.changed", "change-tier", body)
    assert (answer["tier_before"], answer["tier_id"], answer["tier_name"]) == (BRONZE, GOLD, "Gold")
    assert data == {**answer, "reason": "Spent more than 1000"}
    assert differing(made, answer) == {"tier_id", "tier_name", "updated_at"}
    assert world.get(f"/v1/passes/{made['id']}").get_json()["tier_id"] == GOLD


def test_the_same_tier_again_is_a_success_that_changes_nothing(world: World) -> None:
    made = world.make_pass(tier_id=SILVER)
    world.clock.advance(hours=1)
    answer = unchanged(world, "change-tier", {"pass_id": made["id"], "tier_id": SILVER})
    assert (answer["tier_before"], answer["tier_id"]) == (SILVER, SILVER)
    assert answer["updated_at"] == made["updated_at"]


def test_a_tier_of_another_program_is_refused_with_the_list_of_right_ones(world: World) -> None:
    made = world.make_pass(TICKET)
    body = {"pass_id": made["id"], "tier_id": GOLD}
    problem = refused(world, "change-tier", body, 422, "validation-failed")
    assert problem["errors"][0]["field"] == "tier_id"
    assert "tier_demo_standing (Standing), tier_demo_seated (Seated)" in problem["detail"]


def test_tickets_and_coupons_have_tiers_too(world: World) -> None:
    made = world.make_pass(TICKET)
    answer = done(world, "change-tier", {"pass_id": made["id"], "tier_id": "tier_demo_seated"})
    assert answer["tier_name"] == "Seated"


@pytest.mark.parametrize("permanent", [False, True])
def test_a_revoked_pass_keeps_its_tier(shared_world: World, permanent: bool) -> None:
    made = shared_world.make_pass()
    done(shared_world, "revoke-pass", {"pass_id": made["id"], "permanent": permanent})
    problem = refused(shared_world, "change-tier", {"pass_id": made["id"], "tier_id": GOLD}, 422, "not-applicable")
    assert ("permanently" in problem["detail"]) is permanent


def test_the_tier_must_be_given(world: World) -> None:
    made = world.make_pass()
    assert wrong_fields(world, "change-tier", {"pass_id": made["id"]}) == ["tier_id"]
    assert wrong_fields(world, "change-tier", {"pass_id": made["id"], "tier_id": "gold tier"}) == ["tier_id"]
    long_reason = {"pass_id": made["id"], "tier_id": GOLD, "reason": "x" * 201}
    assert wrong_fields(world, "change-tier", long_reason) == ["reason"]
