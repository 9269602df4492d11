"""Which keys of VAULT_KEYS the database cannot be read without."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from app.accounts.vault import VERSION, Vault, key_id_of
from app.store.tables import connections, hooks, secrets

# Every column that holds sealed texts, in some rows plain ones.
COLUMNS = (connections.c.credentials, secrets.c.value, hooks.c.secret, hooks.c.old_secret)


def key_ids(connection: Connection) -> set[str]:
    """Return the IDs of the keys that something in the database is sealed with."""
    return set(_key_ids(connection))


def missing_key_ids(connection: Connection, vault: Vault | None) -> list[str]:
    """Return the IDs of those that the vault does not have."""
    return sorted(key_ids(connection) - set(vault.key_ids if vault else ()))


def _key_ids(connection: Connection) -> Iterator[str]:
    for column in COLUMNS:
        for text in connection.execute(select(column).where(column.startswith(f"{VERSION}."))).scalars():
            yield key_id_of(text)
