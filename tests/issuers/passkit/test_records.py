"""What PassKit tells about passes, as leniently as it tells it, and strictly where nothing can be guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.issuers.passkit.answers import MalformedAnswer
from app.issuers.passkit.records import Record, coupon, event_of, member, ticket
from app.model import Kind, Ticket

WALLET = {"status": "PASS_INVALIDATED", "invalidatedAt": "2026-11-20T09:30:00Z"}
COMMON = {"id": "x", "expiryDate": "2026-11-20T09:30:00Z", "created": "2026-11-19T09:30:00Z", "passMetaData": WALLET}
PLACES: dict[str, dict[str, Any]] = {
    "member": {"programId": "p"},
    "coupon": {"campaignId": "p"},
    "ticket": {"event": {"id": "e", "production": {"id": "p"}}},
}
READERS = {"member": member, "coupon": coupon, "ticket": ticket}
NOON = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", READERS)
def test_what_all_have_in_common(name: str) -> None:
    record = READERS[name]({**COMMON, **PLACES[name], "metaData": {"a": "b"}, "person": {"forename": "Ada"}})
    assert (record.id, record.program_id, record.expires_at) == ("x", "p", NOON)
    assert (record.is_invalid, record.invalidated_at) == (True, NOON)
    assert (record.meta_data, record.person) == ({"a": "b"}, {"forename": "Ada"})


@pytest.mark.parametrize("name", READERS)
def test_what_is_unset_may_come_in_any_form(name: str) -> None:
    unset = {"status": None, "person": None, "metaData": None, "passMetaData": None, "expiryDate": None}
    record = READERS[name]({"id": "x", **PLACES[name], **unset})
    bare = READERS[name]({"id": "x", **PLACES[name]})
    assert (record.is_invalid, record.is_redeemed, record.expires_at, record.external_id) == (False, False, None, "")
    assert (record.pass_status, record.status) == (bare.pass_status, bare.status)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("wrong", [{"id": ""}, {"id": 5}, {"person": []}, {"metaData": "x"}, {"expiryDate": "soon"}])
def test_what_cannot_be_read_is_not_guessed(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        READERS[name]({**COMMON, **PLACES[name], **wrong})


@pytest.mark.parametrize("read", [member, coupon, ticket])
def test_a_record_of_no_program_is_none(read: Callable[[Any], Record]) -> None:
    with pytest.raises(MalformedAnswer):
        read(COMMON)


def test_a_member() -> None:
    record = member({**COMMON, "programId": "p", "tierId": "gold", "points": 105.0999984741211, "tierPoints": 40})
    assert (record.kind, record.tier_id, record.points) == (Kind.MEMBERSHIP, "gold", Decimal("105.1"))
    assert record.tier_points == 40
    assert member({"id": "x", "programId": "p", "status": 3}).is_invalid


def test_a_coupon() -> None:
    details = {"redemptionDate": "2026-11-20T09:30:00Z", "redemptionReference": "step-1"}
    record = coupon({**COMMON, "campaignId": "c", "offerId": "o", "status": 1, "redemptionDetails": details})
    assert (record.tier_id, record.is_redeemed, record.points) == ("o", True, None)
    assert (record.redeemed_at, record.redemption_reference) == (NOON, "step-1")


def test_a_ticket_in_full_and_as_lists_have_it() -> None:
    event = {"id": "e", "scheduledStartDate": "2026-12-20T19:00:00Z"}
    production, ticket_type = {"id": "p", "name": "Concert"}, {"id": "adult", "productionId": "p"}
    full = ticket({**COMMON, "event": {**event, "production": production}, "ticketType": ticket_type})
    listed = ticket({**COMMON, "event": event, "production": production, "ticketType": ticket_type})
    for record in (full, listed):
        assert (record.program_id, record.tier_id, event_of(record)) == ("p", "adult", "e")
        assert record.ticket == Ticket(event_name="Concert", event_starts_at="2026-12-20T19:00:00Z")
    seat = {"section": "B", "seat": "17"}
    assert ticket({**COMMON, "ticketType": ticket_type, "seatInfo": seat}).ticket == Ticket(seat="section B, seat 17")
    assert ticket({**COMMON, "ticketType": ticket_type}).ticket is None


@pytest.mark.parametrize("name", READERS)
def test_nothing_of_a_holder_is_shown(name: str) -> None:
    holder = {"person": {"forename": "canary"}, "metaData": {"canary": "canary"}}
    shown = repr(READERS[name]({**COMMON, **PLACES[name], **holder, "externalId": "canary", "ticketNumber": "canary"}))
    assert "canary" not in shown
