"""What an account has to choose from: programs, tiers, campaigns, offers, productions, ticket types, events, fields.

Everything here reads, all pages of it. All functions raise `failures.PassKitFailure`. Link keys of projects (`secret`,
`key`, `encryptedClassId`) are never read: with them anybody can make enrolment links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.filters import Filters, pages
from app.issuers.passkit.mapping import BY_OFFER, COMPUTED, NEVER_ENDS, OWN_DATE
from app.issuers.passkit.reading import (
    flag_of,
    instant_of,
    name_of,
    names_of,
    object_of,
    objects_of,
    required,
    text_of,
    whole_of,
)
from app.issuers.passkit.transport import Transport

PROJECT_STATUS = {
    1: "PROJECT_ACTIVE_FOR_OBJECT_CREATION",
    2: "PROJECT_DISABLED_FOR_OBJECT_CREATION",
    4: "PROJECT_DRAFT",
}
TIER_EXPIRY = {
    0: "EXPIRE_NONE",
    1: "EXPIRE_ON_FIXED_DATE",
    2: "EXPIRE_AFTER_X_DAYS",
    3: "EXPIRE_ON_VARIABLE_DATE_TIME",
    4: "EXPIRE_SET_TO_NULL",
}
OFFER_EXPIRY = {
    0: "EXPIRY_DO_NOT_USE",
    1: "AUTO_EXPIRE_OFFER_END_DATE",
    2: "AUTO_EXPIRE_REDEMPTION_END_DATE",
    3: "EXPIRE_AFTER_X_DAYS",
    4: "EXPIRE_ON_VARIABLE_DATE_TIME",
}
TOGGLE = {0: "DO_NOT_USE", 1: "ON", 2: "OFF"}
DATA_TYPES = {8: "INT", 9: "NUMBER", 16: "CURRENCY"}
META = "meta."

T = TypeVar("T")

_TIER_EXPIRY: Mapping[str, str] = {
    "EXPIRE_NONE": NEVER_ENDS,
    "EXPIRE_SET_TO_NULL": NEVER_ENDS,
    "EXPIRE_ON_FIXED_DATE": COMPUTED,
    "EXPIRE_AFTER_X_DAYS": COMPUTED,
    "EXPIRE_ON_VARIABLE_DATE_TIME": OWN_DATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose credentials these are."""

    company: str
    username: str = field(repr=False)
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A program, campaign or production.

    Attributes:
        is_draft: its passes print "Test Pass" and die after 48 hours (documented).
        auto_delete_days: after which PassKit deletes the record of a pass that is over; 90 unless set (documented).
        expiry: of a production: how its tickets expire; None: not known.
    """

    id: str
    name: str
    is_draft: bool
    auto_delete_days: int = 90
    expiry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A tier, offer or ticket type. A tier's ID was chosen by a person and is unique in its program only.

    Attributes:
        expiry: how its passes expire (see `mapping`); None: not known.
        may_overdraw: whether the balance may go below zero.
    """

    id: str
    name: str
    template_id: str
    index: int = 0
    expiry: str | None = None
    may_overdraw: bool = False
    is_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A production at a venue at a time."""

    id: str
    venue: str
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateField:
    """A field of a template that is written into `metaData`."""

    name: str
    label: str
    is_number: bool


def account(transport: Transport) -> Account:
    """`GET /user/profile` -> whose credentials these are."""
    return transport.read("/user/profile", _account)


def _account(found: Json) -> Account:
    """Something must be there: an empty object would be no proof of anything."""
    if not any(text_of(found, name) for name in ("userId", "username", "email", "companyId")):
        raise MalformedAnswer("the profile is empty")
    return Account(
        company=text_of(found, "companyName"), username=text_of(found, "username"), region=text_of(found, "regionId")
    )


def need_projects(transport: Transport) -> None:
    """`POST /projects/list` Filters -> stream of Project. The wrong region takes the token and answers 404."""
    transport.read_list("/projects/list", lambda _: None, Filters(limit=1).to_json())


def programs(transport: Transport) -> list[Project]:
    """`POST /members/programs/list` Filters -> stream of Program."""
    return _all(transport, "/members/programs/list", _project)


def tiers(transport: Transport, program_id: str) -> list[Level]:
    """`POST /members/tiers/list` {programId, filters} -> stream of Tier, in their own order."""
    found = _all(transport, "/members/tiers/list", _tier, {"programId": program_id})
    return sorted(found, key=lambda tier: tier.index)


def campaigns(transport: Transport) -> list[Project]:
    """`POST /coupon/singleUse/campaigns/list` Filters -> stream of Campaign."""
    return _all(transport, "/coupon/singleUse/campaigns/list", _project)


def offers(transport: Transport, campaign_id: str) -> list[Level]:
    """`POST /coupon/singleUse/offers/list` {campaignId, filters} -> stream of Offer; without those switched off."""
    found = _all(transport, "/coupon/singleUse/offers/list", _offer, {"campaignId": campaign_id})
    return [offer for offer in found if not offer.is_disabled]


def productions(transport: Transport) -> list[Project]:
    """`POST /eventTickets/productions` Filters -> stream of Production."""
    return _all(transport, "/eventTickets/productions", _project)


def ticket_types(transport: Transport, production_id: str) -> list[Level]:
    """`POST /eventTickets/ticketTypes/{productionId}` {filters} -> stream of TicketType."""
    route, path = "/eventTickets/ticketTypes/{productionId}", {"productionId": production_id}
    return _all(transport, route, _ticket_type, {}, path=path)


def events(transport: Transport, production_id: str) -> list[Event]:
    """`POST /eventTickets/events/list` {productionId, filters} -> stream of Event, in no order."""
    return _all(transport, "/eventTickets/events/list", _event, {"productionId": production_id})


def template_fields(transport: Transport, template_id: str) -> list[TemplateField]:
    """`GET /template/data/{id}` -> `template.data.dataFields`: those that a pass's `metaData` holds."""
    return transport.read("/template/data/{id}", _template_fields, path={"id": template_id})


