"""What the commands share: connecting to the database, naming an account and a mode."""

from __future__ import annotations

from typing import Any

import click

from app import data_dir
from app.accounts import accounts
from app.model import Mode
from app.service import Service, make_service
from app.settings import Settings, load_settings
from app.store import migrate as migrations

MODE = click.Choice([mode.value for mode in Mode])


def usable_settings() -> Settings:
    """Read the settings, and see that DATA_DIR can be used.

    Raises:
        InvalidSetting: a setting cannot be used.
    """
    settings = load_settings()
    data_dir.prepare(settings.data_dir)
    return settings


def open_service() -> Service:
    """Connect to the database, whose tables must be those of this version."""
    service = make_service(usable_settings())
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
