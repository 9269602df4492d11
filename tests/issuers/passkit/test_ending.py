"""Ending passes at PassKit and bringing them back: nothing is called over that PassKit still has as valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.effects import Redeem, Reinstate, Revoke, SetExpiry, UpdateHolder
from app.errors import NotApplicable, UpstreamRejected, UpstreamUnavailable
from app.issuers.protocol import Done, NotDone
from app.model import EndsCardsBy, Kind, Pass, Status
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.issuers.passkit.conftest import Account, add, done, later, refused, unclear
from tests.world import FakeClock

GET, SET = "GET /members/member/id/{id}", "PUT /members/member/updateExpiry"
ENDING = {Kind.MEMBERSHIP: seed.BRONZE, Kind.COUPON: seed.OFFER_VARIABLE, Kind.EVENT_TICKET: seed.ADULT}
every_kind = pytest.mark.parametrize("kind", list(Kind))


def revoke(account: Account, subject: Pass, **values: Any) -> Any:
    return account.do(Revoke(at=account.clock(), **values), subject, id="revoke-1")


def is_valid(account: Account, subject: Pass) -> bool:
    return bool(account.record(subject)["passMetaData"].get("status") != "PASS_INVALIDATED")


# --- by a date ---


@every_kind
def test_a_revoked_pass_is_read_back_before_it_is_called_revoked(account: Account, kind: Kind) -> None:
    made = account.make(kind, tier_id=ENDING[kind], expires_at=later(account, days=9))
    outcome = done(revoke(account, made))
    assert [route.partition(" ")[0] for route in account.routes()] == ["PUT", "GET"]
    assert outcome.after == replace(made, revoked_at=account.clock(), updated_at=account.clock())
    assert outcome.after.status(account.clock()) is Status.REVOKED
    assert not is_valid(account, made)


def test_a_revoke_says_when_passkit_deletes_the_record(account: Account) -> None:
    account.fake.state.programs.get(seed.PROGRAM)["autoDeleteDaysAfterExpiry"] = 14  # type: ignore[index]
    account.read_programs()
    assert "deletes the record 14 days after" in done(revoke(account, account.make())).notes[0]


def test_a_card_that_stays_valid_is_not_revoked(account: Account) -> None:
    """A date is a soft one in a tier that does not expire."""
    made = account.make(tier_id=seed.FOREVER)
    refusal = refused(revoke(account, made), "The tier Lifetime does not expire in PassKit")
    assert isinstance(refusal.error, UpstreamRejected)
    for cure in ("expiry of the tier", "ends_cards_by: delete", "permanent: true"):
        assert cure in refusal.error.detail
    assert 1 < sum(account.slept) <= 5
    assert refusal.undo == (SetExpiry(expires_at=later(account, days=3652)),)
    undone = done(account.do(refusal.undo[0], made))
    assert "stays valid" in undone.notes[0]
    assert account.record(made)["expiryDate"].startswith("2036-")


def test_what_is_taken_back_is_the_date_that_was_there(account: Account) -> None:
    made = account.make(tier_id=seed.FOREVER, expires_at=later(account, days=9))
    assert refused(revoke(account, made)).undo == (SetExpiry(expires_at=later(account, days=9)),)


def test_a_soft_date_that_ends_the_card_all_the_same_is_a_revoke(account: Account) -> None:
    account.fake.switches.soft_dates_end_passes = True
    made = account.make(tier_id=seed.FOREVER)
    assert done(revoke(account, made)).after.revoked_at == account.clock()
    assert account.slept == []


def test_a_card_that_ends_a_moment_later_is_revoked(account: Account) -> None:
    made = account.make(tier_id=seed.FOREVER)

    def pause(seconds: float) -> None:
        account.slept.append(seconds)
        account.fake.switches.soft_dates_end_passes = True

    account.kind.pool.sleep = pause
    assert isinstance(revoke(account, made), Done)
    assert len(account.slept) == 1


@pytest.mark.parametrize("seconds", [90, -90, 600, -600])
def test_our_wrong_clock_does_not_keep_a_card_valid(account: Account, seconds: int) -> None:
    """PassKit judges by its own clock, which every answer tells."""
    made = account.make()
    account.fake.switches.clock_offset = float(seconds)
    account.fake.advance(seconds=seconds)
    outcome = done(revoke(account, made))
    assert outcome.after.revoked_at == account.clock()
    assert not is_valid(account, made)


def test_a_coupon_whose_offer_decides_is_not_revoked_by_a_date(account: Account) -> None:
    made = account.make(Kind.COUPON, tier_id=seed.OFFER_FIXED)
    refusal = refused(revoke(account, made), "permanent: true")
    assert isinstance(refusal.error, NotApplicable)
    assert account.routes() == []


def test_a_look_that_fails_leaves_the_revoke_to_be_found_out_about(account: Account) -> None:
    made = account.make()
    account.fake.fail("status", GET, status=503, times=4)
    outcome = unclear(revoke(account, made))
    assert outcome.is_answered
    assert isinstance(outcome.error, UpstreamUnavailable)
    assert isinstance(account.settle(Revoke(at=account.clock()), made, is_answered=True), Done)


@every_kind
def test_a_revoked_pass_is_brought_back(account: Account, kind: Kind) -> None:
    made = account.make(kind, tier_id=ENDING[kind])
    revoked = done(revoke(account, made)).after
    outcome = done(account.do(Reinstate(expires_at=None), revoked))
    assert outcome.after.status(account.clock()) is Status.ACTIVE
    assert outcome.after.expires_at == later(account, days=3652)
    assert is_valid(account, made)
    assert outcome.notes == ()


def test_a_pass_that_passkit_does_not_bring_back_is_told(account: Account) -> None:
    account.fake.switches.reactivation = False
    made = account.make()
    revoked = done(revoke(account, made)).after
    refused(account.do(Reinstate(expires_at=None), revoked), "did not bring the pass back")


# --- by deleting ---


@pytest.fixture
def deleting(account: Account) -> Account:
    """The account, whose connection ends cards by deleting them."""
    account.ends_cards_by = EndsCardsBy.DELETE
    return account


@every_kind
def test_a_card_is_deleted_where_the_connection_says_so(deleting: Account, kind: Kind) -> None:
    made = deleting.make(kind, external_id="c-1", tier_id=ENDING[kind])
    deleting.fake.switches.voided_coupons_stay = False
    outcome = done(revoke(deleting, made))
    assert [route.partition(" ")[0] for route in deleting.routes()] == ["DELETE", "GET", "GET"]
    assert (outcome.after.upstream_id, outcome.after.revoked_at) == (None, deleting.clock())
    assert outcome.after.deleted_at is None
    assert "deleted at PassKit" in outcome.notes[0]
    assert deleting.issuer.find(deleting.programs[kind], "c-1") is None


@every_kind
def test_a_deleted_card_is_made_anew(deleting: Account, kind: Kind) -> None:
    deleting.fake.switches.voided_coupons_stay = False
    values: dict[str, Any] = {"points": Decimal(40)} if kind is Kind.MEMBERSHIP else {}
    made = deleting.make(
        kind, external_id="c-1", tier_id=ENDING[kind], holder={"first_name": "Ada"}, fields={"a": "b"}, **values
    )
    revoked = done(revoke(deleting, made)).after
    outcome = done(deleting.do(Reinstate(expires_at=None), revoked))
    assert outcome.after.upstream_id not in (None, made.upstream_id)
    assert "its link has changed" in outcome.notes[0]
    known = replace(outcome.after, upstream_id=made.upstream_id, updated_at=made.updated_at)
    assert known == made
    record = deleting.record(outcome.after)
    assert (record["person"]["forename"], record["metaData"]) == ("Ada", {"a": "b"})
    assert "c-1" in (record.get("externalId"), record.get("ticketNumber"))


def test_a_card_made_anew_whose_answer_is_lost_is_found(deleting: Account) -> None:
    made = deleting.make(external_id="c-1")
    revoked = done(revoke(deleting, made)).after
    deleting.fake.fail("reset", "POST /members/member", effect="first", times=4, on_try="first")
    effect = Reinstate(expires_at=None)
    unclear(deleting.do(effect, revoked))
    deleting.fake.faults.clear()
    found = done(deleting.settle(effect, revoked))
    assert found.after.status(deleting.clock()) is Status.ACTIVE
    assert found.after.upstream_id is not None


def test_what_was_not_made_anew_is_not_done(deleting: Account) -> None:
    revoked = done(revoke(deleting, deleting.make(external_id="c-1"))).after
    assert isinstance(deleting.settle(Reinstate(expires_at=None), revoked, is_answered=True), NotDone)


@pytest.mark.parametrize("tier_id", [seed.OFFER_FIXED, seed.OFFER_VARIABLE])
def test_a_voided_coupon_that_can_still_be_read_is_not_brought_back(deleting: Account, tier_id: str) -> None:
    made = deleting.make(Kind.COUPON, external_id="c-1", tier_id=tier_id)
    revoked = done(revoke(deleting, made)).after
    assert revoked.upstream_id == made.upstream_id
    refused(deleting.do(Reinstate(expires_at=None), revoked))


def test_an_id_that_passkit_keeps_is_not_made_anew(deleting: Account) -> None:
    made = deleting.make(Kind.COUPON, external_id="c-1")
    revoked = replace(done(revoke(deleting, made)).after, upstream_id=None)
    refused(deleting.do(Reinstate(expires_at=None), revoked), "keeps the external ID")


def test_a_record_that_passkit_says_it_has_deleted_and_still_has_is_not_called_deleted(deleting: Account) -> None:
    made = deleting.make()
    deleting.fake.fail("status", "DELETE /members/member", status=200, body="{}")
    assert unclear(revoke(deleting, made), "still has it").is_answered


@pytest.mark.parametrize(
    "effect",
    [
        UpdateHolder(holder={"first_name": "Grace"}),
        add("5"),
        Redeem(at=FakeClock().now),
    ],
    ids=["update", "points", "redeem"],
)
def test_a_deleted_card_is_reinstated_before_anything_else(deleting: Account, effect: Any) -> None:
    revoked = done(revoke(deleting, deleting.make())).after
    deleting.routes()
    refused(deleting.do(effect, revoked), "Reinstate the pass first")
    refused(deleting.settle(effect, revoked), "Reinstate the pass first")
    assert deleting.routes() == []


def test_a_deleted_card_may_be_revoked_for_good(deleting: Account) -> None:
    revoked = done(revoke(deleting, deleting.make())).after
    deleting.routes()
    gone = done(revoke(deleting, revoked, permanent=True)).after
    assert (gone.deleted_at, deleting.routes()) == (deleting.clock(), [])


# --- for good ---


@every_kind
@pytest.mark.parametrize("stays", [True, False])
def test_a_pass_revoked_for_good_is_deleted(account: Account, kind: Kind, stays: bool) -> None:
    account.fake.switches.voided_coupons_stay = stays
    made = account.make(kind, holder={"first_name": "Ada"})
    outcome = done(revoke(account, made, permanent=True))
    assert (outcome.after.deleted_at, outcome.after.first_name) == (account.clock(), None)
    settled = account.settle(Revoke(at=account.clock(), permanent=True), made)
    assert done(settled).after.deleted_at == account.clock()


def test_a_card_that_has_only_expired_is_not_deleted(account: Account) -> None:
    made = done(revoke(account, account.make(Kind.COUPON, tier_id=seed.OFFER_VARIABLE))).after
    account.clock.advance(seconds=1)
    assert isinstance(account.settle(Revoke(at=account.clock(), permanent=True), made), NotDone)


def test_an_answer_to_a_delete_that_holds_an_error_is_not_believed(account: Account) -> None:
    made = account.make()
    body = '{"code":13,"message":"could not be deleted"}'
    account.fake.fail("status", "DELETE /members/member", status=200, body=body)
    outcome = unclear(revoke(account, made, permanent=True))
    assert outcome.is_answered
    assert isinstance(account.settle(Revoke(at=account.clock(), permanent=True), made), NotDone)


# --- another expiry ---


def test_a_date_to_come_is_one_request(account: Account) -> None:
    made = account.make()
    outcome = done(account.do(SetExpiry(expires_at=later(account, days=9)), made))
    assert account.routes() == [SET]
    assert (outcome.after.expires_at, outcome.notes) == (later(account, days=9), ())


def test_no_date_is_one_in_ten_years(account: Account) -> None:
    made = account.make(expires_at=later(account, days=9))
    assert done(account.do(SetExpiry(expires_at=None), made)).after.expires_at == later(account, days=3652)
    assert isinstance(account.settle(SetExpiry(expires_at=None), made), Done)


def test_a_past_date_ends_the_card_or_is_refused(account: Account) -> None:
    past = later(account, days=-1)
    made = account.make()
    assert done(account.do(SetExpiry(expires_at=past), made)).after.expires_at == past
    assert not is_valid(account, made)
    forever = account.make(tier_id=seed.FOREVER)
    refusal = refused(account.do(SetExpiry(expires_at=past), forever), "does not expire in PassKit")
    assert refusal.undo == (SetExpiry(expires_at=later(account, days=3652)),)


def test_an_expired_card_is_brought_back_by_a_later_date(account: Account) -> None:
    made = account.make(expires_at=later(account, days=1))
    account.clock.advance(days=2)
    outcome = done(account.do(SetExpiry(expires_at=later(account, days=9)), made))
    assert account.routes() == [SET, GET]
    assert outcome.after.expires_at == later(account, days=9)
    account.fake.switches.reactivation = False
    account.clock.advance(days=20)
    account.record(made)
    refused(account.do(SetExpiry(expires_at=later(account, days=9)), outcome.after), "did not bring")


def test_the_date_of_a_revoked_card_waits_for_its_reinstatement(account: Account) -> None:
    revoked = done(revoke(account, account.make())).after
    account.routes()
    outcome = done(account.do(SetExpiry(expires_at=later(account, days=9)), revoked))
    assert (outcome.after.expires_at, account.routes()) == (later(account, days=9), [])
    assert not is_valid(account, revoked)


def test_the_date_of_a_coupon_whose_offer_decides_is_refused(account: Account) -> None:
    made = account.make(Kind.COUPON, tier_id=seed.OFFER_FIXED)
    refused(account.do(SetExpiry(expires_at=later(account, days=9)), made), "Leave expires_at out")


@pytest.mark.parametrize("toggle", ["ON", "OFF", None])
def test_tickets_end_by_a_date_as_their_production_says(account: Account, toggle: str | None) -> None:
    if toggle is not None:
        account.fake.state.productions.get(seed.PRODUCTION)["autoInvalidateTicketsUponExpiry"] = toggle  # type: ignore[index]
    account.read_programs()
    made = account.make(Kind.EVENT_TICKET)
    assert done(revoke(account, made)).after.revoked_at == account.clock()


def test_a_client_elsewhere_has_ended_it_already(account: Account) -> None:
    made = account.make()
    past = (account.clock() - timedelta(days=1)).isoformat()
    Client(account.fake).right("PUT", "/members/member/updateExpiry", {"id": made.upstream_id, "expiryDate": past})
    assert done(revoke(account, made)).after.revoked_at == account.clock()
