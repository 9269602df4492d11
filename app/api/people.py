"""`/v1/people`: one person's data, handed out or erased everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields, validates_schema

from app.accounts.keys import Caller
from app.answer import example, said
from app.api.blueprint import Blueprint, json_answer
from app.api.paging import LIMIT_MAX, Limit
from app.errors import (
    AmbiguousPass,
    NotFound,
    OperationOpen,
    OutcomeUnknown,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.people import erasing, exporting
from app.people.person import Locator
from app.schema import Base, Email, Flag, Identifier, Text
from app.service import current_service

PERSON = {"external_id": "customer-501"}


class PersonInput(Base):
    """Who is meant."""

    external_id = Text(
        "External ID",
        "Your own ID of the person, as given when the passes were created. Give this or the e-mail address.",
        max_length=120,
        example="customer-501",
    )
    email = Email(
        "Email",
        "The person's e-mail address. An error if people of several external IDs have it.",
        example="ada@example.com",
    )
    program_id = Identifier(
        "Program", "Only what belongs to this program. Default: every program.", example="prog_demo_membership"
    )

    @validates_schema
    def names_one_way(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Exactly one of external ID and e-mail address names the person."""
        if ("external_id" in data) == ("email" in data):
            raise ma.ValidationError("Give either external_id or email.", "external_id")


class ExportInput(PersonInput):
    """Whose data, and which page of it."""

    limit = Limit("Limit", "How many items to return.", default=LIMIT_MAX)
    cursor = Identifier("Cursor", "`next_cursor` of the page before; without it, the first page.")


class EraseInput(PersonInput):
    """Who is erased, and where."""

    also_at_issuer = Flag(
        "Also at Issuer",
        "Delete the records at the remote issuer, too, which ends the cards there. Otherwise they stay there, and are "
        "no longer known here.",
        default=False,
    )
    dry_run = Flag("Dry Run", "Only tell what would be erased; nothing is changed.", default=False)


class ItemAnswer(Base):
    """One thing that is held of the person."""

    kind = fields.String(
        required=True, metadata=said("Kind", "What it is.", "pass", enum=list(exporting.KINDS.values()))
    )
    id = fields.String(required=True, metadata=said("ID", "ID of it.", "pass_019ab3c4d5e6a71f695bc7f5dc3f5e86"))
    content = fields.Dict(
        required=True, metadata={"title": "Content", "description": "All that stands in it, as it is kept."}
    )


class ExportAnswer(Base):
    """A page of what is held of a person."""

    data = fields.List(
        fields.Nested(ItemAnswer()),
        required=True,
        metadata={"title": "Data", "description": "Passes, operations, events, deliveries, webhooks; oldest first."},
    )
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "title": "Next Cursor",
            "description": "Give it as `cursor` to get the next page; null on the last.",
        },
    )


class RowsAnswer(Base):
    """How many rows of each kind hold data of the person."""

    passes = fields.Integer(required=True, metadata=said("Passes", "Passes of the person.", 1))
    events = fields.Integer(required=True, metadata=said("Events", "Events of these passes.", 3))
    operations = fields.Integer(required=True, metadata=said("Operations", "Requests that are about the person.", 3))
    deliveries = fields.Integer(required=True, metadata=said("Deliveries", "Deliveries of the events to hooks.", 2))
    webhooks = fields.Integer(
        required=True, metadata=said("Webhooks", "What the remote issuer sent of the person, as it came.", 0)
    )
    remarks = fields.Integer(
        required=True,
        metadata=said("Remarks", "Notes on imports, the connection or parked work that name the person.", 0),
    )


class EraseAnswer(Base):
    """What was erased, or would be."""

    dry_run = fields.Boolean(
        required=True, metadata=said("Dry Run", "True if nothing was changed: this is what would be erased.", False)
    )
    pass_ids = fields.List(
        fields.String(),
        required=True,
        metadata=said("Pass IDs", "Passes of the person.", ["pass_019ab3c4d5e6a71f695bc7f5dc3f5e86"]),
    )
    rows = fields.Nested(
        RowsAnswer(), required=True, metadata={"title": "Rows", "description": "How many rows held data of the person."}
    )
    open_operations = fields.List(
        fields.String(),
        required=True,
        metadata=said(
            "Open Operations",
            "Operations without an outcome yet. While there are any, the person cannot be erased.",
            [],
        ),
    )
    notes = fields.List(
        fields.String(),
        required=True,
        metadata=said("Notes", "Sentences on what stays elsewhere; empty as a rule.", []),
    )


EXPORT, ERASE = ExportAnswer(), EraseAnswer()
EXPORT_EXAMPLE = {
    "data": [
        {"kind": "pass", "id": example({})["id"], "content": {"external_id": "customer-501", "first_name": "Ada"}}
    ],
    "next_cursor": None,
}
ROWS_EXAMPLE = {name: field.metadata["examples"][0] for name, field in RowsAnswer().fields.items()}
ERASE_EXAMPLE = {
    **{name: field.metadata.get("examples", [None])[0] for name, field in ERASE.fields.items()},
    "rows": ROWS_EXAMPLE,
}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("People", __name__, url_prefix="/v1/people")

    @blueprint.route("/export", methods=["POST"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="export_person",
        summary="Export a person's data",
        description="Everything that is held of one person in the API key's mode, a page at a time: passes, operations "
        "with what was asked and answered, events, deliveries, and what a remote issuer sent. Needs a key with the "
        "scope `write`, as erasing does.",
    )
    @blueprint.arguments(ExportInput(), example=PERSON)
    @blueprint.answers(EXPORT, EXPORT_EXAMPLE, description="A page of it; empty if nothing is held of such a person.")
    @blueprint.raises(NotFound, AmbiguousPass)
    def export_person(caller: Caller, data: dict[str, Any]) -> Response:
        page = exporting.export(
            current_service(), caller, _locator(data), cursor=data.get("cursor"), limit=data["limit"]
        )
        shown = [item.show() for item in page.items]
        return json_answer({"data": shown, "next_cursor": page.next_cursor})

    @blueprint.route("/erase", methods=["POST"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="erase_person",
        summary="Erase a person",
        description="Takes the person out of everything that is kept in the API key's mode. It cannot be undone. The "
        "passes are over, as after a permanent revoke; what happened stays as history of nobody. Nothing brings the "
        "person back but a new create-pass. Erasing again is a success that erases nothing.",
    )
    @blueprint.arguments(EraseInput(), example={**PERSON, "dry_run": True})
    @blueprint.answers(ERASE, ERASE_EXAMPLE, description="What was erased, or would be.")
    @blueprint.raises(NotFound, AmbiguousPass, OperationOpen, OutcomeUnknown)
    @blueprint.raises(UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable)
    def erase_person(caller: Caller, data: dict[str, Any]) -> Response:
        do = erasing.preview if data["dry_run"] else erasing.erase
        erased = do(current_service(), caller, _locator(data), also_at_issuer=data["also_at_issuer"])
        return json_answer(
            {
                "dry_run": data["dry_run"],
                "pass_ids": list(erased.pass_ids),
                "rows": erased.rows,
                "open_operations": list(erased.open_operations),
                "notes": list(erased.notes),
            }
        )

    return [blueprint]


def _locator(data: Mapping[str, Any]) -> Locator:
    return Locator(data.get("external_id"), data.get("email"), data.get("program_id"))
