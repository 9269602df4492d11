"""`/v1/operations/{id}`: what was asked for, what came of it, and what a person says of an unknown outcome."""

from __future__ import annotations

import json
from typing import Any

from flask import Response
from marshmallow import fields

from app.accounts.keys import Caller
from app.actions import ACTIONS
from app.answer import example, said, to_text
from app.api.blueprint import Blueprint, json_answer
from app.errors import NotApplicable, NotFound, UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable
from app.operations.plan import NAMES, CannotGoOn, name_of, plan_of
from app.operations.resolve import resolve
from app.schema import Base, Flag
from app.service import current_service
from app.store import operations, troubles
from app.store.operations import Operation, OperationStatus
from app.store.troubles import Kind


class EffectAnswer(Base):
    """One thing that is to be made true at an issuer."""

    effect = fields.String(required=True, metadata=said("Effect", "What is made true.", "add_points", enum=list(NAMES)))
    is_done = fields.Boolean(required=True, metadata=said("Is Done", "True if it is true and recorded.", False))


class ResolveInput(Base):
    """What a person found out."""

    happened = Flag(
        "Happened",
        "True: it is true at the issuer, and is recorded. False: it is not; the same request may be sent again.",
        required=True,
        example=True,
    )


class OperationAnswer(Base):
    """One request to do an action."""

    id = fields.String(
        required=True, metadata=said("Operation ID", "ID of the operation.", "op_019ab3c4d5e6e65641363d619b3891f3")
    )
    action = fields.String(
        required=True,
        metadata=said("Action", "What was asked for.", "update-points", enum=[action.name for action in ACTIONS]),
    )
    status = fields.String(
        required=True,
        metadata=said(
            "Status",
            "What came of it. `unknown`: the issuer did not say. The same request with the same key finds out, and so "
            "does the service by itself; after a day it waits for a person (`is_parked`).",
            "succeeded",
            enum=[status.value for status in OperationStatus],
        ),
    )
    has_key = fields.Boolean(
        required=True,
        metadata=said(
            "Has Key",
            "True if a repeat with the request's idempotency key (unique event ID) finds this operation. Of the key "
            "only a hash is kept. False if there was none, and where nothing was done.",
            True,
        ),
    )
    program_id = fields.String(
        required=True,
        allow_none=True,
        metadata=said("Program ID", "Program it was about, if known.", "prog_demo_membership"),
    )
    pass_id = fields.String(
        required=True,
        allow_none=True,
        metadata=said("Pass ID", "Pass it was about, if known.", "pass_019ab3c4d5e6a71f695bc7f5dc3f5e86"),
    )
    answer = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"title": "Answer", "description": "What was answered; null if it did not succeed, and after 7 days."},
    )
    problem = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"title": "Problem", "description": "`code` and `detail` of why it did not succeed, or null."},
    )
    effects = fields.List(
        fields.Nested(EffectAnswer()),
        required=True,
        metadata=said(
            "Effects",
            "What is to be made true at a remote issuer, in order, while that is not settled; else empty.",
            [],
        ),
    )
    next_look_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Next Look At", "When an unknown outcome is looked into next; null if it is not.", None),
    )
    is_parked = fields.Boolean(
        required=True,
        metadata=said("Is Parked", "True if nobody looks into it any more until a person resolves it.", False),
    )
    resolution = fields.Dict(
        required=True,
        allow_none=True,
        metadata={
            "title": "Resolution",
            "description": "`happened`, `by` and `at`: who settled an unknown outcome by hand; null if nobody did.",
        },
    )
    created_at = fields.DateTime(
        required=True, metadata=said("Created At", "When it was asked for.", "2026-11-20T09:30:00.000Z")
    )
    finished_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Finished At", "When it ended; null if it has not.", "2026-11-20T09:30:00.000Z"),
    )


OPERATION, RESOLVE = OperationAnswer(), ResolveInput()
EXAMPLE = {
    **{name: field.metadata.get("examples", [None])[0] for name, field in OPERATION.fields.items()},
    "answer": example({"points": 120, "points_before": 95, "points_change": 25}),
}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Operations", __name__, url_prefix="/v1/operations")
    path = {"in": "path", "name": "operation_id", "description": "ID of the operation."}

    @blueprint.route("/<id:operation_id>", parameters=[path])
    @blueprint.requires("read")
    @blueprint.says(
        operationId="get_operation",
        summary="Get an operation",
        description="What was asked for and what came of it, also where it was refused.",
    )
    @blueprint.answers(OPERATION, EXAMPLE, description="The operation.")
    @blueprint.raises(NotFound)
    def get_operation(caller: Caller, operation_id: str) -> Response:
        return json_answer(_show(_find(caller, operation_id)))

    @blueprint.route("/<id:operation_id>/resolve", methods=["POST"], parameters=[path])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="resolve_operation",
        summary="Say what became of an operation",
        description="Settles an operation whose outcome is `unknown` as you found it at the issuer. That you said so "
        "is recorded.",
    )
    @blueprint.arguments(RESOLVE, example={"happened": True})
    @blueprint.answers(OPERATION, EXAMPLE, description="The operation afterwards.")
    @blueprint.raises(NotFound, NotApplicable, UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable)
    def resolve_operation(caller: Caller, data: dict[str, Any], operation_id: str) -> Response:
        found = _find(caller, operation_id)
        service = current_service()
        with service.remote_work:
            resolve(service, found, happened=data["happened"], by=caller.key_id)
        return json_answer(_show(_find(caller, operation_id)))

    return [blueprint]


def _find(caller: Caller, operation_id: str) -> Operation:
    with current_service().store.read() as connection:
        found = operations.get(connection, caller.account_id, caller.mode, operation_id)
    if found is None:
        raise NotFound(f"There is no operation '{operation_id}' in {caller.mode.value} mode.")
    return found


def _show(found: Operation) -> dict[str, Any]:
    with current_service().store.read() as connection:
        trouble = troubles.get(connection, Kind.OPERATION, found.id)
    return {
        "id": found.id,
        "action": found.action,
        "status": found.status.value,
        "has_key": found.key_digest is not None,
        "program_id": found.program_id,
        "pass_id": found.pass_id,
        "answer": json.loads(found.answer) if found.answer else None,
        "problem": json.loads(found.problem) if found.problem else None,
        "effects": _effects(found),
        "next_look_at": to_text(found.look_at) if found.look_at else None,
        "is_parked": trouble is not None and trouble.parked_at is not None,
        "resolution": json.loads(found.resolution) if found.resolution else None,
        "created_at": to_text(found.created_at),
        "finished_at": to_text(found.finished_at) if found.finished_at else None,
    }


def _effects(found: Operation) -> list[dict[str, Any]]:
    if found.request is None:
        return []
    try:
        plan = plan_of(found)
    except CannotGoOn:
        return []
    return [{"effect": name_of(effect), "is_done": plan.has_done(place)} for place, effect in enumerate(plan.effects)]
