"""Finding out what became of an effect that was sent to PassKit.

What an answer said is no evidence (`failures.py`); PassKit's record is. "Later" is: believed once PassKit has answered
the last try, or 60 s after it, because PassKit may still be at work on a request whose answer we did not wait for.

    effect              done                                  not done                            else
    AddPoints           an event has our ID; or the balance   the balance is as before and        unclear
                        moved by our points and nobody        nobody else changed points: later
                        else changed points
    SetPoints           an event has our ID; or the balance   as for AddPoints                    unclear
                        is the one to set
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

A record that PassKit does not have any more raises NotFound; the caller looks whether PassKit knows its program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import ceil

from app.answer import number
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
from app.errors import NotApplicable, OutcomeUnknown
from app.issuers.passkit.failures import NotFound
from app.issuers.passkit.holders import writes_of
from app.issuers.passkit.mapping import new_pass, own_external_id, take_over
from app.issuers.passkit.passes import routes_of
from app.issuers.passkit.points import CHANGES_POINTS, Event, done, events
from app.issuers.passkit.records import Record
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.validity import REISSUED, is_over
from app.issuers.protocol import Done, Exists, NotDone, Refused, Settled, Step, Unclear
from app.model import Kind, Program
from app.refusals import already_redeemed

# PassKit may still be at work on a request whose answer we did not wait for: "nothing there" is believed after this.
LATER = timedelta(seconds=60)
# Our clock, corrected by PassKit's, and the clock of the machine that began the operation differ by less than this.
CLOCKS = timedelta(seconds=30)
KEEPS_ID = "PassKit keeps the external ID of a coupon that was voided. Use another external ID."


def find_out(transport: Transport, effect: Effect, step: Step) -> Settled:
    """Return what became of the effect; see the table above.

    Raises:
        PassKitFailure: PassKit cannot be asked; NotFound: it does not have the record.
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


def _read(transport: Transport, step: Step) -> Record:
    assert step.subject.upstream_id is not None
    return routes_of(step.program).get(transport, step.subject.upstream_id)


def _not_done(step: Step) -> NotDone | Unclear:
    """Say that nothing is there, once that is to be believed."""
    if step.is_answered or step.tried_at is None or step.now - step.tried_at >= LATER:
        return NotDone()
    left = ceil((LATER - (step.now - step.tried_at)).total_seconds())
    return Unclear(
        OutcomeUnknown(
            f"PassKit may still be at work on the first request. Send the same request with the same key in {left} s.",
            retry_after=left,
        )
    )


def _unclear(text: str) -> Unclear:
    return Unclear(OutcomeUnknown(f"{text} Somebody must look: 'passrail parked list'."))


# --- points and tier ---


def _counted(transport: Transport, effect: AddPoints | SetPoints, step: Step) -> Settled:
    assert step.program.upstream_id is not None
    # The balance first: what somebody else does after it can then be seen among the events.
    record = _read(transport, step)
    listed = events(transport, step.program.upstream_id, record.id)
    mine = next((event for event in listed if event.id == step.id), None)
    if mine is not None:
        return counted_as_told(effect, step, mine, _points(_read(transport, step)))
    return judge(effect, step, _points(record), is_alone=not _others(listed, step, transport.offset()))


def _points(record: Record) -> Decimal:
    return record.points or Decimal(0)


def _others(listed: Sequence[Event], step: Step, offset: timedelta) -> list[Event]:
    """Return what others have changed the balance by since the operation began, as far as PassKit tells."""
    since = step.began_at + offset - CLOCKS
    return [one for one in listed if one.type in CHANGES_POINTS and (one.at is None or one.at >= since)]


def counted_as_told(effect: AddPoints | SetPoints, step: Step, event: Event, balance: Decimal) -> Done:
    """Return what an event of our own ID tells, which may be of a first request with another amount."""
    amount = effect.points if event.points is None else event.points
    if isinstance(effect, SetPoints):
        before = step.subject.points if step.basis.points is None else step.basis.points
    else:
        before = balance - amount
    notes: tuple[str, ...] = ()
    if amount != effect.points:
        notes = (f"PassKit has counted {number(amount)} points for this event before, not {number(effect.points)}.",)
    return done(step, before or Decimal(0), balance, notes)


