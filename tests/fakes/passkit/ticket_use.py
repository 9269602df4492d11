"""Event tickets at the door and in lists: validating, redeeming, listing, links to the pass."""

from __future__ import annotations

import base64

from tests.fakes.passkit import lifecycle, tickets
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import business
from tests.fakes.passkit.filters import matching, page
from tests.fakes.passkit.links import pass_url
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.tickets import LIMITED, PREFIX

FILTER_FIELDS = frozenset({"passStatus", "ticketId"})


@route(
    "PUT", f"{PREFIX}/ticket/validate",
    takes="event_tickets.ValidateTicketRequest", gives="event_tickets.ValidateTicketResponse", required="ticket",
)  # fmt: skip
def validate(call: Call) -> Record:
    """Let a ticket in; when it was let in as often as allowed, it is redeemed. A used one is not valid."""
    record = tickets.wanted(call, call.body["ticket"])
    if record["status"] == "REDEEMED" or lifecycle.is_invalidated(record):
        return {"ticket": tickets.nested(call.state, record)}
    details = call.body.get("validateDetails", {})
    now = call.state.now_text()
    visits = record.setdefault("validateDetails", [])
    visits.append({"validateDate": now, **details})
    record["updated"] = now
    if len(visits) >= call.body.get("maxNumberOfValidations", 1):
        record.update(status="REDEEMED", redemptionDetails={"redemptionDate": now})
    tickets.changed(call, record, details.get("validateReference", ""))
    return {"valid": True, "ticket": tickets.nested(call.state, record)}


@route("PUT", f"{PREFIX}/ticket/redeem", takes="event_tickets.RedeemTicketRequest", gives="io.Id", required="ticket")
def redeem(call: Call) -> Record:
    """Redeem a ticket, once."""
    record = tickets.wanted(call, call.body["ticket"])
    _redeem(call, record)
    return {"id": record["id"]}


@route("PUT", f"{PREFIX}/tickets/orderNumber/redeem", takes="event_tickets.RedeemByOrderNumber", gives="io.Ids")
def redeem_order(call: Call) -> Record:
    """Redeem what is not yet redeemed of an order."""
    found = tickets.of_order(call, call.body)
    unused = [record for record in found if record["status"] != "REDEEMED"]
    for record in unused:
        _redeem(call, record)
    return {"id": [record["id"] for record in unused]}


def _redeem(call: Call, record: Record) -> None:
    tickets.check_living(record)
    if record["status"] == "REDEEMED":
        raise business(f"ticket [{record['id']}] has already been redeemed")
    details = call.body.get("redemptionDetails", {})
    now = call.state.now_text()
    record.update(status="REDEEMED", updated=now, redemptionDetails={"redemptionDate": now, **details})
    tickets.changed(call, record, details.get("redemptionReference", ""))


def _listed(call: Call) -> list[Record]:
    production = tickets.production_id(call, call.body)
    every = lifecycle.every(call.state, call.state.tickets)
    shown = [tickets.limited(call.state, record) for record in every if record["productionId"] == production]
    return [record for record in shown if _is_asked_for(call.body, record)]


def _is_asked_for(body: Record, record: Record) -> bool:
    place = body.get("eventFilterByVenueAndStart", {})
    facts = (
        (body.get("eventId"), record["eventId"]),
        (body.get("ticketTypeId"), record["ticketTypeId"]),
        (body.get("ticketTypeUid"), record["ticketType"].get("uid")),
        (place.get("venueId"), record["venue"].get("id")),
        (place.get("venueUid"), record["venue"].get("uid")),
        (place.get("scheduledStartDate"), record["event"].get("scheduledStartDate")),
    )
    return all(wanted in (None, fact) for wanted, fact in facts)


@route("POST", f"{PREFIX}/tickets/list", takes="event_tickets.TicketListRequest", gives=LIMITED, stream=True)
def list_tickets(call: Call) -> list[Record]:
    """List tickets, in the form with fewer fields; with `emailAsCsv` they travel by mail and the answer is empty."""
    found = page(LIMITED, _listed(call), call.body.get("filters", {}), FILTER_FIELDS)
    return [] if call.body.get("emailAsCsv") else found


@route("POST", f"{PREFIX}/tickets/count", takes="event_tickets.TicketListRequest", gives="io.Count")
def count_tickets(call: Call) -> Record:
    """Count tickets."""
    groups = call.body.get("filters", {}).get("filterGroups", [])
    return {"total": len(matching(LIMITED, _listed(call), groups, FILTER_FIELDS))}


@route("POST", f"{PREFIX}/pass", takes="event_tickets.EventTicketPassRequest", gives="io.PassBundles")
def pass_links(call: Call) -> Record:
    """Return links to passes; the only route of the API that does."""
    body = call.body
    if "ticketId" in body:
        found = [tickets.by_id(call, body["ticketId"].get("id", ""))]
    elif "ticketNumber" in body:
        found = [tickets.by_number(call, body["ticketNumber"])]
    elif "orderNumber" in body:
        found = tickets.of_order(call, body["orderNumber"])
    else:
        raise call.invalid("ticketId", "required_without")
    formats = body.get("format") or ["PASS_URL"]
    return {"passes": [_bundle(call, record["id"], formats) for record in found]}


def _bundle(call: Call, identity: str, formats: list[str]) -> Record:
    url = pass_url(call.state.region, identity)
    bundle = {"id": identity}
    if "PASS_URL" in formats:
        bundle["url"] = url
    if "GOOGLE_URL" in formats:
        bundle["googlePayURL"] = f"{url}.gpay"
    if "APPLE_PASS_BUNDLE" in formats:
        bundle["applePassBytes"] = base64.b64encode(b"the fake has no Apple certificate").decode()
    if "MULTI_LINK" in formats:
        bundle["multiplePassesURL"] = url
    return bundle
