"""The instant trigger: attached at the real service, started by real events, closed to everybody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import requests

from tests.make.conftest import Service
from tests.make.iml.communication import ModuleError
from tests.make.iml.forms import Refused
from tests.make.iml.interface import differences
from tests.make.iml.project import Project
from tests.make.iml.runner import Received, Runner, Webhook
from tests.processes import wait_until
from tests.world import COUPON, GOLD, MEMBERSHIP

_numbers = count(1)
ALL = [
    "pass.created",
    "pass.updated",
    "points.changed",
    "tier.changed",
    "pass.redeemed",
    "pass.revoked",
    "pass.reinstated",
]


@dataclass
class Scenario:
    """A scenario that begins with Watch pass events, with the bundles it was started with."""

    user: Runner
    service: Service
    webhook: Webhook
    received: list[Received]

    @property
    def bundles(self) -> list[Any]:
        """What the scenario was started with."""
        return [one.bundle for one in self.received if one.bundle is not None]

    def until(self, count: int) -> list[Any]:
        """Wait until it was started so often."""
        wait_until(lambda: len(self.bundles) >= count, f"{count} events")
        return self.bundles


@pytest.fixture
def scenario(user: Runner, service: Service, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """A scenario; a test may say what it watches."""
    given = getattr(request, "param", {"eventTypes": ALL})
    place = f"/hook/{next(_numbers)}/4f9x"
    webhook = user.attach("passEvents", given, f"http://{service.gateway.host}{place}")
    received: list[Received] = []

    def answer(path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        if path != place:
            return 410, "text/plain", b"Gone"  # what was on its way to the scenario of an earlier test
        found = user.receive(webhook, headers, json.loads(body))
        received.append(found)
        return found.status, "text/plain", b"Accepted"

    service.gateway.answer = answer
    yield Scenario(user, service, webhook, received)
    user.detach(webhook)


def test_event_types_can_be_chosen(user: Runner) -> None:
    options = user.rpc("listEventTypes", {})
    assert {"label": "Points Changed", "value": "points.changed"} in options
    assert {one["value"] for one in options} >= set(ALL)
    assert "hook.disabled" not in {one["value"] for one in options}, "it is about no pass"


def test_what_happens_starts_the_scenario_with_what_the_interface_says(scenario: Scenario, project: Project) -> None:
    user = scenario.user
    member = user.one("createPass", {"programId": MEMBERSHIP, "email": "ada@example.com"})
    named = {"passId": member["id"]}
    user.one("updatePass", {**named, "firstName": "Ada"})
    user.one("updatePoints", {**named, "change": "add", "points": 5, "reason": "Invoice 1001 paid"})
    user.one("changeTier", {**named, "programId": MEMBERSHIP, "tierId": GOLD})
    user.one("revokePass", {**named, "reason": "Refund"})
    user.one("reinstatePass", named)
    user.one("redeemPass", {"passId": user.one("createPass", {"programId": COUPON})["id"], "amount": 10})
    bundles = scenario.until(8)
    assert {one["type"] for one in bundles} == set(ALL)

    trigger = project.component("module", "watchPassEvents")
    interface = trigger.code["interface"]
    told: set[str] = set()
    for bundle in bundles:
        # An event has the details of its own action only, so that keys may be missing there; never others, nor types.
        wrong = [one for one in differences(bundle, interface) if "is not in the bundle" not in one]
        assert wrong == [], bundle
        assert set(bundle) == {one["name"] for one in interface}
        told |= set(bundle["data"])
    assert told == {one["name"] for one in interface[-1]["spec"]}, "the interface names nothing that never comes"
    points = next(one for one in bundles if one["type"] == "points.changed")
    assert (points["data"]["points_change"], points["data"]["reason"]) == (5, "Invoice 1001 paid")


def test_a_sample_of_every_type_that_can_be_chosen_fits_the_interface(scenario: Scenario, project: Project) -> None:
    interface = project.component("module", "watchPassEvents").code["interface"]
    types = [one["value"] for one in scenario.user.rpc("listEventTypes", {})]
    assert len(types) == 10
    for event_type in types:
        path = f"/v1/hooks/{scenario.webhook.kept['hookId']}/test"
        scenario.service.call("POST", path, {"event_type": event_type})
    bundles = scenario.until(len(types))
    assert {one["type"] for one in bundles} == set(types)
    for bundle in bundles:
        assert [one for one in differences(bundle, interface) if "is not in the bundle" not in one] == [], bundle


@pytest.mark.parametrize("scenario", [{"eventTypes": ["points.changed"], "programId": MEMBERSHIP}], indirect=True)
def test_only_what_was_chosen_starts_the_scenario(scenario: Scenario) -> None:
    user = scenario.user
    user.one("createPass", {"programId": COUPON})
    member = user.one("createPass", {"programId": MEMBERSHIP})
    user.one("updatePoints", {"passId": member["id"], "change": "add", "points": 5})
    assert [one["type"] for one in scenario.until(1)] == ["points.changed"]


def genuine(scenario: Scenario) -> tuple[dict[str, str], bytes]:
    """Return a request that the service has sent."""
    scenario.user.one("createPass", {"programId": MEMBERSHIP})
    scenario.until(1)
    place = scenario.webhook.kept["url"].removeprefix(f"http://{scenario.service.gateway.host}")
    headers, body = next((headers, body) for path, headers, body in scenario.service.gateway.got if path == place)
    return {name.lower(): value for name, value in headers.items()}, body


def test_a_forged_request_is_refused(scenario: Scenario) -> None:
    headers, body = genuine(scenario)
    address = scenario.webhook.kept["url"]
    forged: list[dict[str, str]] = [
        {},
        {name: value for name, value in headers.items() if name != "passrail-sender-signature"},
        {**headers, "passrail-sender-signature": "0" * 64},
        {**headers, "webhook-id": "evt_forged"},
        {**headers, "webhook-timestamp": "1"},
        {name: value for name, value in headers.items() if name not in ("webhook-id", "webhook-timestamp")},
    ]
    started = len(scenario.bundles)
    for one in forged:
        kept = {name: value for name, value in one.items() if name.startswith(("webhook-", "passrail-"))}
        assert requests.post(address, data=body, headers=kept, timeout=120).status_code == 401
    assert len(scenario.bundles) == started


def test_should_make_not_hand_over_the_secret_events_still_come(scenario: Scenario) -> None:
    """Make's documentation leaves that open. Then the secrecy of the address protects, as docs/make.md says."""
    headers, body = genuine(scenario)
    scenario.webhook.kept.pop("secret")
    assert scenario.user.receive(scenario.webhook, headers, json.loads(body)).status == 200


