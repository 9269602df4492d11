"""What is said about programs: the inputs and answers of their routes, and examples."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.answer import said
from app.api.paging import PageQuery, page_answer
from app.model import FieldType, Kind
from app.schema import Base, Choice, Color, FieldTexts, Flag, Identifier, Name, Text

TIERS_MAX = 20


class NewTierInput(Base):
    """A tier of a new program."""

    name = Text("Name", "Name of the tier.", max_length=60, required=True, example="Bronze")


class TierInput(NewTierInput):
    """A tier of a program, new or known."""

    id = Identifier("Tier ID", "ID of an existing tier; leave it out for a new one.", example="tier_demo_bronze")


class CustomFieldInput(Base):
    """A custom field that passes of a program can carry."""

    name = Name("Name", "Name to send values by.", required=True, example="member_since")
    title = Text("Title", "Label on the card. Default: the name.", max_length=60, example="Member since")
    type = Choice(
        "Type", "What values must look like.", choices=tuple(kind.value for kind in FieldType), default="text"
    )
    required = Flag("Required", "Every new pass must have a value.", default=False)


def _tiers(tier: NewTierInput, description: str) -> ma.fields.List[Any]:
    return ma.fields.List(
        ma.fields.Nested(tier),
        validate=ma.validate.Length(1, TIERS_MAX, error=f"Give 1 to {TIERS_MAX} tiers."),
        metadata={"title": "Tiers", "description": description},
    )


def _custom_fields(description: str) -> ma.fields.List[Any]:
    return ma.fields.List(
        ma.fields.Nested(CustomFieldInput()),
        validate=ma.validate.Length(0, FieldTexts.MAX_FIELDS, error=f"Give at most {FieldTexts.MAX_FIELDS} fields."),
        metadata={"title": "Custom Fields", "description": description},
    )


class Design(Base):
    """What cards look like, and what is written on them."""

    background_color = Color("Background Color", "Colour of the card.", example="#7a1f3d")
    text_color = Color("Text Color", "Colour of the values.", example="#ffffff")
    label_color = Color("Label Color", "Colour of the labels.", example="#f4c9d6")
    logo_text = Text("Logo Text", "Words at the top of the card.", max_length=40, null=True, example="Rosewater")
    terms = Text("Terms", "Small print.", max_length=2000, lines=True, null=True, example="One card a person.")


class ProgramInput(Design):
    """A new program."""

    kind = Choice(
        "Kind", "What it issues.", choices=tuple(kind.value for kind in Kind), required=True, example="membership"
    )
    name = Text(
        "Name",
        "Name of the program; unique in the account and mode.",
        max_length=80,
        required=True,
        example="Rosewater Club",
    )
    tiers = _tiers(NewTierInput(), "Tiers, the default of new passes first. Without any, there is one named Standard.")
    fields = _custom_fields("Custom fields of its passes.")  # type: ignore[assignment]


class ProgramChanges(Design):
    """What to change of a program. An absent field is left alone; `null` clears."""

    name = Text("Name", "New name.", max_length=80, example="Rosewater Club")
    tiers = _tiers(
        TierInput(), "The whole new list. Name the IDs of tiers to keep; a tier with passes cannot be left out."
    )
    fields = _custom_fields("The whole new list of custom fields.")  # type: ignore[assignment]


class TierAnswer(Base):
    """A tier of a program."""

    id = ma.fields.String(required=True, metadata=said("Tier ID", "ID of the tier.", "tier_demo_bronze"))
    name = ma.fields.String(required=True, metadata=said("Name", "Name of the tier.", "Bronze"))


class CustomFieldAnswer(Base):
    """A custom field of a program."""

    name = ma.fields.String(required=True, metadata=said("Name", "Name to send values by.", "member_since"))
    title = ma.fields.String(required=True, metadata=said("Title", "Label on the card.", "Member since"))
    type = ma.fields.String(
        required=True,
        metadata=said("Type", "What values must look like.", "text", enum=[kind.value for kind in FieldType]),
    )
    required = ma.fields.Boolean(required=True, metadata=said("Required", "Every new pass must have a value.", False))


class ProgramAnswer(Base):
    """What passes are issued from."""

    id = ma.fields.String(required=True, metadata=said("Program ID", "ID of the program.", "prog_demo_membership"))
    mode = ma.fields.String(required=True, metadata=said("Mode", "World it lives in.", "test"))
    issuer = ma.fields.String(required=True, metadata=said("Issuer", "Where its passes live.", "builtin"))
    kind = ma.fields.String(
        required=True,
        metadata=said("Kind", "What it issues.", "membership", enum=[kind.value for kind in Kind]),
    )
    name = ma.fields.String(required=True, metadata=said("Name", "Name of the program.", "Rosewater Club"))
    tiers = ma.fields.List(
        ma.fields.Nested(TierAnswer()),
        required=True,
        metadata={"title": "Tiers", "description": "Its tiers, the default of new passes first."},
    )
    fields = ma.fields.List(  # type: ignore[assignment]
        ma.fields.Nested(CustomFieldAnswer()),
        required=True,
        metadata={"title": "Custom Fields", "description": "The custom fields of its passes."},
    )
    background_color = ma.fields.String(required=True, metadata=said("Background Color", "Of the card.", "#7a1f3d"))
    text_color = ma.fields.String(required=True, metadata=said("Text Color", "Of the values.", "#ffffff"))
    label_color = ma.fields.String(required=True, metadata=said("Label Color", "Of the labels.", "#f4c9d6"))
    logo_text = ma.fields.String(
        required=True, allow_none=True, metadata=said("Logo Text", "Words at the top of the card.", "Rosewater")
    )
    terms = ma.fields.String(
        required=True, allow_none=True, metadata=said("Terms", "Small print.", "One card a person.")
    )
    notes = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata=said(
            "Notes", "Sentences on what one should know before passes are issued or revoked; empty if nothing.", []
        ),
    )
    created_at = ma.fields.DateTime(
        required=True, metadata=said("Created At", "When it was made.", "2026-11-20T09:30:00.000Z")
    )
    updated_at = ma.fields.DateTime(
        required=True, metadata=said("Updated At", "When it last changed.", "2026-11-20T09:30:00.000Z")
    )


class ProgramQuery(PageQuery):
    """What a list of programs is narrowed to."""

    kind = Choice("Kind", "Only programs of this kind.", choices=tuple(kind.value for kind in Kind))


class TierList(Base):
    """All tiers of a program, the default of new passes first."""

    data = ma.fields.List(
        ma.fields.Nested(TierAnswer()),
        required=True,
        metadata={"title": "Data", "description": "The tiers, the default of new passes first."},
    )


class CustomFieldList(Base):
    """All custom fields of a program."""

    data = ma.fields.List(
        ma.fields.Nested(CustomFieldAnswer()),
        required=True,
        metadata={"title": "Data", "description": "The custom fields."},
    )


PROGRAM = ProgramAnswer()
PROGRAM_PAGE = page_answer("ProgramPage", PROGRAM)
TIER_EXAMPLE = {"id": "tier_demo_bronze", "name": "Bronze"}
FIELD_EXAMPLE = {"name": "member_since", "title": "Member since", "type": "text", "required": False}
EXAMPLE = {
    **{name: field.metadata.get("examples", [None])[0] for name, field in PROGRAM.dump_fields.items()},
    "tiers": [TIER_EXAMPLE],
    "fields": [FIELD_EXAMPLE],
}
INPUT_EXAMPLE = {
    "kind": "membership",
    "name": "Rosewater Club",
    "tiers": [{"name": "Bronze"}, {"name": "Silver"}],
    "fields": [{"name": "member_since", "title": "Member since"}],
    "background_color": "#7a1f3d",
    "logo_text": "Rosewater",
}
PROGRAM_ID = {"in": "path", "name": "program_id", "description": "ID of the program."}
