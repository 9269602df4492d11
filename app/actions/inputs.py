"""The fields that several actions share: which pass is meant, who holds it, how often it may count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.schema import Base, Email, FieldTexts, Identifier, Instant, Text


class Repeatable(Base):
    """An input that can be repeated safely."""

    unique_event_id = Text(
        "Unique Event ID",
        "Anything that is unique for the event behind this request: an invoice ID, a payment ID. A repeat with "
        "the same value within 7 days does nothing twice and gets the first answer again. Same meaning as the "
        "header Idempotency-Key.",
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
