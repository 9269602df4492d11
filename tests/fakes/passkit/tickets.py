"""Event tickets: issuing, finding, changing, deleting. Their use at the door is in `ticket_use.py`.

A ticket is stored flat, with the IDs of its event and its ticket type; the nested form is made when it is printed.
"""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.passkit import lifecycle, person
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal, business, invalid, not_found
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, Table, to_time

TICKET = "event_tickets.Ticket"
LIMITED = "event_tickets.TicketLimitedFields"
PROTOCOL = "EVENT_TICKETING"
PREFIX = "/eventTickets"
LONGEST_AHEAD = timedelta(days=90)

READ_ONLY = {
    "id", "ticketNumber", "event", "ticketType", "status", "redemptionDetails", "validateDetails", "passMetaData",
    "created", "updated",
}  # fmt: skip


@route(
    "POST",
    f"{PREFIX}/ticket",
    takes="event_tickets.IssueTicketRequest",
    gives="io.Id",
    required="ticketTypeId ticketNumber",
)
def issue(call: Call) -> Record:
    """Issue a ticket by PassKit's IDs, to an event that exists or is described by venue and start."""
    state, body = call.state, call.body
    ticket_type = call.known(state.ticket_types, body["ticketTypeId"])
    if "eventId" in body:
        event = call.known(state.events, body["eventId"])
    elif "event" in body:
        event = _event_at(call, body["event"])
    else:
        raise call.invalid("eventId", "required_without")
    names = {"eventId", "event", "ticketTypeId"}
    return {"id": _issue(call, event, ticket_type, {name: body[name] for name in body if name not in names})["id"]}


@route(
    "POST", f"{PREFIX}/ticket/id", takes=TICKET, gives="event_tickets.IssueTicketResponseIds",
    required="ticketNumber event ticketType",
)  # fmt: skip
def issue_by_own_ids(call: Call) -> Record:
    """Issue a ticket by the caller's own IDs of production, venue and ticket type; makes the event if need be."""
    body = call.body
    event = body["event"]
    production = _by_uid(call.state.productions, call, event.get("production", {}).get("uid"), "event.production.uid")
    venue = _by_uid(call.state.venues, call, event.get("venue", {}).get("uid"), "event.venue.uid")
    uid = body["ticketType"].get("uid")
    if not uid:
        raise call.invalid("ticketType.uid")
    ticket_type = call.state.ticket_types.find(production["id"], uid)
    if ticket_type is None:
        raise not_found("ticket type", uid)
    found = _event_at(call, {**event, "productionId": production["id"], "venueId": venue["id"]})
    given = {name: body[name] for name in body if name not in {"event", "ticketType"}}
    if given.get("optOut") in {"ON", "OFF"}:
        given["optOut"] = given["optOut"] == "ON"
    record = _issue(call, found, ticket_type, given)
    return {
        "ticketId": record["id"],
        "productionId": production["id"],
        "venueId": venue["id"],
        "ticketTypeId": ticket_type["id"],
        "eventId": found["id"],
    }


def _by_uid(table: Table, call: Call, uid: str | None, field: str) -> Record:
    if not uid:
        raise call.invalid(field)
    record = table.find(uid)
    if record is None:
        raise not_found(table.what, uid)
    return record


def _event_at(call: Call, wanted: Record) -> Record:
    """Return the event of a production at a venue and a time, made if there is none."""
    state = call.state
    for name in ("productionId", "venueId", "scheduledStartDate"):
        if not wanted.get(name):
            raise call.invalid(f"event.{name}")
    known = state.events.find(wanted["productionId"], wanted["venueId"], wanted["scheduledStartDate"])
    if known is not None:
        return known
    call.known(state.productions, wanted["productionId"])
    call.known(state.venues, wanted["venueId"])
    now = state.now_text()
    nested = {"production", "venue"}
    made = {name: value for name, value in wanted.items() if name not in nested}
    made.update(id=state.new_id(), created=now, updated=now)
    return state.events.add(made["id"], made)


def _issue(call: Call, event: Record, ticket_type: Record, given: Record) -> Record:
    state = call.state
    production = call.known(state.productions, event["productionId"])
    if "PROJECT_ACTIVE_FOR_OBJECT_CREATION" not in production.get("status", []):
        raise business("production is not active for object creation")
    if ticket_type["productionId"] != production["id"]:
        raise not_found("ticket type", ticket_type["id"])
    if not ticket_type.get("beforeRedeemPassTemplateId"):
        raise business("pass template id cannot be empty")
    if to_time(event["scheduledStartDate"]) > state.now() + LONGEST_AHEAD:
        raise business("event must start within 90 days of issue")
    person.check(call, given.get("person", {}))
    now = state.now_text()
    record = {
        **{name: value for name, value in given.items() if name == "ticketNumber" or name not in READ_ONLY},
        "id": state.new_id(),
        "productionId": production["id"],
        "eventId": event["id"],
        "ticketTypeId": ticket_type["id"],
        "status": "ISSUED",
        "created": now,
        "updated": now,
        "passMetaData": {"issueAt": now},
    }
    state.tickets.add(record["id"], record)
    call.count(record)
    call.publish(PROTOCOL, "CREATED", record)
    return record


def nested(state: State, record: Record) -> Record:
    """Return a ticket as it is printed, with its event and ticket type inside."""
    event = state.events.get(record["eventId"]) or {}
    production = state.productions.get(record["productionId"]) or {}
    venue = state.venues.get(event.get("venueId", "")) or {}
    ticket_type = state.ticket_types.get(record["ticketTypeId"]) or {}
    shown = {**record, "event": {**event, "production": production, "venue": venue}, "ticketType": ticket_type}
    if "optOut" in record:
        shown["optOut"] = "ON" if record["optOut"] else "OFF"
    return shown


