"""What PassKit tells about a pass: members, coupons and tickets as one kind of value. `repr` shows no holder."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.reading import (
    instant_of,
    name_of,
    object_of,
    points_of,
    required,
    text_of,
    texts_by_name,
    whole_of,
)
from app.model import Kind, Ticket

MEMBER_STATUS = {0: "ENROLLED", 1: "ACTIVE", 2: "CHECKED_IN", 3: "EXPIRED", 4: "CHECKED_OUT", 5: "DELETED"}
COUPON_STATUS = {0: "UNREDEEMED", 1: "REDEEMED"}
TICKET_STATUS = {0: "STATUS_NONE", 1: "ISSUED", 2: "REDEEMED"}
INVALIDATED = "PASS_INVALIDATED"
PASS_STATUS = {0: "PASS_ISSUED", 1: "PASS_INSTALLED", 2: "PASS_UNINSTALLED", 3: INVALIDATED}
_SEAT = ("section", "row", "seat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A pass as PassKit has it.

    Attributes:
        raw: the answer as it came; what of it is written back is written from here, so that nothing gets lost.
        program_id: of the program, campaign or production.
        tier_id: of the tier, offer or ticket type.
        external_id: a ticket's number; "" where there is none.
        status: of a member, coupon or ticket.
        pass_status: of the pass in the wallet. Apple does not tell "removed" from "updates switched off" (documented).
        points, tier_points: None where it is no member.
        redeemed_at, redemption_reference: may both be unset although `status` is REDEEMED.
    """

    raw: Json = field(repr=False)
    kind: Kind
    id: str
    program_id: str
    tier_id: str
    external_id: str = field(repr=False)
    status: str
    pass_status: str
    person: Json = field(repr=False)
    meta_data: dict[str, str] = field(repr=False)
    invalidated_at: datetime | None
    expires_at: datetime | None
    created_at: datetime | None
    points: Decimal | None = None
    tier_points: int | None = None
    redeemed_at: datetime | None = None
    redemption_reference: str = ""
    ticket: Ticket | None = field(default=None, repr=False)

    @property
    def is_redeemed(self) -> bool:
        """Tell whether it was used up."""
        return self.status == "REDEEMED"

    @property
    def is_invalid(self) -> bool:
        """Tell whether PassKit says that the pass is over, for whatever reason."""
        return self.pass_status == INVALIDATED or self.status == "EXPIRED"


def member(found: Json) -> Record:
    """Read a member of a program. Its external ID is unique there and never changes."""
    return _record(
        found,
        Kind.MEMBERSHIP,
        program_id=required(found, "programId"),
        tier_id=text_of(found, "tierId"),
        external_id=text_of(found, "externalId"),
        status=name_of(found, "status", MEMBER_STATUS),
        points=points_of(found, "points"),
        tier_points=whole_of(found, "tierPoints"),
    )


def coupon(found: Json) -> Record:
    """Read a coupon of a campaign."""
    return _record(
        found,
        Kind.COUPON,
        program_id=required(found, "campaignId"),
        tier_id=text_of(found, "offerId"),
        external_id=text_of(found, "externalId"),
        status=name_of(found, "status", COUPON_STATUS),
        **_redemption(found),
    )


def ticket(found: Json) -> Record:
    """Read a ticket: the full one, where the production stands inside the event, or a list's, where it does not."""
    event, ticket_type, seat = (object_of(found, name) for name in ("event", "ticketType", "seatInfo"))
    production = object_of(event, "production") or object_of(found, "production")
    starts_at = text_of(event, "scheduledStartDate")
    told = Ticket(
        order_number=text_of(found, "orderNumber") or None,
        seat=", ".join(f"{name} {text_of(seat, name)}" for name in _SEAT if text_of(seat, name)) or None,
        event_name=text_of(production, "name") or None,
        event_starts_at=starts_at or None,
    )
    program_id = text_of(production, "id") or text_of(ticket_type, "productionId")
    if not program_id:
        raise MalformedAnswer("the production is missing")
    return _record(
        found,
        Kind.EVENT_TICKET,
        program_id=program_id,
        tier_id=text_of(ticket_type, "id"),
        external_id=text_of(found, "ticketNumber"),
        status=name_of(found, "status", TICKET_STATUS),
        ticket=None if told == Ticket() else told,
        **_redemption(found),
    )


def event_of(record: Record) -> str:
    """Return PassKit's ID of a ticket's event; "" where it is not told."""
    return text_of(object_of(record.raw, "event"), "id")


def _redemption(found: Json) -> Json:
    details = object_of(found, "redemptionDetails")
    return {
        "redeemed_at": instant_of(details, "redemptionDate"),
        "redemption_reference": text_of(details, "redemptionReference"),
    }


def _record(found: Json, kind: Kind, **facts: object) -> Record:
    wallet = object_of(found, "passMetaData")
    return Record(
        raw=found,
        kind=kind,
        id=required(found, "id"),
        pass_status=name_of(wallet, "status", PASS_STATUS),
        person=object_of(found, "person"),
        meta_data=texts_by_name(found, "metaData"),
        invalidated_at=instant_of(wallet, "invalidatedAt"),
        expires_at=instant_of(found, "expiryDate"),
        created_at=instant_of(found, "created"),
        **facts,  # type: ignore[arg-type]
    )
