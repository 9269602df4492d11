"""Points and tiers at PassKit: one request, or a refusal of our own before it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.effects import ChangeTier, SetPoints
from app.errors import InsufficientPoints, NotApplicable, UpstreamRejected, ValidationFailed
from app.model import Kind
from tests.fakes.passkit import seed
from tests.issuers.passkit.conftest import Account, add, done, refused

GET = "GET /members/member/id/{id}"
EARN, BURN, SET = (f"PUT /members/member/points/{verb}" for verb in ("earn", "burn", "set"))


def test_adding_is_one_request_and_the_balances_are_passkits(account: Account) -> None:
    made = account.make(points=Decimal(10))
    account.record(made)["points"] = 500.0
    outcome = done(account.do(add("5.5"), made, reason="Invoice 7"))
    assert account.routes() == [EARN]
    assert (outcome.before.points, outcome.after.points) == (Decimal(500), Decimal("505.5"))
    event = next(iter(account.fake.state.member_events))
    assert (event["externalId"], event["notes"]) == ("step-1", "Invoice 7")
    assert event["metaData"] == {"passrail_points": "5.5"}


def test_subtracting_is_one_request_where_the_tier_forbids_a_balance_below_zero(account: Account) -> None:
    made = account.make(points=Decimal(10))
    outcome = done(account.do(add("-4", floor="0"), made))
    assert account.routes() == [BURN]
    assert (outcome.before.points, outcome.after.points) == (Decimal(10), Decimal(6))


@pytest.fixture
def overdrawing(account: Account) -> Account:
    """The account, whose tier lets balances go below zero."""
    account.fake.state.tiers.get(f"{seed.PROGRAM}/{seed.BRONZE}")["pointsOverdrawn"] = True  # type: ignore[index]
    account.read_programs()
    return account


def test_a_tier_that_may_overdraw_is_looked_at_before_points_are_taken(overdrawing: Account) -> None:
    made = overdrawing.make(points=Decimal(100))
    overdrawing.record(made)["points"] = 3.0
    refusal = refused(overdrawing.do(add("-5", floor="0"), made), "has 3 points, 5 cannot be subtracted")
    assert isinstance(refusal.error, InsufficientPoints)
    assert overdrawing.routes() == [GET]
    outcome = done(overdrawing.do(add("-3", floor="0"), made))
    assert overdrawing.routes() == [GET, BURN]
    assert outcome.after.points == 0


def test_where_it_is_meant_a_balance_goes_below_zero_in_one_request(overdrawing: Account) -> None:
    made = overdrawing.make(points=Decimal(3))
    outcome = done(overdrawing.do(add("-5"), made))
    assert overdrawing.routes() == [BURN]
    assert outcome.after.points == -2


def test_where_the_tier_forbids_that_its_setting_is_named_and_nothing_is_sent(account: Account) -> None:
    made = account.make(points=Decimal(30))
    refusal = refused(account.do(add("-100"), made), "let the balance of the tier Bronze go below zero")
    assert (isinstance(refusal.error, InsufficientPoints), refusal.was_sent) == (True, False)
    assert account.routes() == [GET]


def test_points_that_our_record_does_not_know_of_may_be_taken(account: Account) -> None:
    made = account.make(points=Decimal(30))
    account.record(made)["points"] = 500.0
    assert done(account.do(add("-100"), made)).after.points == 400


@pytest.mark.parametrize("status", [400, 500])
def test_too_few_points_at_passkit_is_no_question(account: Account, status: int) -> None:
    account.fake.switches.overdrawn_status = status
    made = account.make(points=Decimal(3))
    refusal = refused(account.do(add("-5", floor="0"), replace(made, points=Decimal(90))), "too few points at PassKit")
    assert isinstance(refusal.error, InsufficientPoints)
    assert account.routes() == [BURN]


@pytest.mark.parametrize("points", ["16777217", "1234567.89"])
def test_a_balance_that_float32_would_change_is_refused_before_it_is_sent(account: Account, points: str) -> None:
    refusal = refused(account.do(add(points), account.make()), "points")
    assert isinstance(refusal.error, ValidationFailed)
    assert account.routes() == [GET]


def test_a_sum_that_float32_would_change_is_refused_too(account: Account) -> None:
    made = account.make(points=Decimal(1234567))
    refused(account.do(add("0.89"), made), "a balance of 1234567.89 would be changed")
    assert done(account.do(add("8.5"), made)).after.points == Decimal("1234575.5")


@pytest.mark.parametrize("points", ["7", "0"])
def test_a_balance_is_set_in_one_request(account: Account, points: str) -> None:
    made = account.make(points=Decimal(10))
    outcome = done(account.do(SetPoints(points=Decimal(points)), made))
    assert account.routes() == [SET]
    assert (outcome.before.points, outcome.after.points) == (Decimal(10), Decimal(points))
    assert account.record(made)["points"] == int(points)


def test_a_tier_is_changed_in_one_request(account: Account) -> None:
    made = account.make()
    outcome = done(account.do(ChangeTier(tier_id=seed.GOLD), made))
    assert account.routes() == ["PUT /members/member/tier"]
    assert (outcome.before.tier_id, outcome.after.tier_id) == (seed.BRONZE, seed.GOLD)
    assert account.record(made)["tierId"] == seed.GOLD


def test_a_tier_that_is_gone_is_named(account: Account) -> None:
    account.fake.state.tiers.remove(f"{seed.PROGRAM}/{seed.GOLD}")
    outcome = refused(account.do(ChangeTier(tier_id=seed.GOLD), account.make()), "does not have this tier any more")
    assert (isinstance(outcome.error, UpstreamRejected), outcome.is_gone) == (True, False)


def test_only_members_change_tiers(account: Account) -> None:
    made = account.make(Kind.COUPON)
    refusal = refused(account.do(ChangeTier(tier_id=seed.OFFER_FIXED), made), "cannot move a coupon")
    assert isinstance(refusal.error, NotApplicable)
