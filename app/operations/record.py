"""What an operation is, and what is written about it: pass, events and answer, always in one transaction.

A request becomes an *operation*: a row that carries the digest of its idempotency key and, once it is settled, the
answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.answer import describe
from app.effects import (
    MOMENT,
    AddPoints,
    ChangeTier,
    Effect,
    Issue,
    Redeem,
    Reinstate,
    Revoke,
    SetExpiry,
    SetPoints,
    UpdateHolder,
    merged,
)
from app.errors import PassrailError
from app.events import outbox
from app.events.types import (
    PASS_CREATED,
    PASS_REDEEMED,
    PASS_REINSTATED,
    PASS_REVOKED,
    PASS_UPDATED,
    POINTS_CHANGED,
    TIER_CHANGED,
)
from app.model import IdKind, Pass, Program, new_id
from app.operations.action import Action
from app.service import Service
from app.store import passes
from app.store.columns import to_json
from app.store.operations import Operation, OperationStatus
from app.sync.erase import erase_holder
from app.sync.erased import without_names

EVENT_OF: Mapping[type[Effect], str] = {
    Issue: PASS_CREATED,
    UpdateHolder: PASS_UPDATED,
    SetExpiry: PASS_UPDATED,
    AddPoints: POINTS_CHANGED,
    SetPoints: POINTS_CHANGED,
    ChangeTier: TIER_CHANGED,
    Redeem: PASS_REDEEMED,
    Revoke: PASS_REVOKED,
    Reinstate: PASS_REINSTATED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: the answer as JSON text, and whether it is the stored one of an earlier request."""

    operation_id: str
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One request to do an action.

    `data` is what was sent, after validation. `key_digest` stands for the idempotency key (`repeats.py`), None where
    the caller gave none. `fingerprint` is what makes two requests with the same key the same request.
    """

    service: Service
    caller: Caller
    action: Action
    data: Mapping[str, Any] = field(repr=False)
    key_digest: str | None
    fingerprint: str


def new_operation(request: Request, now: datetime) -> Operation:
    """Return the operation as it begins; nothing is written."""
    return Operation(
        id=new_id(IdKind.OPERATION),
        account_id=request.caller.account_id,
        mode=request.caller.mode,
        action=request.action.name,
        status=OperationStatus.RUNNING,
        fingerprint=request.fingerprint,
        created_at=now,
        key_digest=request.key_digest,
        program_id=request.data.get("program_id"),
        pass_id=request.data.get("pass_id"),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One effect that is true: the pass before and after it."""

    effect: Effect
    before: Pass = field(repr=False)
    after: Pass = field(repr=False)

    @property
    def is_visible(self) -> bool:
        """Tell whether anything is different now; what takes back what was tried leaves all as it was."""
        return isinstance(self.effect, Issue) or replace(self.after, updated_at=self.before.updated_at) != self.before


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a pass: as it is now, how that is told, and what its changes tell beside it."""

    subject: Pass = field(repr=False)
    plain: Mapping[str, Any] = field(repr=False)
    details: Mapping[str, Any]


def changes_of(effects: Sequence[Effect], subject: Pass | None, program: Program, now: datetime) -> list[Change]:
    """Return what the effects do to our own record, one after the other."""
    changes: list[Change] = []
    for effect in effects:
        before = effect.make(program, now) if isinstance(effect, Issue) else subject
        assert before is not None
        subject = effect.on(before, now)
        changes.append(Change(effect, before, subject))
    return changes


def write_pass(
    connection: Connection,
    service: Service,
    operation: Operation,
    program: Program,
    row: Pass | None,
    after: Pass,
    changes: Sequence[Change],
    reason: str | None,
    notes: Sequence[str] = (),
) -> Written:
    """Write a pass, and an event for each kind of change.

    Args:
        connection: in a transaction that holds the pass locked.
        service: for the address in links.
        operation: that made the changes.
        program: of the pass.
        row: the pass as it is in the database, None where it is new.
        after: the pass as it is to be written.
        changes: what was done; their details are told.
        reason: the caller's own words; part of the events, unless the holder is forgotten: they may name him.
        notes: sentences on what was done differently from what was asked; part of the events.
    """
    told = _by_event([change for change in changes if change.is_visible])
    if told:
        # Events of one pass have times of their own, so that these tell their order.
        after = replace(after, updated_at=after.updated_at + (len(told) - 1) * MOMENT)
    is_gone = after.deleted_at is not None and (row is None or row.deleted_at is None)
    if is_gone and after.upstream_id is not None:
        # Whoever erases a person waits for the issuer, and somebody else may finish what was begun.
        after = without_names(connection, service, after)
    if row is None:
        passes.add(connection, after)
    elif after != row:
        passes.save(connection, row, after)
    if is_gone:
        erase_holder(connection, after, service.public_url)
    plain = describe(after, program, now=after.updated_at, public_url=service.public_url)
    first_at, now = after.updated_at - (len(told) - 1) * MOMENT, service.clock()
    for place, (event_type, details) in enumerate(told.items()):
        data = {**plain, **details, "notes": list(notes), "operation_id": operation.id}
        if reason is not None and after.deleted_at is None:
            data["reason"] = reason
        outbox.record(connection, event_type, after, operation.id, to_json(data), first_at + place * MOMENT, now)
    return Written(after, plain, _details(changes))


def _by_event(changes: Sequence[Change]) -> dict[str, dict[str, Any]]:
    """Return what each event tells: changes of one kind make one event."""
    told: dict[str, dict[str, Any]] = {}
    for change in changes:
        event_type = EVENT_OF[type(change.effect)]
        told[event_type] = merged(told.get(event_type, {}), change.effect.details(change.before, change.after))
    return told


def _details(changes: Sequence[Change]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for change in changes:
        details = merged(details, change.effect.details(change.before, change.after))
    return details


def succeeded(
    operation: Operation, plain: Mapping[str, Any], details: Mapping[str, Any], notes: Sequence[str], now: datetime
) -> Operation:
    """Return an operation as it ends well, with its answer.

    Args:
        operation: what was done.
        plain: the pass as it is told.
        details: what the action tells beside it.
        notes: sentences on what was done differently from what was asked.
        now: the time.
    """
    answer = {**plain, **details, "notes": list(notes), "operation_id": operation.id}
    return replace(
        operation,
        status=OperationStatus.SUCCEEDED,
        lease_until=None,
        look_at=None,
        program_id=plain["program_id"],
        pass_id=plain["id"],
        answer=to_json(answer),
        problem=None,
        request=None,
        finished_at=now,
    )


def refused(operation: Operation, refusal: PassrailError, now: datetime, *, keeps_key: bool = False) -> Operation:
    """Return an operation as it ends with a refusal, which gets the operation's ID.

    Args:
        operation: what was refused.
        refusal: why.
        now: the time.
        keeps_key: a repeat with the same key goes on with this operation: it looks first what became of it.
    """
    refusal.extra["operation_id"] = operation.id
    return replace(
        operation,
        status=OperationStatus.FAILED,
        lease_until=None,
        look_at=None,
        key_digest=operation.key_digest if keeps_key else None,
        problem=to_json({"code": refusal.code, "detail": refusal.detail}),
        finished_at=now,
    )


def answer_of(operation: Operation) -> Answer:
    """Return the answer of an operation that has just succeeded."""
    assert operation.answer is not None
    return Answer(operation.id, operation.answer)
