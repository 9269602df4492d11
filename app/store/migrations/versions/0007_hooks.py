"""Hooks remember how much is sent to them at once, and until when nothing is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("hooks", sa.Column("at_once", sa.Integer(), nullable=False, server_default="2"))
    op.add_column("hooks", sa.Column("failures_in_row", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("hooks", sa.Column("rests_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take the step back. Sealed secrets stay sealed: the version before cannot sign with them."""
    for column in ("rests_until", "failures_in_row", "at_once"):
        op.drop_column("hooks", column)
