"""Refusals that actions and issuers put in the same words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from app.answer import number, to_text
from app.errors import AlreadyRedeemed, Duplicate, InsufficientPoints, NotApplicable
from app.model import Kind, Pass


def exists_already(found: Pass) -> Duplicate:
    """Return the refusal to make a second pass of an external ID."""
    return Duplicate(
        f"A pass with the external ID '{found.external_id}' exists already in this program: {found.id}.",
        extra={"pass_id": found.id},
    )


def already_redeemed(kind: Kind, at: datetime) -> AlreadyRedeemed:
    """Return the refusal to redeem a pass twice."""
    when = to_text(at)
    return AlreadyRedeemed(
        f"This {kind.words} was redeemed on {when}. It cannot be redeemed again.", extra={"redeemed_at": when}
    )


def not_enough_points(balance: Decimal, points: Decimal) -> InsufficientPoints:
    """Return the refusal to take more points than there are."""
    return InsufficientPoints(
        f"The pass has {number(balance)} points, {number(points)} cannot be subtracted. "
        "Send allow_negative: true if a negative balance is meant."
    )


def permanently_revoked(at: datetime) -> NotApplicable:
    """Return the refusal to do anything with a pass that was revoked for good."""
    return NotApplicable(f"This pass was permanently revoked on {to_text(at)}. Create a new pass instead.")
