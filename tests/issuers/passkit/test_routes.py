"""Every function of the client: the request it makes, held against PassKit's own descriptors."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import responses

from app.issuers.passkit import coupons, discovery, loyalty, members, sinks, tickets
from app.issuers.passkit.failures import InvalidRequest, NotFound, Unavailable
from app.issuers.passkit.filters import SCAN
from app.issuers.passkit.loyalty import EventDetails
from app.issuers.passkit.transport import Transport
from tests.contract.passkit_descriptors import Descriptors
from tests.issuers.passkit import cases_discovery, cases_members, cases_passes
from tests.issuers.passkit.case import ID, Case
from tests.issuers.passkit.conftest import API

CASES = [*cases_members.CASES, *cases_passes.CASES, *cases_discovery.CASES]


def name_of(case: Case) -> str:
    return f"{case.function.__module__.rpartition('.')[2]}.{case.function.__name__}"


def sent_body(http: responses.RequestsMock, call: int) -> Any:
    body = http.calls[call].request.body
    assert body is None or isinstance(body, bytes)
    return json.loads(body) if body else None


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return Descriptors()


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_requests_are_as_passkit_describes_them(
    case: Case, transport: Transport, http: responses.RequestsMock, descriptors: Descriptors
) -> None:
    method, _, address = case.request.partition(" ")
    answer = json.dumps(case.answer if case.answer is not None else ID)
    http.add(method, f"{API}{address}", body=f'{{"result":{answer}}}\n' if case.is_list else answer)
    result = case.function(transport, *case.arguments, **(case.options or {}))
    request = http.calls[0].request
    parts = urlsplit(request.url or "")
    sent = f"{request.method} {parts.path}" + (f"?{parts.query}" if parts.query else "")
    assert sent == case.request
    assert sent_body(http, 0) == case.body
    descriptors.check_request(method, parts.path, parts.query, request.body or b"")
    if case.is_list and case.function is not loyalty.find_event:
        assert len(result) == 1


@pytest.mark.parametrize("module", [members, loyalty, coupons, tickets, discovery, sinks])
def test_no_function_is_left_out(module: ModuleType) -> None:
    public = {
        name
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and "transport" in inspect.signature(function).parameters
        and not name.startswith("_")
    }
    assert public == {case.function.__name__ for case in CASES if case.function.__module__ == module.__name__}


@pytest.mark.parametrize("module", [members, loyalty, coupons, tickets, discovery, sinks])
def test_every_function_names_its_route(module: ModuleType) -> None:
    for case in CASES:
        if case.function.__module__ == module.__name__ and case.function is not loyalty.find_event:
            method, _, address = case.request.partition(" ")
            documented = (case.function.__doc__ or "").partition("`")[2].partition("`")[0]
            assert documented.startswith(f"{method} /"), case.function
            literal = documented.partition(" ")[2].partition("?")[0].partition("{")[0]
            assert address.startswith(literal), case.function


@pytest.mark.parametrize(
    "call",
    [
        lambda transport: loyalty.earn(transport, "M", Decimal(0)),
        lambda transport: loyalty.burn(transport, "M", Decimal(0)),
        lambda transport: loyalty.earn(transport, "M", Decimal(-1)),
        lambda transport: loyalty.earn(transport, "M", Decimal(16_777_217)),
        lambda transport: loyalty.set_points(transport, "M", Decimal("1234567.89")),
        lambda transport: loyalty.set_points(transport, "M"),
        lambda transport: loyalty.earn(transport, "M", Decimal(1), EventDetails("x" * 256)),
        lambda transport: members.enrol(transport, "P", "gold", points=Decimal(16_777_217)),
        lambda transport: members.enrol(transport, "P", "gold", external_id="a/b"),
        lambda transport: members.get_by_external_id(transport, "P", "a/b"),
        lambda transport: members.get(transport, ""),
        lambda transport: coupons.create(transport, "C", "O", external_id="a/b"),
        lambda transport: tickets.issue(transport, "E", "T", ""),
        lambda transport: tickets.validate(transport, "K", 0),
        lambda transport: sinks.create(transport, "P", "MEMBERSHIP", "https://example.com", []),
        lambda transport: sinks.create(transport, "P", "MEMBERSHIP", "https://example.com", ["OTHER"]),
        lambda transport: sinks.create(transport, "P", "OTHER", "https://example.com"),
    ],
)
def test_what_passkit_would_lose_or_change_is_not_sent(
    call: Callable[[Transport], Any], transport: Transport, http: responses.RequestsMock
) -> None:
    with pytest.raises(InvalidRequest):
        call(transport)
    assert len(http.calls) == 0


@pytest.mark.parametrize(
    ("delete", "address"),
    [
        (members.delete, "/members/member"),
        (coupons.void, "/coupon/singleUse/coupon"),
        (tickets.delete, "/eventTickets/ticket"),
    ],
)
def test_a_delete_whose_repeat_finds_nothing_was_done(
    delete: Callable[[Transport, str], None], address: str, transport: Transport, http: responses.RequestsMock
) -> None:
    http.delete(API + address, status=502)
    http.delete(API + address, status=404, json={"error": "it does not exist"})
    delete(transport, "K")
    with pytest.raises(NotFound):
        delete(transport, "K")


def test_deleting_a_sink_that_is_gone_is_done(transport: Transport, http: responses.RequestsMock) -> None:
    http.delete(f"{API}/integrations/sink/MEMBERSHIP/S", status=404, json={"error": "it does not exist"})
    sinks.delete(transport, "MEMBERSHIP", "S")


def event_lines(first: int, count: int) -> str:
    return "".join(
        json.dumps({"result": {"id": f"e{number}", "externalId": f"op_{number}", "member": {"id": "M"}}}) + "\n"
        for number in range(first, first + count)
    )


def test_an_event_is_searched_on_all_pages(transport: Transport, http: responses.RequestsMock) -> None:
    url = f"{API}/members/program/list/events/P"
    # PassKit may give fewer than asked for; that is not yet the end.
    http.post(url, body=event_lines(0, 100))
    http.post(url, body=event_lines(100, 50))
    found = loyalty.find_event(transport, "P", "M", "op_120")
    assert found is not None
    assert found.id == "e120"
    assert [sent_body(http, call)["filters"]["offset"] for call in (0, 1)] == [0, 100]
    http.post(url, body=event_lines(0, 50))
    http.post(url, body="")
    assert loyalty.find_event(transport, "P", "M", "op_120") is None


def test_a_search_that_sees_no_end_is_not_certain(transport: Transport, http: responses.RequestsMock) -> None:
    http.post(f"{API}/members/program/list/events/P", body=event_lines(0, 500))
    with pytest.raises(Unavailable):
        loyalty.find_event(transport, "P", "M", "op_9999")
    assert len(http.calls) == SCAN // 500
