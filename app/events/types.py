"""The kinds of event, and what each tells."""

from __future__ import annotations

PASS_CREATED = "pass.created"
PASS_UPDATED = "pass.updated"
PASS_INSTALLED = "pass.installed"
PASS_UNINSTALLED = "pass.uninstalled"
POINTS_CHANGED = "points.changed"
TIER_CHANGED = "tier.changed"
PASS_REDEEMED = "pass.redeemed"
PASS_REVOKED = "pass.revoked"
PASS_REINSTATED = "pass.reinstated"
PASS_EXPIRED = "pass.expired"
HOOK_DISABLED = "hook.disabled"

DESCRIPTIONS = {
    PASS_CREATED: "A pass was issued.",
    PASS_UPDATED: "The holder's data, custom fields or expiry changed; `changed` names what.",
    PASS_INSTALLED: "The holder put the pass into a wallet.",
    PASS_UNINSTALLED: "The holder took the pass out of the wallet, or switched its updates off.",
    POINTS_CHANGED: "The balance changed, by `points_change`.",
    TIER_CHANGED: "The pass moved to another tier, from `tier_before`.",
    PASS_REDEEMED: "A coupon or ticket was redeemed.",
    PASS_REVOKED: "The pass was revoked.",
    PASS_REINSTATED: "A revoked or expired pass was made valid again.",
    PASS_EXPIRED: "The pass expired.",
    HOOK_DISABLED: "A hook was given up: its receiver said that it is gone, or failed for five days.",
}


def title_of(event_type: str) -> str:
    """Return the type as people read it: `points.changed` is Points Changed."""
    return event_type.replace(".", " ").title()
