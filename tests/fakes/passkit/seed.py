"""A demo account: a membership program with three tiers, a coupon campaign with two offers, a production with an event.

IDs are fixed and have PassKit's length, so that examples can name them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, to_text

PROGRAM = "demoProgram00000000001"
CAMPAIGN = "demoCampaign0000000001"
PRODUCTION = "demoProduction00000001"
VENUE = "demoVenue0000000000001"
EVENT = "demoEvent0000000000001"
BRONZE, SILVER, GOLD = "bronze", "silver", "gold"
OFFER_FIXED = "demoOfferFixed00000001"
OFFER_VARIABLE = "demoOfferVariable00001"
ADULT = "demoTicketTypeAdult001"
CHILD = "demoTicketTypeChild001"
PRODUCTION_UID, VENUE_UID, ADULT_UID, CHILD_UID = "summer-concert", "town-hall", "adult", "child"
MEMBER_TEMPLATE = "demoTemplateMember0001"
COUPON_TEMPLATE = "demoTemplateCoupon0001"
TICKET_TEMPLATE = "demoTemplateTicket0001"

EVENT_IN = timedelta(days=30)
_ACTIVE_DRAFT = ["PROJECT_ACTIVE_FOR_OBJECT_CREATION", "PROJECT_DRAFT"]


def demo(state: State) -> None:
    """Fill an empty account."""
    now = state.now_text()
    _templates(state, now)
    _membership(state, now)
    _coupons(state, now)
    _tickets(state, now)


def _templates(state: State, now: str) -> None:
    name = _field("person.displayName", "PII", "Name", "TEXT")
    email = _field("person.emailAddress", "PII", "E-mail", "EMAIL")
    color = _field("meta.favouriteColour", "META", "Favourite colour", "TEXT")
    points = _field("members.member.points", "PROTOCOL_FIELDS", "Points", "NUMBER")
    tier = _field("members.tier.id", "PROTOCOL_FIELDS", "Tier", "TEXT")
    expiry = _field("universal.expiryDate", "UNIVERSAL_FIELDS", "Expires", "DATE_TIME")
    sku = _field("singleUseCoupons.coupon.sku", "PROTOCOL_FIELDS", "Article", "TEXT")
    slogan = _field("custom.slogan", "CUSTOM_FIELDS", "Slogan", "TEXT", defaultValue="Hello ${meta.favouriteColour}")
    del slogan["userCanSetValue"]
    member_fields = [name, {**email, "isRequired": True}, color, points, tier, expiry, slogan]
    for identity, title, protocol, fields in (
        (MEMBER_TEMPLATE, "Demo card", "MEMBERSHIP", member_fields),
        (COUPON_TEMPLATE, "Demo coupon", "SINGLE_USE_COUPON", [name, email, sku, expiry]),
        (TICKET_TEMPLATE, "Demo ticket", "EVENT_TICKETING", [name, email, color]),
    ):  # fmt: skip
        template = {
            "id": identity,
            "name": title,
            "protocol": protocol,
            "revision": 1,
            "organizationName": "Passrail Demo",
            "description": title,
            "data": {"dataFields": [{**field, "templateId": identity} for field in fields]},
            "colors": {"backgroundColor": "#1f2937", "labelColor": "#cbd5e1", "textColor": "#ffffff"},
            "timezone": "Europe/Berlin",
        }
        record = {"template": template, "Name": title, "protocol": protocol, "revision": 1, "createdAt": now}
        state.templates.add(identity, {**record, "ownerUsername": "demo", "updatedAt": now})


def _field(name: str, kind: str, label: str, data_type: str, **more: Any) -> Record:
    usage = ["USAGE_APPLE_WALLET", "USAGE_GOOGLE_PAY", "USAGE_DATA_COLLECTION_PAGE"]
    settled = {"uniqueName": name, "fieldType": kind, "label": label, "dataType": data_type}
    return {**settled, "userCanSetValue": True, "usage": usage, **more}


def _project(state: State, protocol: str, identity: str, name: str, short_code: str, now: str) -> None:
    state.projects.add(
        identity,
        {
            "protocol": protocol, "classId": identity, "name": name, "shortCode": short_code, "created": now,
            "secret": f"link secret of {name}, to be dropped by clients", "key": f"link key of {name}, to be dropped",
            "encryptedClassId": f"encrypted {identity}",
        },
    )  # fmt: skip


def _membership(state: State, now: str) -> None:
    _project(state, "MEMBERSHIP", PROGRAM, "Demo loyalty", "demoL1", now)
    state.programs.add(
        PROGRAM,
        {
            "id": PROGRAM, "name": "Demo loyalty", "status": list(_ACTIVE_DRAFT), "created": now, "updated": now,
            "pointsType": {"balanceType": "BALANCE_TYPE_DOUBLE"}, "metaFieldsList": ["favouriteColour"],
            "passTypeIdentifier": "pass.com.example.demo",
        },
    )  # fmt: skip
    for index, tier in enumerate((BRONZE, SILVER, GOLD), start=1):
        state.tiers.add(
            f"{PROGRAM}/{tier}",
            {
                "id": tier, "tierIndex": index, "name": tier.title(), "programId": PROGRAM,
                "passTemplateId": MEMBER_TEMPLATE, "timezone": "Europe/Berlin", "shortCode": f"demoT{index}",
                "allowTierEnrolment": {"ok": True}, "created": now, "updated": now,
            },
        )  # fmt: skip


def _coupons(state: State, now: str) -> None:
    _project(state, "SINGLE_USE_COUPON", CAMPAIGN, "Demo coupons", "demoC1", now)
    state.campaigns.add(
        CAMPAIGN,
        {
            "id": CAMPAIGN, "name": "Demo coupons", "status": list(_ACTIVE_DRAFT), "ianaTimezone": "Europe/Berlin",
            "passTypeIdentifier": "pass.com.example.demo", "created": now, "updated": now,
        },
    )  # fmt: skip
    for identity, title, expiry in (
        (OFFER_FIXED, "A free coffee", "AUTO_EXPIRE_OFFER_END_DATE"),
        (OFFER_VARIABLE, "Ten percent off", "EXPIRE_ON_VARIABLE_DATE_TIME"),
    ):
        state.offers.add(
            identity,
            {
                "id": identity, "campaignId": CAMPAIGN, "offerTitle": title, "offerShortTitle": title,
                "offerDetails": title, "beforeRedeemPassTemplateId": COUPON_TEMPLATE, "created": now, "updated": now,
                "couponExpirySettings": {"couponExpiryType": expiry}, "issueStartDate": now,
                "issueEndDate": to_text(state.now() + timedelta(days=365)), "ianaTimezone": "Europe/Berlin",
            },
        )  # fmt: skip


def _tickets(state: State, now: str) -> None:
    _project(state, "EVENT_TICKETING", PRODUCTION, "Demo concert", "demoP1", now)
    stamps = {"created": now, "updated": now}
    state.productions.add(
        PRODUCTION,
        {"id": PRODUCTION, "uid": PRODUCTION_UID, "name": "Demo concert", "status": list(_ACTIVE_DRAFT), **stamps},
    )
    venue = {
        "id": VENUE,
        "uid": VENUE_UID,
        "name": "Town hall",
        "address": "1 Main Street",
        "timezone": "Europe/Berlin",
    }
    state.venues.add(VENUE, {**venue, **stamps})
    start = (state.now() + EVENT_IN).replace(hour=19, minute=0, second=0, microsecond=0)
    state.events.add(
        EVENT,
        {
            "id": EVENT, "productionId": PRODUCTION, "venueId": VENUE, "scheduledStartDate": to_text(start),
            "endDate": to_text(start + timedelta(hours=3)), **stamps,
        },
    )  # fmt: skip
    for identity, uid in ((ADULT, ADULT_UID), (CHILD, CHILD_UID)):
        kind = {"id": identity, "uid": uid, "productionId": PRODUCTION, "name": uid.title()}
        state.ticket_types.add(identity, {**kind, "beforeRedeemPassTemplateId": TICKET_TEMPLATE, **stamps})
