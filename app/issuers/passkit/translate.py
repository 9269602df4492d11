"""PassKit's failures in the words of everybody: which error of ours each of them is."""

from __future__ import annotations

import re
from math import ceil

from app.errors import (
    FieldError,
    InsufficientPoints,
    OutcomeUnknown,
    PassrailError,
    RateLimited,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
    ValidationFailed,
)
from app.issuers.passkit import failures
from app.issuers.passkit.failures import PassKitFailure

WAIT_SECONDS = 30  # where PassKit does not say how long

_TIER, _PROGRAM = re.compile(r"tier\b"), re.compile(r"(?:program|campaign|production)\b")
UNKNOWN_PROGRAM = (
    "PassKit does not know the program of this pass: it was deleted there, or the connection is for another region or "
    "account."
)
_OTHER_THINGS = re.compile(r"(?:tier|program|campaign|production|offer|event|ticket type|venue|template)\b")
GONE = "PassKit has no record of this pass any more: it was deleted there. Create a new one."


def to_error(failure: PassKitFailure) -> PassrailError:
    """Return the error that a failure is. For a write whose outcome is looked into: the one told if it was not done."""
    wait = ceil(failure.retry_after) if failure.retry_after else None
    match failure:
        case failures.InvalidRequest(field=""):
            return ValidationFailed(failure.text)
        case failures.InvalidRequest():
            return ValidationFailed(errors=[FieldError(failure.field, failure.text)])
        case failures.CredentialsRefused():
            return UpstreamCredentialsRefused(credentials_sentence(failure))
        case failures.RateLimited():
            seconds = wait or WAIT_SECONDS
            return RateLimited(
                f"PassKit asks to slow down. Send the same request again in {seconds} seconds.", retry_after=seconds
            )
        case failures.NotFound() if _TIER.match(failure.text):
            return UpstreamRejected(
                "PassKit does not have this tier any more. Choose another one. " + _said(failure), extra=_told(failure)
            )
        case failures.NotFound() if _PROGRAM.match(failure.text):
            return UpstreamRejected(f"{UNKNOWN_PROGRAM} {_said(failure)}", extra=_told(failure))
        case failures.Answered(status=403):
            return UpstreamRejected(
                f"PassKit does not let this connection do that ({failure.request}). Give its key the right to in "
                f"PassKit's portal. {_said(failure)}",
                extra=_told(failure),
            )
        case failures.NotEnoughPoints():
            return InsufficientPoints(
                "The pass has too few points at PassKit, which does not let the balance of this tier go below zero."
            )
        case failures.Answered() if not isinstance(failure, failures.Unavailable):
            return UpstreamRejected(f"PassKit refused the request: {failure.text}", extra=_told(failure))
        case failures.Unavailable() | failures.NotSent():
            return _away(failure, wait or WAIT_SECONDS)
        case _ if failure.is_read:
            return _away(failure, wait or WAIT_SECONDS)
        case _:
            return OutcomeUnknown(
                f"PassKit did not say whether it happened: {failure.text} Send the same request with the same key: "
                "the service then finds out first."
            )


def is_about_pass(failure: failures.NotFound) -> bool:
    """Tell whether it is the pass that PassKit does not have, and not something that it hangs on."""
    return _OTHER_THINGS.match(failure.text) is None


def _away(failure: PassKitFailure, seconds: int) -> PassrailError:
    return UpstreamUnavailable(
        f"PassKit cannot be reached: {failure.text} Send the same request again in {seconds} seconds.",
        retry_after=seconds,
    )


def credentials_sentence(failure: failures.CredentialsRefused) -> str:
    """Say why PassKit does not let us in, and what to do about it."""
    if failure.is_long_lived:
        if failure.is_about_time:
            what = "The long-lived token of this connection has expired. Make a new one in PassKit's portal"
        else:
            what = "PassKit refuses the long-lived token of this connection. Copy it again from PassKit's portal"
        return f"{what}, check the region, and connect again. {_said(failure)}"
    if failure.is_about_time:
        return (
            "PassKit refuses our tokens because of their time: the clock of this server is wrong. Set it right (NTP), "
            f"then try again. {_said(failure)}"
        )
    return (
        "PassKit refuses the API key or its secret. Copy both again from app.passkit.com, Developer Tools, REST "
        f"credentials, check the region, and connect again. {_said(failure)}"
    )


def _said(failure: PassKitFailure) -> str:
    return f"PassKit says: {failure.text}"


def _told(failure: PassKitFailure) -> dict[str, object]:
    return {"upstream": {"status": failure.status, "message": failure.text}}
