"""Update a pass: the holder's data, custom fields, expiry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import fields as ma

from app.actions import shared
from app.actions.shared import refuse_deleted, updates
from app.answer import ActionAnswer, said
from app.errors import NotApplicable
from app.model import Pass
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.schema import Email


class UpdatePassInput(shared.ForPass):
    """What to change. An absent field is left alone, null clears it."""

    # Here the address may be null; it then names no pass.
    json_schema_extra: ClassVar[dict[str, Any]] = {
        "anyOf": [
            *shared.ForPass.json_schema_extra["anyOf"][:2],
            {"required": ["program_id", "email"], "properties": {"email": {"type": "string"}}},
        ]
    }

    email = Email(
        "Email",
        "The holder's new e-mail address; null clears it. With neither a pass ID nor an external ID, it is the "
        "present address and names the pass.",
        null=True,
        example="ada@example.com",
    )
    first_name = shared.first_name(null=True)
    last_name = shared.last_name(null=True)
    phone = shared.phone(null=True)
    fields = shared.custom_fields()  # type: ignore[assignment]
    expires_at = shared.expires_at(null=True)


class UpdatePassAnswer(ActionAnswer):
    """The pass, and what changed."""

    changed = ma.List(
        ma.String(),
        required=True,
        metadata=said("Changed", "Names of the fields that changed; empty if none did.", ["phone"]),
    )


def decide(case: Case) -> Decision:
    """Decide what differs from what is there."""
    refuse_deleted(case.subject)
    data = case.data
    if "pass_id" not in data and "external_id" not in data:
        data = {name: value for name, value in data.items() if name != "email"}
    return Decision(updates(case.subject, case.program, data), unchanged(case.subject))


def unchanged(_subject: Pass) -> Mapping[str, Any]:
    """Return what is told where nothing changes."""
    return {"changed": []}


ACTION = Action(
    name="update-pass",
    title="Update Pass",
    summary="Change a name, a custom field or the expiry",
    description="Changes the holder's data, custom fields or expiry of a pass. What is left out stays as it is; "
    "null clears a value.",
    input=UpdatePassInput(),
    answer=UpdatePassAnswer(),
    decide=decide,
    errors=(NotApplicable,),
    example_input={"pass_id": "pass_019ab3c4d5e6a71f695bc7f5dc3f5e86", "phone": "+44 20 7946 0000"},
    example_details={"changed": ["phone"]},
    unchanged=unchanged,
    email_names_pass=False,
)
