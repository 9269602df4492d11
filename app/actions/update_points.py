"""Update points: add, subtract or set a membership's balance, in points or in money times a rate."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma

from app.actions import shared
from app.actions.shared import refuse_kind, refuse_revoked
from app.answer import ActionAnswer, number, said
from app.effects import AddPoints, SetPoints
from app.errors import FieldError, InsufficientPoints, NotApplicable, ValidationFailed
from app.model import POINTS_MAX, Kind, Pass
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.refusals import not_enough_points
from app.schema import Choice, Flag, Number


class UpdatePointsInput(shared.ForPass):
    """How the balance changes."""

    json_schema_extra: ClassVar[dict[str, Any]] = {
        **shared.ForPass.json_schema_extra,
        "oneOf": [{"required": ["points"]}, {"required": ["amount"]}],
        "dependentRequired": {"amount": ["points_per_unit"], "points_per_unit": ["amount"]},
    }

    change = Choice(
        "Change",
        "Add to the balance, subtract from it, or set it.",
        choices=("add", "subtract", "set"),
        required=True,
        example="add",
    )
    points = Number(
        "Points", "Number of points, with at most 2 decimal places. Or give an amount.", places=2, example=25
    )
    amount = Number(
        "Amount",
        "Money spent, instead of points: it is multiplied by Points Per Unit and rounded down to whole points.",
        places=4,
        example="49.90",
    )
    points_per_unit = Number(
        "Points Per Unit",
        "Points for each unit of the amount.",
        places=4,
        maximum=Decimal(1_000_000),
        above_zero=True,
        example=1,
    )
    reason = shared.reason("Invoice 1001 paid")
    allow_negative = Flag("Allow Negative", "Let the balance go below zero.", default=False, advanced=True)

    @validates_schema
    def either_points_or_amount(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Points, or an amount with its rate: never both, never neither."""
        if ("points" in data) == ("amount" in data):
            raise ValidationError({"points": ["Give either points, or amount with points_per_unit."]})
        if ("amount" in data) != ("points_per_unit" in data):
            raise ValidationError({"points_per_unit": ["Give it together with amount, and only then."]})


class UpdatePointsAnswer(ActionAnswer):
    """The pass with its new balance, and what it was before."""

    points_before = ma.Float(required=True, metadata=said("Points Before", "Balance before the action.", 95))
    points_change = ma.Float(
        required=True, metadata=said("Points Change", "Difference; negative when points were taken.", 25)
    )


def decide(case: Case) -> Decision:
    """Decide what is added to the balance, or what it is set to."""
    refuse_kind(case, allowed=(Kind.MEMBERSHIP,), sentence="Only memberships have points.")
    refuse_revoked(case.subject)
    before = case.subject.points or Decimal(0)
    effect = _effect(case.data, _points(case.data))
    after = effect.on(case.subject, case.now).points or Decimal(0)
    if isinstance(effect, AddPoints) and effect.floor is not None and after < min(effect.floor, before):
        raise not_enough_points(before, before - after)
    if abs(after) > POINTS_MAX:
        raise ValidationFailed(errors=[FieldError("points", f"The balance would be beyond {POINTS_MAX}.")])
    return Decision(() if after == before else (effect,), unchanged(case.subject))


def unchanged(subject: Pass) -> Mapping[str, Any]:
    """Return what is told where the balance stays as it is."""
    return {"points_before": number(subject.points or Decimal(0)), "points_change": 0}


def _effect(data: Mapping[str, Any], points: Decimal) -> AddPoints | SetPoints:
    match data["change"]:
        case "add":
            return AddPoints(points=points)
        case "subtract":
            return AddPoints(points=-points, floor=None if data["allow_negative"] else Decimal(0))
        case _:
            return SetPoints(points=points)


def _points(data: Mapping[str, Any]) -> Decimal:
    if "points" in data:
        return Decimal(data["points"])
    return Decimal(data["amount"] * data["points_per_unit"]).to_integral_value(ROUND_DOWN)


ACTION = Action(
    name="update-points",
    title="Update Points",
    summary="Add, subtract or set the balance",
    description="Changes the balance of a membership. Instead of points, an amount of money and a rate can be "
    "given. A repeat with the same unique event ID counts once.",
    input=UpdatePointsInput(),
    answer=UpdatePointsAnswer(),
    decide=decide,
    errors=(NotApplicable, InsufficientPoints),
    example_input={
        "program_id": "prog_demo_membership",
        "external_id": "customer-501",
        "change": "add",
        "points": 25,
        "reason": "Invoice 1001 paid",
        "unique_event_id": "quickbooks-invoice-1001",
    },
    example_details={"points": 120, "points_before": 95, "points_change": 25},
    unchanged=unchanged,
)
