"""What is written about an operation, and how a repeat is answered from it. Both ways of `operation.py` use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app import identifiers
from app.actions.elsewhere import LivesElsewhere, is_local
from app.actions.erasing import erase_holder
from app.actions.lookup import look_up
from app.actions.request import Answer, Request
from app.answer import describe
from app.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    OutcomeUnknown,
    PassrailError,
    UpstreamRejected,
)
from app.events import outbox
from app.model import Change, Program
from app.store import operations, passes
from app.store.operations import Operation, OperationStatus
from app.store.values import to_json

T = TypeVar("T")

# Two requests that race for one key or one external ID: the loser looks again and finds what the winner wrote.
TRIES_AFTER_A_RACE = 3


def again_after_a_race(do: Callable[[], T]) -> T:
    """Do it, once more where another transaction was faster."""
    for _ in range(TRIES_AFTER_A_RACE - 1):
        try:
            return do()
        except IntegrityError:
            continue
    return do()


def new_operation(request: Request, now: datetime) -> Operation:
    """Return the operation as it begins; nothing is written."""
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


def earlier_one(connection: Connection, request: Request) -> Operation | None:
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


def repeat(earlier: Operation, now: datetime) -> Answer:
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


def answered_meanwhile(request: Request, now: datetime) -> Answer | None:
    """Return the answer of a request with the same key that was faster, where there is one.

    On PostgreSQL two identical requests can both find nothing of the key. The slower one then waits for the pass, and
    finds it redeemed, or the points spent: by its twin, so that this is no refusal.
    """
    with request.service.store.read() as connection:
        earlier = earlier_one(connection, request)
    return None if earlier is None else repeat(earlier, now)


def decide_and_record(connection: Connection, request: Request, operation: Operation, now: datetime) -> Operation:
    """Decide on what is there now, write pass and event, and return the operation as it ends.

    Raises:
        LivesElsewhere: the program's passes are not in our database.
        PassrailError: whatever the action refuses with.
    """
    case = look_up(connection, request.caller, request.action, request.data, now)
    if not is_local(case.program):
        raise LivesElsewhere
    change = request.action.decide(case)
    if request.issuer.is_local:
        request.issuer.apply(change, operation.id)
    if change.before is None:
        passes.add(connection, change.after)
    elif change.event is not None:
        passes.save(connection, change.before, change.after)
    return write_down(connection, request, operation, change, case.program, now)


def write_down(
    connection: Connection, request: Request, operation: Operation, change: Change, program: Program, now: datetime
) -> Operation:
    """Write the event of a change whose pass is written, and return the operation as it ends."""
    body = to_json(_answer(request, change, program, operation.id, now))
    if change.event is not None:
        if change.after.deleted_at is not None:
            erase_holder(connection, change.after.id)
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
    return {**plain, **change.details, "operation_id": operation_id, "notes": []}


def _event_data(body: str, request: Request) -> str:
    """An event tells what the answer tells, and the reason where one was given."""
    if "reason" not in request.data:
        return body
    return f'{body[:-1]},"reason":{to_json(request.data["reason"])}}}'


def note_refusal(
    request: Request,
    operation: Operation,
    refusal: PassrailError,
    write: Callable[[Connection, Operation], None],
    tried_at: datetime | None = None,
) -> None:
    """Write down that and why it did not succeed, for the log, and what that means for the key.

    Args:
        request: what was refused.
        operation: its operation.
        refusal: why. It gets the operation's ID, which the problem shows.
        write: how the operation is written: as a new row, or over the one that is held.
        tried_at: when the outcome became unknown, where that was before now.
    """
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
