"""The routes of passes: members of a program, single-use coupons of a campaign, tickets of a production.

A pass is named by PassKit's `id`; by the caller's own ID only where it is looked up. All methods raise
`failures.PassKitFailure`. Which routes exist, and what PassKit does with them, is known from its published SDK
("documented") or from what other developers published ("field report").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from app.issuers.passkit import values
from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.failures import InvalidRequest
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.holders import Writes
from app.issuers.passkit.reading import nothing, required, same_id
from app.issuers.passkit.records import Record, coupon, member, ticket
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import given, without_none
from app.model import Kind, Program

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A pass to make. `external_id` is always given: by it the pass is found again after a lost answer."""

    tier_id: str
    external_id: str = field(repr=False)
    person: Json = field(repr=False)
    meta_data: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None = None
    points: Decimal | None = None
    tier_points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What is written down with a redemption; `id` says that it is ours."""

    id: str
    at: datetime
    reference: str | None = None
    amount: Decimal | None = None


class Routes(ABC):
    """The routes of one kind of pass."""

    path: ClassVar[str]
    program_path: ClassVar[str]

    def __init__(self, record: Callable[[Json], Record]) -> None:
        """`record` reads a pass of this kind."""
        self.record = record

    def get(self, transport: Transport, upstream_id: str) -> Record:
        """`GET .../{id}` -> the pass. NotFound also when it was deleted."""

        def read(found: Json) -> Record:
            same_id(found, upstream_id)
            return self.record(found)

        return transport.read(self._by_id, read, path={"id": upstream_id})

    @property
    def _by_id(self) -> str:
        return f"{self.path}/id/{{id}}"

    def find(self, transport: Transport, program_id: str, external_id: str) -> Record:
        """`GET` -> the program's pass of this external ID. NotFound also when it was deleted."""

        def read(found: Json) -> Record:
            record = self.record(found)
            if record.external_id.casefold() != external_id.casefold():
                raise MalformedAnswer("it is about another record")
            return record

        route, path, query = self._by_external_id(program_id, external_id)
        return transport.read(route, read, path=path, query=query)

    @abstractmethod
    def _by_external_id(self, program_id: str, external_id: str) -> tuple[str, Texts | None, Texts | None]:
        """Return the route by external ID, with the values of its path and its query."""

    @abstractmethod
    def page(self, transport: Transport, program_id: str, offset: int, limit: int) -> list[Record]:
        """Read part of the program's passes, those made first first."""

    @abstractmethod
    def create(self, transport: Transport, program: Program, new: New) -> str:
        """Make a pass and return PassKit's ID of it. Conflict: there is one of this external ID (field report)."""

    def update(self, transport: Transport, upstream_id: str, writes: Writes) -> None:
        """Write the person, because PassKit checks that, then `PUT` {id, metaData}: others stay (field report)."""
        if writes.person is not None:
            self.patch_person(transport, upstream_id, writes.person)
        if writes.meta_data is not None:
            body = {"id": upstream_id, "metaData": writes.meta_data}
            self._write(transport, "PUT", self.path, upstream_id, body)

    def set_expiry(self, transport: Transport, upstream_id: str, at: datetime) -> None:
        """`PUT` {id, expiryDate} -> ID. What that does depends on the settings of the tier, offer or production."""
        body = {"id": upstream_id, "expiryDate": values.instant(at)}
        self._write(transport, "PUT", self.path, upstream_id, body)

    def redeem(self, transport: Transport, upstream_id: str, redemption: Redemption) -> None:
        """Use the pass up."""
        raise InvalidRequest("Only coupons and event tickets are redeemed.")

    def delete(self, transport: Transport, upstream_id: str) -> None:
        """`DELETE` {id} -> {}. Irreversible; it alone ends billing for the pass (field report)."""
        transport.write("DELETE", self.path, nothing, self._named(upstream_id))

    def need_program(self, transport: Transport, program_id: str) -> None:
        """Read the program. NotFound: PassKit does not know it, so that it knows none of its passes either."""
        transport.read(self.program_path, lambda _: None, path={"id": program_id})

    def patch_person(self, transport: Transport, upstream_id: str, person: Json) -> None:
        """`PATCH .../person` {id, person} -> ID."""
        body = {"id": upstream_id, "person": person}
        self._write(transport, "PATCH", f"{self.path}/person", upstream_id, body)

    def _named(self, upstream_id: str) -> Json:
        return {"id": upstream_id}

    def _write(self, transport: Transport, method: str, route: str, upstream_id: str, body: Json) -> None:
        transport.write(method, route, lambda found: same_id(found, upstream_id), body)

    def _create(self, transport: Transport, body: Json) -> str:
        return transport.write("POST", self.path, lambda found: required(found, "id"), body)

    def _redeem(self, transport: Transport, upstream_id: str, body: Json) -> None:
        self._write(transport, "PUT", f"{self.path}/redeem", upstream_id, body)


