"""Finding out what became of an effect that was sent to PassKit.

What an answer said is no evidence (`failures.py`); PassKit's record is. "Later" is: believed once PassKit has answered
the last try, or 60 s after it, because PassKit may still be at work on a request whose answer we did not wait for.

    effect              done                                  not done                            else
    AddPoints           an event has our ID; or only with     only without our points does the    unclear
                        our points does the balance come      balance come out: later
                        out (`balance.py`)
    SetPoints           an event has our ID; or the balance   the balance is as before, and       unclear
                        is the one to set                     nobody else changed it: later
    ChangeTier          the tier is the new one; or an event  the tier is the one before          unclear
                        has our ID
    Issue               a record has the external ID, made    there is none: later                a record made before
                        since the operation began                                                 that: it exists
    Redeem              redeemed with our ID                  not redeemed: later                 with another ID:
                                                                                                  or before: refused
    Revoke              the pass is over, or its record gone  the record says otherwise           -
    ... permanent       its record is gone, or voided         the record says otherwise           -
    Reinstate           the pass is valid; or made anew, as   the record says otherwise           -
                        for Issue
    UpdateHolder        nothing is left to write              something is                        -
    SetExpiry           the record has the date               it has another                      -

That an event is not listed proves nothing: how long events are kept is a setting of each program, and they may be
listed late or cut off. "Not done" is never said while the balance is where our effect would have put it.

A record that PassKit does not have raises NotFound; the caller looks whether PassKit knows its program (`missing`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from app.effects import (
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
)
from app.errors import NotApplicable, UpstreamRejected
from app.issuers.passkit.balance import CLOCKS, as_told, judge, not_done, others_of, unclear
from app.issuers.passkit.holders import writes_of
from app.issuers.passkit.mapping import new_pass, own_external_id, updated_from
from app.issuers.passkit.passes import routes_of
from app.issuers.passkit.points import events
from app.issuers.passkit.records import Record
from app.issuers.passkit.translate import GONE
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.validity import REISSUED, is_over
from app.issuers.protocol import Done, Exists, NotDone, Refused, Settled, Step, Unclear
from app.model import Kind, Program
from app.refusals import already_redeemed

KEEPS_ID = "PassKit keeps the external ID of a coupon that was voided. Use another external ID."


def find_out(transport: Transport, effect: Effect, step: Step) -> Settled:
    """Return what became of the effect; see the table above.

    Raises:
        PassKitFailure: PassKit cannot be asked; NotFound: it does not have the record (`missing`).
    """
    match effect:
        case Issue():
            return _issued(transport, effect, step)
        case AddPoints() | SetPoints():
            return _counted(transport, effect, step)
        case ChangeTier():
            return _moved(transport, effect, step)
        case Redeem():
            return _redeemed(transport, step, effect)
        case Revoke():
            return _revoked(transport, effect, step)
        case Reinstate():
            return _reinstated(transport, effect, step)
        case UpdateHolder():
            return _updated(transport, effect, step)
        case SetExpiry():
            return _expiry_set(transport, effect, step)


def missing(effect: Effect, step: Step) -> NotDone | Refused | Unclear:
    """Return what it means that PassKit has no record, although it knows the program."""
    is_new = isinstance(effect, Issue) or step.subject.upstream_id is None
    return not_done(step) if is_new else Refused(UpstreamRejected(GONE), is_gone=True)


def _read(transport: Transport, step: Step) -> Record:
    return routes_of(step.program).get(transport, str(step.subject.upstream_id))


# --- points and tier ---


def _counted(transport: Transport, effect: AddPoints | SetPoints, step: Step) -> Settled:
    # The balance first: what somebody else does after it can then be seen among the events.
    record = _read(transport, step)
    listed = events(transport, str(step.program.upstream_id), record.id)
    mine = next((event for event in listed if event.id == step.id), None)
    if mine is not None:
        return as_told(effect, step, mine, _read(transport, step).points or Decimal(0))
    return judge(effect, step, record.points or Decimal(0), others_of(listed, step.began_at + transport.offset()))


def _moved(transport: Transport, effect: ChangeTier, step: Step) -> Settled:
    record = _read(transport, step)
    before = step.basis.tier_id or step.subject.tier_id
    moved = Done(replace(step.subject, tier_id=before), updated_from(step.subject, record, step.program, step.now))
    if record.tier_id == effect.tier_id:
        return moved
    if record.tier_id == before:
        return not_done(step)
    listed = events(transport, str(step.program.upstream_id), record.id)
    if any(event.id == step.id for event in listed):
        return moved
    return unclear("PassKit has this pass on a tier that is neither the old nor the new one.")


# --- new passes ---


def _issued(transport: Transport, effect: Issue, step: Step) -> Settled:
    found = _find(transport, step, effect.external_id)
    if not _is_ours(found, effect.external_id, step, transport.offset()):
        return exists(found, step.program, step)
    return issued(step, found)


def _find(transport: Transport, step: Step, external_id: str | None) -> Record:
    name = external_id or own_external_id(step.id)
    return routes_of(step.program).find(transport, str(step.program.upstream_id), name)


def _is_ours(found: Record, external_id: str | None, step: Step, offset: timedelta) -> bool:
    if external_id is None or found.created_at is None:
        return True
    return found.created_at >= step.began_at + offset - CLOCKS


def issued(step: Step, record: Record, notes: tuple[str, ...] = ()) -> Done:
    """Return that a pass was made."""
    made = replace(step.subject, upstream_id=record.id)
    return Done(made, updated_from(made, record, step.program, step.now), notes)


def exists(found: Record, program: Program, step: Step) -> Exists | Refused:
    """Return that there is a pass of this external ID, which was not made by this operation."""
    known = new_pass(found, program, step.now)
    if program.kind is Kind.COUPON and known.revoked_at is not None:
        return Refused(NotApplicable(KEEPS_ID))
    return Exists(known)


# --- what the record says ---


def _redeemed(transport: Transport, step: Step, effect: Redeem) -> Settled:
    record = _read(transport, step)
    if not record.is_redeemed:
        return not_done(step)
    if record.redemption_reference == step.id:
        fresh = updated_from(step.subject, record, step.program, step.now)
        return Done(replace(step.subject, redeemed_at=None), replace(fresh, redeemed_at=effect.at))
    since = step.began_at + transport.offset() - CLOCKS
    if record.redemption_reference or record.redeemed_at is None or record.redeemed_at < since:
        return Refused(already_redeemed(step.program.kind, record.redeemed_at or step.now))
    return unclear("PassKit says that this was redeemed just now, and not by whom.")


def _revoked(transport: Transport, effect: Revoke, step: Step) -> Settled:
    if step.subject.upstream_id is None:
        return Done(step.subject, effect.on(step.subject, step.now))
    record = _read(transport, step)
    is_done = _is_voided(record, step) if effect.permanent else is_over(record, step.program, transport.now())
    return Done(step.subject, effect.on(step.subject, step.now)) if is_done else NotDone()


def _is_voided(record: Record, step: Step) -> bool:
    """A coupon that was voided can still be read."""
    is_past = record.expires_at is not None and record.expires_at <= step.now
    return record.kind is Kind.COUPON and record.is_invalid and not is_past


def _reinstated(transport: Transport, effect: Reinstate, step: Step) -> Settled:
    subject = step.subject
    if subject.upstream_id is None:
        found = _find(transport, step, subject.external_id)
        if not _is_ours(found, subject.external_id, step, transport.offset()):
            return not_done(step)
        return reissued(effect, step, found)
    record = _read(transport, step)
    if is_over(record, step.program, transport.now()):
        return NotDone()
    return Done(subject, updated_from(effect.on(subject, step.now), record, step.program, step.now))


def reissued(effect: Reinstate, step: Step, record: Record) -> Done:
    """Return that the record of a revoked pass was made anew."""
    valid = replace(effect.on(step.subject, step.now), upstream_id=record.id)
    return Done(step.subject, updated_from(valid, record, step.program, step.now), (REISSUED,))


def _updated(transport: Transport, effect: UpdateHolder, step: Step) -> Settled:
    record = _read(transport, step)
    left = writes_of(record, effect, step.default_country)
    if not left.is_nothing:
        return NotDone()
    return Done(step.subject, updated_from(step.subject, record, step.program, step.now), left.notes)


def _expiry_set(transport: Transport, effect: SetExpiry, step: Step) -> Settled:
    record = _read(transport, step)
    wanted, now = effect.expires_at, transport.now()
    if wanted is None or wanted > now:
        is_done = not record.is_invalid and (record.expires_at == wanted or (wanted is None and _is_far(record, step)))
    else:
        is_done = is_over(record, step.program, now)
    if not is_done:
        return NotDone()
    return Done(step.subject, updated_from(step.subject, record, step.program, step.now))


def _is_far(record: Record, step: Step) -> bool:
    """Tell whether the record has the date that stands for none."""
    return record.expires_at is None or record.expires_at - step.began_at > timedelta(days=3650)
