"""New passes at PassKit: what is sent, what comes back, and what there is already."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.errors import NotApplicable, UpstreamRejected, UpstreamUnavailable, ValidationFailed
from app.issuers.protocol import Exists
from app.model import Kind, Ticket
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.issuers.passkit.conftest import Account, done, later, refused, unclear

CREATE = {
    Kind.MEMBERSHIP: "POST /members/member",
    Kind.COUPON: "POST /coupon/singleUse/coupon",
    Kind.EVENT_TICKET: "POST /eventTickets/ticket",
}
ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "phone": "020 7946 0000"}
every_kind = pytest.mark.parametrize("kind", list(Kind))


@every_kind
def test_a_pass_is_made_by_one_write(account: Account, kind: Kind) -> None:
    effect, subject = account.issuing(kind, external_id="c-1", holder=ADA)
    made = done(account.do(effect, subject, default_country="GB")).after
    asked = account.routes()
    assert asked[0] == CREATE[kind]
    assert [route for route in asked if not route.startswith("GET ")] == [CREATE[kind]]
    record = account.record(made)
    assert record["person"] == {
        "forename": "Ada",
        "surname": "Lovelace",
        "displayName": "Ada Lovelace",
        "emailAddress": "ada@example.com",
        "mobileNumber": "+442079460000",
    }
    known = replace(subject, upstream_id=record["id"], phone="+442079460000")
    assert made == replace(known, tier_points=made.tier_points, ticket=made.ticket)
    assert (made.tier_points, made.ticket is None) == (
        (0, True) if kind is Kind.MEMBERSHIP else (None, kind is Kind.COUPON)
    )


def test_a_member_has_its_points_and_fields(account: Account) -> None:
    made = account.make(points=Decimal("12.5"), fields={"favouriteColour": "blue", "empty": None})
    assert account.record(made)["points"] == 12.5
    assert account.record(made)["metaData"] == {"favouriteColour": "blue"}


def test_a_ticket_tells_its_event(account: Account) -> None:
    made = account.make(Kind.EVENT_TICKET, external_id="row 1/seat 2")
    assert made.ticket == Ticket(event_name="Demo concert", event_starts_at="2026-12-20T19:00:00Z")
    assert account.record(made)["ticketNumber"] == "row 1/seat 2"


def test_without_an_event_to_come_no_ticket_is_made(account: Account) -> None:
    account.fake.state.events.remove(seed.EVENT)
    account.read_programs()
    effect, subject = account.issuing(Kind.EVENT_TICKET)
    refusal = refused(account.do(effect, subject), "no event to come")
    assert isinstance(refusal.error, NotApplicable)
    assert account.routes() == []


@every_kind
def test_without_an_external_id_it_has_one_of_ours_that_nobody_sees(account: Account, kind: Kind) -> None:
    effect, subject = account.issuing(kind)
    made = done(account.do(effect, subject, id="abc-0")).after
    record = account.record(made)
    assert "passrail-abc-0" in (record.get("externalId"), record.get("ticketNumber"))
    program = account.programs[kind]
    read = account.issuer.read_new(program, str(made.upstream_id))
    assert read is not None
    assert read.external_id is None
    assert account.issuer.find(program, "passrail-abc-0") is None


@pytest.mark.parametrize("kind", [Kind.MEMBERSHIP, Kind.COUPON])
@pytest.mark.parametrize("external_id", ["a/b", "..", "a\nb"])
def test_an_external_id_that_cannot_be_asked_for_is_refused_by_its_name(
    account: Account, kind: Kind, external_id: str
) -> None:
    effect, subject = account.issuing(kind, external_id=external_id)
    refusal = refused(account.do(effect, subject), "external_id")
    assert isinstance(refusal.error, ValidationFailed)
    assert account.routes() == []


@every_kind
def test_what_exists_already_is_told_with_what_it_is(account: Account, kind: Kind) -> None:
    made = account.make(kind, external_id="c-1", holder={"first_name": "Ada"})
    effect, subject = account.issuing(kind, external_id="c-1")
    exists = account.do(effect, subject)
    assert isinstance(exists, Exists)
    assert (exists.found.upstream_id, exists.found.first_name) == (made.upstream_id, "Ada")
    assert exists.found.id not in (made.id, subject.id)


def test_a_conflict_without_a_record_stands_as_passkit_said_it(account: Account) -> None:
    account.fake.fail("status", CREATE[Kind.MEMBERSHIP], status=409, text="member [c-1] already exists")
    effect, subject = account.issuing(external_id="c-1")
    refusal = refused(account.do(effect, subject), "member [c-1] already exists")
    assert isinstance(refusal.error, UpstreamRejected)


def test_a_conflict_that_cannot_be_looked_into_has_made_nothing(account: Account) -> None:
    account.make(external_id="c-1")
    account.fake.fail("status", "GET /members/member/externalId/{programId}/{externalId}", status=503, times=4)
    effect, subject = account.issuing(external_id="c-1")
    assert isinstance(refused(account.do(effect, subject)).error, UpstreamUnavailable)


def test_a_conflict_about_an_id_of_ours_is_looked_into(account: Account) -> None:
    effect, subject = account.issuing()
    first = done(account.do(effect, subject)).after
    assert unclear(account.do(effect, subject)).is_answered
    found = done(account.settle(effect, subject, is_answered=True))
    assert found.after.upstream_id == first.upstream_id


def test_a_voided_coupon_keeps_its_external_id(account: Account) -> None:
    made = account.make(Kind.COUPON, external_id="c-1")
    Client(account.fake).right("DELETE", "/coupon/singleUse/coupon", {"id": made.upstream_id})
    effect, subject = account.issuing(Kind.COUPON, external_id="c-1")
    refused(account.do(effect, subject), "Use another external ID")


def test_an_expiry_that_the_offer_decides_is_refused_before_anything_is_sent(account: Account) -> None:
    effect, subject = account.issuing(Kind.COUPON, tier_id=seed.OFFER_FIXED, expires_at=later(account, days=9))
    refused(account.do(effect, subject), "Leave expires_at out")
    assert account.routes() == []


@pytest.mark.parametrize("is_given", [True, False])
def test_an_expiry_that_passkit_computes_is_read_back(account: Account, is_given: bool) -> None:
    settings = {"expiryType": "EXPIRE_AFTER_X_DAYS", "expireAfterXDays": 365}
    account.fake.state.tiers.get(f"{seed.PROGRAM}/{seed.BRONZE}")["expirySettings"] = settings  # type: ignore[index]
    account.read_programs()
    effect, subject = account.issuing(expires_at=later(account, days=9) if is_given else None)
    outcome = done(account.do(effect, subject))
    assert outcome.after.expires_at == later(account, days=365)
    assert any("PassKit computes" in note for note in outcome.notes) is is_given


def test_a_date_that_does_not_end_the_card_is_told(account: Account) -> None:
    effect, subject = account.issuing(tier_id=seed.FOREVER, expires_at=later(account, days=9))
    outcome = done(account.do(effect, subject))
    assert "stays valid after this date" in outcome.notes[0]
    assert outcome.after.expires_at == later(account, days=9)


@pytest.mark.parametrize("phone", ["030 1234", "ask my wife", "+49", "1"])
def test_a_phone_number_that_passkit_would_refuse_is_left_out_and_told(account: Account, phone: str) -> None:
    effect, subject = account.issuing(holder={**ADA, "phone": phone})
    outcome = done(account.do(effect, subject))
    assert "phone number was left out" in outcome.notes[0]
    assert outcome.after.phone is None
    assert "mobileNumber" not in account.record(outcome.after)["person"]


def test_a_tier_that_is_gone_is_named(account: Account) -> None:
    account.fake.state.tiers.remove(f"{seed.PROGRAM}/{seed.BRONZE}")
    effect, subject = account.issuing()
    assert not refused(account.do(effect, subject), "does not have this tier any more").was_sent


def test_a_program_that_is_gone_is_named(account: Account) -> None:
    account.fake.state.programs.remove(seed.PROGRAM)
    effect, subject = account.issuing()
    refused(account.do(effect, subject), "does not know the program")
