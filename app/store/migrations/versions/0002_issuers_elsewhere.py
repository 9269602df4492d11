"""Issuers elsewhere: connections, what they call our programs and passes, their webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("operations", sa.Column("request", sa.Text(), nullable=True))
    op.add_column("passes", sa.Column("upstream_id", sa.String(length=64), nullable=True))
    op.add_column("programs", sa.Column("upstream_id", sa.String(length=64), nullable=True))
    op.add_column("programs", sa.Column("upstream", sa.Text(), nullable=True))
    op.create_index(
        "uq_passes_upstream",
        "passes",
        ["program_id", "upstream_id"],
        unique=True,
        sqlite_where=sa.text("upstream_id IS NOT NULL"),
        postgresql_where=sa.text("upstream_id IS NOT NULL"),
    )
    op.create_index("uq_programs_upstream", "programs", ["account_id", "mode", "upstream_id"], unique=True)
    op.create_table(
        "connections",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("issuer", sa.String(length=20), nullable=False),
        sa.Column("region", sa.String(length=20), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("pass_url", sa.Text(), nullable=False),
        sa.Column("credentials", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("connected_at", sa.BigInteger(), nullable=False),
        sa.Column("last_worked_at", sa.BigInteger(), nullable=False),
        sa.Column("last_problem", sa.Text(), nullable=True),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_connections_account_id")),
        sa.PrimaryKeyConstraint("account_id", "mode", name=op.f("pk_connections")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("sink_id", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_received", "inbox", ["received_at"])
    op.create_index(
        "uq_inbox_waiting",
        "inbox",
        ["sink_id", "digest"],
        unique=True,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "sinks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("program_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=30), nullable=False),
        sa.Column("upstream_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sinks_account_id")),
        sa.ForeignKeyConstraint(["program_id"], ["programs.id"], name=op.f("fk_sinks_program_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sinks")),
        sa.UniqueConstraint("digest", name=op.f("uq_sinks_digest")),
    )
    op.create_index("uq_sinks_program", "sinks", ["program_id"], unique=True)


def downgrade() -> None:
    """Take the step back."""
    for table in ("sinks", "inbox", "connections"):
        op.drop_table(table)
    op.drop_index("uq_programs_upstream", "programs")
    op.drop_index("uq_passes_upstream", "passes")
    for table, column in (
        ("programs", "upstream"),
        ("programs", "upstream_id"),
        ("passes", "upstream_id"),
        ("operations", "request"),
    ):
        op.drop_column(table, column)
