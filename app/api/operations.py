"""`GET /v1/operations/{id}`: what was asked for, and what came of it."""

from __future__ import annotations

import json

from flask import Response
from marshmallow import fields

from app.accounts.keys import Caller
from app.actions import ACTIONS
from app.answer import example, said
from app.api.blueprint import Blueprint, json_answer
from app.clock import to_text
from app.errors import NotFound
from app.schema import Base
from app.service import current_service
from app.store import operations
from app.store.operations import OperationStatus


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
            "What came of it. `unknown`: the issuer did not say; the same request with the same key finds out.",
            "succeeded",
            enum=[status.value for status in OperationStatus],
        ),
    )
    unique_event_id = fields.String(
        required=True,
        allow_none=True,
        metadata=said(
            "Unique Event ID",
            "Idempotency key of the request; null if there was none, after 7 days, and where a refusal set it free.",
            "quickbooks-invoice-1001",
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
    created_at = fields.DateTime(
        required=True, metadata=said("Created At", "When it was asked for.", "2026-11-20T09:30:00.000Z")
    )
    finished_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Finished At", "When it ended; null if it has not.", "2026-11-20T09:30:00.000Z"),
    )


OPERATION = OperationAnswer()
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
        with current_service().store.read() as connection:
            found = operations.get(connection, caller.account_id, caller.mode, operation_id)
        if found is None:
            raise NotFound(f"There is no operation '{operation_id}' in {caller.mode.value} mode.")
        return json_answer(
            {
                "id": found.id,
                "action": found.action,
                "status": found.status.value,
                "unique_event_id": found.idempotency_key,
                "program_id": found.program_id,
                "pass_id": found.pass_id,
                "answer": json.loads(found.answer) if found.answer else None,
                "problem": json.loads(found.problem) if found.problem else None,
                "created_at": to_text(found.created_at),
                "finished_at": to_text(found.finished_at) if found.finished_at else None,
            }
        )

    return [blueprint]
