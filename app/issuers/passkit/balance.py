"""Whether points were counted, by PassKit's events and by the balance. Pure functions.

An event with the ID of our step says it. Where there is none, the balance has to: it is what it was before, and what
others have added or taken since, with our points or without them. Others that are this service tell in their events
how many points; where somebody else changed the balance, or it comes out both ways, it stays unclear. Around the
instant at which the operation began, an event may be part of the balance before or not: both is thought of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from app.answer import number
from app.effects import AddPoints, SetPoints
from app.errors import OutcomeUnknown
from app.issuers.passkit.points import CHANGES_POINTS, SETS_POINTS, Event, done
from app.issuers.protocol import Done, NotDone, Step, Unclear

# PassKit may still be at work on a request whose answer we did not wait for: "nothing there" is believed after this.
LATER = timedelta(seconds=60)
# Our clock, corrected by PassKit's, and the clock of the machine that began the operation differ by less than this.
CLOCKS = timedelta(seconds=30)
# Events of which each may be counted or not: more make too many cases.
MANY = 6


@dataclass(frozen=True, slots=True)
class Others:
    """What others have done to the balance, as far as PassKit tells: surely since it was read, and perhaps."""

    surely: Sequence[Event] = ()
    perhaps: Sequence[Event] = ()

    def sums(self) -> set[Decimal] | None:
        """Return every change of the balance that they can have made; None: somebody does not tell."""
        every = (*self.surely, *self.perhaps)
        if len(self.perhaps) > MANY or any(event.points is None or event.type == SETS_POINTS for event in every):
            return None
        sums = {sum((event.points for event in self.surely if event.points is not None), Decimal(0))}
        for event in self.perhaps:
            sums |= {total + event.points for total in sums if event.points is not None}
        return sums


def others_of(events: Sequence[Event], began_at: datetime) -> Others:
    """Return what others did.

    Args:
        events: of the member, without one of our own ID.
        began_at: when our operation began, by PassKit's clock.
    """
    changes = [event for event in events if event.type in CHANGES_POINTS]
    surely = [event for event in changes if event.at is not None and event.at > began_at + CLOCKS]
    perhaps = [event for event in changes if event.at is None or abs(event.at - began_at) <= CLOCKS]
    return Others(surely, perhaps)


def as_told(effect: AddPoints | SetPoints, step: Step, event: Event, balance: Decimal) -> Done:
    """Return what an event of our own ID tells, which may be of a first request with another amount."""
    amount = effect.points if event.points is None else event.points
    before = balance - amount
    if isinstance(effect, SetPoints):
        before = (step.subject.points if step.basis.points is None else step.basis.points) or Decimal(0)
    notes: tuple[str, ...] = ()
    if amount != effect.points:
        notes = (f"PassKit has counted {number(amount)} points for this event before, not {number(effect.points)}.",)
    return done(step, before, balance, notes)


def judge(effect: AddPoints | SetPoints, step: Step, balance: Decimal, others: Others) -> Done | NotDone | Unclear:
    """Decide by the balance, where no event tells.

    Args:
        effect: what was sent.
        step: its basis says what the balance was before.
        balance: what it is now.
        others: what others did since.
    """
    before, sums = step.basis.points, others.sums()
    if isinstance(effect, SetPoints):
        if balance == effect.points:
            return done(step, balance if before is None else before, balance)
        if balance == before and not others.surely and not others.perhaps:
            return not_done(step)
    elif before is not None and sums is not None:
        moved = balance - before
        if moved - effect.points in sums and moved not in sums:
            return done(step, balance - effect.points, balance)
        if moved in sums and moved - effect.points not in sums:
            return not_done(step)
    return unclear("PassKit tells neither by its events nor by the balance whether the points were counted.")


def not_done(step: Step) -> NotDone | Unclear:
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


def unclear(text: str) -> Unclear:
    """Say that what PassKit has does not tell."""
    return Unclear(
        OutcomeUnknown(f"{text} It is looked into again; if it stays so, somebody must decide: 'passrail parked list'.")
    )
