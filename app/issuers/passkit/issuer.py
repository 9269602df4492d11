"""PassKit as an issuer: one method an effect.

One request for points, tier, redeem, delete and create. Data of the holder is merged into the record as it is, so that
the record is read first; what ends a pass or brings it back is read again afterwards.

What PassKit certainly refused is Refused, and everything else that is no success is Unclear: `settled` finds out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar

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
from app.errors import NotApplicable, PassrailError
from app.issuers.passkit import evidence, points, validity
from app.issuers.passkit.failures import Conflict, NotFound, PassKitFailure
from app.issuers.passkit.holders import merged_person, writes_of
from app.issuers.passkit.mapping import COMPUTED, expiry_of, own_external_id, updated_from
from app.issuers.passkit.passes import New, Redemption, routes_of
from app.issuers.passkit.points import Details
from app.issuers.passkit.reader import PassKitReader
from app.issuers.passkit.translate import is_about_pass, to_error
from app.issuers.protocol import Done, NotDone, Outcome, Refused, Settled, Step, Unclear
from app.model import HOLDER_FIELDS, EndsCardsBy, Kind

E = TypeVar("E", bound=Effect)
Method = Callable[[Any, E, Step], Outcome]


def _outcome(ask: Method[E]) -> Method[E]:
    """Tell by a value what PassKit answers and how it fails."""

    @wraps(ask)
    def told(self: PassKitIssuer, effect: E, step: Step) -> Outcome:
        try:
            return ask(self, effect, step)
        except PassKitFailure as failure:
            return self._failed(failure, effect, step)
        except PassrailError as refusal:
            return Refused(refusal)

    return told


@dataclass(frozen=True, slots=True)
class PassKitIssuer(PassKitReader):
    """PassKit, for one action.

    Args:
        ends_cards_by: how a revoke that can be undone ends a card.
    """

    ends_cards_by: EndsCardsBy

    @_outcome
    def issue(self, effect: Issue, step: Step) -> Outcome:
        """Make a pass; it always gets an external ID, so that it can be found again."""
        subject, program = step.subject, step.program
        if effect.expires_at is not None:
            validity.refuse_if_offer_decides(program, effect.tier_id, "Leave expires_at out.")
        if program.kind is Kind.EVENT_TICKET and not _has_event(step):
            raise NotApplicable("This production has no event to come. Add one in PassKit's portal first.")
        person, notes = merged_person({}, effect.holder, step.default_country)
        new = New(
            tier_id=effect.tier_id,
            external_id=effect.external_id or own_external_id(step.id),
            person=person,
            meta_data=subject.fields,
            expires_at=effect.expires_at,
            points=effect.points,
        )
        try:
            upstream_id = routes_of(program).create(self.transport, program, new)
        except Conflict as conflict:
            if not conflict.is_certain or effect.external_id is None:
                return Unclear(to_error(conflict), is_answered=conflict.is_answered)
            return self._existing(conflict, new.external_id, step)
        tier_points = 0 if program.kind is Kind.MEMBERSHIP else None
        made = replace(subject, upstream_id=upstream_id, phone=person.get("mobileNumber"), tier_points=tier_points)
        if program.kind is Kind.EVENT_TICKET or expiry_of(program, effect.tier_id) == COMPUTED:
            with suppress(PassKitFailure):  # it is made; what is not read now is read later
                record = routes_of(program).get(self.transport, upstream_id)
                made = updated_from(made, record, program, step.now)
        return Done(made, made, (*notes, *validity.notes_on_date(effect.expires_at, made, program)))

    def _existing(self, conflict: Conflict, external_id: str, step: Step) -> Outcome:
        """Return the pass that has the external ID; where there is none, PassKit's refusal stands as it is."""
        program = step.program
        try:
            found = routes_of(program).find(self.transport, str(program.upstream_id), external_id)
        except NotFound:
            raise conflict from None
        return evidence.exists(found, program, step)

    @_outcome
    def update_holder(self, effect: UpdateHolder, step: Step) -> Outcome:
        """Read the record, merge, write: PassKit replaces person and `metaData` as wholes."""
        program, routes = step.program, routes_of(step.program)
        record = routes.get(self.transport, _upstream_id(step))
        writes = writes_of(record, effect, step.default_country)
        before = updated_from(step.subject, record, program, step.now)
        if writes.is_nothing:
            return Done(before, before, writes.notes)
        routes.update(self.transport, record.id, writes)
        person = {**record.person, **(writes.person or {})}
        written = replace(record, person=person, meta_data=writes.meta_data or record.meta_data)
        return Done(before, updated_from(before, written, program, step.now), writes.notes)

    @_outcome
    def add_points(self, effect: AddPoints, step: Step) -> Outcome:
        """Add or subtract; PassKit answers with the balance."""
        upstream_id = _upstream_id(step)
        refusal = self._cannot_add(effect, step)
        if refusal is not None:
            return Refused(refusal)
        details = Details(id=step.id, reason=step.reason, points=effect.points)
        balance = points.add(self.transport, upstream_id, effect.points, details)
        return points.done(step, balance - effect.points, balance)

    def _cannot_add(self, effect: AddPoints, step: Step) -> PassrailError | None:
        """Say what PassKit would do otherwise than asked. Our record decides only where it sees no danger."""
        may_overdraw = step.subject.tier_id in step.program.upstream.get("overdraw", ())
        known = step.subject.points or Decimal(0)
        would_overdraw = may_overdraw and effect.floor is not None
        if not would_overdraw and points.problem(known, effect, step, may_overdraw=may_overdraw) is None:
            return None
        record = routes_of(step.program).get(self.transport, _upstream_id(step))
        return points.problem(record.points or Decimal(0), effect, step, may_overdraw=may_overdraw)

    @_outcome
    def set_points(self, effect: SetPoints, step: Step) -> Outcome:
        """Set the balance."""
        details = Details(id=step.id, reason=step.reason, points=effect.points)
        balance = points.set_balance(self.transport, _upstream_id(step), effect.points, details)
        return points.done(step, step.subject.points or Decimal(0), balance)

    @_outcome
    def change_tier(self, effect: ChangeTier, step: Step) -> Outcome:
        """Move to another tier."""
        if step.program.kind is not Kind.MEMBERSHIP:
            raise NotApplicable(
                f"PassKit cannot move a {step.program.kind.words} to another tier. Revoke it and create a new one."
            )
        details = Details(id=step.id, reason=step.reason)
        program_id = str(step.program.upstream_id)
        points.change_tier(self.transport, program_id, _upstream_id(step), effect.tier_id, details)
        return Done(step.subject, effect.on(step.subject, step.now))

    @_outcome
    def redeem(self, effect: Redeem, step: Step) -> Outcome:
        """Use up a coupon or a ticket."""
        redemption = Redemption(id=step.id, at=effect.at, reference=effect.reference, amount=effect.amount)
        routes_of(step.program).redeem(self.transport, _upstream_id(step), redemption)
        return Done(step.subject, effect.on(step.subject, step.now))

    @_outcome
    def revoke(self, effect: Revoke, step: Step) -> Outcome:
        """End a pass: by deleting its record, or by an expiry in the past, whose effect is looked at."""
        subject = step.subject
        if subject.upstream_id is None:  # deleted when it was revoked before
            return Done(subject, effect.on(subject, step.now))
        if self._deletes(effect):
            routes_of(step.program).delete(self.transport, subject.upstream_id)
            found = self.settled(effect, step)
            return Unclear(validity.still_there(), is_answered=True) if isinstance(found, NotDone) else found
        return validity.revoke(self.transport, effect, step)

    def _deletes(self, effect: Effect) -> bool:
        if not isinstance(effect, Revoke):
            return False
        return effect.permanent or self.ends_cards_by is EndsCardsBy.DELETE

    def _deleted(self, effect: Effect, step: Step) -> Done:
        after = effect.on(step.subject, step.now)
        if after.deleted_at is not None:
            return Done(step.subject, after)
        return Done(step.subject, replace(after, upstream_id=None), (validity.DELETED,))

    @_outcome
    def reinstate(self, effect: Reinstate, step: Step) -> Outcome:
        """Make a pass valid again: by a later expiry, or anew where its record was deleted."""
        if step.subject.upstream_id is None:
            return self._reissue(effect, step)
        return validity.reinstate(self.transport, effect, step)

    def _reissue(self, effect: Reinstate, step: Step) -> Outcome:
        subject, program = step.subject, step.program
        holder = {name: getattr(subject, name) for name in HOLDER_FIELDS}
        person, notes = merged_person({}, holder, step.default_country)
        new = New(
            tier_id=subject.tier_id,
            external_id=subject.external_id or own_external_id(step.id),
            person=person,
            meta_data=subject.fields,
            expires_at=effect.expires_at,
            points=subject.points,
            tier_points=subject.tier_points,
        )
        try:
            upstream_id = routes_of(program).create(self.transport, program, new)
        except Conflict as conflict:
            if conflict.is_certain and program.kind is Kind.COUPON:
                raise NotApplicable(evidence.KEEPS_ID) from None
            raise
        record = routes_of(program).get(self.transport, upstream_id)
        done = evidence.reissued(effect, step, record)
        return replace(done, notes=(*done.notes, *notes))

    @_outcome
    def set_expiry(self, effect: SetExpiry, step: Step) -> Outcome:
        """Set when a pass expires; what a date in the past does is looked at, as for a revoke."""
        subject = step.subject
        if subject.revoked_at is not None:  # it is over; a reinstate takes the date to PassKit
            return Done(subject, effect.on(subject, step.now))
        _upstream_id(step)
        return validity.set_expiry(self.transport, effect, step)

    def settled(self, effect: Effect, step: Step) -> Settled:
        """Find out what became of an effect (`evidence.py`)."""
        try:
            if not isinstance(effect, Issue | Reinstate | Revoke):
                _upstream_id(step)
            return evidence.find_out(self.transport, effect, step)
        except NotFound:
            return self._missing(effect, step)
        except PassKitFailure as failure:
            return Unclear(to_error(failure))
        except PassrailError as refusal:
            return Refused(refusal)

    def _failed(self, failure: PassKitFailure, effect: Effect, step: Step) -> Outcome:
        """Tell apart what certainly has no effect from what is to be looked into."""
        if not failure.is_certain or self.transport.writes:
            return Unclear(to_error(failure), is_answered=failure.is_answered or failure.is_read)
        if isinstance(failure, NotFound) and is_about_pass(failure) and not isinstance(effect, Issue):
            found = self._missing(effect, step)
            if isinstance(found, Done | Refused):
                return found
            if isinstance(found, Unclear):
                return Refused(found.error)
        return Refused(to_error(failure))

    def _missing(self, effect: Effect, step: Step) -> Settled:
        """PassKit has no record of the pass: there is none, unless PassKit does not even know the program."""
        try:
            error = self.why_missing(step.program)
        except PassKitFailure as failure:
            error = to_error(failure)
        if error is not None:
            return Unclear(error)
        return self._deleted(effect, step) if self._deletes(effect) else evidence.missing(effect, step)


def _upstream_id(step: Step) -> str:
    """Return PassKit's ID of the pass.

    Raises:
        NotApplicable: its record was deleted when it was revoked.
    """
    if step.subject.upstream_id is None:
        raise NotApplicable(
            "The record of this pass was deleted at PassKit when it was revoked. Reinstate the pass first."
        )
    return step.subject.upstream_id


def _has_event(step: Step) -> bool:
    place = step.program.upstream.get("places", {}).get(step.subject.tier_id, {})
    return bool(place.get("event"))
