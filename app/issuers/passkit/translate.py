"""PassKit's failures in the words of everybody: which error of ours each of them is."""

from __future__ import annotations

from math import ceil

from app.errors import (
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


def to_error(failure: PassKitFailure) -> PassrailError:
    """Return the error that a failure is. What is certain and what is not stays apart (see `failures`)."""
    wait = ceil(failure.retry_after) if failure.retry_after else None
    match failure:
        case failures.InvalidRequest():
            return ValidationFailed(failure.text)
        case failures.CredentialsRefused():
            return UpstreamCredentialsRefused(credentials_sentence(failure))
        case failures.NotFound():
            return UpstreamRejected(
                "PassKit does not have this pass or program any more: it was deleted there, or the connection is for "
                f"another region or account. PassKit says: {failure.text}",
                extra=_told(failure),
            )
        case failures.Refused():
            return UpstreamRejected(f"PassKit refused the request: {failure.text}", extra=_told(failure))
        case failures.RateLimited():
            seconds = wait or WAIT_SECONDS
            return RateLimited(
                f"PassKit asks to slow down. Send the same request again in {seconds} seconds.", retry_after=seconds
            )
        case failures.Unavailable():
            seconds = wait or WAIT_SECONDS
            return UpstreamUnavailable(
                f"PassKit cannot be reached: {failure.text} Send the same request again in {seconds} seconds.",
                retry_after=seconds,
            )
        case _:
            return OutcomeUnknown(
                f"PassKit did not say whether it happened: {failure.text} Send the same request with the same key: "
                "the service then finds out first."
            )


def credentials_sentence(failure: failures.CredentialsRefused) -> str:
    """Say why PassKit does not let us in, and what to do about it."""
    if failure.is_about_time:
        return (
            "PassKit refuses our tokens because of their time: the clock of this server is wrong. Set it right (NTP), "
            f"then try again. PassKit says: {failure.text}"
        )
    return (
        "PassKit refuses the API key or its secret. Copy both again from app.passkit.com, Developer Tools, REST "
        f"credentials, check the region, and connect again. PassKit says: {failure.text}"
    )


def _told(failure: PassKitFailure) -> dict[str, object]:
    return {"upstream": {"status": failure.status, "message": failure.text}}
