"""Create a pass: a membership card, a coupon or an event ticket."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from marshmallow import fields as ma

from app import identifiers
from app.actions import inputs
from app.actions.action import Action, Case
from app.actions.rules import HOLDER_FIELDS, check_custom_fields, refuse_kind, refuse_unknown_tier, take_over
from app.answer import ActionAnswer, said
from app.errors import Duplicate, NotApplicable
from app.events.types import PASS_CREATED, PASS_UPDATED
from app.model import Change, Kind, Pass
from app.schema import Choice, Email, Identifier, Number, Text


class CreatePassInput(inputs.Repeatable):
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
    first_name = inputs.first_name(null=True)
    last_name = inputs.last_name(null=True)
    phone = inputs.phone(null=True)
    points = Number("Points", "Balance to start with. Memberships only.", places=2, example=20)
    expires_at = inputs.expires_at(null=True)
    fields = inputs.custom_fields()  # type: ignore[assignment]
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


def decide(case: Case) -> Change:
    """Decide what the new pass looks like, or what happens to the one that is there."""
    if case.found is not None:
        return _existing(case, case.found)
    data, program = case.data, case.program
    tier_id = data.get("tier_id", program.tiers[0].id)
    refuse_unknown_tier(program, tier_id)
    if "points" in data:
        refuse_kind(case, allowed=(Kind.MEMBERSHIP,), sentence="Only memberships have points; leave them out.")
    check_custom_fields(program, data.get("fields", {}), complete=True)
    holder: dict[str, Any] = {name: data.get(name) for name in HOLDER_FIELDS}
    new = Pass(
        id=identifiers.new_id(identifiers.PASS),
        account_id=program.account_id,
        mode=program.mode,
        issuer=program.issuer,
        program_id=program.id,
        tier_id=tier_id,
        link_token=identifiers.new_link_token(),
        created_at=case.now,
        updated_at=case.now,
        external_id=data.get("external_id"),
        points=data.get("points", Decimal(0)) if program.kind is Kind.MEMBERSHIP else None,
        fields={name: text for name, text in data.get("fields", {}).items() if text is not None},
        expires_at=data.get("expires_at"),
        **holder,
    )
    return Change(None, new, PASS_CREATED, {"created": True, "changed": []})


def _existing(case: Case, found: Pass) -> Change:
    match case.data["if_exists"]:
        case "error":
            raise Duplicate(
                f"A pass with the external ID '{found.external_id}' exists already in this program: {found.id}.",
                extra={"pass_id": found.id},
            )
        case "update":
            after, changed = take_over(found, case.program, case.data)
            if changed:
                after = replace(after, updated_at=case.now)
                return Change(found, after, PASS_UPDATED, {"created": False, "changed": changed})
    return Change(found, found, None, {"created": False, "changed": []})


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
    creates=True,
)
