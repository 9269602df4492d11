"""Change tier: move a pass to another tier of its program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields as ma

from app.actions import shared
from app.actions.shared import refuse_revoked, refuse_unknown_tier
from app.answer import ActionAnswer, said
from app.effects import ChangeTier
from app.errors import NotApplicable
from app.model import Pass
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.schema import Identifier


class ChangeTierInput(shared.ForPass):
    """The tier that the pass moves to."""

    tier_id = Identifier("Tier", "Tier of the pass's program to move to.", required=True, example="tier_demo_gold")
    reason = shared.reason("Spent more than 1000 this year")


class ChangeTierAnswer(ActionAnswer):
    """The pass on its new tier, and the one it was on."""

    tier_before = ma.String(
        required=True, metadata=said("Tier Before", "ID of the tier before the action.", "tier_demo_bronze")
    )


def decide(case: Case) -> Decision:
    """Decide the tier. The same tier again is a success that changes nothing."""
    refuse_revoked(case.subject)
    tier_id = case.data["tier_id"]
    refuse_unknown_tier(case.program, tier_id)
    effects = () if tier_id == case.subject.tier_id else (ChangeTier(tier_id=tier_id),)
    return Decision(effects, unchanged(case.subject))


def unchanged(subject: Pass) -> Mapping[str, Any]:
    """Return what is told where the pass stays on its tier."""
    return {"tier_before": subject.tier_id}


ACTION = Action(
    name="change-tier",
    title="Change Tier",
    summary="Move a pass to another tier",
    description="Moves a pass to another tier of its program. The same tier again is a success that changes nothing.",
    input=ChangeTierInput(),
    answer=ChangeTierAnswer(),
    decide=decide,
    errors=(NotApplicable,),
    example_input={
        "program_id": "prog_demo_membership",
        "external_id": "customer-501",
        "tier_id": "tier_demo_gold",
    },
    example_details={"tier_id": "tier_demo_gold", "tier_name": "Gold", "tier_before": "tier_demo_bronze"},
    unchanged=unchanged,
)
