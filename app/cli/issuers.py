"""`passrail issuer`: connecting accounts to PassKit."""

from __future__ import annotations

import click

from app import upstream
from app.cli.common import account_and_mode, account_id, open_service
from app.clock import to_text as time_text
from app.model import Mode


@click.group()
def issuer() -> None:
    """Where an account's passes live: connect it to PassKit, or not."""


@issuer.command("connect")
@click.argument("name", type=click.Choice(["passkit"]))
@account_and_mode
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
    service = open_service()
    if not token and not api_secret:
        api_secret = click.prompt("API secret", hide_input=True)
    secrets = {"long_lived_token": token} if token else {"api_key": api_key, "secret": api_secret}
    target = upstream.Target(region, secrets, base_url, pass_url)
    made = upstream.connect(service, account_id(service, account_name), Mode(mode), target)
    click.echo(f"Connected {account_name} in {mode} mode to {name}: {made.company}, region {made.region}.")


@issuer.command("show")
@account_and_mode
def show_issuer(account_name: str, mode: str) -> None:
    """Show where passes live, and whether the connection works. Credentials are never shown."""
    service = open_service()
    one = upstream.find(service, account_id(service, account_name), Mode(mode))
    if one is None:
        click.echo("builtin")
        return
    click.echo(f"{one.issuer}  {one.company}  region {one.region}  last worked {time_text(one.last_worked_at)}")
    if one.last_problem is not None:
        click.echo(f"It does not work: {one.last_problem['detail']}")


@issuer.command("subscribe")
@account_and_mode
def subscribe_issuer(account_name: str, mode: str) -> None:
    """Ask PassKit for webhooks of every program that has none yet. Connecting does this too."""
    service = open_service()
    one = upstream.need(service, account_id(service, account_name), Mode(mode))
    if not upstream.can_hear(service, one):
        raise click.ClickException("PassKit cannot reach this service. Set BASE_URL to its public https address.")
    number = upstream.subscribe(service, upstream.refresh_programs(service, one))
    click.echo(f"PassKit tells of {number} programs.")


@issuer.command("forget")
@account_and_mode
def forget_issuer(account_name: str, mode: str) -> None:
    """Forget a connection and its credentials. Programs and passes stay on record."""
    service = open_service()
    was_there = upstream.forget(service, account_id(service, account_name), Mode(mode))
    click.echo("Forgotten." if was_there else "There was no connection.")
