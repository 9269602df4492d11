"""Single-use coupons: making, finding, changing, redeeming, voiding, listing."""

from __future__ import annotations

from tests.fakes.passkit import lifecycle, person
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal, business, not_found
from tests.fakes.passkit.filters import matching, page
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record

COUPON = "single_use_coupons.Coupon"
PROTOCOL = "SINGLE_USE_COUPON"
FILTER_FIELDS = frozenset({"offerId", "passStatus", "passkitId"})
PREFIX = "/coupon/singleUse"

READ_ONLY = {"id", "campaignId", "externalId", "status", "redemptionDetails", "passMetaData", "created", "updated"}


@route("POST", f"{PREFIX}/coupon", takes=COUPON, gives="io.Id", required="campaignId offerId")
def create(call: Call) -> Record:
    """Make a coupon. 409 when the external ID is that of a coupon of the campaign which has not expired."""
    state, body = call.state, call.body
    campaign = call.known(state.campaigns, body["campaignId"])
    if "PROJECT_ACTIVE_FOR_OBJECT_CREATION" not in campaign.get("status", []):
        raise business("campaign is not active for object creation")
    offer = _offer(call, campaign["id"], body["offerId"])
    person.check(call, body.get("person", {}))
    now = state.now_text()
    written_once = {"campaignId", "externalId"}
    given = {name: value for name, value in body.items() if name in written_once or name not in READ_ONLY}
    if not _has_own_expiry(offer):
        given.pop("expiryDate", None)
    record = {**given, "id": state.new_id(), "created": now, "updated": now, "passMetaData": {"issueAt": now}}
    _free_external_id(call, campaign["id"], record.get("externalId", ""))
    state.coupons.add(record["id"], record)
    call.count(record)
    call.publish(PROTOCOL, "CREATED", record)
    return {"id": record["id"]}


def _free_external_id(call: Call, campaign_id: str, external_id: str) -> None:
    """Let another coupon have the external ID of one that is over, which is then found by PassKit's own ID only."""
    known = call.state.coupons.find(campaign_id, external_id)
    if known is None:
        return
    is_free_when_voided = call.switches.voided_coupons_free_ids and lifecycle.is_invalidated(known)
    if lifecycle.has_expired(call.state, known) or is_free_when_voided:
        call.state.coupons.release(known)


def _offer(call: Call, campaign_id: str, offer_id: str) -> Record:
    offer = call.known(call.state.offers, offer_id)
    if offer["campaignId"] != campaign_id:
        raise not_found("offer", offer_id)
    if not offer.get("beforeRedeemPassTemplateId"):
        raise business("pass template id cannot be empty")
    return offer


def _has_own_expiry(offer: Record) -> bool:
    """Tell whether coupons of this offer have an expiry date of their own; else the field is ignored."""
    return bool(offer.get("couponExpirySettings", {}).get("couponExpiryType") == "EXPIRE_ON_VARIABLE_DATE_TIME")


def _wanted(call: Call, campaign_name: str = "campaignId") -> Record:
    identity, external_id = call.text("id"), call.text("externalId")
    if identity:
        return _by_id(call, identity)
    if not external_id:
        raise call.invalid("id", "required_without")
    if not call.text(campaign_name):
        raise call.invalid(campaign_name)
    return _by_external_id(call, call.text(campaign_name), external_id)


def _by_id(call: Call, identity: str) -> Record:
    return lifecycle.get(call.state, call.state.coupons, identity)


def _by_external_id(call: Call, campaign_id: str, external_id: str) -> Record:
    return lifecycle.find(call.state, call.state.coupons, campaign_id, external_id)


@route("GET", f"{PREFIX}/coupon/{{id}}", takes="io.Id", gives=COUPON)
def get_by_id(call: Call) -> Record:
    """Return a coupon by PassKit's ID."""
    return _by_id(call, call.text("id"))


@route(
    "GET", f"{PREFIX}/coupon/externalId/{{couponCampaignId}}/{{externalId}}",
    takes="single_use_coupons.ExternalIdRequest", gives=COUPON,
)  # fmt: skip
def get_by_external_id(call: Call) -> Record:
    """Return a coupon by the caller's ID: the active one, when an expired one had the same."""
    return _by_external_id(call, call.text("couponCampaignId"), call.text("externalId"))


