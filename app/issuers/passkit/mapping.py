"""Records of PassKit as passes of ours, and holders of ours as PassKit's persons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app import identifiers
from app.errors import FieldError, ValidationFailed
from app.issuers.passkit.programs import NAME
from app.issuers.passkit.records import Coupon, Member, Person, Ticket
from app.model import InstallState, Kind, Pass, Program

Record = Member | Coupon | Ticket

# External IDs of ours, for passes whose caller gave none: every pass must be found again after a lost answer.
OWN_PREFIX = "passrail-"
_INSTALL_STATES = {
    "PASS_ISSUED": InstallState.ISSUED,
    "PASS_INSTALLED": InstallState.INSTALLED,
    "PASS_UNINSTALLED": InstallState.UNINSTALLED,
}
_PHONE = re.compile(r"\+[1-9][0-9]{4,14}")
_PHONE_FILLING = re.compile(r"[\s().\-/]+")
CANNOT_CLEAR = "PassKit cannot take this value away. Give another one instead of null."


def own_external_id(operation_id: str) -> str:
    """Return the external ID of a pass whose caller gave none."""
    return f"{OWN_PREFIX}{operation_id}"


def external_id_of(record: Record) -> str | None:
    """Return the caller's own ID of a record."""
    name = record.ticket_number if isinstance(record, Ticket) else record.external_id
    return None if not name or name.startswith(OWN_PREFIX) else name


def program_of(record: Record) -> str:
    """Return PassKit's ID of the program, campaign or production that a record is of."""
    if isinstance(record, Member):
        return record.program_id
    return record.campaign_id if isinstance(record, Coupon) else record.production_id


def new_pass(record: Record, program: Program, now: datetime) -> Pass:
    """Make a pass of a record that we knew nothing of."""
    bare = Pass(
        id=identifiers.new_id(identifiers.PASS),
        account_id=program.account_id,
        mode=program.mode,
        issuer=NAME,
        program_id=program.id,
        tier_id="",
        link_token=identifiers.new_link_token(),
        created_at=record.created_at or now,
        updated_at=now,
        external_id=external_id_of(record),
        upstream_id=record.id,
    )
    return take_over(bare, record, now)


def take_over(known: Pass, record: Record, now: datetime) -> Pass:
    """Write what PassKit has over what we have; the same object when nothing differs.

    What PassKit cannot say stays: that a pass whose expiry lies in the past was *revoked*, and when it expired before.
    """
    person = record.person
    values: dict[str, Any] = {
        "tier_id": _tier_of(known, record),
        "email": person.email.lower() if person.email else None,
        "first_name": person.forename,
        "last_name": person.surname,
        "fields": {name: text for name, text in record.meta_data.items() if text},
        "install_state": _INSTALL_STATES.get(record.lifecycle.status, known.install_state),
        **_life(known, record, now),
    }
    if (person.mobile_number or None) != (phone_of(known.phone) if known.phone else None):
        values["phone"] = person.mobile_number
    if isinstance(record, Member):
        values["points"] = record.points
    differing = {name: value for name, value in values.items() if getattr(known, name) != value}
    return replace(known, **differing, updated_at=now) if differing else known


def _tier_of(known: Pass, record: Record) -> str:
    if isinstance(record, Member):
        return record.tier_id
    if isinstance(record, Coupon):
        return record.offer_id
    # A ticket for one of several events stands on a tier of its own, whose ID begins with its type's.
    return known.tier_id if known.tier_id.startswith(record.ticket_type_id) else record.ticket_type_id


def _life(known: Pass, record: Record, now: datetime) -> dict[str, Any]:
    is_past = record.expires_at is not None and record.expires_at <= now
    is_voided = record.lifecycle.status == "PASS_INVALIDATED" and not is_past
    values: dict[str, Any] = {}
    if known.deleted_at is not None:
        return values
    if is_voided:
        values["revoked_at"] = known.revoked_at or record.lifecycle.invalidated_at or now
    elif known.revoked_at is not None and not is_past:
        values["revoked_at"] = None
    if known.revoked_at is None or not is_past:
        values["expires_at"] = record.expires_at
    if isinstance(record, Coupon | Ticket):
        is_redeemed = record.status == "REDEEMED"
        values["redeemed_at"] = (known.redeemed_at or record.redeemed_at or now) if is_redeemed else None
    return values


def person_of(holder: Pass) -> Person:
    """Return the holder as PassKit's person.

    Raises:
        ValidationFailed: the phone number is none that PassKit takes.
    """
    name = " ".join(filter(None, (holder.first_name, holder.last_name)))
    return Person(
        forename=holder.first_name,
        surname=holder.last_name,
        display_name=name or None,
        email=holder.email,
        mobile_number=phone_of(holder.phone) if holder.phone else None,
    )


def phone_of(text: str) -> str | None:
    """Write a phone number as PassKit wants it: `+`, country code, digits.

    Raises:
        ValidationFailed: it is none.
    """
    number = _PHONE_FILLING.sub("", text)
    if not _PHONE.fullmatch(number):
        message = "PassKit takes phone numbers with country code only, such as +44 20 7946 0000."
        raise ValidationFailed(errors=[FieldError("phone", message)])
    return number


def refuse_clearing(before: Pass, after: Pass) -> None:
    """PassKit cannot clear a field of a person.

    Raises:
        ValidationFailed: one is to be cleared.
    """
    names = ("email", "first_name", "last_name", "phone")
    cleared = [name for name in names if getattr(before, name) is not None and getattr(after, name) is None]
    if cleared:
        raise ValidationFailed(errors=[FieldError(name, CANNOT_CLEAR) for name in cleared])


def changed_fields(before: Pass, after: Pass) -> Mapping[str, str | None]:
    """Return the custom fields that differ; None takes one away."""
    names = {*before.fields, *after.fields}
    return {name: after.fields.get(name) for name in names if before.fields.get(name) != after.fields.get(name)}


def has_own_expiry(program: Program, tier_id: str) -> bool:
    """Tell whether a pass on this tier can have an expiry of its own; a coupon's often is its offer's."""
    return program.kind is not Kind.COUPON or tier_id in program.upstream.get("own_expiry", ())
