"""The exactly-once runner: every action goes through `run`.

A request becomes an *operation*: a row that carries the idempotency key. With a local issuer the row, the pass,
the event and the stored answer are written in one transaction: after a crash all of it is there or nothing is.
Any other issuer is called between two transactions; that way is in `stepwise.py`. Which way a request goes is seen in
its own transaction, by the program: a local one costs no statement more.

What sets a key free and what does not (the semantics are those of Stripe's API v2 and the IETF's draft on
Idempotency-Key): success and an issuer's definite refusal are kept and repeated; a refusal by our own rules, a rate
limit and an unreachable issuer changed nothing, so the same request may simply be sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from app.actions.elsewhere import LivesElsewhere, has_connection
from app.actions.recording import (
    again_after_a_race,
    answered_meanwhile,
    decide_and_record,
    earlier_one,
    new_operation,
    note_refusal,
    repeat,
)
from app.actions.request import Answer, Request
from app.actions.stepwise import run_in_steps
from app.errors import IdempotencyInProgress, IdempotencyKeyReused, NotFound, PassrailError
from app.metrics import count_operation
from app.service import Service
from app.store import operations


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
            return again_after_a_race(lambda: _run_locally(request))
        except LivesElsewhere:
            pass
    return run_in_steps(request)


def _run_locally(request: Request) -> Answer:
    """Everything in one transaction: the issuer's effect is the record itself.

    Raises:
        LivesElsewhere: the pass is not ours, or may not be; nothing was written.
    """
    now = request.service.clock()
    operation = new_operation(request, now)
    try:
        with request.service.store.write() as connection:
            earlier = earlier_one(connection, request)
            if earlier is not None:
                if earlier.request is not None:
                    raise LivesElsewhere
                return repeat(earlier, now)
            done = decide_and_record(connection, request, operation, now)
            operations.add(connection, done)
    except (IdempotencyInProgress, IdempotencyKeyReused):
        raise
    except PassrailError as refusal:
        if isinstance(refusal, NotFound) and has_connection(request.service, request.caller):
            raise LivesElsewhere from None
        if (answer := answered_meanwhile(request, now)) is not None:
            return answer
        note_refusal(request, operation, refusal, operations.add)
        raise
    assert done.answer is not None
    return Answer(done.id, done.answer)
