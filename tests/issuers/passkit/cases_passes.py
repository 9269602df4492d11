"""The requests of coupons and tickets."""

from __future__ import annotations

from app.issuers.passkit import coupons, tickets
from app.issuers.passkit.tickets import EventRef
from tests.issuers.passkit.case import ADA, ADA_JSON, ID, ISSUED, LATER, LATER_TEXT, PAGE, Case, listed

CASES = [
    # coupons
    Case(coupons.create, ("C", "O"), "POST /coupon/singleUse/coupon", {"campaignId": "C", "offerId": "O"}),
    Case(
        coupons.create,
        ("C", "O"),
        "POST /coupon/singleUse/coupon",
        {
            "campaignId": "C",
            "offerId": "O",
            "externalId": "c-1",
            "person": ADA_JSON,
            "metaData": {"a": "b"},
            "sku": "s",
            "expiryDate": LATER_TEXT,
            "optOut": False,
        },
        {
            "external_id": "c-1",
            "person": ADA,
            "meta_data": {"a": "b"},
            "sku": "s",
            "expires_at": LATER,
            "opted_out": False,
        },
    ),
    Case(coupons.get, ("K",), "GET /coupon/singleUse/coupon/K"),
    Case(coupons.get_by_external_id, ("C", "c-1"), "GET /coupon/singleUse/coupon/externalId/C/c-1"),
    Case(
        coupons.update,
        ("K",),
        "PUT /coupon/singleUse/coupon",
        {"id": "K", "metaData": {"a": "b"}, "sku": "s", "expiryDate": LATER_TEXT},
        {"meta_data": {"a": "b"}, "sku": "s", "expires_at": LATER},
    ),
    Case(coupons.patch_person, ("K", ADA), "PATCH /coupon/singleUse/coupon/person", {"id": "K", "person": ADA_JSON}),
    Case(coupons.redeem, ("K",), "PUT /coupon/singleUse/coupon/redeem", {"id": "K"}),
    Case(
        coupons.redeem,
        ("K",),
        "PUT /coupon/singleUse/coupon/redeem",
        {
            "id": "K",
            "redemptionDetails": {
                "redemptionDate": LATER_TEXT,
                "redemptionCode": "code",
                "redemptionSource": "till",
                "redemptionReference": "op_1",
            },
        },
        {"reference": "op_1", "code": "code", "source": "till", "redeemed_at": LATER},
    ),
    Case(coupons.void, ("K",), "DELETE /coupon/singleUse/coupon", {"id": "K"}, answer={}),
    listed(coupons.list_coupons, "C", request="/coupon/singleUse/coupons/list/C", body={"filters": PAGE}),
    Case(coupons.count, ("C",), "POST /coupon/singleUse/coupons/count/C", {"filters": PAGE}, answer={"total": 5}),
    Case(coupons.meta_keys, ("C",), "GET /coupon/singleUse/campaign/meta/C", answer={"response": ["a"]}),
    # tickets
    Case(
        tickets.issue,
        ("E", "T", "t-1"),
        "POST /eventTickets/ticket",
        {"eventId": "E", "ticketTypeId": "T", "ticketNumber": "t-1"},
    ),
    Case(
        tickets.issue,
        (EventRef("P", "V", LATER), "T", "t-1"),
        "POST /eventTickets/ticket",
        {
            "event": {"productionId": "P", "venueId": "V", "scheduledStartDate": LATER_TEXT},
            "ticketTypeId": "T",
            "ticketNumber": "t-1",
            "orderNumber": "o-1",
            "person": ADA_JSON,
            "metaData": {"a": "b"},
            "expiryDate": LATER_TEXT,
            "optOut": True,
        },
        {"person": ADA, "meta_data": {"a": "b"}, "order_number": "o-1", "expires_at": LATER, "opted_out": True},
    ),
    Case(
        tickets.issue_by_own_ids,
        ("p", "v", LATER, "t", "t-1"),
        "POST /eventTickets/ticket/id",
        {
            "ticketNumber": "t-1",
            "event": {"production": {"uid": "p"}, "venue": {"uid": "v"}, "scheduledStartDate": LATER_TEXT},
            "ticketType": {"uid": "t"},
            "orderNumber": "o-1",
            "person": ADA_JSON,
            "metaData": {"a": "b"},
            "expiryDate": LATER_TEXT,
        },
        {"person": ADA, "meta_data": {"a": "b"}, "order_number": "o-1", "expires_at": LATER},
        answer=ISSUED,
    ),
    Case(tickets.get, ("K",), "GET /eventTickets/ticket/id/K"),
    Case(
        tickets.get_by_ticket_number,
        ("P", "t 1&2"),
        "GET /eventTickets/ticket/ticketNumber?productionId=P&ticketNumber=t+1%262",
    ),
    Case(
        tickets.get_by_order_number,
        ("P", "o-1"),
        "GET /eventTickets/tickets/orderNumber?productionId=P&orderNumber=o-1",
        answer={"tickets": [ID]},
    ),
    Case(
        tickets.update,
        ("K",),
        "PUT /eventTickets/ticket",
        {"id": "K", "metaData": {"a": "b"}, "orderNumber": "o-1", "expiryDate": LATER_TEXT},
        {"meta_data": {"a": "b"}, "order_number": "o-1", "expires_at": LATER},
    ),
    Case(
        tickets.patch_person,
        ("K", ADA),
        "PATCH /eventTickets/ticket/person",
        {"ticketId": {"id": "K"}, "person": ADA_JSON},
    ),
    Case(
        tickets.validate,
        ("K", 2),
        "PUT /eventTickets/ticket/validate",
        {
            "ticket": {"ticketId": "K"},
            "maxNumberOfValidations": 2,
            "validateDetails": {"validateSource": "gate", "validateReference": "op_1"},
        },
        {"reference": "op_1", "source": "gate"},
        answer={"valid": True},
    ),
    Case(
        tickets.redeem,
        ("K",),
        "PUT /eventTickets/ticket/redeem",
        {
            "ticket": {"ticketId": "K"},
            "redemptionDetails": {
                "redemptionDate": LATER_TEXT,
                "redemptionSource": "gate",
                "redemptionReference": "op_1",
            },
        },
        {"reference": "op_1", "source": "gate", "redeemed_at": LATER},
    ),
    Case(tickets.delete, ("K",), "DELETE /eventTickets/ticket", {"ticketId": "K"}, answer={}),
    listed(
        tickets.list_tickets, "P", request="/eventTickets/tickets/list", body={"productionId": "P", "filters": PAGE}
    ),
    Case(
        tickets.count,
        ("P",),
        "POST /eventTickets/tickets/count",
        {"productionId": "P", "eventId": "E", "filters": PAGE},
        {"event_id": "E"},
        answer={"total": 5},
    ),
]
