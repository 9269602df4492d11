"""A member's points and tier, and the events that tell of them.

PassKit has no idempotency key (documented). Our ID of the step is therefore written beside each change
(`eventDetails.externalEventId`), with the number of points: `events` then tells what became of it. All functions raise
`failures.PassKitFailure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation

from app.answer import number
from app.effects import AddPoints
from app.errors import FieldError, InsufficientPoints, PassrailError, ValidationFailed
from app.issuers.passkit import values
from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.failures import Lost
from app.issuers.passkit.filters import SCAN, Filters, pages
from app.issuers.passkit.reading import (
    instant_of,
    name_of,
    object_of,
    points_of,
    required,
    same_id,
    text_of,
    texts_by_name,
)
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import without_none
from app.issuers.protocol import Done, Step
from app.refusals import not_enough_points

MEMBER = "/members/member"
EVENTS_PAGE = 500
# The key in an event's `metaData` that says how many points were added or set, as text.
POINTS_KEY = "passrail_points"
EVENT_TYPES = {
    0: "EVENT_MEMBER_DO_NOT_USE",
    1: "EVENT_MEMBER_CHECKED_IN",
    2: "EVENT_MEMBER_CHECKED_OUT",
    3: "EVENT_MEMBER_VERIFIED",
    4: "EVENT_MEMBER_POINTS_EARNED",
    5: "EVENT_MEMBER_POINTS_BURNED",
    6: "EVENT_MEMBER_POINTS_SET",
    7: "EVENT_MEMBER_TIER_CHANGED",
}
SETS_POINTS = EVENT_TYPES[6]
CHANGES_POINTS = frozenset({EVENT_TYPES[4], EVENT_TYPES[5], SETS_POINTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is written down with a change.

    Args:
        id: of the step; whether PassKit refuses one it has seen is not known.
        reason: the caller's own words.
        points: that are added or set.
    """

    id: str
    reason: str | None = field(default=None, repr=False)
    points: Decimal | None = None

    def to_json(self) -> Json:
        """Write it."""
        told = None if self.points is None else {POINTS_KEY: format(self.points, "f")}
        return without_none(externalEventId=self.id, notes=self.reason, metaData=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was done with a member.

    Attributes:
        id: the `externalEventId` it was done with; ours is the ID of the step.
        points: how many were added (negative: taken) or set, where it was this service that did it.
    """

    id: str
    type: str
    member_id: str
    at: datetime | None
    points: Decimal | None


def add(transport: Transport, member_id: str, points: Decimal, details: Details) -> Decimal:
    """`PUT /members/member/points/earn` or `/burn` {id, points, eventDetails} -> balances; return that of points."""
    verb = "earn" if points > 0 else "burn"
    body = {"id": member_id, "points": values.points(abs(points)), "eventDetails": details.to_json()}
    return _change(transport, verb, member_id, body)


def set_balance(transport: Transport, member_id: str, points: Decimal, details: Details) -> Decimal:
    """`PUT /members/member/points/set` {id, points or resetPoints, eventDetails} -> balances after.

    0 is sent as the reset flag, because a plain 0 would change nothing (documented).
    """
    what = {"points": values.points(points)} if points else {"resetPoints": True}
    body = {"id": member_id, **what, "eventDetails": details.to_json()}
    return _change(transport, "set", member_id, body)


def _change(transport: Transport, verb: str, member_id: str, body: Json) -> Decimal:
    def balance(found: Json) -> Decimal:
        same_id(found, member_id)
        if found.get("points") is None:
            raise MalformedAnswer("the balance is missing")
        return points_of(found, "points")

    return transport.write("PUT", f"{MEMBER}/points/{verb}", balance, body)


def change_tier(transport: Transport, program_id: str, member_id: str, tier_id: str, details: Details) -> None:
    """`PUT /members/member/tier` {memberId, programId, tierId, eventDetails} -> MemberEvent."""

    def check(found: Json) -> None:
        same_id(object_of(found, "member"), member_id)

    body = {"memberId": member_id, "programId": program_id, "tierId": tier_id, "eventDetails": details.to_json()}
    transport.write("PUT", f"{MEMBER}/tier", check, body)


def events(transport: Transport, program_id: str, member_id: str) -> list[Event]:
    """`POST /members/program/list/events/{programId}` {filters} -> what PassKit tells of the member's events.

    Filtered by `member.id` (field report). That an event is not among them proves nothing: how long each type is kept
    is a setting of the program, and an empty body is an empty list (documented).

    Raises:
        Lost: there are more than are looked at.
    """
    route = "/members/program/list/events/{programId}"

    def ask(filters: Filters) -> list[Event]:
        return transport.read_list(route, _event, {"filters": filters.to_json()}, path={"programId": program_id})

    found = list(pages(ask, Filters(field="member.id", value=member_id, limit=EVENTS_PAGE)))
    if len(found) >= SCAN:
        raise Lost(f"The member has more than {SCAN:,} events.")
    return [event for event in found if event.member_id in ("", member_id)]


def _event(found: Json) -> Event:
    required(found, "id")
    return Event(
        id=text_of(found, "externalId"),
        type=name_of(found, "eventType", EVENT_TYPES),
        member_id=text_of(object_of(found, "member"), "id"),
        at=instant_of(found, "created") or instant_of(found, "date"),
        points=_points_told(texts_by_name(found, "metaData")),
    )


def _points_told(meta_data: Mapping[str, str]) -> Decimal | None:
    try:
        return Decimal(meta_data[POINTS_KEY])
    except (KeyError, InvalidOperation):
        return None


def done(step: Step, before: Decimal, after: Decimal, notes: tuple[str, ...] = ()) -> Done:
    """Return that the balance was changed."""
    subject = step.subject
    return Done(replace(subject, points=before), replace(subject, points=after, updated_at=step.now), notes)


def problem(balance: Decimal, effect: AddPoints, step: Step, *, may_overdraw: bool) -> PassrailError | None:
    """Say why points cannot be added to a balance: PassKit would refuse it without a reason, or lose something."""
    after = balance + effect.points
    if effect.floor is not None and after < min(effect.floor, balance):
        return not_enough_points(balance, -effect.points)
    if after < min(Decimal(0), balance) and not may_overdraw:
        tier = step.program.tier(step.subject.tier_id)
        return InsufficientPoints(
            f"The pass has {number(balance)} points, {number(-effect.points)} cannot be subtracted: PassKit does not "
            f"let the balance of the tier {tier.name if tier else step.subject.tier_id} go below zero. Allow it in the "
            "tier's settings in PassKit's portal if that is meant."
        )
    if not values.is_kept(after):
        message = f"PassKit keeps about 7 digits of points: a balance of {number(after)} would be changed there."
        return ValidationFailed(errors=[FieldError("points", message)])
    return None
