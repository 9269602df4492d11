"""What the commands share: connecting to the database, naming an account and a mode."""

from __future__ import annotations

from typing import Any

import click

from app.accounts import accounts
from app.model import Mode
from app.service import Service, make_service
from app.settings import load_settings
from app.store import migrate as migrations

MODE = click.Choice([mode.value for mode in Mode])


def open_service() -> Service:
    """Connect to the database, whose tables must be those of this version."""
    service = make_service(load_settings())
    if not migrations.is_current(service.store):
        raise click.ClickException("The database is not ready. Run 'passrail migrate' first.")
    return service


def account_and_mode(command: Any) -> Any:
    """Give a command the options `--account` and `--mode`."""
    account_option = click.option("--account", "account_name", required=True, help="Name of the account.")
    return account_option(click.option("--mode", type=MODE, required=True, help="World of data.")(command))


def account_id(service: Service, name: str) -> str:
    """Return the ID of the account of this name.

    Raises:
        NotFound: there is none.
    """
    with service.store.read() as connection:
        return accounts.find_account(connection, name).id
