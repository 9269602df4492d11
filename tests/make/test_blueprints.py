"""The blueprints: of the form Make publishes, naming only what exists, and doing what they say at the real service."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.make.blueprints import OURS, PLAIN_REFERENCE, REFERENCE, Module, faults, walk
from tests.make.conftest import Service
from tests.make.iml.forms import Mapped
from tests.make.iml.project import ROOT, Project
from tests.make.iml.runner import Runner
from tests.make.review import form, parameters
from tests.world import BRONZE, COUPON, GOLD, MEMBERSHIP

FOLDER = ROOT / "blueprints"
BLUEPRINTS: dict[str, Any] = {
    path.name.removesuffix(".blueprint.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.blueprint.json"))
}
_numbers = count(1)


def test_every_promised_blueprint_is_there() -> None:
    assert set(BLUEPRINTS) == {
        "quickbooks-paid-invoice", "quickbooks-new-customer", "quickbooks-refund-or-closed-customer",
        "wave-paid-invoice", "pass-events-to-google-sheet", "pass-events-to-crm", "billing-router", "without-the-app",
    }  # fmt: skip


def test_the_guide_lists_every_blueprint() -> None:
    guide = (ROOT.parent / "docs/make.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z]+-[a-z-]+)` \|", guide, re.M)) == sorted([*BLUEPRINTS])


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_as_make_and_the_app_want_it(project: Project, name: str) -> None:
    assert list(faults(BLUEPRINTS[name], project)) == []


def at(blueprint: Any, place: int) -> Module:
    """Return the module with an ID, to break it."""
    return next(module for module, _ in walk(blueprint["flow"]) if module["id"] == place)


# Each breaks "quickbooks-paid-invoice": 1 webhook, 2 router, 3 creates the card, 5 adds points, 7 issues the coupon.
PLANTED: dict[str, Callable[[Any], Any]] = {
    "a key of an export": lambda b: b.update(scheduling={}),
    "no name": lambda b: b.update(name=""),
    "executions are lost": lambda b: b["metadata"]["scenario"].update(dlq=False),
    "starts by the clock": lambda b: b["metadata"].update(instant=False),
    "an ID twice": lambda b: at(b, 7).update(id=5),
    "a filter at the start": lambda b: at(b, 1).update(filter={}),
    "a module nobody knows": lambda b: at(b, 1).update(module="quickbooks:watchEverything"),
    "another version": lambda b: at(b, 1).update(version=2),
    "no such module of ours": lambda b: at(b, 5).update(module=f"{OURS}addPoints"),
    "a field we do not have": lambda b: at(b, 5)["mapper"].update(credits=1),
    "a field is missing": lambda b: at(b, 5)["mapper"].pop("change"),
    "an option we do not have": lambda b: at(b, 5)["mapper"].update(change="multiply"),
    "no unique event ID": lambda b: at(b, 5)["mapper"].pop("uniqueEventId"),
    "the same unique event ID always": lambda b: at(b, 5)["mapper"].update(uniqueEventId="invoice"),
    "a new ID each time": lambda b: at(b, 5)["mapper"].update(uniqueEventId="{{uuid}}"),
    "a reference forwards": lambda b: at(b, 5)["mapper"].update(reason="{{7.id}}"),
    "a reference across routes": lambda b: at(b, 7)["mapper"].update(email="{{5.email}}"),
    "a connection": lambda b: at(b, 5)["parameters"].update(__IMTCONN__=1),
    "a webhook": lambda b: at(b, 1)["parameters"].update(hook=1),
    "exported metadata": lambda b: at(b, 5)["metadata"].update(expect=[]),
    "no place": lambda b: at(b, 5)["metadata"]["designer"].pop("x"),
    "a router with a mapper": lambda b: at(b, 2).update(mapper={}),
    "an empty route": lambda b: at(b, 2)["routes"].append({"flow": []}),
    "no error handler": lambda b: at(b, 5).pop("onerror"),
    "a handler that is none": lambda b: at(b, 5)["onerror"][0].update(module="http:MakeRequest", version=4),
    "an operator nobody knows": lambda b: at(b, 3)["filter"]["conditions"][0][0].update(o="money:less"),
    "an address": lambda b: at(b, 5)["mapper"].update(email="owner@gmail.com"),
    "a key": lambda b: at(b, 5)["mapper"].update(reason="pr_live_abc"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_caught(project: Project, planted: str) -> None:
    blueprint = copy.deepcopy(BLUEPRINTS["quickbooks-paid-invoice"])
    PLANTED[planted](blueprint)
    assert list(faults(blueprint, project))


def test_a_field_that_is_not_put_out_is_caught(project: Project) -> None:
    blueprint = copy.deepcopy(BLUEPRINTS["pass-events-to-crm"])
    at(blueprint, 2)["filter"]["conditions"][0][0]["a"] = "{{1.data.mail}}"
    assert list(faults(blueprint, project)) == ["module 2: 1.data.mail is not put out"]


# What they do. The scenario is played: the trigger's bundle goes through the filters into our modules.


def value_of(reference: str, outputs: dict[int, Any]) -> Any:
    """Follow a plain reference into what a module has put out."""
    match = PLAIN_REFERENCE.fullmatch(reference)
    assert match
    value = outputs[int(match[1])]
    for step in match[2].strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def mapped(text: Any, outputs: dict[int, Any]) -> Any:
    """Fill in the references of a mapped value; one that stands alone keeps its type."""
    if not isinstance(text, str):
        return text
    if alone := REFERENCE.fullmatch(text):
        return value_of(alone[1], outputs)
    return REFERENCE.sub(lambda match: str(value_of(match[1], outputs) or ""), text)


def holds(condition: dict[str, str], outputs: dict[int, Any]) -> bool:
    """Tell whether a condition of a filter is met."""
    value, wanted = mapped(condition["a"], outputs), condition.get("b", "")
    match condition["o"]:
        case "exist":
            return value is not None
        case "text:equal":
            return bool(value == wanted)
        case "number:equal":
            return value is not None and float(value) == float(wanted)
        case "number:greater":
            return value is not None and float(value) > float(wanted)
        case "boolean:equal":
            return value is (wanted == "true")
    raise NotImplementedError(condition)


def passes(module: Module, outputs: dict[int, Any]) -> bool:
    """Tell whether a module's filter lets through what came before."""
    groups = module.get("filter", {}).get("conditions", [])
    return not groups or any(all(holds(one, outputs) for one in group) for group in groups)