@route("PUT", f"{PREFIX}/coupon", takes=COUPON, gives="io.Id")
def update(call: Call) -> Record:
    """Change a coupon. Only what is not zero, false or empty is seen; `metaData` is replaced as a whole."""
    record = _wanted(call)
    given = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    offer = _offer(call, record["campaignId"], given.get("offerId") or record["offerId"])
    if not _has_own_expiry(offer):
        given.pop("expiryDate", None)
    if "expiryDate" not in given:
        _check_living(record)
    person.check(call, given.get("person", {}))
    record.update(given, updated=call.state.now_text())
    return _changed(call, record)


def _check_living(record: Record) -> None:
    if lifecycle.is_invalidated(record):
        raise business(f"coupon [{record['id']}] is expired or voided")


def _changed(call: Call, record: Record, what: str = "UPDATED", event_id: str = "") -> Record:
    call.count(record, event_id)
    call.publish(PROTOCOL, what, record)
    return {"id": record["id"]}


@route("PATCH", f"{PREFIX}/coupon/person", takes="io.PersonRequest", gives="io.Id")
def patch_person(call: Call) -> Record:
    """Change the holder's personal data; here the campaign is called `classId`."""
    record = _wanted(call, "classId")
    _check_living(record)
    person.patch(call, record, call.body.get("person", {}))
    return _changed(call, record)


@route(
    "PUT", f"{PREFIX}/coupon/externalId",
    takes="single_use_coupons.CouponNewExternalIdRequest", gives="io.Id", required="newExternalId",
)  # fmt: skip
def rename(call: Call) -> Record:
    """Give a coupon another external ID. 409 when it is taken."""
    record = _wanted(call, "couponCampaignId")
    _free_external_id(call, record["campaignId"], call.text("newExternalId"))
    call.state.coupons.rename(record, "externalId", call.text("newExternalId"))
    record["updated"] = call.state.now_text()
    return _changed(call, record)


@route("PUT", f"{PREFIX}/coupon/redeem", takes=COUPON, gives="io.Id")
def redeem(call: Call) -> Record:
    """Redeem a coupon, once."""
    record = _wanted(call)
    _check_living(record)
    if record.get("status") == "REDEEMED":
        raise business(f"coupon [{record['id']}] has already been redeemed")
    details = call.body.get("redemptionDetails", {})
    now = call.state.now_text()
    record.update(status="REDEEMED", updated=now, redemptionDetails={"redemptionDate": now, **details})
    return _changed(call, record, "REDEEMED", details.get("redemptionReference", ""))


@route("DELETE", f"{PREFIX}/coupon", takes=COUPON)
def void(call: Call) -> Record:
    """Void a coupon for good."""
    if not call.switches.coupon_void:
        raise Refusal(501, "Method Not Allowed")
    record = _wanted(call)
    remove(call, record)
    call.count(record)
    return {}


def remove(call: Call, record: Record) -> None:
    """Take a coupon out of use."""
    if call.switches.voided_coupons_stay:
        lifecycle.invalidate(call.state, record)
    else:
        call.state.coupons.remove(record["id"])
    call.publish(PROTOCOL, "DELETED", record)


def listed(call: Call, campaign_id: str) -> list[Record]:
    """Return all coupons of a campaign."""
    campaign = call.known(call.state.campaigns, campaign_id)["id"]
    coupons = lifecycle.every(call.state, call.state.coupons)
    return [record for record in coupons if record["campaignId"] == campaign]


@route(
    "POST", f"{PREFIX}/coupons/list/{{couponCampaignId}}",
    takes="single_use_coupons.ListRequest", gives=COUPON, stream=True,
)  # fmt: skip
def list_coupons(call: Call) -> list[Record]:
    """List a campaign's coupons; with `emailAsCsv` they travel by mail and the answer is empty."""
    found = page(COUPON, listed(call, call.text("couponCampaignId")), call.body.get("filters", {}), FILTER_FIELDS)
    return [] if call.body.get("emailAsCsv") else found


@route("POST", f"{PREFIX}/coupons/count/{{couponCampaignId}}", takes="single_use_coupons.ListRequest", gives="io.Count")
def count_coupons(call: Call) -> Record:
    """Count a campaign's coupons."""
    groups = call.body.get("filters", {}).get("filterGroups", [])
    return {"total": len(matching(COUPON, listed(call, call.text("couponCampaignId")), groups, FILTER_FIELDS))}


@route("GET", f"{PREFIX}/campaign/meta/{{id}}", takes="io.Id", gives="io.Strings")
def meta_keys(call: Call) -> Record:
    """Return the keys of metaData that a campaign's coupons use."""
    used: dict[str, None] = {}
    for record in listed(call, call.text("id")):
        used.update(dict.fromkeys(record.get("metaData", {})))
    return {"response": list(used)}
