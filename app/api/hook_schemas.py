"""What is said about hooks and deliveries: the inputs and answers of their routes, and examples."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.answer import said
from app.api.paging import PageQuery, page_answer
from app.events import targets
from app.events.backlog import COUNTED
from app.events.deliveries import DeliveryStatus
from app.events.hooks import EVERYTHING, HookStatus
from app.events.types import DESCRIPTIONS, PASS_CREATED, POINTS_CHANGED
from app.schema import Base, Choice, Documented, Flag, Identifier, Instant

HOOK_ID = {"in": "path", "name": "hook_id", "description": "ID of the hook."}
DELIVERY_ID = {"in": "path", "name": "delivery_id", "description": "ID of the delivery."}
CHOICES = (*DESCRIPTIONS, EVERYTHING)


class TargetUrl(Documented):
    """The address of a receiver. Whether it may be one is asked later (`events/targets.py`)."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": targets.LONGEST, "pattern": targets.PATTERN}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("Give an address such as https://example.com/hook.")
        return value


class EventTypes(Documented):
    """Some types of event, or `*` for all."""

    def json_schema(self) -> dict[str, Any]:
        words = {"type": "string", "enum": list(CHOICES)}
        return {"type": "array", "items": words, "minItems": 1, "maxItems": len(CHOICES)}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        is_list = isinstance(value, list) and 1 <= len(value) <= len(CHOICES)
        if not is_list or any(not isinstance(item, str) or item not in CHOICES for item in value):
            raise ma.ValidationError(f'Give a list of event types, or ["*"]. There are: {", ".join(CHOICES)}.')
        return list(value)


class HookInput(Base):
    """A new hook."""

    target_url = TargetUrl(
        "Target URL",
        "Address that events are sent to: https, public, on port 443 or 8443.",
        required=True,
        example="https://hooks.example.com/passrail/4f9x",
    )
    event_types = EventTypes(
        "Event Types", "What it wants to hear of; `*` is everything.", required=True, example=["points.changed"]
    )
    program_id = Identifier(
        "Program", "Only events of this program's passes.", null=True, example="prog_demo_membership"
    )


class HookChanges(Base):
    """What to change of a hook. An absent field is left alone."""

    status = Choice(
        "Status",
        "`paused` keeps events until the hook is `active` again. `active` also revives a disabled hook.",
        choices=(HookStatus.ACTIVE.value, HookStatus.PAUSED.value),
    )
    rotate_secret = Flag("Rotate Secret", "Make a new secret; the old one signs too for 24 hours.")


class TestInput(Base):
    """What to send as a test."""

    event_type = Choice(
        "Event Type", "Which sample to send. Default: the first type of the hook.", choices=tuple(DESCRIPTIONS)
    )


class ReplayInput(Base):
    """Which deliveries to send again, by the time of their events."""

    since = Instant("Since", "Events at this time or later.", required=True, example="2026-11-20T09:00:00Z")
    until = Instant("Until", "Events at this time or earlier. Default: now.", example="2026-11-20T10:00:00Z")


class DeliveryQuery(PageQuery):
    """What a list of deliveries is narrowed to."""

    status = Choice(
        "Status", "Only deliveries with this status.", choices=tuple(status.value for status in DeliveryStatus)
    )


class HookAnswer(Base):
    """A subscription of an address to events."""

    id = ma.fields.String(
        required=True, metadata=said("Hook ID", "ID of the hook.", "hook_019ab3c4d5e61f0c5b1a7d2e9c3f4a5b")
    )
    mode = ma.fields.String(
        required=True, metadata=said("Mode", "World whose events it gets.", "test", enum=["test", "live"])
    )
    target = ma.fields.String(
        required=True,
        metadata=said("Target", "Host and last 4 characters of the address.", "hooks.example.com/…4f9x"),
    )
    event_types = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata=said("Event Types", "What it wants to hear of; `*` is everything.", [POINTS_CHANGED]),
    )
    program_id = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=said("Program ID", "Program it is limited to, if any.", "prog_demo_membership"),
    )
    status = ma.fields.String(
        required=True,
        metadata=said(
            "Status",
            "`disabled` hooks get nothing until they are made active again.",
            "active",
            enum=["active", "paused", "disabled"],
        ),
    )
    disabled_reason = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=said(
            "Disabled Reason",
            "`gone`: the receiver answered 410. `failing`: nothing got through for five days.",
            None,
            enum=["gone", "failing", None],
        ),
    )
    failing_since = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Failing Since", "Since when nothing gets through, or null.", None),
    )
    rests_until = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata=said(
            "Rests Until",
            "After several failures in a row nothing is sent before this time, then one delivery at a time until one "
            "succeeds. Null while it works.",
            None,
        ),
    )
    backlog = ma.fields.Integer(
        required=True,
        metadata=said(
            "Backlog", f"How many deliveries wait, retries included; {COUNTED} stands for {COUNTED} or more.", 0
        ),
    )
    backlog_age_seconds = ma.fields.Float(
        required=True,
        metadata=said("Backlog Age", "For how long the oldest delivery that is due has been due, in seconds.", 0.0),
    )
    created_at = ma.fields.DateTime(
        required=True, metadata=said("Created At", "When it was made.", "2026-11-20T09:30:00.000Z")
    )
    updated_at = ma.fields.DateTime(
        required=True, metadata=said("Updated At", "When it last changed.", "2026-11-20T09:30:00.000Z")
    )


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


