from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.issuers.passkit import choices, records, sinks
from app.issuers.passkit.answers import MalformedAnswer
from app.issuers.passkit.credentials import Credentials
from app.issuers.passkit.links import apple_file, enrolment_page, google_page, pass_page

AT = "2026-11-20T09:30:00Z"
INSTANT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PERSON = {
    "forename": "Canary",
    "surname": "Canary",
    "displayName": "",
    "emailAddress": "canary@example.com",
    "mobileNumber": "+4912345",
    "dateOfBirth": {"year": 1815, "month": 12, "day": 10},
}
COMMON = {
    "id": "x",
    "person": PERSON,
    "metaData": {"a": "canary"},
    "passMetaData": {"status": "PASS_INSTALLED", "firstInstalledAt": AT},
    "expiryDate": AT,
    "created": AT,
    "updated": AT,
}


def test_a_member_is_read() -> None:
    member = records.member(
        {
            **COMMON,
            "externalId": "canary-1",
            "programId": "P",
            "tierId": "gold",
            "status": "ACTIVE",
            "points": 105.5,
            "secondaryPoints": 0,
            "tierPoints": 7,
            "optOut": True,
        }
    )
    assert (member.id, member.program_id, member.tier_id, member.external_id) == ("x", "P", "gold", "canary-1")
    assert (member.points, member.secondary_points, member.tier_points) == (Decimal("105.5"), Decimal(0), 7)
    assert (member.status, member.opted_out, member.expires_at) == ("ACTIVE", True, INSTANT)
    assert (member.lifecycle.status, member.lifecycle.first_installed_at) == ("PASS_INSTALLED", INSTANT)
    assert member.person.email == "canary@example.com"
    assert member.person.display_name is None
    assert member.person.date_of_birth == date(1815, 12, 10)
    assert member.meta_data == {"a": "canary"}


def test_a_coupon_is_read() -> None:
    redeemed = {"redemptionDate": AT, "redemptionReference": "op_1"}
    coupon = records.coupon({**COMMON, "campaignId": "C", "offerId": "O", "status": 1, "redemptionDetails": redeemed})
    assert (coupon.campaign_id, coupon.offer_id, coupon.status) == ("C", "O", "REDEEMED")
    assert (coupon.redeemed_at, coupon.redemption_reference) == (INSTANT, "op_1")
    assert coupon.opted_out is False


@pytest.mark.parametrize(
    "found",
    [
        {"event": {"id": "E", "production": {"id": "P"}}, "ticketType": {"id": "T"}, "optOut": "ON"},
        {"event": {"id": "E"}, "production": {"id": "P"}, "ticketType": {"id": "T"}, "optOut": True},
        {"event": {"id": "E"}, "ticketType": {"id": "T", "productionId": "P"}, "optOut": 1},
    ],
)
def test_a_ticket_is_read_in_its_long_and_its_short_form(found: dict[str, Any]) -> None:
    ticket = records.ticket({**COMMON, **found, "ticketNumber": "t-1", "status": "ISSUED", "validateDetails": [{}, {}]})
    assert (ticket.production_id, ticket.event_id, ticket.ticket_type_id) == ("P", "E", "T")
    assert (ticket.ticket_number, ticket.status, ticket.validations, ticket.opted_out) == ("t-1", "ISSUED", 2, True)


