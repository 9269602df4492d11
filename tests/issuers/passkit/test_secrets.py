"""Canaries go through the client wherever something secret or personal can be, and must not come out."""

from __future__ import annotations

import json
import logging
import pickle
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses

from app.issuers.passkit import discovery, sinks
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.passkit.passes import Coupons, Members, New, Redemption, Tickets
from app.issuers.passkit.points import Details, add
from app.issuers.passkit.records import coupon, member, ticket
from app.issuers.passkit.transport import Transport
from app.model import Kind, Mode, Program, Tier
from tests.issuers.passkit.conftest import Bench, make_credentials
from tests.issuers.passkit.server import serving, whole
from tests.world import FakeClock

KEY = "canaryKEY"
SECRET = "canary secret with words"
TOKEN = "canary-long-lived"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDYU5hUnkifQ.c2lnbmF0dXJlQ2FOYVJ5"
EMAIL = "canary@example.com"
PERSON = {"forename": "CanaryForename", "emailAddress": EMAIL, "dateOfBirth": {"year": 1815, "month": 12, "day": 10}}
META = {"canary-name": "canary-value"}
NOW = FakeClock().now
PROGRAM = Program(
    "prog", "acct", Mode.TEST, "passkit", Kind.MEMBERSHIP, "P", (Tier("gold", "G"),), NOW, NOW, upstream_id="P"
)
NEW = New(tier_id="gold", external_id="canary-1", person=PERSON, meta_data=META)
MEMBERS, COUPONS, TICKETS = Members(member), Coupons(coupon), Tickets(ticket)
# Whose credentials they are, what of them PassKit may echo.
CREDENTIALS = {
    "key": (make_credentials(api_key=KEY, secret=SECRET), f"key {KEY}, secret {SECRET}"),
    "token": (make_credentials(long_lived_token=TOKEN), f"token-is {TOKEN}"),
}
ECHO = (
    f"Authorization: {JWT}, Bearer canary-bearer, {EMAIL}, hook https://example.com/canary-hook, "
    "Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2E9PQ=="
)
WORDS = ("canary", "eyJ", "Q2FOYVJ5", "1815")

CALLS: list[Callable[[Transport], Any]] = [
    lambda transport: MEMBERS.create(transport, PROGRAM, NEW),
    lambda transport: MEMBERS.find(transport, "P", EMAIL),
    lambda transport: add(transport, "M", Decimal(5), Details(id="canary-event", reason="canary-note")),
    lambda transport: COUPONS.redeem(transport, "K", Redemption(id="canary-1", at=NOW, reference="canary-reference")),
    lambda transport: TICKETS.find(transport, "P", "canary-ticket"),
    lambda transport: sinks.create(transport, Kind.MEMBERSHIP, "P", "https://example.com/canary-hook"),
    lambda transport: sinks.find(transport, Kind.MEMBERSHIP, "P", "https://example.com/canary-hook"),
    lambda transport: discovery.need_projects(transport),
]
ANSWERS: dict[str, Any] = {
    "echo": (400, '{"error":"ECHO"}'),
    "echo in credentials": (401, '{"error":"ECHO"}'),
    "echo as text": (502, "ECHO"),
    "reset": requests.ConnectionError(f"Connection to https://example.com/{EMAIL}?token={JWT} broken by {SECRET}"),
    "timeout": requests.ReadTimeout(f"{EMAIL} {JWT} {SECRET}"),
    "garbled": (200, f"<html>{EMAIL} {JWT} {SECRET}</html>"),
    "wrong type": (200, json.dumps({"id": [EMAIL, SECRET]})),
    "project": (200, json.dumps({"result": {"secret": "canary", "key": "canary", "encryptedClassId": "canary"}})),
}


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word.lower() in text.lower()]


@pytest.mark.matrix
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", CREDENTIALS)
def test_failures_and_logs_hold_nothing_secret_or_personal(
    bench: Bench, caplog: pytest.LogCaptureFixture, kind: str, call: Callable[[Transport], Any], answer: str
) -> None:
    credentials, known = CREDENTIALS[kind]
    transport, prepared = bench.transport(credentials), ANSWERS[answer]
    shown, origins = repr(transport), list[BaseException | None]()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as http, caplog.at_level(logging.INFO):
        for method in ("GET", "PUT", "POST"):
            if isinstance(prepared, Exception):
                http.add(method, re.compile(".*"), body=prepared)
            else:
                status, body = prepared
                headers = {"X-Passkit-Token": JWT, "X-Request-Id": EMAIL}
                body = body.replace("ECHO", f"{known}, {ECHO}")
                http.add(method, re.compile(".*"), status=status, body=body, headers=headers)
        try:
            shown += repr(call(transport))
        except PassKitFailure as failure:
            shown += f"{failure} {failure!r} {failure.text} {failure.args} {vars(failure)}"
            shown += "".join(traceback.format_exception_only(failure))
            origins = [failure.__cause__, failure.__context__]
    assert leaks(shown + caplog.text) == []
    # The libraries' own errors hold the request with its token.
    assert not any(isinstance(origin, requests.RequestException) for origin in origins)


def test_what_is_written_and_read_shows_nothing() -> None:
    record = member({"id": "m", "programId": "P", "externalId": "canary", "person": PERSON, "metaData": META})
    redemption = Redemption(id="r", at=NOW)
    assert leaks(f"{NEW!r} {record!r} {redemption!r} {Details(id='d', reason='canary')!r}") == []


def test_credentials_show_no_secret() -> None:
    for credentials, _ in CREDENTIALS.values():
        assert leaks(f"{credentials!r} {credentials} {[credentials]} {(credentials,)!r}") == []


def test_the_libraries_log_no_path_either(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    # At the level that `logs.configure` gives them.
    caplog.set_level(logging.WARNING, "urllib3")
    caplog.set_level(logging.WARNING, "requests")
    refusal = whole(b'{"error":"it said no"}', status="500 Internal Server Error")
    with serving(lambda connection: connection.sendall(refusal)) as server:
        own = replace(make_credentials(api_key=KEY, secret=SECRET), base_url=server.url)
        with pytest.raises(PassKitFailure):
            MEMBERS.find(bench.transport(own), "P", EMAIL)
    assert leaks(caplog.text) == []


def test_a_failure_can_travel_between_processes() -> None:
    failure = PassKitFailure("it said no", status=400)
    failure.request = "PUT /thing"
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)
