"""`passrail`: accounts, keys, issuers, operations, parked work, people, backups, migrations, the demo, OpenAPI."""

from __future__ import annotations

import sys
from typing import Any

import click
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app import create_app, demo
from app.accounts.vault import VaultError
from app.api import blueprints
from app.api.openapi import describe
from app.cli.accounts import account, key
from app.cli.backup import backup, restore
from app.cli.common import open_service, usable_settings
from app.cli.doctor import doctor
from app.cli.issuers import issuer
from app.cli.operations import operation_group
from app.cli.parked import parked_group
from app.cli.passkit import fake_passkit
from app.cli.people import person_group
from app.cli.vault import vault_group
from app.errors import PassrailError
from app.settings import InvalidSetting
from app.store import migrate as migrations
from app.store.backup import BackupFailed
from app.store.unavailable import DatabaseUnavailable, why_unavailable


class FriendlyGroup(click.Group):
    """Shows what went wrong as a sentence, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (PassrailError, InvalidSetting, BackupFailed) as error:
            raise click.ClickException(error.detail if isinstance(error, PassrailError) else str(error)) from error
        except VaultError as error:
            raise click.ClickException(f"{error} Put the key it needs into VAULT_KEYS.") from error
        except SQLAlchemyError as error:
            if why_unavailable(error) is None and not isinstance(error, ArgumentError):
                raise
            said = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
            cause = str(getattr(said, "orig", said)).strip()
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


for command in (
    account,
    key,
    issuer,
    operation_group,
    parked_group,
    person_group,
    vault_group,
    fake_passkit,
    backup,
    restore,
    doctor,
):
    main.add_command(command)


@main.command()
def migrate() -> None:
    """Bring the database's tables up to this version."""
    migrations.migrate(usable_settings())


@main.command()
def openapi() -> None:
    """Print the OpenAPI description."""
    sys.stdout.write(describe(create_app(), blueprints()))


@main.command("demo")
def demo_command() -> None:
    """Make the demo account and programs, and say how to try them."""
    service = open_service()
    with service.store.write() as connection:
        account = demo.ensure(connection, service.clock())
    click.echo(demo.welcome(service, account))
