"""What several actions share: fields of their inputs, the state a pass must be in, what an update changes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.answer import to_text
from app.effects import Effect, SetExpiry, UpdateHolder
from app.errors import FieldError, NotApplicable, ValidationFailed
from app.model import HOLDER_FIELDS, CustomField, FieldType, Kind, Pass, Program
from app.operations.lookup import Case
from app.refusals import permanently_revoked
from app.schema import Base, Email, FieldTexts, Identifier, Instant, Text


class Repeatable(Base):
    """An input that can be repeated safely."""

    unique_event_id = Text(
        "Unique Event ID",
        "Anything that is unique for the event behind this request: an invoice ID, a payment ID. A repeat with "
        "the same value within 400 days does nothing twice: it gets the first answer again, and after 7 days the pass "
        "as it is then. Same meaning as the header Idempotency-Key.",
        max_length=255,
        example="quickbooks-invoice-1001",
    )


class ForPass(Repeatable):
    """An input about an existing pass: named by its ID, or by program and external ID, or program and e-mail."""

    json_schema_extra: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"required": ["pass_id"]},
            {"required": ["program_id", "external_id"]},
            {"required": ["program_id", "email"]},
        ]
    }

    @validates_schema
    def names_a_pass(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Without a pass ID, program and external ID or program and e-mail address name the pass."""
        if "pass_id" in data:
            return
        if data.get("external_id") is None and data.get("email") is None:
            raise ValidationError("Say which pass: give pass_id, or program_id with external_id or email.", "pass_id")
        if "program_id" not in data:
            raise ValidationError("An external ID or e-mail address needs its program; or give pass_id.", "program_id")

    pass_id = Identifier(
        "Pass",
        "ID of the pass. Without it, give the program and the external ID or the e-mail address.",
        example="pass_019ab3c4d5e6a71f695bc7f5dc3f5e86",
    )
    program_id = Identifier("Program", "ID of the pass's program.", example="prog_demo_membership")
    external_id = Text(
        "External ID",
        "Your own ID of the holder or purchase, as given when the pass was created. Needs the program.",
        max_length=120,
        example="customer-501",
    )
    email = Email(
        "Email",
        "The holder's e-mail address. Needs the program; an error if several passes have it.",
        example="ada@example.com",
    )


def reason(example: str) -> Text:
    """Make the field that says why."""
    return Text("Reason", "Why, in your words. Kept in the history and the event.", max_length=200, example=example)


def first_name(null: bool) -> Text:
    """Make the field of the holder's first name."""
    return Text("First Name", "The holder's first name.", max_length=60, null=null, example="Ada")


def last_name(null: bool) -> Text:
    """Make the field of the holder's last name."""
    return Text("Last Name", "The holder's last name.", max_length=60, null=null, example="Lovelace")


def phone(null: bool) -> Text:
    """Make the field of the holder's phone number."""
    return Text("Phone", "The holder's phone number.", max_length=40, null=null, example="+44 20 7946 0000")


def custom_fields() -> FieldTexts:
    """Make the field of the program's own fields."""
    return FieldTexts(
        "Custom Fields",
        "Values of the program's custom fields, by name. null clears one.",
        example={"member_since": "2026"},
    )


def expires_at(null: bool) -> Instant:
    """Make the field of the expiry."""
    return Instant(
        "Expires At",
        "When the pass expires: a date (the end of that day, UTC) or a time with its zone.",
        null=null,
        example="2027-12-31",
    )


# --- rules ---


_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def refuse_deleted(subject: Pass) -> None:
    """Nothing can be done to a pass that was revoked for good.

    Raises:
        NotApplicable: it was.
    """
    if subject.deleted_at is not None:
        raise permanently_revoked(subject.deleted_at)


def refuse_revoked(subject: Pass) -> None:
    """A revoked pass must be reinstated before its value changes.

    Raises:
        NotApplicable: it is revoked.
    """
    refuse_deleted(subject)
    if subject.revoked_at is not None:
        raise NotApplicable(
            f"This pass was revoked on {to_text(subject.revoked_at)}. Reinstate it first, then try again."
        )


def refuse_kind(case: Case, *, allowed: tuple[Kind, ...], sentence: str) -> None:
    """Refuse kinds of program that the action does not exist for.

    Raises:
        NotApplicable: with `sentence`, which says what the action works for.
    """
    if case.program.kind not in allowed:
        raise NotApplicable(f"This pass is a {case.program.kind.words}. {sentence}")


def refuse_unknown_tier(program: Program, tier_id: str) -> None:
    """A tier must be one of the pass's own program.

    Raises:
        ValidationFailed: it is not; the message lists those there are.
    """
    if program.tier(tier_id) is None:
        tiers = ", ".join(f"{tier.id} ({tier.name})" for tier in program.tiers)
        raise ValidationFailed(errors=[FieldError("tier_id", f"This program has no such tier. It has: {tiers}.")])


def check_custom_fields(program: Program, texts: Mapping[str, str | None], *, complete: bool) -> None:
    """Hold values against the program's custom fields.

    Args:
        program: says which fields there are.
        texts: the values by name; None clears.
        complete: required fields must be there, too (a new pass).

    Raises:
        ValidationFailed: naming every field that is unknown, missing or of the wrong type.
    """
    known = {field.name: field for field in program.fields}
    wrong = []
    for name, text in texts.items():
        if name not in known:
            names = ", ".join(known) or "none"
            wrong.append(FieldError(f"fields.{name}", f"This program has no such field. It has: {names}."))
        elif text is None:
            if known[name].required:
                wrong.append(FieldError(f"fields.{name}", "This program requires the field; give a value."))
        elif (message := _type_error(known[name], text)) is not None:
            wrong.append(FieldError(f"fields.{name}", message))
    if complete:
        missing = [field.name for field in program.fields if field.required and field.name not in texts]
        wrong += [FieldError(f"fields.{name}", "This program requires the field; give a value.") for name in missing]
    if wrong:
        raise ValidationFailed(errors=wrong)


def _type_error(field: CustomField, text: str) -> str | None:
    if field.type is FieldType.NUMBER and not _NUMBER.fullmatch(text):
        return "Give a number such as 25 or 12.50."
    if field.type is FieldType.DATE and not _is_date(text):
        return "Give a date such as 2027-01-31."
    return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None


def updates(subject: Pass, program: Program, data: Mapping[str, Any]) -> tuple[Effect, ...]:
    """Return what `data` changes of holder, custom fields and expiry; nothing where it says what is there already.

    A value of None clears, an absent one leaves alone. Custom fields are merged one by one. If one value is another,
    the effect has all that are given: a remote issuer may have others than our record.

    Raises:
        ValidationFailed: a custom field is unknown or of the wrong type.
    """
    texts: Mapping[str, str | None] = data.get("fields", {})
    check_custom_fields(program, texts, complete=False)
    update = UpdateHolder(holder={name: data[name] for name in HOLDER_FIELDS if name in data}, fields=texts)
    effects: list[Effect] = []
    if update.on(subject, subject.updated_at) != subject:
        effects.append(update)
    if "expires_at" in data and data["expires_at"] != subject.expires_at:
        effects.append(SetExpiry(expires_at=data["expires_at"]))
    return tuple(effects)
