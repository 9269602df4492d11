"""Things that go wrong on purpose: a queue of faults, each for a route and a number of requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from tests.fakes.passkit.errors import error_body, stream_error
from tests.fakes.passkit.http import JSON, Later, Reply
from tests.fakes.passkit.switches import Switches

Kind = Literal[
    "delay", "status", "reset", "truncated", "cut", "html", "wrong_type", "huge", "drip", "empty", "stream_error"
]
Effect = Literal["never", "first", "last"]
ANY_ROUTE = "*"
KINDS: tuple[str, ...] = get_args(Kind)
EFFECTS: tuple[str, ...] = get_args(Effect)
# These spoil the answer to a request that was carried out; the others happen instead of it, unless told otherwise.
_AFTERWARDS = frozenset({"truncated", "cut", "html", "wrong_type", "huge", "drip", "empty", "stream_error"})
_HTML = b"<!doctype html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


class UnknownFault(ValueError):
    """There is no such fault, or it does not make sense."""


@dataclass
class Fault:
    """One thing that goes wrong.

    Kinds: `delay` (silence), `status` (an error answer), `reset` (of the connection), `truncated` (JSON that ends in
    the middle), `cut` (the connection ends before the promised length; in a stream: in mid-line), `html`,
    `wrong_type` (JSON, but a list of the answer), `huge`, `drip` (byte by byte), `empty`, `stream_error` (an error
    line after status 200).

    Attributes:
        kind: what goes wrong.
        route: for which route, `PUT /members/member/points/earn`, or `*` for any.
        times: for how many requests.
        effect: `never`: the request is not carried out. `first`: it is, and then things go wrong. `last`: only after
            the delay, even when the client has hung up by then. None: what is usual for the kind.
        seconds: how long a delay takes; afterwards the connection is closed if the effect is `never`.
        status: of a `status` or a `stream_error` (503 unless given), or of `html` (200 unless given).
        text: of the error.
        retry_after: header of a `status`, in seconds or as a date.
        size: bytes of a `huge` answer.
        seconds_per_byte: how slowly a `drip` drips.
    """

    kind: Kind
    route: str = ANY_ROUTE
    times: int = 1
    effect: Effect | None = None
    seconds: float = 0.0
    status: int | None = None
    text: str = "this fault was asked for"
    retry_after: int | str | None = None
    size: int = 11 * 1024 * 1024
    seconds_per_byte: float = 0.05

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownFault(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.effect is None:
            self.effect = "first" if self.kind in _AFTERWARDS else "never"
        if self.status is None:
            self.status = 200 if self.kind == "html" else 503
        if self.effect not in EFFECTS or (self.effect == "last" and self.kind != "delay"):
            raise UnknownFault(f"effect {self.effect!r} does not make sense with {self.kind}")


def read_fault(values: Any) -> Fault:
    """Make a fault of JSON.

    Raises:
        UnknownFault: there is no such fault.
    """
    known = {one.name for one in fields(Fault)}
    if not isinstance(values, dict) or not values.keys() <= known or "kind" not in values:
        raise UnknownFault(f"a fault is an object with a kind; its fields are {', '.join(sorted(known))}")
    return Fault(**values)


class Faults:
    """The faults that are still to come, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        self.waiting.append(fault)

    def clear(self) -> None:
        """Let everything go well."""
        self.waiting.clear()

    def take(self, route: str) -> Fault | None:
        """Return the first fault for a route, and count it down."""
        for fault in self.waiting:
            if fault.route in (route, ANY_ROUTE):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None


def strike(fault: Fault, carry_out: Callable[[], Reply], switches: Switches) -> Reply | Later:
    """Answer a request that a fault was waiting for."""
    if fault.kind == "delay":
        return _delay(fault, carry_out)
    if fault.effect == "never":
        return _instead(fault, switches)
    answer = carry_out()
    if fault.kind in {"status", "reset"}:
        return _instead(fault, switches)
    return _spoil(fault, answer)


def _delay(fault: Fault, carry_out: Callable[[], Reply]) -> Later:
    if fault.effect == "never":
        return Later(fault.seconds, lambda: Reply(ending="reset"))
    if fault.effect == "last":
        return Later(fault.seconds, carry_out, even_if_gone=True)
    answer = carry_out()
    return Later(fault.seconds, lambda: answer)


def _instead(fault: Fault, switches: Switches) -> Reply:
    if fault.kind == "reset":
        return Reply(ending="reset")
    if fault.kind == "status":
        assert fault.status is not None
        headers = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
        body = json.dumps(error_body(fault.status, fault.text, switches.error_style)).encode()
        return Reply(fault.status, body, headers=headers)
    return _spoil(fault, Reply(body=b"{}"))


def _spoil(fault: Fault, answer: Reply) -> Reply:
    body = answer.body if answer.lines is None else b"".join(answer.lines)
    last_line = body.rstrip(b"\n").rfind(b"\n") + 1
    half = body[: (last_line + len(body)) // 2] if body else b"{"
    match fault.kind:
        case "truncated":
            return Reply(answer.status, half)
        case "cut" if answer.lines is not None:
            return Reply(answer.status, lines=[half], missing_bytes=1)
        case "cut":
            return Reply(answer.status, half, missing_bytes=max(1, len(body) - len(half)))
        case "html":
            assert fault.status is not None
            return Reply(fault.status, _HTML, content_type="text/html")
        case "wrong_type":
            return Reply(answer.status, b"[" + (body.strip().replace(b"\n", b",") or b"{}") + b"]")
        case "huge":
            filler = b" " * max(0, fault.size - len(body))
            return Reply(answer.status, filler + body)
        case "drip":
            return Reply(answer.status, body, seconds_per_byte=fault.seconds_per_byte)
        case "stream_error":
            assert fault.status is not None
            line = json.dumps(stream_error(fault.status, fault.text)).encode() + b"\n"
            lines = list(answer.lines or ())
            return Reply(lines=[*lines[: len(lines) // 2], line])
        case _:
            return Reply(200, b"", content_type=JSON)
