"""The three kinds of pass behind one face: what the issuer asks of members, coupons and tickets alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.errors import NotApplicable
from app.issuers.passkit import coupons, members, tickets
from app.issuers.passkit.mapping import Record, has_own_expiry, person_of
from app.issuers.passkit.records import Person
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import merge_meta_data
from app.model import Kind, Pass, Program

Fields = Mapping[str, str | None]


class Desk(Protocol):
    """Where passes of one kind are dealt with. Passes are named by PassKit's ID; failures are `PassKitFailure`s."""

    def get(self, upstream_id: str) -> Record:
        """Read a record."""
        ...

    def find(self, external_id: str) -> Record:
        """Read the program's record of this external ID."""
        ...

    def create(self, new: Pass, external_id: str) -> str:
        """Make a pass and return PassKit's ID of it."""
        ...

    def update(self, upstream_id: str, fields: Fields, person: Person | None, expires_at: datetime | None) -> None:
        """Change custom fields, holder and expiry; None and an empty mapping leave alone."""
        ...

    def set_expiry(self, upstream_id: str, expires_at: datetime) -> None:
        """Let a pass expire, at once or later."""
        ...

    def redeem(self, upstream_id: str, operation_id: str, source: str | None, at: datetime) -> None:
        """Use a pass up."""
        ...

    def delete(self, upstream_id: str) -> None:
        """Delete the record."""
        ...


@dataclass(frozen=True, slots=True)
class Members:
    """Memberships."""

    transport: Transport
    program: Program
    program_id: str

    def get(self, upstream_id: str) -> Record:
        """Read a member."""
        return members.get(self.transport, upstream_id)

    def find(self, external_id: str) -> Record:
        """Read the program's member."""
        return members.get_by_external_id(self.transport, self.program_id, external_id)

    def create(self, new: Pass, external_id: str) -> str:
        """Enrol."""
        return members.enrol(
            self.transport,
            self.program_id,
            new.tier_id,
            external_id=external_id,
            person=person_of(new),
            meta_data=new.fields or None,
            points=new.points or None,
            expires_at=new.expires_at,
        )

    def update(self, upstream_id: str, fields: Fields, person: Person | None, expires_at: datetime | None) -> None:
        """Change a member in one request; metaData and person are replaced as wholes, so both are read first."""
        record = members.get(self.transport, upstream_id)
        merged = merge_meta_data(record.meta_data, fields) if fields else None
        members.update(
            self.transport,
            upstream_id,
            meta_data=merged,
            person=_merged(record.person, person) if person else None,
            expires_at=expires_at,
        )

    def set_expiry(self, upstream_id: str, expires_at: datetime) -> None:
        """Set when a member expires."""
        members.set_expiry(self.transport, upstream_id, expires_at)

    def redeem(self, upstream_id: str, operation_id: str, source: str | None, at: datetime) -> None:
        """Memberships are not redeemed; the action says so before."""
        raise NotApplicable("Only coupons and event tickets are redeemed.")

    def delete(self, upstream_id: str) -> None:
        """Delete a member."""
        members.delete(self.transport, upstream_id)


def _merged(known: Person, new: Person) -> Person:
    names = ("forename", "surname", "display_name", "email", "mobile_number", "salutation", "date_of_birth")
    return Person(**{name: getattr(new, name) or getattr(known, name) for name in names})


