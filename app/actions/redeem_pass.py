"""Redeem a pass: use up a coupon, let a ticket in. Once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields as ma

from app.actions import shared
from app.actions.shared import refuse_kind, refuse_revoked
from app.answer import ActionAnswer, said, to_text
from app.effects import Redeem
from app.errors import AlreadyRedeemed, NotApplicable
from app.model import Kind, Pass, Status
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.refusals import already_redeemed
from app.schema import Number, Text


class RedeemPassInput(shared.ForPass):
    """What the pass was redeemed for."""

    reference = Text("Reference", "Your number of the sale or the entrance.", max_length=120, example="receipt-77")
    amount = Number("Amount", "Value of the sale it was redeemed in.", places=4, example="49.90")


class RedeemPassAnswer(ActionAnswer):
    """The redeemed pass, and what it was redeemed for."""

    redeemed_at = ma.DateTime(
        required=True, metadata=said("Redeemed At", "When it was redeemed.", "2026-11-20T09:30:00.000Z")
    )
    reference = ma.String(
        required=True, allow_none=True, metadata=said("Reference", "Your number of the sale.", "receipt-77")
    )
    amount = ma.Float(required=True, allow_none=True, metadata=said("Amount", "Value of the sale.", 49.9))


def decide(case: Case) -> Decision:
    """Decide whether the pass can be redeemed now."""
    subject = case.subject
    refuse_kind(case, allowed=(Kind.COUPON, Kind.EVENT_TICKET), sentence="Only coupons and event tickets are redeemed.")
    refuse_revoked(subject)
    if subject.redeemed_at is not None:
        raise already_redeemed(case.program.kind, subject.redeemed_at)
    if subject.status(case.now) is Status.EXPIRED and subject.expires_at is not None:
        raise NotApplicable(
            f"This {case.program.kind.words} expired on {to_text(subject.expires_at)}. "
            "Reinstate it with a new expiry first if it should still count."
        )
    redeem = Redeem(at=case.now, reference=case.data.get("reference"), amount=case.data.get("amount"))
    return Decision((redeem,))


def unchanged(subject: Pass) -> Mapping[str, Any]:
    """Return what is told of a pass that was redeemed before: not what for, which its event tells."""
    return {"redeemed_at": to_text(subject.redeemed_at or subject.updated_at), "reference": None, "amount": None}


ACTION = Action(
    name="redeem-pass",
    title="Redeem Pass",
    summary="Use up a coupon, or let a ticket in",
    description="Uses up a coupon or lets an event ticket in. A second redemption is refused and says when the "
    "first one was.",
    input=RedeemPassInput(),
    answer=RedeemPassAnswer(),
    decide=decide,
    errors=(AlreadyRedeemed, NotApplicable),
    example_input={"pass_id": "pass_019ab3c4d5e6a71f695bc7f5dc3f5e86", "reference": "receipt-77", "amount": "49.90"},
    example_details={
        "kind": "coupon",
        "program_id": "prog_demo_coupon",
        "program_name": "Welcome Coupon",
        "tier_id": "tier_demo_welcome",
        "tier_name": "10 % off",
        "status": "redeemed",
        "points": None,
        "redeemed_at": "2026-11-20T09:30:00.000Z",
        "reference": "receipt-77",
        "amount": 49.9,
    },
    unchanged=unchanged,
)
