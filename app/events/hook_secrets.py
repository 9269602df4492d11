"""The secrets that deliveries are signed with, as the rows of hooks keep them.

Where the service has vault keys they are sealed, bound to their hook; else they are plain. Which of the two a text is,
it says itself, so that secrets from before there were keys can still be read.
"""

from __future__ import annotations

import base64
import secrets

from sqlalchemy import Connection, select, update

from app.accounts.vault import Place, UnknownKey, Vault, key_id_of
from app.store.tables import hooks

_PREFIX = "whsec_"
_BYTES = 32


def generate() -> str:
    """Return a fresh secret in the form of Standard Webhooks."""
    return f"{_PREFIX}{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"


def seal(vault: Vault | None, account_id: str, hook_id: str, secret: str) -> str:
    """Return the secret as the hook's row keeps it."""
    return secret if vault is None else vault.seal(secret, _place(account_id, hook_id))


def unseal(vault: Vault | None, account_id: str, hook_id: str, kept: str) -> str:
    """Return the secret that a hook's row keeps.

    Raises:
        app.accounts.vault.VaultError: the service lacks the key, or the text is not this hook's.
    """
    if kept.startswith(_PREFIX):
        return kept
    if vault is None:
        raise UnknownKey(
            f"The secret of a hook was sealed with the key {key_id_of(kept)!r}, and VAULT_KEYS is not set."
        )
    return vault.open(kept, _place(account_id, hook_id))


def reseal_after(connection: Connection, vault: Vault, after: str, limit: int) -> tuple[int, str | None]:
    """Seal the secrets of some hooks, in the order of their IDs, with the vault's first key.

    Args:
        connection: in a transaction.
        vault: has the keys they were sealed with until now.
        after: the hook ID to go on after.
        limit: how many hooks at most.

    Returns:
        How many hooks had a secret that was plain or sealed with another key, and the ID to go on after; None when
        that was all.

    Raises:
        app.accounts.vault.VaultError: a secret cannot be opened.
    """
    query = (
        select(hooks.c.id, hooks.c.account_id, hooks.c.secret, hooks.c.old_secret)
        .where(hooks.c.id > after)
        .order_by(hooks.c.id)
        .limit(limit)
        .with_for_update(key_share=True)
    )
    found = connection.execute(query).all()
    changed = 0
    for hook_id, account_id, secret, old_secret in found:
        kept = {"secret": secret, "old_secret": old_secret}
        sealed = {name: text and _resealed(vault, account_id, hook_id, text) for name, text in kept.items()}
        if sealed != kept:
            connection.execute(update(hooks).where(hooks.c.id == hook_id).values(sealed))
            changed += 1
    return changed, found[-1].id if len(found) == limit else None


def _resealed(vault: Vault, account_id: str, hook_id: str, kept: str) -> str:
    place = _place(account_id, hook_id)
    return vault.seal(kept, place) if kept.startswith(_PREFIX) else vault.reseal(kept, place)


def _place(account_id: str, hook_id: str) -> Place:
    """Both secrets of a hook have the same place: the present one becomes the old one as it is."""
    return Place(account_id, "hooks", "secret", hook_id)
