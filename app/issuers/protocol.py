"""What an issuer must be able to do: make effects true, one method an effect, and find out what became of one.

The built-in issuer is our own database: an effect is true there as soon as our record says so, and nobody has to be
asked. Every other issuer is asked between two transactions, and may answer late, not at all or not clearly. What came
of an effect is told by a value (`Outcome`), because each has its own way on in the runner.

What a remote issuer must be able to do beside that stands in `remote.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

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
from app.errors import PassrailError
from app.model import Pass, Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What was known of a pass before an effect was tried for the first time: what the state is compared with later."""

    points: Decimal | None = None
    tier_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One effect on its way, with all an issuer needs to make it true or to find out about it.

    Attributes:
        subject: the pass as our record has it now; for Issue, the pass that is to be made.
        id: written at the issuer beside the effect, where it has a place for it. The same request with the same key
            has the same ID, however often it is repeated.
        reason: the caller's own words.
        basis: what was known before the first try.
        began_at: when the operation began.
        tried_at: when the issuer was last sent the effect; None: never.
        is_answered: the issuer answered the last try, so that it is not at work on it any more.
        looks: how often it was looked into before without a result.
        now: the time.
        default_country: of phone numbers without a country code (ISO 3166), None: unknown.
    """

    program: Program
    subject: Pass = field(repr=False)
    id: str
    reason: str | None = field(default=None, repr=False)
    basis: Basis
    began_at: datetime
    tried_at: datetime | None = None
    is_answered: bool = False
    looks: int = 0
    now: datetime
    default_country: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is true. `before` and `after` are the pass as the issuer had it before and has it now.

    `notes` are sentences on what was done differently from what was asked.
    """

    before: Pass = field(repr=False)
    after: Pass = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exists:
    """A pass that was to be made is there already, and this operation has not made it. It is not on record here."""

    found: Pass = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The effect is not true, for certain.

    Attributes:
        error: why, in our words and the issuer's own.
        was_sent: the issuer was sent the effect and may have said less than it did: a repeat looks first. False: not
            sent at all, or a business refusal that is known to have no effect.
        is_gone: the issuer has no record of the pass any more, and will not have it again.
        undo: effects that take back what was tried, to be made true before the refusal is told.
    """

    error: PassrailError
    was_sent: bool = False
    is_gone: bool = False
    undo: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDone:
    """Found out by `settled`: the effect is not true, and the issuer is not at work on it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """It is not known whether the effect is true.

    Attributes:
        error: what is told if it turns out not to be true; for `settled`, why it cannot be told.
        is_answered: the issuer answered, so that it is not at work on it any more.
    """

    error: PassrailError
    is_answered: bool = False


Outcome = Done | Exists | Refused | Unclear
Settled = Done | Exists | Refused | NotDone | Unclear


class Issuer(Protocol):
    """A place where passes live. The methods never raise for what the issuer answers; they return the outcome."""

    def issue(self, effect: Issue, step: Step) -> Outcome:
        """Make a pass."""
        ...

    def update_holder(self, effect: UpdateHolder, step: Step) -> Outcome:
        """Write data of the holder and custom fields; all else in the record stays."""
        ...

    def add_points(self, effect: AddPoints, step: Step) -> Outcome:
        """Add to the balance, or subtract."""
        ...

    def set_points(self, effect: SetPoints, step: Step) -> Outcome:
        """Set the balance."""
        ...

    def change_tier(self, effect: ChangeTier, step: Step) -> Outcome:
        """Move to another tier."""
        ...

    def redeem(self, effect: Redeem, step: Step) -> Outcome:
        """Use up a coupon or a ticket."""
        ...

    def revoke(self, effect: Revoke, step: Step) -> Outcome:
        """End a pass: Done is said only if it is not valid any more."""
        ...

    def reinstate(self, effect: Reinstate, step: Step) -> Outcome:
        """Make a pass valid again."""
        ...

    def set_expiry(self, effect: SetExpiry, step: Step) -> Outcome:
        """Set when a pass expires."""
        ...

    def settled(self, effect: Effect, step: Step) -> Settled:
        """Find out what became of the effect that was tried at `step.tried_at`. Changes nothing."""
        ...
