"""How faults spoil the answer to a request, or what they put in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.passkit.errors import error_body, stream_error
from tests.fakes.passkit.faults import Effect, Fault
from tests.fakes.passkit.http import JSON, Later, Reply
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.switches import Switches

_HTML = b"<!doctype html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_HTML_TYPE = "text/html"

Change = Callable[[Record], Record]


def strike(
    fault: Fault, effect: Effect, carry_out: Callable[[], Reply], switches: Switches, about_another: Change
) -> Reply | Later:
    """Answer a request that a fault was waiting for.

    Args:
        fault: what goes wrong.
        effect: whether and when the request is carried out.
        carry_out: does what the request asks for and answers it.
        switches: the form of errors.
        about_another: turns an answer into what it would be about the pass that the fault names.
    """
    if fault.kind == "delay":
        return _delay(fault, effect, carry_out)
    answer = Reply(body=b"{}") if effect == "never" else carry_out()
    match fault.kind:
        case "reset":
            return Reply(ending="reset")
        case "status":
            return _status(fault, switches)
        case "another_record":
            return _changed(answer, about_another)
        case "only_id":
            return _changed(answer, lambda told: {"id": told.get("id", "")})
        case _:
            return _spoil(fault, answer)


def _delay(fault: Fault, effect: Effect, carry_out: Callable[[], Reply]) -> Later:
    if effect == "never":
        return Later(fault.seconds, lambda: Reply(ending="reset"))
    if effect == "last":
        return Later(fault.seconds, carry_out, even_if_gone=True)
    answer = carry_out()
    return Later(fault.seconds, lambda: answer)


def _status(fault: Fault, switches: Switches) -> Reply:
    assert fault.status is not None
    text = fault.body
    if text is None:
        text = json.dumps(error_body(fault.status, fault.text, switches.error_style))
    headers = (("Retry-After", fault.retry_after), ("Location", fault.location))
    return Reply(
        fault.status,
        text.encode(),
        content_type=_HTML_TYPE if text.lstrip().startswith("<") else JSON,
        headers=tuple((name, str(value)) for name, value in headers if value is not None),
    )


def _changed(answer: Reply, change: Change) -> Reply:
    """Answer something else than what is true, in the right form: an object, or the lines of a stream."""
    if answer.status != 200:
        return answer
    if answer.lines is None:
        return Reply(answer.status, _dumps(change(json.loads(answer.body))))
    results = [json.loads(line)["result"] for line in answer.lines]
    return Reply(answer.status, lines=[_dumps({"result": change(result)}) + b"\n" for result in results])


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


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
            return Reply(fault.status, _HTML, content_type=_HTML_TYPE)
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
