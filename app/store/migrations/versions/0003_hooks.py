"""Hooks and deliveries; events about hooks; passes remember which expiry was told."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    _hooks()
    _deliveries()
    with op.batch_alter_table("events") as events:
        events.alter_column("program_id", existing_type=sa.String(length=64), nullable=True)
        events.alter_column("pass_id", existing_type=sa.String(length=64), nullable=True)
    op.create_index("ix_events_type", "events", ["account_id", "mode", "type", "id"])
    op.add_column("passes", sa.Column("expiry_told", sa.BigInteger(), nullable=True))
    # What expired before there were hooks is no news.
    now = int(time.time() * 1000)
    op.execute(sa.text("UPDATE passes SET expiry_told = expires_at WHERE expires_at <= :now").bindparams(now=now))
    untold = "expires_at IS NOT NULL AND closed_by = 'nothing' AND (expiry_told IS NULL OR expiry_told <> expires_at)"
    _partial_index("ix_passes_expiry_untold", "passes", ["expires_at"], untold)


def _hooks() -> None:
    op.create_table(
        "hooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("target_url", sa.Text(), nullable=False),
        sa.Column("event_types", sa.Text(), nullable=False),
        sa.Column("program_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("disabled_reason", sa.String(length=20), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_secret_until", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_failure_at", sa.BigInteger(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_hooks_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hooks")),
    )
    op.create_index("ix_hooks_world", "hooks", ["account_id", "mode", "id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("hook_id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=48), nullable=False),
        sa.Column("event_type", sa.String(length=30), nullable=False),
        sa.Column("test_body", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["hook_id"], ["hooks.id"], name=op.f("fk_deliveries_hook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_hook", "deliveries", ["hook_id", "id"])
    _partial_index("ix_deliveries_pending", "deliveries", ["hook_id", "next_attempt_at"], "status = 'pending'")
    _partial_index("ix_deliveries_leased", "deliveries", ["hook_id", "lease_until"], "lease_until IS NOT NULL")
    _partial_index("ix_deliveries_finished", "deliveries", ["finished_at"], "finished_at IS NOT NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("ix_passes_expiry_untold", "passes")
    op.drop_column("passes", "expiry_told")
    op.drop_index("ix_events_type", "events")
    op.execute("DELETE FROM events WHERE pass_id IS NULL")
    with op.batch_alter_table("events") as events:
        events.alter_column("program_id", existing_type=sa.String(length=64), nullable=False)
        events.alter_column("pass_id", existing_type=sa.String(length=64), nullable=False)
    op.drop_table("deliveries")
    op.drop_table("hooks")
