"""The exactly-once runner: every action goes through `run`.

A request becomes an *operation*: a row that carries the idempotency key. With a local issuer the row, the pass,
the event and the stored answer are written in one transaction: after a crash all of it is there or nothing is.
Any other issuer is called between two transactions:

    reserve    the row is inserted (`running`, with a lease) and committed
    apply      the issuer is called; no transaction is open
    finish     pass, event and answer are written, the row is closed

Whoever comes with the same key meanwhile gets 409. After a crash or a timeout the row says `running` with a lapsed
lease, or `unknown`: the next request with the same key asks the issuer what became of it before it does anything.

What sets a key free and what does not (the semantics are those of Stripe's API v2 and the IETF's draft on
Idempotency-Key): success and an issuer's definite refusal are kept and repeated; a refusal by our own rules, a rate
limit and an unreachable issuer changed nothing, so the same request may simply be sent again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app import identifiers
from app.accounts.keys import Caller
from app.actions.action import Action
from app.actions.answer import describe
from app.actions.lookup import look_up
from app.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    OutcomeUnknown,
    PassrailError,
    RateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.events import outbox
from app.issuers import Issuer, issuer_for
from app.metrics import count_operation
from app.model import Change, Program
from app.service import Service
from app.store import operations, passes
from app.store.operations import Operation, OperationStatus
from app.store.values import to_json

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
    do = _run_locally if request.issuer.is_local else _run_in_steps
    try:
        answer = _again_after_a_race(do, request)
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


def _again_after_a_race(do: Callable[[Request], Answer], request: Request) -> Answer:
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
                return _repeat(earlier, now)
            done = _decide_and_record(connection, request, operation, now)
            operations.add(connection, done)
    except (IdempotencyInProgress, IdempotencyKeyReused):
        raise
    except PassrailError as refusal:
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
    reserved = _reserve(request)
    if isinstance(reserved, Answer):
        return reserved
    operation, change, is_resumed = reserved
    try:
        if not (is_resumed and _is_done(request, change, operation)):
            request.issuer.apply(change, operation.id)
        return _again_after_a_race(lambda request: _finish(request, operation), request)
    except IdempotencyInProgress:
        raise  # somebody took over; what came of it is theirs to write
    except PassrailError as refusal:
        _note_refusal(request, operation, refusal, partial(_save_if_held, held=operation))
        raise


def _is_done(request: Request, change: Change, operation: Operation) -> bool:
    """Ask the issuer what became of an earlier try. Where it cannot say, the outcome is as unknown as before."""
    try:
        return request.issuer.reconcile(change, operation.id)
    except (RateLimited, UpstreamUnavailable) as unclear:
        raise OutcomeUnknown(unclear.detail, headers=unclear.headers) from unclear


def _finish(request: Request, operation: Operation) -> Answer:
    """Write down what was done, unless somebody took over after the lease and has written it already."""
    now = request.service.clock()
    with request.service.store.write() as connection:
        if not operations.hold(connection, operation):
            taken_over = operations.get(connection, operation.account_id, operation.mode, operation.id)
            assert taken_over is not None
            return _repeat(taken_over, now)
        done = _decide_and_record(connection, request, operation, now)
        operations.save(connection, done)
    assert done.answer is not None
    return Answer(done.id, done.answer)


def _save_if_held(connection: Connection, ended: Operation, held: Operation) -> None:
    if operations.hold(connection, held):
        operations.save(connection, ended)


def _reserve(request: Request) -> Answer | tuple[Operation, Change, bool]:
    """Open the operation in a commit of its own, or take over one whose outcome is open.

    Returns:
        The stored answer where there is one; else the operation, the change, and whether it was tried before.
    """
    service, now = request.service, request.service.clock()
    lease_until = now + timedelta(seconds=service.settings.lease_seconds)
    operation = _new_operation(request, now)
    earlier = None
    try:
        with service.store.write() as connection:
            earlier = _earlier(connection, request)
            if earlier is not None and not operations.claim(connection, earlier.id, now, lease_until):
                return _repeat(earlier, now)
            # Not locked: this decision is not what gets written, and the lock would end with this transaction.
            case = look_up(connection, request.caller, request.action, request.data, now, lock=False)
            change = request.action.decide(case)
            if earlier is not None:
                return replace(earlier, lease_until=lease_until), change, True
            operation = replace(operation, lease_until=lease_until)
            operations.add(connection, operation)
            return operation, change, False
    except (IdempotencyInProgress, IdempotencyKeyReused):
        raise
    except PassrailError as refusal:
        if earlier is None and (answer := _answered_meanwhile(request, now)) is not None:
            return answer
        _note_refusal(request, operation, refusal, operations.add)
        raise


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
    change = request.action.decide(case)
    if request.issuer.is_local:
        request.issuer.apply(change, operation.id)
    body = to_json(_answer(request, change, case.program, operation.id, now))
    if change.before is None:
        passes.add(connection, change.after)
    elif change.event is not None:
        passes.save(connection, change.after)
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
) -> None:
    """Write down that and why it did not succeed, for the log, and what that means for the key."""
    if "operation_id" in refusal.extra:
        return  # the stored refusal of an earlier operation, which is written down already
    kept = isinstance(refusal, UpstreamRejected | OutcomeUnknown)
    ended = replace(
        operation,
        status=OperationStatus.UNKNOWN if isinstance(refusal, OutcomeUnknown) else OperationStatus.FAILED,
        lease_until=None,
        idempotency_key=operation.idempotency_key if kept else None,
        problem=to_json({"code": refusal.code, "detail": refusal.detail}),
        finished_at=None if isinstance(refusal, OutcomeUnknown) else request.service.clock(),
    )
    refusal.extra["operation_id"] = operation.id
    with request.service.store.write() as connection:
        write(connection, ended)
