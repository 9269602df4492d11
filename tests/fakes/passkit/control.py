"""The fake's remote control, for tests and people outside this process: `/_fake/...`, JSON, no credentials.

GET    /_fake                      what there is
GET    /_fake/requests             requests so far            DELETE  forget them and everything else recorded
GET    /_fake/effects              what was really done, by route and the caller's own ID
GET    /_fake/mistakes             unknown fields, unknown routes, contract errors
GET    /_fake/faults               faults to come             POST    queue one      DELETE  none any more
GET    /_fake/switches             how it behaves             PATCH   change
GET    /_fake/clock                its times                  POST    {"advance_seconds": 60}, for passes
POST   /_fake/reset                begin anew
GET    /_fake/passes/{id}          a pass as it is stored
POST   /_fake/passes/{id}/install  the holder adds it         POST    /_fake/passes/{id}/uninstall
POST   /_fake/deliveries/release   send held deliveries, {"newest_first": true}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.fakes.passkit.errors import Refusal
from tests.fakes.passkit.faults import UnknownFault, read_fault
from tests.fakes.passkit.http import Reply, Request
from tests.fakes.passkit.state import to_text
from tests.fakes.passkit.switches import UnknownSwitch

if TYPE_CHECKING:
    from tests.fakes.passkit.fake import FakePassKit

PREFIX = "/_fake"


def answer(fake: FakePassKit, request: Request) -> Reply:
    """Answer a request to the remote control."""
    try:
        body = json.loads(request.body or b"{}")
        result = _result(fake, request.method, request.path.removeprefix(PREFIX).strip("/"), body)
    except (UnknownFault, UnknownSwitch, ValueError, TypeError) as error:
        return _json({"error": str(error)}, 400)
    except Refusal as refusal:
        return _json({"error": refusal.text}, refusal.status)
    if result is None:
        return _json({"error": "there is no such thing; GET /_fake tells what there is"}, 404)
    return _json(result)


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value, indent=2, default=str).encode() + b"\n")


def _result(fake: FakePassKit, method: str, path: str, body: Any) -> Any:
    actions: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", ""): lambda: {"help": (__doc__ or "").splitlines(), "region": fake.region},
        ("GET", "requests"): lambda: [recorded.as_dict() for recorded in fake.requests],
        ("DELETE", "requests"): lambda: _done(fake.recording.clear),
        ("GET", "effects"): lambda: _effects(fake),
        ("GET", "mistakes"): lambda: _mistakes(fake),
        ("GET", "faults"): lambda: [asdict(fault) for fault in fake.faults.waiting],
        ("POST", "faults"): lambda: _done(fake.faults.add, read_fault(body)),
        ("DELETE", "faults"): lambda: _done(fake.faults.clear),
        ("GET", "switches"): fake.switches.as_dict,
        ("PATCH", "switches"): lambda: _done(fake.switches.change, body),
        ("GET", "clock"): lambda: {"passes": to_text(fake.state.now()), "server": to_text(fake.server_time())},
        ("POST", "clock"): lambda: _done(lambda: fake.advance(seconds=float(body["advance_seconds"]))),
        ("POST", "reset"): lambda: _done(fake.reset),
        ("POST", "deliveries/release"): lambda: _done(lambda: fake.deliveries.release(**body)),
    }
    action = actions.get((method, path))
    return action() if action is not None else _pass(fake, method, path)


def _done(action: Callable[..., None], *arguments: Any) -> dict[str, Any]:
    action(*arguments)
    return {"done": True}


def _effects(fake: FakePassKit) -> list[dict[str, Any]]:
    effects = fake.recording.effects.items()
    return [{"route": route, "key": key, "count": count} for (route, key), count in effects]


def _mistakes(fake: FakePassKit) -> dict[str, list[str]]:
    recording = fake.recording
    return {
        "unknown_fields": recording.unknown_fields,
        "unknown_routes": recording.unknown_routes,
        "contract_errors": recording.contract_errors,
    }


def _pass(fake: FakePassKit, method: str, path: str) -> Any:
    match (method, *path.split("/")):
        case ("GET", "passes", identity):
            return fake.record(identity)
        case ("POST", "passes", identity, "install"):
            return _done(fake.install, identity)
        case ("POST", "passes", identity, "uninstall"):
            return _done(fake.uninstall, identity)
        case _:
            return None
