"""What PassKit tells about passes and their holders. `repr` shows nothing of a holder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.issuers.passkit.answers import Json
from app.issuers.passkit.names import COUPON_STATUS, MEMBER_EVENTS, MEMBER_STATUS, PASS_STATUS, TICKET_STATUS
from app.issuers.passkit.reading import (
    date_of,
    flag_of,
    instant_of,
    list_of,
    meta_data_of,
    name_of,
    object_of,
    points_of,
    required,
    text_of,
    whole_of,
)
from app.issuers.passkit.values import without_none


@dataclass(frozen=True, slots=True)
class Person:
    """A holder. None: leave as it is (PassKit cannot clear a field of a person).

    `mobile_number` needs `+`, country code and digits without spaces; `email` is checked by PassKit.
    """

    forename: str | None = field(default=None, repr=False)
    surname: str | None = field(default=None, repr=False)
    display_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    mobile_number: str | None = field(default=None, repr=False)
    salutation: str | None = field(default=None, repr=False)
    date_of_birth: date | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Write it with PassKit's names."""
        born = self.date_of_birth
        return without_none(
            forename=self.forename or None,
            surname=self.surname or None,
            displayName=self.display_name or None,
            emailAddress=self.email or None,
            mobileNumber=self.mobile_number or None,
            salutation=self.salutation or None,
            dateOfBirth=born and {"year": born.year, "month": born.month, "day": born.day},
        )


def person(found: Json) -> Person:
    """Read a holder."""
    return Person(
        forename=text_of(found, "forename") or None,
        surname=text_of(found, "surname") or None,
        display_name=text_of(found, "displayName") or None,
        email=text_of(found, "emailAddress") or None,
        mobile_number=text_of(found, "mobileNumber") or None,
        salutation=text_of(found, "salutation") or None,
        date_of_birth=date_of(found, "dateOfBirth"),
    )


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What became of the pass itself (`passMetaData`).

    `status` is PASS_ISSUED, PASS_INSTALLED, PASS_UNINSTALLED or PASS_INVALIDATED. Apple does not tell "removed" from
    "updates switched off" (documented).
    """

    status: str = "PASS_ISSUED"
    issued_at: datetime | None = None
    first_installed_at: datetime | None = None
    last_uninstalled_at: datetime | None = None
    invalidated_at: datetime | None = None


def lifecycle(found: Json) -> Lifecycle:
    """Read `passMetaData`."""
    return Lifecycle(
        status=name_of(found, "status", PASS_STATUS),
        issued_at=instant_of(found, "issueAt"),
        first_installed_at=instant_of(found, "firstInstalledAt"),
        last_uninstalled_at=instant_of(found, "lastUninstalledAt"),
        invalidated_at=instant_of(found, "invalidatedAt"),
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """What members, coupons and tickets have in common."""

    id: str
    status: str
    person: Person
    lifecycle: Lifecycle
    meta_data: Mapping[str, str] = field(repr=False)
    opted_out: bool
    expires_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


def _common(found: Json, statuses: Mapping[int, str]) -> dict[str, Any]:
    return {
        "id": required(found, "id"),
        "status": name_of(found, "status", statuses),
        "person": person(object_of(found, "person")),
        "lifecycle": lifecycle(object_of(found, "passMetaData")),
        "meta_data": meta_data_of(found),
        # A member's and a coupon's is a boolean, a ticket's a toggle: DO_NOT_USE 0, ON 1, OFF 2.
        "opted_out": found.get("optOut") in (True, "ON", 1),
        "expires_at": instant_of(found, "expiryDate"),
        "created_at": instant_of(found, "created"),
        "updated_at": instant_of(found, "updated"),
    }


@dataclass(frozen=True, slots=True)
class Member(_Record):
    """A member of a program. `external_id` is unique in its program and never changes."""

    program_id: str
    tier_id: str
    external_id: str = field(repr=False)
    points: Decimal
    secondary_points: Decimal
    tier_points: int


def member(found: Json) -> Member:
    """Read a member."""
    return Member(
        **_common(found, MEMBER_STATUS),
        program_id=text_of(found, "programId"),
        tier_id=text_of(found, "tierId"),
        external_id=text_of(found, "externalId"),
        points=points_of(found, "points"),
        secondary_points=points_of(found, "secondaryPoints"),
        tier_points=whole_of(found, "tierPoints"),
    )


@dataclass(frozen=True, slots=True)
class MemberPoints:
    """A member's balances after earn, burn or set."""

    id: str
    points: Decimal
    secondary_points: Decimal
    tier_points: int


