"""The routes of the actions, made from the registry: one for each, and one for its batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, current_app, g, request

from app import errors, logs
from app.accounts.keys import Caller
from app.actions import ACTIONS
from app.answer import example
from app.api import problems
from app.api.blueprint import Blueprint, json_answer, read_idempotency_key
from app.errors import PassrailError
from app.operations.action import Action
from app.operations.record import Answer, Request
from app.operations.repeats import digest_of, fingerprint_of
from app.operations.runner import run
from app.schema import Base
from app.service import Service, current_service
from app.store.unavailable import DatabaseUnavailable

ALWAYS = (
    errors.NotFound,
    errors.AmbiguousPass,
    errors.IdempotencyInProgress,
    errors.InvalidIdempotencyKey,
    errors.IdempotencyKeyReused,
    errors.UpstreamRejected,
    errors.UpstreamUnavailable,
    errors.OutcomeUnknown,
)
BATCH_MAX = 100


def blueprints() -> list[Blueprint]:
    """Make the blueprints of all actions."""
    single = Blueprint("Actions", __name__, url_prefix="/v1/actions")
    batch = Blueprint("Batches", __name__, url_prefix="/v1/actions")
    for action in ACTIONS:
        _add_action(single, action)
        _add_batch(batch, action)
    return [single, batch]


def _add_action(blueprint: Blueprint, action: Action) -> None:
    @blueprint.route(f"/{action.name}", methods=["POST"], endpoint=action.operation_id)
    @blueprint.requires("write")
    @blueprint.says(
        operationId=action.operation_id,
        summary=action.summary,
        description=action.description,
        parameters=["IdempotencyKey"],
    )
    @blueprint.arguments(action.input, example=dict(action.example_input))
    @blueprint.answers(action.answer, example(action.example_details), description="The pass after the action.")
    @blueprint.raises(*ALWAYS, *action.errors)
    def view(caller: Caller, data: dict[str, Any]) -> Response:
        key = read_idempotency_key(data)
        answer = _run(caller, action, data, g.body, key)
        g.operation_id = answer.operation_id
        return json_answer(answer.body, headers={"Idempotent-Replayed": "true"} if answer.replayed else None)


def _run(caller: Caller, action: Action, data: Mapping[str, Any], body: Mapping[str, Any], key: str | None) -> Answer:
    service: Service = current_app.extensions["passrail"]
    digest = None if key is None else digest_of(service, caller.account_id, caller.mode, action.name, key)
    return run(Request(service, caller, action, data, digest, fingerprint_of(body)))


class BatchInput(Base):
    """Several inputs of one action."""

    items = ma.fields.List(
        ma.fields.Dict(),
        required=True,
        validate=ma.validate.Length(1, BATCH_MAX, error=f"Give 1 to {BATCH_MAX} items."),
        metadata={
            "title": "Items",
            "description": f"1 to {BATCH_MAX} inputs of the action. Each succeeds or fails on its own, in order.",
        },
    )


class BatchResult(Base):
    """What came of one item: an answer or a problem, the other is null."""

    index = ma.fields.Integer(required=True, metadata={"title": "Index", "description": "Place of the item, from 0."})
    succeeded = ma.fields.Boolean(
        required=True, metadata={"title": "Succeeded", "description": "True if there is an answer."}
    )
    replayed = ma.fields.Boolean(
        required=True,
        metadata={"title": "Replayed", "description": "True if it is the stored answer of an earlier request."},
    )
    answer = ma.fields.Dict(
        required=True, allow_none=True, metadata={"title": "Answer", "description": "What the action answers, or null."}
    )
    problem = ma.fields.Dict(
        required=True, allow_none=True, metadata={"title": "Problem", "description": "Why it did not succeed, or null."}
    )


class BatchAnswer(Base):
    """What came of each item, in their order."""

    succeeded = ma.fields.Integer(
        required=True, metadata={"title": "Succeeded", "description": "Number of items that succeeded."}
    )
    failed = ma.fields.Integer(
        required=True, metadata={"title": "Failed", "description": "Number of items that failed."}
    )
    results = ma.fields.List(
        ma.fields.Nested(BatchResult()),
        required=True,
        metadata={"title": "Results", "description": "What came of each item, in their order."},
    )


def _add_batch(blueprint: Blueprint, action: Action) -> None:
    answer = example(action.example_details)
    result = {"index": 0, "succeeded": True, "replayed": False, "answer": answer, "problem": None}

    @blueprint.route(f"/{action.name}/batch", methods=["POST"], endpoint=f"{action.operation_id}_batch")
    @blueprint.requires("write")
    @blueprint.says(
        operationId=f"{action.operation_id}_batch",
        summary=f"{action.summary}: up to {BATCH_MAX} at once",
        description=f"Does `{action.name}` for each item, in order. One item's failure does not stop the others. "
        "Each item has an idempotency of its own, by its `unique_event_id`; the header Idempotency-Key is refused.",
    )
    @blueprint.arguments(BATCH_INPUT, example={"items": [dict(action.example_input)]})
    @blueprint.answers(
        BATCH_ANSWER,
        {"succeeded": 1, "failed": 0, "results": [result]},
        description="What came of each item; look at `failed`.",
    )
    @blueprint.raises(errors.InvalidIdempotencyKey)
    def view(caller: Caller, data: dict[str, Any]) -> Response:
        if "Idempotency-Key" in request.headers:
            raise errors.InvalidIdempotencyKey(
                "A batch has no idempotency key of its own. Give each item a unique_event_id."
            )
        refusals: list[PassrailError] = []
        results: list[dict[str, Any]] = []
        try:
            for index, item in enumerate(data["items"]):
                results.append(_run_item(caller, action, index, item, refusals))
        except DatabaseUnavailable as error:
            if not results:
                raise
            # What was done must be told: an item without a key would be done again by a repeat.
            refusals.append(problems.not_ready(error))
            results += [_refused(index, refusals[-1]) for index in range(len(results), len(data["items"]))]
        problems.note_refusals(refusals)
        succeeded = sum(1 for result in results if result["succeeded"])
        return json_answer({"succeeded": succeeded, "failed": len(results) - succeeded, "results": results})


BATCH_INPUT, BATCH_ANSWER = BatchInput(), BatchAnswer()


def _run_item(
    caller: Caller, action: Action, index: int, item: dict[str, Any], refusals: list[PassrailError]
) -> dict[str, Any]:
    """Do one item and return what came of it; its refusal is added to those of the batch."""
    try:
        data: dict[str, Any] = action.input.load(item)
        answer = _run(caller, action, data, item, data.get("unique_event_id"))
    except ma.ValidationError as error:
        refusals.append(problems.from_validation(error))
        return _refused(index, refusals[-1])
    except PassrailError as error:
        refusals.append(error)
        return _refused(index, error)
    told = json.loads(answer.body)
    return {"index": index, "succeeded": True, "replayed": answer.replayed, "answer": told, "problem": None}


def _refused(index: int, error: PassrailError) -> dict[str, Any]:
    return {"index": index, "succeeded": False, "replayed": False, "answer": None, "problem": _problem(error)}


def _problem(error: PassrailError) -> dict[str, Any]:
    return problems.document(error, current_service().settings.public_url, logs.current_request_id() or "")
