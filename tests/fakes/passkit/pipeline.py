"""From a request to its answer, when nothing goes wrong on purpose.

Route, credentials, shape, required fields, handler, printed answer; and around it the check against PassKit's own
description, when there is one (`tests/contract/passkit_descriptors.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from tests.fakes.passkit import authentication
from tests.fakes.passkit import handlers as _handlers
from tests.fakes.passkit.authentication import Credentials
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal, bad_shape, error_body, invalid
from tests.fakes.passkit.http import Reply, Request
from tests.fakes.passkit.recording import Recorded, Recording
from tests.fakes.passkit.routes import EMPTY, Match, Route
from tests.fakes.passkit.shapes import Reader, Record, fields, show
from tests.fakes.passkit.state import State
from tests.fakes.passkit.switches import Switches

assert _handlers.MODULES  # imported for its routes
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_NUMBERS = frozenset({"int32", "uint32", "int64", "uint64", "float", "double"})


class Contract(Protocol):
    """PassKit's own description. Both methods raise an exception when something does not fit."""

    def check_request(self, method: str, path: str, query: str, body: bytes) -> object:
        """Check a request: the path is still encoded, no body is `b""`."""

    def check_answer(self, method: str, path: str, status: int, body: bytes) -> object:
        """Check an answer. Of a stream, `body` is all its lines."""


class Pipeline:
    """Carries requests out."""

    def __init__(
        self,
        state: State,
        switches: Switches,
        credentials: Credentials,
        recording: Recording,
        publish: Callable[[str, str, Record], None],
        contract: Contract | None,
    ) -> None:
        self._state = state
        self._switches = switches
        self._credentials = credentials
        self._recording = recording
        self._publish = publish
        self._contract = contract

    def carry_out(self, request: Request, match: Match | None, recorded: Recorded) -> Reply:
        """Answer a request."""
        self._check(lambda contract: contract.check_request(request.method, request.path, request.query, request.body))
        try:
            reply = self._answer(request, match)
        except Refusal as refusal:
            body = _dumps(error_body(refusal.status, refusal.text, self._switches.error_style)).encode()
            reply = Reply(refusal.status, body)
        recorded.status = reply.status
        text = reply.body if reply.lines is None else b"".join(reply.lines)
        if recorded.route:
            self._check(lambda contract: contract.check_answer(request.method, request.path, reply.status, text))
        return reply

    def _check(self, check: Callable[[Contract], object]) -> None:
        if self._contract is None:
            return
        try:
            check(self._contract)
        except Exception as error:  # whatever the contract raises; the fake must go on as the live service would
            self._recording.contract_errors.append(str(error))

    def _answer(self, request: Request, match: Match | None) -> Reply:
        if match is None:
            self._recording.unknown_routes.append(f"{request.method} {request.path}")
            raise Refusal(404, "Not Found")
        if match.route is None:
            raise Refusal(self._switches.wrong_method_status, "Method Not Allowed")
        route = match.route
        if route.name not in authentication.PUBLIC_ROUTES:
            now = self._state.true_now().timestamp() + self._switches.clock_offset
            authentication.check(request.headers.get("authorization"), self._credentials, self._switches, now)
        self._check_protocol(route)
        body = self._read(route, match, request)
        for name in route.required:
            if not body.get(name):
                raise invalid(route.takes, name)
        note = partial(self._recording.count, route.name)
        call = Call(self._state, self._switches, self._credentials, route, body, request.headers, self._publish, note)
        return self._print(route, route.handler(call))

    def _check_protocol(self, route: Route) -> None:
        """Refuse the routes of a protocol that the account does not have."""
        protocols = {"/eventTickets/": self._switches.tickets_status, "/coupon/": self._switches.coupons_status}
        for prefix, status in protocols.items():
            if status is not None and route.path.startswith(prefix):
                raise Refusal(status, HTTPStatus(status).phrase)

    def _read(self, route: Route, match: Match, request: Request) -> Record:
        reader = Reader()
        given = _json(request.body) if request.body and route.method != "GET" else {}
        body = reader.read(route.takes, given)
        if request.query and route.method == "GET" and route.takes != EMPTY:
            body.update(reader.read(route.takes, _from_query(route.takes, request.query)))
        if match.values:
            body.update(reader.read(route.takes, _typed(route.takes, dict(match.values))))
        if reader.unknown:
            if self._switches.strict_fields:
                raise bad_shape(f'unknown field "{reader.unknown[0]}"')
            self._recording.unknown_fields.extend(f"{route.name}: {name}" for name in reader.unknown)
        return body

    def _print(self, route: Route, answer: Any) -> Reply:
        omit_unset = self._switches.omit_unset
        if route.is_stream:
            lines = ({"result": show(route.gives, one, omit_unset=omit_unset)} for one in answer)
            return Reply(lines=[_dumps(line).encode() + b"\n" for line in lines])
        return Reply(body=_dumps(show(route.gives, answer, omit_unset=omit_unset)).encode())


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except ValueError as error:
        raise bad_shape(f"unexpected token ({error})") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"invalid value {name}")


def _from_query(message: str, query: str) -> dict[str, Any]:
    """Make the JSON of a message from a query, whose names may be dotted."""
    values: dict[str, Any] = {}
    for path, text in parse_qsl(query, keep_blank_values=True):
        *parents, last = path.split(".")
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = text
    return _typed(message, values)


def _typed(message: str, values: dict[str, Any]) -> dict[str, Any]:
    """Turn texts into what their fields want, where JSON would not accept a text."""
    known = fields(message)
    for name, value in values.items():
        field = known.get(name)
        if field is None:
            continue
        if isinstance(value, dict):
            values[name] = _typed(field.type, value)
        elif field.type == "bool":
            values[name] = value == "true"
        elif field.type not in _NUMBERS and value.isdigit() and field.type not in {"string", "time", "bytes"}:
            values[name] = int(value)  # an enum by its number
        if field.is_list:
            values[name] = [values[name]]
    return values