def limited(state: State, record: Record) -> Record:
    """Return a ticket as it stands in lists: production and venue beside the event, `optOut` as a plain boolean."""
    event = state.events.get(record["eventId"]) or {}
    return {
        **record,
        "production": state.productions.get(record["productionId"]) or {},
        "event": event,
        "venue": state.venues.get(event.get("venueId", "")) or {},
        "ticketType": state.ticket_types.get(record["ticketTypeId"]) or {},
    }


def by_id(call: Call, identity: str) -> Record:
    """Return a ticket by PassKit's ID."""
    return lifecycle.get(call.state, call.state.tickets, identity)


def production_id(call: Call, message: Record, field: str = "productionId") -> str:
    """Return the production that a message names, by PassKit's ID or the caller's."""
    if message.get("productionId"):
        return str(call.known(call.state.productions, message["productionId"])["id"])
    if not message.get("productionUid"):
        raise call.invalid(field, "required_without")
    return str(_by_uid(call.state.productions, call, message["productionUid"], field)["id"])


def by_number(call: Call, message: Record) -> Record:
    """Return the ticket with a number in a production.

    Raises:
        Refusal: 400, one of the two is missing; 404, there is no such ticket.
    """
    if not message.get("ticketNumber"):
        raise call.invalid("ticketNumber")
    key = (production_id(call, message), message["ticketNumber"])
    return lifecycle.find(call.state, call.state.tickets, *key)


def wanted(call: Call, message: Record) -> Record:
    """Return the ticket of an `event_tickets.TicketId`."""
    if message.get("ticketId"):
        return by_id(call, message["ticketId"])
    if "ticketNumber" not in message:
        raise invalid("event_tickets.TicketId", "ticketId", "required_without")
    return by_number(call, message["ticketNumber"])


def of_order(call: Call, message: Record) -> list[Record]:
    """Return the tickets of an order.

    Raises:
        Refusal: 400, the order or the production is missing; 404, there are none.
    """
    if not message.get("orderNumber"):
        raise call.invalid("orderNumber")
    production = production_id(call, message)
    found = [
        record
        for record in lifecycle.every(call.state, call.state.tickets)
        if record["productionId"] == production and record.get("orderNumber") == message["orderNumber"]
    ]
    if not found:
        raise Refusal(404, f"tickets with orderNumber[{message['orderNumber']}] do not exist")
    return found


@route("GET", f"{PREFIX}/ticket/id/{{id}}", takes="io.Id", gives=TICKET)
def get_by_id(call: Call) -> Record:
    """Return a ticket by PassKit's ID."""
    return nested(call.state, by_id(call, call.text("id")))


@route("GET", f"{PREFIX}/ticket/ticketNumber", takes="event_tickets.TicketNumberRequest", gives=TICKET)
def get_by_number(call: Call) -> Record:
    """Return a ticket by its number, both in the query."""
    return nested(call.state, by_number(call, call.body))


@route("GET", f"{PREFIX}/tickets/orderNumber", takes="event_tickets.OrderNumberRequest", gives="event_tickets.Tickets")
def get_by_order(call: Call) -> Record:
    """Return the tickets of an order."""
    return {"tickets": [limited(call.state, record) for record in of_order(call, call.body)]}


@route("PUT", f"{PREFIX}/ticket", takes=TICKET, gives="io.Id")
def update(call: Call) -> Record:
    """Change a ticket. Only what is not empty is seen; `metaData` is replaced as a whole."""
    if call.text("id"):
        record = by_id(call, call.text("id"))
    else:
        production = call.body.get("event", {}).get("production", {}).get("id", "")
        if not production:
            raise call.invalid("event.production.id" if call.text("ticketNumber") else "id", "required_without")
        record = by_number(call, {"productionId": production, "ticketNumber": call.text("ticketNumber")})
    given = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    if "expiryDate" not in given:
        check_living(record)
    person.check(call, given.get("person", {}))
    if "optOut" in given:
        given["optOut"] = given["optOut"] == "ON"
    record.update(given, updated=call.state.now_text())
    return changed(call, record)


def check_living(record: Record) -> None:
    """Refuse to change what is frozen."""
    if lifecycle.is_invalidated(record):
        raise business(f"ticket [{record['id']}] is expired")


def changed(call: Call, record: Record, event_id: str = "") -> Record:
    """Note that a ticket has changed and answer with its ID."""
    call.count(record, event_id)
    call.publish(PROTOCOL, "UPDATED", record)
    return {"id": record["id"]}


@route("PATCH", f"{PREFIX}/ticket/person", takes="event_tickets.EventTicketPerson", gives="io.Id")
def patch_person(call: Call) -> Record:
    """Change the holder's personal data. `ticketId` is an object here."""
    if "ticketId" in call.body:
        record = by_id(call, call.body["ticketId"].get("id", ""))
    elif "ticketNumber" in call.body:
        record = by_number(call, call.body["ticketNumber"])
    else:
        raise call.invalid("ticketId", "required_without")
    check_living(record)
    person.patch(call, record, call.body.get("person", {}))
    return changed(call, record)


@route("DELETE", f"{PREFIX}/ticket", takes="event_tickets.TicketId")
def delete(call: Call) -> Record:
    """Delete a ticket for good. `ticketId` is a text here."""
    record = wanted(call, call.body)
    remove(call, record)
    call.count(record)
    return {}


def remove(call: Call, record: Record) -> None:
    """Forget a ticket; its number is free again."""
    call.state.tickets.remove(record["id"])
    call.publish(PROTOCOL, "DELETED", record)
