"""The exactly-once runner: every action goes through `run`.

A request becomes an *operation*: a row that carries the idempotency key. With a local issuer the row, the pass,
the event and the stored answer are written in one transaction: after a crash all of it is there or nothing is.
Any other issuer is called between two transactions:

    reserve    the row is inserted (`running`, with a lease) and committed
    apply      the issuer is called; no transaction is open
    finish     pass, event and answer are written, the row is closed

Whoever comes with the same key meanwhile gets 409. After a crash or a timeout the row says `running` with a lapsed
lease, or `unknown`: the next request with the same key, or the sweep in the background (`resume.py`), asks the issuer
what became of it before it does anything. What an issuer elsewhere did is recorded as it came out; it is not decided a
second time, and never refused afterwards.

Which way a request goes is seen in its own transaction, by the program: a local one costs no statement more.

What sets a key free and what does not (the semantics are those of Stripe's API v2 and the IETF's draft on
Idempotency-Key): success and an issuer's definite refusal are kept and repeated; a refusal by our own rules, a rate
limit and an unreachable issuer changed nothing, so the same request may simply be sent again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app import identifiers, upstream
from app.accounts.keys import Caller
from app.actions.action import Action, Case
from app.actions.answer import describe
from app.actions.attempt import Attempt, carried_over, change_of, to_request
from app.actions.elsewhere import (
    LivesElsewhere,
    NothingToDo,
    current,
    has_connection,
    is_local,
    issuer_for_attempt,
    keep,
    look,
)
from app.actions.lookup import look_up
from app.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    NotApplicable,
    NotFound,
    OutcomeUnknown,
    PassrailError,
    RateLimited,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.events import outbox
from app.issuers import ExistsAlready, Issuer, issuer_for
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.passkit.translate import to_error
from app.metrics import count_operation
from app.model import Change, Pass, Program
from app.service import Service
from app.store import operations, passes, programs
from app.store.operations import Operation, OperationStatus
from app.store.values import to_json

T = TypeVar("T")
_log = logging.getLogger(__name__)

# How often a pass that others keep changing is read anew before the difference is simply carried over.
LOOKS_AT_A_CHANGED_PASS = 3
# Two requests that race for one key or one external ID: the loser looks again and finds what the winner wrote.
TRIES_AFTER_A_RACE = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: the answer as JSON text, and whether it is the stored one of an earlier request."""

    operation_id: str
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One request to do an action. `key` is None where the caller gave none."""

    service: Service
    caller: Caller
    action: Action
    data: Mapping[str, Any]
    key: str | None
    fingerprint: str
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def issuer(self) -> Issuer:
        """The issuer this request goes to."""
        return issuer_for(self.caller.mode, self.data.get("external_id"))


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return what makes two requests with the same key the same request: the SHA-256 of the body's values.

    The unique event ID is the key itself and does not count.
    """
    values = {name: value for name, value in body.items() if name != "unique_event_id"}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def run(request: Request) -> Answer:
    """Do the action, or answer with what came of it before.

    Raises:
        IdempotencyInProgress, IdempotencyKeyReused: because of the key.
        PassrailError: whatever the action or the issuer refuses with.
    """
    return counted(request, lambda: _run(request))


def counted(request: Request, do: Callable[[], Answer]) -> Answer:
    """Do it, and count how it ended."""
    try:
        answer = do()
    except PassrailError as refusal:
        count_operation(request.action.name, refusal.code)
        raise
    count_operation(request.action.name, "replayed" if answer.replayed else "succeeded")
    return answer


def purge(service: Service) -> int:
    """Forget stored answers and keys that are older than the time they are kept; return how many."""
    before = service.clock() - timedelta(days=service.settings.idempotency_days)
    total = 0
    while True:
        with service.store.write() as connection:
            forgotten = operations.forget_before(connection, before)
        total += forgotten
        if forgotten < operations.PURGE_CHUNK:
            return total


