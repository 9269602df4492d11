"""Every way a request can fail, and the one form failures take (RFC 9457, `application/problem+json`).

    PassrailError
      400  MalformedJson, MalformedRequest, InvalidIdempotencyKey
      401  Unauthorized, KeyRevoked
      403  Forbidden
      404  NotFound
      405  MethodNotAllowed
      408  RequestTimeout
      409  Duplicate, AlreadyRedeemed, AmbiguousPass, HookNotActive, IdempotencyInProgress, OperationOpen
      413  PayloadTooLarge
      415  UnsupportedMediaType
      422  ValidationFailed, IdempotencyKeyReused, InsufficientPoints, NotApplicable, UpstreamRejected
      424  UpstreamCredentialsRefused
      429  RateLimited
      500  Internal
      503  UpstreamUnavailable, NotReady, TooBusy
      504  OutcomeUnknown

Code raises them; `api/problems.py` turns them into answers. The class says what kind of failure it is (stable
`code`, HTTP status, whether a retry can help, the text of its docs page), the instance says what happened this
time in a sentence that tells a person what to do next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

FIELDS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong: its dotted name (`fields.birthday`, `items.3`) and what would be right."""

    field: str
    message: str


class PassrailError(Exception):
    """A failure with a stable code.

    Args:
        detail: one or two plain sentences: what is wrong and what to do next.
        errors: the fields at fault, when it is about fields.
        retry_after: whole seconds after which a repeat makes sense; sent as `Retry-After`.
        headers: further headers the answer must carry (`Allow`, `WWW-Authenticate`).
        extra: further members of the problem document, for example the IDs of an ambiguous pass.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    retryable: ClassVar[bool] = False
    explanation: ClassVar[str]
    example: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.errors = tuple(errors)
        self.detail = detail or self._sentence()
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(f"{self.code}: {self.detail}")

    def _sentence(self) -> str:
        """Name the first few fields that are wrong, or say what is generally true of this error."""
        if not self.errors:
            return self.example
        named = "; ".join(f"{error.field}: {error.message}".removeprefix(": ") for error in self.errors[:FIELDS_SHOWN])
        count = "1 field is" if len(self.errors) == 1 else f"{len(self.errors)} fields are"
        rest = len(self.errors) - FIELDS_SHOWN
        return f"{count} not right: {named}" + (f" And {rest} more." if rest > 0 else "")


class MalformedJson(PassrailError):
    status = 400
    code = "malformed-json"
    title = "The body is not JSON"
    explanation = (
        "The body could not be read as JSON. Common causes are a trailing comma, single quotes, a comment, an "
        "unfinished string, or the words NaN and Infinity, which JSON does not have. Nothing was changed."
    )
    example = "The body is not valid JSON: unexpected text at line 1, column 12. Send one JSON object."


class MalformedRequest(PassrailError):
    status = 400
    code = "malformed-request"
    title = "The request is not proper HTTP"
    explanation = "The web server could not make sense of the request itself: its headers, host or encoding."
    example = "The request could not be read. Check its headers."


class InvalidIdempotencyKey(PassrailError):
    status = 400
    code = "invalid-idempotency-key"
    title = "The idempotency key cannot be used"
    explanation = (
        "An idempotency key has 1 to 255 visible ASCII characters, bare or in double quotes. A batch has no key "
        "of its own: give each of its items a unique_event_id. Nothing was changed."
    )
    example = "Idempotency-Key must have 1 to 255 visible ASCII characters. An invoice ID or a UUID works well."


class Unauthorized(PassrailError):
    status = 401
    code = "unauthorized"
    title = "No valid API key"
    explanation = (
        "The request came without an API key, or with one this service does not know. Send the key as "
        "`Authorization: Bearer pr_test_...`. A key is shown once, when it is created; if it is lost, create "
        "another with `passrail key create` and revoke the old one."
    )
    example = "Send an API key in the header 'Authorization: Bearer pr_test_...'."


class KeyRevoked(PassrailError):
    status = 401
    code = "key-revoked"
    title = "The API key was revoked"
    explanation = (
        "The key was valid once and has been revoked by somebody of the account. Create another with "
        "`passrail key create` and put it where the old one was used."
    )
    example = "This API key was revoked. Create a new key and use it instead."


class Forbidden(PassrailError):
    status = 403
    code = "forbidden"
    title = "The API key may not do this"
    explanation = (
        "The key is valid but its scope does not allow this request: a key with the scope `read` can look, only "
        "a key with the scope `write` can change something."
    )
    example = "This API key may only read. Use a key with the scope 'write' for this request."


class NotFound(PassrailError):
    status = 404
    code = "not-found"
    title = "There is no such thing here"
    explanation = (
        "Nothing with this ID or address exists for the API key used. Things of another account, and things of "
        "the other mode (a live pass asked for with a test key), are not found either."
    )
    example = "There is no pass with this ID for this API key. Check the ID, and that the key's mode is right."


class MethodNotAllowed(PassrailError):
    status = 405
    code = "method-not-allowed"
    title = "This address does not take that method"
    explanation = "The address exists, the HTTP method does not fit it. The header `Allow` lists those that do."
    example = "DELETE does not work here. Use GET."


class RequestTimeout(PassrailError):
    status = 408
    code = "request-timeout"
    title = "The request came too slowly"
    retryable = True
    explanation = (
        "A request must arrive as a whole, headers and body, within 15 seconds of its first byte, so that slow "
        "connections cannot keep others waiting. Nothing was changed."
    )
    example = "The request did not arrive as a whole within 15 s. Send it again."


class Duplicate(PassrailError):
    status = 409
    code = "duplicate"
    title = "It exists already"
    explanation = (
        "There is already a pass with this external ID in the program, and the request asked for an error in "
        "that case (`if_exists: error`). Use `if_exists: return` to get the existing pass instead. The same code "
        "says that a name which must be unique is taken."
    )
    example = "A pass with the external ID 'customer-501' exists already in this program."


class AlreadyRedeemed(PassrailError):
    status = 409
    code = "already-redeemed"
    title = "The pass was redeemed before"
    explanation = (
        "A coupon or ticket is redeemed once. `redeemed_at` says when that happened. If this was a repeat of "
        "the same sale, send the same unique event ID: a repeat is then answered like the first time."
    )
    example = "This coupon was redeemed on 2026-11-20T09:30:00.000Z. It cannot be redeemed again."


class AmbiguousPass(PassrailError):
    status = 409
    code = "ambiguous-pass"
    title = "More than one pass fits"
    explanation = (
        "Several passes of the program carry this e-mail address. `pass_ids` lists them. Name the one you mean "
        "by `pass_id` or `external_id`. Where a person is exported or erased, `external_ids` lists the people who "
        "share the address."
    )
    example = "2 passes of this program have the e-mail address ada@example.com. Use pass_id to name one."


class HookNotActive(PassrailError):
    status = 409
    code = "hook-not-active"
    title = "The hook is not active"
    explanation = (
        "A hook that is paused or disabled is sent nothing, so that there is no use in a test or in sending something "
        "again. Make it active first: `PATCH /v1/hooks/{hook_id}` with `status: active`. Look at `disabled_reason` "
        "before: `gone` means that the receiver ended the subscription itself."
    )
    example = "This hook is disabled. Make it active first (PATCH, status: active)."


class IdempotencyInProgress(PassrailError):
    status = 409
    code = "idempotency-in-progress"
    title = "The same request is still running"
    retryable = True
    explanation = (
        "A request with the same idempotency key (or unique event ID) is being worked on right now. Wait as long "
        "as `Retry-After` says and send the same request again: it is answered with the result, and done once."
    )
    example = "A request with this idempotency key is still running. Send it again in 1 second."


class OperationOpen(PassrailError):
    status = 409
    code = "operation-open"
    title = "Something on a pass of this person is not settled"
    retryable = True
    explanation = (
        "A person cannot be erased while an operation on one of the passes has no outcome yet: what the issuer is "
        "still doing would bring data back. `operation_ids` lists them. Nothing is lost: send the same request again "
        "after `Retry-After`. An operation that stays `unknown` is settled with `POST /v1/operations/{id}/resolve`."
    )
    example = "An operation on a pass of this person has no outcome yet. Send the request again in 60 seconds."


class PayloadTooLarge(PassrailError):
    status = 413
    code = "payload-too-large"
    title = "The body is too large"
    explanation = "A request body may have 64 kB (65 536 bytes). Split a batch into smaller ones."
    example = "The body is larger than 64 kB. Send less at once."


class UnsupportedMediaType(PassrailError):
    status = 415
    code = "unsupported-media-type"
    title = "The body is not declared as JSON"
    explanation = "Bodies are JSON. Send the header `Content-Type: application/json`."
    example = "Send JSON with the header 'Content-Type: application/json'."


class ValidationFailed(PassrailError):
    status = 422
    code = "validation-failed"
    title = "Some fields are not right"
    explanation = (
        "The request was understood, but a field is missing, unknown, or has a value that cannot be used. "
        "`errors` names each field and says what would be right. Nothing was changed."
    )
    example = "1 field is not right: email: Not a valid email address."


class IdempotencyKeyReused(PassrailError):
    status = 422
    code = "idempotency-key-reused"
    title = "The key belongs to a different request"
    explanation = (
        "This idempotency key (or unique event ID) was used within the last 400 days for the same action with "
        "other values. A key stands for one event: map something that is unique for each event, an invoice ID "
        "for example, not a customer ID."
    )
    example = "This unique event ID was used before with other values. Map an ID that is new for each event."


class InsufficientPoints(PassrailError):
    status = 422
    code = "insufficient-points"
    title = "Not enough points"
    explanation = (
        "Subtracting would take the balance below zero. Nothing was changed. Subtract less, or send "
        "`allow_negative: true` if a negative balance is meant."
    )
    example = "The pass has 20 points, 50 cannot be subtracted. Send allow_negative: true if that is meant."


class NotApplicable(PassrailError):
    status = 422
    code = "not-applicable"
    title = "That does not work for this pass"
    explanation = (
        "The action does not exist for this kind of pass or for the state it is in: only memberships have "
        "points, only coupons and event tickets are redeemed, a permanently revoked pass cannot be changed. "
        "`detail` says which it is. Nothing was changed."
    )
    example = "A coupon has no points. Points work for memberships only."


class UpstreamRejected(PassrailError):
    status = 422
    code = "upstream-rejected"
    title = "The issuer refused"
    explanation = (
        "The service where the pass lives refused the request. `detail` repeats its reason, and says what was done "
        "before that, if anything was. Mend the cause and send the same request with the same key: the key is free, "
        "and the service looks first whether anything came of the refused request."
    )
    example = "The issuer refused the request: simulated rejection. Mend the cause and send it again."


class UpstreamCredentialsRefused(PassrailError):
    status = 424
    code = "upstream-credentials-refused"
    title = "The issuer does not accept our credentials"
    explanation = (
        "The account is connected to a remote issuer, and that issuer refuses the credentials of the connection, or "
        "there is no connection any more. Nothing was changed and the idempotency key is still free. "
        "Somebody who administers the account must connect again: `PUT /v1/issuer` or `passrail issuer connect`. "
        "`GET /v1/issuer` tells since when it does not work."
    )
    example = "The issuer refuses the API key of this connection. Connect again with PUT /v1/issuer."


class RateLimited(PassrailError):
    status = 429
    code = "rate-limited"
    title = "Too many requests"
    retryable = True
    explanation = (
        "This API key has used up its requests for now, or the issuer asked to slow down. Wait as long as "
        "`Retry-After` says, then send the same request again. Nothing was changed and the idempotency key is "
        "still free."
    )
    example = "Too many requests with this API key. Send it again in 2 seconds."


class Internal(PassrailError):
    status = 500
    code = "internal"
    title = "Something broke on our side"
    explanation = (
        "An error of the service itself. It was logged under the `request_id`. A repeat with the same "
        "idempotency key is safe: what was done is not done again."
    )
    example = "The service failed to answer. Give the request ID to whoever runs it."


class UpstreamUnavailable(PassrailError):
    status = 503
    code = "upstream-unavailable"
    title = "The issuer cannot be reached"
    retryable = True
    explanation = (
        "The service where the pass lives did not take the request. Nothing was changed and the idempotency "
        "key is still free: send the same request again later."
    )
    example = "The issuer is not reachable at the moment. Send the same request again in 30 seconds."


class NotReady(PassrailError):
    status = 503
    code = "not-ready"
    title = "The service is not ready"
    retryable = True
    explanation = (
        "The database cannot do it now: it cannot be reached, something holds it locked, it is read-only, its disk is "
        "full; or its tables are not those of this version (run `passrail migrate`). `detail` says which it is. Send "
        "the same request with the same key again when `Retry-After` says."
    )
    example = "The database is not reachable. Check DATABASE_URL."


class TooBusy(PassrailError):
    status = 503
    code = "too-busy"
    title = "Too many such requests at this moment"
    retryable = True
    explanation = (
        "As many requests as may be under way at once wait for the issuer, or read long lists; others are answered as "
        "usual. Nothing was changed and the idempotency key is still free: send the same request again when "
        "`Retry-After` says. Where this lasts, the issuer is slow, or the service needs more processes or threads "
        "(`WEB_CONCURRENCY`, `WEB_THREADS`)."
    )
    example = "Too many requests wait for the issuer at this moment. Send the same request again in 2 seconds."


class OutcomeUnknown(PassrailError):
    status = 504
    code = "outcome-unknown"
    title = "It is not known whether it happened"
    retryable = True
    explanation = (
        "The issuer did not say clearly what became of the request, and its records do not tell either: the action may "
        "or may not have happened. Send the same request with the **same** idempotency key (or unique event ID). The "
        "service then finds out first, and finishes the work once. Do not use a new key: that would be a second "
        "request. The service also looks again by itself, for a day; then a person has to say what happened: "
        "`POST /v1/operations/{id}/resolve`."
    )
    example = "The issuer did not answer in time. Send the same request with the same key to learn the outcome."


def catalogue() -> list[type[PassrailError]]:
    """Return every error class with a code, in the order of the tree above; docs and OpenAPI are made from it."""

    def walk(base: type[PassrailError]) -> Iterator[type[PassrailError]]:
        for error in base.__subclasses__():
            if "code" in vars(error):
                yield error
            yield from walk(error)

    return sorted(walk(PassrailError), key=lambda error: error.status)
