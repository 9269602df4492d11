"""PassKit's own description against what we send and what the fake answers; and proof that the check can say no."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.passkit_descriptors import ContractError, Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.fakes.passkit.describe import describe
from tests.fakes.passkit.routes import ROUTES
from tests.fakes.passkit.seed import (
    ADULT,
    ADULT_UID,
    BRONZE,
    CAMPAIGN,
    EVENT,
    GOLD,
    OFFER_VARIABLE,
    PRODUCTION,
    PRODUCTION_UID,
    PROGRAM,
    TICKET_TEMPLATE,
    VENUE_UID,
)
from tests.fakes.passkit.shapes import SHAPES
from tests.fakes.passkit_client import Client
from tests.world import FakeClock

LATER = "2026-12-24T18:00:00Z"
ONE_FILTER = [{"condition": "AND", "fieldFilters": [{"filterField": "id", "filterValue": "x", "filterOperator": "eq"}]}]
PERSON = {
    "forename": "Alma",
    "surname": "Berg",
    "gender": "FEMALE",
    "dateOfBirth": {"year": 1990, "month": 2, "day": 28},
    "emailAddress": "alma@example.com",
    "mobileNumber": "+4917012345678",
}
BY_MEMBER = {"externalId": "m-1", "programId": PROGRAM}
BY_MEMBER_OTHERWISE = {"externalMemberId": "m-1", "programId": PROGRAM}
BY_COUPON = {"externalId": "c-1", "campaignId": CAMPAIGN}
BY_TICKET = {"ticketNumber": {"productionId": PRODUCTION, "ticketNumber": "t-1"}}
DETAILS = {"externalEventId": "invoice-17", "notes": "a note", "metaData": {"a": "1"}, "lat": 52.5, "alt": 34}


@dataclass(frozen=True)
class Good:
    """A request that PassKit understands. `{member}` and the like in the path become IDs made by earlier ones."""

    method: str
    path: str
    body: Any = None
    query: str = ""
    keeps: str = ""


# In the order of a life: what is deleted comes last.
GOOD = [
    Good("POST", "/login", {"username": "demo", "password": "demo-password"}),
    Good("GET", "/user/profile"),
    Good("POST", "/projects/list", {"limit": 1}),
    Good("POST", "/projects/user/list", {"limit": -1, "offset": 0, "orderAsc": True}),
    Good("GET", "/projects/PROJECT_DRAFT"),
    Good("GET", "/projects/user/4"),
    Good("GET", f"/projects/id/{PROGRAM}"),
    Good("GET", "/projects/sc/demoL1"),
    Good("POST", "/templates/list", {"limit": 100}),
    Good("GET", f"/template/data/{TICKET_TEMPLATE}"),
    Good("GET", "/distribution/fields", query=f"protocol=MEMBERSHIP&objectId={BRONZE}&classId={PROGRAM}"),
    Good("GET", "/distribution/fields", query=f"protocol=101&objectId={OFFER_VARIABLE}"),
    # members
    Good("POST", "/members/programs/list", {"limit": 100, "filterGroups": ONE_FILTER}),
    Good("GET", f"/members/program/{PROGRAM}"),
    Good("POST", "/members/tiers/list", {"programId": PROGRAM, "filters": {"limit": 100}}),
    Good("GET", f"/members/tier/{PROGRAM}/{BRONZE}"),
    Good("GET", f"/members/enrol/url/program/{PROGRAM}"),
    Good(
        "POST",
        "/members/member",
        {
            **BY_MEMBER,
            "tierId": BRONZE,
            "person": PERSON,
            "metaData": {"favouriteColour": "red"},
            "points": 12.5,
            "tierPoints": 3,
            "expiryDate": LATER,
            "passOverrides": {"colors": {"backgroundColor": "#000000"}},
        },
        keeps="member",
    ),
    Good("GET", "/members/member/id/{member}"),
    Good("GET", f"/members/member/externalId/{PROGRAM}/m-1"),
    Good("PUT", "/members/member", {**BY_MEMBER, "metaData": {"a": "1"}, "operation": "OPERATION_PATCH"}),
    Good("PUT", "/members/member", {**BY_MEMBER, "points": 3, "operation": "OPERATION_PUT"}),
    Good("PATCH", "/members/member/person", {"externalId": "m-1", "classId": PROGRAM, "person": PERSON}),
    Good("PUT", "/members/member/points/earn", {**BY_MEMBER, "points": 5, "eventDetails": DETAILS}),
    Good("PUT", "/members/member/points/burn", {**BY_MEMBER, "points": 0.1, "eventDetails": DETAILS}),
    Good("PUT", "/members/member/points/set", {**BY_MEMBER, "secondaryPoints": 7, "resetPoints": True}),
    Good("PUT", "/members/member/tier", {**BY_MEMBER_OTHERWISE, "tierId": GOLD, "eventDetails": DETAILS}),
    Good("PUT", "/members/member/updateExpiry", {**BY_MEMBER, "expiryDate": "2027-01-01T00:00:00.5+01:00"}),
    Good("POST", "/members/member/checkIn", {**BY_MEMBER_OTHERWISE, **DETAILS}),
    Good("POST", "/members/member/checkOut", {**BY_MEMBER_OTHERWISE, **DETAILS}),
    Good("POST", f"/members/member/list/{PROGRAM}", {"filters": {"limit": 100, "filterGroups": ONE_FILTER}}),
    Good("POST", f"/members/member/list/{PROGRAM}", {"programId": PROGRAM, "filters": {"limit": -1}}),
    Good("POST", f"/members/count/{PROGRAM}", {}),
    Good("POST", f"/members/program/list/events/{PROGRAM}", {"filters": {"limit": -1}}),
    Good("POST", f"/members/program/count/events/{PROGRAM}", {}),
    Good("POST", "/members/member/list/events/{member}"),
    Good("GET", f"/members/member/meta/{PROGRAM}"),
    Good(
        "POST",
        "/members/batch-update",
        {"classId": PROGRAM, "updateEntries": [{"field": "points", "value": "1", "updateType": "INCREASE"}]},
    ),
    Good(
        "POST", "/distribution/email", {"id": "{member}", "protocol": "MEMBERSHIP", "alternativeEmail": "a@b.example"}
    ),
    Good("POST", "/distribution/smartpasslink", {"projectDistributionUrl": {"url": "https://pub1.pskt.io/c/demoL1"}}),
    Good("POST", "/message", {"classId": PROGRAM, "protocol": "MEMBERSHIP", "body": "Hi"}, keeps="message"),
    Good("POST", "/message/send", {"messageId": "{message}", "passIds": {"ids": ["{member}"]}}),
    # coupons
    Good("POST", "/coupon/singleUse/campaigns/list", {}),
    Good("GET", f"/coupon/singleUse/campaign/{CAMPAIGN}"),
    Good("POST", "/coupon/singleUse/offers/list", {"campaignId": CAMPAIGN}),
    Good("GET", f"/coupon/singleUse/offer/{OFFER_VARIABLE}"),
    Good(
        "POST",
        "/coupon/singleUse/coupon",
        {**BY_COUPON, "offerId": OFFER_VARIABLE, "person": PERSON, "sku": "coffee", "expiryDate": LATER},
        keeps="coupon",
    ),
    Good("GET", "/coupon/singleUse/coupon/{coupon}"),
    Good("GET", f"/coupon/singleUse/coupon/externalId/{CAMPAIGN}/c-1"),
    Good("PUT", "/coupon/singleUse/coupon", {**BY_COUPON, "metaData": {"a": "1"}, "expiryDate": LATER}),
    Good("PATCH", "/coupon/singleUse/coupon/person", {"id": "{coupon}", "person": PERSON}),
    Good(
        "PUT",
        "/coupon/singleUse/coupon/redeem",
        {**BY_COUPON, "redemptionDetails": {"redemptionReference": "receipt-1", "transactionAmount": 12.34}},
    ),
    Good("PUT", "/coupon/singleUse/coupon/externalId", {"id": "{coupon}", "newExternalId": "c-2"}),
    Good("POST", f"/coupon/singleUse/coupons/list/{CAMPAIGN}", {"filters": {"limit": -1}}),
    Good("POST", f"/coupon/singleUse/coupons/count/{CAMPAIGN}", {}),
    Good("GET", f"/coupon/singleUse/campaign/meta/{CAMPAIGN}"),
    # tickets
    Good("POST", "/eventTickets/productions", {}),
    Good("GET", f"/eventTickets/production/{PRODUCTION}"),
    Good("POST", "/eventTickets/venues", {}),
    Good("POST", "/eventTickets/events/list", {"productionId": PRODUCTION, "filters": {"limit": 5}}),
    Good("GET", f"/eventTickets/event/id/{EVENT}"),
    Good("POST", f"/eventTickets/ticketTypes/{PRODUCTION}", {"filters": {"limit": 5}}),
    Good("GET", f"/eventTickets/ticketType/id/{ADULT}"),
    Good(
        "POST",
        "/eventTickets/ticket",
        {
            "eventId": EVENT,
            "ticketTypeId": ADULT,
            "ticketNumber": "t-1",
            "orderNumber": "o-1",
            "person": PERSON,
            "faceValue": {"amount": 49.99, "currency": "EUR"},
            "seatInfo": {"row": "A", "seat": "7"},
        },
        keeps="ticket",
    ),
    Good(
        "POST",
        "/eventTickets/ticket/id",
        {
            "ticketNumber": "t-2",
            "ticketType": {"uid": ADULT_UID},
            "event": {"production": {"uid": PRODUCTION_UID}, "venue": {"uid": VENUE_UID}, "scheduledStartDate": LATER},
        },
    ),
    Good("GET", "/eventTickets/ticket/id/{ticket}"),
    Good("GET", "/eventTickets/ticket/ticketNumber", query=f"productionId={PRODUCTION}&ticketNumber=t-1"),
    Good("GET", "/eventTickets/tickets/orderNumber", query=f"productionUid={PRODUCTION_UID}&orderNumber=o-1"),
    Good("PUT", "/eventTickets/ticket", {"id": "{ticket}", "optOut": "OFF", "expiryDate": LATER}),
    Good("PATCH", "/eventTickets/ticket/person", {"ticketId": {"id": "{ticket}"}, "person": PERSON}),
    Good("PUT", "/eventTickets/ticket/validate", {"ticket": BY_TICKET, "maxNumberOfValidations": 2}),
    Good("PUT", "/eventTickets/ticket/redeem", {"ticket": {"ticketId": "{ticket}"}, "redemptionDetails": {"lat": 1.5}}),
    Good("PUT", "/eventTickets/tickets/orderNumber/redeem", {"productionId": PRODUCTION, "orderNumber": "o-1"}),
    Good("POST", "/eventTickets/tickets/list", {"productionId": PRODUCTION, "eventId": EVENT}),
    Good("POST", "/eventTickets/tickets/count", {"productionUid": PRODUCTION_UID}),
    Good("POST", "/eventTickets/pass", {**BY_TICKET, "format": ["PASS_URL", "APPLE_PASS_BUNDLE"]}),
    # sinks
    Good(
        "POST",
        "/integrations/sink",
        {
            "classId": PROGRAM,
            "protocol": "MEMBERSHIP",
            "passEventId": ["PASS_EVENT_RECORD_CREATED"],
            "status": "INTEGRATION_ACTIVE",
            "configType": "WEBHOOK",
            "configuration": json.dumps({"targetUrl": "http://127.0.0.1:9/nobody"}),
        },
        keeps="sink",
    ),
    Good("PUT", "/integrations/sink", {"id": "{sink}", "membershipEvents": {"ids": ["MEMBER_EVENT_ENROLLED"]}}),
    Good("GET", "/integrations/sink/MEMBERSHIP/{sink}"),
    Good("GET", "/integrations/sink/sample", query="id={sink}"),
    Good("POST", "/integrations/sinks/list", {"classId": PROGRAM, "protocol": "MEMBERSHIP"}),
    Good("DELETE", "/integrations/sink/MEMBERSHIP/{sink}"),
    # the end of all things
    Good("DELETE", "/members/member", BY_MEMBER),
    Good("DELETE", "/members/bulk", {"classId": PROGRAM, "protocol": "MEMBERSHIP", "filterGroups": ONE_FILTER}),
    Good("DELETE", "/coupon/singleUse/coupon", {"id": "{coupon}"}),
    Good(
        "DELETE",
        "/coupon/singleUse/coupons/bulk",
        {
            "classId": CAMPAIGN,
            "protocol": "SINGLE_USE_COUPON",
            "filterGroups": [
                {"fieldFilters": [{"filterField": "offerId", "filterValue": "x", "filterOperator": "eq"}]}
            ],
        },
    ),
    Good(
        "DELETE",
        "/eventTickets/bulk",
        {
            "classId": PRODUCTION,
            "protocol": "EVENT_TICKETING",
            "filterGroups": [
                {"fieldFilters": [{"filterField": "ticketId", "filterValue": "x", "filterOperator": "eq"}]}
            ],
        },
    ),
    Good("DELETE", "/eventTickets/orderNumber", {"productionId": PRODUCTION, "orderNumber": "o-1"}),
    Good("DELETE", "/eventTickets/ticket", {"ticketNumber": {"productionId": PRODUCTION, "ticketNumber": "t-2"}}),
]


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return Descriptors()


def test_the_sdk_has_the_routes_that_the_facts_speak_of(descriptors: Descriptors) -> None:
    assert len({binding.service for binding in descriptors.bindings}) == 14
    assert len(descriptors.bindings) == 303


@pytest.mark.parametrize("good", GOOD, ids=lambda good: f"{good.method} {good.path}")
def test_a_good_request_is_accepted(descriptors: Descriptors, good: Good) -> None:
    body = b"" if good.body is None else json.dumps(good.body).encode()
    assert descriptors.check_request(good.method, good.path, good.query, body).method == good.method


def test_every_route_of_the_fake_gives_an_answer_that_passkit_could_give(descriptors: Descriptors) -> None:
    made: dict[str, str] = {}
    with FakePassKit(FakeClock(), seed.demo, contract=descriptors).running() as fake:
        fake.switches.messages = True
        client = Client(fake)
        for good in GOOD:
            headers = {"x-passkit-longlived-token": "true"} if good.path == "/login" else {}
            query = _filled(good.query, made)
            answer = client.ask(
                good.method, _filled(good.path, made), _filled(good.body, made), params=query, headers=headers
            )
            assert answer.status_code == 200, (good, answer.text)
            if good.keeps:
                made[good.keeps] = answer.json()["id"]
        answered = {recorded.route for recorded in fake.requests}
    assert answered == {route.name for route in ROUTES}


def _filled(value: Any, made: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, identity in made.items():
            value = value.replace(f"{{{name}}}", identity)
        return value
    if isinstance(value, dict):
        return {name: _filled(one, made) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, made) for one in value]
    return value


EARN = "/members/member/points/earn"
LIST = f"/members/member/list/{PROGRAM}"
TICKET = {"ticketTypeId": ADULT, "ticketNumber": "1"}
MISTAKES: dict[str, tuple[str, str, str, Any, str]] = {
    "a misspelt field": ("PUT", EARN, "", {"id": "x", "pionts": 5}, "no field 'pionts'"),
    "a misspelt field inside another": (
        "POST",
        "/members/member",
        "",
        {"person": {"forname": "A"}},
        "no field 'forname'",
    ),
    "the wrong name of the member": ("PUT", "/members/member/tier", "", {"id": "x", "tierId": "y"}, "no field 'id'"),
    "a wrong method": ("POST", EARN, "", {"id": "x", "points": 5}, "only with PUT"),
    "an unknown route": ("DELETE", "/members/member/x", "", None, "no route"),
    "a deprecated route": ("GET", "/members/programs", "", None, "deprecated"),
    "a number that the enum does not have": ("PUT", "/members/member", "", {"id": "x", "operation": 7}, "has no 7"),
    "a name that the enum does not have": ("PUT", "/members/member", "", {"operation": "PATCH"}, "has no 'PATCH'"),
    "one value for a list of enums": ("POST", "/eventTickets/pass", "", {"format": "PASS_URL"}, "must be a list"),
    "a body where there is none": ("POST", "/members/member/list/events/x", "", {"limit": 5}, "takes no body"),
    "no body where there is one": ("DELETE", "/members/member", "", None, "needs a JSON body"),
    "a query where all is in the body": ("POST", LIST, "limit=5", {}, "nothing from the query"),
    "an unknown name in the query": ("GET", "/eventTickets/ticket/ticketNumber", "number=1", None, "no field 'number'"),
    "an enum name in the query that is none": (
        "GET",
        "/distribution/fields",
        "protocol=MEMBERS",
        None,
        "has no 'MEMBERS'",
    ),
    "filters where they are nested": ("POST", LIST, "", {"limit": 5}, "no field 'limit'"),
    "two members of a oneof": ("POST", "/eventTickets/ticket", "", {**TICKET, "eventId": "e", "event": {}}, "oneof"),
    "a date without a time": (
        "PUT",
        "/members/member/updateExpiry",
        "",
        {"id": "x", "expiryDate": "2027-01-01"},
        "expiryDate",
    ),
    "a time without a zone": ("PUT", "/members/member", "", {"expiryDate": "2027-01-01T00:00:00"}, "expiryDate"),
    "a time as a number": ("PUT", "/members/member", "", {"expiryDate": 1767225600}, "time as text"),
    "not a number": ("PUT", EARN, "", b'{"id":"x","points":NaN}', "NaN is not JSON"),
    "not a number, as text": ("PUT", EARN, "", {"id": "x", "points": "NaN"}, "wrong type"),
    "too large a number": ("PUT", EARN, "", b'{"id":"x","points":1e999}', "finite"),
    "a number as text": ("PUT", EARN, "", {"id": "x", "points": "5"}, "wrong type"),
    "points that 32 bits cannot hold": ("PUT", EARN, "", {"id": "x", "points": 16777217}, "loses digits"),
    "a negative unsigned number": ("PUT", EARN, "", {"id": "x", "tierPoints": -1}, "tierPoints"),
    "a truth as text": ("PUT", "/members/member", "", {"id": "x", "optOut": "true"}, "wrong type"),
    "a number in metaData": ("PUT", "/members/member", "", {"id": "x", "metaData": {"visits": 3}}, "wrong type"),
    "a path that contradicts the body": ("POST", LIST, "", {"programId": "other"}, "in the path"),
    "a slash in an external ID": ("GET", f"/members/member/externalId/{PROGRAM}/a%2Fb", "", None, "no route"),
    "a list instead of an object": ("PUT", EARN, "", [], "must be an object"),
    "a text instead of an object": ("PUT", "/members/member", "", {"person": "Alma"}, "must be an object"),
    "what is not JSON": ("PUT", EARN, "", b"points=5", "not JSON"),
    "a name twice": ("PUT", EARN, "", b'{"points":5,"points":6}', "twice"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(descriptors: Descriptors, mistake: str) -> None:
    method, path, query, body, message = MISTAKES[mistake]
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    with pytest.raises(ContractError, match=message):
        descriptors.check_request(method, path, query, sent)


POINTS = {"id": "x", "externalId": "", "programId": "p", "points": 5, "secondaryPoints": 0, "tierPoints": 0}
WRONG_ANSWERS: dict[str, tuple[str, str, int, Any, str]] = {
    "a field that the message has not": ("PUT", EARN, 200, {**POINTS, "balance": 5}, "no field 'balance'"),
    "points as text": ("PUT", EARN, 200, {**POINTS, "points": "5"}, "wrong type"),
    "a 64-bit number as a number": ("GET", "/user/profile", 200, {"userStatus": 1}, "wrong type"),
    "an enum that is none": ("GET", "/members/member/id/x", 200, {"status": "SLEEPING"}, "SLEEPING"),
    "something where nothing belongs": ("DELETE", "/members/member", 200, {"id": "x"}, "no field 'id'"),
    "one object for a stream": ("POST", LIST, 200, {"id": "x"}, "a line of a stream"),
    "a stream whose last line is cut": ("POST", LIST, 200, b'{"result":{}}\n{"result":{"id":"', "cut"),
    "a wrong line in a stream": ("POST", LIST, 200, b'{"result":{"name":"A"}}\n', "no field 'name'"),
    "a stream for one object": ("PUT", EARN, 200, b'{"id":"x"}\n{"id":"y"}\n', "not JSON"),
    "another success than 200": ("POST", "/members/member", 201, {"id": "x"}, "always 200"),
    "an error without a text": ("PUT", EARN, 404, {"detail": "gone"}, "must have a text"),
}


@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
def test_a_planted_wrong_answer_is_found(descriptors: Descriptors, wrong: str) -> None:
    method, path, status, body, message = WRONG_ANSWERS[wrong]
    answered = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n"
    with pytest.raises(ContractError, match=message):
        descriptors.check_answer(method, path, status, answered)


def test_a_right_answer_is_accepted(descriptors: Descriptors) -> None:
    descriptors.check_answer("PUT", EARN, 200, POINTS)
    descriptors.check_answer("POST", LIST, 200, b"")
    descriptors.check_answer("POST", LIST, 200, b'{"result":{"person":null}}\n{"error":{"code":5,"message":"gone"}}\n')
    descriptors.check_answer("PUT", EARN, 404, {"error": "gone"})
    descriptors.check_answer("PUT", EARN, 404, {"error": {"code": 5, "message": "gone"}})


def test_the_fake_takes_and_gives_what_the_sdk_says(descriptors: Descriptors) -> None:
    known = {binding.name: binding for binding in descriptors.bindings}
    for route in ROUTES:
        binding = known[route.name]
        assert not binding.is_deprecated
        assert (route.takes, route.gives) == (binding.takes.full_name, binding.gives.full_name), route.name
        assert route.is_stream == binding.is_stream, route.name


def test_the_shapes_of_the_fake_are_those_of_the_sdk(descriptors: Descriptors) -> None:
    stale = "run 'python -m tests.fakes.passkit.describe'"
    assert SHAPES.read_text() == describe(descriptors.messages), stale


def test_a_mistake_in_a_running_fake_fails_the_test(descriptors: Descriptors) -> None:
    fake = FakePassKit(FakeClock(), seed.demo, contract=descriptors)
    with pytest.raises(AssertionError, match="loses digits"), fake.running():
        Client(fake).enrol(points=16777217)
