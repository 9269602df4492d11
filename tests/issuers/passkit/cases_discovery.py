"""The requests of discovery and sinks."""

from __future__ import annotations

from app.issuers.passkit import discovery, sinks
from tests.issuers.passkit.case import EVENTS, HOOK, PAGE, PROJECT, SINK, Case, listed

CASES = [
    # discovery
    Case(discovery.get_profile, (), "GET /user/profile", answer={"userId": "u"}),
    listed(discovery.list_projects, request="/projects/list", body=PAGE, answer=PROJECT),
    listed(discovery.list_programs, request="/members/programs/list", body=PAGE),
    Case(discovery.get_program, ("P",), "GET /members/program/P"),
    listed(discovery.list_tiers, "P", request="/members/tiers/list", body={"programId": "P", "filters": PAGE}),
    listed(discovery.list_campaigns, request="/coupon/singleUse/campaigns/list", body=PAGE),
    listed(
        discovery.list_offers,
        "C",
        request="/coupon/singleUse/offers/list",
        body={"campaignId": "C", "filters": PAGE},
    ),
    listed(discovery.list_productions, request="/eventTickets/productions", body=PAGE),
    listed(discovery.list_venues, request="/eventTickets/venues", body=PAGE),
    listed(
        discovery.list_events, "P", request="/eventTickets/events/list", body={"productionId": "P", "filters": PAGE}
    ),
    listed(discovery.list_ticket_types, "P", request="/eventTickets/ticketTypes/P", body={"filters": PAGE}),
    Case(
        discovery.get_template_fields,
        ("T",),
        "GET /template/data/T",
        answer={"template": {"data": {"dataFields": [{"uniqueName": "meta.a"}]}}},
    ),
    Case(
        discovery.get_form_fields,
        ("MEMBERSHIP", "gold", "P"),
        "GET /distribution/fields?protocol=MEMBERSHIP&objectId=gold&classId=P",
        answer={"fields": [{"uniqueName": "meta.a"}]},
    ),
    Case(
        discovery.get_form_fields,
        ("SINGLE_USE_COUPON", "O"),
        "GET /distribution/fields?protocol=SINGLE_USE_COUPON&objectId=O",
        answer={"fields": None},
    ),
    # sinks
    Case(
        sinks.create,
        ("P", "MEMBERSHIP", "https://example.com/hook"),
        "POST /integrations/sink",
        {**SINK, "passEventId": EVENTS, "configuration": HOOK},
    ),
    Case(
        sinks.update,
        ("S", "P", "MEMBERSHIP", "https://example.com/hook", EVENTS[:1]),
        "PUT /integrations/sink",
        {"id": "S", **SINK, "passEventId": EVENTS[:1], "configuration": HOOK},
    ),
    Case(sinks.get, ("MEMBERSHIP", "S"), "GET /integrations/sink/MEMBERSHIP/S"),
    Case(sinks.delete, ("MEMBERSHIP", "S"), "DELETE /integrations/sink/MEMBERSHIP/S", answer={}),
    listed(
        sinks.list_sinks,
        "P",
        "MEMBERSHIP",
        request="/integrations/sinks/list",
        body={"classId": "P", "protocol": "MEMBERSHIP", "filters": PAGE},
    ),
]
