"""When passes end, and how long their records are kept afterwards.

A member ends by the settings of the tier, a coupon with its offer unless it has a date of its own, a ticket by its own
date. A tier that does not expire still takes a date, which is shown and ends nothing: a soft date (documented for the
portal; what the API makes of it is unknown, hence the switch `soft_dates_end_passes`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, to_text, to_time

USUAL_DAYS_KEPT = 90
_END_WITH_OFFER = frozenset({"AUTO_EXPIRE_OFFER_END_DATE", "EXPIRE_ON_VARIABLE_DATE_TIME"})


def date_of_new_member(tier: Record, now: datetime, given: str | None) -> str | None:
    """Return the expiry date that a member gets at enrolment; PassKit computes it where the tier says so.

    Args:
        tier: the member's tier.
        now: when the member enrols.
        given: the date that the request brings, which counts only in the other tiers.
    """
    settings = tier.get("expirySettings", {})
    match settings.get("expiryType"):
        case "EXPIRE_AFTER_X_DAYS":
            return to_text(now + timedelta(days=settings["expireAfterXDays"]))
        case "EXPIRE_ON_FIXED_DATE":
            last = settings["fixedExpiryDate"]
            zone = ZoneInfo(tier["timezone"])
            return to_text(datetime(last["year"], last["month"], last["day"], 23, 59, 59, tzinfo=zone))
        case _:
            return given


def end_of(state: State, record: Record) -> datetime | None:
    """Return when a pass ends, or None when it does not."""
    date = record.get("expiryDate")
    if "programId" in record and not _is_ended_by_date(state, record):
        return None
    if date is None and "campaignId" in record:
        date = _end_of_offer(state, record)
    return None if date is None else to_time(date)


def _is_ended_by_date(state: State, member: Record) -> bool:
    if state.switches.soft_dates_end_passes:
        return True
    tier = state.tiers.get(f"{member['programId']}/{member['tierId']}") or {}
    kind: str = tier.get("expirySettings", {}).get("expiryType", "EXPIRE_NONE")
    return kind != "EXPIRE_NONE"


def _end_of_offer(state: State, coupon: Record) -> str | None:
    offer = state.offers.get(coupon["offerId"]) or {}
    kind = offer.get("couponExpirySettings", {}).get("couponExpiryType")
    return offer.get("issueEndDate") if kind in _END_WITH_OFFER else None


def time_kept(state: State, record: Record) -> timedelta:
    """Return how long a record is kept after its pass has ended. Only membership programs can set it."""
    program = state.programs.get(record.get("programId", "")) or {}
    return timedelta(days=program.get("autoDeleteDaysAfterExpiry") or USUAL_DAYS_KEPT)
