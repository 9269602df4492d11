"""An operation being carried out, by the one holder of its lease: the request, a repeat, a sweep or a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.effects import Issue
from app.model import Pass, Program
from app.operations.plan import CannotGoOn, Plan, plan_of, to_request
from app.operations.repeats import in_progress
from app.service import Service
from app.store import operations, passes, programs, troubles
from app.store.operations import Operation, OperationStatus
from app.store.troubles import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to carry out an operation, by the holder of its lease.

    Attributes:
        operation: the row, with the lease it is held by.
        plan: what is to be made true.
        subject: the pass as our record has it; the one that is to be made where there is none yet.
        tried_at: when the next effect was tried before; None: never.
        is_answered: the issuer answered that try, so that it is not at work on it any more.
        is_unattended: nobody waits for the answer; the sweep does it.
    """

    operation: Operation
    program: Program
    plan: Plan
    subject: Pass = field(repr=False)
    tried_at: datetime | None = None
    is_answered: bool = False
    is_unattended: bool = False

    @property
    def is_only_looked_into(self) -> bool:
        """Tell whether an effect that turns out not to be true is left undone.

        Without a key the caller cannot come back to this operation and may have sent another one since. What would
        then count a second time is not done late and unasked.
        """
        return self.is_unattended and self.operation.key_digest is None and self.plan.next.counts


def lease_from(service: Service, now: datetime) -> datetime:
    """Return the end of a lease that begins now."""
    return now + timedelta(seconds=service.settings.lease_seconds)


def take_over(connection: Connection, service: Service, operation: Operation, now: datetime) -> Attempt | None:
    """Claim an operation that is not settled. None: it is settled, or somebody is at it.

    Raises:
        CannotGoOn: nobody can finish it with this version of the service.
    """
    lease_until = lease_from(service, now)
    # As it is now: another one may have worked on it since it was looked up.
    claimed = operations.claim(connection, operation.id, now, lease_until)
    if claimed is None:
        return None
    operation = claimed
    plan = plan_of(operation)
    program = programs.get(connection, operation.account_id, operation.mode, operation.program_id or "")
    if program is None:
        raise CannotGoOn(f"Operation {operation.id} is about a program that is not on record any more.")
    held = replace(operation, status=OperationStatus.RUNNING, lease_until=lease_until)
    subject = _subject(connection, operation, plan, program)
    return Attempt(
        operation=held,
        program=program,
        plan=plan,
        subject=subject,
        tried_at=operation.tried_at,
        # What was refused was answered.
        is_answered=operation.status is OperationStatus.FAILED,
    )


def _subject(connection: Connection, operation: Operation, plan: Plan, program: Program) -> Pass:
    effect = None if plan.is_complete else plan.next
    if isinstance(effect, Issue):
        return effect.make(program, operation.created_at)
    known = passes.get(connection, operation.account_id, operation.mode, operation.pass_id or "")
    if known is None:
        raise CannotGoOn(f"Operation {operation.id} is about a pass that is not on record.")
    return known[0]


def need_lease(connection: Connection, attempt: Attempt, now: datetime) -> None:
    """Keep the operation to the end of the transaction.

    A transaction that locks the pass, too, does so before: requests lock their pass and then write their operation, and
    whoever did it the other way round could wait for one that waits for him.

    Raises:
        IdempotencyInProgress: the lease ran out and somebody else has taken over.
    """
    if not operations.lock_if_leased(connection, attempt.operation):
        raise in_progress(attempt.operation, now)


def end(connection: Connection, attempt: Attempt, ended: Operation) -> None:
    """Write an operation that is settled; if it was parked, it is not any more."""
    operations.save(connection, attempt.operation, ended)
    if attempt.operation.looks:
        troubles.forget(connection, Kind.OPERATION, ended.id)


def hold(connection: Connection, service: Service, attempt: Attempt) -> Attempt:
    """Keep the operation for its next effect: with its plan as it is now, and a lease that begins anew."""
    now, before = service.clock(), attempt.operation
    held = replace(
        before,
        lease_until=lease_from(service, now),
        request=to_request(attempt.plan),
        tried_at=now,
        looks=0,
        pass_id=attempt.subject.id,
    )
    operations.save(connection, before, held)
    return replace(attempt, operation=held, tried_at=None)
