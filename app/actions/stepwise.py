"""The exactly-once runner's second way, for issuers that are called between two transactions.

    reserve    the row is inserted (`running`, with a lease, and with what was decided) and committed
    ask        the issuer is called; no transaction is open
    finish     pass, event and answer are written, the row is closed

Whoever comes with the same key meanwhile gets 409. After a crash or a timeout the row says `running` with a lapsed
lease, or `unknown`: the next request with the same key, or the sweep (`resume.py`), takes it over and asks the issuer
what became of it before it does anything.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from app import upstream
from app.actions.action import Case
from app.actions.asking import StillUnknown, ask
from app.actions.attempt import Attempt, carried_over, change_of, to_request
from app.actions.elsewhere import NothingToDo, current, is_local, issuer_for_attempt, look
from app.actions.lookup import find_program, look_up
from app.actions.recording import (
    again_after_a_race,
    answered_meanwhile,
    decide_and_record,
    earlier_one,
    new_operation,
    note_refusal,
    repeat,
    write_down,
)
from app.actions.request import Answer, Request
from app.errors import IdempotencyInProgress, IdempotencyKeyReused, NotFound, PassrailError
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.simulated import refusal_without_pass
from app.model import Change, Pass
from app.service import Service
from app.store import operations, passes, programs
from app.store.operations import Operation, OperationStatus

# How often a pass that others keep changing is read anew before the difference is simply carried over.
LOOKS_AT_A_CHANGED_PASS = 3

_log = logging.getLogger(__name__)


def run_in_steps(request: Request) -> Answer:
    """Reserve, call the issuer with no transaction open, finish.

    Raises:
        IdempotencyInProgress, IdempotencyKeyReused: because of the key.
        PassrailError: whatever the action or the issuer refuses with.
    """
    reserved = again_after_a_race(lambda: _reserve(request))
    return reserved if isinstance(reserved, Answer) else carry_out(request, reserved)


def carry_out(request: Request, attempt: Attempt) -> Answer:
    """Call the issuer and finish, or write down why not.

    Raises:
        IdempotencyInProgress: somebody took over after the lease; what came of it is theirs to write.
        PassrailError: whatever the issuer refuses with.
    """
    try:
        outcome, attempt = ask(request, attempt)
    except PassrailError as refusal:
        tried_at = attempt.tried_at if isinstance(refusal, StillUnknown) else None
        note_refusal(request, attempt.operation, refusal, partial(_save_if_held, held=attempt.operation), tried_at)
        raise
    return again_after_a_race(lambda: _finish(request, attempt, outcome))


def take_over(connection: Connection, request: Request, earlier: Operation, now: datetime) -> Attempt | None:
    """Claim an operation whose outcome is open. None: it has one, or somebody is at it."""
    lease_until = _lease(request.service, now)
    if not operations.claim(connection, earlier.id, now, lease_until):
        return None
    tried_at = earlier.lease_until or earlier.created_at
    if earlier.status is OperationStatus.RUNNING:
        tried_at -= timedelta(seconds=request.service.settings.lease_seconds)  # where its lease began
    held = replace(earlier, status=OperationStatus.RUNNING, lease_until=lease_until)
    change = change_of(earlier)
    program = programs.get(connection, earlier.account_id, earlier.mode, change.after.program_id)
    assert program is not None
    return Attempt(held, program, change, tried_at)


def _lease(service: Service, now: datetime) -> datetime:
    return now + timedelta(seconds=service.settings.lease_seconds)


# --- reserve ---


def _reserve(request: Request, *, has_looked: bool = False) -> Answer | Attempt:
    """Open the operation in a commit of its own, or take over one whose outcome is open.

    Returns:
        The stored answer where there is one; else the attempt to make.
    """
    service, now = request.service, request.service.clock()
    operation = new_operation(request, now)
    earlier, case = None, None
    try:
        with service.store.write() as connection:
            earlier = earlier_one(connection, request)
            if earlier is not None:
                taken = take_over(connection, request, earlier, now)
                return repeat(earlier, now) if taken is None else taken
            case = _look_up(connection, request, now)
            change = request.action.decide(case)
            if change.event is None and not is_local(case.program) and not has_looked:
                raise NothingToDo
            operation = replace(
                operation,
                lease_until=_lease(service, now),
                request=to_request(request.body, change),
                program_id=change.after.program_id,
                pass_id=change.after.id,
            )
            operations.add(connection, operation)
            return Attempt(operation, case.program, change)
    except (IdempotencyInProgress, IdempotencyKeyReused):
        raise
    except PassrailError as refusal:
        return _look_or_refuse(request, operation, refusal, case, earlier, has_looked=has_looked)


def _look_up(connection: Connection, request: Request, now: datetime) -> Case:
    """Gather what to decide on. Nothing is locked: this decision is not what gets written in the end."""
    caller, data = request.caller, request.data
    try:
        return look_up(connection, caller, request.action, data, now, lock=False)
    except NotFound:
        simulated = refusal_without_pass(caller.mode, data.get("external_id"))
        if simulated is None:
            raise
        find_program(connection, caller, data["program_id"])
        raise simulated from None


def _look_or_refuse(
    request: Request,
    operation: Operation,
    refusal: PassrailError,
    case: Case | None,
    earlier: Operation | None,
    *,
    has_looked: bool,
) -> Answer | Attempt:
    """Before something is refused by our record, look whether the issuer elsewhere has another one."""
    now = request.service.clock()
    if earlier is None and (answer := answered_meanwhile(request, now)) is not None:
        return answer
    try:
        if not has_looked:
            known = case.found if case is not None and not is_local(case.program) else None
            is_otherwise = look(request.service, request.caller, request.data, refusal, known)
            if is_otherwise or isinstance(refusal, NothingToDo):
                return _reserve(request, has_looked=True)
        raise refusal
    except PassrailError as final:
        note_refusal(request, operation, final, operations.add)
        raise


# --- finish ---


class _Overtaken(Exception):
    """Somebody has written the pass since the decision. `row` is what they wrote."""

    def __init__(self, row: Pass) -> None:
        super().__init__(row.id)
        self.row = row


def _finish(request: Request, attempt: Attempt, outcome: Change | None) -> Answer:
    """Write down what was done, unless somebody took over after the lease and has written it already."""
    fresh: tuple[Pass, Pass] | None = None
    for _ in range(LOOKS_AT_A_CHANGED_PASS):
        try:
            return _finish_with(request, attempt, outcome, fresh)
        except _Overtaken as overtaken:
            fresh = overtaken.row, _read_anew(request, attempt, overtaken)
    return _finish_with(request, attempt, outcome, fresh, force=True)


def _finish_with(
    request: Request,
    attempt: Attempt,
    outcome: Change | None,
    fresh: tuple[Pass, Pass] | None,
    *,
    force: bool = False,
) -> Answer:
    now, operation = request.service.clock(), attempt.operation
    with request.service.store.write() as connection:
        if not operations.hold(connection, operation):
            taken_over = operations.get(connection, operation.account_id, operation.mode, operation.id)
            assert taken_over is not None
            return repeat(taken_over, now)
        if outcome is not None:
            done = _record(connection, request, attempt, outcome, now, fresh, force=force)
        else:
            done = _decide_again(connection, request, attempt, now)
        operations.save(connection, operation, done)
    assert done.answer is not None
    return Answer(done.id, done.answer)


def _decide_again(connection: Connection, request: Request, attempt: Attempt, now: datetime) -> Operation:
    """Where our own record is the truth: on what is there now. What was done stays done if that would be refused."""
    try:
        return decide_and_record(connection, request, attempt.operation, now)
    except PassrailError:
        _log.warning("an effect is recorded that would be refused now", extra={"operation": attempt.operation.id})
        return _record(connection, request, attempt, attempt.change, now, None, force=True)


def _record(
    connection: Connection,
    request: Request,
    attempt: Attempt,
    outcome: Change,
    now: datetime,
    fresh: tuple[Pass, Pass] | None,
    *,
    force: bool,
) -> Operation:
    """Write what an issuer elsewhere did.

    The answer tells what it did; the row is what is true now. They differ when somebody else has written the row
    meanwhile: the order in which two answers of PassKit arrive here says nothing about which balance is the later one,
    so the pass is read once more, and what was read counts if nobody has written since.

    Raises:
        _Overtaken: the row is not the one that was decided on, nor the one that was read anew.
    """
    if outcome.before is None:
        outcome = replace(outcome, after=_add(connection, outcome.after))
    elif outcome.event is not None:
        row = current(connection, outcome.before)
        if row == outcome.before:
            true_now = outcome.after
        elif fresh is not None and fresh[0] == row:
            true_now = _with_our_facts(outcome, fresh[1])
        elif force:
            true_now = carried_over(outcome, row)
        else:
            raise _Overtaken(row)
        passes.save(connection, row, true_now)
    return write_down(connection, request, attempt.operation, outcome, attempt.program, now)


def _add(connection: Connection, made: Pass) -> Pass:
    """Add a new pass, unless it was found at the issuer and taken on record meanwhile."""
    known = None
    if made.upstream_id is not None:
        known = passes.get_by_upstream_id(connection, made.program_id, made.upstream_id)
    if known is None:
        passes.add(connection, made)
        return made
    return known


def _with_our_facts(outcome: Change, read: Pass) -> Pass:
    """Keep of a change what PassKit cannot tell: that it was a revoke, and for good."""
    after, before = outcome.after, outcome.before
    assert before is not None
    names = [name for name in ("revoked_at", "deleted_at") if getattr(after, name) != getattr(before, name)]
    if "deleted_at" in names:
        return replace(after, install_state=read.install_state)
    return replace(read, **{name: getattr(after, name) for name in names})


def _read_anew(request: Request, attempt: Attempt, overtaken: _Overtaken) -> Pass:
    """Read the pass once more; where that fails, the same difference is made on what is there."""
    if overtaken.row.deleted_at is None and attempt.change.after.deleted_at is None and not is_local(attempt.program):
        try:
            one = upstream.need(request.service, request.caller.account_id, request.caller.mode)
            return issuer_for_attempt(request.service, one, attempt, request.data).read(overtaken.row)
        except (PassKitFailure, PassrailError):
            _log.warning("a pass could not be read anew", extra={"operation": attempt.operation.id})
    return carried_over(attempt.change, overtaken.row)


def _save_if_held(connection: Connection, ended: Operation, held: Operation) -> None:
    if operations.hold(connection, held):
        operations.save(connection, held, ended)
