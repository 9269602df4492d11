"""`passrail vault`: the keys that credentials are encrypted with."""

from __future__ import annotations

import click

from app.accounts import connections, secret, vault
from app.cli.common import open_service
from app.model import system_clock


@click.group("vault")
def vault_group() -> None:
    """The keys that credentials are encrypted with."""


@vault_group.command("new-key")
@click.option("--id", "key_id", default="", help="Name of the key. Default: one made of today's date.")
def new_vault_key(key_id: str) -> None:
    """Make a key for the setting VAULT_KEYS. It is shown once and kept nowhere."""
    click.echo(f"{key_id or system_clock().strftime('k%Y%m%d')}:{vault.generate_key()}")


@vault_group.command("rotate")
def rotate_vault() -> None:
    """Encrypt all credentials with the first key of VAULT_KEYS. Afterwards the others can be taken out of it."""
    service = open_service()
    if service.vault is None:
        raise click.ClickException("VAULT_KEYS is not set. Make a key with 'passrail vault new-key'.")
    with service.store.write() as connection:
        changed = connections.reseal_all(connection, service.vault)
        changed += secret.reseal(connection, service.vault)
    click.echo(f"Encrypted {changed} with the key {service.vault.key_ids[0]}.")
