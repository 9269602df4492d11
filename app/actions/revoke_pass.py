"""Revoke a pass: after a refund, or when an account is closed. With a way back, or for good."""

from __future__ import annotations

from app.actions import shared
from app.answer import ActionAnswer
from app.effects import Revoke
from app.operations.action import Action, Decision
from app.operations.lookup import Case
from app.schema import Flag


class RevokePassInput(shared.ForPass):
    """Why, and whether for good."""

    reason = shared.reason("Invoice 1001 refunded")
    permanent = Flag(
        "Permanent",
        "Delete the record at the issuer and the holder's data here, too. This cannot be undone, and the external "
        "ID may then be used for a new pass.",
        default=False,
        advanced=True,
    )


def decide(case: Case) -> Decision:
    """Decide what there is left to revoke. What is revoked already is a success that changes nothing."""
    subject, permanent = case.subject, case.data["permanent"]
    if subject.deleted_at is not None or (subject.revoked_at is not None and not permanent):
        return Decision()
    return Decision((Revoke(at=case.now, permanent=permanent),))


ACTION = Action(
    name="revoke-pass",
    title="Revoke Pass",
    summary="Take a pass out of use, for now or for good",
    description="Makes a pass invalid, after a refund or when an account is closed. It can be reinstated, unless "
    "it was revoked permanently: then the record and the holder's data are deleted. See /docs/revoke for what this "
    "means in the wallet and on the bill.",
    input=RevokePassInput(),
    answer=ActionAnswer(),
    decide=decide,
    errors=(),
    example_input={
        "program_id": "prog_demo_membership",
        "external_id": "customer-501",
        "reason": "Invoice 1001 refunded",
        "unique_event_id": "quickbooks-refund-77",
    },
    example_details={"status": "revoked"},
)
