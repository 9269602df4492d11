"""How the fake says no, in the words and the forms that developers have reported of the live service."""

from __future__ import annotations

from typing import Any, Literal

ErrorStyle = Literal["text", "model", "nested"]

# The status of an HTTP answer and the gRPC code that the gateway made it from.
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 1, 409: 6, 429: 8, 500: 2, 501: 12, 503: 14, 504: 4}


class Refusal(Exception):
    """A request that ends in an error answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


def invalid(message: str, field: str, tag: str = "required") -> Refusal:
    """The text of the Go validator, which tells one field at a time.

    Args:
        message: the message's full name, `members.Member`.
        field: the field as JSON spells it, `tierId`; dotted inside another one.
        tag: the rule that it breaks.
    """
    struct = message.rpartition(".")[2]
    path = ".".join(part[:1].upper() + part[1:] for part in field.split("."))
    last = path.rpartition(".")[2]
    return Refusal(
        400, f"validation error: Key: '{struct}.{path}' Error:Field validation for '{last}' failed on the '{tag}' tag"
    )


def bad_shape(what: str) -> Refusal:
    """JSON that does not fit the message."""
    return Refusal(400, f"proto: syntax error (line 1:1): {what}")


def not_found(what: str, identity: str) -> Refusal:
    """An object that is not there; also the only sign of having asked the wrong region."""
    if what == "program":
        return Refusal(404, f"program [uuid:{identity}] does not exist")
    return Refusal(404, f"{what} with id[{identity}] does not exist")


def duplicate(what: str, identity: str) -> Refusal:
    """An external ID or a ticket number that is taken."""
    return Refusal(409, f"{what} [{identity}] already exists")


def business(text: str) -> Refusal:
    """A rule of the business. The live service answers 500 for them, as if it had broken down."""
    return Refusal(500, text)


def error_body(status: int, text: str, style: ErrorStyle) -> dict[str, Any]:
    """Write an error in one of the three forms seen in the wild; `text` is today's."""
    code = _GRPC_CODES.get(status, 13)
    if style == "model":
        return {"error": text, "code": code, "message": text, "details": []}
    if style == "nested":
        return {"error": {"code": code, "message": text}}
    return {"error": text}


def stream_error(status: int, text: str) -> dict[str, Any]:
    """Write the error that ends a stream whose status, 200, is already sent."""
    code = _GRPC_CODES.get(status, 13)
    return {
        "error": {"grpc_code": code, "http_code": status, "message": text, "http_status": "Error", "details": []},
    }