def _all(
    transport: Transport,
    route: str,
    read: Callable[[Json], T],
    body: Json | None = None,
    *,
    path: Mapping[str, str] | None = None,
) -> list[T]:
    """Read all pages of a list. `body`: what stands beside the filters; None: the filters are the body."""

    def ask(filters: Filters) -> list[T]:
        asked = filters.to_json() if body is None else {**body, "filters": filters.to_json()}
        return transport.read_list(route, read, asked, path=path)

    return list(pages(ask, Filters()))


def _project(found: Json) -> Project:
    toggle = name_of(found, "autoInvalidateTicketsUponExpiry", TOGGLE)
    return Project(
        id=required(found, "id"),
        name=text_of(found, "name"),
        is_draft="PROJECT_DRAFT" in names_of(found, "status", PROJECT_STATUS),
        auto_delete_days=whole_of(found, "autoDeleteDaysAfterExpiry") or 90,
        expiry={"ON": OWN_DATE, "OFF": NEVER_ENDS}.get(toggle),
    )


def _tier(found: Json) -> Level:
    settings = object_of(found, "expirySettings")
    return Level(
        id=required(found, "id"),
        name=text_of(found, "name"),
        template_id=text_of(found, "passTemplateId"),
        index=whole_of(found, "tierIndex"),
        expiry=_TIER_EXPIRY.get(name_of(settings, "expiryType", TIER_EXPIRY)),
        may_overdraw=flag_of(found, "pointsOverdrawn"),
    )


def _offer(found: Json) -> Level:
    settings = object_of(found, "couponExpirySettings")
    has_own_date = name_of(settings, "couponExpiryType", OFFER_EXPIRY) == "EXPIRE_ON_VARIABLE_DATE_TIME"
    return Level(
        id=required(found, "id"),
        name=text_of(found, "offerTitle") or text_of(found, "offerShortTitle"),
        template_id=text_of(found, "beforeRedeemPassTemplateId"),
        expiry=OWN_DATE if has_own_date else BY_OFFER,
        is_disabled=flag_of(found, "disabled"),
    )


def _ticket_type(found: Json) -> Level:
    template_id = text_of(found, "beforeRedeemPassTemplateId")
    return Level(id=required(found, "id"), name=text_of(found, "name"), template_id=template_id)


def _event(found: Json) -> Event:
    return Event(
        id=required(found, "id"),
        venue=text_of(object_of(found, "venue"), "name"),
        starts_at=instant_of(found, "scheduledStartDate"),
        ends_at=instant_of(found, "endDate"),
    )


def _template_fields(found: Json) -> list[TemplateField]:
    data = object_of(object_of(found, "template"), "data")
    fields = [
        data_field
        for data_field in objects_of(data, "dataFields")
        if required(data_field, "uniqueName").startswith(META)
    ]
    return [
        TemplateField(
            name=required(data_field, "uniqueName").removeprefix(META),
            label=text_of(data_field, "label"),
            is_number=name_of(data_field, "dataType", DATA_TYPES) in DATA_TYPES.values(),
        )
        for data_field in fields
    ]
