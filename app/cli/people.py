"""`passrail person`: one person's data, handed out or erased everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from marshmallow import ValidationError

from app.accounts import accounts
from app.accounts.keys import SCOPES, Caller
from app.cli.common import account_and_mode, open_service
from app.model import Mode
from app.people import erasing, exporting
from app.people.erasing import Erasure
from app.people.person import Locator
from app.schema import Email
from app.service import Service

PAGE = 100
BY = "passrail person"


@click.group("person")
def person_group() -> None:
    """One person's data: export it, or erase it everywhere."""


def names_person(command: Callable[..., None]) -> Any:
    """Give a command the options that say who is meant."""
    external_id = click.option(
        "--external-id", help="Your own ID of the person, as given when the passes were created."
    )
    email = click.option("--email", help="The person's e-mail address, instead.")
    program_id = click.option("--program", "program_id", help="ID of the only program; default: all.")
    return account_and_mode(external_id(email(program_id(command))))


@person_group.command("export")
@names_person
def export_person(account_name: str, mode: str, **named: str | None) -> None:
    """Print everything that is held of a person as JSON."""
    service, cursor, shown = open_service(), None, list[dict[str, Any]]()
    caller, locator = _caller(service, account_name, mode), _locator(**named)
    while True:
        page = exporting.export(service, caller, locator, cursor=cursor, limit=PAGE)
        shown += [item.show() for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    click.echo(json.dumps({"data": shown}, ensure_ascii=False, indent=2))


@person_group.command("erase")
@names_person
@click.option("--also-at-issuer", is_flag=True, help="Delete the records at the remote issuer, too.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
def erase_person(
    account_name: str, mode: str, also_at_issuer: bool, dry_run: bool, yes: bool, **named: str | None
) -> None:
    """Erase a person everywhere. This cannot be undone."""
    service = open_service()
    caller, locator = _caller(service, account_name, mode), _locator(**named)
    found = erasing.preview(service, caller, locator, also_at_issuer=also_at_issuer)
    if dry_run or not yes:
        _show(found, "This would be erased")
    if dry_run:
        return
    if not yes:
        click.confirm("Erase it? This cannot be undone.", abort=True)
    _show(erasing.erase(service, caller, locator, also_at_issuer=also_at_issuer), "Erased")


def _caller(service: Service, account_name: str, mode: str) -> Caller:
    """Return who asks: the people who run the service, for the account."""
    with service.store.read() as connection:
        account = accounts.find_account(connection, account_name)
    return Caller(account.id, account.name, Mode(mode), frozenset(SCOPES), key_id=BY, key_number=0)


def _locator(external_id: str | None, email: str | None, program_id: str | None) -> Locator:
    if (external_id is None) == (email is None):
        raise click.UsageError("Give either --external-id or --email.")
    try:
        address = None if email is None else Email("Email", "The person's e-mail address.").deserialize(email)
    except ValidationError as error:
        raise click.BadParameter(" ".join(error.messages), param_hint="--email") from None
    return Locator(external_id, address, program_id)


def _show(erased: Erasure, begin: str) -> None:
    rows = ", ".join(f"{number} {name}" for name, number in erased.rows.items())
    click.echo(f"{begin}: {rows}.")
    for pass_id in erased.pass_ids:
        click.echo(f"Pass: {pass_id}")
    for note in erased.notes:
        click.echo(f"Note: {note}")
    for operation_id in erased.open_operations:
        click.echo(f"Not settled yet: {operation_id}. Until it is, the person cannot be erased.")