def _run(request: Request) -> Answer:
    if request.issuer.is_local:
        try:
            return _again_after_a_race(_run_locally, request)
        except LivesElsewhere:
            pass
    return _run_in_steps(request)


def _again_after_a_race(do: Callable[[Request], T], request: Request) -> T:
    for _ in range(TRIES_AFTER_A_RACE - 1):
        try:
            return do(request)
        except IntegrityError:
            continue
    return do(request)


def _run_locally(request: Request) -> Answer:
    """Everything in one transaction: the issuer's effect is the record itself."""
    now = request.service.clock()
    operation = _new_operation(request, now)
    try:
        with request.service.store.write() as connection:
            earlier = _earlier(connection, request)
            if earlier is not None:
                if earlier.request is not None:
                    raise LivesElsewhere
                return _repeat(earlier, now)
            done = _decide_and_record(connection, request, operation, now)
            operations.add(connection, done)
    except (IdempotencyInProgress, IdempotencyKeyReused):
        raise
    except PassrailError as refusal:
        if isinstance(refusal, NotFound) and has_connection(request.service, request.caller):
            raise LivesElsewhere from None
        if (answer := _answered_meanwhile(request, now)) is not None:
            return answer
        _note_refusal(request, operation, refusal, operations.add)
        raise
    assert done.answer is not None
    return Answer(done.id, done.answer)


def _answered_meanwhile(request: Request, now: datetime) -> Answer | None:
    """Return the answer of a request with the same key that was faster, where there is one.

    On PostgreSQL two identical requests can both find nothing of the key. The slower one then waits for the pass, and
    finds it redeemed, or the points spent: by its twin, so that this is no refusal.
    """
    with request.service.store.read() as connection:
        earlier = _earlier(connection, request)
    return None if earlier is None else _repeat(earlier, now)


def _run_in_steps(request: Request) -> Answer:
    """Reserve, call the issuer with no transaction open, finish."""
    reserved = _again_after_a_race(_reserve, request)
    return reserved if isinstance(reserved, Answer) else carry_out(request, reserved)


def carry_out(request: Request, attempt: Attempt) -> Answer:
    """Call the issuer and finish, or write down why not."""
    try:
        outcome, attempt = _ask(request, attempt)
    except PassrailError as refusal:
        tried_at = attempt.tried_at if isinstance(refusal, StillUnknown) else None
        _note_refusal(request, attempt.operation, refusal, partial(_save_if_held, held=attempt.operation), tried_at)
        raise
    try:
        return _again_after_a_race(lambda request: _finish(request, attempt, outcome), request)
    except IdempotencyInProgress:
        raise  # somebody took over; what came of it is theirs to write


def _ask(request: Request, attempt: Attempt) -> tuple[Change | None, Attempt]:
    """Have the change made, or find out that it was.

    Returns:
        The change as it came out, None where our own record is the truth; and the attempt, whose change is another one
        when the issuer turned out to have the pass already.
    """
    if is_local(attempt.program):
        return _ask_issuer(request.issuer, attempt), attempt
    with _finding_out(attempt):
        one = upstream.need(request.service, request.caller.account_id, request.caller.mode)
        issuer = issuer_for_attempt(request.service, attempt, request.data)
    with upstream.asking(request.service, one):
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


class StillUnknown(OutcomeUnknown):
    """It was asked what became of an earlier try, and nobody could tell. Nothing was tried again."""


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
            return _repeat(taken_over, now)
        if outcome is not None:
            done = _record(connection, request, attempt, outcome, now, fresh, force=force)
        else:
            done = _decide_again(connection, request, attempt, now)
        operations.save(connection, done)
    assert done.answer is not None
    return Answer(done.id, done.answer)


