"""The client against the fake PassKit over real HTTP: what was written is read again, and faults have one effect only.

`running()` fails a test whose requests the live service would have misunderstood without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from app.issuers.passkit import coupons, discovery, loyalty, members, tickets
from app.issuers.passkit.credentials import Credentials
from app.issuers.passkit.failures import (
    Conflict,
    CredentialsRefused,
    NotDone,
    NotFound,
    PassKitFailure,
    RateLimited,
    Refused,
    Unavailable,
    Unclear,
)
from app.issuers.passkit.filters import pages
from app.issuers.passkit.loyalty import EventDetails
from app.issuers.passkit.records import Person
from app.issuers.passkit.transport import Transport, Upstream
from app.issuers.passkit.values import merge_meta_data
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.issuers.passkit.conftest import Bench

EARN = "PUT /members/member/points/earn"
ADA = Person("Ada", "Lovelace", "Ada Lovelace", "ada@example.com")


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return Descriptors()


@pytest.fixture
def fake(bench: Bench, descriptors: Descriptors) -> Iterator[FakePassKit]:
    with FakePassKit(bench.clock, seed.demo, contract=descriptors).running() as running:
        yield running


@pytest.fixture
def passkit(bench: Bench, fake: FakePassKit) -> Transport:
    return bench.transport(own_credentials(fake))


def own_credentials(fake: FakePassKit) -> Credentials:
    key, secret = fake.credentials.key, fake.credentials.secret
    return Credentials(fake.url, "https://pub1.pskt.io", api_key=key, secret=secret)


@pytest.fixture
def member_id(passkit: Transport) -> str:
    return members.enrol(passkit, seed.PROGRAM, seed.BRONZE, external_id="c-1", person=ADA, points=Decimal(100))


def test_a_member_lives(bench: Bench, passkit: Transport, member_id: str) -> None:
    member = members.get(passkit, member_id)
    assert (member.external_id, member.tier_id, member.points, member.person) == ("c-1", seed.BRONZE, Decimal(100), ADA)
    assert members.get_by_external_id(passkit, seed.PROGRAM, "c-1") == member
    merged = merge_meta_data(member.meta_data, {"favouriteColour": "blue"})
    members.update(passkit, member_id, meta_data=merged)
    members.patch_person(passkit, member_id, Person(surname="King"))
    loyalty.change_tier(passkit, seed.PROGRAM, member_id, seed.SILVER)
    members.set_expiry(passkit, member_id, bench.clock() + timedelta(days=30))
    member = members.get(passkit, member_id)
    assert (member.tier_id, member.meta_data) == (seed.SILVER, {"favouriteColour": "blue"})
    assert member.person.surname == "King"
    assert member.expires_at == bench.clock() + timedelta(days=30)
    members.delete(passkit, member_id)
    with pytest.raises(NotFound):
        members.get(passkit, member_id)


def test_points_count(passkit: Transport, member_id: str) -> None:
    assert loyalty.earn(passkit, member_id, Decimal("5.5"), EventDetails("op_1")).points == Decimal("105.5")
    assert loyalty.burn(passkit, member_id, Decimal(100)).points == Decimal("5.5")
    assert loyalty.set_points(passkit, member_id, Decimal(0)).points == Decimal(0)
    assert loyalty.set_points(passkit, member_id, Decimal(7)).points == Decimal(7)
    found = loyalty.find_event(passkit, seed.PROGRAM, member_id, "op_1")
    assert found is not None
    assert found.type == "EVENT_MEMBER_POINTS_EARNED"
    assert loyalty.find_event(passkit, seed.PROGRAM, member_id, "op_2") is None
    assert len(loyalty.events(passkit, seed.PROGRAM, member_id)) == 4


def test_an_external_id_is_taken_once(passkit: Transport, member_id: str) -> None:
    with pytest.raises(Conflict):
        members.enrol(passkit, seed.PROGRAM, seed.BRONZE, external_id="c-1")


def test_a_coupon_lives(passkit: Transport) -> None:
    coupon_id = coupons.create(passkit, seed.CAMPAIGN, seed.OFFER_FIXED, external_id="k-1", person=ADA)
    coupons.update(passkit, coupon_id, sku="s")
    coupons.redeem(passkit, coupon_id, reference="op_1")
    coupon = coupons.get_by_external_id(passkit, seed.CAMPAIGN, "k-1")
    assert (coupon.status, coupon.sku, coupon.redemption_reference) == ("REDEEMED", "s", "op_1")
    other = coupons.create(passkit, seed.CAMPAIGN, seed.OFFER_FIXED)
    coupons.void(passkit, other)
    assert coupons.count(passkit, seed.CAMPAIGN) >= 1


def test_a_ticket_lives(passkit: Transport) -> None:
    ticket_id = tickets.issue(passkit, seed.EVENT, seed.ADULT, "t-1", person=ADA, order_number="o-1")
    ticket = tickets.get_by_ticket_number(passkit, seed.PRODUCTION, "t-1")
    assert (ticket.id, ticket.event_id, ticket.ticket_type_id) == (ticket_id, seed.EVENT, seed.ADULT)
    assert [one.id for one in tickets.get_by_order_number(passkit, seed.PRODUCTION, "o-1")] == [ticket_id]
    assert tickets.validate(passkit, ticket_id, 2)
    tickets.redeem(passkit, ticket_id, reference="op_1")
    assert tickets.get(passkit, ticket_id).status == "REDEEMED"
    tickets.delete(passkit, ticket_id)
    with pytest.raises(NotFound):
        tickets.get(passkit, ticket_id)


def test_everything_to_choose_from_is_found(passkit: Transport) -> None:
    assert discovery.get_profile(passkit).company_name == "Passrail Demo"
    assert {one.class_id for one in discovery.list_projects(passkit)} == {seed.PROGRAM, seed.CAMPAIGN, seed.PRODUCTION}
    assert [one.id for one in discovery.list_programs(passkit)] == [seed.PROGRAM]
    tiers = {one.id: one for one in discovery.list_tiers(passkit, seed.PROGRAM)}
    assert tiers.keys() == {seed.BRONZE, seed.SILVER, seed.GOLD, seed.FOREVER}
    fields = discovery.get_template_fields(passkit, tiers[seed.GOLD].template_id)
    assert "meta.favouriteColour" in {one.unique_name for one in fields}
    assert len(discovery.list_offers(passkit, seed.CAMPAIGN)) == 2
    assert len(discovery.list_ticket_types(passkit, seed.PRODUCTION)) == 2
    assert discovery.list_events(passkit, seed.PRODUCTION)[0].venue_id == seed.VENUE


def test_all_pages_are_walked(bench: Bench, passkit: Transport) -> None:
    for number in range(30):
        members.enrol(passkit, seed.PROGRAM, seed.BRONZE, external_id=f"c-{number}")
    found = pages(lambda filters: members.list_members(passkit, seed.PROGRAM, filters))
    assert {one.external_id for one in found} >= {f"c-{number}" for number in range(30)}


@pytest.mark.parametrize("offset", [300, -300])
def test_a_clock_that_is_wrong_by_minutes_costs_one_try(fake: FakePassKit, passkit: Transport, offset: float) -> None:
    fake.switches.clock_offset = offset
    discovery.get_profile(passkit)
    discovery.get_profile(passkit)
    assert [one.status for one in fake.requests] == [401, 200, 200]


def test_the_other_region_knows_nothing(bench: Bench, fake: FakePassKit, member_id: str) -> None:
    with fake.other_region().running() as other, pytest.raises(NotFound):
        members.get(bench.transport(own_credentials(other)), member_id)


UNCLEAR_FAULTS = ["delay", "reset", "truncated", "cut", "html", "wrong_type", "huge", "drip", "empty"]


@pytest.mark.parametrize("kind", UNCLEAR_FAULTS)
def test_points_never_count_twice_and_the_event_tells(
    bench: Bench, fake: FakePassKit, passkit: Transport, member_id: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.issuers.passkit.transport.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("app.issuers.passkit.transport.SHORTEST_TRY", 0.1)
    options = {"seconds": 1.0} if kind == "delay" else {}
    fake.fail(kind, EARN, effect="first", **options)
    with pytest.raises(Unclear):
        loyalty.earn(passkit, member_id, Decimal(5), EventDetails("op_1"))
    assert fake.effects(EARN, "op_1") == 1
    assert loyalty.find_event(passkit, seed.PROGRAM, member_id, "op_1") is not None
    assert members.get(passkit, member_id).points == Decimal(105)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (404, NotFound),
        (409, Conflict),
        (429, RateLimited),
        (500, Refused),
        (503, Unavailable),
    ],
)
def test_what_passkit_refuses_had_no_effect(
    fake: FakePassKit, passkit: Transport, member_id: str, status: int, kind: type[PassKitFailure]
) -> None:
    fake.fail("status", EARN, status=status)
    with pytest.raises(NotDone) as caught:
        loyalty.earn(passkit, member_id, Decimal(5), EventDetails("op_1"))
    assert type(caught.value) is kind
    assert fake.effects(EARN, "op_1") == 0


@pytest.mark.parametrize("kind", ["reset", "cut", "truncated"])
def test_a_create_that_was_answered_unclearly_is_found_by_its_external_id(
    fake: FakePassKit, passkit: Transport, kind: str
) -> None:
    fake.fail(kind, "POST /members/member", effect="first")
    with pytest.raises(Conflict) as caught:
        members.enrol(passkit, seed.PROGRAM, seed.BRONZE, external_id="c-9")
    assert caught.value.after_unclear
    assert members.get_by_external_id(passkit, seed.PROGRAM, "c-9").external_id == "c-9"


@pytest.mark.parametrize("kind", ["reset", "cut", "truncated"])
def test_a_delete_that_was_answered_unclearly_is_done(
    fake: FakePassKit, passkit: Transport, member_id: str, kind: str
) -> None:
    fake.fail(kind, "DELETE /members/member", effect="first")
    members.delete(passkit, member_id)


def test_an_error_in_mid_stream_is_seen_and_repeated(fake: FakePassKit, passkit: Transport) -> None:
    fake.fail("stream_error", "POST /members/tiers/list")
    assert len(discovery.list_tiers(passkit, seed.PROGRAM)) == 4
    assert [one.route for one in fake.requests].count("POST /members/tiers/list") == 2


def test_a_list_that_is_cut_is_read_again(fake: FakePassKit, passkit: Transport) -> None:
    fake.fail("cut", "POST /members/tiers/list", times=2)
    assert len(discovery.list_tiers(passkit, seed.PROGRAM)) == 4


def test_an_upstream_needs_nothing_to_be_made() -> None:
    upstream = Upstream()
    upstream.wire.close()
