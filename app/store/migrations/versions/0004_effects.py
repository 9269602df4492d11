"""Operations keep effects by name; what a remote issuer tells of passes; parked work; imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("accounts", sa.Column("default_country", sa.String(length=2), nullable=True))
    op.add_column("passes", sa.Column("tier_points", sa.BigInteger(), nullable=True))
    op.add_column("passes", sa.Column("ticket", sa.Text(), nullable=True))
    _connections()
    _operations()
    _troubles()
    _imports()


def _connections() -> None:
    ends_cards_by = sa.Column("ends_cards_by", sa.String(length=10), nullable=False, server_default="expiry")
    op.add_column("connections", ends_cards_by)
    op.add_column("connections", sa.Column("notes", sa.Text(), nullable=True))


def _operations() -> None:
    op.add_column("operations", sa.Column("tried_at", sa.BigInteger(), nullable=True))
    op.add_column("operations", sa.Column("look_at", sa.BigInteger(), nullable=True))
    op.add_column("operations", sa.Column("looks", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("operations", sa.Column("resolution", sa.Text(), nullable=True))
    op.create_index("ix_operations_pass", "operations", ["pass_id", "id"])


def _troubles() -> None:
    op.create_table(
        "troubles",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "item_id", name=op.f("pk_troubles")),
    )


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("program_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_imports_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_world", "imports", ["account_id", "mode", "id"])
    unfinished = sa.text("finished_at IS NULL")
    op.create_index("ix_imports_unfinished", "imports", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("imports")
    op.drop_table("troubles")
    op.drop_index("ix_operations_pass", "operations")
    for table, columns in (
        ("operations", ("tried_at", "look_at", "looks", "resolution")),
        ("connections", ("ends_cards_by", "notes")),
        ("passes", ("tier_points", "ticket")),
        ("accounts", ("default_country",)),
    ):
        for column in columns:
            op.drop_column(table, column)
