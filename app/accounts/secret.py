"""The installation's own secret, and what is made with it: keyed hashes that only this installation can make.

It stands in the table `secrets`, so that all processes and machines of one database share it; sealed where VAULT_KEYS
are set. The migration that makes the table draws it.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from functools import cached_property

from sqlalchemy import Connection, select, update

from app.accounts.vault import Place, Vault, VaultError, is_sealed
from app.errors import NotReady
from app.store.engine import Store
from app.store.tables import secrets

INSTALLATION = "installation"
PLACE = Place(account_id="", table="secrets", column="value", row_id=INSTALLATION)


class Purpose(StrEnum):
    """What a hash is made for. The same text has another hash for another purpose."""

    IDEMPOTENCY_KEY = "idempotency-key"
    PERSON = "person"
    QUEUE = "queue"


class InstallationSecret:
    """Makes keyed hashes. One a process; threads share it. The secret is read when it is first needed."""

    def __init__(self, store: Store, vault: Vault | None) -> None:
        self._store, self._vault = store, vault

    def digest(self, purpose: Purpose, text: str) -> str:
        """Return the keyed hash (HMAC-SHA256, 64 hex digits) of a text.

        Raises:
            app.errors.NotReady: the secret cannot be opened with VAULT_KEYS.
        """
        message = f"{purpose.value}\n{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        with self._store.read() as connection:
            value = _read(connection)
        try:
            return bytes.fromhex(_open(value, self._vault))
        except VaultError as error:
            raise NotReady(f"The installation's secret cannot be opened: {error}") from error


def reseal(connection: Connection, vault: Vault) -> bool:
    """Seal the secret with the vault's first key. False: it is already.

    Raises:
        app.accounts.vault.VaultError: it cannot be opened.
    """
    value = _read(connection)
    if is_sealed(value) and vault.is_current(value):
        return False
    sealed = vault.seal(_open(value, vault), PLACE)
    connection.execute(update(secrets).where(secrets.c.name == INSTALLATION).values(value=sealed))
    return True


def _read(connection: Connection) -> str:
    return str(connection.execute(select(secrets.c.value).where(secrets.c.name == INSTALLATION)).scalar_one())


def _open(value: str, vault: Vault | None) -> str:
    """Return the secret in hex."""
    if not is_sealed(value):
        return value
    if vault is None:
        raise VaultError("VAULT_KEYS is not set, and the secret was sealed with them.")
    return vault.open(value, PLACE)