def test_a_genuine_request_sent_again_is_taken(scenario: Scenario) -> None:
    headers, body = genuine(scenario)
    kept = {name: value for name, value in headers.items() if name.startswith(("webhook-", "passrail-"))}
    assert requests.post(scenario.webhook.kept["url"], data=body, headers=kept, timeout=120).status_code == 200


def test_a_secret_that_was_changed_goes_on_for_a_day(scenario: Scenario) -> None:
    hook = scenario.webhook.kept["hookId"]
    scenario.service.call("PATCH", f"/v1/hooks/{hook}", {"rotate_secret": True})
    headers, _ = genuine(scenario)
    assert len(headers["passrail-sender-signature"].split()) == 2


def test_attaching_keeps_what_detaching_and_verifying_need(scenario: Scenario) -> None:
    kept = scenario.webhook.kept
    assert set(kept) == {"url", "hookId", "secret"}
    hook = scenario.service.call("GET", f"/v1/hooks/{kept['hookId']}")
    assert hook["status"] == "active"
    assert hook["target"].endswith("4f9x")
    log = json.dumps(scenario.user.wire.log)
    assert kept["secret"] not in log
    assert kept["url"] not in log
    assert scenario.user.connection["apiKey"] not in log


def test_detaching_twice_is_no_error(scenario: Scenario) -> None:
    scenario.user.detach(scenario.webhook)
    hooks = scenario.service.call("GET", "/v1/hooks?limit=100")["data"]
    assert scenario.webhook.kept["hookId"] not in {one["id"] for one in hooks}
    scenario.user.detach(scenario.webhook)


def test_a_form_without_event_types_is_refused(user: Runner) -> None:
    with pytest.raises(Refused, match="eventTypes is required"):
        user.attach("passEvents", {}, "https://hook.example.com/x")


def test_what_the_service_refuses_is_told(user: Runner, service: Service) -> None:
    with pytest.raises(ModuleError) as caught:
        user.attach("passEvents", {"eventTypes": ALL}, "http://127.0.0.1:1/private")
    assert caught.value.kind == "DataError"
    reader = service.user(service.world.make_key(scopes=("read",)))
    with pytest.raises(ModuleError) as caught:
        reader.attach("passEvents", {"eventTypes": ALL}, f"http://{service.gateway.host}/hook")
    assert caught.value.kind == "InvalidAccessTokenError"
