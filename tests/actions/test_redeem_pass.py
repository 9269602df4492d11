"""Redeem pass: coupons and tickets, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.actions.checks import done, refused, with_event, wrong_fields
from tests.world import COUPON, MEMBERSHIP, TICKET, World


def test_a_coupon_or_ticket_is_redeemed_and_says_what_for(world: World) -> None:
    for program_id in (COUPON, TICKET):
        made = world.make_pass(program_id, external_id="order-1")
        world.clock.advance(hours=1)
        body = {"pass_id": made["id"], "reference": "receipt-77", "amount": "49.90"}
        answer, data = with_event(world, "pass.redeemed", "redeem-pass", body)
        assert (answer["status"], answer["redeemed_at"]) == ("redeemed", answer["updated_at"])
        assert answer["updated_at"] == world.clock.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert (answer["reference"], answer["amount"]) == ("receipt-77", 49.9)
        assert data == answer
        assert world.get(f"/v1/passes/{made['id']}").get_json()["status"] == "redeemed"


def test_reference_and_amount_are_null_when_not_given(world: World) -> None:
    made = world.make_pass(COUPON)
    answer = done(world, "redeem-pass", {"pass_id": made["id"]})
    assert (answer["reference"], answer["amount"]) == (None, None)


def test_a_second_redemption_is_refused_and_says_when_the_first_was(world: World) -> None:
    made = world.make_pass(COUPON)
    world.clock.advance(minutes=1)
    done(world, "redeem-pass", {"pass_id": made["id"], "reference": "receipt-77"})
    world.clock.advance(days=1)
    problem = refused(world, "redeem-pass", {"pass_id": made["id"]}, 409, "already-redeemed")
    assert problem["redeemed_at"] == "2026-11-20T09:31:00.000Z"
    assert "2026-11-20T09:31:00.000Z" in problem["detail"]
    assert problem["retryable"] is False


def test_of_many_redemptions_at_once_one_succeeds(any_world: World) -> None:
    made = any_world.make_pass(TICKET)

    def redeem(number: int) -> int:
        headers = {"Authorization": f"Bearer {any_world.key}"}
        body = {"pass_id": made["id"], "reference": f"gate-{number}"}
        answer = any_world.app.test_client().post("/v1/actions/redeem-pass", json=body, headers=headers)
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(redeem, range(16)))
    assert statuses == [200] + [409] * 15
    assert len(any_world.events(type="pass.redeemed")) == 1


def test_a_membership_is_not_redeemed(world: World) -> None:
    made = world.make_pass(MEMBERSHIP)
    problem = refused(world, "redeem-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert problem["detail"] == "This pass is a membership. Only coupons and event tickets are redeemed."


def test_an_expired_coupon_is_not_redeemed(world: World) -> None:
    made = world.make_pass(COUPON, expires_at="2026-11-20T10:00:00Z")
    world.clock.advance(minutes=30)
    problem = refused(world, "redeem-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert "expired on 2026-11-20T10:00:00.000Z" in problem["detail"]


def test_a_coupon_is_redeemed_until_the_last_moment(world: World) -> None:
    made = world.make_pass(COUPON, expires_at="2026-11-20T10:00:00Z")
    world.clock.advance(minutes=29, seconds=59.999)
    assert done(world, "redeem-pass", {"pass_id": made["id"]})["status"] == "redeemed"


def test_a_redeemed_coupon_does_not_expire(world: World) -> None:
    made = world.make_pass(COUPON, expires_at="2026-11-20T10:00:00Z")
    done(world, "redeem-pass", {"pass_id": made["id"]})
    world.clock.advance(days=1)
    assert world.get(f"/v1/passes/{made['id']}").get_json()["status"] == "redeemed"
    refused(world, "redeem-pass", {"pass_id": made["id"]}, 409, "already-redeemed")


@pytest.mark.parametrize("permanent", [False, True])
def test_a_revoked_coupon_is_not_redeemed(shared_world: World, permanent: bool) -> None:
    made = shared_world.make_pass(COUPON)
    done(shared_world, "revoke-pass", {"pass_id": made["id"], "permanent": permanent})
    refused(shared_world, "redeem-pass", {"pass_id": made["id"]}, 422, "not-applicable")


@pytest.mark.parametrize(
    ("given", "told"),
    [("49.90", 49.9), (49.90, 49.9), (0, 0), ("12.3456", 12.3456), (100, 100), ("999999999.99", 999999999.99)],
)
def test_the_amount_is_exact(shared_world: World, given: Any, told: float) -> None:
    made = shared_world.make_pass(COUPON)
    answer = done(shared_world, "redeem-pass", {"pass_id": made["id"], "amount": given})
    assert repr(answer["amount"]) == repr(told)


@pytest.mark.parametrize("amount", [-1, "1,50", "12.34567", 1000000000, True, "", "1e3", "٣"])
def test_an_amount_that_is_none_is_refused(shared_world: World, amount: Any) -> None:
    made = shared_world.make_pass(COUPON)
    assert wrong_fields(shared_world, "redeem-pass", {"pass_id": made["id"], "amount": amount}) == ["amount"]
