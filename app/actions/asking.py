"""Having an issuer make a change, or finding out that it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app import upstream
from app.actions.attempt import Attempt
from app.actions.elsewhere import is_local, issuer_for_attempt, keep
from app.actions.lookup import look_up
from app.actions.request import Request
from app.errors import (
    NotApplicable,
    OutcomeUnknown,
    RateLimited,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.issuers import ExistsAlready, Issuer
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.passkit.translate import to_error
from app.model import Change


class StillUnknown(OutcomeUnknown):
    """It was asked what became of an earlier try, and nobody could tell. Nothing was tried again."""


def ask(request: Request, attempt: Attempt) -> tuple[Change | None, Attempt]:
    """Have the change made, or find out that it was.

    Returns:
        The change as it came out, None where our own record is the truth; and the attempt, whose change is another one
        when the issuer turned out to have the pass already.

    Raises:
        StillUnknown: an earlier try's outcome is as unknown as before.
        PassrailError: whatever the issuer answers.
    """
    if is_local(attempt.program):
        return _ask_issuer(request.issuer, attempt), attempt
    with _finding_out(attempt):
        one = upstream.need(request.service, request.caller.account_id, request.caller.mode)
        issuer = issuer_for_attempt(request.service, one, attempt, request.data)
    with upstream.told(request.service, one):
        try:
            return _ask_issuer(issuer, attempt), attempt
        except ExistsAlready as exists:
            attempt = _decide_on(request, attempt, exists)
            return issuer.apply(attempt.change, attempt.operation.id), attempt


def _ask_issuer(issuer: Issuer, attempt: Attempt) -> Change | None:
    operation_id = attempt.operation.id
    if attempt.tried_at is not None:
        with _finding_out(attempt):
            found = issuer.reconcile(attempt.change, operation_id)
        if found is True:
            return None if is_local(attempt.program) else attempt.change
        if found is not False:
            return found
        if attempt.is_only_looked_into:
            raise UpstreamUnavailable("The issuer did not take this request. Nothing was changed; send it again.")
    return issuer.apply(attempt.change, operation_id)


def _decide_on(request: Request, attempt: Attempt, exists: ExistsAlready) -> Attempt:
    """Take the pass that the issuer has already on record, and decide again: return it, update it, or refuse."""
    if not keep(request.service, exists.found):
        raise NotApplicable(
            "PassKit keeps the external ID of a pass that was permanently revoked. Use another external ID."
        )
    now = request.service.clock()
    with request.service.store.read() as connection:
        case = look_up(connection, request.caller, request.action, request.data, now, lock=False)
    return replace(attempt, change=request.action.decide(case), tried_at=None)


@contextmanager
def _finding_out(attempt: Attempt) -> Iterator[None]:
    """Keep an outcome unknown while it is found out about: no failure of asking says that nothing was done."""
    try:
        yield
    except PassKitFailure as failure:
        if attempt.tried_at is None:
            raise
        raise StillUnknown(to_error(failure).detail) from failure
    except (OutcomeUnknown, RateLimited, UpstreamUnavailable, UpstreamCredentialsRefused, UpstreamRejected) as unclear:
        if attempt.tried_at is None:
            raise
        raise StillUnknown(unclear.detail, retry_after=unclear.retry_after, headers=unclear.headers) from unclear
