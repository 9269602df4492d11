"""Records of the remote issuer in memory as passes of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.model import HOLDER_FIELDS, IdKind, Pass, Program, new_id, new_link_token
from tests.issuers.memory.server import Record


def new_pass(record: Record, program: Program, now: datetime) -> Pass:
    """Make a pass of a record that is not on record here."""
    bare = Pass(
        id=new_id(IdKind.PASS),
        account_id=program.account_id,
        mode=program.mode,
        issuer=program.issuer,
        program_id=program.id,
        tier_id=record.tier_id,
        link_token=new_link_token(),
        created_at=record.created_at,
        updated_at=now,
        external_id=record.external_id,
    )
    return taken_over(bare, record, now)


def taken_over(known: Pass, record: Record, now: datetime) -> Pass:
    """Return a pass as its record is; `known` itself where nothing differs.

    That a card which expired was *revoked*, and when it would have expired, is known to us alone.
    """
    is_over = record.expires_at is not None and record.expires_at <= now
    is_revoked = known.revoked_at is not None and is_over
    fresh = replace(
        known,
        upstream_id=record.id,
        tier_id=record.tier_id,
        fields=dict(record.fields),
        points=record.points,
        tier_points=record.tier_points,
        install_state=record.install_state,
        redeemed_at=record.redeemed_at,
        revoked_at=known.revoked_at if is_revoked else None,
        expires_at=known.expires_at if is_revoked else record.expires_at,
        **{name: record.holder.get(name) for name in HOLDER_FIELDS},  # type: ignore[arg-type]
    )
    return known if fresh == known else replace(fresh, updated_at=now)
