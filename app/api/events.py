"""`GET /v1/events`: what happened, newest first."""

from __future__ import annotations

import json
from typing import Any

from flask import Response
from marshmallow import fields

from app.accounts.keys import Caller
from app.answer import example, said
from app.api.blueprint import Blueprint, json_answer
from app.api.paging import PageQuery, page_answer, show_page
from app.events import outbox
from app.events.outbox import Event
from app.events.types import DESCRIPTIONS, POINTS_CHANGED
from app.schema import Base, Choice, Identifier, Instant
from app.service import current_service


class EventAnswer(Base):
    """Something that happened to a pass or a hook."""

    id = fields.String(
        required=True, metadata=said("Event ID", "ID of the event.", "evt_019ab3c4d5e605fc743d85bc9470dc4d")
    )
    type = fields.String(
        required=True,
        metadata=said("Event Type", "What happened.", POINTS_CHANGED, enum=list(DESCRIPTIONS)),
    )
    timestamp = fields.DateTime(
        required=True, metadata=said("Timestamp", "When it happened.", "2026-11-20T09:30:00.000Z")
    )
    operation_id = fields.String(
        required=True,
        allow_none=True,
        metadata=said("Operation ID", "What caused it, if an action did.", "op_019ab3c4d5e6e65641363d619b3891f3"),
    )
    data = fields.Dict(
        required=True,
        metadata={
            "title": "Data",
            "description": "The pass as it was right afterwards, flat, with what the action tells beyond it and the "
            "reason where one was given. For `hook.disabled` the hook.",
        },
    )


class EventQuery(PageQuery):
    """What a list of events is narrowed to."""

    type = Choice("Event Type", "Only events of this type.", choices=tuple(DESCRIPTIONS))
    program_id = Identifier("Program", "Only events of this program's passes.")
    pass_id = Identifier("Pass", "Only events of this pass.")
    since = Instant("Since", "Only events at this time or later.")
    until = Instant("Until", "Only events at this time or earlier.")


EVENT = EventAnswer()
EVENT_EXAMPLE = {
    "id": "evt_019ab3c4d5e605fc743d85bc9470dc4d",
    "type": POINTS_CHANGED,
    "timestamp": "2026-11-20T09:30:00.000Z",
    "operation_id": "op_019ab3c4d5e6e65641363d619b3891f3",
    "data": example({"points": 120, "points_before": 95, "points_change": 25, "reason": "Invoice 1001 paid"}),
}
EVENT_PAGE = page_answer("EventPage", EVENT)


def show_event(event: Event) -> dict[str, Any]:
    """Make the answer of an event: exactly what hooks are sent."""
    shown: dict[str, Any] = json.loads(outbox.payload(event))
    return shown


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Events", __name__, url_prefix="/v1/events")

    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_events",
        summary="List events",
        description="What happened to the account's passes in the key's mode, newest first.",
    )
    @blueprint.arguments(EventQuery(), location="query")
    @blueprint.answers(EVENT_PAGE, {"data": [EVENT_EXAMPLE], "next_cursor": None}, description="A page of events.")
    def list_events(caller: Caller, query: dict[str, Any]) -> Response:
        service = current_service()
        with service.list_reads, service.store.read() as connection:
            found = outbox.page(
                connection,
                caller.account_id,
                caller.mode,
                event_type=query.get("type"),
                program_id=query.get("program_id"),
                pass_id=query.get("pass_id"),
                since=query.get("since"),
                until=query.get("until"),
                before=query.get("cursor"),
                limit=query["limit"],
            )
        return json_answer(show_page(found, show_event))

    return [blueprint]
