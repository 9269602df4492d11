"""One call that succeeds for every operation: what the tests of scopes, keys, tenants and answers start from.

An operation that is not in the table has no call, and every test that goes over all operations fails for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from werkzeug.test import TestResponse

from app.actions import ACTIONS
from tests.contract.document import Operation
from tests.fakes.passkit import Credentials
from tests.world import COUPON, GOLD, MEMBERSHIP, RECEIVER_HOST, World

Holder = dict[str, Any]
NUMBERS = count(1)
FULL: Holder = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+44 20 7946 0000",
    "expires_at": "2027-12-31",
    "fields": {"member_since": "2026"},
}
# What an action needs beyond the name of a pass.
MORE: dict[str, dict[str, Any]] = {
    "update_pass": {"phone": "+44 20 7946 0001"},
    "update_points": {"change": "add", "points": 25},
    "change_tier": {"tier_id": GOLD},
}
# What the fake PassKit of the fixtures takes.
CONNECTION = {
    "issuer": "passkit",
    "region": "pub1",
    "api_key": Credentials().key,
    "api_secret": Credentials().secret,
}


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    json: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, world: World, *, key: str | None = None) -> TestResponse:
        """Send it with the world's key, or another one."""
        options: dict[str, Any] = {"query_string": self.query, "headers": self.headers}
        if self.json is not None:
            options["json"] = self.json
        return world.request(self.method, self.path, key=key, **options)

    def send_bare(self, world: World, authorization: str | None) -> TestResponse:
        """Send it with this header Authorization, or without any."""
        headers = {**self.headers} if authorization is None else {**self.headers, "Authorization": authorization}
        options = {"json": self.json} if self.json is not None else {}
        return world.client.open(self.path, method=self.method, query_string=self.query, headers=headers, **options)


def call_of(world: World, operation: Operation) -> Call:
    """Make a call that succeeds, and whatever must be there for it."""
    return CALLS[operation.id](world)


def new_pass(world: World, program_id: str = MEMBERSHIP, **holder: Any) -> dict[str, Any]:
    """Issue a pass of the world's own, with names that no other pass has."""
    number = next(NUMBERS)
    names = {"external_id": f"own-{number}", "email": f"own-{number}@example.com"}
    return world.make_pass(program_id, **{**names, **holder})


def action_input(world: World, operation_id: str) -> dict[str, Any]:
    """Make an input with which an action changes something."""
    if operation_id == "create_pass":
        number = next(NUMBERS)
        names = {"external_id": f"new-{number}", "email": f"new-{number}@example.com"}
        return {"program_id": MEMBERSHIP, **names, **FULL}
    made = new_pass(world, COUPON if operation_id == "redeem_pass" else MEMBERSHIP)
    if operation_id == "reinstate_pass":
        world.act("revoke-pass", {"pass_id": made["id"]})
    return {"pass_id": made["id"], **MORE.get(operation_id, {})}


def _action(path: str, operation_id: str) -> Callable[[World], Call]:
    return lambda world: Call("POST", f"/v1/actions/{path}", action_input(world, operation_id))


def _batch(path: str, operation_id: str) -> Callable[[World], Call]:
    return lambda world: Call("POST", f"/v1/actions/{path}/batch", {"items": [action_input(world, operation_id)]})


def new_unknown_operation(world: World, *, key: str | None = None) -> str:
    """Leave an operation of unknown outcome, in a program of its own: it has no pass of the magic ID yet."""
    program = _create_program(world).send(world).get_json()
    body = {"program_id": program["id"], "external_id": "simulate_timeout"}
    answer = world.act("create-pass", body, idempotency_key=key or f"unknown-{next(NUMBERS)}")
    assert answer.status_code == 504, answer.text
    return str(answer.get_json()["operation_id"])


def _get(path: str) -> Callable[[World], Call]:
    return lambda world: Call("GET", path.format(**_own(world)))


def _own(world: World) -> dict[str, str]:
    made = new_pass(world, **FULL)
    return {"pass_id": made["id"], "program_id": made["program_id"], "operation_id": made["operation_id"]}


def _create_program(world: World) -> Call:
    program = {
        "kind": "membership",
        "name": f"Program {next(NUMBERS)}",
        "tiers": [{"name": "First"}, {"name": "Second"}],
        "fields": [{"name": "born", "title": "Born", "type": "date", "required": False}],
        "logo_text": "Rosewater",
    }
    return Call("POST", "/v1/programs", program)