def _decide_again(connection: Connection, request: Request, attempt: Attempt, now: datetime) -> Operation:
    """Where our own record is the truth: on what is there now. What was done stays done if that would be refused."""
    try:
        return _decide_and_record(connection, request, attempt.operation, now)
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
            passes.save(connection, outcome.after)
        elif fresh is not None and fresh[0] == row:
            passes.save(connection, _with_our_facts(outcome, fresh[1]))
        elif force:
            passes.save(connection, carried_over(outcome, row))
        else:
            raise _Overtaken(row)
    return _write_down(connection, request, attempt.operation, outcome, attempt.program, now)


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
            return issuer_for_attempt(request.service, attempt, request.data).read(overtaken.row)
        except (PassKitFailure, PassrailError):
            _log.warning("a pass could not be read anew", extra={"operation": attempt.operation.id})
    return carried_over(attempt.change, overtaken.row)


class _Overtaken(Exception):
    """Somebody has written the pass since the decision. `row` is what they wrote."""

    def __init__(self, row: Pass) -> None:
        super().__init__(row.id)
        self.row = row


def _save_if_held(connection: Connection, ended: Operation, held: Operation) -> None:
    if operations.hold(connection, held):
        operations.save(connection, ended)


def _reserve(request: Request, *, has_looked: bool = False) -> Answer | Attempt:
    """Open the operation in a commit of its own, or take over one whose outcome is open.

    Returns:
        The stored answer where there is one; else the attempt to make.
    """
    service, now = request.service, request.service.clock()
    operation = _new_operation(request, now)
    earlier, case = None, None
    try:
        with service.store.write() as connection:
            earlier = _earlier(connection, request)
            if earlier is not None:
                taken = take_over(connection, request, earlier, now)
                return _repeat(earlier, now) if taken is None else taken
            # Not locked: this decision is not what gets written, and the lock would end with this transaction.
            case = look_up(connection, request.caller, request.action, request.data, now, lock=False)
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
    if earlier is None and (answer := _answered_meanwhile(request, now)) is not None:
        return answer
    try:
        if not has_looked:
            known = case.found if case is not None and not is_local(case.program) else None
            is_otherwise = look(request.service, request.caller, request.data, refusal, known)
            if is_otherwise or isinstance(refusal, NothingToDo):
                return _reserve(request, has_looked=True)
        raise refusal
    except PassrailError as final:
        if "operation_id" not in final.extra:
            _note_refusal(request, operation, final, operations.add)
        raise


def take_over(connection: Connection, request: Request, earlier: Operation, now: datetime) -> Attempt | None:
    """Claim an operation whose outcome is open. None: it has one, or somebody is at it."""
    lease_until = _lease(request.service, now)
    if not operations.claim(connection, earlier.id, now, lease_until):
        return None
    tried_at = earlier.lease_until or earlier.created_at
    if earlier.status is OperationStatus.RUNNING:
        tried_at -= timedelta(seconds=request.service.settings.lease_seconds)  # where its lease began
    held = replace(earlier, status=OperationStatus.RUNNING, lease_until=lease_until)
    if earlier.request is not None:
        change = change_of(earlier)
        program = programs.get(connection, earlier.account_id, earlier.mode, change.after.program_id)
        assert program is not None
        return Attempt(held, program, change, tried_at)
    case = look_up(connection, request.caller, request.action, request.data, now, lock=False)
    return Attempt(held, case.program, request.action.decide(case), tried_at)


def _lease(service: Service, now: datetime) -> datetime:
    return now + timedelta(seconds=service.settings.lease_seconds)


def _new_operation(request: Request, now: datetime) -> Operation:
    return Operation(
        id=identifiers.new_id(identifiers.OPERATION),
        account_id=request.caller.account_id,
        mode=request.caller.mode,
        action=request.action.name,
        status=OperationStatus.RUNNING,
        fingerprint=request.fingerprint,
        created_at=now,
        idempotency_key=request.key,
        program_id=request.data.get("program_id"),
        pass_id=request.data.get("pass_id"),
    )


