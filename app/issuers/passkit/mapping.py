"""Records of PassKit as passes of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from app.issuers.passkit.holders import holder_of, is_same_phone
from app.issuers.passkit.records import Record, event_of
from app.model import IdKind, InstallState, Kind, Pass, Program, new_id, new_link_token

# External IDs of ours, for passes whose caller gave none: every pass must be found again after a lost answer.
OWN_PREFIX = "passrail-"
# What a tier says of the expiry of its passes (`Program.upstream["expiry"]`).
OWN_DATE, COMPUTED, BY_OFFER, NEVER_ENDS = "own", "computed", "offer", "none"
_INSTALL_STATES = {
    "PASS_ISSUED": InstallState.ISSUED,
    "PASS_INSTALLED": InstallState.INSTALLED,
    "PASS_UNINSTALLED": InstallState.UNINSTALLED,
}


def own_external_id(step_id: str) -> str:
    """Return the external ID of a pass whose caller gave none."""
    return f"{OWN_PREFIX}{step_id}"


def expiry_of(program: Program, tier_id: str) -> str | None:
    """Return how passes on a tier expire; None: not known."""
    kind: str | None = program.upstream.get("expiry", {}).get(tier_id)
    return kind


def new_pass(record: Record, program: Program, now: datetime) -> Pass:
    """Make a pass of a record that we knew nothing of."""
    external_id = record.external_id
    bare = Pass(
        id=new_id(IdKind.PASS),
        account_id=program.account_id,
        mode=program.mode,
        issuer=program.issuer,
        program_id=program.id,
        tier_id="",
        link_token=new_link_token(),
        created_at=record.created_at or now,
        updated_at=now,
        external_id=None if not external_id or external_id.startswith(OWN_PREFIX) else external_id,
        upstream_id=record.id,
    )
    return updated_from(bare, record, program, now)


def updated_from(known: Pass, record: Record, program: Program, now: datetime) -> Pass:
    """Write what PassKit has over what we have; the same object when nothing differs.

    What PassKit cannot say stays: that a pass which is over was *revoked*, and when it would have expired.
    """
    holder = holder_of(record.person)
    if is_same_phone(holder["phone"], known.phone):
        holder["phone"] = known.phone
    values: dict[str, Any] = {
        **holder,
        "upstream_id": record.id,
        "tier_id": _tier_of(known, record, program),
        "fields": {name: text for name, text in record.meta_data.items() if text},
        "install_state": _INSTALL_STATES.get(record.pass_status, known.install_state),
        "points": record.points,
        "tier_points": record.tier_points,
        "ticket": record.ticket,
        **_life(known, record, program, now),
    }
    differing = {name: value for name, value in values.items() if getattr(known, name) != value}
    return replace(known, **differing, updated_at=now) if differing else known


def _tier_of(known: Pass, record: Record, program: Program) -> str:
    """A ticket for one of several events stands on a tier of its own."""
    if record.kind is not Kind.EVENT_TICKET:
        return record.tier_id
    places = program.upstream.get("places", {})
    at = {"type": record.tier_id, "event": event_of(record)}
    if places.get(known.tier_id) == at:
        return known.tier_id
    named = next((tier_id for tier_id, place in places.items() if place == at), record.tier_id)
    return known.tier_id if known.tier_id.startswith(record.tier_id) and named == record.tier_id else named


def _life(known: Pass, record: Record, program: Program, now: datetime) -> dict[str, Any]:
    is_past = record.expires_at is not None and record.expires_at <= now
    is_ended = record.is_invalid or (is_past and expiry_of(program, record.tier_id) != NEVER_ENDS)
    values: dict[str, Any] = {}
    if known.deleted_at is not None:
        return values
    if is_ended and not is_past:
        values["revoked_at"] = known.revoked_at or record.invalidated_at or now
    elif not is_ended:
        values["revoked_at"] = None
    if known.revoked_at is None or not is_ended:
        # A past date that ends nothing would have us say that the pass has expired.
        values["expires_at"] = None if is_past and not is_ended else record.expires_at
    if record.kind is not Kind.MEMBERSHIP:
        values["redeemed_at"] = (known.redeemed_at or record.redeemed_at or now) if record.is_redeemed else None
    return values
