"""PassKit as an issuer: a decided change becomes requests, and an unclear one is found out about.

What differs between before and after says what to do. One request for points, tier, redeem, expiry, delete and create;
updates read the record first, because PassKit replaces `metaData` as a whole.

What is certain and what is not: an effect that counts each time (earn, burn) carries the operation's ID as its external
event ID, a redemption carries it as its reference, a new pass has an external ID. All else may simply be done again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from app.clock import to_text
from app.errors import AlreadyRedeemed, NotApplicable, OutcomeUnknown, UpstreamRejected
from app.issuers.passkit import loyalty
from app.issuers.passkit.failures import Conflict, NotFound, Refused
from app.issuers.passkit.loyalty import EventDetails
from app.issuers.passkit.mapping import (
    Record,
    changed_fields,
    has_own_expiry,
    new_pass,
    own_external_id,
    person_of,
    refuse_clearing,
    take_over,
)
from app.issuers.passkit.programs import NAME
from app.issuers.passkit.reader import PassKitReader
from app.issuers.passkit.records import Coupon, Member, Ticket
from app.issuers.protocol import ExistsAlready
from app.model import Change, Kind, Pass

# PassKit cannot take an expiry away; a pass that shall have none expires in ten years.
NEVER = timedelta(days=3652)
# PassKit may still be at work on a request whose answer we did not wait for: "nothing there" is believed after this.
SETTLED = timedelta(seconds=60)
# Our clock and PassKit's differ by less than this.
CLOCKS = timedelta(minutes=2)

_PERSON = ("email", "first_name", "last_name", "phone")


@dataclass(frozen=True, slots=True)
class PassKitIssuer(PassKitReader):
    """PassKit, for one operation. All methods raise `PassKitFailure`s and errors of ours.

    Args:
        data: the caller's input, for what a difference does not say.
        started_at: when the operation began.
        tried_at: when it was last tried; None where it never was.
        balance: points before it was first tried.
    """

    data: Mapping[str, Any] = field(repr=False)
    started_at: datetime
    tried_at: datetime | None = None
    balance: Decimal | None = None

    name = NAME
    is_local = False

    def apply(self, change: Change, operation_id: str) -> Change:
        """Make the change true at PassKit; see the protocol."""
        before, after = change.before, change.after
        if change.event is None:
            return change
        if before is None:
            return self._create(change, operation_id)
        if after.upstream_id is None:
            raise NotApplicable("This pass was never made at PassKit. Create a new one.")
        if after.deleted_at is not None:
            return self._delete(change, after.upstream_id)
        if after.redeemed_at != before.redeemed_at:
            return self._redeem(change, after.upstream_id, operation_id)
        if after.points != before.points:
            return self._count(change, after.upstream_id, operation_id)
        if after.tier_id != before.tier_id:
            return self._move(change, after.upstream_id, operation_id)
        if after.revoked_at != before.revoked_at:
            return self._revoke_or_reinstate(change, after.upstream_id)
        return self._update(change, before, after.upstream_id)

    def _create(self, change: Change, operation_id: str) -> Change:
        new = change.after
        external_id = new.external_id or own_external_id(operation_id)
        try:
            upstream_id = self._desk.create(new, external_id)
        except Conflict as conflict:
            try:
                record = self._desk.find(external_id)
            except NotFound:
                raise conflict from None  # taken, and yet not there: PassKit's refusal stands as it is
            if new.external_id is None or (conflict.after_unclear and self._may_be_ours(record)):
                return self._created(change, record)
            raise ExistsAlready(new_pass(record, self.program, self.now)) from None
        return replace(change, after=replace(new, upstream_id=upstream_id))

    def _created(self, change: Change, record: Record) -> Change:
        made = replace(change.after, upstream_id=record.id)
        return replace(change, after=take_over(made, record, self.now))

    def _may_be_ours(self, record: Record) -> bool:
        return record.created_at is None or record.created_at >= self.started_at - CLOCKS

    def _delete(self, change: Change, upstream_id: str) -> Change:
        with suppress(NotFound):  # what shall be gone is gone
            self._desk.delete(upstream_id)
        return change

    def _redeem(self, change: Change, upstream_id: str, operation_id: str) -> Change:
        assert change.after.redeemed_at is not None
        try:
            self._desk.redeem(upstream_id, operation_id, self.data.get("reference"), change.after.redeemed_at)
        except NotFound:
            raise
        except Refused as refused:
            # "Redeemed before" comes as some refusal; the record tells whose redemption it was.
            done = self._redeemed(change, operation_id)
            if done is None:
                raise refused from None
            return done
        return change

    def _redeemed(self, change: Change, operation_id: str, *, is_resumed: bool = False) -> Change | None:
        """Return the change if this operation redeemed the pass, None if it is unredeemed.

        Raises:
            AlreadyRedeemed: somebody else did.
        """
        assert change.after.upstream_id is not None
        record = self._desk.get(change.after.upstream_id)
        if isinstance(record, Member) or record.status != "REDEEMED":
            return None
        if record.redemption_reference == operation_id or (is_resumed and self._may_be_mine(record)):
            return change
        when = to_text(record.redeemed_at or self.now)
        raise AlreadyRedeemed(
            f"This {self.program.kind.words} was redeemed on {when}. It cannot be redeemed again.",
            extra={"redeemed_at": when},
        )

    def _may_be_mine(self, record: Coupon | Ticket) -> bool:
        """Where PassKit keeps no reference, the time has to tell."""
        at = record.redeemed_at
        return not record.redemption_reference and at is not None and at >= self.started_at - CLOCKS

    def _count(self, change: Change, upstream_id: str, operation_id: str) -> Change:
        details = EventDetails(operation_id, notes=self.data.get("reason"))
        assert change.before is not None
        assert change.after.points is not None
        difference = change.after.points - (change.before.points or Decimal(0))
        if self.data.get("change") == "set":
            balance = loyalty.set_points(self.transport, upstream_id, change.after.points, details)
            return replace(change, after=replace(change.after, points=balance.points))
        verb = loyalty.earn if difference > 0 else loyalty.burn
        return self._counted(change, difference, verb(self.transport, upstream_id, abs(difference), details).points)

    def _counted(self, change: Change, difference: Decimal, balance: Decimal) -> Change:
        details = {**change.details, "points_before": float(balance - difference), "points_change": float(difference)}
        plain = {name: int(one) if one == int(one) else one for name, one in details.items()}
        return replace(change, after=replace(change.after, points=balance), details=plain)

    def _move(self, change: Change, upstream_id: str, operation_id: str) -> Change:
        if self.program.kind is not Kind.MEMBERSHIP:
            raise NotApplicable(
                f"PassKit cannot move a {self.program.kind.words} to another tier. Revoke it and create a new one."
            )
        assert self.program.upstream_id is not None
        details = EventDetails(operation_id, notes=self.data.get("reason"))
        loyalty.change_tier(self.transport, self.program.upstream_id, upstream_id, change.after.tier_id, details)
        return change

    def _revoke_or_reinstate(self, change: Change, upstream_id: str) -> Change:
        after = change.after
        if not has_own_expiry(self.program, after.tier_id):
            raise NotApplicable(
                "The offer of this coupon decides in PassKit when it expires, so that it cannot be revoked for a while "
                "and brought back. Revoke it with permanent: true, which voids it for good."
            )
        if after.revoked_at is not None:
            self._desk.set_expiry(upstream_id, after.revoked_at)
            return change
        return self._bring_back(change, upstream_id)

    def _bring_back(self, change: Change, upstream_id: str) -> Change:
        """Give the pass a later expiry, and look whether that helped: PassKit does not promise it."""
        after = replace(change.after, expires_at=change.after.expires_at or self.now + NEVER)
        assert after.expires_at is not None
        self._desk.set_expiry(upstream_id, after.expires_at)
        if self._desk.get(upstream_id).lifecycle.status == "PASS_INVALIDATED":
            raise UpstreamRejected("PassKit did not bring the pass back. Revoke it permanently and create a new one.")
        return replace(change, after=after)

    def _update(self, change: Change, before: Pass, upstream_id: str) -> Change:
        after = change.after
        refuse_clearing(before, after)
        was_expired = before.expires_at is not None and before.expires_at <= self.now
        expires_at = None
        if after.expires_at != before.expires_at and after.revoked_at is None:
            after = replace(after, expires_at=after.expires_at or self.now + NEVER)
            expires_at = after.expires_at
        has_new_holder = any(getattr(after, name) != getattr(before, name) for name in _PERSON)
        person = person_of(after) if has_new_holder else None
        fields = changed_fields(before, after)
        if was_expired and expires_at is not None and person is None and not fields:
            return self._bring_back(replace(change, after=after), upstream_id)
        if person is not None or fields or expires_at is not None:
            self._desk.update(upstream_id, fields, person, expires_at)
        return replace(change, after=after)

    # --- finding out ---

    def reconcile(self, change: Change, operation_id: str) -> Change | bool:
        """Find out what became of an earlier try; see the protocol."""
        before, after = change.before, change.after
        if change.event is None:
            return False
        if before is None:
            return self._look_for_new(change, operation_id)
        if after.deleted_at is None and after.redeemed_at != before.redeemed_at:
            return self._redeemed(change, operation_id, is_resumed=True) or False
        if after.deleted_at is None and after.points != before.points and self.data.get("change") != "set":
            return self._look_for_points(change, operation_id)
        return False  # doing it again changes nothing more

    def _look_for_new(self, change: Change, operation_id: str) -> Change | bool:
        new = change.after
        try:
            record = self._desk.find(new.external_id or own_external_id(operation_id))
        except NotFound:
            return False
        if new.external_id is None or self._may_be_ours(record):
            return self._created(change, record)
        raise ExistsAlready(new_pass(record, self.program, self.now))

    def _look_for_points(self, change: Change, operation_id: str) -> Change | bool:
        program_id, upstream_id = self.program.upstream_id, change.after.upstream_id
        assert program_id is not None
        assert upstream_id is not None
        assert change.before is not None
        assert change.after.points is not None
        difference = change.after.points - (change.before.points or Decimal(0))
        event = loyalty.find_event(self.transport, program_id, upstream_id, operation_id)
        record = self._desk.get(upstream_id)
        assert isinstance(record, Member)
        if event is not None:
            return self._counted(change, difference, record.points)
        self._wait_until_settled()
        if loyalty.events(self.transport, program_id, upstream_id):
            return False
        # No event at all may also mean that PassKit keeps none, so the balance has to agree.
        if record.points == self.balance:
            return False
        if self.balance is not None and record.points == self.balance + difference:
            return self._counted(change, difference, record.points)
        raise OutcomeUnknown("PassKit tells neither by its events nor by the balance whether the points were counted.")

    def _wait_until_settled(self) -> None:
        if self.tried_at is None or self.now - self.tried_at >= SETTLED:
            return
        left = ceil((SETTLED - (self.now - self.tried_at)).total_seconds())
        raise OutcomeUnknown(
            f"PassKit may still be at work on the first request. Send the same request with the same key in {left} s.",
            retry_after=left,
        )
