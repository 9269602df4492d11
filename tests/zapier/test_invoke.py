"""`zapier-platform invoke` against the running service: what a person sees who tries a step before anybody uses it.

Each call starts Zapier's client anew and takes two seconds. So all are made once, in two rows side by side, and the
tests look at what came of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from app.accounts import keys
from app.model import Mode
from tests.world import COUPON, GOLD, MEMBERSHIP
from tests.zapier.conftest import RunningService
from tests.zapier.workshop import Result, Workshop

# Each call takes two seconds of a processor. The commands of the guide (`test_guide.py`) are tried in every run.
pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]

ADA = {"program_id": MEMBERSHIP, "external_id": "ada"}
BOB = {"program_id": MEMBERSHIP, "external_id": "bob"}
CARD = {"program_id": COUPON, "external_id": "coupon-1"}
PAID = {**ADA, "change": "add", "amount": "49.90", "points_per_unit": "1", "unique_event_id": "invoice-2001"}

Calls = Mapping[str, tuple[str, ...]]


def create(action: str, **values: Any) -> tuple[str, ...]:
    """A call of an action."""
    return ("invoke", "create", action, "-i", json.dumps(values), "--non-interactive")


def find(**values: Any) -> tuple[str, ...]:
    """A call of the search."""
    return ("invoke", "search", "find_pass", "-i", json.dumps(values), "--non-interactive")


def dropdown(trigger: str, page: int = 0, **values: Any) -> tuple[str, ...]:
    """A call of a list behind a dropdown."""
    options = ("--isFillingDynamicDropdown", "-p", str(page), "-i", json.dumps(values), "--non-interactive")
    return ("invoke", "trigger", trigger, *options)


# What builds on each other stands in one row, in this order.
ONE_ROW: Calls = {
    "create": create(
        "create_pass", **ADA, email="ada@example.com", phone="", points="", custom_field_member_since="2026"
    ),
    "add": create("update_points", **PAID),
    "add again": create("update_points", **PAID),
    "add other": create("update_points", **{**PAID, "amount": "50"}),
    "set nothing": create("update_points", **ADA, change="set", points=""),
    "not a number": create("update_points", **ADA, change="add", points="1,234.50"),
    "tier": create("change_tier", **ADA, tier_id=GOLD, reason="Spent a lot"),
    "clear": create("update_pass", **ADA, phone="+44 1", fields_to_clear=["email", "custom_field_member_since"]),
    "find by external ID": find(**ADA),
    "revoke": create("revoke_pass", **ADA, reason="Invoice 1001 refunded"),
    "reinstate": create("reinstate_pass", **ADA),
    "programs": dropdown("program_list"),
    "programs, page 2": dropdown("program_list", page=1),
    "tiers": dropdown("tier_list", program_id=MEMBERSHIP),
}
OTHER_ROW: Calls = {
    "who": ("invoke", "auth", "test", "--debug"),
    "label": ("invoke", "auth", "label"),
    "coupon": create("create_pass", **CARD, unique_event_id="receipt-77"),
    "redeem": create("redeem_pass", **CARD, reference="receipt-78", amount="12.50"),
    "redeem twice": create("redeem_pass", **CARD, reference="receipt-79"),
    "passes": dropdown("pass_list", program_id=COUPON),
    "find by e-mail": find(email="BOB@example.com"),
    "find nothing": find(email="nobody@example.com"),
    "find without a name": find(program_id=MEMBERSHIP),
    "request": create("api_request", method="GET", path="/v1/passes", query={"limit": "1"}),
    "no change": create("update_points", **BOB, points="5"),
    "no such pass": create("revoke_pass", program_id=MEMBERSHIP, external_id="nobody"),
    "no pass named": create("revoke_pass", reason="Account closed"),
    "rate limited": create("create_pass", program_id=MEMBERSHIP, external_id="simulate_rate_limited"),
    "down": create("create_pass", program_id=MEMBERSHIP, external_id="simulate_upstream_down"),
}


@pytest.fixture(scope="module")
def invoked(workshop: Workshop, service: RunningService) -> dict[str, Result]:
    """What came of each call."""
    bob = _make_bob(service)
    connection = {"authData_base_url": service.url, "authData_api_key": service.world.key}
    unknown = {**connection, "authData_api_key": keys.make_key(Mode.TEST)}
    revoked = {**connection, "authData_api_key": _revoked_key(service)}
    other_host = {**connection, "authData_base_url": "http://passes.example.com"}
    who = OTHER_ROW["who"]

    def run_one_row() -> dict[str, Result]:
        return {name: workshop.zapier(*call, **connection) for name, call in ONE_ROW.items()}

    def run_other_row() -> dict[str, Result]:
        return {
            **{name: workshop.zapier(*call, **connection) for name, call in OTHER_ROW.items()},
            "find by pass ID": workshop.zapier(*find(pass_id=bob), **connection),
            "unknown key": workshop.zapier(*who, **unknown),
            "revoked key": workshop.zapier(*who, **revoked),
            "plain http": workshop.zapier(*who, **other_host),
        }

    with ThreadPoolExecutor(2) as rows:
        one, other = rows.submit(run_one_row), rows.submit(run_other_row)
        return {**one.result(), **other.result()}


def _make_bob(service: RunningService) -> str:
    body = {**BOB, "email": "bob@example.com"}
    headers = {"Authorization": f"Bearer {service.world.key}"}
    made = requests.post(f"{service.url}/v1/actions/create-pass", json=body, headers=headers, timeout=120)
    return str(made.json()["id"])


def _revoked_key(service: RunningService) -> str:
    made = service.world.make_key()
    key_id = service.world.get("/v1/me", key=made).get_json()["key_id"]
    with service.world.service.store.write() as connection:
        keys.revoke_key(connection, key_id, service.world.clock())
    return made


def answer(result: Result) -> Any:
    """What a call that went well printed."""
    assert result.status == 0, result.everything
    return json.loads(result.output)


def refusal(result: Result) -> str:
    """What a call that failed says, as one line."""
    assert result.status == 2, result.everything
    words = " ".join(line.strip(" ›") for line in result.errors.splitlines())
    return " ".join(words[words.index("Error:") :].split())


def test_the_connection_says_who_and_where_it_is(invoked: dict[str, Result], service: RunningService) -> None:
    assert answer(invoked["who"])["account_name"] == "demo"
    assert invoked["label"].output.strip() == f"demo (test) at 127.0.0.1:{service.port}"


def test_a_connection_that_does_not_work_says_why(invoked: dict[str, Result]) -> None:
    assert refusal(invoked["unknown key"]).startswith("Error: This API key is not known here.")
    assert refusal(invoked["revoked key"]).startswith("Error: This API key was revoked.")
    assert refusal(invoked["plain http"]).startswith("Error: The service address must begin with `https://`")


def test_no_key_is_shown_in_an_error(invoked: dict[str, Result], service: RunningService) -> None:
    assert [name for name, result in invoked.items() if service.world.key in result.everything] == []


def test_the_dropdowns_are_filled(invoked: dict[str, Result]) -> None:
    assert {row["id"] for row in answer(invoked["programs"])} >= {MEMBERSHIP, COUPON}
    assert answer(invoked["programs, page 2"]) == []
    assert [row["name"] for row in answer(invoked["tiers"])] == ["Bronze", "Silver", "Gold"]
    assert "coupon-1 (Welcome Coupon, redeemed)" in [row["name"] for row in answer(invoked["passes"])]


def test_a_pass_is_made_with_its_custom_fields_and_blank_ones_are_left_alone(invoked: dict[str, Result]) -> None:
    made = answer(invoked["create"])
    assert (made["created"], made["points"], made["phone"]) == (True, 0, None)
    assert made["fields"] == {"member_since": "2026"}


def test_a_repeated_event_adds_points_once(invoked: dict[str, Result]) -> None:
    first, again = answer(invoked["add"]), answer(invoked["add again"])
    assert (first["points_before"], first["points_change"], first["points"]) == (0, 49, 49)
    assert again == first
    assert answer(invoked["tier"])["points"] == 49


def test_another_event_under_the_same_id_is_refused(invoked: dict[str, Result]) -> None:
    assert "was used before with other values" in refusal(invoked["add other"])


def test_points_left_blank_do_not_set_the_balance_to_nothing(invoked: dict[str, Result]) -> None:
    assert "Give either points, or amount" in refusal(invoked["set nothing"])
    assert answer(invoked["clear"])["points"] == 49


def test_a_number_in_another_notation_is_refused_not_guessed(invoked: dict[str, Result]) -> None:
    assert "points: Give a number such as 25 or 12.50." in refusal(invoked["not a number"])


def test_only_what_is_named_is_cleared(invoked: dict[str, Result]) -> None:
    changed = answer(invoked["clear"])
    assert (changed["email"], changed["fields"], changed["phone"]) == (None, {}, "+44 1")


def test_each_action_does_what_it_says(invoked: dict[str, Result]) -> None:
    assert answer(invoked["tier"])["tier_id"] == GOLD
    assert answer(invoked["revoke"])["status"] == "revoked"
    assert answer(invoked["reinstate"])["status"] == "active"
    assert answer(invoked["coupon"])["kind"] == "coupon"
    assert (answer(invoked["redeem"])["status"], answer(invoked["redeem"])["amount"]) == ("redeemed", 12.5)
    assert answer(invoked["request"])["status"] == 200


def test_a_pass_is_found_by_each_of_its_names(invoked: dict[str, Result]) -> None:
    assert [one["external_id"] for one in answer(invoked["find by external ID"])] == ["ada"]
    assert [one["external_id"] for one in answer(invoked["find by e-mail"])] == ["bob"]
    assert [one["external_id"] for one in answer(invoked["find by pass ID"])] == ["bob"]
    assert answer(invoked["find nothing"]) == []


def test_a_refusal_says_what_to_do(invoked: dict[str, Result]) -> None:
    assert refusal(invoked["redeem twice"]).startswith("Error: This coupon was redeemed on ")
    assert refusal(invoked["find without a name"]).startswith("Error: Say which pass to find: fill in Pass")
    assert "Change | change | string | required" in refusal(invoked["no change"])
    assert refusal(invoked["no such pass"]).startswith("Error: There is no pass with the external ID 'nobody'")
    assert "Say which pass: give pass_id" in refusal(invoked["no pass named"])


def test_what_may_succeed_later_says_when(invoked: dict[str, Result]) -> None:
    assert '"delay":2' in refusal(invoked["rate limited"])
    assert '"status":503' in refusal(invoked["down"])
