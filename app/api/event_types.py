"""`GET /v1/event-types`: what can happen, with a sample of each."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields

from app.accounts.keys import Caller
from app.actions import ACTIONS
from app.answer import PassAnswer, example, said
from app.api.blueprint import Blueprint, json_answer
from app.api.events import EVENT, EVENT_EXAMPLE
from app.api.hook_schemas import HOOK_EXAMPLE
from app.events import types
from app.schema import Base

# What happens without an action: the pass then, and no operation.
WITHOUT_ACTION = {
    types.PASS_INSTALLED: {"install_state": "installed"},
    types.PASS_UNINSTALLED: {"install_state": "uninstalled"},
    types.PASS_EXPIRED: {"status": "expired", "expires_at": "2026-11-20T09:29:59.000Z"},
}
ACTION_OF = {
    types.PASS_CREATED: "create-pass",
    types.PASS_UPDATED: "update-pass",
    types.POINTS_CHANGED: "update-points",
    types.TIER_CHANGED: "change-tier",
    types.PASS_REDEEMED: "redeem-pass",
    types.PASS_REVOKED: "revoke-pass",
    types.PASS_REINSTATED: "reinstate-pass",
}


class EventTypeAnswer(Base):
    """A type of event."""

    type = fields.String(
        required=True, metadata=said("Event Type", "Its name.", types.POINTS_CHANGED, enum=list(types.DESCRIPTIONS))
    )
    title = fields.String(required=True, metadata=said("Title", "Its name for people.", "Points Changed"))
    description = fields.String(
        required=True, metadata=said("Description", "What it tells.", types.DESCRIPTIONS[types.POINTS_CHANGED])
    )
    sample = fields.Nested(
        EVENT, required=True, metadata={"title": "Sample", "description": "An event of this type, made up."}
    )


class EventTypeList(Base):
    """All types of event."""

    data = fields.List(
        fields.Nested(EventTypeAnswer()),
        required=True,
        metadata={"title": "Data", "description": "The types, in the order of a pass's life."},
    )


def sample_of(event_type: str) -> dict[str, Any]:
    """Make up an event of a type."""
    sample = {**EVENT_EXAMPLE, "type": event_type}
    if event_type in ACTION_OF:
        (action,) = (action for action in ACTIONS if action.name == ACTION_OF[event_type])
        return {**sample, "data": example(action.example_details)}
    if event_type == types.HOOK_DISABLED:
        disabled = {"status": "disabled", "disabled_reason": "failing", "failing_since": "2026-11-15T09:30:00.000Z"}
        return {**sample, "operation_id": None, "data": {**HOOK_EXAMPLE, **disabled}}
    return {**sample, "operation_id": None, "data": example(WITHOUT_ACTION[event_type], PassAnswer)}


def _show(event_type: str) -> dict[str, Any]:
    return {
        "type": event_type,
        "title": types.title_of(event_type),
        "description": types.DESCRIPTIONS[event_type],
        "sample": sample_of(event_type),
    }


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Event types", __name__, url_prefix="/v1/event-types")
    every_type = {"data": [_show(event_type) for event_type in types.DESCRIPTIONS]}

    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_event_types",
        summary="List the types of event",
        description="Everything a hook can hear of, with a sample of each.",
    )
    @blueprint.answers(EventTypeList(), every_type, description="All types, on one page.")
    def list_event_types(caller: Caller) -> Response:
        return json_answer(every_type)

    return [blueprint]