@dataclass(frozen=True, slots=True)
class Coupons:
    """Coupons of a campaign."""

    transport: Transport
    program: Program
    program_id: str

    def get(self, upstream_id: str) -> Record:
        """Read a coupon."""
        return coupons.get(self.transport, upstream_id)

    def find(self, external_id: str) -> Record:
        """Read the campaign's coupon."""
        return coupons.get_by_external_id(self.transport, self.program_id, external_id)

    def create(self, new: Pass, external_id: str) -> str:
        """Make a coupon.

        Raises:
            NotApplicable: it shall have an expiry, and its offer decides that.
        """
        if new.expires_at is not None:
            self._need_own_expiry(new.tier_id, "Leave expires_at out.")
        return coupons.create(
            self.transport,
            self.program_id,
            new.tier_id,
            external_id=external_id,
            person=person_of(new),
            meta_data=new.fields or None,
            expires_at=new.expires_at,
        )

    def update(self, upstream_id: str, fields: Fields, person: Person | None, expires_at: datetime | None) -> None:
        """Change a coupon: the holder first, because PassKit checks that."""
        merged = None
        if fields or expires_at is not None:
            record = coupons.get(self.transport, upstream_id)
            if expires_at is not None:
                self._need_own_expiry(record.offer_id, "Leave expires_at out.")
            merged = merge_meta_data(record.meta_data, fields) if fields else None
        if person is not None:
            coupons.patch_person(self.transport, upstream_id, person)
        if merged is not None or expires_at is not None:
            coupons.update(self.transport, upstream_id, meta_data=merged, expires_at=expires_at)

    def set_expiry(self, upstream_id: str, expires_at: datetime) -> None:
        """Set when a coupon expires."""
        coupons.update(self.transport, upstream_id, expires_at=expires_at)

    def redeem(self, upstream_id: str, operation_id: str, source: str | None, at: datetime) -> None:
        """Redeem a coupon."""
        coupons.redeem(self.transport, upstream_id, reference=operation_id, source=source, redeemed_at=at)

    def delete(self, upstream_id: str) -> None:
        """Void a coupon."""
        coupons.void(self.transport, upstream_id)

    def _need_own_expiry(self, offer_id: str, instead: str) -> None:
        if not has_own_expiry(self.program, offer_id):
            raise NotApplicable(f"The offer of this coupon decides in PassKit when it expires. {instead}")


@dataclass(frozen=True, slots=True)
class Tickets:
    """Tickets of a production."""

    transport: Transport
    program: Program
    program_id: str

    def get(self, upstream_id: str) -> Record:
        """Read a ticket."""
        return tickets.get(self.transport, upstream_id)

    def find(self, external_id: str) -> Record:
        """Read the production's ticket of this number."""
        return tickets.get_by_ticket_number(self.transport, self.program_id, external_id)

    def create(self, new: Pass, external_id: str) -> str:
        """Issue a ticket for the event of its tier.

        Raises:
            NotApplicable: there is no event to come.
        """
        place = self.program.upstream.get("places", {}).get(new.tier_id, {})
        if not place.get("event"):
            raise NotApplicable("This production has no event to come. Add one in PassKit's portal first.")
        return tickets.issue(
            self.transport,
            place["event"],
            place["type"],
            external_id,
            person=person_of(new),
            meta_data=new.fields or None,
            expires_at=new.expires_at,
        )

    def update(self, upstream_id: str, fields: Fields, person: Person | None, expires_at: datetime | None) -> None:
        """Change a ticket: the holder first, because PassKit checks that."""
        merged = merge_meta_data(tickets.get(self.transport, upstream_id).meta_data, fields) if fields else None
        if person is not None:
            tickets.patch_person(self.transport, upstream_id, person)
        if merged is not None or expires_at is not None:
            tickets.update(self.transport, upstream_id, meta_data=merged, expires_at=expires_at)

    def set_expiry(self, upstream_id: str, expires_at: datetime) -> None:
        """Set when a ticket expires."""
        tickets.update(self.transport, upstream_id, expires_at=expires_at)

    def redeem(self, upstream_id: str, operation_id: str, source: str | None, at: datetime) -> None:
        """Redeem a ticket."""
        tickets.redeem(self.transport, upstream_id, reference=operation_id, source=source, redeemed_at=at)

    def delete(self, upstream_id: str) -> None:
        """Delete a ticket."""
        tickets.delete(self.transport, upstream_id)


_DESKS: Mapping[Kind, Callable[[Transport, Program, str], Desk]] = {
    Kind.MEMBERSHIP: Members,
    Kind.COUPON: Coupons,
    Kind.EVENT_TICKET: Tickets,
}


def desk_of(transport: Transport, program: Program) -> Desk:
    """Return the desk of a program's kind."""
    assert program.upstream_id is not None
    return _DESKS[program.kind](transport, program, program.upstream_id)
