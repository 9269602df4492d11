"""`passrail account`, `passrail key`: the tenants and what they sign in with."""

from __future__ import annotations

import json

import click

from app.accounts import accounts, keys
from app.answer import to_text as time_text
from app.cli.common import MODE, account_id, open_service
from app.model import Mode
from app.sync import account_deletion


@click.group()
def account() -> None:
    """Accounts: the tenants."""


@account.command("create")
@click.argument("name")
def create_account(name: str) -> None:
    """Make an account."""
    service = open_service()
    with service.store.write() as connection:
        made = accounts.create_account(connection, name, service.clock())
    click.echo(f"Made account {made.name} ({made.id}). Next: passrail key create --account {made.name} --mode test")


@account.command("list")
def list_accounts() -> None:
    """List all accounts."""
    with open_service().store.read() as connection:
        for entry in accounts.list_accounts(connection):
            country = f"  {entry.default_country}" if entry.default_country else ""
            click.echo(f"{entry.id}  {time_text(entry.created_at)}  {entry.name}{country}")


@account.command("set")
@click.argument("name")
@click.option("--country", help="Country of phone numbers without a country code, as two letters: GB. Empty: none.")
@click.option("--no-country", is_flag=True, help="Phone numbers need their country code again.")
def set_account(name: str, country: str | None, no_country: bool) -> None:
    """Change an account."""
    if no_country == (country is not None):
        raise click.UsageError("Give either --country or --no-country.")
    service = open_service()
    with service.store.write() as connection:
        owner = accounts.find_account(connection, name)
        accounts.set_default_country(connection, owner.id, country or None)
    click.echo(f"Changed {name}.")


@account.command("rename")
@click.argument("name")
@click.argument("new_name")
def rename_account(name: str, new_name: str) -> None:
    """Give an account another name. Its keys stay as they are."""
    service = open_service()
    with service.store.write() as connection:
        accounts.rename(connection, accounts.find_account(connection, name).id, new_name)
    click.echo(f"Renamed {name} to {new_name}.")


@account.command("delete")
@click.argument("name")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete it though operations at a remote issuer have no outcome yet.")
def delete_account(name: str, is_sure: bool, force: bool) -> None:
    """Delete an account and everything that belongs to it, in both modes. This cannot be undone.

    Its keys end within a second. Passes at a remote issuer stay there. If the deletion is stopped, run it again.
    """
    service = open_service()
    owner = account_id(service, name)
    if not force:
        account_deletion.refuse_open_operations(service, owner)
    click.echo(f"The account {name} ({owner}) has:")
    for table, number in account_deletion.contents(service, owner).items():
        click.echo(f"  {number} {table.replace('_', ' ')}")
    if not is_sure:
        click.confirm("Delete all of it? This cannot be undone", abort=True)
    account_deletion.delete_account(service, owner)
    click.echo(f"Deleted {name}.")


@click.group()
def key() -> None:
    """API keys of an account."""


@key.command("create")
@click.option("--account", "account_name", required=True, help="Name of the account.")
@click.option("--mode", type=MODE, required=True, help="World of data the key belongs to.")
@click.option(
    "--scope", "scopes", type=click.Choice(keys.SCOPES), multiple=True, help="What it may do. Default: everything."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def create_key(account_name: str, mode: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make an API key. It is shown once."""
    service = open_service()
    with service.store.write() as connection:
        owner = accounts.find_account(connection, account_name)
        made, secret = keys.create_key(connection, owner, Mode(mode), scopes or keys.SCOPES, service.clock())
    if as_json:
        shown = {"id": made.id, "key": secret, "account": owner.name, "mode": mode, "scopes": made.scopes}
        click.echo(json.dumps(shown))
    else:
        click.echo(f"{secret}\nThis is key {made.id}. It is shown only now; keep it safe.")


@key.command("list")
@click.option("--account", "account_name", required=True, help="Name of the account.")
def list_keys(account_name: str) -> None:
    """List an account's API keys, without their secret part."""
    with open_service().store.read() as connection:
        for entry in keys.list_keys(connection, accounts.find_account(connection, account_name)):
            state = f"revoked {time_text(entry.revoked_at)}" if entry.revoked_at else "valid"
            click.echo(f"{entry.id}  {entry.hint}  {','.join(entry.scopes)}  {time_text(entry.created_at)}  {state}")


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Make an API key useless. Servers notice within a second."""
    service = open_service()
    with service.store.write() as connection:
        keys.revoke_key(connection, key_id, service.clock())
    click.echo(f"Revoked {key_id}.")
