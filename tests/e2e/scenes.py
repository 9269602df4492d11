"""For each action: a pass it can be done to, the request, and how its effect is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from app.actions import ACTIONS
from app.events import types
from tests.e2e.killable import REMOTE
from tests.world import COUPON, GOLD, MEMBERSHIP

POINTS = 25
NEW_NAME = "Grace"

Prepared = list[tuple[str, list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Scene:
    """One action, ready to be played with any number of holders.

    `count` says how often the effect is in the row of a pass. A holder is known by the e-mail address, which no rule
    of the service keeps unique: a second pass would be seen.
    """

    action: str
    event: str
    count: Callable[[Row[Any]], int]
    program: str = MEMBERSHIP
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        """Tell whether the action makes the pass itself."""
        return self.action == "create-pass"

    def email(self, name: str) -> str:
        """Return the address a holder is known by."""
        return f"{name}@example.com"

    def body(self, name: str, remote: bool = False) -> dict[str, Any]:
        """Make the request's body. A new pass of our own has no external ID: only the key protects it."""
        body = {"program_id": self.program, **self.extra}
        if self.creates:
            body["email"] = self.email(name)
        if remote or not self.creates:
            body["external_id"] = _external_id(name, remote)
        return body

    def preparation(self, names: Sequence[str], remote: bool = False) -> Prepared:
        """List the actions, each with its inputs, that bring the passes into the state the scene begins with."""
        if self.creates:
            return []
        known = [{"program_id": self.program, "external_id": _external_id(name, remote)} for name in names]
        made = [{**one, "email": self.email(name)} for one, name in zip(known, names, strict=True)]
        prepared: Prepared = [("create-pass", made)]
        if self.action == "reinstate-pass":
            prepared.append(("revoke-pass", known))
        return prepared


def _external_id(name: str, remote: bool) -> str:
    return f"{REMOTE}{name}" if remote else name


_SCENES = (
    Scene("create-pass", types.PASS_CREATED, lambda row: 1),
    Scene(
        "update-pass", types.PASS_UPDATED, lambda row: int(row.first_name == NEW_NAME), extra={"first_name": NEW_NAME}
    ),
    Scene(
        "update-points",
        types.POINTS_CHANGED,
        lambda row: round(row.points / 100 / POINTS),
        extra={"change": "add", "points": POINTS},
    ),
    Scene("change-tier", types.TIER_CHANGED, lambda row: int(row.tier_id == GOLD), extra={"tier_id": GOLD}),
    Scene("redeem-pass", types.PASS_REDEEMED, lambda row: int(row.redeemed_at is not None), program=COUPON),
    Scene("revoke-pass", types.PASS_REVOKED, lambda row: int(row.revoked_at is not None)),
    Scene("reinstate-pass", types.PASS_REINSTATED, lambda row: int(row.revoked_at is None)),
)
SCENES = {scene.action: scene for scene in _SCENES}
# From the registry: an action without a scene fails here, and is not left out unnoticed.
ALL = [SCENES[action.name] for action in ACTIONS]
