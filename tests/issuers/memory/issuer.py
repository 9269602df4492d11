"""The remote issuer in memory as one account sees it: one method an effect, one a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

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
from app.errors import (
    OutcomeUnknown,
    PassrailError,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.issuers.protocol import Done, Exists, NotDone, Outcome, Refused, Settled, Step, Unclear
from app.issuers.remote import Access, Catalogue, Profile
from app.model import EndsCardsBy, Kind, Pass, Program
from app.refusals import already_redeemed, not_enough_points
from tests.issuers.memory.mapping import new_pass, taken_over
from tests.issuers.memory.server import HAPPENS_ALL_THE_SAME, Failure, MemoryServer, Record

Answer = TypeVar("Answer")

ERRORS: dict[Failure, Callable[[], PassrailError]] = {
    Failure.AWAY: lambda: UpstreamUnavailable("Memory cannot be reached."),
    Failure.CREDENTIALS: lambda: UpstreamCredentialsRefused("Memory does not take the token."),
    Failure.REFUSED: lambda: UpstreamRejected("Memory refuses."),
    Failure.LOST: lambda: OutcomeUnknown("Memory did not answer."),
    Failure.LOST_AFTER: lambda: OutcomeUnknown("Memory did not answer."),
    Failure.UNCLEAR: lambda: UpstreamUnavailable("Memory says nothing."),
    Failure.UNCLEAR_AFTER: lambda: UpstreamUnavailable("Memory says nothing."),
}
GONE = "Memory has no record of this pass any more."


@dataclass(frozen=True)
class MemoryIssuer:
    """Makes effects true in the server's records, unless the server is to fail."""

    server: MemoryServer
    access: Access
    now: datetime

    # --- effects ---

    def issue(self, effect: Issue, step: Step) -> Outcome:
        """Make a record; one external ID has one record in a program."""

        def make() -> Outcome:
            found = self.server.by_external_id(self._place(step.program), effect.external_id)
            if found is not None:
                return Exists(new_pass(found, step.program, step.now))
            subject = step.subject
            made = self.server.enrol(
                self._place(step.program),
                effect.external_id,
                tier_id=effect.tier_id,
                holder=dict(effect.holder),
                fields=dict(subject.fields),
                points=subject.points,
                expires_at=effect.expires_at,
            )
            return Done(subject, taken_over(subject, made, step.now))

        return self._make("issue", step, make)

    def update_holder(self, effect: UpdateHolder, step: Step) -> Outcome:
        """Write what is named, leave the rest."""

        def change(record: Record) -> dict[str, object]:
            merged = {name: text for name, text in {**record.fields, **effect.fields}.items() if text is not None}
            return {"holder": {**record.holder, **effect.holder}, "fields": merged}

        return self._change("update_holder", effect, step, change)

    def add_points(self, effect: AddPoints, step: Step) -> Outcome:
        """Add to the balance, which stays above the floor."""

        def change(record: Record) -> dict[str, object] | PassrailError:
            had = record.points or Decimal(0)
            if effect.floor is not None and had + effect.points < effect.floor:
                return not_enough_points(had, -effect.points)
            return {"points": had + effect.points}

        return self._change("add_points", effect, step, change)

    def set_points(self, effect: SetPoints, step: Step) -> Outcome:
        """Set the balance."""
        return self._change("set_points", effect, step, lambda record: {"points": effect.points})

    def change_tier(self, effect: ChangeTier, step: Step) -> Outcome:
        """Move to another tier."""
        return self._change("change_tier", effect, step, lambda record: {"tier_id": effect.tier_id})

    def redeem(self, effect: Redeem, step: Step) -> Outcome:
        """Use up, once."""

        def change(record: Record) -> dict[str, object] | PassrailError:
            if record.redeemed_at is not None:
                return already_redeemed(step.program.kind, record.redeemed_at)
            return {"redeemed_at": effect.at}

        return self._change("redeem", effect, step, change)

    def revoke(self, effect: Revoke, step: Step) -> Outcome:
        """Delete the record, or let the card expire, as the connection says."""
        if not effect.permanent and self.access.ends_cards_by is EndsCardsBy.EXPIRY:
            return self._change("revoke", effect, step, lambda record: {"expires_at": step.now})

        def delete() -> Outcome:
            if step.subject.upstream_id in self.server.records:
                self.server.delete(step.subject.upstream_id)
            return self._revoked_by_deletion(effect, step)

        return self._make("revoke", step, delete)

    def reinstate(self, effect: Reinstate, step: Step) -> Outcome:
        """Make the card valid; one whose record was deleted gets a new record."""
        if step.subject.upstream_id is not None:
            return self._change("reinstate", effect, step, lambda record: {"expires_at": effect.expires_at})

        def make() -> Outcome:
            subject = replace(step.subject, revoked_at=None)
            made = self.server.enrol(
                self._place(step.program),
                subject.external_id,
                tier_id=subject.tier_id,
                holder={name: getattr(subject, name) for name in ("email", "first_name", "last_name", "phone")},
                fields=dict(subject.fields),
                points=subject.points,
                expires_at=effect.expires_at,
            )
            return Done(step.subject, taken_over(subject, made, step.now))

        return self._make("reinstate", step, make)

    def set_expiry(self, effect: SetExpiry, step: Step) -> Outcome:
        """Set when the card expires."""
        return self._change("set_expiry", effect, step, lambda record: {"expires_at": effect.expires_at})

    def settled(self, effect: Effect, step: Step) -> Settled:
        """Look into the journal of what was done."""
        failure = self._failure("settled")
        if failure is not None:
            return Unclear(ERRORS[failure]())
        if step.id in self.server.done:
            return self.server.done[step.id]
        if isinstance(effect, Issue):
            found = self.server.by_external_id(self._place(step.program), effect.external_id)
            return NotDone() if found is None else Exists(new_pass(found, step.program, step.now))
        if step.subject.upstream_id is None or step.subject.upstream_id in self.server.records:
            return NotDone()
        if isinstance(effect, Revoke):
            return self._revoked_by_deletion(effect, step)
        return Refused(UpstreamRejected(GONE), is_gone=True)

    def _change(
        self,
        method: str,
        effect: Effect,
        step: Step,
        change: Callable[[Record], dict[str, object] | PassrailError],
    ) -> Outcome:
        def make() -> Outcome:
            record = self.server.records.get(step.subject.upstream_id or "")
            if record is None:
                return Refused(UpstreamRejected(GONE), is_gone=True)
            before = taken_over(step.subject, record, step.now)
            values = change(record)
            if isinstance(values, PassrailError):
                return Refused(values)
            self.server.change(record.id, **values)
            after = taken_over(step.subject, record, step.now)
            return Done(before, effect.on(before, step.now) if isinstance(effect, Revoke) else after)

        return self._make(method, step, make)

    def _make(self, method: str, step: Step, make: Callable[[], Outcome]) -> Outcome:
        """Make the effect true, or fail as the server is to; what was done is told to `settled` later."""
        failure = self._failure(method)
        if failure is None or failure in HAPPENS_ALL_THE_SAME:
            outcome = make()
            if isinstance(outcome, Done):
                self.server.done[step.id] = outcome
            if failure is None:
                return outcome
        error = ERRORS[failure]()
        if failure in (Failure.AWAY, Failure.CREDENTIALS, Failure.REFUSED):
            return Refused(error)
        return Unclear(error, is_answered=failure in (Failure.UNCLEAR, Failure.UNCLEAR_AFTER))

    def _revoked_by_deletion(self, effect: Revoke, step: Step) -> Done:
        after = effect.on(step.subject, step.now)
        # One that can be undone leaves a pass without a record there; reinstated, it gets a new one.
        return Done(step.subject, after if effect.permanent else replace(after, upstream_id=None))

    # --- questions ---

    def profile(self) -> Profile:
        """Tell whose token it is."""
        return self._ask("profile", lambda: Profile(self.server.company, "operator"))

    def catalogue(self) -> Catalogue:
        """List the programs, one kind after the other."""
        self._ask("catalogue", lambda: None)
        failed = {kind: failure for kind in Kind if (failure := self._failure(f"catalogue of {kind.value}"))}
        if len(failed) == len(Kind):
            raise ERRORS[failed[Kind.MEMBERSHIP]]()
        notes = tuple(
            f"The {kind.words} programs cannot be read: {ERRORS[why]().detail}" for kind, why in failed.items()
        )
        found = [one for one in self.server.programs if one.kind not in failed]
        return Catalogue(found, notes, frozenset(failed))

    def find(self, program: Program, external_id: str) -> Pass | None:
        """Look for an external ID."""

        def find() -> Pass | None:
            found = self.server.by_external_id(self._place(program), external_id)
            return None if found is None else new_pass(found, program, self.now)

        return self._ask("find", find)

    def read(self, program: Program, known: Pass) -> Pass | None:
        """Read a record."""

        def read() -> Pass | None:
            if known.upstream_id is None:
                return known
            record = self.server.records.get(known.upstream_id)
            return None if record is None else taken_over(known, record, self.now)

        return self._ask("read", read)

    def read_new(self, program: Program, upstream_id: str) -> Pass | None:
        """Read a record that is not on record here."""

        def read() -> Pass | None:
            record = self.server.records.get(upstream_id)
            is_there = record is not None and record.program_id == self._place(program)
            return new_pass(record, program, self.now) if record is not None and is_there else None

        return self._ask("read_new", read)

    def passes(self, program: Program, offset: int, limit: int, known: Callable[[str], Pass | None]) -> Sequence[Pass]:
        """List a page of a program."""

        def page() -> Sequence[Pass]:
            every = [one for one in self.server.records.values() if one.program_id == self._place(program)]
            return [self._taken_over(one, program, known(one.id)) for one in every[offset : offset + limit]]

        return self._ask("passes", page)

    def _taken_over(self, record: Record, program: Program, known: Pass | None) -> Pass:
        return new_pass(record, program, self.now) if known is None else taken_over(known, record, self.now)

    def subscribe(self, program: Program, url: str) -> str:
        """Begin to send webhooks."""
        return self._ask("subscribe", lambda: self.server.subscribe(self._place(program), url))

    def find_subscription(self, program: Program, url: str) -> str | None:
        """Look for a subscription by its address."""
        wanted = self._place(program), url
        found = (one for one, place in self.server.subscriptions.items() if place == wanted)
        return self._ask("find_subscription", lambda: next(found, None))

    def unsubscribe(self, program: Program, subscription_id: str) -> None:
        """Stop to send webhooks."""
        self._ask("unsubscribe", lambda: self.server.subscriptions.pop(subscription_id, None))

    def _ask(self, method: str, answer: Callable[[], Answer]) -> Answer:
        failure = self._failure(method)
        if failure is None:
            return answer()
        if failure in HAPPENS_ALL_THE_SAME:
            answer()
        raise ERRORS[failure]()

    def _failure(self, method: str) -> Failure | None:
        failure = self.server.take_failure(method)
        is_right = self.access.target.secrets.get("token") == self.server.token
        return failure if is_right else Failure.CREDENTIALS

    def _place(self, program: Program) -> str:
        assert program.upstream_id is not None
        return program.upstream_id
