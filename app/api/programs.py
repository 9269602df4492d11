"""Programs: what passes are issued from."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from sqlalchemy.exc import IntegrityError

from app.accounts.keys import Caller
from app.actions.answer import said
from app.actions.lookup import find_program
from app.api.blueprint import Blueprint, json_answer
from app.api.paging import PageQuery, page_answer, page_of
from app.clock import to_text
from app.errors import Duplicate, NotFound
from app.issuers.builtin import programs as builtin_programs
from app.model import FieldType, Kind, Program
from app.schema import Base, Choice, Color, FieldTexts, Flag, Identifier, Name, Text
from app.service import current_service
from app.store import programs

TIERS_MAX = 20


class TierInput(Base):
    """A tier of a program."""

    id = Identifier("Tier ID", "ID of an existing tier; leave it out for a new one.", example="tier_demo_bronze")
    name = Text("Name", "Name of the tier.", max_length=60, required=True, example="Bronze")


class CustomFieldInput(Base):
    """A custom field that passes of a program can carry."""

    name = Name("Name", "Name to send values by.", required=True, example="member_since")
    title = Text("Title", "Label on the card. Default: the name.", max_length=60, example="Member since")
    type = Choice(
        "Type", "What values must look like.", choices=tuple(kind.value for kind in FieldType), default="text"
    )
    required = Flag("Required", "Every new pass must have a value.", default=False)


def _tiers(description: str) -> ma.fields.List[Any]:
    return ma.fields.List(
        ma.fields.Nested(TierInput()),
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
    tiers = _tiers("Tiers, the default of new passes first. Without any, there is one named Standard.")
    fields = _custom_fields("Custom fields of its passes.")  # type: ignore[assignment]


class ProgramChanges(Design):
    """What to change of a program. An absent field is left alone; `null` clears."""

    name = Text("Name", "New name.", max_length=80, example="Rosewater Club")
    tiers = _tiers("The whole new list. Name the IDs of tiers to keep; a tier with passes cannot be left out.")
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
    tiers = ma.fields.List(ma.fields.Nested(TierAnswer()), required=True)
    fields = ma.fields.List(ma.fields.Nested(CustomFieldAnswer()), required=True)  # type: ignore[assignment]
    background_color = ma.fields.String(required=True, metadata=said("Background Color", "Of the card.", "#7a1f3d"))
    text_color = ma.fields.String(required=True, metadata=said("Text Color", "Of the values.", "#ffffff"))
    label_color = ma.fields.String(required=True, metadata=said("Label Color", "Of the labels.", "#f4c9d6"))
    logo_text = ma.fields.String(
        required=True, allow_none=True, metadata=said("Logo Text", "Words at the top of the card.", "Rosewater")
    )
    terms = ma.fields.String(
        required=True, allow_none=True, metadata=said("Terms", "Small print.", "One card a person.")
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

    data = ma.fields.List(ma.fields.Nested(TierAnswer()), required=True)


class CustomFieldList(Base):
    """All custom fields of a program."""

    data = ma.fields.List(ma.fields.Nested(CustomFieldAnswer()), required=True)


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


def show(program: Program) -> dict[str, Any]:
    """Make the answer of a program, as `ProgramAnswer` describes it."""
    return {
        "id": program.id,
        "mode": program.mode.value,
        "issuer": program.issuer,
        "kind": program.kind.value,
        "name": program.name,
        "tiers": show_tiers(program),
        "fields": show_fields(program),
        "background_color": program.colors.background,
        "text_color": program.colors.text,
        "label_color": program.colors.label,
        "logo_text": program.logo_text,
        "terms": program.terms,
        "created_at": to_text(program.created_at),
        "updated_at": to_text(program.updated_at),
    }


def show_tiers(program: Program) -> list[dict[str, Any]]:
    """Make the answer of a program's tiers."""
    return [{"id": tier.id, "name": tier.name} for tier in program.tiers]


def show_fields(program: Program) -> list[dict[str, Any]]:
    """Make the answer of a program's custom fields."""
    return [
        {"name": field.name, "title": field.title, "type": field.type.value, "required": field.required}
        for field in program.fields
    ]


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Programs", __name__, url_prefix="/v1/programs")
    _add_collection(blueprint)
    _add_single(blueprint)
    _add_parts(blueprint)
    return [blueprint]


