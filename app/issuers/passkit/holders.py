"""Holders of ours as PassKit's persons, and the other way round.

A person is merged as the raw JSON it came in: only what is asked for is changed, and all that others wrote stays
(gender, suffix, other names ...). PassKit cannot clear a field of a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import phonenumbers

from app.effects import UpdateHolder
from app.errors import FieldError, ValidationFailed
from app.issuers.passkit.answers import Json
from app.issuers.passkit.records import Record
from app.issuers.passkit.values import merge_meta_data

FIELDS = {"email": "emailAddress", "first_name": "forename", "last_name": "surname", "phone": "mobileNumber"}
CANNOT_CLEAR = "PassKit cannot take this value away. Give another one instead of null."
PHONE_LEFT_OUT = (
    "The phone number was left out: PassKit takes numbers with a country code only, such as +44 20 7946 0000. Write "
    "it so, or give the account a default country."
)

Holder = Mapping[str, str | None]
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_FILLING = re.compile(r"[\s().\-/]+")


def holder_of(person: Json) -> dict[str, str | None]:
    """Return what a person says of the holder. A name that stands in `displayName` only is split in two."""
    first, last = _text(person, "forename"), _text(person, "surname")
    if not first and not last:
        first, _, last = " ".join(_text(person, "displayName").split()).partition(" ")
    return {
        "email": _text(person, "emailAddress").lower() or None,
        "first_name": first or None,
        "last_name": last or None,
        "phone": _text(person, "mobileNumber") or None,
    }


def _text(person: Json, name: str) -> str:
    """Read leniently: an odd value of a person never keeps a pass from being read."""
    value = person.get(name)
    return value if isinstance(value, str) else ""


def merged_person(person: Json, changes: Holder, country: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the whole person to write, and sentences on what was left out.

    Args:
        person: as PassKit has it; {} for a new one.
        changes: of the holder; None: not there. `refuse_clearing` comes before.
        country: of phone numbers without a country code.
    """
    merged = {name: value for name, value in person.items() if not _is_unset(value)}
    notes: tuple[str, ...] = ()
    if changes.get("email"):
        merged["emailAddress"] = changes["email"]
    if changes.get("phone"):
        number = e164(str(changes["phone"]), country)
        if number is None:
            notes = (PHONE_LEFT_OUT,)
        else:
            merged["mobileNumber"] = number
    if changes.get("first_name") or changes.get("last_name"):
        merged |= _names(person, changes)
    return merged, notes


def _names(person: Json, changes: Holder) -> dict[str, str]:
    """Return the names to write. A display name of somebody's own choice stays."""
    before = holder_of(person)
    after = {name: changes.get(name) or before[name] for name in ("first_name", "last_name")}
    names = {FIELDS[name]: value for name, value in after.items() if value}
    if _text(person, "displayName") in ("", _joined(before)):
        names["displayName"] = _joined(after)
    return names


def _joined(holder: Holder) -> str:
    return " ".join(filter(None, (holder["first_name"], holder["last_name"])))


def _is_unset(value: Any) -> bool:
    """Tell whether a value says nothing: null, empty, zero, or a date of zeros."""
    return not value or (isinstance(value, dict) and not any(value.values()))


def refuse_clearing(person: Json, changes: Holder) -> None:
    """PassKit cannot clear a field of a person.

    Raises:
        ValidationFailed: one is to be cleared.
    """
    has = holder_of(person)
    cleared = [name for name, value in changes.items() if value is None and has[name] is not None]
    if cleared:
        raise ValidationFailed(errors=[FieldError(name, CANNOT_CLEAR) for name in cleared])


def e164(text: str, country: str | None) -> str | None:
    """Write a phone number as PassKit wants it: `+`, country code, digits. None: it cannot be written so."""
    try:
        number = phonenumbers.parse(text, country)
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    plain = _FILLING.sub("", text)  # of a form that PassKit takes, whatever the library knows of its country
    return plain if _E164.fullmatch(plain) else None


def is_same_phone(one: str | None, other: str | None) -> bool:
    """Tell whether two texts are the same number but for spaces and the like."""
    return one == other or (one is not None and other is not None and _FILLING.sub("", one) == _FILLING.sub("", other))


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """What is to be written into a record for other data of its holder.

    Attributes:
        person: all that others and we have written of the person; None: it stays as it is.
        known_person: the person as PassKit has it, in a form in which it can be written again.
        is_whole: False: PassKit has a phone number that it would refuse to be given again, and that cannot be mended.
            It is left out here, and must not be lost by writing the person as a whole.
        meta_data: whole; None: it stays as it is.
        notes: sentences on what was left out.
    """

    person: Json | None = field(repr=False)
    known_person: Json = field(repr=False)
    is_whole: bool
    meta_data: dict[str, str] | None = field(repr=False)
    notes: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Tell whether the record has all of it."""
        return self.person is None and self.meta_data is None


def writes_of(record: Record, effect: UpdateHolder, country: str | None) -> Writes:
    """Return what makes the effect true in the record.

    Raises:
        ValidationFailed: PassKit cannot clear a field of a person.
    """
    refuse_clearing(record.person, effect.holder)
    known, _ = merged_person(record.person, {}, country)
    person, notes = merged_person(record.person, effect.holder, country)
    has_other_person = person != known
    _mend_phone(known, country)
    is_whole = _mend_phone(person, country)
    meta_data = merge_meta_data(record.meta_data, effect.fields)
    return Writes(
        person=person if has_other_person else None,
        known_person=known,
        is_whole=is_whole,
        meta_data=meta_data if _told(meta_data) != _told(record.meta_data) else None,
        notes=notes,
    )


def _mend_phone(person: dict[str, Any], country: str | None) -> bool:
    """Write the phone number as PassKit takes it; say whether that can be done, else it is taken out.

    PassKit checks the number of every person that is written, also one that it has had for long.
    """
    text = _text(person, "mobileNumber")
    number = e164(text, country) if text else ""
    if number is None:
        del person["mobileNumber"]
    elif number:
        person["mobileNumber"] = number
    return number is not None


def _told(meta_data: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in meta_data.items() if text}
