"""Reinstate a pass: undo a revoke, or give an expired pass a new expiry."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.actions import shared
from app.actions.shared import refuse_deleted
from app.answer import ActionAnswer, to_text
from app.effects import Reinstate
from app.errors import FieldError, NotApplicable, ValidationFailed
from app.model import Pass, Status
from app.operations.action import Action, Decision
from app.operations.lookup import Case


class ReinstatePassInput(shared.ForPass):
    """Why, and until when."""

    reason = shared.reason("Refund was a mistake")
    expires_at = shared.expires_at(null=True)


def decide(case: Case) -> Decision:
    """Decide whether the pass becomes valid again. One that is valid already is left as it is."""
    subject = case.subject
    refuse_deleted(subject)
    if subject.status(case.now) is Status.REDEEMED:
        raise NotApplicable(f"This {case.program.kind.words} was redeemed. Create a new one instead.")
    expires_at = subject.expires_at
    if replace(subject, revoked_at=None).status(case.now) is Status.EXPIRED:
        expires_at = _new_expiry(case, subject)
    elif "expires_at" in case.data and subject.revoked_at is not None:
        expires_at = _future(case)
    if subject.revoked_at is None and expires_at == subject.expires_at:
        return Decision()
    return Decision((Reinstate(expires_at=expires_at),))


def _new_expiry(case: Case, subject: Pass) -> datetime | None:
    if "expires_at" not in case.data:
        assert subject.expires_at is not None
        raise NotApplicable(
            f"This pass expired on {to_text(subject.expires_at)}. Give a new expires_at to make it valid again."
        )
    return _future(case)


def _future(case: Case) -> datetime | None:
    expires_at: datetime | None = case.data["expires_at"]
    if expires_at is not None and expires_at <= case.now:
        raise ValidationFailed(errors=[FieldError("expires_at", "Give a time in the future, or null for never.")])
    return expires_at


ACTION = Action(
    name="reinstate-pass",
    title="Reinstate Pass",
    summary="Make a revoked or expired pass valid again",
    description="Undoes a revoke that was not permanent. An expired pass becomes valid again when a new expiry is "
    "given. A pass that is valid already is left as it is.",
    input=ReinstatePassInput(),
    answer=ActionAnswer(),
    decide=decide,
    errors=(NotApplicable,),
    example_input={"program_id": "prog_demo_membership", "external_id": "customer-501"},
    example_details={},
)
