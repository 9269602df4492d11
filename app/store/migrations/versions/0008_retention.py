"""Idempotency keys are kept as keyed hashes; indexes for forgetting what is old."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import context, op

from app.accounts.vault import Place, Vault

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHUNK = 1000


def upgrade() -> None:
    """Take the step."""
    op.drop_index("ix_operations_purge", "operations")
    op.drop_index("uq_operations_key", "operations")
    op.add_column("operations", sa.Column("key_digest", sa.String(length=64), nullable=True))
    _hash_keys()
    op.drop_column("operations", "idempotency_key")
    op.create_index("uq_operations_key", "operations", ["account_id", "mode", "action", "key_digest"], unique=True)
    _create_partial_index("ix_operations_answered", "operations", "created_at", "answer IS NOT NULL")
    op.drop_index("ix_inbox_received", "inbox")
    _create_partial_index("ix_inbox_read", "inbox", "received_at", "done_at IS NOT NULL")
    op.create_index("ix_inbox_sink", "inbox", ["sink_id"])


def _create_partial_index(name: str, table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def _hash_keys() -> None:
    """Put the hash of every key in the key's place, in the form that `app/operations/repeats.py` has since then."""
    connection = op.get_bind()
    if (
        connection.execute(sa.text("SELECT id FROM operations WHERE idempotency_key IS NOT NULL LIMIT 1")).first()
        is None
    ):
        return
    secret = _secret(connection)
    found = sa.text(
        "SELECT id, account_id, mode, action, idempotency_key FROM operations"
        " WHERE id > :after AND idempotency_key IS NOT NULL ORDER BY id LIMIT :chunk"
    )
    # The key goes in the same step: PostgreSQL would leave it in the row where only the column is dropped.
    hashed = sa.text("UPDATE operations SET key_digest = :digest, idempotency_key = NULL WHERE id = :id")
    after = ""
    while rows := connection.execute(found, {"after": after, "chunk": CHUNK}).all():
        connection.execute(hashed, [{"id": row[0], "digest": digest_of(secret, row[1:])} for row in rows])
        after = rows[-1].id


def digest_of(secret: bytes, scope_and_key: Sequence[str]) -> str:
    """Return the keyed hash of a key with its scope: account, mode and action."""
    message = f"idempotency-key\n{json.dumps(list(scope_and_key))}"
    return hmac.new(secret, message.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _secret(connection: sa.Connection) -> bytes:
    value = connection.execute(sa.text("SELECT value FROM secrets WHERE name = 'installation'")).scalar_one()
    if value.startswith("v1."):
        # Without the key that sealed it this raises a VaultError, and the command line says which key is missing.
        vault = Vault.from_setting(context.config.attributes["vault_keys"])
        value = vault.open(value, Place(account_id="", table="secrets", column="value", row_id="installation"))
    return bytes.fromhex(value)
