"""What can be done to a pass. One module an action; this list is the registry.

A new action is a module and a line here: its route, documentation, idempotency, errors and audit come by
themselves.
"""

from __future__ import annotations

from app.actions import (
    change_tier,
    create_pass,
    redeem_pass,
    reinstate_pass,
    revoke_pass,
    update_pass,
    update_points,
)
from app.operations.action import Action

ACTIONS: tuple[Action, ...] = (
    create_pass.ACTION,
    update_pass.ACTION,
    update_points.ACTION,
    change_tier.ACTION,
    redeem_pass.ACTION,
    revoke_pass.ACTION,
    reinstate_pass.ACTION,
)
