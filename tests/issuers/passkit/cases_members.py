"""The requests of members and of what counts for them."""

from __future__ import annotations

from decimal import Decimal

from app.issuers.passkit import loyalty, members
from tests.issuers.passkit.case import ADA, ADA_JSON, DETAILS, DETAILS_JSON, LATER, LATER_TEXT, PAGE, Case, listed

CASES = [
    # members
    Case(members.enrol, ("P", "gold"), "POST /members/member", {"programId": "P", "tierId": "gold"}),
    Case(
        members.enrol,
        ("P", "gold"),
        "POST /members/member",
        {
            "programId": "P",
            "tierId": "gold",
            "externalId": "c-1",
            "person": ADA_JSON,
            "metaData": {"a": "b"},
            "points": 12.5,
            "expiryDate": LATER_TEXT,
            "optOut": True,
        },
        {
            "external_id": "c-1",
            "person": ADA,
            "meta_data": {"a": "b"},
            "points": Decimal("12.50"),
            "expires_at": LATER,
            "opted_out": True,
        },
    ),
    Case(members.get, ("M",), "GET /members/member/id/M"),
    Case(members.get_by_external_id, ("P", "a@b.c"), "GET /members/member/externalId/P/a%40b.c"),
    Case(
        members.update,
        ("M",),
        "PUT /members/member",
        {
            "id": "M",
            "metaData": {"a": "b"},
            "person": ADA_JSON,
            "tierId": "gold",
            "expiryDate": LATER_TEXT,
            "operation": "OPERATION_PATCH",
        },
        {"meta_data": {"a": "b"}, "person": ADA, "tier_id": "gold", "expires_at": LATER},
    ),
    Case(members.patch_person, ("M", ADA), "PATCH /members/member/person", {"id": "M", "person": ADA_JSON}),
    Case(
        members.set_expiry,
        ("M", LATER),
        "PUT /members/member/updateExpiry",
        {"id": "M", "expiryDate": LATER_TEXT},
    ),
    Case(members.delete, ("M",), "DELETE /members/member", {"id": "M"}, answer={}),
    listed(members.list_members, "P", request="/members/member/list/P", body={"filters": PAGE}),
    Case(members.count, ("P",), "POST /members/count/P", {"filters": PAGE}, answer={"total": 5}),
    Case(members.meta_keys, ("P",), "GET /members/member/meta/P", answer={"response": ["a"]}),
    # what counts
    Case(loyalty.earn, ("M", Decimal(5)), "PUT /members/member/points/earn", {"id": "M", "points": 5}),
    Case(
        loyalty.earn,
        ("M", Decimal("0.5"), DETAILS),
        "PUT /members/member/points/earn",
        {"id": "M", "points": 0.5, "tierPoints": 3, "eventDetails": DETAILS_JSON},
        {"tier_points": 3},
    ),
    Case(loyalty.burn, ("M", Decimal(5)), "PUT /members/member/points/burn", {"id": "M", "points": 5}),
    Case(loyalty.set_points, ("M", Decimal(7)), "PUT /members/member/points/set", {"id": "M", "points": 7}),
    Case(loyalty.set_points, ("M", Decimal(0)), "PUT /members/member/points/set", {"id": "M", "resetPoints": True}),
    Case(
        loyalty.set_points,
        ("M",),
        "PUT /members/member/points/set",
        {"id": "M", "resetTierPoints": True},
        {"tier_points": 0},
    ),
    Case(
        loyalty.set_points,
        ("M", None, DETAILS),
        "PUT /members/member/points/set",
        {"id": "M", "tierPoints": 3, "eventDetails": DETAILS_JSON},
        {"tier_points": 3},
    ),
    Case(
        loyalty.change_tier,
        ("P", "M", "gold", DETAILS),
        "PUT /members/member/tier",
        {"memberId": "M", "programId": "P", "tierId": "gold", "eventDetails": DETAILS_JSON},
    ),
    Case(
        loyalty.check_in,
        ("P", "M", DETAILS),
        "POST /members/member/checkIn",
        {"memberId": "M", "programId": "P", **DETAILS_JSON},
    ),
    Case(loyalty.check_out, ("P", "M"), "POST /members/member/checkOut", {"memberId": "M", "programId": "P"}),
    listed(
        loyalty.events,
        "P",
        "M",
        request="/members/program/list/events/P",
        body={
            "filters": {
                **PAGE,
                "filterGroups": [
                    {
                        "condition": "AND",
                        "fieldFilters": [{"filterField": "member.id", "filterValue": "M", "filterOperator": "eq"}],
                    }
                ],
            }
        },
    ),
    listed(
        loyalty.find_event,
        "P",
        "M",
        "op_1",
        request="/members/program/list/events/P",
        body={
            "filters": {
                "limit": 500,
                "offset": 0,
                "filterGroups": [
                    {
                        "condition": "AND",
                        "fieldFilters": [{"filterField": "member.id", "filterValue": "M", "filterOperator": "eq"}],
                    }
                ],
            }
        },
    ),
]
