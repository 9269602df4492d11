"""Every failure as `application/problem+json` (RFC 9457), and how OpenAPI tells of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from flask import Flask, Response, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from app import errors, logs
from app.errors import FieldError, PassrailError
from app.scrub import scrub_text
from app.service import current_service
from app.store.columns import to_json
from app.store.unavailable import DatabaseUnavailable

CONTENT_TYPE = "application/problem+json"

MOST_FIELDS_LOGGED = 10
_FIELD_NAME = re.compile(r"[a-z_0-9.]{1,80}")
log = logging.getLogger(__name__)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong and what to do next (RFC 9457).",
    "properties": {
        "type": {
            "title": "Type",
            "type": "string",
            "format": "uri",
            "description": "Address of a page about this kind of error.",
        },
        "title": {"title": "Title", "type": "string", "description": "The kind of error, in words."},
        "status": {"title": "Status", "type": "integer", "description": "The HTTP status, once more."},
        "detail": {
            "title": "Detail",
            "type": "string",
            "description": "What is wrong this time and what to do next.",
        },
        "instance": {"title": "Instance", "type": "string", "description": "Names this occurrence."},
        "code": {
            "title": "Code",
            "type": "string",
            "enum": [error.code for error in errors.catalogue()],
            "description": "The kind of error, stable, for programs.",
        },
        "retryable": {
            "title": "Retryable",
            "type": "boolean",
            "description": "True if the same request may succeed later.",
        },
        "request_id": {
            "title": "Request ID",
            "type": "string",
            "description": "ID of the request, as in the header X-Request-ID.",
        },
        "operation_id": {
            "title": "Operation ID",
            "type": "string",
            "description": "ID of the operation, if one was recorded.",
        },
        "errors": {
            "title": "Errors",
            "type": "array",
            "description": "The fields that are wrong.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {
                        "title": "Field",
                        "type": "string",
                        "description": "Name of the field, dotted where it is nested.",
                    },
                    "message": {"title": "Message", "type": "string", "description": "What would be right."},
                },
                "required": ["field", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "code", "retryable", "request_id"],
}


def init_app(app: Flask) -> None:
    """Make every failure of the application a problem: ours, the framework's, and the unexpected."""
    app.register_error_handler(PassrailError, answer)
    app.register_error_handler(HTTPException, lambda error: answer(_from_framework(error)))
    app.register_error_handler(DatabaseUnavailable, lambda error: answer(not_ready(error)))
    app.register_error_handler(Exception, _unexpected)


def document(error: PassrailError, public_url: str, request_id: str) -> dict[str, Any]:
    """Return the problem document of an error."""
    return {
        "type": f"{public_url}/docs/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:passrail:{request_id}",
        "code": error.code,
        "retryable": error.retryable,
        "request_id": request_id,
        **({"errors": [{"field": e.field, "message": e.message} for e in error.errors]} if error.errors else {}),
        **error.extra,
    }


def answer(error: PassrailError) -> Response:
    """Turn an error into the answer."""
    _note_refusal(error)
    public_url = current_service().settings.public_url
    body = to_json(document(error, public_url, logs.current_request_id() or ""))
    response = Response(body, error.status, error.headers, content_type=CONTENT_TYPE)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def note_refusals(refusals: Sequence[PassrailError]) -> None:
    """Let the line of a batch in the log say why items were refused: codes and names of fields, never values."""
    if refusals:
        g.refusal = {"codes": _once(refusal.code for refusal in refusals), **_wrong_fields(refusals)}


def _note_refusal(refusal: PassrailError) -> None:
    g.refusal = {"code": refusal.code, **_wrong_fields([refusal])}
    if operation_id := refusal.extra.get("operation_id"):
        g.operation_id = operation_id


def _wrong_fields(refusals: Sequence[PassrailError]) -> dict[str, list[str]]:
    names = _once(_logged_name(wrong.field) for refusal in refusals for wrong in refusal.errors[:MOST_FIELDS_LOGGED])
    return {"fields": names[:MOST_FIELDS_LOGGED]} if names else {}


def _logged_name(field: str) -> str:
    """Return what is logged of a field's name. One that is none of ours came from the caller: it may be anything."""
    if not field:
        return "(body)"
    return scrub_text(field) if _FIELD_NAME.fullmatch(field) else "(no field name)"


def _once(texts: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(texts)]


def _from_framework(error: HTTPException) -> PassrailError:
    if isinstance(error, RequestEntityTooLarge):
        return errors.PayloadTooLarge()
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return errors.MethodNotAllowed(
            f"{request.method} does not work here. Use one of: {allowed}.", headers={"Allow": allowed}
        )
    if isinstance(error, NotFound) or error.code == 404:
        return errors.NotFound("There is nothing at this address. Check it against the list in /docs.")
    if error.code is not None and 400 <= error.code < 500:
        return errors.MalformedRequest(error.description)
    return errors.Internal()


def not_ready(error: DatabaseUnavailable) -> errors.NotReady:
    """Turn a database that cannot do it now into our error, and tell operators."""
    log.error("the database is unavailable", extra={"why": error.why, "cause": repr(error.__cause__)})
    return errors.NotReady(f"{error.why} Send the same request again.", retry_after=2)


def _unexpected(error: Exception) -> Response:
    log.exception("an unexpected error")
    return answer(errors.Internal())


def from_validation(error: ValidationError) -> errors.ValidationFailed:
    """Turn what marshmallow found into our error."""
    return errors.ValidationFailed(errors=list(_flatten("", error.messages)))


def _flatten(prefix: str, messages: Any) -> Iterator[FieldError]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            # `_schema` is marshmallow's word for "the object as a whole".
            path = prefix if name == "_schema" else f"{prefix}.{name}" if prefix else str(name)
            yield from _flatten(path, inner)
    elif isinstance(messages, list):
        for message in messages:
            yield from _flatten(prefix, message)
    else:
        yield FieldError(prefix, str(messages))


def responses(raised: Iterable[type[PassrailError]]) -> dict[str, Any]:
    """Describe errors for OpenAPI: one response a status, one example a code."""
    ordered = sorted(set(raised), key=lambda error: (error.status, error.code))
    described: dict[str, Any] = {}
    for status, group in groupby(ordered, key=lambda error: error.status):
        kinds = list(group)
        described[str(status)] = {
            "description": "; or: ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
            "content": {
                CONTENT_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds},
                }
            },
        }
    return described


def example(kind: type[PassrailError]) -> dict[str, Any]:
    """Return an example problem of a kind, for OpenAPI and the docs pages."""
    listed = [FieldError("email", "Give an e-mail address such as ada@example.com.")]
    error = kind(errors=listed if kind is errors.ValidationFailed else ())
    return document(error, "https://passrail.example.com", "req_019ab3c4d5e6468566ed9bfd92d50a24")