def _update_program(world: World) -> Call:
    made = _create_program(world).send(world).get_json()
    return Call("PATCH", f"/v1/programs/{made['id']}", {"name": f"{made['name']} again", "tiers": made["tiers"]})


def _create_hook(world: World) -> Call:
    # Of a type that no call makes: hundreds of these hooks would else have a delivery each of every event.
    body = {"target_url": f"https://{RECEIVER_HOST}/{next(NUMBERS)}", "event_types": ["hook.disabled"]}
    return Call("POST", "/v1/hooks", {**body, "program_id": MEMBERSHIP})


def _with_hook(method: str, path: str, json: Any = None) -> Callable[[World], Call]:
    def make(world: World) -> Call:
        hook_id = _create_hook(world).send(world).get_json()["id"]
        delivery_id = world.request("POST", f"/v1/hooks/{hook_id}/test", json={}).get_json()["id"]
        return Call(method, path.format(hook_id=hook_id, delivery_id=delivery_id), json)

    return make


def _resolve(world: World) -> Call:
    return Call("POST", f"/v1/operations/{new_unknown_operation(world)}/resolve", {"happened": True})


def connect(world: World, *, key: str | None = None) -> None:
    """Connect the account of the key to the fake PassKit."""
    answer = Call("PUT", "/v1/issuer", CONNECTION).send(world, key=key)
    assert answer.status_code == 200, answer.text


def _connected(method: str, path: str, json: Any = None) -> Callable[[World], Call]:
    def make(world: World) -> Call:
        connect(world)
        return Call(method, path, json)

    return make


def _get_import(world: World) -> Call:
    begun = CALLS["import_passes"](world).send(world)
    return Call("GET", begun.headers["Location"])


def _person(what: str) -> Callable[[World], Call]:
    return lambda world: Call("POST", f"/v1/people/{what}", {"external_id": new_pass(world, **FULL)["external_id"]})


CALLS: dict[str, Callable[[World], Call]] = {
    **{action.operation_id: _action(action.name, action.operation_id) for action in ACTIONS},
    **{f"{action.operation_id}_batch": _batch(action.name, action.operation_id) for action in ACTIONS},
    "list_passes": _get("/v1/passes"),
    "get_pass": _get("/v1/passes/{pass_id}"),
    "get_pass_history": _get("/v1/passes/{pass_id}/history"),
    "list_programs": _get("/v1/programs"),
    "create_program": _create_program,
    "get_program": _get("/v1/programs/{program_id}"),
    "update_program": _update_program,
    "list_tiers": _get("/v1/programs/{program_id}/tiers"),
    "list_fields": _get("/v1/programs/{program_id}/fields"),
    "get_operation": _get("/v1/operations/{operation_id}"),
    "resolve_operation": _resolve,
    "list_events": _get("/v1/events"),
    "list_event_types": _get("/v1/event-types"),
    "list_hooks": _with_hook("GET", "/v1/hooks"),
    "create_hook": _create_hook,
    "get_hook": _with_hook("GET", "/v1/hooks/{hook_id}"),
    "update_hook": _with_hook("PATCH", "/v1/hooks/{hook_id}", {"status": "paused", "rotate_secret": True}),
    "delete_hook": _with_hook("DELETE", "/v1/hooks/{hook_id}"),
    "test_hook": _with_hook("POST", "/v1/hooks/{hook_id}/test", {"event_type": "points.changed"}),
    "list_deliveries": _with_hook("GET", "/v1/hooks/{hook_id}/deliveries"),
    "replay_delivery": _with_hook("POST", "/v1/hooks/{hook_id}/deliveries/{delivery_id}/replay"),
    "replay_deliveries": _with_hook("POST", "/v1/hooks/{hook_id}/replay", {"since": "2026-11-20"}),
    "get_me": _get("/v1/me"),
    "get_issuer": _get("/v1/issuer"),
    "connect_issuer": lambda world: Call("PUT", "/v1/issuer", CONNECTION),
    "change_issuer": _connected("PATCH", "/v1/issuer", {"ends_cards_by": "delete"}),
    "forget_issuer": lambda world: Call("DELETE", "/v1/issuer"),
    "import_passes": _connected("POST", "/v1/issuer/import", {}),
    "get_import": _get_import,
    "export_person": _person("export"),
    "erase_person": _person("erase"),
}


def with_query(call: Call, **values: str) -> Call:
    """The same call with more in its query."""
    return replace(call, query={**call.query, **values})
