"""Tickets: their numbers, events, orders and doors."""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.passkit import seed
from tests.fakes.passkit.seed import ADULT, ADULT_UID, EVENT, EVENT_IN, PRODUCTION, PRODUCTION_UID, VENUE, VENUE_UID
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit_client import Client, refused

TICKET = "/eventTickets/ticket"


def test_a_ticket_number_is_unique_in_its_production(client: Client) -> None:
    identity = client.issue_ticket("t-1")
    refused(client.ask("POST", TICKET, {"eventId": EVENT, "ticketTypeId": ADULT, "ticketNumber": "t-1"}), 409, "t-1")
    params = {"productionId": PRODUCTION, "ticketNumber": "t-1"}
    ticket = client.right("GET", f"{TICKET}/ticketNumber", params=params)
    assert (ticket["id"], ticket["status"], ticket["event"]["venue"]["name"]) == (identity, "ISSUED", "Town hall")


def test_a_ticket_tells_its_seat_its_order_and_its_event(client: Client) -> None:
    seat = {"gate": "B", "section": "12", "row": "F", "seat": "7"}
    face_value = {"amount": 2500, "currency": "EUR"}
    identity = client.issue_ticket("t-1", orderNumber="o-1", seatInfo=seat, faceValue=face_value)
    ticket = client.right("GET", f"{TICKET}/id/{identity}")
    assert ticket["orderNumber"] == "o-1"
    assert {name: ticket["seatInfo"][name] for name in seat} == seat
    event, start = ticket["event"], client.fake.state.now() + EVENT_IN
    assert (event["production"]["name"], event["venue"]["name"]) == ("Demo concert", "Town hall")
    assert event["scheduledStartDate"] == to_text(start.replace(hour=19, minute=0))
    (listed,) = client.listed("/eventTickets/tickets/list", {"productionId": PRODUCTION})
    assert (listed["seatInfo"], listed["orderNumber"]) == (ticket["seatInfo"], "o-1")


def test_many_events_and_ticket_types_come_in_pages_and_events_in_no_order(client: Client) -> None:
    seed.many_tickets(client.fake.state, events=120, ticket_types=30)
    path, body = "/eventTickets/events/list", {"productionId": PRODUCTION}
    assert len(client.listed(path, body)) == 25
    pages = [client.listed(path, {**body, "filters": {"limit": 100, "offset": offset}}) for offset in (0, 100)]
    assert [len(page) for page in pages] == [100, 21]
    starts = [event["scheduledStartDate"] for page in pages for event in page]
    assert len(set(starts)) == 121
    assert starts != sorted(starts)
    assert starts[-1] == min(starts)
    by_creation = {"limit": 100, "orderBy": "created", "orderAsc": True}
    assert client.listed(path, {**body, "filters": by_creation}) == pages[0]
    kinds = client.listed(f"/eventTickets/ticketTypes/{PRODUCTION}", {"filters": {"limit": 20, "offset": 20}})
    assert len(kinds) == 12


def test_a_ticket_by_own_ids_makes_its_event(client: Client) -> None:
    start = to_text(client.fake.state.now() + timedelta(days=10))
    event = {"production": {"uid": PRODUCTION_UID}, "venue": {"uid": VENUE_UID}, "scheduledStartDate": start}
    made = [
        client.right("POST", f"{TICKET}/id", {"ticketNumber": number, "event": event, "ticketType": {"uid": ADULT_UID}})
        for number in ("t-1", "t-2")
    ]
    assert made[0]["eventId"] == made[1]["eventId"] != EVENT
    assert (made[0]["productionId"], made[0]["ticketTypeId"]) == (PRODUCTION, ADULT)
    assert len(client.listed("/eventTickets/events/list", {"productionUid": PRODUCTION_UID})) == 2


def test_an_event_may_be_given_by_venue_and_start(client: Client) -> None:
    start = to_text(client.fake.state.now() + timedelta(days=10))
    event = {"productionId": PRODUCTION, "venueId": VENUE, "scheduledStartDate": start}
    client.right("POST", TICKET, {"event": event, "ticketTypeId": ADULT, "ticketNumber": "t-1"})
    assert len(client.fake.state.events) == 2


def test_an_event_must_start_within_90_days(client: Client) -> None:
    start = to_text(client.fake.state.now() + timedelta(days=91))
    event = {"productionId": PRODUCTION, "venueId": VENUE, "scheduledStartDate": start}
    refused(client.ask("POST", TICKET, {"event": event, "ticketTypeId": ADULT, "ticketNumber": "1"}), 500, "90 days")


def test_a_ticket_is_redeemed_once_and_validated_as_often_as_allowed(client: Client) -> None:
    identity = client.issue_ticket("t-1")
    body = {"ticket": {"ticketId": identity}, "maxNumberOfValidations": 2}
    answers = [client.right("PUT", f"{TICKET}/validate", body) for _ in range(3)]
    assert [answer["valid"] for answer in answers] == [True, True, False]
    assert answers[1]["ticket"]["status"] == "REDEEMED"
    refused(client.ask("PUT", f"{TICKET}/redeem", {"ticket": {"ticketId": identity}}), 500, "already been redeemed")


def test_an_order_is_found_redeemed_and_deleted(client: Client) -> None:
    identities = [client.issue_ticket(number, orderNumber="o-1") for number in ("t-1", "t-2")]
    order = {"productionId": PRODUCTION, "orderNumber": "o-1"}
    found = client.right("GET", "/eventTickets/tickets/orderNumber", params=order)["tickets"]
    assert [ticket["id"] for ticket in found] == identities
    assert client.right("PUT", "/eventTickets/tickets/orderNumber/redeem", order) == {"id": identities}
    client.right("DELETE", "/eventTickets/orderNumber", order)
    assert client.ask("GET", f"{TICKET}/id/{identities[0]}").status_code == 404


def test_a_ticket_is_changed_and_deleted(client: Client) -> None:
    identity = client.issue_ticket("t-1", metaData={"a": "1", "b": "2"})
    by_number = {"ticketNumber": "t-1", "event": {"production": {"id": PRODUCTION}}}
    client.right("PUT", TICKET, {**by_number, "metaData": {"a": "2"}, "optOut": "ON"})
    client.right("PATCH", f"{TICKET}/person", {"ticketId": {"id": identity}, "person": {"surname": "Berg"}})
    ticket = client.right("GET", f"{TICKET}/id/{identity}")
    assert (ticket["metaData"], ticket["optOut"], ticket["person"]["surname"]) == ({"a": "2"}, "ON", "Berg")
    number = {"productionId": PRODUCTION, "ticketNumber": "t-1"}
    assert client.right("DELETE", TICKET, {"ticketNumber": number}) == {}
    refused(client.ask("DELETE", TICKET, {"ticketId": identity}), 404, f"ticket with id[{identity}] does not exist")


def test_only_tickets_have_a_route_for_links(client: Client) -> None:
    identity = client.issue_ticket()
    body = {"ticketId": {"id": identity}, "format": ["PASS_URL", "GOOGLE_URL"]}
    (bundle,) = client.right("POST", "/eventTickets/pass", body)["passes"]
    assert (bundle["url"], len(identity)) == (f"https://pub1.pskt.io/{identity}", 22)
    assert bundle["googlePayURL"].endswith(".gpay")
