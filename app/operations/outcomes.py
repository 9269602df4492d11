"""Writing down what came of an effect at an issuer that was asked: done, there already, refused, or not known.

All of it is written only under the operation's lease. If that ran out and somebody else has taken over, what came of
the operation is theirs to write.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.answer import describe
from app.effects import Issue, Revoke, moment_after
from app.errors import (
    OutcomeUnknown,
    PassrailError,
    RateLimited,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
    catalogue,
)
from app.issuers.protocol import Done, Exists, Outcome, Refused, Unclear
from app.model import BUILTIN, Pass
from app.operations.attempt import Attempt, end, hold, need_lease
from app.operations.plan import basis_of, issuer_ids, name_of, to_request
from app.operations.record import Answer, Change, answer_of, refused, succeeded, write_pass
from app.refusals import exists_already
from app.service import Service
from app.store import operations, passes
from app.store.columns import to_json
from app.store.operations import OperationStatus
from app.sync import connections
from app.sync.refresh import current, mark_gone, record_found

# How often a pass that others keep changing is read again before our own record of it is changed instead.
READS_OF_A_CHANGED_PASS = 3
# The issuer cannot be asked for anything now.
CANNOT_BE_ASKED = (RateLimited, UpstreamCredentialsRefused, UpstreamUnavailable)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=3)

_log = logging.getLogger(__name__)


def take(service: Service, attempt: Attempt, outcome: Outcome, *, is_tried: bool) -> Answer | Attempt:
    """Record what came of the next effect; return the answer, or the attempt that goes on."""
    match outcome:
        case Done():
            return _record(service, attempt, outcome)
        case Exists():
            # A caller asks for exactly this pass: that its person was erased before is no reason to keep it out.
            known = record_found(service, attempt.program, outcome.found, is_wanted=True)
            assert known is not None
            return _use_existing(service, attempt, known)
        case Refused() if _is_put_off(attempt, outcome):
            raise _leave_open(service, attempt, outcome.error, is_tried=is_tried)
        case Refused():
            return _refuse(service, attempt, outcome)
        case Unclear():
            raise _leave_open(service, attempt, outcome.error, is_tried=is_tried)


def _is_put_off(attempt: Attempt, outcome: Refused) -> bool:
    """Tell whether what takes back an effect was refused for now only: it is tried again until it is done."""
    is_for_now = outcome.was_sent or isinstance(outcome.error, CANNOT_BE_ASKED)
    return attempt.plan.refusal is not None and is_for_now and not outcome.is_gone


def _record(service: Service, attempt: Attempt, done: Done) -> Answer | Attempt:
    """Write what the issuer did.

    The order in which two answers of an issuer arrive here says nothing about which state is the later one. So where
    somebody has written our record since the issuer was asked, the pass is read once more, and what was read is
    written, unless it was overtaken again.
    """
    basis: Pass | None = None if isinstance(attempt.plan.next, Issue) else attempt.subject
    seen = done.after
    for _ in range(READS_OF_A_CHANGED_PASS):
        try:
            with service.store.write() as connection:
                row = _row(connection, attempt, seen)
                need_lease(connection, attempt, service.clock())
                if row is not None and row.deleted_at is not None:
                    # Its holder is forgotten, whatever the issuer has just been told of him.
                    return _write(connection, service, attempt, replace(done, before=row, after=row), row, row)
                if row is None or row == basis:
                    return _write(connection, service, attempt, done, row, seen)
        except IntegrityError:
            # Another request has made the same pass at the same moment.
            same = _of_same_external_id(service, seen)
            if same is not None:
                return _use_existing(service, attempt, same)
            continue
        basis, seen = row, _read_again(service, attempt, row)
    with service.store.write() as connection:
        row = _row(connection, attempt, seen)
        need_lease(connection, attempt, service.clock())
        assert row is not None
        return _write(connection, service, attempt, done, row, attempt.plan.next.on(row, row.updated_at))


def _of_same_external_id(service: Service, made: Pass) -> Pass | None:
    """Return the pass on record that has the external ID of one just made, if it is another one."""
    if made.external_id is None:
        return None
    with service.store.read() as connection:
        found = passes.get_by_external_id(connection, made.account_id, made.mode, made.program_id, made.external_id)
    is_other = found is not None and found[0].deleted_at is None and found[0].upstream_id == made.upstream_id
    return found[0] if found is not None and is_other else None


def _row(connection: Connection, attempt: Attempt, seen: Pass) -> Pass | None:
    """Return our record, locked; None where there is none yet. A new pass may have been found by a webhook since."""
    if not isinstance(attempt.plan.next, Issue):
        return current(connection, attempt.subject)
    if seen.upstream_id is None:
        return None
    found = passes.get_by_upstream_id(connection, seen.program_id, seen.upstream_id)
    return None if found is None else current(connection, found)


def _read_again(service: Service, attempt: Attempt, row: Pass) -> Pass:
    """Read a pass that somebody has written meanwhile; where that fails, the effect is made on what is there."""
    effect = attempt.plan.next
    own = effect.on(row, row.updated_at)
    if attempt.program.issuer == BUILTIN or own.deleted_at is not None:
        return own
    try:
        issuer = connections.open_issuer(
            service, connections.need(service, attempt.operation.account_id, attempt.operation.mode)
        )
        read = issuer.read(attempt.program, row)
    except PassrailError:
        _log.warning("a pass could not be read again", extra={"operation": attempt.operation.id})
        return own
    if read is None:
        return own
    # That a pass was *revoked* is known here only: an issuer tells that it is not valid.
    return effect.on(read, row.updated_at) if isinstance(effect, Revoke) else read


def _write(
    connection: Connection, service: Service, attempt: Attempt, done: Done, row: Pass | None, seen: Pass
) -> Answer | Attempt:
    """Write pass and events, and the operation as it ends or goes on."""
    operation, plan, effect = attempt.operation, attempt.plan, attempt.plan.next
    now = service.clock() if row is None else moment_after(service.clock(), row.updated_at)
    changes = [Change(effect, done.before, done.after)]
    written = write_pass(
        connection,
        service,
        operation,
        attempt.program,
        row,
        replace(seen, updated_at=now),
        changes,
        plan.reason,
        done.notes,
    )
    plan = plan.after(written.subject, written.details, done.notes)
    if not plan.is_complete or plan.refusal is not None:
        return hold(connection, service, replace(attempt, plan=plan, subject=written.subject))
    ended = succeeded(operation, written.plain, plan.details, plan.notes, now)
    end(connection, attempt, ended)
    return answer_of(ended)


def _use_existing(service: Service, attempt: Attempt, known: Pass) -> Answer | Attempt:
    """There is a pass of this external ID, on record by now: do with it what the request says."""
    effect, operation, now = attempt.plan.next, attempt.operation, service.clock()
    assert isinstance(effect, Issue)
    if effect.if_exists == "error":
        return _refuse(service, attempt, Refused(exists_already(known)))
    updates = effect.updates() if effect.if_exists == "update" else ()
    missing = tuple(update for update in updates if update.on(known, known.updated_at) != known)
    plan = replace(
        attempt.plan,
        effects=missing,
        ids=issuer_ids(operation, range(1, len(missing) + 1)),
        basis=basis_of(known),
        details={"created": False, "changed": []},
    )
    with service.store.write() as connection:
        row = current(connection, known)
        need_lease(connection, attempt, now)
        if missing:
            return hold(connection, service, replace(attempt, plan=plan, subject=known))
        plain = describe(row, attempt.program, now=now, public_url=service.public_url)
        ended = succeeded(operation, plain, plan.details, plan.notes, now)
        end(connection, attempt, ended)
    return answer_of(ended)


def _refuse(service: Service, attempt: Attempt, outcome: Refused) -> Attempt:
    """End the operation with a refusal, once what was tried is taken back.

    Raises:
        PassrailError: the refusal.
    """
    plan, operation, now = attempt.plan, attempt.operation, service.clock()
    if outcome.undo and plan.refusal is None:
        asked = len(plan.effects)
        ids = issuer_ids(operation, range(asked, asked + len(outcome.undo)))
        with service.store.write() as connection:
            need_lease(connection, attempt, now)
            taking_back = plan.taking_back(outcome.undo, ids, outcome.error)
            return hold(connection, service, replace(attempt, plan=taking_back))
    raise _end_refused(service, attempt, outcome)


def _end_refused(service: Service, attempt: Attempt, outcome: Refused) -> PassrailError:
    """Write the refusal down and return it. It says what was done before, and what could not be taken back."""
    operation, error, refusal = attempt.operation, outcome.error, attempt.plan.refusal
    if refusal is not None and not attempt.plan.is_complete:
        error = UpstreamRejected(f"{refusal.detail} Taking back what was tried was refused, too: {error.detail}")
    plan = attempt.plan.as_asked()
    done = plan.done
    if done:
        names = ", ".join(name_of(effect).replace("_", " ") for effect in plan.effects[:done])
        error = _with_detail(error, f"{error.detail} Done before that: {names}. The same request goes on after it.")
    with service.store.write() as connection:
        now = service.clock()
        need_lease(connection, attempt, now)
        keeps_key = operation.key_digest is not None and (outcome.was_sent or done > 0)
        ended = refused(operation, error, now, keeps_key=keeps_key)
        # A repeat with the key goes on from there; without one the plan still tells what was done.
        kept = to_request(plan) if keeps_key or done else None
        end(connection, attempt, replace(ended, request=kept, tried_at=now if outcome.was_sent else None))
    if outcome.is_gone:
        mark_gone(service, attempt.program, attempt.subject)
    return error


def end_undone(service: Service, attempt: Attempt) -> PassrailError:
    """End an operation whose refusal waited until what was tried was taken back."""
    refusal = attempt.plan.refusal
    assert refusal is not None
    kind = next((kind for kind in catalogue() if kind.code == refusal.code), UpstreamRejected)
    return _end_refused(service, attempt, Refused(kind(refusal.detail)))


def _with_detail(error: PassrailError, detail: str) -> PassrailError:
    return type(error)(
        detail, errors=error.errors, retry_after=error.retry_after, headers=error.headers, extra=error.extra
    )


def _leave_open(service: Service, attempt: Attempt, error: PassrailError, *, is_tried: bool) -> PassrailError:
    """Write down that the outcome is not known, and when it is looked into next; return what is told."""
    operation = attempt.operation
    unknown = error if isinstance(error, OutcomeUnknown) else OutcomeUnknown(error.detail, headers=error.headers)
    if unknown.retry_after is None:
        unknown.retry_after = error.retry_after
    unknown.extra["operation_id"] = operation.id
    with service.store.write() as connection:
        now = service.clock()
        need_lease(connection, attempt, now)
        left = replace(
            operation,
            status=OperationStatus.UNKNOWN,
            lease_until=None,
            request=to_request(attempt.plan),
            tried_at=now if is_tried else attempt.tried_at,
            look_at=now + pause_after(operation.looks),
            looks=operation.looks + 1,
            problem=to_json({"code": unknown.code, "detail": unknown.detail}),
        )
        operations.save(connection, operation, left)
    return unknown


def pause_after(looks: int) -> timedelta:
    """Return how long to wait before an unknown outcome is looked into again: 1, 2, 4 ... minutes, at most 3 hours.

    Args:
        looks: how often that was done before.
    """
    return min(FIRST_PAUSE * (1 << min(looks, 10)), LONGEST_PAUSE)
