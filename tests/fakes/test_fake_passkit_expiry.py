"""When passes end: by their tier, with their offer; and how long their records are kept afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.passkit.seed import BRONZE, FOREVER, OFFER_FIXED, OFFER_VARIABLE, PROGRAM
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit_client import Client, refused

EARN = "/members/member/points/earn"
COUPON = "/coupon/singleUse/coupon"
ALIVE, OVER = ("ENROLLED", "PASS_ISSUED"), ("EXPIRED", "PASS_INVALIDATED")


def set_tier(client: Client, **settings: Any) -> None:
    """Change how passes of the bronze tier expire."""
    tier = client.fake.state.tiers.get(f"{PROGRAM}/{BRONZE}")
    assert tier is not None
    tier["expirySettings"] = settings


def offer_of(client: Client, offer_id: str) -> Record:
    """Return an offer as it is stored."""
    offer = client.fake.state.offers.get(offer_id)
    assert offer is not None
    return offer


def test_tiers_say_how_their_passes_expire(client: Client) -> None:
    tiers = client.listed("/members/tiers/list", {"programId": PROGRAM})
    kinds = {tier["name"]: tier["expirySettings"]["expiryType"] for tier in tiers}
    own_date = "EXPIRE_ON_VARIABLE_DATE_TIME"
    assert kinds == {"Bronze": own_date, "Silver": own_date, "Gold": own_date, "Lifetime": "EXPIRE_NONE"}
    assert [tier["tierIndex"] for tier in tiers] == [1, 2, 3, 4]


def test_a_date_is_soft_in_a_tier_that_does_not_expire(client: Client) -> None:
    identity = client.enrol(tierId=FOREVER)
    client.expire(identity, days=-1)
    assert client.member(identity)["expiryDate"] == to_text(client.fake.state.now() - timedelta(days=1))
    assert client.status(identity) == ALIVE
    assert client.right("PUT", EARN, {"id": identity, "points": 5})["points"] == 5
    client.fake.advance(days=365)
    assert client.status(identity) == ALIVE


def test_a_soft_date_may_end_a_pass_after_all(client: Client) -> None:
    identity = client.enrol(tierId=FOREVER)
    client.fake.switches.soft_dates_end_passes = True
    client.expire(identity, days=-1)
    assert client.status(identity) == OVER


def test_a_tier_without_settings_does_not_expire(client: Client) -> None:
    set_tier(client)
    identity = client.enrol()
    client.expire(identity, days=-1)
    assert client.status(identity) == ALIVE


def test_a_fixed_period_is_computed_at_enrolment(client: Client) -> None:
    set_tier(client, expiryType="EXPIRE_AFTER_X_DAYS", expireAfterXDays=30)
    now = client.fake.state.now()
    identity = client.enrol(expiryDate=to_text(now + timedelta(days=1)))
    assert client.member(identity)["expiryDate"] == to_text(now + timedelta(days=30))
    set_tier(client, expiryType="EXPIRE_AFTER_X_DAYS", expireAfterXDays=60)
    client.fake.advance(days=29)
    assert client.status(identity) == ALIVE
    client.fake.advance(days=1)
    assert client.status(identity) == OVER
    client.expire(identity, days=1)
    assert client.status(identity) == ALIVE


def test_a_fixed_date_is_given_at_enrolment_and_counts_in_the_zone_of_the_tier(client: Client) -> None:
    set_tier(client, expiryType="EXPIRE_ON_FIXED_DATE", fixedExpiryDate={"year": 2026, "month": 12, "day": 31})
    identity = client.enrol()
    assert client.member(identity)["expiryDate"] == "2026-12-31T22:59:59Z"
    set_tier(client, expiryType="EXPIRE_ON_FIXED_DATE", fixedExpiryDate={"year": 2027, "month": 12, "day": 31})
    client.fake.advance(days=42)
    assert client.status(identity) == OVER


@pytest.mark.parametrize(("days", "stored"), [(0, 90), (90, 90), (30, 30)])
def test_a_program_says_how_long_ended_members_are_kept(client: Client, days: int, stored: int) -> None:
    program = client.fake.state.programs.get(PROGRAM)
    assert program is not None
    assert client.right("GET", f"/members/program/{PROGRAM}")["autoDeleteDaysAfterExpiry"] == 90
    program["autoDeleteDaysAfterExpiry"] = days
    identity = client.enrol()
    client.expire(identity)
    client.fake.advance(days=stored, seconds=-1)
    assert client.status(identity) == OVER
    client.fake.advance(seconds=1)
    refused(client.ask("GET", f"/members/member/id/{identity}"), 404, "does not exist")


@pytest.mark.parametrize("offer_id", [OFFER_FIXED, OFFER_VARIABLE])
def test_a_coupon_ends_with_its_offer(client: Client, offer_id: str) -> None:
    identity = client.make_coupon(offerId=offer_id)
    offer_of(client, offer_id)["issueEndDate"] = to_text(client.fake.state.now() + timedelta(days=10))
    client.fake.advance(days=10)
    assert client.coupon(identity)["passMetaData"]["status"] == "PASS_INVALIDATED"
    refused(client.ask("PUT", f"{COUPON}/redeem", {"id": identity}), 500, "expired")


def test_a_coupon_with_a_date_of_its_own_no_longer_follows_its_offer(client: Client) -> None:
    own, other = client.make_coupon("a"), client.make_coupon("b")
    client.right("PUT", COUPON, {"id": own, "expiryDate": to_text(client.fake.state.now() + timedelta(days=20))})
    offer_of(client, OFFER_VARIABLE)["issueEndDate"] = to_text(client.fake.state.now() + timedelta(days=10))
    client.fake.advance(days=15)
    status = [client.coupon(identity)["passMetaData"]["status"] for identity in (own, other)]
    assert status == ["PASS_ISSUED", "PASS_INVALIDATED"]
    offer_of(client, OFFER_VARIABLE)["issueEndDate"] = to_text(client.fake.state.now() + timedelta(days=100))
    client.fake.advance(days=10)
    status = [client.coupon(identity)["passMetaData"]["status"] for identity in (own, other)]
    assert status == ["PASS_INVALIDATED", "PASS_ISSUED"]
