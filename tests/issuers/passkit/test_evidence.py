"""What PassKit's record says of an effect, where its lists of events do not tell everything."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.effects import ChangeTier, Redeem, SetPoints, UpdateHolder
from app.errors import AlreadyRedeemed
from app.issuers.protocol import Basis, Done, Exists, NotDone
from app.model import Kind, Pass
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.issuers.passkit.conftest import Account, add, done, later, refused, unclear

EARN = "PUT /members/member/points/earn"
EARNED = "EVENT_MEMBER_POINTS_EARNED"
LISTS: dict[str, dict[str, Any]] = {
    "all events": {},
    "this type is not kept": {"event_types_not_kept": [EARNED]},
    "no list at all": {"list_no_events": True},
    "the last line missing": {"lose_last_event": True},
    "events listed late": {"seconds_until_events_are_listed": 120.0},
    "three events at most": {"most_events_listed": 3},
}


def member_with_history(account: Account) -> Pass:
    """Make a member that has been there long before."""
    made = account.make(points=Decimal(10))
    passkit = Client(account.fake)
    for _ in range(5):
        passkit.right("POST", "/members/member/checkIn", {"memberId": made.upstream_id, "programId": seed.PROGRAM})
    account.clock.advance(hours=1)
    account.routes()
    return made


@pytest.mark.parametrize("switches", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("is_there", [True, False])
def test_points_are_counted_once_whatever_the_lists_of_events_tell(
    account: Account, switches: dict[str, Any], is_there: bool
) -> None:
    made = member_with_history(account)
    account.fake.switches.change(switches)
    account.fake.fail("reset", EARN, effect="first" if is_there else "never")
    unclear(account.do(add("5"), made))
    began_at = account.clock()
    account.clock.advance(seconds=62)
    outcome = account.settle(add("5"), made, began_at=began_at, tried_at=began_at)
    assert isinstance(outcome, Done if is_there else NotDone)
    assert account.record(made)["points"] == (15 if is_there else 10)


def test_a_list_that_fails_decides_nothing(account: Account) -> None:
    made = account.make(points=Decimal(10))
    account.fake.fail("reset", EARN, effect="first")
    unclear(account.do(add("5"), made))
    account.fake.fail("status", "POST /members/program/list/events/{programId}", status=400, text="no such filter")
    unclear(account.settle(add("5"), made, is_answered=True))


def test_points_that_others_give_meanwhile_are_told_apart(account: Account) -> None:
    """Others that are this service say how many; anybody else leaves it open."""
    made = account.make(points=Decimal(10))
    account.clock.advance(hours=1)
    done(account.do(add("3"), made, id="step-of-another"))
    assert isinstance(account.settle(add("5"), made, is_answered=True), NotDone)
    account.fake.fail("reset", EARN, effect="first")
    unclear(account.do(add("5"), made))
    account.fake.switches.lose_last_event = True  # it is not told by its own event
    found = done(account.settle(add("5"), made))
    assert (found.before.points, found.after.points) == (Decimal(13), Decimal(18))
    account.fake.switches.lose_last_event = False
    Client(account.fake).right("PUT", "/members/member/points/earn", {"id": made.upstream_id, "points": 1})
    unclear(account.settle(add("7"), made, id="step-2", is_answered=True))


def test_another_amount_under_the_same_id_is_told_as_it_was_counted(account: Account) -> None:
    made = account.make(points=Decimal(10))
    done(account.do(add("5"), made))
    found = done(account.settle(add("6"), made))
    assert (found.before.points, found.after.points) == (Decimal(10), Decimal(15))
    assert found.notes == ("PassKit has counted 5 points for this event before, not 6.",)


def test_a_balance_that_was_set_is_found_without_an_event(account: Account) -> None:
    account.fake.switches.list_no_events = True
    made = account.make(points=Decimal(10))
    effect = SetPoints(points=Decimal(7))
    assert isinstance(account.settle(effect, made, is_answered=True), NotDone)
    done(account.do(effect, made))
    assert done(account.settle(effect, made)).after.points == 7


def test_what_is_not_known_of_before_is_decided_by_the_event_alone(account: Account) -> None:
    made = account.make(points=Decimal(10))
    unclear(account.settle(add("5"), made, basis=Basis(), is_answered=True))
    done(account.do(add("5"), made))
    assert isinstance(account.settle(add("5"), made, basis=Basis()), Done)


# --- tiers ---


def test_a_third_tier_is_decided_by_the_event(account: Account) -> None:
    made = account.make()
    effect = ChangeTier(tier_id=seed.GOLD)
    account.record(made)["tierId"] = seed.SILVER
    unclear(account.settle(effect, made, is_answered=True), "neither the old nor the new")
    account.record(made)["tierId"] = seed.BRONZE
    done(account.do(effect, made))
    account.record(made)["tierId"] = seed.SILVER
    found = done(account.settle(effect, made))
    assert (found.before.tier_id, found.after.tier_id) == (seed.BRONZE, seed.SILVER)


# --- new passes ---


@pytest.mark.parametrize("offset", [0, 600, -600])
def test_a_record_made_since_is_ours_and_one_made_before_is_not(account: Account, offset: float) -> None:
    """Whatever our clock says: PassKit's is learned from its answers."""
    account.fake.switches.clock_offset = offset
    account.fake.advance(seconds=offset)
    effect, subject = account.issuing(external_id="c-1")
    account.make(external_id="c-1")
    account.clock.advance(minutes=2)
    assert isinstance(account.settle(effect, subject), Exists)
    effect, subject = account.issuing(external_id="c-2", holder={"first_name": "Ada"})
    account.fake.fail("reset", "POST /members/member", effect="first")
    unclear(account.do(effect, subject))
    found = done(account.settle(effect, subject))
    assert (found.after.id, found.after.first_name) == (subject.id, "Ada")
    assert found.after.upstream_id is not None


