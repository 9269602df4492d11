"""What an operation is to make true at a remote issuer, and how far it is.

It is kept as JSON in the operation's row before the issuer is sent anything, so that anybody can finish the operation:
a repeat of the request, or the sweep. It names effects and their values by name and carries a version. A row of a
newer version is read as far as its names are known here; one whose effect is not known is left to people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from cattrs import BaseValidationError, Converter

from app.answer import to_text
from app.effects import (
    AddPoints,
    ChangeTier,
    Effect,
    Issue,
    Redeem,
    Reinstate,
    Revoke,
    SetExpiry,
    SetPoints,
    UpdateHolder,
    merged,
)
from app.errors import PassrailError
from app.issuers.protocol import Basis
from app.model import Pass
from app.store.columns import to_json
from app.store.operations import Operation

VERSION = 2

NAMES: Mapping[str, type[Effect]] = {
    "issue": Issue,
    "update_holder": UpdateHolder,
    "add_points": AddPoints,
    "set_points": SetPoints,
    "change_tier": ChangeTier,
    "redeem": Redeem,
    "revoke": Revoke,
    "reinstate": Reinstate,
    "set_expiry": SetExpiry,
}
_NAME_OF = {kind: name for name, kind in NAMES.items()}


def name_of(effect: Effect) -> str:
    """Return the name that an effect has in the database and in the API."""
    return _NAME_OF[type(effect)]


def effect_to_json(effect: Effect) -> dict[str, Any]:
    """Return the effect as JSON values; amounts and instants are texts, so that nothing is rounded."""
    values: dict[str, Any] = converter.unstructure(effect)
    return {"effect": name_of(effect), **values}


def effect_from_json(values: Mapping[str, Any]) -> Effect:
    """Return the effect that `effect_to_json` wrote; attributes that this version does not know are left out.

    Raises:
        KeyError: this version has no effect of that name.
        cattrs.BaseValidationError: a value that is needed is missing or cannot be read.
    """
    kind = NAMES[values["effect"]]
    effect: Effect = converter.structure(dict(values), kind)
    return effect


def make_converter() -> Converter:
    """Return what turns typed values into JSON values and back."""
    made = Converter(forbid_extra_keys=False)
    made.register_unstructure_hook(Decimal, lambda value: format(value, "f"))
    made.register_structure_hook(Decimal, lambda value, _: Decimal(str(value)))
    made.register_unstructure_hook(datetime, to_text)
    made.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    return made


converter = make_converter()


class CannotGoOn(Exception):
    """An operation that this version of the service cannot finish. Somebody must look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an operation does not succeed.

    Attributes:
        code, detail: of the problem.
        asked: how many of the plan's effects were asked for; those after them take back what was tried.
        done: how many of those that were asked for are true, and stay so.
    """

    code: str
    detail: str
    asked: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an operation is to make true, and how far it is.

    Attributes:
        effects: in the order in which they are made true.
        ids: what is written at the issuer beside each of them.
        basis: what was known of the pass before the next effect was first tried.
        done: how many of the effects are true and recorded.
        details: what the answer tells beside the pass.
        notes: sentences that the answer carries.
        reason: the caller's own words.
        refusal: set while the effects at the end take back what was tried; told when they are done.
    """

    effects: tuple[Effect, ...]
    ids: tuple[str, ...]
    basis: Basis
    done: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason: str | None = field(default=None, repr=False)
    refusal: Refusal | None = None

    @property
    def next(self) -> Effect:
        """The effect that is to be made true now."""
        return self.effects[self.done]

    @property
    def is_complete(self) -> bool:
        """Tell whether every effect is true."""
        return self.done == len(self.effects)

    def has_done(self, place: int) -> bool:
        """Tell whether the effect in this place is true and recorded."""
        is_given_up = self.refusal is not None and self.refusal.done <= place < self.refusal.asked
        return place < self.done and not is_given_up

    def after(self, subject: Pass, details: Mapping[str, Any], notes: tuple[str, ...]) -> Plan:
        """Return the plan when the next effect is true and recorded."""
        plan = replace(self, done=self.done + 1, basis=basis_of(subject))
        if self.refusal is not None:  # the answer tells nothing of what was taken back
            return plan
        return replace(plan, details=merged(self.details, details), notes=(*self.notes, *notes))

    def taking_back(self, undo: tuple[Effect, ...], ids: tuple[str, ...], error: PassrailError) -> Plan:
        """Return the plan that makes `undo` true, and is then refused with the error."""
        asked = len(self.effects)
        refusal = Refusal(code=error.code, detail=error.detail, asked=asked, done=self.done)
        return replace(self, effects=(*self.effects, *undo), ids=(*self.ids, *ids), done=asked, refusal=refusal)

    def as_asked(self) -> Plan:
        """Return the plan as it was asked for, when what was tried is taken back: a repeat goes on with it."""
        refusal = self.refusal
        if refusal is None:
            return self
        effects, ids = self.effects[: refusal.asked], self.ids[: refusal.asked]
        return replace(self, effects=effects, ids=ids, done=refusal.done, refusal=None)


def issuer_id(source: str, position: int = 0) -> str:
    """Return what is written at an issuer beside an effect, so that it can be found again.

    Args:
        source: digest of the operation's key, or the operation's ID where it has none. It is hashed, because an issuer
            has no business with what we keep of our callers' keys.
        position: of the effect among those of the operation, from 0.
    """
    return f"{hashlib.sha256(source.encode()).hexdigest()[:32]}-{position}"


def issuer_ids(operation: Operation, positions: Iterable[int]) -> tuple[str, ...]:
    """Return the IDs at the issuer of an operation's effects in these positions."""
    return tuple(issuer_id(operation.key_digest or operation.id, position) for position in positions)


def make_plan(
    operation: Operation, effects: tuple[Effect, ...], basis: Basis, details: Mapping[str, Any], reason: str | None
) -> Plan:
    """Return the plan of an operation that begins."""
    ids = issuer_ids(operation, range(len(effects)))
    return Plan(effects=effects, ids=ids, basis=basis, details=details, reason=reason)


def basis_of(subject: Pass | None) -> Basis:
    """Return what is known of a pass now."""
    if subject is None:
        return Basis()
    return Basis(points=subject.points, tier_id=subject.tier_id, expires_at=subject.expires_at)


def to_request(plan: Plan) -> str:
    """Write what is kept in `operations.request`."""
    return to_json(
        {
            "version": VERSION,
            "effects": [effect_to_json(effect) for effect in plan.effects],
            "ids": list(plan.ids),
            "basis": converter.unstructure(plan.basis),
            "done": plan.done,
            "details": dict(plan.details),
            "notes": list(plan.notes),
            "reason": plan.reason,
            "refusal": None if plan.refusal is None else converter.unstructure(plan.refusal),
        }
    )


def plan_of(operation: Operation) -> Plan:
    """Read what an operation keeps.

    Raises:
        CannotGoOn: it keeps nothing, or something that this version cannot read.
    """
    try:
        kept = json.loads(operation.request or "")
        return Plan(
            effects=tuple(effect_from_json(effect) for effect in kept["effects"]),
            ids=tuple(kept["ids"]),
            basis=converter.structure(kept["basis"], Basis),
            done=kept["done"],
            details=kept["details"],
            notes=tuple(kept["notes"]),
            reason=kept["reason"],
            refusal=converter.structure(kept["refusal"], Refusal) if kept["refusal"] else None,
        )
    except (KeyError, TypeError, ValueError, BaseValidationError) as error:
        raise CannotGoOn(f"Operation {operation.id} keeps something that cannot be read: {error!r}") from error
