"""Reinstate pass: undo a revoke, or give an expired pass a new expiry."""

from __future__ import annotations

import pytest

from tests.actions.checks import differing, done, refused, unchanged, with_event
from tests.world import COUPON, MEMBERSHIP, World


def test_undoing_a_revoke_brings_back_exactly_what_was_there(any_world: World) -> None:
    made = any_world.make_pass(external_id="a", email="ada@example.com", points=5, expires_at="2027-12-31")
    done(any_world, "revoke-pass", {"pass_id": made["id"]})
    any_world.clock.advance(hours=1)
    body = {"pass_id": made["id"], "reason": "Refund was a mistake"}
    answer, data = with_event(any_world, "pass.reinstated", "reinstate-pass", body)
    assert differing(made, answer) == {"updated_at"}
    assert answer["status"] == "active"
    assert data == {**answer, "reason": "Refund was a mistake"}


def test_a_revoked_coupon_that_was_redeemed_is_redeemed_again(world: World) -> None:
    made = world.make_pass(COUPON)
    done(world, "redeem-pass", {"pass_id": made["id"]})
    done(world, "revoke-pass", {"pass_id": made["id"]})
    assert done(world, "reinstate-pass", {"pass_id": made["id"]})["status"] == "redeemed"


def test_an_expired_pass_becomes_valid_with_a_new_expiry(world: World) -> None:
    made = world.make_pass(expires_at="2026-11-19")
    assert made["status"] == "expired"
    body = {"pass_id": made["id"], "expires_at": "2027-11-19"}
    answer, data = with_event(world, "pass.reinstated", "reinstate-pass", body)
    assert (answer["status"], answer["expires_at"]) == ("active", "2027-11-19T23:59:59.000Z")
    assert data["expires_at"] == answer["expires_at"]


def test_an_expired_pass_becomes_valid_for_ever_with_null(world: World) -> None:
    made = world.make_pass(expires_at="2026-11-19")
    answer = done(world, "reinstate-pass", {"pass_id": made["id"], "expires_at": None})
    assert (answer["status"], answer["expires_at"]) == ("active", None)


def test_an_expired_pass_without_new_expiry_stays_expired(world: World) -> None:
    made = world.make_pass(expires_at="2026-11-19")
    problem = refused(world, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert "expired on 2026-11-19T23:59:59.000Z. Give a new expires_at" in problem["detail"]


@pytest.mark.parametrize("expires_at", ["2026-11-20T09:30:00Z", "2020-01-01"])
@pytest.mark.parametrize("revoked", [False, True])
def test_a_new_expiry_must_be_in_the_future(shared_world: World, expires_at: str, revoked: bool) -> None:
    made = shared_world.make_pass(expires_at="2026-11-19")
    if revoked:
        done(shared_world, "revoke-pass", {"pass_id": made["id"]})
    body = {"pass_id": made["id"], "expires_at": expires_at}
    problem = refused(shared_world, "reinstate-pass", body, 422, "validation-failed")
    assert problem["errors"][0]["field"] == "expires_at"


def test_a_pass_that_expired_while_it_was_revoked_needs_a_new_expiry(world: World) -> None:
    made = world.make_pass(expires_at="2026-11-21")
    done(world, "revoke-pass", {"pass_id": made["id"]})
    world.clock.advance(days=7)
    refused(world, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    answer = done(world, "reinstate-pass", {"pass_id": made["id"], "expires_at": "2027-01-01"})
    assert (answer["status"], answer["expires_at"]) == ("active", "2027-01-01T23:59:59.000Z")


def test_undoing_a_revoke_can_give_a_new_expiry_too(world: World) -> None:
    made = world.make_pass(MEMBERSHIP)
    done(world, "revoke-pass", {"pass_id": made["id"]})
    answer = done(world, "reinstate-pass", {"pass_id": made["id"], "expires_at": "2027-01-01"})
    assert (answer["status"], answer["expires_at"]) == ("active", "2027-01-01T23:59:59.000Z")


@pytest.mark.parametrize("more", [{}, {"expires_at": "2030-01-01"}, {"expires_at": None}])
def test_a_valid_pass_is_left_as_it_is(shared_world: World, more: dict[str, object]) -> None:
    made = shared_world.make_pass(expires_at="2027-12-31")
    answer = unchanged(shared_world, "reinstate-pass", {"pass_id": made["id"], **more})
    assert (answer["status"], answer["expires_at"]) == ("active", "2027-12-31T23:59:59.000Z")


def test_a_redeemed_coupon_does_not_come_back(world: World) -> None:
    made = world.make_pass(COUPON)
    done(world, "redeem-pass", {"pass_id": made["id"]})
    problem = refused(world, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert problem["detail"] == "This coupon was redeemed. Create a new one instead."


def test_revoking_and_reinstating_in_turns_leaves_its_whole_history(world: World) -> None:
    made = world.make_pass()
    for _ in range(3):
        done(world, "revoke-pass", {"pass_id": made["id"]})
        done(world, "reinstate-pass", {"pass_id": made["id"]})
    history = world.get(f"/v1/passes/{made['id']}/history").get_json()["data"]
    assert [event["type"] for event in history] == ["pass.reinstated", "pass.revoked"] * 3 + ["pass.created"]
