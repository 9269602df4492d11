"""What an account can issue from: all of it read, at the same time; what cannot be read is left out and named."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import UpstreamCredentialsRefused, UpstreamUnavailable
from app.issuers.remote import Catalogue, FoundProgram
from app.model import CustomField, Kind
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.issuers.passkit.conftest import Account, account_at
from tests.world import FakeClock

LISTS = {
    Kind.MEMBERSHIP: "POST /members/programs/list",
    Kind.COUPON: "POST /coupon/singleUse/campaigns/list",
    Kind.EVENT_TICKET: "POST /eventTickets/productions",
}


def by_kind(catalogue: Catalogue) -> dict[Kind, FoundProgram]:
    return {one.kind: one for one in catalogue.programs}


def test_each_kind_is_there_with_its_tiers_and_fields(account: Account) -> None:
    catalogue = account.issuer.catalogue()
    assert (catalogue.notes, catalogue.unread) == ((), frozenset())
    membership, coupon, ticket = (by_kind(catalogue)[kind] for kind in Kind)
    assert [tier.id for tier in membership.tiers] == [seed.BRONZE, seed.SILVER, seed.GOLD, seed.FOREVER]
    assert membership.fields == (CustomField("favouriteColour", "Favourite colour"),)
    assert {tier.id for tier in coupon.tiers} == {seed.OFFER_FIXED, seed.OFFER_VARIABLE}
    assert {tier.name for tier in ticket.tiers} == {"Adult", "Child"}
    assert all(one.upstream["pass_url"] == "https://pub1.pskt.io" for one in catalogue.programs)
    assert account.routes().count("GET /template/data/{id}") == 3


def test_what_a_tier_says_of_expiry_is_kept(account: Account) -> None:
    facts = {kind: program.upstream for kind, program in account.programs.items()}
    assert facts[Kind.MEMBERSHIP]["expiry"] == {"bronze": "own", "silver": "own", "gold": "own", "forever": "none"}
    assert facts[Kind.MEMBERSHIP]["auto_delete_days"] == 90
    assert facts[Kind.COUPON]["expiry"] == {seed.OFFER_FIXED: "offer", seed.OFFER_VARIABLE: "own"}
    assert facts[Kind.EVENT_TICKET]["expiry"] == {}


def test_each_program_says_what_one_should_know(account: Account) -> None:
    tier = account.fake.state.tiers.get(f"{seed.PROGRAM}/{seed.GOLD}")
    assert tier is not None
    tier["expirySettings"] = {"expiryType": "EXPIRE_AFTER_X_DAYS", "expireAfterXDays": 30}
    account.read_programs()
    notes = {kind: " ".join(program.notes) for kind, program in account.programs.items()}
    assert "This is a draft" in notes[Kind.MEMBERSHIP]
    assert "Passes of Lifetime do not expire in PassKit" in notes[Kind.MEMBERSHIP]
    assert "computes the expiry of new passes of Gold" in notes[Kind.MEMBERSHIP]
    assert "90 days after it has expired" in notes[Kind.MEMBERSHIP]
    assert "decide when their coupons expire" in notes[Kind.COUPON]


def test_a_balance_below_zero_is_a_setting_of_the_tier(account: Account) -> None:
    account.fake.state.tiers.get(f"{seed.PROGRAM}/{seed.GOLD}")["pointsOverdrawn"] = True  # type: ignore[index]
    assert by_kind(account.issuer.catalogue())[Kind.MEMBERSHIP].upstream["overdraw"] == [seed.GOLD]


@pytest.mark.parametrize("status", [403, 404, 500, 501])
@pytest.mark.parametrize("kind", list(Kind))
def test_an_account_without_one_kind_has_the_others(account: Account, kind: Kind, status: int) -> None:
    account.fake.fail("status", LISTS[kind], status=status, text="not in your plan")
    catalogue = account.issuer.catalogue()
    assert by_kind(catalogue).keys() == set(Kind) - {kind}
    assert catalogue.unread == {kind}
    assert len(catalogue.notes) == 1
    assert kind.words in catalogue.notes[0]
    assert "not in your plan" in catalogue.notes[0]


def test_an_account_without_tickets_at_all_works(account: Account) -> None:
    account.fake.switches.tickets_status = 501
    assert by_kind(account.issuer.catalogue()).keys() == {Kind.MEMBERSHIP, Kind.COUPON}


def test_a_program_whose_tiers_cannot_be_read_is_left_out_and_named(account: Account) -> None:
    account.fake.fail("status", "POST /members/tiers/list", status=500, text="broken tier")
    catalogue = account.issuer.catalogue()
    assert by_kind(catalogue).keys() == {Kind.COUPON, Kind.EVENT_TICKET}
    assert catalogue.unread == {Kind.MEMBERSHIP}
    assert "Demo loyalty" in catalogue.notes[0]
    assert "broken tier" in catalogue.notes[0]


def test_a_template_that_cannot_be_read_costs_its_fields_only(account: Account) -> None:
    account.fake.switches.broken_templates = [seed.MEMBER_TEMPLATE]
    catalogue = account.issuer.catalogue()
    found = by_kind(catalogue)
    assert found.keys() == set(Kind)
    assert (found[Kind.MEMBERSHIP].fields, found[Kind.MEMBERSHIP].has_all_fields) == ((), False)
    assert found[Kind.EVENT_TICKET].has_all_fields
    assert "Demo loyalty" in catalogue.notes[0]


def test_events_that_cannot_be_read_are_named(account: Account) -> None:
    account.fake.fail("status", "POST /eventTickets/events/list", status=500, text="broken")
    catalogue = account.issuer.catalogue()
    assert "Demo concert" in catalogue.notes[0]
    assert by_kind(catalogue)[Kind.EVENT_TICKET].upstream["places"][seed.ADULT]["event"] is None


def test_many_notes_are_cut(account: Account) -> None:
    seed.many(account.fake.state, programs=30, tiers=1)
    account.fake.fail("status", "POST /members/tiers/list", status=500, text="broken", times=31)
    notes = account.issuer.catalogue().notes
    assert (len(notes), notes[-1]) == (21, "11 more could not be read.")


def test_where_nothing_can_be_read_there_is_no_catalogue(account: Account) -> None:
    account.fake.fail("status", status=503, times=50)
    with pytest.raises(UpstreamUnavailable):
        account.issuer.catalogue()
    account.fake.faults.clear()


def test_credentials_that_are_refused_end_it(account: Account) -> None:
    account.fake.switches.requests_until_expiry = 4
    with pytest.raises(UpstreamCredentialsRefused):
        account.issuer.catalogue()


def test_a_list_that_breaks_off_is_read_again(account: Account) -> None:
    account.fake.fail("stream_error", "POST /members/tiers/list")
    account.fake.fail("cut", "POST /members/tiers/list")
    assert len(by_kind(account.issuer.catalogue())[Kind.MEMBERSHIP].tiers) == 4


def test_all_pages_are_read_and_the_next_event_is_the_next(account: Account) -> None:
    seed.many_tickets(account.fake.state, events=120, ticket_types=110)
    ticket = by_kind(account.issuer.catalogue())[Kind.EVENT_TICKET]
    places = ticket.upstream["places"]
    assert len(ticket.tiers) == 112 * 121
    assert places[seed.ADULT]["event"] == "manyEvent0000000000120"
    assert places[f"{seed.ADULT}-{seed.EVENT}"] == {"type": seed.ADULT, "event": seed.EVENT}


@pytest.fixture
def large(descriptors: Descriptors, request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account with many programs; its answers are not checked, which would take longer than the answers."""
    clock = FakeClock()

    def fill(state: Any) -> None:
        seed.demo(state)
        seed.many(state, programs=request.param)

    with FakePassKit(clock, fill).running() as fake:
        kept = fake.switches.delay_seconds
        yield from account_at(fake, clock)
        fake.switches.delay_seconds = kept


@pytest.mark.parametrize("large", [30], indirect=True)
def test_thirty_programs_are_read_in_a_moment(large: Account) -> None:
    """Each answer takes 0.2 s: one after another it would be half a minute."""
    large.fake.switches.delay_seconds = 0.2
    began = time.monotonic()
    assert len(large.issuer.catalogue().programs) == 33
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("large", [500], indirect=True)
def test_five_hundred_programs_are_read(large: Account) -> None:
    catalogue = large.kind.open(large.access(), large.clock(), 120.0).catalogue()
    assert (len(catalogue.programs), catalogue.notes) == (503, ())
    assert large.fake.most_at_once <= large.kind.pool.at_once