def _common(new: New) -> dict[str, Any]:
    return without_none(
        person=dict(new.person) or None,
        metaData=dict(new.meta_data) or None,
        expiryDate=given(new.expires_at, values.instant),
    )


def _part(offset: int, limit: int) -> Json:
    return Filters(offset=offset, limit=limit, order_by="created").to_json()


class Members(Routes):
    """Members of a program."""

    path = "/members/member"
    program_path = "/members/program/{id}"

    def _by_external_id(self, program_id: str, external_id: str) -> tuple[str, Texts | None, Texts | None]:
        path = {"programId": program_id, "externalId": values.path_external_id(external_id)}
        return f"{self.path}/externalId/{{programId}}/{{externalId}}", path, None

    def page(self, transport: Transport, program_id: str, offset: int, limit: int) -> list[Record]:
        """`POST /members/member/list/{programId}` {filters} -> stream of Member."""
        route, body = f"{self.path}/list/{{programId}}", {"filters": _part(offset, limit)}
        return transport.read_list(route, member, body, path={"programId": program_id})

    def create(self, transport: Transport, program: Program, new: New) -> str:
        """`POST /members/member` {programId, tierId, externalId, person, metaData, points, expiryDate} -> ID."""
        body = without_none(
            programId=program.upstream_id,
            tierId=new.tier_id,
            externalId=values.path_external_id(new.external_id),
            points=given(new.points or None, values.points),
            tierPoints=new.tier_points or None,
        )
        return self._create(transport, {**body, **_common(new)})

    def update(self, transport: Transport, upstream_id: str, writes: Writes) -> None:
        """`PUT /members/member` {id, metaData, person, operation: OPERATION_PATCH} -> ID.

        What is absent, zero or false stays as it is (documented), but the person is replaced. One is always sent,
        because programs that collect data refuse the request without it (field report).
        """
        person = writes.person or writes.known_person
        if not writes.is_whole:
            if writes.person is not None:
                self.patch_person(transport, upstream_id, writes.person)
            if writes.meta_data is None:
                return
            person = {}
        body = without_none(
            id=upstream_id, person=person or None, metaData=writes.meta_data, operation="OPERATION_PATCH"
        )
        self._write(transport, "PUT", self.path, upstream_id, body)

    def set_expiry(self, transport: Transport, upstream_id: str, at: datetime) -> None:
        """`PUT /members/member/updateExpiry` {id, expiryDate} -> ID.

        A past instant expires the pass, a later one brings it back (documented; elsewhere PassKit says that an
        invalidated pass does not change any more).
        """
        body = {"id": upstream_id, "expiryDate": values.instant(at)}
        self._write(transport, "PUT", f"{self.path}/updateExpiry", upstream_id, body)


