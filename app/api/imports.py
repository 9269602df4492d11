"""`/v1/issuer/import`: taking on record here what a remote issuer has issued before the account was connected."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields as ma

from app.accounts.keys import Caller
from app.answer import said, to_text
from app.api.blueprint import Blueprint, json_answer, location
from app.errors import NotApplicable, NotFound
from app.model import Mode
from app.schema import Base, Identifier
from app.service import current_service
from app.store import imports
from app.store.imports import Import, ImportStatus
from app.sync.imports import start


class ImportInput(Base):
    """Which passes to import."""

    program_id = Identifier("Program", "Only passes of this program. Default: those of every program.")


class ImportAnswer(Base):
    """An import, and how far it is."""

    id = ma.String(
        required=True, metadata=said("Import ID", "ID of the import.", "imp_019ab3c4d5e6a71f695bc7f5dc3f5e86")
    )
    mode = ma.String(required=True, metadata=said("Mode", "World of data.", "live", enum=[mode.value for mode in Mode]))
    program_id = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Program ID", "Program whose passes are imported; null: every program.", None),
    )
    status = ma.String(
        required=True,
        metadata=said(
            "Status",
            "Where it is. While it is `running`, `problem` says what it waits for, if it does not go on.",
            "running",
            enum=[status.value for status in ImportStatus],
        ),
    )
    found = ma.Integer(required=True, metadata=said("Found", "Passes read at the remote issuer so far.", 1200))
    added = ma.Integer(
        required=True, metadata=said("Added", "Of these, passes that are on record here since then.", 1150)
    )
    changed = ma.Integer(
        required=True,
        metadata=said("Changed", "Of these, passes that were on record, and are now as the remote issuer has them.", 3),
    )
    problem = ma.Dict(
        required=True,
        allow_none=True,
        metadata={"title": "Problem", "description": "`code` and `detail` of why it does not go on, or null."},
    )
    created_at = ma.DateTime(
        required=True, metadata=said("Created At", "When it was asked for.", "2026-11-20T09:30:00.000Z")
    )
    finished_at = ma.DateTime(
        required=True, allow_none=True, metadata=said("Finished At", "When it ended; null if it has not.", None)
    )


IMPORT = ImportAnswer()
EXAMPLE = {name: field.metadata.get("examples", [None])[0] for name, field in IMPORT.fields.items()}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Imports", __name__, url_prefix="/v1/issuer/import")
    path = {"in": "path", "name": "import_id", "description": "ID of the import."}

    @blueprint.route("", methods=["POST"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="import_passes",
        summary="Import passes of the remote issuer",
        description="Takes the passes that the remote issuer has on record here, in the background, so that lists, "
        "e-mail addresses and events know them. There are no events for it. While the same import is under way, that "
        "one is answered. Imported again, passes on record are brought up to date; none is made twice.",
    )
    @blueprint.arguments(ImportInput(), example={})
    @blueprint.answers(IMPORT, EXAMPLE, status=202, description="The import. Ask for it again to see how far it is.")
    @blueprint.raises(NotApplicable, NotFound)
    def import_passes(caller: Caller, data: dict[str, Any]) -> Response:
        begun = start(current_service(), caller.account_id, caller.mode, data.get("program_id"))
        return json_answer(_show(begun), 202, location(f"/v1/issuer/import/{begun.id}"))

    @blueprint.route("/<id:import_id>", parameters=[path])
    @blueprint.requires("read")
    @blueprint.says(operationId="get_import", summary="Get an import", description="An import, and how far it is.")
    @blueprint.answers(IMPORT, EXAMPLE, description="The import.")
    @blueprint.raises(NotFound)
    def get_import(caller: Caller, import_id: str) -> Response:
        with current_service().store.read() as connection:
            found = imports.get(connection, caller.account_id, caller.mode, import_id)
        if found is None:
            raise NotFound(f"There is no import '{import_id}' in {caller.mode.value} mode.")
        return json_answer(_show(found))

    return [blueprint]


def _show(imported: Import) -> dict[str, Any]:
    return {
        "id": imported.id,
        "mode": imported.mode.value,
        "program_id": imported.program_id,
        "status": imported.status.value,
        "found": imported.found,
        "added": imported.added,
        "changed": imported.changed,
        "problem": dict(imported.problem) if imported.problem else None,
        "created_at": to_text(imported.created_at),
        "finished_at": to_text(imported.finished_at) if imported.finished_at else None,
    }
