"""PassKit's own commands: connecting to it, and a fake of it to try things with."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.cli.common import account_and_mode, open_service
from app.cli.issuers import connect, connect_account, ends_cards_by_option
from app.issuers.remote import Target


@connect.command("passkit")
@account_and_mode
@click.option("--region", default="pub1", show_default=True, help="PassKit's region: pub1 (EU) or pub2 (USA).")
@click.option("--api-key", default="", help="From app.passkit.com, Developer Tools, REST credentials.")
@click.option("--api-secret", default="", help="Belongs to the key; asked for when it is left out.")
@click.option("--token", default="", help="A long-lived token instead of key and secret.")
@click.option("--base-url", default="", help="Address of the API, where it is not the region's own.")
@click.option("--pass-url", default="", help="Address of the pass pages, where it is not the region's own.")
@ends_cards_by_option()
def connect_passkit(
    account_name: str,
    mode: str,
    region: str,
    api_key: str,
    api_secret: str,
    token: str,
    base_url: str,
    pass_url: str,
    ends_cards_by: str | None,
) -> None:
    """Connect an account to PassKit. The credentials are tried first and kept encrypted."""
    service = open_service()
    if not token and not api_secret:
        api_secret = click.prompt("API secret", hide_input=True)
    secrets = {"long_lived_token": token} if token else {"api_key": api_key, "secret": api_secret}
    target = Target(region=region, secrets=secrets, base_url=base_url, pass_url=pass_url)
    connect_account(service, "passkit", account_name, mode, target, ends_cards_by)


@click.command("fake-passkit")
@click.option("--port", default=8090, show_default=True, help="Port to listen on, on this machine only.")
@click.option("--delay", default=0.0, help="Seconds that every answer takes.")
def fake_passkit(port: int, delay: float) -> None:
    """Run a fake PassKit to try the PassKit path with. Nothing in it is real; it forgets everything when it stops."""
    # The tests are not installed with the service; they lie beside it in the repository.
    sys.path.append(str(Path(__file__).parent.parent.parent))
    try:
        from tests.fakes.passkit import serve
    except ImportError:
        raise click.ClickException(
            "The fake is part of the source code. Run this in a copy of the repository."
        ) from None
    serve(port, delay_seconds=delay, echo=click.echo)