# --- redemptions ---


@pytest.mark.parametrize("kind", [Kind.COUPON, Kind.EVENT_TICKET])
def test_a_redemption_of_another_is_told_with_its_time(account: Account, kind: Kind) -> None:
    made = account.make(kind)
    at = "2026-11-19T08:00:00Z"
    account.record(made).update(
        status="REDEEMED", redemptionDetails={"redemptionDate": at, "redemptionReference": "till 4"}
    )
    effect = Redeem(at=account.clock())
    assert unclear(account.do(effect, made)).is_answered
    refusal = refused(account.settle(effect, made, is_answered=True), "redeemed on 2026-11-19T08:00:00")
    assert isinstance(refusal.error, AlreadyRedeemed)


@pytest.mark.parametrize(("hours", "is_clear"), [(-1, True), (0, False)])
def test_a_redemption_by_nobody_is_another_ones_if_it_was_before(account: Account, hours: int, is_clear: bool) -> None:
    made = account.make(Kind.COUPON)
    at = later(account, hours=hours).strftime("%Y-%m-%dT%H:%M:%SZ")
    account.record(made).update(status="REDEEMED", redemptionDetails={"redemptionDate": at})
    outcome = account.settle(Redeem(at=account.clock()), made, is_answered=True)
    if is_clear:
        assert isinstance(refused(outcome).error, AlreadyRedeemed)
    else:
        unclear(outcome, "not by whom")


def test_a_redemption_of_ours_has_what_the_caller_gave(account: Account) -> None:
    made = account.make(Kind.COUPON)
    effect = Redeem(at=account.clock(), reference="receipt-77", amount=Decimal("49.90"))
    done(account.do(effect, made))
    details = account.record(made)["redemptionDetails"]
    assert (details["redemptionReference"], details["transactionReference"]) == ("step-1", "receipt-77")
    assert details["transactionAmount"] == 49.9
    ticket = account.make(Kind.EVENT_TICKET)
    done(account.do(effect, ticket))
    details = account.record(ticket)["redemptionDetails"]
    assert (details["redemptionReference"], details["redemptionSource"]) == ("step-1", "receipt-77")


# --- data of the holder ---


def test_data_that_is_there_in_part_is_not_done(account: Account) -> None:
    made = account.make(holder={"first_name": "Ada"}, fields={"a": "b"})
    effect = UpdateHolder(holder={"first_name": "Ada"}, fields={"a": "c"})
    assert isinstance(account.settle(effect, made), NotDone)
    done(account.do(effect, made))
    assert done(account.settle(effect, made)).after.fields == {"a": "c"}


def test_a_minute_is_waited_for_where_passkit_did_not_answer(account: Account) -> None:
    made = account.make(points=Decimal(10))
    early = account.settle(add("5"), made, tried_at=account.clock() - timedelta(seconds=20))
    assert unclear(early, "in 40 s").error.retry_after == 40