def _earlier(connection: Connection, request: Request) -> Operation | None:
    """Return the operation that has this request's key.

    Raises:
        IdempotencyKeyReused: it was for something else.
    """
    if request.key is None:
        return None
    caller = request.caller
    earlier = operations.get_by_key(connection, caller.account_id, caller.mode, request.action.name, request.key)
    if earlier is not None and earlier.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused()
    return earlier


def _repeat(earlier: Operation, now: datetime) -> Answer:
    """Answer as before.

    Raises:
        IdempotencyInProgress: there is no answer yet.
        UpstreamRejected: that was the answer.
    """
    if earlier.answer is not None:
        return Answer(earlier.id, earlier.answer, replayed=True)
    if earlier.problem is not None and earlier.status is OperationStatus.FAILED:
        raise UpstreamRejected(
            json.loads(earlier.problem)["detail"],
            headers={"Idempotent-Replayed": "true"},
            extra={"operation_id": earlier.id},
        )
    wait = 1
    if earlier.lease_until is not None and earlier.lease_until > now:
        wait = max(1, min(5, round((earlier.lease_until - now).total_seconds())))
    raise IdempotencyInProgress(
        f"A request with this idempotency key is still running. Send it again in {wait} s.", retry_after=wait
    )


def _decide_and_record(connection: Connection, request: Request, operation: Operation, now: datetime) -> Operation:
    """Decide on what is there now, write pass and event, and return the operation as it ends."""
    case = look_up(connection, request.caller, request.action, request.data, now)
    if not is_local(case.program):
        raise LivesElsewhere
    change = request.action.decide(case)
    if request.issuer.is_local:
        request.issuer.apply(change, operation.id)
    if change.before is None:
        passes.add(connection, change.after)
    elif change.event is not None:
        passes.save(connection, change.after)
    return _write_down(connection, request, operation, change, case.program, now)


def _write_down(
    connection: Connection, request: Request, operation: Operation, change: Change, program: Program, now: datetime
) -> Operation:
    """Write the event and return the operation as it ends."""
    body = to_json(_answer(request, change, program, operation.id, now))
    if change.event is not None:
        outbox.record(connection, change.event, change.after, operation.id, _event_data(body, request), now)
    return replace(
        operation,
        status=OperationStatus.SUCCEEDED,
        lease_until=None,
        program_id=change.after.program_id,
        pass_id=change.after.id,
        answer=body,
        problem=None,
        finished_at=now,
        request=None,
    )


def _answer(request: Request, change: Change, program: Program, operation_id: str, now: datetime) -> dict[str, Any]:
    plain = describe(change.after, program, now=now, public_url=request.service.settings.public_url)
    return {**plain, **change.details, "operation_id": operation_id}


def _event_data(body: str, request: Request) -> str:
    """An event tells what the answer tells, and the reason where one was given."""
    if "reason" not in request.data:
        return body
    return f'{body[:-1]},"reason":{to_json(request.data["reason"])}}}'


def _note_refusal(
    request: Request,
    operation: Operation,
    refusal: PassrailError,
    write: Callable[[Connection, Operation], None],
    tried_at: datetime | None = None,
) -> None:
    """Write down that and why it did not succeed, for the log, and what that means for the key."""
    if "operation_id" in refusal.extra:
        return  # the stored refusal of an earlier operation, which is written down already
    kept = isinstance(refusal, UpstreamRejected | OutcomeUnknown)
    is_open = isinstance(refusal, OutcomeUnknown)
    now = request.service.clock()
    ended = replace(
        operation,
        status=OperationStatus.UNKNOWN if is_open else OperationStatus.FAILED,
        lease_until=(tried_at or now) if is_open else None,
        request=operation.request if is_open else None,
        idempotency_key=operation.idempotency_key if kept else None,
        problem=to_json({"code": refusal.code, "detail": refusal.detail}),
        finished_at=None if is_open else now,
    )
    refusal.extra["operation_id"] = operation.id
    with request.service.store.write() as connection:
        write(connection, ended)