def member_points(found: Json) -> MemberPoints:
    """Read balances."""
    return MemberPoints(
        id=required(found, "id"),
        points=points_of(found, "points"),
        secondary_points=points_of(found, "secondaryPoints"),
        tier_points=whole_of(found, "tierPoints"),
    )


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """Something that was done with a member. `external_id` is the `externalEventId` it was done with."""

    id: str
    type: str
    member_id: str
    external_id: str = field(repr=False)
    meta_data: Mapping[str, str] = field(repr=False)
    notes: str = field(repr=False)
    at: datetime | None
    created_at: datetime | None


def member_event(found: Json) -> MemberEvent:
    """Read an event."""
    return MemberEvent(
        id=required(found, "id"),
        type=name_of(found, "eventType", MEMBER_EVENTS),
        member_id=text_of(object_of(found, "member"), "id"),
        external_id=text_of(found, "externalId"),
        meta_data=meta_data_of(found),
        notes=text_of(found, "notes"),
        at=instant_of(found, "date"),
        created_at=instant_of(found, "created"),
    )


@dataclass(frozen=True, slots=True)
class Coupon(_Record):
    """A single-use coupon. `redeemed_at` may be unset although `status` is REDEEMED."""

    campaign_id: str
    offer_id: str
    external_id: str = field(repr=False)
    sku: str
    redeemed_at: datetime | None
    redemption_reference: str


def coupon(found: Json) -> Coupon:
    """Read a coupon."""
    redemption = object_of(found, "redemptionDetails")
    return Coupon(
        **_common(found, COUPON_STATUS),
        campaign_id=text_of(found, "campaignId"),
        offer_id=text_of(found, "offerId"),
        external_id=text_of(found, "externalId"),
        sku=text_of(found, "sku"),
        redeemed_at=instant_of(redemption, "redemptionDate"),
        redemption_reference=text_of(redemption, "redemptionReference"),
    )


@dataclass(frozen=True, slots=True)
class Ticket(_Record):
    """An event ticket. `ticket_number` is unique in its production; `validations` counts what was validated."""

    production_id: str
    event_id: str
    ticket_type_id: str
    ticket_number: str = field(repr=False)
    order_number: str = field(repr=False)
    redeemed_at: datetime | None
    redemption_reference: str
    validations: int


def ticket(found: Json) -> Ticket:
    """Read a ticket: the full one, where the production stands inside the event, or a list's, where it does not."""
    event, redemption = object_of(found, "event"), object_of(found, "redemptionDetails")
    production = object_of(event, "production") or object_of(found, "production")
    ticket_type = object_of(found, "ticketType")
    return Ticket(
        **_common(found, TICKET_STATUS),
        production_id=text_of(production, "id") or text_of(ticket_type, "productionId"),
        event_id=text_of(event, "id"),
        ticket_type_id=text_of(ticket_type, "id"),
        ticket_number=text_of(found, "ticketNumber"),
        order_number=text_of(found, "orderNumber"),
        redeemed_at=instant_of(redemption, "redemptionDate"),
        redemption_reference=text_of(redemption, "redemptionReference"),
        validations=len(list_of(found, "validateDetails")),
    )


def new_id(found: Json) -> str:
    """Read `{"id": ...}`, the answer of every create and update."""
    return required(found, "id")


def total(found: Json) -> int:
    """Read `{"total": ...}`, the answer of every count."""
    return whole_of(found, "total")


def nothing(_found: Json) -> None:
    """Read `{}`, the answer of every delete."""


def is_valid(found: Json) -> bool:
    """Read `{"valid": ..., "ticket": ...}`."""
    return flag_of(found, "valid")
