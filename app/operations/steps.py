"""Carrying out a plan at an issuer that is asked between two transactions, one effect after the other.

`carry_out` asks for the next effect and has recorded what came of it (`outcomes.py`), until all are true or one is
refused. No transaction is open while an issuer is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.accounts.connections import IssuerConnection
from app.effects import (
    AddPoints,
    ChangeTier,
    Effect,
    Issue,
    Redeem,
    Reinstate,
    Revoke,
    SetExpiry,
    SetPoints,
    UpdateHolder,
)
from app.errors import PassrailError, UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable
from app.issuers.protocol import Done, Issuer, NotDone, Outcome, Refused, Settled, Step, Unclear
from app.issuers.simulated import simulated_issuer
from app.model import BUILTIN, Pass
from app.operations.attempt import Attempt
from app.operations.outcomes import end_undone, take
from app.operations.plan import CannotGoOn
from app.operations.record import Answer
from app.service import Service
from app.store import operations, passes
from app.store.operations import OperationStatus
from app.sync import connections


def carry_out(service: Service, attempt: Attempt) -> Answer:
    """Make the effects true that are missing, and record each.

    Raises:
        IdempotencyInProgress: somebody else holds the lease by now, and will record the outcome.
        OutcomeUnknown: it cannot be told whether an effect is true.
        PassrailError: whatever the issuer refuses with.
    """
    while not attempt.plan.is_complete:
        outcome, is_tried = _ask(service, attempt)
        result = take(service, attempt, outcome, is_tried=is_tried)
        if isinstance(result, Answer):
            return result
        attempt = result
    raise end_undone(service, attempt)


def find_out(service: Service, attempt: Attempt) -> Answer | None:
    """Find out about a refused operation whose key comes with another request. None: nothing of it was done.

    Raises:
        OutcomeUnknown: it cannot be told.
        PassrailError: as `carry_out`.
    """
    outcome: Outcome | NotDone
    try:
        way = _way_to(service, attempt)
        outcome = _settled(service, attempt, way)
    except PassrailError as error:
        outcome = Unclear(error)
    if isinstance(outcome, NotDone | Refused):
        with service.store.write() as connection:
            if operations.lock_if_leased(connection, attempt.operation):
                freed = replace(attempt.operation, status=OperationStatus.FAILED, key_digest=None, request=None)
                operations.save(connection, attempt.operation, replace(freed, lease_until=None, tried_at=None))
        return None
    result = take(service, attempt, outcome, is_tried=False)
    return result if isinstance(result, Answer) else carry_out(service, result)


@dataclass(frozen=True, slots=True)
class _Way:
    """The issuer of a pass, and the connection that leads to it: None for test mode's simulated issuer."""

    issuer: Issuer
    connection: IssuerConnection | None


def _way_to(service: Service, attempt: Attempt) -> _Way:
    """Return the way to the issuer.

    Raises:
        UpstreamCredentialsRefused: there is no connection to it, or its credentials cannot be opened.
        CannotGoOn: there is nobody to ask.
    """
    operation = attempt.operation
    if attempt.program.issuer == BUILTIN:
        simulated = simulated_issuer(operation.mode, attempt.subject.external_id)
        if simulated is None:
            raise CannotGoOn(f"Operation {operation.id} is about a pass that has no issuer to be asked.")
        return _Way(simulated, None)
    connected = connections.kept(service, operation.account_id, operation.mode)
    return _Way(connections.open_issuer(service, connected), connected)


def _ask(service: Service, attempt: Attempt) -> tuple[Outcome, bool]:
    """Have the next effect made true, or find out that it is; say also whether it was tried now."""
    try:
        way = _way_to(service, attempt)
    except PassrailError as error:
        return (Refused(error) if attempt.tried_at is None else Unclear(error)), False
    if attempt.tried_at is not None:
        found = _settled(service, attempt, way)
        if not isinstance(found, NotDone):
            return found, False
        if attempt.is_only_looked_into:
            undone = "The issuer did not take this request. Nothing was changed; send it again."
            return Refused(UpstreamUnavailable(undone)), False
    outcome = _try(service, attempt, way)
    if _is_refused_for_old_credentials(service, way, outcome):
        outcome = _try(service, attempt, _way_to(service, attempt))
    return outcome, True


def _is_refused_for_old_credentials(service: Service, way: _Way, outcome: Outcome) -> bool:
    """Tell whether the issuer did nothing because the connection was made anew since it was looked up."""
    if way.connection is None or not isinstance(outcome, Refused) or outcome.was_sent:
        return False
    is_refused = isinstance(outcome.error, UpstreamCredentialsRefused)
    return is_refused and connections.is_replaced(service, way.connection)


def _try(service: Service, attempt: Attempt, way: _Way) -> Outcome:
    """Have the effect made true; whatever is not clear is looked into at once, whatever the answer said."""
    effect, step = attempt.plan.next, _step(service, attempt, way)
    outcome = perform(way.issuer, effect, step)
    if isinstance(effect, Issue) and isinstance(outcome, Done) and _is_on_record(service, outcome.after):
        outcome = Unclear(UpstreamRejected("The issuer answered about another pass."), is_answered=True)
    if isinstance(outcome, Unclear):
        found = way.issuer.settled(effect, replace(step, tried_at=step.now, is_answered=outcome.is_answered))
        if not isinstance(found, NotDone):
            outcome = found
        elif outcome.is_answered:
            outcome = Refused(outcome.error, was_sent=True)
    _note(service, way, outcome)
    return outcome


def _settled(service: Service, attempt: Attempt, way: _Way) -> Settled:
    found = way.issuer.settled(attempt.plan.next, _step(service, attempt, way))
    _note(service, way, found)
    return found


def _note(service: Service, way: _Way, outcome: Outcome | NotDone) -> None:
    """Keep note of whether the connection works."""
    if way.connection is not None:
        error = outcome.error if isinstance(outcome, Refused | Unclear) else None
        connections.note(service, way.connection, error)


def _is_on_record(service: Service, made: Pass) -> bool:
    """Tell whether what was told to be made now was there before: then it is another pass."""
    if made.upstream_id is None:
        return False
    with service.store.read() as connection:
        known = passes.get_by_upstream_id(connection, made.program_id, made.upstream_id)
    return known is not None and known.external_id != made.external_id


def _step(service: Service, attempt: Attempt, way: _Way) -> Step:
    plan, operation = attempt.plan, attempt.operation
    return Step(
        program=attempt.program,
        subject=attempt.subject,
        id=plan.ids[plan.done],
        reason=plan.reason,
        basis=plan.basis,
        began_at=operation.created_at,
        tried_at=attempt.tried_at,
        is_answered=attempt.is_answered,
        looks=operation.looks,
        now=service.clock(),
        default_country=None if way.connection is None else way.connection.default_country,
    )


def perform(issuer: Issuer, effect: Effect, step: Step) -> Outcome:
    """Have the issuer make the effect true, by the method that is its own."""
    match effect:
        case Issue():
            return issuer.issue(effect, step)
        case UpdateHolder():
            return issuer.update_holder(effect, step)
        case AddPoints():
            return issuer.add_points(effect, step)
        case SetPoints():
            return issuer.set_points(effect, step)
        case ChangeTier():
            return issuer.change_tier(effect, step)
        case Redeem():
            return issuer.redeem(effect, step)
        case Revoke():
            return issuer.revoke(effect, step)
        case Reinstate():
            return issuer.reinstate(effect, step)
        case SetExpiry():
            return issuer.set_expiry(effect, step)
