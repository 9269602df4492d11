"""Which keys of VAULT_KEYS the database cannot be read without."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from app.accounts.vault import VERSION, key_id_of
from app.store.tables import connections, secrets

# Every column that holds sealed texts, in some rows plain ones.
COLUMNS = (connections.c.credentials, secrets.c.value)


def key_ids(connection: Connection) -> set[str]:
    """Return the IDs of the keys that something in the database is sealed with."""
    return set(_key_ids(connection))


def _key_ids(connection: Connection) -> Iterator[str]:
    for column in COLUMNS:
        for text in connection.execute(select(column).where(column.startswith(f"{VERSION}."))).scalars():
            yield key_id_of(text)
