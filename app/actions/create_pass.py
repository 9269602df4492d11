"""Create a pass: a membership card, a coupon or an event ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields as ma

from app.actions import shared
from app.actions.shared import check_custom_fields, refuse_kind, refuse_unknown_tier, updates
from app.answer import ActionAnswer, said
from app.effects import Issue
from app.errors import Duplicate, NotApplicable
from app.model import HOLDER_FIELDS, IdKind, Kind, Pass, new_id, new_link_token
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.refusals import exists_already
from app.schema import Choice, Email, Identifier, Number, Text


class CreatePassInput(shared.Repeatable):
    """What a new pass is made from."""

    program_id = Identifier("Program", "Program to issue the pass from.", required=True, example="prog_demo_membership")
    tier_id = Identifier("Tier", "Tier of the new pass. Default: the program's first.", example="tier_demo_bronze")
    external_id = Text(
        "External ID",
        "Your own ID of the holder or purchase. The same one never makes a second pass in a program.",
        max_length=120,
        example="customer-501",
    )
    email = Email("Email", "The holder's e-mail address.", null=True, example="ada@example.com")
    first_name = shared.first_name(null=True)
    last_name = shared.last_name(null=True)
    phone = shared.phone(null=True)
    points = Number("Points", "Balance to start with. Memberships only.", places=2, example=20)
    expires_at = shared.expires_at(null=True)
    fields = shared.custom_fields()  # type: ignore[assignment]
    if_exists = Choice(
        "If It Exists",
        "What to do when the program has a pass with this external ID: return it unchanged, update its holder, "
        "custom fields and expiry, or answer with an error.",
        choices=("return", "update", "error"),
        default="return",
        advanced=True,
    )


class CreatePassAnswer(ActionAnswer):
    """The pass, whether it is new, and what was updated if it is not."""

    created = ma.Boolean(
        required=True, metadata=said("Created", "True if the pass is new, false if it was there before.", True)
    )
    changed = ma.List(
        ma.String(),
        required=True,
        metadata=said("Changed", "Names of the fields that were updated on a pass that was there before.", []),
    )


def decide(case: Case) -> Decision:
    """Decide what the new pass looks like, or what happens to the one that is there."""
    if case.found is not None:
        return _existing(case, case.found)
    data, program = case.data, case.program
    tier_id = data.get("tier_id", program.tiers[0].id)
    refuse_unknown_tier(program, tier_id)
    if "points" in data:
        refuse_kind(case, allowed=(Kind.MEMBERSHIP,), sentence="Only memberships have points; leave them out.")
    check_custom_fields(program, data.get("fields", {}), complete=True)
    new = Issue(
        pass_id=new_id(IdKind.PASS),
        link_token=new_link_token(),
        tier_id=tier_id,
        external_id=data.get("external_id"),
        points=data.get("points"),
        holder={name: data[name] for name in HOLDER_FIELDS if name in data},
        fields=data.get("fields", {}),
        expires_at=data.get("expires_at"),
        gives_expiry="expires_at" in data,
        if_exists=data["if_exists"],
    )
    return Decision((new,))


def _existing(case: Case, found: Pass) -> Decision:
    match case.data["if_exists"]:
        case "error":
            raise exists_already(found)
        case "update":
            return Decision(updates(found, case.program, case.data), unchanged(found))
    return Decision((), unchanged(found))


def unchanged(_subject: Pass) -> Mapping[str, Any]:
    """Return what is told where the pass was there before."""
    return {"created": False, "changed": []}


ACTION = Action(
    name="create-pass",
    title="Create Pass",
    summary="Give somebody a card, coupon or ticket",
    description="Issues a pass from a program and answers with the link to send to the holder. With an external ID "
    "it can be repeated safely: the program never gets a second pass for it.",
    input=CreatePassInput(),
    answer=CreatePassAnswer(),
    decide=decide,
    errors=(Duplicate, NotApplicable),
    example_input={
        "program_id": "prog_demo_membership",
        "external_id": "customer-501",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "unique_event_id": "quickbooks-customer-501-created",
    },
    example_details={"created": True, "changed": [], "points": 0},
    unchanged=unchanged,
    creates=True,
)
