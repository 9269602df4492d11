"""A demo account: a membership program with four tiers, a coupon campaign with two offers, a production with an event.

IDs are fixed and have PassKit's length, so that examples can name them.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.passkit.expiry import USUAL_DAYS_KEPT
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, to_text

PROGRAM = "demoProgram00000000001"
CAMPAIGN = "demoCampaign0000000001"
PRODUCTION = "demoProduction00000001"
VENUE = "demoVenue0000000000001"
EVENT = "demoEvent0000000000001"
BRONZE, SILVER, GOLD = "bronze", "silver", "gold"
FOREVER = "forever"  # passes of this tier do not expire; those of the others do, on a date of their own
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
    _template(state, MEMBER_TEMPLATE, "Demo card", "MEMBERSHIP", member_fields, now)
    _template(state, COUPON_TEMPLATE, "Demo coupon", "SINGLE_USE_COUPON", [name, email, sku, expiry], now)
    _template(state, TICKET_TEMPLATE, "Demo ticket", "EVENT_TICKETING", [name, email, color], now)


def _template(state: State, identity: str, title: str, protocol: str, fields: list[Record], now: str) -> None:
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
    _program(state, PROGRAM, "Demo loyalty", "demoL1", now)
    for index, tier in enumerate((BRONZE, SILVER, GOLD), start=1):
        _tier(state, PROGRAM, tier, index, MEMBER_TEMPLATE, now)
    lifetime = _tier(state, PROGRAM, FOREVER, 4, MEMBER_TEMPLATE, now)
    lifetime.update(name="Lifetime", expirySettings={"expiryType": "EXPIRE_NONE"})


def _program(state: State, identity: str, name: str, short_code: str, now: str) -> None:
    _project(state, "MEMBERSHIP", identity, name, short_code, now)
    state.programs.add(
        identity,
        {
            "id": identity, "name": name, "status": list(_ACTIVE_DRAFT), "created": now, "updated": now,
            "pointsType": {"balanceType": "BALANCE_TYPE_DOUBLE"}, "metaFieldsList": ["favouriteColour"],
            "passTypeIdentifier": "pass.com.example.demo", "autoDeleteDaysAfterExpiry": USUAL_DAYS_KEPT,
        },
    )  # fmt: skip


def _tier(state: State, program_id: str, identity: str, index: int, template_id: str, now: str) -> Record:
    tier = {
        "id": identity, "tierIndex": index, "name": identity.title(), "programId": program_id,
        "passTemplateId": template_id, "timezone": "Europe/Berlin", "shortCode": f"demoT{index}",
        "allowTierEnrolment": {"ok": True}, "expirySettings": {"expiryType": "EXPIRE_ON_VARIABLE_DATE_TIME"},
        "created": now, "updated": now,
    }  # fmt: skip
    return state.tiers.add(f"{program_id}/{identity}", tier)


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
    _event(state, EVENT, start, now)
    for identity, uid in ((ADULT, ADULT_UID), (CHILD, CHILD_UID)):
        _ticket_type(state, identity, uid, now)


def _event(state: State, identity: str, start: datetime, now: str) -> None:
    times = {"scheduledStartDate": to_text(start), "endDate": to_text(start + timedelta(hours=3))}
    places = {"productionId": PRODUCTION, "venueId": VENUE}
    state.events.add(identity, {"id": identity, **places, **times, "created": now, "updated": now})


def _ticket_type(state: State, identity: str, uid: str, now: str) -> None:
    kind = {"id": identity, "uid": uid, "productionId": PRODUCTION, "name": uid.title(), "created": now, "updated": now}
    state.ticket_types.add(identity, {**kind, "beforeRedeemPassTemplateId": TICKET_TEMPLATE})


def many(state: State, *, programs: int = 500, tiers: int = 3) -> None:
    """Add membership programs, each with tiers, each tier with a template of its own."""
    now = state.now_text()
    color = _field("meta.favouriteColour", "META", "Favourite colour", "TEXT")
    for number in range(1, programs + 1):
        program_id = f"manyProgram{number:011}"
        _program(state, program_id, f"Program {number}", f"manyL{number}", now)
        for index in range(1, tiers + 1):
            template_id = f"manyTemplate{number:07}{index:03}"
            _template(state, template_id, f"Card {number}.{index}", "MEMBERSHIP", [color], now)
            _tier(state, program_id, f"tier-{index}", index, template_id, now)


def many_tickets(state: State, *, events: int = 120, ticket_types: int = 0) -> None:
    """Add events and ticket types to the demo's production.

    The events are one a day, listed in no order: tomorrow's is the last.
    """
    now = state.now_text()
    days = list(range(2, events + 1))
    random.Random(events).shuffle(days)
    for number, day in enumerate([*days, 1], start=1):
        _event(state, f"manyEvent{number:013}", state.now() + timedelta(days=day), now)
    for number in range(1, ticket_types + 1):
        _ticket_type(state, f"manyTicketType{number:08}", f"kind-{number}", now)
