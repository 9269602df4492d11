"""`passrail vault`: the keys that credentials and secrets of hooks are encrypted with."""

from __future__ import annotations

import click

from app.accounts import connections, secret, vault
from app.accounts.vault import Vault
from app.cli.common import open_service
from app.events import hook_secrets
from app.model import system_clock
from app.store.engine import Store

HOOKS_AT_ONCE = 100  # in one transaction, so that nobody waits long for it


@click.group("vault")
def vault_group() -> None:
    """The keys that credentials and secrets of hooks are encrypted with."""


@vault_group.command("new-key")
@click.option("--id", "key_id", default="", help="Name of the key. Default: one made of today's date.")
def new_vault_key(key_id: str) -> None:
    """Make a key for the setting VAULT_KEYS. It is shown once and kept nowhere."""
    click.echo(f"{key_id or system_clock().strftime('k%Y%m%d')}:{vault.generate_key()}")


@vault_group.command("rotate")
def rotate_vault() -> None:
    """Encrypt all credentials and secrets of hooks with the first key of VAULT_KEYS.

    Afterwards the others can be taken out of it.
    """
    service = open_service()
    if service.vault is None:
        raise click.ClickException("VAULT_KEYS is not set. Make a key with 'passrail vault new-key'.")
    with service.store.write() as connection:
        changed = connections.reseal_all(connection, service.vault)
        changed += secret.reseal(connection, service.vault)
    changed += _reseal_hooks(service.store, service.vault)
    click.echo(f"Encrypted {changed} with the key {service.vault.key_ids[0]}.")


def _reseal_hooks(store: Store, vault: Vault) -> int:
    total, after = 0, ""
    while True:
        with store.write() as connection:
            changed, last = hook_secrets.reseal_after(connection, vault, after, HOOKS_AT_ONCE)
        total += changed
        if last is None:
            return total
        after = last