class Coupons(Routes):
    """Single-use coupons of a campaign. A coupon's own expiry counts only where its offer says so (documented)."""

    path = "/coupon/singleUse/coupon"
    program_path = "/coupon/singleUse/campaign/{id}"

    @property
    def _by_id(self) -> str:
        return f"{self.path}/{{id}}"

    def _by_external_id(self, program_id: str, external_id: str) -> tuple[str, Texts | None, Texts | None]:
        path = {"couponCampaignId": program_id, "externalId": values.path_external_id(external_id)}
        return f"{self.path}/externalId/{{couponCampaignId}}/{{externalId}}", path, None

    def page(self, transport: Transport, program_id: str, offset: int, limit: int) -> list[Record]:
        """`POST /coupon/singleUse/coupons/list/{couponCampaignId}` {filters} -> stream of Coupon."""
        route, body = "/coupon/singleUse/coupons/list/{couponCampaignId}", {"filters": _part(offset, limit)}
        return transport.read_list(route, coupon, body, path={"couponCampaignId": program_id})

    def create(self, transport: Transport, program: Program, new: New) -> str:
        """`POST /coupon/singleUse/coupon` {campaignId, offerId, externalId, person, metaData, expiryDate} -> ID."""
        external_id = values.path_external_id(new.external_id)
        body = {"campaignId": program.upstream_id, "offerId": new.tier_id, "externalId": external_id}
        return self._create(transport, {**body, **_common(new)})

    def redeem(self, transport: Transport, upstream_id: str, redemption: Redemption) -> None:
        """`PUT /coupon/singleUse/coupon/redeem` {id, redemptionDetails{...}} -> ID."""
        details = without_none(
            redemptionDate=values.instant(redemption.at),
            redemptionReference=redemption.id,
            transactionReference=redemption.reference,
            transactionAmount=given(redemption.amount, float),
        )
        self._redeem(transport, upstream_id, {"id": upstream_id, "redemptionDetails": details})


class Tickets(Routes):
    """Tickets of a production. A ticket's number is its external ID (documented); it may have a slash."""

    path = "/eventTickets/ticket"
    program_path = "/eventTickets/production/{id}"

    def _by_external_id(self, program_id: str, external_id: str) -> tuple[str, Texts | None, Texts | None]:
        return f"{self.path}/ticketNumber", None, {"productionId": program_id, "ticketNumber": external_id}

    def page(self, transport: Transport, program_id: str, offset: int, limit: int) -> list[Record]:
        """`POST /eventTickets/tickets/list` {productionId, filters} -> stream of Ticket, in a shorter form."""
        body = {"productionId": program_id, "filters": _part(offset, limit)}
        return transport.read_list("/eventTickets/tickets/list", ticket, body)

    def create(self, transport: Transport, program: Program, new: New) -> str:
        """`POST /eventTickets/ticket` {eventId, ticketTypeId, ticketNumber, person, metaData, expiryDate} -> ID."""
        place = program.upstream["places"][new.tier_id]
        body = {"eventId": place["event"], "ticketTypeId": place["type"], "ticketNumber": new.external_id}
        return self._create(transport, {**body, **_common(new)})

    def patch_person(self, transport: Transport, upstream_id: str, person: Json) -> None:
        """`PATCH /eventTickets/ticket/person` {ticketId: {id}, person} -> ID."""
        body = {"ticketId": {"id": upstream_id}, "person": person}
        self._write(transport, "PATCH", f"{self.path}/person", upstream_id, body)

    def redeem(self, transport: Transport, upstream_id: str, redemption: Redemption) -> None:
        """`PUT /eventTickets/ticket/redeem` {ticket: {ticketId}, redemptionDetails} -> ID."""
        details = without_none(
            redemptionDate=values.instant(redemption.at),
            redemptionReference=redemption.id,
            redemptionSource=redemption.reference,
        )
        self._redeem(transport, upstream_id, {"ticket": {"ticketId": upstream_id}, "redemptionDetails": details})

    def _named(self, upstream_id: str) -> Json:
        return {"ticketId": upstream_id}


_ROUTES: Mapping[Kind, Routes] = {
    Kind.MEMBERSHIP: Members(member),
    Kind.COUPON: Coupons(coupon),
    Kind.EVENT_TICKET: Tickets(ticket),
}


def routes_of(program: Program) -> Routes:
    """Return the routes of the program's passes."""
    return _ROUTES[program.kind]