def play(name: str, user: Runner, bundle: Any) -> list[Any]:
    """Run a blueprint with a bundle of its trigger; return what our modules put out, in order."""
    outputs: dict[int, Any] = {1: bundle}
    _play(BLUEPRINTS[name]["flow"][1:], user, outputs)
    return [outputs[place] for place in sorted(outputs) if place != 1]


def _play(flow: list[Module], user: Runner, outputs: dict[int, Any]) -> None:
    for module in flow:
        if not passes(module, outputs):
            return
        for route in module.get("routes", []):
            _play(route["flow"], user, outputs)
        if module["module"].startswith(OURS):
            outputs[module["id"]] = _run(module, user, outputs)


def _run(module: Module, user: Runner, outputs: dict[int, Any]) -> Any:
    component = user.project.component("module", module["module"].removeprefix(OURS))
    fields = {one["name"]: one for one in parameters(form(component))}
    given: dict[str, Any] = {}
    for field, text in module["mapper"].items():
        value = mapped(text, outputs)
        if value is None:
            continue
        # Make makes a number of a text that is mapped into a number.
        given[field] = float(value) if fields[field]["type"] == "number" else value
        if fields[field]["type"] == "select":
            given[field] = Mapped(value)
    return user.one(component.id, given)


@pytest.fixture
def customer(user: Runner) -> str:
    """The ID of a customer who has a membership."""
    number = f"5{next(_numbers):04d}"
    user.one("createPass", {"programId": MEMBERSHIP, "externalId": number})
    return number


def invoice(customer: str, **changed: Any) -> dict[str, Any]:
    """Return an invoice as QuickBooks writes it."""
    return {
        "Id": f"8{next(_numbers):03d}",
        "DocNumber": "1001",
        "TotalAmt": 49.9,
        "Balance": 0,
        "CustomerRef": {"value": customer, "name": "Harbour Bakery"},
        "BillEmail": {"Address": "ada@example.com"},
        **changed,
    }


def test_a_paid_invoice_gives_points_once_however_often_it_is_told(user: Runner, customer: str) -> None:
    bundle = invoice(customer)
    first = play("quickbooks-paid-invoice", user, bundle)
    assert [one["points"] for one in first] == [0, 49]
    assert play("quickbooks-paid-invoice", user, bundle) == first
    assert [one["points"] for one in play("quickbooks-paid-invoice", user, invoice(customer))] == [49, 98]


def test_a_customer_without_a_card_gets_one(user: Runner) -> None:
    card, points = play("quickbooks-paid-invoice", user, invoice(f"6{next(_numbers):04d}"))
    assert (card["created"], card["email"], points["points"]) == (True, "ada@example.com", 49)


