"""Coupons: once is enough."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fakes.passkit.seed import CAMPAIGN, OFFER_FIXED, OFFER_VARIABLE
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit_client import Client, filter_by, refused

COUPON = "/coupon/singleUse/coupon"


def test_a_coupon_is_redeemed_once(client: Client) -> None:
    identity = client.make_coupon()
    details = {"redemptionReference": "receipt-1", "transactionAmount": 12.5}
    body = {"externalId": "c-17", "campaignId": CAMPAIGN, "redemptionDetails": details}
    assert client.right("PUT", f"{COUPON}/redeem", body) == {"id": identity}
    coupon = client.right("GET", f"{COUPON}/{identity}")
    assert (coupon["status"], coupon["redemptionDetails"]["redemptionReference"]) == ("REDEEMED", "receipt-1")
    refused(client.ask("PUT", f"{COUPON}/redeem", {"id": identity}), 500, "already been redeemed")
    assert client.fake.effects(f"PUT {COUPON}/redeem", "receipt-1") == 1


def test_coupons_conflict_and_are_renamed(client: Client) -> None:
    identity = client.make_coupon("a")
    client.make_coupon("b")
    taken = {"campaignId": CAMPAIGN, "offerId": OFFER_FIXED, "externalId": "a"}
    refused(client.ask("POST", COUPON, taken), 409, "a")
    refused(client.ask("PUT", f"{COUPON}/externalId", {"id": identity, "newExternalId": "b"}), 409, "b")
    client.right("PUT", f"{COUPON}/externalId", {"couponCampaignId": CAMPAIGN, "externalId": "a", "newExternalId": "z"})
    assert client.right("GET", f"{COUPON}/externalId/{CAMPAIGN}/z")["id"] == identity
    assert client.ask("GET", f"{COUPON}/externalId/{CAMPAIGN}/a").status_code == 404


@pytest.mark.parametrize("end", ["expired", "voided"])
def test_the_external_id_of_an_ended_coupon_may_be_used_again(client: Client, end: str) -> None:
    old = client.make_coupon("c-17")
    if end == "voided":
        client.fake.switches.voided_coupons_free_ids = True
        client.right("DELETE", COUPON, {"id": old})
    else:
        client.right("PUT", COUPON, {"id": old, "expiryDate": to_text(client.fake.state.now())})
    assert client.right("GET", f"{COUPON}/externalId/{CAMPAIGN}/c-17")["id"] == old
    new = client.make_coupon("c-17")
    assert client.right("GET", f"{COUPON}/externalId/{CAMPAIGN}/c-17")["id"] == new
    refused(client.ask("POST", COUPON, {"campaignId": CAMPAIGN, "offerId": OFFER_FIXED, "externalId": "c-17"}), 409, "")
    by_own_id = {"externalId": "c-17", "campaignId": CAMPAIGN}
    assert client.right("PUT", f"{COUPON}/redeem", by_own_id) == {"id": new}
    assert (client.coupon(old)["status"], client.coupon(new)["status"]) == ("UNREDEEMED", "REDEEMED")
    later = to_text(client.fake.state.now() + timedelta(days=1))
    client.right("PUT", COUPON, {"id": old, "expiryDate": later})
    assert (client.coupon(old)["externalId"], client.coupon(old)["expiryDate"]) == ("c-17", later)
    client.right("DELETE", COUPON, {"id": old})
    assert client.right("GET", f"{COUPON}/externalId/{CAMPAIGN}/c-17")["id"] == new


@pytest.mark.parametrize(("method", "path"), [("PUT", f"{COUPON}/redeem"), ("DELETE", COUPON)])
def test_a_redeemed_or_voided_coupon_keeps_its_external_id(client: Client, method: str, path: str) -> None:
    client.right(method, path, {"id": client.make_coupon("c-17")})
    taken = {"campaignId": CAMPAIGN, "offerId": OFFER_FIXED, "externalId": "c-17"}
    refused(client.ask("POST", COUPON, taken), 409, "c-17")


def test_a_coupon_may_be_renamed_to_the_external_id_of_an_ended_one(client: Client) -> None:
    old, new = client.make_coupon("a"), client.make_coupon("b")
    client.right("PUT", COUPON, {"id": old, "expiryDate": to_text(client.fake.state.now())})
    client.right("PUT", f"{COUPON}/externalId", {"id": new, "newExternalId": "a"})
    assert client.right("GET", f"{COUPON}/externalId/{CAMPAIGN}/a")["id"] == new


def test_a_redemption_keeps_what_was_told_of_it(client: Client) -> None:
    identity = client.make_coupon()
    details = {
        "redemptionReference": "receipt-1",
        "redemptionCode": "till-3",
        "transactionReference": "order-1",
        "transactionAmount": 12.5,
        "metaData": {"shop": "north"},
    }
    client.right("PUT", f"{COUPON}/redeem", {"id": identity, "redemptionDetails": details})
    kept = client.coupon(identity)["redemptionDetails"]
    assert {name: kept[name] for name in details} == details
    assert kept["redemptionDate"] == to_text(client.fake.state.now())


def test_a_voided_coupon_is_invalidated(client: Client) -> None:
    identity = client.make_coupon()
    assert client.right("DELETE", COUPON, {"id": identity}) == {}
    assert client.right("GET", f"{COUPON}/{identity}")["passMetaData"]["status"] == "PASS_INVALIDATED"
    refused(client.ask("PUT", f"{COUPON}/redeem", {"id": identity}), 500, "voided")
    client.fake.switches.voided_coupons_stay = False
    client.right("DELETE", COUPON, {"id": identity})
    assert client.ask("GET", f"{COUPON}/{identity}").status_code == 404


def test_voiding_may_not_be_there(client: Client) -> None:
    client.fake.switches.coupon_void = False
    assert client.ask("DELETE", COUPON, {"id": client.make_coupon()}).status_code == 501


def test_an_expiry_date_counts_only_where_the_offer_lets_it(client: Client) -> None:
    date = to_text(client.fake.state.now() + timedelta(days=3))
    fixed = client.make_coupon("a", offerId=OFFER_FIXED, expiryDate=date)
    variable = client.make_coupon("b", offerId=OFFER_VARIABLE)
    for identity, expected in ((fixed, None), (variable, date)):
        client.right("PUT", COUPON, {"id": identity, "expiryDate": date, "metaData": {"a": "1"}})
        assert client.right("GET", f"{COUPON}/{identity}")["expiryDate"] == expected


def test_coupons_are_listed_counted_and_patched(client: Client) -> None:
    identity = client.make_coupon(sku="coffee")
    path = f"/coupon/singleUse/coupons/list/{CAMPAIGN}"
    (found,) = client.listed(path, {"filters": filter_by("passkitId", identity)})
    assert found["sku"] == "coffee"
    refused(client.ask("POST", path, {"filters": filter_by("sku", "coffee")}), 400, "sku")
    assert client.right("POST", f"/coupon/singleUse/coupons/count/{CAMPAIGN}", {}) == {"total": 1}
    client.right("PATCH", f"{COUPON}/person", {"id": identity, "person": {"surname": "Berg"}})
    assert client.right("GET", f"{COUPON}/{identity}")["person"]["surname"] == "Berg"
