"""Programs: what passes are issued from."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.exc import IntegrityError

from app.accounts.keys import Caller
from app.answer import to_text
from app.api.blueprint import Blueprint, json_answer, location
from app.api.paging import page_of
from app.api.program_schemas import (
    EXAMPLE,
    FIELD_EXAMPLE,
    INPUT_EXAMPLE,
    PROGRAM,
    PROGRAM_ID,
    PROGRAM_PAGE,
    TIER_EXAMPLE,
    CustomFieldList,
    ProgramChanges,
    ProgramInput,
    ProgramQuery,
    TierList,
)
from app.errors import Duplicate, NotApplicable, NotFound
from app.issuers.builtin import programs as builtin_programs
from app.model import BUILTIN, Kind, Program
from app.operations.lookup import find_program
from app.service import current_service
from app.store import programs
from app.sync import connections
from app.sync.programs import refresh_programs


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
        "notes": list(program.notes),
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
        _refresh(caller)
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
    @blueprint.raises(Duplicate, NotApplicable)
    def create_program(caller: Caller, data: dict[str, Any]) -> Response:
        service = current_service()
        connections.refuse_own_programs(service, caller.account_id, caller.mode)
        try:
            with service.store.write() as connection:
                program = builtin_programs.create_program(
                    connection, caller.account_id, caller.mode, data, service.clock()
                )
        except IntegrityError:
            raise Duplicate(f"There is a program named '{data['name']}' already. Choose another name.") from None
        return json_answer(show(program), 201, location(f"/v1/programs/{program.id}"))


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
    @blueprint.raises(NotFound, Duplicate, NotApplicable)
    def update_program(caller: Caller, data: dict[str, Any], program_id: str) -> Response:
        service = current_service()
        try:
            with service.store.write() as connection:
                program = find_program(connection, caller, program_id)
                if program.issuer != BUILTIN:
                    raise NotApplicable("This program lives at a remote issuer. Change it there.")
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


def _refresh(caller: Caller) -> None:
    """Read the programs of the remote issuer anew, where the account is connected to one and that is due."""
    service = current_service()
    if (connected := connections.find(service, caller.account_id, caller.mode)) is not None:
        refresh_programs(service, connected)


def _get(caller: Caller, program_id: str) -> Program:
    _refresh(caller)
    with current_service().store.read() as connection:
        return find_program(connection, caller, program_id)
