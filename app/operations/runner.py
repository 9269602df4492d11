"""The exactly-once runner: `run` leads a request to its answer.

Where the pass lives is known before anything else, and decides between two ways.

**In our own database** (`_run_here`): operation, pass, events and answer are one transaction. After a crash all of it
is there or nothing is.

**At a remote issuer** (`_run_at_issuer`) the issuer is asked between two transactions, effect by effect:

    the row says         it means                                     how it goes on
    (no row)             nothing was done under this key              decide, `_reserve`: the plan is committed
    running, leased      somebody is asking the issuer                others with this key wait (409)
    running, lapsed      that process has died                        `take_over`: find out, then go on
    unknown              the issuer did not tell what became of it    `take_over`: find out, then go on
    succeeded            every effect is true and recorded            the stored answer
    failed, no key       nothing was done                             the key is free: decide anew
    failed, with key     the issuer refused, or only the first        `take_over`: find out, then go on
                         effects are done

Whatever an issuer did not clearly refuse is looked into at once (`settled`), whatever its answer said. What cannot be
found out stays `unknown`: a repeat with the same key, the sweep (`resume.py`) or a person finishes it.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.answer import describe
from app.effects import Issue
from app.errors import (
    AlreadyRedeemed,
    Duplicate,
    IdempotencyInProgress,
    InsufficientPoints,
    NotApplicable,
    NotFound,
    OutcomeUnknown,
    PassrailError,
)
from app.issuers.simulated import OUTCOMES, refusal_without_pass
from app.model import BUILTIN, Mode, Pass
from app.observe import count_operation
from app.operations.action import Decision
from app.operations.attempt import Attempt, lease_from, take_over
from app.operations.lookup import Case, find_program, issuer_of, look_up
from app.operations.plan import CannotGoOn, basis_of, make_plan, plan_of, to_request
from app.operations.record import (
    Answer,
    Request,
    answer_of,
    changes_of,
    new_operation,
    refused,
    succeeded,
    write_pass,
)
from app.operations.repeats import earlier_of, repeat
from app.operations.steps import carry_out, find_out
from app.store import operations
from app.store.operations import Operation, OperationStatus
from app.sync.refresh import fetch_if_missing, refresh

# Two requests that race for one key or one external ID: the slower one looks again and finds what the other wrote.
TRIES_AFTER_A_RACE = 3
# What may be otherwise at a remote issuer than our record says.
RESTS_ON_RECORD = (AlreadyRedeemed, Duplicate, InsufficientPoints, NotApplicable, NotFound)
COUNTED_BEFORE = "This event was counted by an earlier request with other values; this answer tells those."


def run(request: Request) -> Answer:
    """Do the action once, or answer with what came of it before.

    Raises:
        IdempotencyInProgress, IdempotencyKeyReused: because of the key.
        PassrailError: whatever the action or the issuer refuses with.
    """
    caller, data = request.caller, request.data
    is_simulated = caller.mode is Mode.TEST and data.get("external_id") in OUTCOMES
    is_here = not is_simulated and issuer_of(request.service, caller, data) == BUILTIN
    try:
        # Entered before anything is written: who finds no place has begun nothing.
        with nullcontext() if is_here else request.service.remote_work:
            answer = _run(request, is_here=is_here)
    except PassrailError as refusal:
        count_operation(request.action.name, refusal.code)
        raise
    count_operation(request.action.name, "replayed" if answer.replayed else "succeeded")
    return answer


def _run(request: Request, *, is_here: bool) -> Answer:
    way = _run_here if is_here else _run_at_issuer
    for _ in range(TRIES_AFTER_A_RACE - 1):
        try:
            return way(request)
        except IntegrityError:
            continue
    return way(request)


# --- in our own database ---


def _run_here(request: Request) -> Answer:
    service = request.service
    with service.store.write() as connection:
        now = service.clock()  # not before the transaction has its turn: times grow in the order of commits
        earlier = earlier_of(connection, request)
        if earlier is not None:
            return repeat(connection, earlier, request, now)
        operation = new_operation(request, now)
        try:
            case = look_up(connection, request.caller, request.action, request.data, now)
            decision = request.action.decide(case)
        except PassrailError as refusal:
            # An identical request may have been done while this one waited for the pass.
            earlier = earlier_of(connection, request)
            if earlier is not None:
                return repeat(connection, earlier, request, now)
            operations.add(connection, refused(operation, refusal, now))
            failure: PassrailError = refusal
        else:
            return _do_here(connection, request, operation, case, decision)
    raise failure


def _do_here(connection: Connection, request: Request, operation: Operation, case: Case, decision: Decision) -> Answer:
    """Write everything that the decision makes true, and the answer."""
    program, row = case.program, case.found
    changes = changes_of(decision.effects, row, program, case.now)
    after = changes[-1].after if changes else case.subject
    reason = request.data.get("reason")
    written = write_pass(connection, request.service, operation, program, row, after, changes, reason)
    details = {**decision.details, **written.details}
    done = succeeded(operation, written.plain, details, (), case.now)
    operations.add(connection, done)
    return answer_of(done)


# --- at a remote issuer ---


@dataclass(frozen=True, slots=True)
class _NeedsLook:
    """What was decided rests on our record, which may be older than the issuer's: that is to be looked at first."""

    known: Pass | None


