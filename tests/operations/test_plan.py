"""What an open operation keeps can be read by this version, by earlier and by later ones."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

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
)
from app.errors import NotApplicable
from app.issuers.protocol import Basis
from app.model import BUILTIN, Mode, Pass
from app.operations.plan import NAMES, CannotGoOn, Plan, Refusal, issuer_id, make_plan, plan_of, to_request
from app.store.operations import Operation, OperationStatus

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
OPERATION = Operation(
    id="op_1",
    account_id="acct_1",
    mode=Mode.TEST,
    action="update-points",
    status=OperationStatus.UNKNOWN,
    fingerprint="f",
    created_at=NOW,
    key_digest="digest-of-invoice-1",
)
SUBJECT = Pass(
    id="pass_1",
    account_id="acct_1",
    mode=Mode.TEST,
    issuer=BUILTIN,
    program_id="prog_1",
    tier_id="bronze",
    link_token="token",
    created_at=NOW,
    updated_at=NOW,
)
EFFECTS: tuple[Effect, ...] = (
    Issue(
        pass_id="pass_1",
        link_token="token",
        tier_id="bronze",
        external_id="c-1",
        points=Decimal("0.10"),
        holder={"email": "ada@example.com", "phone": None},
        fields={"since": "2026", "old": None},
        expires_at=NOW,
        gives_expiry=True,
        if_exists="update",
    ),
    UpdateHolder(holder={"first_name": None}, fields={"since": None}),
    AddPoints(points=Decimal("999999999.99"), floor=Decimal(0)),
    SetPoints(points=Decimal("1E+2")),
    ChangeTier(tier_id="gold"),
    Redeem(at=NOW, reference="r-1", amount=Decimal("49.90")),
    Revoke(at=NOW, permanent=True),
    Reinstate(expires_at=None),
    SetExpiry(expires_at=NOW),
)


def kept(plan: Plan, **other: Any) -> Operation:
    """Return an operation that keeps the plan, with other values in its JSON."""
    return replace(OPERATION, request=json.dumps({**json.loads(to_request(plan)), **other}))


PLAN = make_plan(OPERATION, EFFECTS, Basis(points=Decimal("10.50"), tier_id="bronze"), {"created": True}, "why")


def test_every_effect_comes_out_as_it_went_in() -> None:
    assert {type(effect) for effect in EFFECTS} == set(NAMES.values())
    full = replace(PLAN, done=3, notes=("One.",), refusal=Refusal(code="not-applicable", detail="No."))
    assert plan_of(kept(full)) == full


def test_while_what_was_tried_is_taken_back_the_plan_keeps_what_was_asked_for() -> None:
    begun = replace(PLAN, done=3)
    taking_back = begun.taking_back((SetExpiry(expires_at=None),), ("back-1",), NotApplicable("No."))
    assert plan_of(kept(taking_back)) == taking_back
    assert (taking_back.next, taking_back.ids[taking_back.done]) == (SetExpiry(expires_at=None), "back-1")
    places = range(len(EFFECTS) + 1)
    assert [place for place in places if taking_back.has_done(place)] == [0, 1, 2]
    taken_back = taking_back.after(SUBJECT, {"changed": ["expires_at"]}, ("A note.",))
    assert taken_back.is_complete
    assert [place for place in places if taken_back.has_done(place)] == [0, 1, 2, len(EFFECTS)]
    assert replace(taken_back.as_asked(), basis=begun.basis) == begun
    assert begun.as_asked() is begun


def test_what_a_later_version_added_does_no_harm() -> None:
    later = json.loads(to_request(PLAN))
    for effect in later["effects"]:
        effect["birthday"] = "1815-12-10"
    later["basis"]["mood"] = "good"
    assert plan_of(kept(PLAN, version=3, priority=7, effects=later["effects"], basis=later["basis"])) == PLAN


def test_what_an_earlier_version_did_not_write_yet_has_a_default() -> None:
    """Whatever is added to an effect later has one, too: a row of today does not have it."""
    had_from_the_start = {
        Issue: {"pass_id", "link_token", "tier_id"},
        AddPoints: {"points"},
        SetPoints: {"points"},
        ChangeTier: {"tier_id"},
        Redeem: {"at"},
        Revoke: {"at"},
        Reinstate: {"expires_at"},
        SetExpiry: {"expires_at"},
        UpdateHolder: set(),
    }
    for kind in NAMES.values():
        needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
        assert needed == had_from_the_start[kind]


@pytest.mark.parametrize(
    "other",
    [
        {"effects": [{"effect": "send_flowers"}]},
        {"effects": [{"effect": "add_points"}]},
        {"effects": [{"effect": "add_points", "points": {}}]},
        {"basis": None},
        {"ids": 5},
        {"effects": None},
    ],
)
def test_what_cannot_be_read_is_said_so(other: dict[str, Any]) -> None:
    with pytest.raises(CannotGoOn, match="op_1"):
        plan_of(kept(PLAN, **other))


@pytest.mark.parametrize("text", [None, "", "{", "[]", "5"])
def test_no_json_of_ours_is_said_so(text: str | None) -> None:
    with pytest.raises(CannotGoOn, match="op_1"):
        plan_of(replace(OPERATION, request=text))


def test_the_id_at_the_issuer_is_that_of_the_request_and_of_nobody_elses() -> None:
    mine = issuer_id("digest-of-invoice-1")
    assert mine == make_plan(OPERATION, EFFECTS, Basis(), {}, None).ids[0]
    others = {issuer_id("digest-of-invoice-2"), issuer_id("digest-of-invoice-1", position=1)}
    assert len(others | {mine}) == 3
    assert "invoice" not in mine


def test_without_a_key_the_operation_itself_is_the_request() -> None:
    one, other = replace(OPERATION, key_digest=None), replace(OPERATION, key_digest=None, id="op_2")
    assert make_plan(one, EFFECTS, Basis(), {}, None).ids != make_plan(other, EFFECTS, Basis(), {}, None).ids
