"""`passrail`: accounts, keys, migrations, the demo, the description of the API."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, OperationalError

from app import create_app, demo
from app.accounts import accounts, keys
from app.api.openapi import to_text
from app.clock import to_text as time_text
from app.errors import PassrailError
from app.model import Mode
from app.service import Service, make_service
from app.settings import InvalidSetting, load_settings
from app.store import migrate as migrations

MODE = click.Choice([mode.value for mode in Mode])


class FriendlyGroup(click.Group):
    """Shows what went wrong as a sentence, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (PassrailError, InvalidSetting) as error:
            raise click.ClickException(error.detail if isinstance(error, PassrailError) else str(error)) from error
        except (OperationalError, ArgumentError) as error:
            cause = str(getattr(error, "orig", error)).strip()
            raise click.ClickException(f"The database cannot be used. Check DATABASE_URL. It says: {cause}") from error
        except CommandError as error:
            raise click.ClickException(f"The database is of a newer version than this one. ({error})") from error
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}. Check DATA_DIR.") from error


@click.group(cls=FriendlyGroup)
def main() -> None:
    """Run and look after a Passrail service. Settings come from the environment (docs/settings.md)."""


def _service() -> Service:
    """Connect to the database, whose tables must be those of this version."""
    service = make_service(load_settings())
    if not migrations.is_current(service.store):
        raise click.ClickException("The database is not ready. Run 'passrail migrate' first.")
    return service


@main.command()
def migrate() -> None:
    """Bring the database's tables up to this version."""
    migrations.migrate(load_settings())


@main.command()
def openapi() -> None:
    """Print the OpenAPI description."""
    sys.stdout.write(to_text(create_app().extensions["passrail_api"]))


@main.command("demo")
def demo_command() -> None:
    """Make the demo account and programs, and say how to try them."""
    service = _service()
    with service.store.write() as connection:
        account = demo.ensure(connection, service.clock())
    click.echo(demo.welcome(service, account))


@main.group()
def account() -> None:
    """Accounts: the tenants."""


@account.command("create")
@click.argument("name")
def create_account(name: str) -> None:
    """Make an account."""
    service = _service()
    with service.store.write() as connection:
        made = accounts.create_account(connection, name, service.clock())
    click.echo(f"Made account {made.name} ({made.id}). Next: passrail key create --account {made.name} --mode test")


@account.command("list")
def list_accounts() -> None:
    """List all accounts."""
    with _service().store.read() as connection:
        for one in accounts.list_accounts(connection):
            click.echo(f"{one.id}  {time_text(one.created_at)}  {one.name}")


@main.group()
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
    service = _service()
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
    with _service().store.read() as connection:
        for one in keys.list_keys(connection, accounts.find_account(connection, account_name)):
            state = f"revoked {time_text(one.revoked_at)}" if one.revoked_at else "valid"
            click.echo(f"{one.id}  {one.hint}  {','.join(one.scopes)}  {time_text(one.created_at)}  {state}")


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Make an API key useless. Servers notice within a second."""
    service = _service()
    with service.store.write() as connection:
        keys.revoke_key(connection, key_id, service.clock())
    click.echo(f"Revoked {key_id}.")
