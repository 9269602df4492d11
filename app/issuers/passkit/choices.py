"""What PassKit tells about the things passes are issued from. Only what somebody needs to choose; never a link key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.names import BALANCE_TYPES, DATA_TYPES, EXPIRY_TYPES, FIELD_TYPES, PROJECT_STATUS, PROTOCOLS
from app.issuers.passkit.reading import (
    flag_of,
    instant_of,
    name_of,
    names_of,
    object_of,
    required,
    text_of,
    texts_of,
    whole_of,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose credentials these are."""

    username: str = field(repr=False)
    email: str = field(repr=False)
    company_id: str
    company_name: str
    region_id: str


def profile(found: Json) -> Profile:
    """Read the account. Something must be there: an empty object would be no proof of anything."""
    if not any(text_of(found, name) for name in ("userId", "username", "email", "companyId")):
        raise MalformedAnswer("the profile is empty")
    return Profile(
        username=text_of(found, "username"),
        email=text_of(found, "email"),
        company_id=text_of(found, "companyId"),
        company_name=text_of(found, "companyName"),
        region_id=text_of(found, "regionId"),
    )


@dataclass(frozen=True, slots=True)
class Project:
    """A program, campaign or production, as the list of all has it. `class_id` is its ID everywhere else."""

    protocol: str
    class_id: str
    name: str
    short_code: str
    created_at: datetime | None


def project(found: Json) -> Project:
    """Read a project without `secret`, `key` and `encryptedClassId`: with them anybody can make enrolment links."""
    return Project(
        protocol=name_of(found, "protocol", PROTOCOLS),
        class_id=required(found, "classId"),
        name=text_of(found, "name"),
        short_code=text_of(found, "shortCode"),
        created_at=instant_of(found, "created"),
    )


@dataclass(frozen=True, slots=True)
class Program:
    """A membership program."""

    id: str
    name: str
    status: tuple[str, ...]
    points_type: str
    points_currency: str
    meta_fields: tuple[str, ...]
    updated_at: datetime | None

    @property
    def is_draft(self) -> bool:
        """Its passes print "Test Pass" and die after 48 hours (documented)."""
        return "PROJECT_DRAFT" in self.status


def program(found: Json) -> Program:
    """Read a program."""
    points = object_of(found, "pointsType")
    return Program(
        id=required(found, "id"),
        name=text_of(found, "name"),
        status=names_of(found, "status", PROJECT_STATUS),
        points_type=name_of(points, "balanceType", BALANCE_TYPES),
        points_currency=text_of(points, "currencyCode"),
        meta_fields=texts_of(found, "metaFieldsList"),
        updated_at=instant_of(found, "updated"),
    )


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of a program. Its ID was chosen by a person and is unique in the program only."""

    id: str
    program_id: str
    name: str
    index: int
    template_id: str
    short_code: str
    may_overdraw: bool


def tier(found: Json) -> Tier:
    """Read a tier."""
    return Tier(
        id=required(found, "id"),
        program_id=text_of(found, "programId"),
        name=text_of(found, "name"),
        index=whole_of(found, "tierIndex"),
        template_id=text_of(found, "passTemplateId"),
        short_code=text_of(found, "shortCode"),
        may_overdraw=flag_of(found, "pointsOverdrawn"),
    )


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of single-use coupons."""

    id: str
    name: str
    status: tuple[str, ...]
    timezone: str

    @property
    def is_draft(self) -> bool:
        """As `Program.is_draft`."""
        return "PROJECT_DRAFT" in self.status


def campaign(found: Json) -> Campaign:
    """Read a campaign."""
    return Campaign(
        id=required(found, "id"),
        name=text_of(found, "name"),
        status=names_of(found, "status", PROJECT_STATUS),
        timezone=text_of(found, "ianaTimezone"),
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer of a campaign. A coupon's own expiry counts only with EXPIRE_ON_VARIABLE_DATE_TIME (documented)."""

    id: str
    campaign_id: str
    title: str
    expiry_type: str
    template_id: str
    short_code: str
    is_disabled: bool
    issue_from: datetime | None
    issue_until: datetime | None


def offer(found: Json) -> Offer:
    """Read an offer."""
    return Offer(
        id=required(found, "id"),
        campaign_id=text_of(found, "campaignId"),
        title=text_of(found, "offerTitle") or text_of(found, "offerShortTitle"),
        expiry_type=name_of(object_of(found, "couponExpirySettings"), "couponExpiryType", EXPIRY_TYPES),
        template_id=text_of(found, "beforeRedeemPassTemplateId"),
        short_code=text_of(found, "shortCode"),
        is_disabled=flag_of(found, "disabled"),
        issue_from=instant_of(found, "issueStartDate"),
        issue_until=instant_of(found, "issueEndDate"),
    )


@dataclass(frozen=True, slots=True)
class Production:
    """A production: what tickets are issued from. `uid` is the account's own ID of it."""

    id: str
    uid: str
    name: str
    status: tuple[str, ...]


def production(found: Json) -> Production:
    """Read a production."""
    return Production(
        id=required(found, "id"),
        uid=text_of(found, "uid"),
        name=text_of(found, "name"),
        status=names_of(found, "status", PROJECT_STATUS),
    )


@dataclass(frozen=True, slots=True)
class Venue:
    """A place where events are."""

    id: str
    uid: str
    name: str
    timezone: str


def venue(found: Json) -> Venue:
    """Read a venue."""
    return Venue(required(found, "id"), *(text_of(found, name) for name in ("uid", "name", "timezone")))


@dataclass(frozen=True, slots=True)
class Event:
    """A production at a venue at a time."""

    id: str
    production_id: str
    venue_id: str
    venue_name: str
    starts_at: datetime | None
    ends_at: datetime | None


def event(found: Json) -> Event:
    """Read an event."""
    place = object_of(found, "venue")
    return Event(
        id=required(found, "id"),
        production_id=text_of(object_of(found, "production"), "id"),
        venue_id=text_of(place, "id"),
        venue_name=text_of(place, "name"),
        starts_at=instant_of(found, "scheduledStartDate"),
        ends_at=instant_of(found, "endDate"),
    )


@dataclass(frozen=True, slots=True)
class TicketType:
    """A kind of ticket of a production."""

    id: str
    uid: str
    production_id: str
    name: str
    template_id: str


def ticket_type(found: Json) -> TicketType:
    """Read a ticket type."""
    names = ("uid", "productionId", "name", "beforeRedeemPassTemplateId")
    return TicketType(required(found, "id"), *(text_of(found, name) for name in names))


@dataclass(frozen=True, slots=True)
class TemplateField:
    """A field of a template.

    `unique_name` says where its value is written: `meta.X` into metaData, `person.Y` into the person,
    `members.member.points` into the member, and so on. One of the type CUSTOM_FIELDS that `is_writable` denies cannot
    be set for a single pass; it prints `default` (field report).
    """

    unique_name: str
    label: str
    field_type: str
    data_type: str
    is_required: bool
    is_writable: bool
    default: str
    pattern: str


def template_field(found: Json) -> TemplateField:
    """Read a field of a template."""
    return TemplateField(
        unique_name=required(found, "uniqueName"),
        label=text_of(found, "label"),
        field_type=name_of(found, "fieldType", FIELD_TYPES),
        data_type=name_of(found, "dataType", DATA_TYPES),
        is_required=flag_of(found, "isRequired"),
        is_writable=flag_of(found, "userCanSetValue"),
        default=text_of(found, "defaultValue"),
        pattern=text_of(found, "validation"),
    )
