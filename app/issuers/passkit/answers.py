"""What an HTTP answer of PassKit means: a JSON object, a list of them, or one of the failures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from app.issuers.passkit.failures import (
    Conflict,
    CredentialsRefused,
    Garbled,
    NotFound,
    PassKitFailure,
    RateLimited,
    Refused,
    Unavailable,
    Unclear,
    clean_text,
)
from app.issuers.passkit.wire import Answer

Json = Mapping[str, Any]

# An error in the middle of a stream may name only gRPC's code; the HTTP status PassKit's gateway makes of it.
_STATUS_OF_GRPC = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 12: 501, 14: 503, 16: 401}

# Words of gRPC and Go about an attempt that failed underway inside PassKit: nobody there knows either.
_UNDERWAY = re.compile(
    r"deadline exceeded|timed? ?out|transport is closing|error reading from server|connection (?:reset|closed|refused)"
    r"|broken pipe|\bEOF\b|context cancell?ed|\bpanic\b|upstream connect|internal server error",
    re.IGNORECASE,
)
# "Token used before issued" is documented, "jwt was issued too long ago" is a field report, the rest other libraries'.
_ABOUT_TIME = re.compile(r"before issued|issued too long ago|expired|not valid yet", re.IGNORECASE)
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Correlation-Id", "CF-Ray")


class MalformedAnswer(Exception):
    """JSON that is not what PassKit's descriptors say. Names the field, never the value."""


def parse_object(answer: Answer, secrets: Sequence[str] = (), now: datetime | None = None) -> Json:
    """Return the JSON object of a plain answer.

    Args:
        answer: what came.
        secrets: never to be repeated in a failure's text.
        now: the time, for a `Retry-After` that is a date.

    Raises:
        PassKitFailure: any but NotSent and InvalidRequest.
    """
    if not 200 <= answer.status < 300:
        raise failure_of(answer, secrets, now)
    found = _object(answer.body, answer)
    if found.get("error"):
        text = clean_text(_error_text(found), secrets)
        raise Garbled(f"The answer says both success and an error: {text}", status=answer.status)
    return found


def parse_lines(answer: Answer, secrets: Sequence[str] = (), now: datetime | None = None) -> list[Json]:
    """Return the objects of a stream: `{"result": {...}}` a line. An empty body is an empty list.

    Every line is looked at: an error can come after any number of results, under the status 200 that was sent first.

    Raises:
        PassKitFailure: as above, also for an error in a line; nothing of the list is returned then.
    """
    if not 200 <= answer.status < 300:
        raise failure_of(answer, secrets, now)
    results: list[Json] = []
    for line in answer.body.split(b"\n"):
        if not line.strip():
            continue
        found = _object(line, answer)
        if found.get("error") is not None:
            raise _failure_in_stream(found, answer, secrets)
        result = found.get("result")
        if not isinstance(result, dict):
            raise Garbled("A line of the list has neither result nor error.", status=answer.status)
        results.append(result)
    return results


def failure_of(answer: Answer, secrets: Sequence[str] = (), now: datetime | None = None) -> PassKitFailure:
    """Return the failure that an answer with a status outside of 2xx stands for."""
    body = _json_or_none(answer.body)
    known = isinstance(body, dict) and bool({"error", "message"} & body.keys())
    text = _error_text(body) or answer.body[:2000].decode("utf-8", "replace")
    return _failure(answer.status, clean_text(text, secrets), known, answer, now)


def _failure_in_stream(line: Json, answer: Answer, secrets: Sequence[str]) -> PassKitFailure:
    error = line["error"]
    status = 500
    if isinstance(error, dict):
        grpc = error.get("grpc_code") or error.get("code")
        status = error.get("http_code") or _STATUS_OF_GRPC.get(grpc if isinstance(grpc, int) else 0, 500)
    text = clean_text(_error_text(line), secrets)
    return _failure(status if isinstance(status, int) else 500, text, True, answer, None)


def _failure(status: int, text: str, known: bool, answer: Answer, now: datetime | None) -> PassKitFailure:
    """`known`: the body has PassKit's form of an error, so it was PassKit's gateway that spoke."""
    facts: dict[str, Any] = {"status": status, "upstream_request_id": _request_id(answer)}
    text = text or f"PassKit answered with status {status} and no text."
    if status in (401, 403):
        refused = CredentialsRefused(text, **facts)
        refused.date = _date(answer.headers.get("Date"))
        refused.is_about_time = status == 401 and _ABOUT_TIME.search(text) is not None
        return refused
    if status == 429:
        return RateLimited(text, retry_after=_retry_after(answer, now), **facts)
    if known and not _UNDERWAY.search(text):
        if status == 503:
            return Unavailable(text, retry_after=_retry_after(answer, now), **facts)
        if status == 500:
            return Refused(text, **facts)
    if known and status in (404, 409):
        return (NotFound if status == 404 else Conflict)(text, **facts)
    if (300 <= status < 500 and status not in (408, 499)) or status == 501:
        return Refused(text, **facts)
    if status in (408, 499, 502, 503, 504):
        return Unclear(text, retry_after=_retry_after(answer, now), **facts)
    return Garbled(text, **facts)


def _object(body: bytes, answer: Answer) -> Json:
    def malformed(_constant: str) -> NoReturn:
        raise ValueError("not JSON")

    if not body.strip():
        raise Garbled("The answer is empty.", status=answer.status)
    try:
        found = json.loads(body, parse_constant=malformed)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] in b"{[":
            raise Unclear("The answer is cut off.", status=answer.status) from None
        raise Garbled("The answer is not JSON.", status=answer.status) from None
    if not isinstance(found, dict):
        raise Garbled("The answer is not a JSON object.", status=answer.status)
    return found


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error_text(body: Any) -> str:
    """Find the text in each form of an error body that was seen: `message`, `error`, `error.message`."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    for text in (body.get("message"), error, error.get("message") if isinstance(error, dict) else None):
        if isinstance(text, str) and text:
            return text
    return ""


def _retry_after(answer: Answer, now: datetime | None) -> float | None:
    """Read `Retry-After`: seconds, or a date, of which PassKit's own clock tells how far ahead it is."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, since = _date(text), _date(answer.headers.get("Date")) or now
    return None if until is None or since is None else max(0.0, (until - since).total_seconds())


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _request_id(answer: Answer) -> str | None:
    for name in _REQUEST_ID_HEADERS:
        if value := answer.headers.get(name):
            return clean_text(value)[:64]
    return None
