"""What stays of people who were erased: keyed hashes, by which nothing brings them back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HAS_TEXTS = sa.text("request IS NOT NULL OR problem IS NOT NULL")


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "erased_people",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_erased_people_account_id"),
        sa.PrimaryKeyConstraint("digest", name="pk_erased_people"),
    )
    op.create_index(
        "ix_operations_texts",
        "operations",
        ["account_id", "mode", "id"],
        sqlite_where=HAS_TEXTS,
        postgresql_where=HAS_TEXTS,
    )
    op.create_index("ix_deliveries_event", "deliveries", ["event_id"])
