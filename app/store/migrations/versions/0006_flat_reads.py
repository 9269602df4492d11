"""Lists are read from indexes that end in their order; an expiry that was told of is in the index of statuses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CLOSED_BY = "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN redeemed_at IS NOT NULL THEN 'redeemed'"
_NEVER_EXPIRED = f"{_CLOSED_BY} ELSE 'nothing' END"
_EXPIRED_ONCE_TOLD = f"{_CLOSED_BY} WHEN expires_at = expiry_told THEN 'expired' ELSE 'nothing' END"
_UNTOLD = "expires_at IS NOT NULL AND closed_by = 'nothing' AND (expiry_told IS NULL OR expiry_told <> expires_at)"
_WORLD = ["account_id", "mode"]
_TOLERANCE_MS = 60_000


def upgrade() -> None:
    """Take the step."""
    for name in ("world", "program", "external_id", "install_state"):
        op.drop_index(f"ix_passes_{name}", "passes")
    op.drop_index("uq_passes_external_id", "passes")
    _closed_by(_EXPIRED_ONCE_TOLD)
    op.create_index("ix_passes_install_state", "passes", [*_WORLD, "install_state", "id"])
    op.create_index("ix_passes_program_tier", "passes", ["program_id", "tier_id", "id"])
    op.create_index("ix_passes_program_closed_by", "passes", ["program_id", "closed_by", "id"])
    op.create_index("ix_passes_program_updated", "passes", ["program_id", "updated_at", "id"])
    columns = [*_WORLD, "external_id", "program_id", "deleted_at"]
    _partial_index("uq_passes_external_id", columns, "external_id IS NOT NULL", unique=True)
    _move_far_events()
    op.create_index("ix_events_program", "events", ["program_id", "type", "id"])
    op.create_index("ix_programs_kind", "programs", [*_WORLD, "kind", "id"])
    columns = ["status", "hook_id", "id"]
    _partial_index("ix_deliveries_undelivered", columns, "status IN ('failed', 'dropped')", table="deliveries")


def _closed_by(expression: str) -> None:
    """Have the column worked out in another way. SQLite cannot add one that is stored; its indexes have the value."""
    is_stored = op.get_bind().dialect.name == "postgresql"
    op.drop_index("ix_passes_closed_by", "passes")
    op.drop_index("ix_passes_expiry_untold", "passes")
    op.drop_column("passes", "closed_by")
    op.add_column(
        "passes",
        sa.Column("closed_by", sa.String(length=8), sa.Computed(expression, persisted=is_stored), nullable=True),
    )
    op.create_index("ix_passes_closed_by", "passes", [*_WORLD, "closed_by", "id"])
    _partial_index("ix_passes_expiry_untold", ["expires_at"], _UNTOLD)


def _move_far_events() -> None:
    """Give an event a new ID whose ID begins with a time far from its own: the clock was set in between.

    From now on a range of times is looked up as a range of IDs that is wider by `outbox.ID_TOLERANCE`.
    """
    connection = op.get_bind()
    found = connection.execute(sa.text("SELECT id, created_at FROM events"), execution_options={"stream_results": True})
    moved = {
        event_id: f"{event_id[:4]}{created_at:012x}{event_id[16:]}"
        for event_id, created_at in found
        if abs(_milliseconds(event_id) - created_at) >= _TOLERANCE_MS
    }
    for before, after in moved.items():
        names = {"before": before, "after": after}
        connection.execute(sa.text("UPDATE events SET id = :after WHERE id = :before"), names)
        connection.execute(sa.text("UPDATE deliveries SET event_id = :after WHERE event_id = :before"), names)


def _milliseconds(event_id: str) -> int:
    """Read the time that an ID such as `evt_019ab3c4d5e605fc743d85bc9470dc4d` begins with."""
    return int(event_id[4:16], 16)


def _partial_index(name: str, columns: list[str], where: str, *, table: str = "passes", unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("ix_deliveries_undelivered", "deliveries")
    op.drop_index("ix_programs_kind", "programs")
    op.drop_index("ix_events_program", "events")
    for name in ("install_state", "program_tier", "program_closed_by", "program_updated"):
        op.drop_index(f"ix_passes_{name}", "passes")
    op.drop_index("uq_passes_external_id", "passes")
    op.create_index("uq_passes_external_id", "passes", ["program_id", "external_id", "deleted_at"], unique=True)
    _closed_by(_NEVER_EXPIRED)
    op.create_index("ix_passes_world", "passes", [*_WORLD, "id"])
    op.create_index("ix_passes_program", "passes", [*_WORLD, "program_id", "id"])
    _partial_index("ix_passes_external_id", [*_WORLD, "external_id", "id"], "external_id IS NOT NULL")
    _partial_index("ix_passes_install_state", [*_WORLD, "install_state", "id"], "install_state <> 'issued'")
