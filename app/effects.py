"""What can be made true of a pass. An action decides on effects; the issuer of the pass makes them true, one by one.

An effect says what is to be true, never how: `on` gives our record of the pass as it is afterwards. For the built-in
issuer that is all there is to do. A remote issuer has one method an effect (`issuers/protocol.py`).

Open operations keep their effects as JSON, by name (`operations/plan.py`): the names of attributes below are therefore
part of the database. An attribute that is added needs a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from app.answer import number, to_text
from app.model import HOLDER_FIELDS, Kind, Pass, Program

Details = dict[str, Any]

# The shortest time between two changes of a pass.
MOMENT = timedelta(milliseconds=1)


def moment_after(now: datetime, last: datetime) -> datetime:
    """Return `now`, or the first moment after `last` where clocks say that this is later.

    Changes of one pass are written under its lock. So their times grow in the order in which they were made, whatever
    the clocks of several machines say.
    """
    return max(now, last + MOMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A new pass. `holder` and `fields` are what was given; None stands for "none", as in an update.

    `if_exists` says what becomes of it where a remote issuer turns out to have a pass of this external ID: `return`
    it, `update` it, or `error`.
    """

    counts: ClassVar[bool] = True
    reads_first: ClassVar[bool] = False

    pass_id: str
    link_token: str = field(repr=False)
    tier_id: str
    external_id: str | None = None
    points: Decimal | None = None
    holder: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    fields: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    expires_at: datetime | None = None
    gives_expiry: bool = False
    if_exists: str = "return"

    def make(self, program: Program, now: datetime) -> Pass:
        """Return the pass as it is when it has just been issued."""
        return Pass(
            id=self.pass_id,
            account_id=program.account_id,
            mode=program.mode,
            issuer=program.issuer,
            program_id=program.id,
            tier_id=self.tier_id,
            link_token=self.link_token,
            created_at=now,
            updated_at=now,
            external_id=self.external_id,
            email=self.holder.get("email"),
            first_name=self.holder.get("first_name"),
            last_name=self.holder.get("last_name"),
            phone=self.holder.get("phone"),
            points=(self.points or Decimal(0)) if program.kind is Kind.MEMBERSHIP else None,
            fields={name: text for name, text in self.fields.items() if text is not None},
            expires_at=self.expires_at,
        )

    def updates(self) -> tuple[Effect, ...]:
        """Return what `if_exists: update` does to the pass that is there."""
        effects: list[Effect] = [UpdateHolder(holder=self.holder, fields=self.fields)]
        if self.gives_expiry:
            effects.append(SetExpiry(expires_at=self.expires_at))
        return tuple(effects)

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass that was made."""
        return subject

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        return {"created": True, "changed": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateHolder:
    """Other data of the holder, other custom fields. What is not named stays; None clears."""

    counts: ClassVar[bool] = False
    reads_first: ClassVar[bool] = False

    holder: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    fields: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass with these values."""
        merged = {name: text for name, text in {**subject.fields, **self.fields}.items() if text is not None}
        fields = subject.fields if merged == subject.fields else merged
        return replace(subject, **self.holder, fields=fields, updated_at=now)  # type: ignore[arg-type]

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        changed = [name for name in HOLDER_FIELDS if getattr(before, name) != getattr(after, name)]
        names = {*before.fields, *after.fields}
        changed += sorted(f"fields.{name}" for name in names if before.fields.get(name) != after.fields.get(name))
        return {"changed": changed}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPoints:
    """`points` more on the balance, or less where they are negative; never below `floor`, unless that is None."""

    counts: ClassVar[bool] = True
    reads_first: ClassVar[bool] = False

    points: Decimal
    floor: Decimal | None = None

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass with the new balance."""
        return replace(subject, points=(subject.points or Decimal(0)) + self.points, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        return _points_details(before, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoints:
    """A balance of exactly `points`."""

    counts: ClassVar[bool] = True
    reads_first: ClassVar[bool] = True

    points: Decimal

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass with the new balance."""
        return replace(subject, points=self.points, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        return _points_details(before, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTier:
    """Another tier of the same program."""

    counts: ClassVar[bool] = False
    reads_first: ClassVar[bool] = True

    tier_id: str

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass on the tier."""
        return replace(subject, tier_id=self.tier_id, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        return {"tier_before": before.tier_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """A coupon used up, a ticket let in, at the instant `at`."""

    counts: ClassVar[bool] = True
    reads_first: ClassVar[bool] = False

    at: datetime
    reference: str | None = None
    amount: Decimal | None = None

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the redeemed pass."""
        return replace(subject, redeemed_at=self.at, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        at = after.redeemed_at or self.at
        return {"redeemed_at": to_text(at), "reference": self.reference, "amount": number(self.amount)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """A pass that is not valid any more, from the instant `at`. `permanent`: its record is deleted and its holder
    forgotten; that cannot be undone.
    """

    counts: ClassVar[bool] = False
    reads_first: ClassVar[bool] = False

    at: datetime
    permanent: bool = False

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the revoked pass."""
        revoked = replace(subject, revoked_at=subject.revoked_at or self.at, updated_at=now)
        if not self.permanent:
            return revoked
        bare = replace(revoked, email=None, first_name=None, last_name=None, phone=None, fields={}, ticket=None)
        return replace(bare, deleted_at=self.at)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event: nothing."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstate:
    """A revoked or expired pass that is valid again, until `expires_at` or for good (None)."""

    counts: ClassVar[bool] = False
    reads_first: ClassVar[bool] = False

    expires_at: datetime | None

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass made valid."""
        return replace(subject, revoked_at=None, expires_at=self.expires_at, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event: nothing."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetExpiry:
    """Another expiry; None: the pass does not expire."""

    counts: ClassVar[bool] = False
    reads_first: ClassVar[bool] = False

    expires_at: datetime | None

    def on(self, subject: Pass, now: datetime) -> Pass:
        """Return the pass with the expiry."""
        return replace(subject, expires_at=self.expires_at, updated_at=now)

    def details(self, before: Pass, after: Pass) -> Details:
        """Return what it adds to the answer and the event."""
        return {"changed": ["expires_at"] if before.expires_at != after.expires_at else []}


Effect = Issue | UpdateHolder | AddPoints | SetPoints | ChangeTier | Redeem | Revoke | Reinstate | SetExpiry


def merged(details: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two effects tell together: lists are joined, all else is told by the later one."""
    both = {**details, **more}
    for name, value in more.items():
        if isinstance(value, list) and isinstance(details.get(name), list):
            both[name] = [*details[name], *value]
    return both


def _points_details(before: Pass, after: Pass) -> Details:
    had, has = before.points or Decimal(0), after.points or Decimal(0)
    return {"points_before": number(had), "points_change": number(has - had)}
