"""What happens to members: points, tiers, check-in and check-out. The lists of it are in `event_lists.py`."""

from __future__ import annotations

from collections.abc import Callable
from operator import add, sub
from typing import Any

from tests.fakes.passkit import members
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record, float32

EVENT = "members.MemberEvent"
POINTS = "members.MemberPoints"
LONGEST_EVENT_ID = 255
_BALANCES = ("points", "secondaryPoints", "tierPoints")
_RESET = {"points": "resetPoints", "secondaryPoints": "resetSecondaryPoints", "tierPoints": "resetTierPoints"}
_MAY_BE_NEGATIVE = {"points": "pointsOverdrawn", "secondaryPoints": "secondaryPointsOverdrawn"}
_LARGEST_TIER_POINTS = 2**32 - 1


@route("PUT", "/members/member/points/earn", takes="members.EarnBurnPointsRequest", gives=POINTS)
def earn(call: Call) -> Record:
    """Add points. There is no idempotency key: the same request again adds again."""
    return _move(call, add, "EVENT_MEMBER_POINTS_EARNED")


@route("PUT", "/members/member/points/burn", takes="members.EarnBurnPointsRequest", gives=POINTS)
def burn(call: Call) -> Record:
    """Take points away, below zero only where the tier allows it."""
    return _move(call, sub, "EVENT_MEMBER_POINTS_BURNED")


def _move(call: Call, operation: Callable[[Any, Any], Any], event_type: str) -> Record:
    record = members.wanted(call)
    moved = {name: call.body[name] for name in _BALANCES if name in call.body}
    if not moved:
        raise call.invalid("points", "required_without_all")
    balances = {name: operation(record.get(name, 0), amount) for name, amount in moved.items()}
    return _settle(call, record, balances, event_type)


@route("PUT", "/members/member/points/set", takes="members.SetPointsRequest", gives=POINTS)
def set_points(call: Call) -> Record:
    """Set points. Zero needs its reset flag, because a zero cannot be seen."""
    record = members.wanted(call)
    balances = {name: call.body[name] for name in _BALANCES if name in call.body}
    balances.update({name: 0 for name, flag in _RESET.items() if call.body.get(flag)})
    if not balances:
        raise call.invalid("points", "required_without_all")
    return _settle(call, record, balances, "EVENT_MEMBER_POINTS_SET")


def _settle(call: Call, record: Record, balances: Record, event_type: str) -> Record:
    """Store new balances, with the precision of a float32, and note the event."""
    members.check_living(record)
    for name in _BALANCES:
        if call.body.get(name, 0) < 0:
            raise call.invalid(name, "gte")
    tier_id = call.body.get("tierId") or record["tierId"]
    tier = members.check_tier(call, record["programId"], tier_id)
    for name, balance in balances.items():
        if balance < 0 and not tier.get(_MAY_BE_NEGATIVE.get(name, "")):
            raise Refusal(call.switches.overdrawn_status, f"insufficient {name}")
        balances[name] = min(balance, _LARGEST_TIER_POINTS) if name == "tierPoints" else float32(balance)
    details = call.body.get("eventDetails", {})
    _check_event_id(call, record["programId"], details, "eventDetails.externalEventId")
    record["tierId"] = tier_id
    record.update(balances)
    _note(call, record, event_type, details)
    return record


@route("PUT", "/members/member/tier", takes="members.ChangeTierRequest", gives=EVENT, required="tierId")
def change_tier(call: Call) -> Record:
    """Move a member to another tier. The member is called otherwise than in earn and burn."""
    record = members.wanted(call, "memberId", "externalMemberId")
    members.check_living(record)
    members.check_tier(call, record["programId"], call.body["tierId"])
    details = call.body.get("eventDetails", {})
    _check_event_id(call, record["programId"], details, "eventDetails.externalEventId")
    record.update(tierId=call.body["tierId"], currentTierAwarded=call.state.now_text())
    return _note(call, record, "EVENT_MEMBER_TIER_CHANGED", details)


@route("POST", "/members/member/checkIn", takes="members.MemberCheckInOutRequest", gives=EVENT)
def check_in(call: Call) -> Record:
    """Note that a member came."""
    return _visit(call, "CHECKED_IN")


@route("POST", "/members/member/checkOut", takes="members.MemberCheckInOutRequest", gives=EVENT)
def check_out(call: Call) -> Record:
    """Note that a member left."""
    return _visit(call, "CHECKED_OUT")


def _visit(call: Call, status: str) -> Record:
    record = members.wanted(call, "memberId", "externalMemberId")
    members.check_living(record)
    _check_event_id(call, record["programId"], call.body, "externalEventId")
    record["status"] = status
    return _note(call, record, f"EVENT_MEMBER_{status}", call.body)


def _check_event_id(call: Call, program_id: str, details: Record, field: str) -> None:
    event_id = details.get("externalEventId", "")
    if len(event_id) > LONGEST_EVENT_ID:
        raise call.invalid(field, "max")
    if event_id and call.switches.refuse_repeated_event_ids:
        for event in call.state.member_events:
            if event.get("externalId") == event_id and event["member"]["programId"] == program_id:
                raise Refusal(409, f"member event [{event_id}] already exists")


def _note(call: Call, record: Record, event_type: str, details: Record) -> Record:
    """Write down an event. The caller's `externalEventId` is the event's `externalId`."""
    now = call.state.now_text()
    record["updated"] = now
    names = ("id", "externalId", "groupingIdentifier", "tierId", "programId", "person")
    event: Record = {
        **{name: details[name] for name in ("address", "lat", "lon", "alt", "metaData", "notes") if name in details},
        **{name: details[name] for name in details if name.startswith("external") and name != "externalMemberId"},
        "id": call.state.new_id(),
        "member": {name: record[name] for name in names if name in record},
        "eventType": event_type,
        "date": now,
        "created": now,
    }
    event_id = event.pop("externalEventId", "")
    if event_id:
        event["externalId"] = event_id
    call.state.member_events.add(event["id"], event)
    call.count(record, event_id)
    call.publish(members.PROTOCOL, "UPDATED", record)
    return event