@pytest.mark.parametrize("unset", ["absent", "null"])
@pytest.mark.parametrize(
    ("read", "names"),
    [
        (records.member, ("externalId", "programId", "person", "metaData", "points", "passMetaData", "expiryDate")),
        (records.coupon, ("externalId", "offerId", "redemptionDetails", "sku", "status", "optOut")),
        (records.ticket, ("event", "ticketType", "validateDetails", "status", "optOut", "orderNumber")),
        (records.member_event, ("member", "eventType", "externalId", "metaData", "notes", "date")),
        (records.member_points, ("points", "secondaryPoints", "tierPoints")),
        (choices.program, ("name", "status", "pointsType", "metaFieldsList", "updated")),
        (choices.tier, ("name", "tierIndex", "passTemplateId", "pointsOverdrawn")),
        (choices.campaign, ("name", "status")),
        (choices.offer, ("offerTitle", "couponExpirySettings", "disabled", "issueStartDate")),
        (choices.production, ("uid", "name", "status")),
        (choices.venue, ("uid", "name", "timezone")),
        (choices.event, ("production", "venue", "scheduledStartDate")),
        (choices.ticket_type, ("uid", "productionId", "name")),
        (sinks.sink, ("classId", "protocol", "passEventId", "status", "configuration")),
    ],
)
def test_whatever_is_unset_is_no_error(read: Any, names: tuple[str, ...], unset: str) -> None:
    found = {"id": "x"} if unset == "absent" else {"id": "x", **dict.fromkeys(names)}
    assert read(found) == read({"id": "x"})
    with pytest.raises(MalformedAnswer, match="id is missing"):
        read({})


@pytest.mark.parametrize("read", [records.member, records.coupon, records.ticket, records.member_event])
def test_nothing_of_a_holder_is_shown(read: Any) -> None:
    shown = repr(read({**COMMON, "externalId": "canary", "ticketNumber": "canary", "notes": "canary"}))
    assert "anary" not in shown
    assert "4912345" not in shown


def test_link_keys_of_projects_are_not_read() -> None:
    project = choices.project(
        {"classId": "P", "protocol": 100, "secret": "canary", "key": "canary", "encryptedClassId": "canary"}
    )
    assert (project.class_id, project.protocol) == ("P", "MEMBERSHIP")
    assert not any("canary" in str(getattr(project, name)) for name in project.__slots__)


def test_a_draft_is_known() -> None:
    assert choices.program({"id": "P", "status": ["PROJECT_DRAFT"]}).is_draft
    assert choices.campaign({"id": "C", "status": [4, 1]}).is_draft
    assert not choices.program({"id": "P", "status": ["PROJECT_PUBLISHED"]}).is_draft


def test_an_empty_profile_is_no_profile() -> None:
    assert choices.profile({"username": "u", "regionId": None}).region_id == ""
    with pytest.raises(MalformedAnswer):
        choices.profile({"userId": "", "email": None})


def test_a_template_field_says_where_it_is_written() -> None:
    field = choices.template_field(
        {"uniqueName": "meta.a", "label": "A", "fieldType": 1, "dataType": "TEXT", "isRequired": True}
    )
    assert (field.unique_name, field.field_type, field.data_type) == ("meta.a", "META", "TEXT")
    assert (field.is_required, field.is_writable) == (True, False)


@pytest.mark.parametrize(
    ("configuration", "url"),
    [
        ('{"targetUrl":"https://example.com/canary","signingSecret":"canary"}', "https://example.com/canary"),
        ("{}", ""),
        ("", ""),
        ("[]", ""),
        ("not JSON", ""),
    ],
)
def test_a_sink_shows_neither_address_nor_secret(configuration: str, url: str) -> None:
    sink = sinks.sink(
        {"id": "S", "status": 2, "passEventId": [1, "PASS_EVENT_INSTALLED"], "configuration": configuration}
    )
    assert sink.target_url == url
    assert sink.is_active
    assert sink.events == ("PASS_EVENT_RECORD_CREATED", "PASS_EVENT_INSTALLED")
    assert "canary" not in repr(sink)


def test_pass_pages_have_addresses() -> None:
    credentials = Credentials.of_region("pub2", long_lived_token="opaque", pass_url="https://cards.example.com")
    assert pass_page(credentials, "abc") == "https://cards.example.com/abc"
    assert apple_file(credentials, "abc") == "https://cards.example.com/abc.pkpass"
    assert google_page(credentials, "abc") == "https://cards.example.com/abc.gpay"
    assert enrolment_page(credentials, "s/c") == "https://cards.example.com/c/s%2Fc"
    assert pass_page(Credentials.of_region("pub1", long_lived_token="opaque"), "abc") == "https://pub1.pskt.io/abc"