class NewHookAnswer(HookAnswer):
    """A new hook, with the secret that is shown this once."""

    secret = ma.fields.String(required=True, metadata=said("Secret", "Verifies signatures. Shown this once.", SECRET))


class ChangedHookAnswer(HookAnswer):
    """A hook after a change; with its new secret, if that was asked for."""

    secret = ma.fields.String(metadata=said("Secret", "The new secret, only where it was rotated.", SECRET))


class AttemptAnswer(Base):
    """One attempt to deliver."""

    at = ma.fields.DateTime(required=True, metadata=said("At", "When it ended.", "2026-11-20T09:30:00.000Z"))
    status_code = ma.fields.Integer(
        required=True, allow_none=True, metadata=said("Status Code", "What the receiver answered, if it did.", 200)
    )
    error = ma.fields.String(
        required=True, allow_none=True, metadata=said("Error", "Why there was no complete answer, or null.", None)
    )
    duration_ms = ma.fields.Integer(required=True, metadata=said("Duration", "How long it took, in milliseconds.", 83))


class DeliveryAnswer(Base):
    """One event on its way to one hook."""

    id = ma.fields.String(
        required=True, metadata=said("Delivery ID", "ID of the delivery.", "dlv_019ab3c4d5e6b2c38a5d1e7f90a1b2c3")
    )
    hook_id = ma.fields.String(
        required=True, metadata=said("Hook ID", "Hook it goes to.", "hook_019ab3c4d5e61f0c5b1a7d2e9c3f4a5b")
    )
    event_id = ma.fields.String(
        required=True,
        metadata=said("Event ID", "Event it tells of, and its `webhook-id`.", "evt_019ab3c4d5e605fc743d85bc9470dc4d"),
    )
    event_type = ma.fields.String(
        required=True, metadata=said("Event Type", "What happened.", POINTS_CHANGED, enum=list(DESCRIPTIONS))
    )
    is_test = ma.fields.Boolean(required=True, metadata=said("Is Test", "True for a sample that was asked for.", False))
    status = ma.fields.String(
        required=True,
        metadata=said(
            "Status",
            "`failed`: given up after all tries. `dropped`: its hook ended first.",
            "delivered",
            enum=[status.value for status in DeliveryStatus],
        ),
    )
    attempts = ma.fields.List(
        ma.fields.Nested(AttemptAnswer()),
        required=True,
        metadata={"title": "Attempts", "description": "What was tried so far, first try first."},
    )
    next_attempt_at = ma.fields.DateTime(
        required=True, allow_none=True, metadata=said("Next Attempt At", "When it is tried next, or null.", None)
    )
    created_at = ma.fields.DateTime(
        required=True, metadata=said("Created At", "When the event happened.", "2026-11-20T09:30:00.000Z")
    )


class ReplayAnswer(Base):
    """How many deliveries are sent again."""

    deliveries = ma.fields.Integer(required=True, metadata=said("Deliveries", "How many are sent again.", 12))


def _example(schema: ma.Schema, **values: Any) -> dict[str, Any]:
    plain = {name: field.metadata["examples"][0] for name, field in schema.fields.items() if name not in values}
    return {name: {**plain, **values}[name] for name in schema.fields}


HOOK, NEW_HOOK, CHANGED_HOOK, DELIVERY = HookAnswer(), NewHookAnswer(), ChangedHookAnswer(), DeliveryAnswer()
HOOK_EXAMPLE = _example(HOOK)
NEW_HOOK_EXAMPLE = _example(NEW_HOOK)
INPUT_EXAMPLE = {
    "target_url": "https://hooks.example.com/passrail/4f9x",
    "event_types": [POINTS_CHANGED, PASS_CREATED],
}
DELIVERY_EXAMPLE = _example(DELIVERY, attempts=[_example(AttemptAnswer())])
PENDING_EXAMPLE = _example(DELIVERY, status="pending", attempts=[], next_attempt_at="2026-11-20T09:30:00.000Z")
HOOK_PAGE = page_answer("HookPage", HOOK)
DELIVERY_PAGE = page_answer("DeliveryPage", DELIVERY)
