"""What an issuer must be able to do.

The built-in issuer is our own database: an effect is true there as soon as our record says so, and nobody has to be
asked. Every other issuer is asked between two transactions, may answer late, not at all or not clearly, and is
described here:

    Issuer          makes effects true, one method an effect, and finds out what became of one (`settled`)
    RemoteIssuer    an Issuer that keeps records of its own: reads, lists, programs, webhooks
    RemoteKind      a kind of remote issuer: the one thing that is registered (`issuers/__init__.py`)

What came of an effect is told by a value (`Outcome`), because each has its own way on in the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from app.clock import Clock
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
from app.model import CustomField, EndsCardsBy, Kind, Pass, Program, Tier
from app.schema import Base
from app.settings import Settings


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProgram:
    """A program as a remote issuer has it. `upstream` is what only that issuer's code understands, and the keys that
    everybody knows: `pass_url` (host of the pass pages), `is_draft`, `notes` (sentences).

    `has_all_fields`: False where some custom fields could not be read; those that are on record then stay.
    """

    kind: Kind
    upstream_id: str
    name: str
    tiers: tuple[Tier, ...]
    fields: tuple[CustomField, ...] = ()
    has_all_fields: bool = True
    upstream: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a remote issuer can issue from.

    Attributes:
        programs: that could be read.
        notes: sentences on what could not be, and why.
        unread: kinds of which a program may be missing: that it is not among `programs` does not say that it is gone.
    """

    programs: Sequence[FoundProgram]
    notes: tuple[str, ...] = ()
    unread: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose credentials these are."""

    company: str
    username: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect to, and with what. Empty texts: the kind's own default."""

    region: str
    secrets: Mapping[str, str] = field(repr=False)
    base_url: str = ""
    pass_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An account's way to a remote issuer, with its credentials opened.

    Attributes:
        name: of the connection; requests of one name and target share what is learned and limited for them.
        target: where, and with what.
        ends_cards_by: how a revoke that can be undone ends a card.
    """

    name: str
    target: Target
    ends_cards_by: EndsCardsBy = EndsCardsBy.EXPIRY


@dataclass(frozen=True, slots=True)
class Notification:
    """What a webhook tells: which record something happened to, and whether it was deleted. Never believed as it is."""

    upstream_id: str
    is_deleted: bool


class RemoteIssuer(Issuer, Protocol):
    """A remote issuer as one account sees it, for the time of one action.

    The methods below raise a PassrailError where the issuer cannot be asked or refuses: UpstreamUnavailable,
    RateLimited, UpstreamCredentialsRefused, UpstreamRejected.
    """

    def profile(self) -> Profile:
        """Prove the credentials: whose are they, and is it the right region?"""
        ...

    def catalogue(self) -> Catalogue:
        """Read the programs. What cannot be read is left out and named; where nothing can be read, that is raised."""
        ...

    def find(self, program: Program, external_id: str) -> Pass | None:
        """Return the program's pass of this external ID as a new pass of ours; None: there is none."""
        ...

    def read(self, program: Program, known: Pass) -> Pass | None:
        """Return a pass as the issuer has it now; None: its record is gone.

        `known` itself is returned where nothing differs, and where a revoke has deleted the record (no `upstream_id`).
        """
        ...

    def read_new(self, program: Program, upstream_id: str) -> Pass | None:
        """Return a pass that is not on record here, by the issuer's own ID; None: the program has none."""
        ...

    def passes(self, program: Program, offset: int, limit: int, known: Callable[[str], Pass | None]) -> Sequence[Pass]:
        """Return a page of the program's passes, those made first first.

        Args:
            program: whose passes.
            offset: how many to leave out.
            limit: how many to return at most.
            known: gives our record of a pass by the issuer's ID. Such a pass is returned as `read` would; all others as
                new passes of ours.
        """
        ...

    def subscribe(self, program: Program, url: str) -> str:
        """Have webhooks of the program sent to the address; return the issuer's ID of the subscription."""
        ...

    def find_subscription(self, program: Program, url: str) -> str | None:
        """Return the ID of the subscription that sends to the address; None: there is none."""
        ...

    def unsubscribe(self, program: Program, subscription_id: str) -> None:
        """End a subscription. One that is not there any more is as good."""
        ...


class RemoteKind(Protocol):
    """A kind of remote issuer, one for the process."""

    name: str  # in the database, in addresses and answers, in lower case
    title: str  # as people write it
    form: Base  # what PUT /v1/issuer takes for it; its field `issuer` takes the name only

    def __init__(self, settings: Settings, clock: Clock) -> None: ...

    def target(self, form: Mapping[str, Any]) -> Target:
        """Make a target of a form that was filled in."""
        ...

    def complete(self, target: Target) -> Target:
        """Fill in the addresses that the target leaves to us.

        Raises:
            app.errors.ValidationFailed: something is missing or cannot be used.
        """
        ...

    def open(self, access: Access, now: datetime, seconds: float) -> RemoteIssuer:
        """Return the issuer as this account sees it.

        Args:
            access: whose, with what.
            now: the time.
            seconds: everything that is asked through it together ends about then.
        """
        ...

    def notification(self, body: str) -> Notification | None:
        """Read a webhook; None: it is not understood."""
        ...

    def can_reach(self, public_url: str, base_url: str) -> bool:
        """Tell whether the issuer's webhooks can reach this service."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...
