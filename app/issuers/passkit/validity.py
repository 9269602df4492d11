"""Ending passes and making them valid again, and whether that has happened.

PassKit has no "revoke". A pass is over when PassKit says so, or when its date is past in a tier whose passes end by
date. In a tier that does not expire a date is a *soft* one, and the pass stays valid (documented for the portal; what
the API makes of it is not known). So nothing is taken for over before PassKit's record has been read again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from app.errors import NotApplicable, PassrailError, UpstreamRejected
from app.issuers.passkit.mapping import BY_OFFER, COMPUTED, NEVER_ENDS, OWN_DATE, expiry_of
from app.issuers.passkit.passes import routes_of
from app.issuers.passkit.records import Record
from app.issuers.passkit.transport import Transport
from app.model import Kind, Pass, Program

# PassKit cannot take an expiry away; a pass that shall have none expires in ten years.
NEVER = timedelta(days=3652)
# Seconds to wait before each look at a pass that should have ended or come back: less than 5 together.
PAUSES = (0.5, 1.5, 2.5)

DELETED = (
    "The record was deleted at PassKit, as the connection says (ends_cards_by: delete). Reinstating makes a new one, "
    "with another link."
)
REISSUED = "The card was made anew at PassKit: its link has changed. Send the holder the new one."
STAYS_VALID = "This tier does not expire in PassKit: the card stays valid after this date."


def is_over(record: Record, program: Program, now: datetime) -> bool:
    """Tell whether a pass is certainly not valid any more."""
    is_past = record.expires_at is not None and record.expires_at <= now
    return record.is_invalid or (is_past and expiry_of(program, record.tier_id) in (OWN_DATE, COMPUTED))


def end(transport: Transport, program: Program, upstream_id: str, at: datetime) -> tuple[Record, bool]:
    """Let a pass end at an instant that is past; return its record, and whether it is over.

    PassKit judges by its own clock, which the answers tell.
    """
    routes = routes_of(program)
    routes.set_expiry(transport, upstream_id, min(at, transport.now()))

    def has_ended(record: Record) -> bool:
        if is_over(record, program, transport.now()):
            return True
        if record.expires_at is not None and record.expires_at > transport.now():
            routes.set_expiry(transport, upstream_id, transport.now())
        return False

    return _look_for(transport, program, upstream_id, has_ended)


def bring_back(transport: Transport, program: Program, upstream_id: str, until: datetime) -> tuple[Record, bool]:
    """Let a pass be valid until an instant; return its record, and whether it is valid."""
    routes_of(program).set_expiry(transport, upstream_id, until)
    return _look_for(transport, program, upstream_id, lambda record: not record.is_invalid)


def _look_for(
    transport: Transport, program: Program, upstream_id: str, is_true: Callable[[Record], bool]
) -> tuple[Record, bool]:
    """Read the record until something is true of it, a few times; return it, and whether it is."""
    record = routes_of(program).get(transport, upstream_id)
    for pause in PAUSES:
        if is_true(record):
            return record, True
        if not transport.wait(pause):
            return record, False
        record = routes_of(program).get(transport, upstream_id)
    return record, is_true(record)


def refuse_if_offer_decides(program: Program, tier_id: str, instead: str) -> None:
    """The date of a single coupon counts only where its offer says so.

    Raises:
        NotApplicable: this one's does not.
    """
    if expiry_of(program, tier_id) == BY_OFFER:
        raise NotApplicable(f"The offer of this coupon decides in PassKit when it expires. {instead}")


def still_valid(subject: Pass, program: Program) -> PassrailError:
    """Return the refusal to end a pass by a date, where that does not end it."""
    tier = program.tier(subject.tier_id)
    name = tier.name if tier is not None else subject.tier_id
    if expiry_of(program, subject.tier_id) == NEVER_ENDS:
        why = f"The tier {name} does not expire in PassKit, so that the card is still valid there."
    else:
        why = "PassKit was given the end of this card, and it is still valid there."
    return UpstreamRejected(
        f"{why} There are three cures: set the expiry of the tier in PassKit's portal, so that a date ends its cards; "
        "connect with ends_cards_by: delete, so that a revoke deletes the record; or revoke with permanent: true."
    )


def not_brought_back() -> PassrailError:
    """Return the refusal to make a pass valid again, where a later date does not."""
    return UpstreamRejected("PassKit did not bring the pass back. Revoke it permanently and create a new one.")


def deletion_notes(program: Program) -> tuple[str, ...]:
    """Tell what becomes of the record of a pass that is over."""
    days = program.upstream.get("auto_delete_days")
    if program.kind is not Kind.MEMBERSHIP or not days:
        return ()
    return (f"PassKit deletes the record {days} days after a card has ended; until then it can be reinstated.",)