@dataclass(frozen=True, slots=True)
class _Other:
    """The issuer refused another request with this key. What became of that one is to be found out first."""

    attempt: Attempt


def _run_at_issuer(request: Request) -> Answer:
    opened = _reserve(request, has_looked=False)
    if isinstance(opened, _Other):
        answer = find_out(request.service, opened.attempt)
        if answer is not None:
            return answer
        opened = _reserve(request, has_looked=False)
    if isinstance(opened, _NeedsLook):
        _look(request, opened.known)
        opened = _reserve(request, has_looked=True)
    if isinstance(opened, Attempt):
        return _carry_out(request, opened)
    assert isinstance(opened, Answer)
    return opened


def _carry_out(request: Request, attempt: Attempt) -> Answer:
    try:
        return carry_out(request.service, attempt)
    except IdempotencyInProgress:
        # It took longer than the lease, and somebody else has finished it meanwhile.
        with request.service.store.read() as connection:
            finished = operations.get_any(connection, attempt.operation.id)
        if finished is None or finished.answer is None:
            raise
        return Answer(finished.id, finished.answer, replayed=True)


def _reserve(request: Request, *, has_looked: bool) -> Answer | Attempt | _NeedsLook | _Other:
    """Commit what is to be done, or take over what was begun under the same key."""
    service = request.service
    with service.store.write() as connection:
        now = service.clock()
        earlier = earlier_of(connection, request)
        if earlier is not None:
            return _go_on(connection, request, earlier, now)
        operation, case = new_operation(request, now), None
        try:
            case = _look_up(connection, request, now)
            decision = request.action.decide(case)
        except PassrailError as refusal:
            if not has_looked and _refusal_rests_on_record(case, refusal):
                return _NeedsLook(case.found if case is not None else None)
            # An identical request may have ended since this one began.
            earlier = earlier_of(connection, request)
            if earlier is not None:
                return repeat(connection, earlier, request, now)
            operations.add(connection, refused(operation, refusal, now))
            failure: PassrailError = refusal
        else:
            if not has_looked and _decision_rests_on_record(case, decision):
                return _NeedsLook(case.found)
            return _begin(connection, request, operation, case, decision, now)
    raise failure


def _look_up(connection: Connection, request: Request, now: datetime) -> Case:
    """Gather what to decide on. The pass is locked until the operation is there to be seen: who erases a person looks
    for open operations under the same lock.
    """
    caller, data = request.caller, request.data
    try:
        return look_up(connection, caller, request.action, data, now)
    except NotFound:
        simulated = refusal_without_pass(caller.mode, data.get("external_id"))
        if simulated is None:
            raise
        find_program(connection, caller, data["program_id"])
        raise simulated from None


def _refusal_rests_on_record(case: Case | None, refusal: PassrailError) -> bool:
    return isinstance(refusal, RESTS_ON_RECORD) and (case is None or case.program.issuer != BUILTIN)


def _decision_rests_on_record(case: Case, decision: Decision) -> bool:
    if case.program.issuer == BUILTIN or case.found is None:
        return False
    return not decision.effects or any(effect.reads_first for effect in decision.effects)


def _look(request: Request, known: Pass | None) -> None:
    """Bring our record of the pass up to date, or look for the pass at the issuer."""
    service, caller = request.service, request.caller
    try:
        if known is not None:
            refresh(service, known)
        else:
            fetch_if_missing(service, caller, request.data)
    except PassrailError as refusal:
        with service.store.write() as connection:
            now = service.clock()
            operations.add(connection, refused(new_operation(request, now), refusal, now))
        raise


def _begin(
    connection: Connection, request: Request, operation: Operation, case: Case, decision: Decision, now: datetime
) -> Answer | Attempt:
    """Write the operation down with its plan; or as done, where nothing is to be done."""
    service, program = request.service, case.program
    if not decision.effects:
        plain = describe(case.subject, program, now=now, public_url=service.public_url)
        done = succeeded(operation, plain, decision.details, (), now)
        operations.add(connection, done)
        return answer_of(done)
    first = decision.effects[0]
    subject = first.make(program, now) if isinstance(first, Issue) else case.subject
    plan = make_plan(operation, decision.effects, basis_of(case.found), decision.details, request.data.get("reason"))
    held = replace(
        operation,
        lease_until=lease_from(service, now),
        request=to_request(plan),
        tried_at=now,
        program_id=program.id,
        pass_id=subject.id,
    )
    operations.add(connection, held)
    return Attempt(operation=held, program=program, plan=plan, subject=subject)


def _go_on(connection: Connection, request: Request, earlier: Operation, now: datetime) -> Answer | Attempt | _Other:
    """Take over an operation that is not settled, or answer as before."""
    is_same = earlier.fingerprint == request.fingerprint
    try:
        was_refused = earlier.status is OperationStatus.FAILED and plan_of(earlier).done == 0
        attempt = take_over(connection, request.service, earlier, now) if is_same or was_refused else None
    except CannotGoOn as error:
        raise OutcomeUnknown(
            "What became of the first request cannot be found out by this version of the service. Somebody who runs it "
            "must look: 'passrail parked list'.",
            extra={"operation_id": earlier.id},
        ) from error
    if attempt is None:
        return repeat(connection, earlier, request, now)
    if is_same:
        return attempt
    plan = replace(attempt.plan, notes=(*attempt.plan.notes, COUNTED_BEFORE))
    return _Other(replace(attempt, plan=plan))