def test_a_large_invoice_gives_a_coupon_too(user: Runner, customer: str) -> None:
    _, points, coupon = play("quickbooks-paid-invoice", user, invoice(customer, TotalAmt=400))
    assert points["points"] == 400
    assert (coupon["program_id"], coupon["email"]) == (COUPON, "ada@example.com")


@pytest.mark.parametrize("changed", [{"Balance": 10}, {"TotalAmt": 0}], ids=["open", "voided"])
def test_an_invoice_that_is_not_paid_gives_nothing(user: Runner, customer: str, changed: dict[str, Any]) -> None:
    assert play("quickbooks-paid-invoice", user, invoice(customer, **changed)) == []


def test_a_new_customer_gets_a_card_once(user: Runner) -> None:
    bundle = {
        "Id": f"7{next(_numbers)}",
        "GivenName": "Ada",
        "PrimaryEmailAddr": {"Address": "ada@example.com"},
        "Active": True,
    }
    first = play("quickbooks-new-customer", user, bundle)
    assert [(one["created"], one["first_name"], one["last_name"]) for one in first] == [(True, "Ada", None)]
    assert play("quickbooks-new-customer", user, bundle) == first


def test_a_refund_revokes(user: Runner, customer: str) -> None:
    (revoked,) = play("quickbooks-refund-or-closed-customer", user, invoice(customer))
    assert revoked["status"] == "revoked"


def test_a_closed_customer_is_revoked_and_an_open_one_is_not(user: Runner, customer: str) -> None:
    name = "quickbooks-refund-or-closed-customer"
    assert play(name, user, {"Id": customer, "Active": True}) == []
    (revoked,) = play(name, user, {"Id": customer, "Active": False})
    assert revoked["status"] == "revoked"


def test_wave_tells_of_paid_invoices(user: Runner, customer: str) -> None:
    data = {
        "invoice_id": f"1{next(_numbers)}",
        "customer_id": customer,
        "amount_paid": "120.50",
        "remaining_balance": "0.00",
    }
    told = {"event_id": "e1", "business_id": "b1", "data": data}
    assert play("wave-paid-invoice", user, {**told, "event_type": "invoice.viewed"}) == []
    card, points = play("wave-paid-invoice", user, {**told, "event_type": "invoice.paid"})
    assert points["points"] == 120
    assert play("wave-paid-invoice", user, {**told, "event_type": "invoice.paid"}) == [card, points]


@pytest.mark.parametrize(
    ("event", "shows"),
    [("customer.created", {"tier_id": BRONZE}), ("invoice.paid", {"points": 30}), ("spend.reached", {"tier_id": GOLD}),
     ("account.closed", {"status": "revoked"})],
)  # fmt: skip
def test_the_router_sends_each_event_one_way(user: Runner, customer: str, event: str, shows: dict[str, Any]) -> None:
    bundle = {
        "event": event,
        "event_id": f"e-{next(_numbers)}",
        "customer_id": customer,
        "amount": 30,
        "invoice_id": "1",
    }
    (answer,) = play("billing-router", user, bundle)
    assert {name: answer[name] for name in shows} == shows


def test_the_way_without_the_app_sends_what_the_api_takes(service: Service, customer: str) -> None:
    request = at(BLUEPRINTS["without-the-app"], 2)["mapper"]
    event = {"customer_id": customer, "amount": 12, "event_id": f"e-{next(_numbers)}"}
    body = json.loads(mapped(request["jsonStringBodyContent"], {1: event}))
    path = request["url"].removeprefix("https://passes.example.com")
    assert service.call(request["method"].upper(), path, body)["points"] == 12


# The app's ID


def test_the_script_fills_in_the_apps_id(tmp_path: Path) -> None:
    for path in FOLDER.glob("*.*"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    script = tmp_path / "fill.py"
    done = subprocess.run([sys.executable, script, "passrail-a1b2c3"], capture_output=True, text=True, check=True)
    made = sorted((tmp_path / "filled").glob("*.json"))
    assert [path.name for path in made] == [f"{name}.blueprint.json" for name in BLUEPRINTS]
    assert [Path(line).name for line in done.stdout.splitlines()] == [path.name for path in made]
    for path in made:
        text = path.read_text(encoding="utf-8")
        assert "APP_ID" not in text
        assert (
            json.loads(text.replace("app#passrail-a1b2c3:", OURS))
            == BLUEPRINTS[path.name.removesuffix(".blueprint.json")]
        )


@pytest.mark.parametrize("arguments", [[], ["Passrail"], ["a", "b"], ["../x"]])
def test_the_script_says_what_it_wants(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, FOLDER / "fill.py", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "passrail-a1b2c3" in done.stderr
