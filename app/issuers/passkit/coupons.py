"""Single-use coupons of a campaign: every route the actions need, one function each.

All functions raise `failures.PassKitFailure`; Raises names what to expect in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.issuers.passkit import values
from app.issuers.passkit.failures import NotFound
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.reading import texts_of
from app.issuers.passkit.records import Coupon, Person, coupon, new_id, nothing, total
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import given, without_none

PREFIX = "/coupon/singleUse"
COUPON = f"{PREFIX}/coupon"


def create(
    transport: Transport,
    campaign_id: str,
    offer_id: str,
    *,
    external_id: str | None = None,
    person: Person | None = None,
    meta_data: Mapping[str, str] | None = None,
    sku: str | None = None,
    expires_at: datetime | None = None,
    opted_out: bool | None = None,
) -> str:
    """`POST /coupon/singleUse/coupon` {campaignId, offerId, externalId, person, metaData, sku, ...} -> ID.

    Also sent: expiryDate, optOut. `expires_at` counts only when the offer's `expiry_type` is
    EXPIRE_ON_VARIABLE_DATE_TIME (documented). With an external ID the call may be repeated, because the second is
    refused; without one it never is.

    Raises:
        Conflict: the campaign has a coupon of this external ID (field report: 409); as for `members.enrol`.
        InvalidRequest: the external ID has a slash.
    """
    body = without_none(
        campaignId=campaign_id,
        offerId=offer_id,
        externalId=given(external_id, values.external_id),
        person=given(person, Person.to_json),
        metaData=given(meta_data, values.meta_data),
        sku=sku,
        expiryDate=given(expires_at, values.instant),
        optOut=opted_out,
    )
    effect = Effect.EVERY_TIME if external_id is None else Effect.IDEMPOTENT
    return transport.send(effect, "POST", COUPON, new_id, body)


def get(transport: Transport, coupon_id: str) -> Coupon:
    """`GET /coupon/singleUse/coupon/{id}` -> Coupon."""
    return transport.send(Effect.NONE, "GET", f"{COUPON}/{{id}}", coupon, path={"id": coupon_id})


def get_by_external_id(transport: Transport, campaign_id: str, external_id: str) -> Coupon:
    """`GET /coupon/singleUse/coupon/externalId/{couponCampaignId}/{externalId}` -> Coupon."""
    path = {"couponCampaignId": campaign_id, "externalId": external_id}
    route = f"{COUPON}/externalId/{{couponCampaignId}}/{{externalId}}"
    return transport.send(Effect.NONE, "GET", route, coupon, path=path)


def update(
    transport: Transport,
    coupon_id: str,
    *,
    meta_data: Mapping[str, str] | None = None,
    sku: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """`PUT /coupon/singleUse/coupon` {id, metaData, sku, expiryDate} -> ID.

    There is no `operation`; a body of some fields leaves the others (field report). Give `meta_data` whole
    (`values.merge_meta_data`). `expires_at` as for `create`.
    """
    body = without_none(
        id=coupon_id,
        metaData=given(meta_data, values.meta_data),
        sku=sku,
        expiryDate=given(expires_at, values.instant),
    )
    transport.send(Effect.IDEMPOTENT, "PUT", COUPON, new_id, body)


def patch_person(transport: Transport, coupon_id: str, person: Person) -> None:
    """`PATCH /coupon/singleUse/coupon/person` {id, person} -> ID."""
    body = {"id": coupon_id, "person": person.to_json()}
    transport.send(Effect.IDEMPOTENT, "PATCH", f"{COUPON}/person", new_id, body)


def redeem(
    transport: Transport,
    coupon_id: str,
    *,
    reference: str | None = None,
    code: str | None = None,
    source: str | None = None,
    redeemed_at: datetime | None = None,
) -> None:
    """`PUT /coupon/singleUse/coupon/redeem` {id, redemptionDetails{redemptionDate, redemptionCode, ...}} -> ID.

    Never repeated once a byte was sent. Read the status before, and after an Unclear: `redemption_reference` tells
    whose redemption it was, so put our operation's ID there.

    Raises:
        Refused: it was redeemed before (the status code for that is not known).
    """
    details = without_none(
        redemptionDate=given(redeemed_at, values.instant),
        redemptionCode=code,
        redemptionSource=source,
        redemptionReference=reference,
    )
    body = without_none(id=coupon_id, redemptionDetails=details or None)
    transport.send(Effect.EVERY_TIME, "PUT", f"{COUPON}/redeem", new_id, body)


def void(transport: Transport, coupon_id: str) -> None:
    """`DELETE /coupon/singleUse/coupon` {id} -> {}. Irreversible; invalidates the pass.

    One team reports that there is no void over REST and got 501 (field report, on other paths than this documented
    one): that is a Refused with status 501, and an expiry in the past is the way round it.

    Raises:
        NotFound: it does not exist. Not raised when an earlier try of this call may have voided it.
    """
    try:
        transport.send(Effect.IDEMPOTENT, "DELETE", COUPON, nothing, {"id": coupon_id})
    except NotFound as failure:
        if not failure.after_unclear:
            raise


def list_coupons(transport: Transport, campaign_id: str, filters: Filters | None = None) -> list[Coupon]:
    """`POST /coupon/singleUse/coupons/list/{couponCampaignId}` {filters} -> stream of Coupon.

    Fields to filter by: offerId, passStatus, passkitId (documented).
    """
    body = {"filters": (filters or Filters()).to_json()}
    route = f"{PREFIX}/coupons/list/{{couponCampaignId}}"
    return transport.ask_list(route, coupon, body, path={"couponCampaignId": campaign_id})


def count(transport: Transport, campaign_id: str, filters: Filters | None = None) -> int:
    """`POST /coupon/singleUse/coupons/count/{couponCampaignId}` {filters} -> {total}."""
    body = {"filters": (filters or Filters()).to_json()}
    route = f"{PREFIX}/coupons/count/{{couponCampaignId}}"
    return transport.send(Effect.NONE, "POST", route, total, body, path={"couponCampaignId": campaign_id})


def meta_keys(transport: Transport, campaign_id: str) -> tuple[str, ...]:
    """`GET /coupon/singleUse/campaign/meta/{campaignId}` -> names in use in `metaData`."""
    route = f"{PREFIX}/campaign/meta/{{id}}"
    return transport.send(
        Effect.NONE, "GET", route, lambda found: texts_of(found, "response"), path={"id": campaign_id}
    )
