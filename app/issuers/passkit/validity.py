"""Ending passes and making them valid again, and whether that has happened.

PassKit has no "revoke". A pass is over when PassKit says so, or when its date is past in a tier whose passes end by
date. In a tier that does not expire a date is a *soft* one, and the pass stays valid (documented for the portal; what
the API makes of it is not known). So nothing is taken for over before PassKit's record has been read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from app.effects import Reinstate, Revoke, SetExpiry
from app.errors import NotApplicable, UpstreamRejected
from app.issuers.passkit.mapping import BY_OFFER, COMPUTED, NEVER_ENDS, OWN_DATE, expiry_of, updated_from
from app.issuers.passkit.passes import routes_of
from app.issuers.passkit.records import Record
from app.issuers.passkit.transport import Transport
from app.issuers.protocol import Done, Refused, Step
from app.model import Kind, Pass, Program

# PassKit cannot take an expiry away; a pass that is to have none expires in ten years.
NEVER = timedelta(days=3652)
# Seconds to wait before each look at a pass that should have ended or come back: less than 5 together.
PAUSES = (0.5, 1.5, 2.5)

DELETED = (
    "The record was deleted at PassKit, as the connection says (ends_cards_by: delete). Reinstating makes a new one, "
    "with another link."
)
REISSUED = "The card was made anew at PassKit: its link has changed. Send the holder the new one."


def is_over(record: Record, program: Program, now: datetime) -> bool:
    """Tell whether a pass is certainly not valid any more."""
    is_past = record.expires_at is not None and record.expires_at <= now
    return record.is_invalid or (is_past and expiry_of(program, record.tier_id) in (OWN_DATE, COMPUTED))


def revoke(transport: Transport, effect: Revoke, step: Step) -> Done | Refused:
    """Let a pass expire at once."""
    subject, program = step.subject, step.program
    refuse_if_offer_decides(
        program,
        subject.tier_id,
        "So it cannot be revoked for a while and brought back. Revoke it with permanent: true, which voids it for "
        "good, or connect with ends_cards_by: delete.",
    )
    record, has_ended = _end(transport, step, effect.at)
    if not has_ended:
        return _still_valid(step)
    after = updated_from(effect.on(subject, step.now), record, program, step.now)
    return Done(subject, after, _deletion_notes(program))


def reinstate(transport: Transport, effect: Reinstate, step: Step) -> Done | Refused:
    """Let a revoked or expired pass be valid until a later date."""
    subject, program = step.subject, step.program
    refuse_if_offer_decides(program, subject.tier_id, "So it cannot be brought back. Create a new one.")
    record, is_valid = _bring_back(transport, step, effect.expires_at or step.now + NEVER)
    if not is_valid:
        return _not_brought_back()
    return Done(subject, updated_from(effect.on(subject, step.now), record, program, step.now))


def set_expiry(transport: Transport, effect: SetExpiry, step: Step) -> Done | Refused:
    """Set when a pass expires; what a date in the past does is looked at, as for a revoke."""
    subject, program = step.subject, step.program
    refuse_if_offer_decides(program, subject.tier_id, "Leave expires_at out.")
    until = effect.expires_at or step.now + NEVER
    if until <= transport.now():
        record, has_ended = _end(transport, step, until)
        if not has_ended:
            return _still_valid(step)
        return Done(subject, updated_from(subject, record, program, step.now), _deletion_notes(program))
    if subject.expires_at is not None and subject.expires_at <= step.now:
        record, is_valid = _bring_back(transport, step, until)
        if not is_valid:
            return _not_brought_back()
        return Done(subject, updated_from(subject, record, program, step.now))
    routes_of(program).set_expiry(transport, str(subject.upstream_id), until)
    after = replace(subject, expires_at=until, updated_at=step.now)
    return Done(subject, after, notes_on_date(effect.expires_at, after, program))


def _end(transport: Transport, step: Step, at: datetime) -> tuple[Record, bool]:
    """Let a pass end at an instant that is past; return its record, and whether it is over.

    PassKit judges by its own clock, which the answers tell.
    """
    program, upstream_id = step.program, str(step.subject.upstream_id)
    routes = routes_of(program)
    routes.set_expiry(transport, upstream_id, min(at, transport.now()))

    def has_ended(record: Record) -> bool:
        if is_over(record, program, transport.now()):
            return True
        if record.expires_at is not None and record.expires_at > transport.now():
            routes.set_expiry(transport, upstream_id, transport.now())
        return False

    return _look_for(transport, step, has_ended)


def _bring_back(transport: Transport, step: Step, until: datetime) -> tuple[Record, bool]:
    """Let a pass be valid until an instant; return its record, and whether it is valid."""
    routes_of(step.program).set_expiry(transport, str(step.subject.upstream_id), until)
    return _look_for(transport, step, lambda record: not record.is_invalid)


def _look_for(transport: Transport, step: Step, is_true: Callable[[Record], bool]) -> tuple[Record, bool]:
    """Read the record until something is true of it, a few times; return it, and whether it is."""
    routes, upstream_id = routes_of(step.program), str(step.subject.upstream_id)
    record = routes.get(transport, upstream_id)
    for pause in PAUSES:
        if is_true(record):
            return record, True
        if not transport.wait(pause):
            return record, False
        record = routes.get(transport, upstream_id)
    return record, is_true(record)


def refuse_if_offer_decides(program: Program, tier_id: str, instead: str) -> None:
    """The date of a single coupon counts only where its offer says so.

    Raises:
        NotApplicable: this one's does not.
    """
    if expiry_of(program, tier_id) == BY_OFFER:
        raise NotApplicable(f"The offer of this coupon decides in PassKit when it expires. {instead}")


def _still_valid(step: Step) -> Refused:
    """Refuse to end a pass by a date that does not end it, and take the date back."""
    subject, program = step.subject, step.program
    tier = program.tier(subject.tier_id)
    name = tier.name if tier is not None else subject.tier_id
    if expiry_of(program, subject.tier_id) == NEVER_ENDS:
        why = f"The tier {name} does not expire in PassKit, so that the card is still valid there."
    else:
        why = "PassKit was given the end of this card, and it is still valid there."
    error = UpstreamRejected(
        f"{why} There are three cures: set the expiry of the tier in PassKit's portal, so that a date ends its cards; "
        "connect with ends_cards_by: delete, so that a revoke deletes the record; or revoke with permanent: true."
    )
    before = subject.expires_at
    if before is not None and before <= step.now:
        return Refused(error)
    return Refused(error, undo=(SetExpiry(expires_at=before or step.now + NEVER),))


def _not_brought_back() -> Refused:
    return Refused(UpstreamRejected("PassKit did not bring the pass back. Revoke it permanently and create a new one."))


def _deletion_notes(program: Program) -> tuple[str, ...]:
    """Tell what becomes of the record of a pass that is over."""
    days = program.upstream.get("auto_delete_days")
    if program.kind is not Kind.MEMBERSHIP or not days:
        return ()
    return (f"PassKit deletes the record {days} days after a card has ended; until then it can be reinstated.",)


def notes_on_date(given: datetime | None, made: Pass, program: Program) -> tuple[str, ...]:
    """Tell what an expiry that was given for a pass does not do.

    Args:
        given: None: none was given.
        made: the pass with the expiry that it has at PassKit.
        program: of the pass.
    """
    if given is not None and made.expires_at != given:
        return ("PassKit computes when cards of this tier expire; the expires_at that was given does not count.",)
    if given is not None and expiry_of(program, made.tier_id) == NEVER_ENDS:
        return ("This tier does not expire in PassKit: the card stays valid after this date.",)
    return ()


def still_there() -> UpstreamRejected:
    """Return what is told where PassKit says that it deleted a record, and still has it."""
    return UpstreamRejected(
        "PassKit answered that it has deleted the record, and still has it. Send the request again."
    )
