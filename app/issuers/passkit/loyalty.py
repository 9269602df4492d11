"""What counts for a member: points, tier, visits, and the events that tell of them.

PassKit has no idempotency key (documented). What counts each time (earn, burn, check-in, check-out) is therefore never
repeated once a byte was sent. Write our operation's ID into `EventDetails.event_id`: `find_event` then tells what
became of it. All functions raise `failures.PassKitFailure`; Raises names what to expect in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.issuers.passkit import values
from app.issuers.passkit.failures import InvalidRequest, Unavailable
from app.issuers.passkit.filters import SCAN, Filters, pages, where
from app.issuers.passkit.records import MemberEvent, MemberPoints, member_event, member_points
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import given, without_none

MEMBER = "/members/member"
EVENTS_PAGE = 500
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventDetails:
    """What is written down with a change (`eventDetails`).

    Args:
        event_id: `externalEventId`, 255 characters at most; put our operation's ID there, it comes back as
            `MemberEvent.external_id`. Whether PassKit refuses an ID it has seen is not known.
        notes, meta_data: free text.
    """

    event_id: str | None = None
    notes: str | None = field(default=None, repr=False)
    meta_data: Mapping[str, str] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any] | None:
        """Write it; None when there is nothing to write."""
        return (
            without_none(
                externalEventId=given(self.event_id, values.event_id),
                notes=self.notes,
                metaData=given(self.meta_data, values.meta_data),
            )
            or None
        )


NO_DETAILS = EventDetails()


def earn(
    transport: Transport, member_id: str, points: Decimal, details: EventDetails = NO_DETAILS, *, tier_points: int = 0
) -> MemberPoints:
    """`PUT /members/member/points/earn` {id, points, tierPoints, eventDetails} -> balances after.

    PassKit has no idempotency key (documented), so nothing is repeated once a byte was sent.

    Raises:
        Unclear: look for `details.event_id` among the member's events, else compare with the balance read before.
        InvalidRequest: 0, which PassKit takes for absent; or a value that does not survive.
    """
    return _count(transport, "earn", member_id, points, tier_points, details)


def burn(
    transport: Transport, member_id: str, points: Decimal, details: EventDetails = NO_DETAILS, *, tier_points: int = 0
) -> MemberPoints:
    """`PUT /members/member/points/burn`, as `earn`.

    Raises:
        Refused: the balance would go below zero and the tier forbids it (the status code for that is not known).
        Unclear, InvalidRequest: as `earn`.
    """
    return _count(transport, "burn", member_id, points, tier_points, details)


def _count(
    transport: Transport, verb: str, member_id: str, points: Decimal, tier_points: int, details: EventDetails
) -> MemberPoints:
    if not points and not tier_points:
        raise InvalidRequest("PassKit takes 0 points for none at all.")
    body = without_none(
        id=member_id,
        points=values.points(points) or None,
        tierPoints=values.tier_points(tier_points) or None,
        eventDetails=details.to_json(),
    )
    return transport.send(Effect.EVERY_TIME, "PUT", f"{MEMBER}/points/{verb}", member_points, body)


def set_points(
    transport: Transport,
    member_id: str,
    points: Decimal | None = None,
    details: EventDetails = NO_DETAILS,
    *,
    tier_points: int | None = None,
) -> MemberPoints:
    """`PUT /members/member/points/set` {id, points, tierPoints, resetPoints, resetTierPoints, eventDetails}.

    0 is sent as the reset flag, because a plain 0 would change nothing (documented).

    Raises:
        InvalidRequest: nothing is to be set, or a value does not survive.
    """
    if points is None and tier_points is None:
        raise InvalidRequest("Say which points to set.")
    body = without_none(
        id=member_id,
        points=values.points(points) if points else None,
        resetPoints=True if points is not None and not points else None,
        tierPoints=values.tier_points(tier_points) if tier_points else None,
        resetTierPoints=True if tier_points == 0 else None,
        eventDetails=details.to_json(),
    )
    return transport.send(Effect.IDEMPOTENT, "PUT", f"{MEMBER}/points/set", member_points, body)


def change_tier(
    transport: Transport, program_id: str, member_id: str, tier_id: str, details: EventDetails = NO_DETAILS
) -> MemberEvent:
    """`PUT /members/member/tier` {memberId, programId, tierId, eventDetails} -> MemberEvent.

    Repeating it changes nothing more, but may write a second event.
    """
    body = without_none(memberId=member_id, programId=program_id, tierId=tier_id, eventDetails=details.to_json())
    return transport.send(Effect.IDEMPOTENT, "PUT", f"{MEMBER}/tier", member_event, body)


def check_in(transport: Transport, program_id: str, member_id: str, details: EventDetails = NO_DETAILS) -> MemberEvent:
    """`POST /members/member/checkIn` {memberId, programId, externalEventId, notes, metaData} -> MemberEvent.

    The details lie at the top of the body here. Never repeated once a byte was sent; Unclear as for `earn`.
    """
    return _check(transport, "checkIn", program_id, member_id, details)


def check_out(transport: Transport, program_id: str, member_id: str, details: EventDetails = NO_DETAILS) -> MemberEvent:
    """`POST /members/member/checkOut`, as `check_in`."""
    return _check(transport, "checkOut", program_id, member_id, details)


def _check(transport: Transport, verb: str, program_id: str, member_id: str, details: EventDetails) -> MemberEvent:
    body = {"memberId": member_id, "programId": program_id, **(details.to_json() or {})}
    return transport.send(Effect.EVERY_TIME, "POST", f"{MEMBER}/{verb}", member_event, body)


def events(transport: Transport, program_id: str, member_id: str, filters: Filters | None = None) -> list[MemberEvent]:
    """`POST /members/program/list/events/{programId}` {filters} -> stream of MemberEvent; newest first, sorted here.

    One page. Filtered by `member.id` (field report) unless `filters` says otherwise; what comes of other members is
    left out.
    """
    found = _events(transport, program_id, filters or where("member.id", member_id))
    mine = [event for event in found if event.member_id in ("", member_id)]
    return sorted(mine, key=lambda event: event.created_at or event.at or _NEVER, reverse=True)


def _events(transport: Transport, program_id: str, filters: Filters) -> list[MemberEvent]:
    route = "/members/program/list/events/{programId}"
    return transport.ask_list(route, member_event, {"filters": filters.to_json()}, path={"programId": program_id})


def find_event(transport: Transport, program_id: str, member_id: str, event_id: str) -> MemberEvent | None:
    """Return the member's event that was made with this event ID, or None when PassKit tells of none.

    None is good for minutes, not for months: the program decides how long each type of event is kept. And an empty
    body is an empty list (documented), so compare the balance with the one read before as well.

    Raises:
        Unavailable: the member has more events than a scan looks at; it stays unclear.
        Refused: PassKit does not filter by `member.id` (which is a field report only); it stays unclear.
    """
    seen = 0
    wanted = replace(where("member.id", member_id), limit=EVENTS_PAGE)
    for event in pages(lambda filters: _events(transport, program_id, filters), wanted):
        seen += 1
        if event.external_id == event_id:
            return event
    if seen >= SCAN:
        raise Unavailable(f"The member has more than {SCAN:,} events.")
    return None
