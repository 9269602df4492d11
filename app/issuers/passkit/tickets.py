"""Event tickets of a production: every route the actions need, one function each.

A ticket is named by PassKit's `id`, or by its number, which is unique in its production (documented); it has no other
external ID. All functions raise `failures.PassKitFailure`; Raises names what to expect in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.issuers.passkit import values
from app.issuers.passkit.answers import Json
from app.issuers.passkit.failures import InvalidRequest, NotFound
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.reading import objects_of, required
from app.issuers.passkit.records import Person, Ticket, is_valid, new_id, nothing, ticket, total
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import given, without_none

PREFIX = "/eventTickets"
TICKET = f"{PREFIX}/ticket"


@dataclass(frozen=True, slots=True)
class EventRef:
    """An event named by where and when it is, instead of by its ID. It must start within 90 days (documented)."""

    production_id: str
    venue_id: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """The IDs that `issue_by_own_ids` answers with."""

    ticket_id: str
    production_id: str
    venue_id: str
    ticket_type_id: str
    event_id: str


def issue(
    transport: Transport,
    event: str | EventRef,
    ticket_type_id: str,
    ticket_number: str,
    *,
    person: Person | None = None,
    meta_data: Mapping[str, str] | None = None,
    order_number: str | None = None,
    expires_at: datetime | None = None,
    opted_out: bool | None = None,
) -> str:
    """`POST /eventTickets/ticket` {eventId or event, ticketTypeId, ticketNumber, person, metaData, ...} -> ID.

    Also sent: orderNumber, expiryDate, optOut (a plain boolean here). PassKit's documentation asks for a person with
    a name too; whether it refuses others is not known.

    Args:
        transport: whose account.
        event: its ID, or where and when it is; never both (a oneof).
        ticket_type_id: of the same production. One template serves one ticket type, else 409 (field report).
        ticket_number: unique in the production, which is what makes this call safe to repeat.
        person, meta_data, order_number, expires_at, opted_out: as in a `Ticket`.

    Raises:
        Conflict: the production has a ticket of this number; as for `members.enrol`.
        InvalidRequest: no ticket number, or one with a slash.
    """
    named: dict[str, Any] = {"eventId": event} if isinstance(event, str) else {"event": _event_body(event)}
    body = without_none(
        **named,
        ticketTypeId=ticket_type_id,
        ticketNumber=values.external_id(ticket_number),
        orderNumber=order_number,
        person=given(person, Person.to_json),
        metaData=given(meta_data, values.meta_data),
        expiryDate=given(expires_at, values.instant),
        optOut=opted_out,
    )
    return transport.send(Effect.IDEMPOTENT, "POST", TICKET, new_id, body)


def _event_body(event: EventRef) -> dict[str, Any]:
    return {
        "productionId": event.production_id,
        "venueId": event.venue_id,
        "scheduledStartDate": values.instant(event.starts_at),
    }


def issue_by_own_ids(
    transport: Transport,
    production_uid: str,
    venue_uid: str,
    starts_at: datetime,
    ticket_type_uid: str,
    ticket_number: str,
    *,
    person: Person | None = None,
    meta_data: Mapping[str, str] | None = None,
    order_number: str | None = None,
    expires_at: datetime | None = None,
) -> IssuedTicket:
    """`POST /eventTickets/ticket/id` {ticketNumber, event{production{uid}, venue{uid}, ...}, ...} -> IDs.

    For callers who know their own IDs (`uid`) of production, venue and ticket type. Creates the event if it is
    missing. Raises as `issue`.
    """
    body = without_none(
        ticketNumber=values.external_id(ticket_number),
        event={
            "production": {"uid": production_uid},
            "venue": {"uid": venue_uid},
            "scheduledStartDate": values.instant(starts_at),
        },
        ticketType={"uid": ticket_type_uid},
        orderNumber=order_number,
        person=given(person, Person.to_json),
        metaData=given(meta_data, values.meta_data),
        expiryDate=given(expires_at, values.instant),
    )
    return transport.send(Effect.IDEMPOTENT, "POST", f"{TICKET}/id", _issued, body)


def _issued(found: Json) -> IssuedTicket:
    return IssuedTicket(
        *(required(found, name) for name in ("ticketId", "productionId", "venueId", "ticketTypeId", "eventId"))
    )


def get(transport: Transport, ticket_id: str) -> Ticket:
    """`GET /eventTickets/ticket/id/{id}` -> Ticket."""
    return transport.send(Effect.NONE, "GET", f"{TICKET}/id/{{id}}", ticket, path={"id": ticket_id})


def get_by_ticket_number(transport: Transport, production_id: str, ticket_number: str) -> Ticket:
    """`GET /eventTickets/ticket/ticketNumber?productionId=&ticketNumber=` -> Ticket."""
    query = {"productionId": production_id, "ticketNumber": ticket_number}
    return transport.send(Effect.NONE, "GET", f"{TICKET}/ticketNumber", ticket, query=query)


def get_by_order_number(transport: Transport, production_id: str, order_number: str) -> list[Ticket]:
    """`GET /eventTickets/tickets/orderNumber?productionId=&orderNumber=` -> {tickets: [...]}."""
    query = {"productionId": production_id, "orderNumber": order_number}
    route = f"{PREFIX}/tickets/orderNumber"
    return transport.send(
        Effect.NONE, "GET", route, lambda found: [ticket(one) for one in objects_of(found, "tickets")], query=query
    )


def update(
    transport: Transport,
    ticket_id: str,
    *,
    meta_data: Mapping[str, str] | None = None,
    order_number: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """`PUT /eventTickets/ticket` {id, metaData, orderNumber, expiryDate} -> ID.

    Give `meta_data` whole (`values.merge_meta_data`).
    """
    body = without_none(
        id=ticket_id,
        metaData=given(meta_data, values.meta_data),
        orderNumber=order_number,
        expiryDate=given(expires_at, values.instant),
    )
    transport.send(Effect.IDEMPOTENT, "PUT", TICKET, new_id, body)


def patch_person(transport: Transport, ticket_id: str, person: Person) -> None:
    """`PATCH /eventTickets/ticket/person` {ticketId: {id}, person} -> ID."""
    body = {"ticketId": {"id": ticket_id}, "person": person.to_json()}
    transport.send(Effect.IDEMPOTENT, "PATCH", f"{TICKET}/person", new_id, body)


def validate(
    transport: Transport, ticket_id: str, most: int, *, reference: str | None = None, source: str | None = None
) -> bool:
    """`PUT /eventTickets/ticket/validate` {ticket: {ticketId}, maxNumberOfValidations, validateDetails} -> {valid}.

    Counts a validation and redeems the ticket at the last one. Never repeated once a byte was sent.

    Args:
        transport: whose account.
        ticket_id: which ticket.
        most: how often the ticket is good for.
        reference, source: written down with it.
    """
    if most < 1:
        raise InvalidRequest("A ticket is good for one validation at least.")
    details = without_none(validateSource=source, validateReference=reference)
    body = without_none(ticket={"ticketId": ticket_id}, maxNumberOfValidations=most, validateDetails=details or None)
    return transport.send(Effect.EVERY_TIME, "PUT", f"{TICKET}/validate", is_valid, body)


def redeem(
    transport: Transport,
    ticket_id: str,
    *,
    reference: str | None = None,
    source: str | None = None,
    redeemed_at: datetime | None = None,
) -> None:
    """`PUT /eventTickets/ticket/redeem` {ticket: {ticketId}, redemptionDetails} -> ID. As `coupons.redeem`."""
    details = without_none(
        redemptionDate=given(redeemed_at, values.instant), redemptionSource=source, redemptionReference=reference
    )
    body = without_none(ticket={"ticketId": ticket_id}, redemptionDetails=details or None)
    transport.send(Effect.EVERY_TIME, "PUT", f"{TICKET}/redeem", new_id, body)


def delete(transport: Transport, ticket_id: str) -> None:
    """`DELETE /eventTickets/ticket` {ticketId} -> {}. Irreversible.

    Raises:
        NotFound: it does not exist. Not raised when an earlier try of this call may have deleted it.
    """
    try:
        transport.send(Effect.IDEMPOTENT, "DELETE", TICKET, nothing, {"ticketId": ticket_id})
    except NotFound as failure:
        if not failure.after_unclear:
            raise


def list_tickets(
    transport: Transport, production_id: str, filters: Filters | None = None, *, event_id: str | None = None
) -> list[Ticket]:
    """`POST /eventTickets/tickets/list` {productionId, eventId, filters} -> stream of Ticket, in a shorter form.

    Fields to filter by: passStatus, ticketId (documented).
    """
    return transport.ask_list(f"{PREFIX}/tickets/list", ticket, _selection(production_id, event_id, filters))


def count(
    transport: Transport, production_id: str, filters: Filters | None = None, *, event_id: str | None = None
) -> int:
    """`POST /eventTickets/tickets/count` {productionId, eventId, filters} -> {total}."""
    body = _selection(production_id, event_id, filters)
    return transport.send(Effect.NONE, "POST", f"{PREFIX}/tickets/count", total, body)


def _selection(production_id: str, event_id: str | None, filters: Filters | None) -> dict[str, Any]:
    return without_none(productionId=production_id, eventId=event_id, filters=(filters or Filters()).to_json())
