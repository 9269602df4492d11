"""What a person says of an operation whose outcome nobody could find out: it happened, or it did not."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from app.answer import to_text
from app.effects import AddPoints, Issue, Revoke
from app.errors import NotApplicable, NotFound, PassrailError
from app.issuers.protocol import Done
from app.model import BUILTIN, Pass
from app.operations.attempt import Attempt, take_over
from app.operations.outcomes import take
from app.operations.plan import CannotGoOn, Plan, plan_of, to_request
from app.operations.record import refused
from app.operations.steps import carry_out
from app.service import Service
from app.store import operations, troubles
from app.store.columns import to_json
from app.store.operations import Operation, OperationStatus
from app.store.troubles import Kind
from app.sync import connections

_log = logging.getLogger(__name__)


def resolve(service: Service, operation: Operation, *, happened: bool, by: str) -> None:
    """Settle an operation of unknown outcome as a person says.

    What becomes of the rest of the operation, a refusal too, stands in the operation afterwards.

    Args:
        service: the parts of the service.
        operation: whose outcome is unknown.
        happened: True: the effect is true at the issuer; it is recorded, and the rest of the operation is done.
            False: it is not; the operation has failed, and its key is free.
        by: who says so, for the record.

    Raises:
        NotFound: there is no such operation any more.
        NotApplicable: its outcome is known, or is being found out at this moment; or it cannot have happened; or this
            version of the service cannot go on with it.
        PassrailError: the issuer cannot be asked for the pass as it is now.
    """
    if not happened:
        with service.store.write() as connection:
            end_as_undone(connection, operation.id, by, service.clock())
        return
    attempt = _take_over(service, operation.id)
    try:
        done = _as_said(service, attempt)
    except PassrailError:
        _let_go(service, attempt)
        raise
    attempt = _record_who(service, attempt, by)
    try:
        result = take(service, attempt, done, is_tried=False)
        if isinstance(result, Attempt):
            carry_out(service, result)
    except PassrailError as refusal:
        _log.info("a resolved operation is not done", extra={"operation": operation.id, "outcome": refusal.code})


def end_as_undone(connection: Connection, operation_id: str, by: str, now: datetime) -> None:
    """End an operation of unknown outcome as one that did not happen.

    Its key is free, unless a part of it is done: a repeat with the same key then goes on after that part.

    Args:
        connection: in a transaction.
        operation_id: of the operation.
        by: who says so, for the record.
        now: the time.

    Raises:
        NotFound: there is no such operation.
        NotApplicable: its outcome is known, or is being found out at this moment.
    """
    known = _claim(connection, operation_id, now)
    try:
        plan: Plan | None = plan_of(known).as_asked()
    except CannotGoOn:
        plan = None
    error = NotApplicable("Somebody has looked: it did not happen. The same request may be sent again.")
    begun = plan if plan is not None and plan.done else None
    keeps_key = known.key_digest is not None and begun is not None
    ended = refused(known, error, now, keeps_key=keeps_key)
    resolution = _resolution(happened=False, by=by, now=now)
    request = to_request(begun) if begun is not None and keeps_key else None
    operations.save(connection, known, replace(ended, tried_at=None, request=request, resolution=resolution))
    troubles.forget(connection, Kind.OPERATION, operation_id)


def _claim(connection: Connection, operation_id: str, now: datetime) -> Operation:
    if operations.get_any(connection, operation_id) is None:
        raise NotFound(f"There is no operation '{operation_id}'.")
    known = operations.claim(connection, operation_id, now, now)
    if known is None or known.status is OperationStatus.FAILED:
        raise _is_known()
    return known


def _is_known() -> NotApplicable:
    return NotApplicable("The outcome of this operation is known, or is being found out at this moment.")


def _resolution(*, happened: bool, by: str, now: datetime) -> str:
    return to_json({"happened": happened, "by": by, "at": to_text(now)})


def _take_over(service: Service, operation_id: str) -> Attempt:
    """Claim the operation."""
    with service.store.write() as connection:
        known = operations.get_any(connection, operation_id)
        is_open = known is not None and known.status in (OperationStatus.UNKNOWN, OperationStatus.RUNNING)
        try:
            attempt = take_over(connection, service, known, service.clock()) if known is not None and is_open else None
        except CannotGoOn as error:
            raise NotApplicable(
                "This version of the service cannot go on with the operation: it can only be resolved as false."
            ) from error
        if attempt is None or attempt.plan.is_complete:
            raise _is_known()
    return attempt


def _let_go(service: Service, attempt: Attempt) -> None:
    """Give the operation back: its outcome is as unknown as before."""
    operation = attempt.operation
    with service.store.write() as connection:
        look_at = operation.look_at or service.clock()
        left = replace(operation, status=OperationStatus.UNKNOWN, lease_until=None, look_at=look_at)
        if operations.lock_if_leased(connection, operation):
            operations.save(connection, operation, left)


def _record_who(service: Service, attempt: Attempt, by: str) -> Attempt:
    """Record who says that it happened."""
    operation = attempt.operation
    with service.store.write() as connection:
        if not operations.lock_if_leased(connection, operation):
            raise _is_known()
        resolution = _resolution(happened=True, by=by, now=service.clock())
        resolved = replace(operation, resolution=resolution)
        operations.save(connection, operation, resolved)
        troubles.forget(connection, Kind.OPERATION, operation.id)
    return replace(attempt, operation=resolved)


def _as_said(service: Service, attempt: Attempt) -> Done:
    """Return the effect as done: with the pass as the issuer has it now."""
    effect, subject, program = attempt.plan.next, attempt.subject, attempt.program
    if program.issuer == BUILTIN:
        return Done(subject, effect.on(subject, service.clock()))
    connected = connections.need(service, program.account_id, program.mode)
    with connections.asking(service, connected) as issuer:
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