def judge(effect: AddPoints | SetPoints, step: Step, balance: Decimal, *, is_alone: bool) -> Settled:
    """Decide by the balance, where no event tells.

    Args:
        effect: what was sent.
        step: its basis says what the balance was before.
        balance: what it is now.
        is_alone: PassKit tells of nobody else who has changed it.
    """
    before = step.basis.points
    if isinstance(effect, SetPoints):
        if balance == effect.points:
            return done(step, balance if before is None else before, balance)
    elif before is not None and balance == before + effect.points and is_alone:
        return done(step, before, balance)
    if before is not None and balance == before and is_alone:
        return _not_done(step)
    return _unclear("PassKit tells neither by its events nor by the balance whether the points were counted.")


def _moved(transport: Transport, effect: ChangeTier, step: Step) -> Settled:
    assert step.program.upstream_id is not None
    record = _read(transport, step)
    before = step.basis.tier_id or step.subject.tier_id
    moved = Done(replace(step.subject, tier_id=before), take_over(step.subject, record, step.program, step.now))
    if record.tier_id == effect.tier_id:
        return moved
    if record.tier_id == before:
        return _not_done(step)
    listed = events(transport, step.program.upstream_id, record.id)
    if any(event.id == step.id for event in listed):
        return moved
    return _unclear("PassKit has this pass on a tier that is neither the old nor the new one.")


# --- new passes ---


def _issued(transport: Transport, effect: Issue, step: Step) -> Settled:
    found = _made_anew(transport, step, effect.external_id)
    if found is None:
        return _not_done(step)
    if not _is_ours(found, effect.external_id, step, transport.offset()):
        return exists(found, step.program, step)
    return issued(step, found)


def _made_anew(transport: Transport, step: Step, external_id: str | None) -> Record | None:
    assert step.program.upstream_id is not None
    try:
        return routes_of(step.program).find(
            transport, step.program.upstream_id, external_id or own_external_id(step.id)
        )
    except NotFound:
        return None


def _is_ours(found: Record, external_id: str | None, step: Step, offset: timedelta) -> bool:
    if external_id is None or found.created_at is None:
        return True
    return found.created_at >= step.began_at + offset - CLOCKS


def issued(step: Step, record: Record, notes: tuple[str, ...] = ()) -> Done:
    """Return that a pass was made."""
    made = replace(step.subject, upstream_id=record.id)
    return Done(made, take_over(made, record, step.program, step.now), notes)


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
        return _not_done(step)
    if record.redemption_reference == step.id:
        fresh = take_over(step.subject, record, step.program, step.now)
        return Done(replace(step.subject, redeemed_at=None), replace(fresh, redeemed_at=effect.at))
    since = step.began_at + transport.offset() - CLOCKS
    if record.redemption_reference or record.redeemed_at is None or record.redeemed_at < since:
        return Refused(already_redeemed(step.program.kind, record.redeemed_at or step.now))
    return _unclear("PassKit says that this was redeemed just now, and not by whom.")


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
        found = _made_anew(transport, step, subject.external_id)
        if found is None or not _is_ours(found, subject.external_id, step, transport.offset()):
            return _not_done(step)
        return reissued(effect, step, found)
    record = _read(transport, step)
    if is_over(record, step.program, transport.now()):
        return NotDone()
    return Done(subject, take_over(effect.on(subject, step.now), record, step.program, step.now))


def reissued(effect: Reinstate, step: Step, record: Record) -> Done:
    """Return that the record of a revoked pass was made anew."""
    valid = replace(effect.on(step.subject, step.now), upstream_id=record.id)
    return Done(step.subject, take_over(valid, record, step.program, step.now), (REISSUED,))


def _updated(transport: Transport, effect: UpdateHolder, step: Step) -> Settled:
    record = _read(transport, step)
    left = writes_of(record, effect, step.default_country)
    if not left.is_nothing:
        return NotDone()
    return Done(step.subject, take_over(step.subject, record, step.program, step.now), left.notes)


def _expiry_set(transport: Transport, effect: SetExpiry, step: Step) -> Settled:
    record = _read(transport, step)
    wanted, now = effect.expires_at, transport.now()
    if wanted is None or wanted > now:
        is_done = not record.is_invalid and (record.expires_at == wanted or (wanted is None and _is_far(record, step)))
    else:
        is_done = is_over(record, step.program, now)
    if not is_done:
        return NotDone()
    return Done(step.subject, take_over(step.subject, record, step.program, step.now))


def _is_far(record: Record, step: Step) -> bool:
    """Tell whether the record has the date that stands for none."""
    return record.expires_at is None or record.expires_at - step.began_at > timedelta(days=3650)
