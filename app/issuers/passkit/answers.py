"""What an HTTP answer of PassKit means: a JSON object, a list of them, or one of the failures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from app.issuers.passkit.failures import (
    Answered,
    Conflict,
    CredentialsRefused,
    Garbled,
    Lost,
    NotFound,
    PassKitFailure,
    RateLimited,
    Unavailable,
    clean_text,
)
from app.issuers.passkit.refusals import known_refusal
from app.issuers.passkit.wire import Answer

Json = Mapping[str, Any]

# An error in the middle of a stream may name only gRPC's code; the HTTP status PassKit's gateway makes of it.
_STATUS_OF_GRPC = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 12: 501, 14: 503, 16: 401}
# A gateway has not heard from the server behind it, which may still be at work.
_NOT_HEARD = (408, 499, 502, 504)
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Correlation-Id", "CF-Ray")
_BY_STATUS: Mapping[int, type[Answered]] = {
    401: CredentialsRefused,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
    503: Unavailable,
}
_ONLY_IN_PASSKITS_FORM = (404, 409)


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
    if found.get("error") or ("message" in found and found.get("code")):
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
    is_passkits = isinstance(body, dict) and bool({"error", "message"} & body.keys())
    text = _error_text(body) or answer.body[:2000].decode("utf-8", "replace")
    return _failure(answer.status, _code(body), text, is_passkits, answer, secrets, now)


def _failure_in_stream(line: Json, answer: Answer, secrets: Sequence[str]) -> PassKitFailure:
    error, code = line["error"], _code(line)
    status = error.get("http_code") if isinstance(error, dict) else None
    if not isinstance(status, int):
        status = _STATUS_OF_GRPC.get(code or 0, 500)
    return _failure(status, code, _error_text(line), True, answer, secrets, None)


def _failure(
    status: int,
    code: int | None,
    text: str,
    is_passkits: bool,
    answer: Answer,
    secrets: Sequence[str],
    now: datetime | None,
) -> PassKitFailure:
    """`is_passkits`: the body has PassKit's form of an error, so it was PassKit's gateway that spoke."""
    shown = clean_text(text, secrets) or f"PassKit answered with status {status} and no text."
    facts: dict[str, Any] = {"status": status, "upstream_request_id": _request_id(answer)}
    if status in (429, 503, *_NOT_HEARD):
        facts["retry_after"] = _retry_after(answer, now)
    known = known_refusal(status, code, text) if is_passkits else None
    if known is not None:
        return known(shown, is_known=True, **facts)
    if status in _NOT_HEARD:
        return Lost(shown, **facts)
    kind = _BY_STATUS.get(status, Answered)
    return (Answered if status in _ONLY_IN_PASSKITS_FORM and not is_passkits else kind)(shown, **facts)


def _object(body: bytes, answer: Answer) -> Json:
    def malformed(_constant: str) -> NoReturn:
        raise ValueError("not JSON")

    if not body.strip():
        raise Garbled("The answer is empty.", status=answer.status)
    try:
        found = json.loads(body, parse_constant=malformed)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] in b"{[":
            raise Lost("The answer is cut off.", status=answer.status) from None
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


def _code(body: Any) -> int | None:
    """Find gRPC's code in an error body; None where it has none."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    inner = error if isinstance(error, dict) else {}
    for code in (body.get("code"), inner.get("grpc_code"), inner.get("code")):
        if isinstance(code, int) and not isinstance(code, bool):
            return code
    return None


def _retry_after(answer: Answer, now: datetime | None) -> float | None:
    """Read `Retry-After`: seconds, or a date, of which PassKit's own clock tells how far ahead it is."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, since = _date(text), date_of(answer) or now
    return None if until is None or since is None else max(0.0, (until - since).total_seconds())


def date_of(answer: Answer) -> datetime | None:
    """Return PassKit's clock: the answer's `Date` header, in whole seconds."""
    return _date(answer.headers.get("Date"))


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
