"""What a person says of an operation whose outcome nobody could find out: it happened, or it did not."""

from __future__ import annotations

from dataclasses import replace

from app.clock import to_text
from app.effects import AddPoints, Issue, Revoke
from app.errors import NotApplicable, NotFound
from app.issuers.protocol import Done
from app.model import BUILTIN, Pass
from app.operations.attempt import Attempt, take_over
from app.operations.outcomes import take
from app.operations.plan import to_request
from app.operations.record import Answer, refused
from app.operations.steps import carry_out
from app.service import Service
from app.store import operations, troubles
from app.store.operations import Operation, OperationStatus
from app.store.troubles import Kind
from app.store.values import to_json
from app.sync import connections


def resolve(service: Service, operation: Operation, *, happened: bool, by: str) -> Answer | None:
    """Settle an operation of unknown outcome as a person says.

    Args:
        service: the parts of the service.
        operation: whose outcome is unknown.
        happened: True: the effect is true at the issuer; it is recorded, and the rest of the operation is done.
            False: it is not; the operation has failed, and its key is free.
        by: who says so, for the record.

    Returns:
        The answer of the operation; None where it has failed.

    Raises:
        NotFound: there is no such operation any more.
        NotApplicable: its outcome is known, or is being found out at this moment; or the issuer has no such pass.
        CannotGoOn: this version of the service cannot read what is to be done.
        PassrailError: the issuer cannot be asked, or refuses the rest of the operation.
    """
    attempt = _take_over(service, operation.id, happened=happened, by=by)
    if not happened:
        _end(service, attempt)
        return None
    result = take(service, attempt, _as_said(service, attempt), is_tried=False)
    return result if isinstance(result, Answer) else carry_out(service, result)


def _take_over(service: Service, operation_id: str, *, happened: bool, by: str) -> Attempt:
    """Claim the operation, and record who says what of it."""
    with service.store.write() as connection:
        now = service.clock()
        known = operations.get_any(connection, operation_id)
        if known is None:
            raise NotFound(f"There is no operation '{operation_id}'.")
        is_open = known.status is OperationStatus.UNKNOWN
        attempt = take_over(connection, service, known, now) if is_open else None
        if attempt is None:
            raise NotApplicable("The outcome of this operation is known, or is being found out at this moment.")
        told = to_json({"happened": happened, "by": by, "at": to_text(now)})
        resolved = replace(attempt.operation, resolution=told)
        operations.save(connection, attempt.operation, resolved)
        troubles.forget(connection, Kind.OPERATION, operation_id)
    return replace(attempt, operation=resolved)


def _end(service: Service, attempt: Attempt) -> None:
    """End the operation as failed. Where a part of it is done, a repeat with the same key goes on after that part."""
    error = NotApplicable("Somebody has looked: it did not happen. The same request may be sent again.")
    operation, plan = attempt.operation, attempt.plan
    with service.store.write() as connection:
        keeps_key = operation.idempotency_key is not None and plan.done > 0
        kept = replace(operation, request=to_request(plan))
        ended = refused(kept, error, service.clock(), keeps_key=keeps_key)
        operations.save(connection, operation, replace(ended, tried_at=None))


def _as_said(service: Service, attempt: Attempt) -> Done:
    """Return the effect as done: with the pass as the issuer has it now."""
    effect, subject, program = attempt.plan.next, attempt.subject, attempt.program
    if program.issuer == BUILTIN:
        return Done(subject, effect.on(subject, service.clock()))
    one = connections.need(service, program.account_id, program.mode)
    with connections.asking(service, one) as issuer:
        if isinstance(effect, Issue):
            found = issuer.find(program, subject.external_id) if subject.external_id is not None else None
            after: Pass | None = None if found is None else replace(found, id=subject.id, link_token=subject.link_token)
        else:
            after = issuer.read(program, subject)
    if after is None and not effect.on(subject, subject.updated_at).deleted_at:
        raise NotApplicable("The issuer has no record of this pass: it cannot have happened. Resolve it as false.")
    after = after or effect.on(subject, service.clock())
    before = subject
    if isinstance(effect, AddPoints) and after.points is not None:
        before = replace(subject, points=after.points - effect.points)
    # That a pass was *revoked* is known here only: an issuer tells that it is not valid.
    return Done(before, effect.on(after, after.updated_at) if isinstance(effect, Revoke) else after)