def _add_collection(blueprint: Blueprint) -> None:
    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_programs",
        summary="List programs",
        description="All programs of the account in the key's mode, newest first.",
    )
    @blueprint.arguments(ProgramQuery(), location="query")
    @blueprint.answers(PROGRAM_PAGE, {"data": [EXAMPLE], "next_cursor": None}, description="A page of programs.")
    def list_programs(caller: Caller, query: dict[str, Any]) -> Response:
        kind = Kind(query["kind"]) if "kind" in query else None
        with current_service().store.read() as connection:
            found = programs.page(
                connection,
                caller.account_id,
                caller.mode,
                kind=kind,
                before=query.get("cursor"),
                limit=query["limit"] + 1,
            )
        return json_answer(page_of(found, query["limit"], show, lambda program: program.id))

    @blueprint.route("", methods=["POST"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="create_program",
        summary="Create a program",
        description="Makes a program of the built-in issuer. Names are unique, so that a repeat makes no second one.",
    )
    @blueprint.arguments(ProgramInput(), example=INPUT_EXAMPLE)
    @blueprint.answers(PROGRAM, EXAMPLE, status=201, description="The new program.")
    @blueprint.raises(Duplicate)
    def create_program(caller: Caller, data: dict[str, Any]) -> Response:
        service = current_service()
        try:
            with service.store.write() as connection:
                program = builtin_programs.create_program(
                    connection, caller.account_id, caller.mode, data, service.clock()
                )
        except IntegrityError:
            raise Duplicate(f"There is a program named '{data['name']}' already. Choose another name.") from None
        return json_answer(show(program), 201, {"Location": f"/v1/programs/{program.id}"})


def _add_single(blueprint: Blueprint) -> None:
    @blueprint.route("/<id:program_id>", parameters=[PROGRAM_ID])
    @blueprint.requires("read")
    @blueprint.says(operationId="get_program", summary="Get a program", description="One program.")
    @blueprint.answers(PROGRAM, EXAMPLE, description="The program.")
    @blueprint.raises(NotFound)
    def get_program(caller: Caller, program_id: str) -> Response:
        return json_answer(show(_get(caller, program_id)))

    @blueprint.route("/<id:program_id>", methods=["PATCH"], parameters=[PROGRAM_ID])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="update_program",
        summary="Update a program",
        description="Changes a program of the built-in issuer. What is left out stays as it is.",
    )
    @blueprint.arguments(ProgramChanges(), example={"background_color": "#7a1f3d", "logo_text": "Rosewater"})
    @blueprint.answers(PROGRAM, EXAMPLE, description="The program after the change.")
    @blueprint.raises(NotFound, Duplicate)
    def update_program(caller: Caller, data: dict[str, Any], program_id: str) -> Response:
        service = current_service()
        try:
            with service.store.write() as connection:
                program = find_program(connection, caller, program_id)
                changed = builtin_programs.change_program(connection, program, data, service.clock())
        except IntegrityError:
            raise Duplicate(f"There is a program named '{data['name']}' already. Choose another name.") from None
        return json_answer(show(changed))


def _add_parts(blueprint: Blueprint) -> None:
    @blueprint.route("/<id:program_id>/tiers", parameters=[PROGRAM_ID])
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_tiers",
        summary="List the tiers of a program",
        description="All tiers of a program, the default of new passes first.",
    )
    @blueprint.answers(TierList(), {"data": [TIER_EXAMPLE]}, description="The tiers.")
    @blueprint.raises(NotFound)
    def list_tiers(caller: Caller, program_id: str) -> Response:
        return json_answer({"data": show_tiers(_get(caller, program_id))})

    @blueprint.route("/<id:program_id>/fields", parameters=[PROGRAM_ID])
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_fields",
        summary="List the custom fields of a program",
        description="All custom fields of a program: what `fields` of its passes may hold.",
    )
    @blueprint.answers(CustomFieldList(), {"data": [FIELD_EXAMPLE]}, description="The custom fields.")
    @blueprint.raises(NotFound)
    def list_fields(caller: Caller, program_id: str) -> Response:
        return json_answer({"data": show_fields(_get(caller, program_id))})


def _get(caller: Caller, program_id: str) -> Program:
    with current_service().store.read() as connection:
        return find_program(connection, caller, program_id)
