"""`passrail`: accounts, keys, issuers, migrations, the demo, the description of the API."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, OperationalError

from app import create_app, demo
from app.accounts import accounts, connections, keys, vault
from app.api.openapi import to_text
from app.clock import system_clock
from app.clock import to_text as time_text
from app.errors import PassrailError
from app.issuers.protocol import Target
from app.model import Mode
from app.service import Service, make_service
from app.settings import InvalidSetting, load_settings
from app.store import migrate as migrations
from app.sync import connecting, subscriptions
from app.sync import connections as sync_connections
from app.sync.programs import refresh_programs

MODE = click.Choice([mode.value for mode in Mode])


class FriendlyGroup(click.Group):
    """Shows what went wrong as a sentence, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (PassrailError, InvalidSetting) as error:
            raise click.ClickException(error.detail if isinstance(error, PassrailError) else str(error)) from error
        except vault.VaultError as error:
            raise click.ClickException(f"{error} Put the key it needs into VAULT_KEYS.") from error
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


@main.command("fake-passkit")
@click.option("--port", default=8090, show_default=True, help="Port to listen on, on this machine only.")
@click.option("--delay", default=0.0, help="Seconds that every answer takes.")
def fake_passkit(port: int, delay: float) -> None:
    """Run a fake PassKit to try the PassKit path with. Nothing in it is real; it forgets everything when it stops."""
    # The tests are not installed with the service; they lie beside it in the repository.
    sys.path.append(str(Path(__file__).parent.parent))
    try:
        from tests.fakes.passkit import serve
    except ImportError:
        raise click.ClickException(
            "The fake is part of the source code. Run this in a copy of the repository."
        ) from None
    serve(port, delay_seconds=delay, echo=click.echo)


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


@main.group()
def issuer() -> None:
    """Where an account's passes live: connect it to PassKit, or not."""


def _account_and_mode(command: Any) -> Any:
    account_option = click.option("--account", "account_name", required=True, help="Name of the account.")
    return account_option(click.option("--mode", type=MODE, required=True, help="World of data.")(command))


@issuer.command("connect")
@click.argument("name", type=click.Choice(["passkit"]))
@_account_and_mode
@click.option("--region", default="pub1", show_default=True, help="PassKit's region: pub1 (EU) or pub2 (USA).")
@click.option("--api-key", default="", help="From app.passkit.com, Developer Tools, REST credentials.")
@click.option("--api-secret", default="", help="Belongs to the key; asked for when it is left out.")
@click.option("--token", default="", help="A long-lived token instead of key and secret.")
@click.option("--base-url", default="", help="Address of the API, where it is not the region's own.")
@click.option("--pass-url", default="", help="Address of the pass pages, where it is not the region's own.")
def connect_issuer(
    name: str,
    account_name: str,
    mode: str,
    region: str,
    api_key: str,
    api_secret: str,
    token: str,
    base_url: str,
    pass_url: str,
) -> None:
    """Connect an account to PassKit. The credentials are tried first and kept encrypted."""
    service = _service()
    if not token and not api_secret:
        api_secret = click.prompt("API secret", hide_input=True)
    secrets = {"long_lived_token": token} if token else {"api_key": api_key, "secret": api_secret}
    target = Target(region=region, secrets=secrets, base_url=base_url, pass_url=pass_url)
    made = connecting.connect(service, _account_id(service, account_name), Mode(mode), name, target)
    click.echo(f"Connected {account_name} in {mode} mode to {name}: {made.company}, region {made.region}.")


@issuer.command("show")
@_account_and_mode
def show_issuer(account_name: str, mode: str) -> None:
    """Show where passes live, and whether the connection works. Credentials are never shown."""
    service = _service()
    one = sync_connections.find(service, _account_id(service, account_name), Mode(mode))
    if one is None:
        click.echo("builtin")
        return
    click.echo(f"{one.issuer}  {one.company}  region {one.region}  last worked {time_text(one.last_worked_at)}")
    if one.last_problem is not None:
        click.echo(f"It does not work: {one.last_problem['detail']}")


@issuer.command("subscribe")
@_account_and_mode
def subscribe_issuer(account_name: str, mode: str) -> None:
    """Ask PassKit for webhooks of every program that has none yet. Connecting does this too."""
    service = _service()
    one = sync_connections.need(service, _account_id(service, account_name), Mode(mode))
    if not subscriptions.can_hear(service, one):
        raise click.ClickException("PassKit cannot reach this service. Set BASE_URL to its public https address.")
    number = subscriptions.subscribe(service, refresh_programs(service, one))
    click.echo(f"PassKit tells of {number} programs.")


@issuer.command("forget")
@_account_and_mode
def forget_issuer(account_name: str, mode: str) -> None:
    """Forget a connection and its credentials. Programs and passes stay on record."""
    service = _service()
    was_there = connecting.forget(service, _account_id(service, account_name), Mode(mode))
    click.echo("Forgotten." if was_there else "There was no connection.")


def _account_id(service: Service, name: str) -> str:
    with service.store.read() as connection:
        return accounts.find_account(connection, name).id


@main.group("vault")
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
    service = _service()
    if service.vault is None:
        raise click.ClickException("VAULT_KEYS is not set. Make a key with 'passrail vault new-key'.")
    with service.store.write() as connection:
        changed = connections.reseal_all(connection, service.vault)
    click.echo(f"Encrypted {changed} with the key {service.vault.key_ids[0]}.")
