"""`passrail issuer`: where an account's passes live. Each kind of remote issuer has a command of its own to connect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from app.answer import to_text as time_text
from app.cli.common import account_and_mode, account_id, open_service
from app.issuers.remote import Target
from app.model import EndsCardsBy, Mode
from app.service import Service
from app.store import imports as import_rows
from app.store.imports import Import, ImportStatus
from app.sync import connecting, connections, imports, subscriptions
from app.sync.programs import notes_of, programs_of, refresh_programs

ENDS_CARDS_BY = click.Choice([way.value for way in EndsCardsBy])
LOOK_AGAIN_SECONDS = 2.0


@click.group()
def issuer() -> None:
    """Where an account's passes live: connect it to a remote issuer, or not."""


@issuer.group()
def connect() -> None:
    """Connect an account to a remote issuer. The credentials are tried first and kept encrypted."""


def ends_cards_by_option(**options: Any) -> Callable[[Any], Any]:
    """Give a command the option `--ends-cards-by`."""
    text = "How a revoke ends a card there: its expiry, or the deletion of its record."
    return click.option("--ends-cards-by", type=ENDS_CARDS_BY, help=text, **options)


def connect_account(
    service: Service, name: str, account_name: str, mode: str, target: Target, ends_cards_by: str | None
) -> None:
    """Connect an account to a kind of remote issuer, and say what came of it."""
    way = EndsCardsBy(ends_cards_by) if ends_cards_by is not None else None
    made = connecting.connect(service, account_id(service, account_name), Mode(mode), name, target, way)
    click.echo(f"Connected {account_name} in {mode} mode to {name}: {made.company}, region {made.region}.")
    for note in notes_of(service, made):
        click.echo(f"Note: {note}")


@issuer.command("show")
@account_and_mode
def show_issuer(account_name: str, mode: str) -> None:
    """Show where passes live, and whether the connection works. Credentials are never shown."""
    service = open_service()
    connected = connections.find(service, account_id(service, account_name), Mode(mode))
    if connected is None:
        click.echo("builtin")
        return
    click.echo(
        f"{connected.issuer}  {connected.company}  region {connected.region}  "
        f"last worked {time_text(connected.last_worked_at)}"
    )
    click.echo(f"A revoke ends cards by: {connected.ends_cards_by.value}")
    if connected.last_problem is not None:
        click.echo(f"It does not work: {connected.last_problem['detail']}")
    for note in notes_of(service, connected):
        click.echo(f"Note: {note}")


@issuer.command("set")
@account_and_mode
@ends_cards_by_option(required=True)
def set_issuer(account_name: str, mode: str, ends_cards_by: str) -> None:
    """Change how the connection is used. No credentials are needed."""
    service = open_service()
    way = EndsCardsBy(ends_cards_by)
    connecting.set_ends_cards_by(service, account_id(service, account_name), Mode(mode), way)
    click.echo(f"A revoke ends cards by: {ends_cards_by}")


@issuer.command("import")
@account_and_mode
@click.option("--program", "program_id", help="ID of a program. Default: every program.")
@click.option("--wait", is_flag=True, help="Do it now, and show how far it is. Default: the worker does it.")
def import_passes(account_name: str, mode: str, program_id: str | None, wait: bool) -> None:
    """Take the passes that the remote issuer has on record here. There are no events for it."""
    service = open_service()
    begun = imports.start(service, account_id(service, account_name), Mode(mode), program_id)
    if not wait:
        click.echo(f"Import {begun.id} has begun.")
        return
    ended = _finish(service, begun)
    if ended.status is ImportStatus.FAILED:
        assert ended.problem is not None
        raise click.ClickException(f"The import failed: {ended.problem['detail']}")
    click.echo("Done.")


def _finish(service: Service, begun: Import) -> Import:
    """Take page after page, unless a worker does, and show each step; return the import as it ended."""
    now = begun
    while now.finished_at is None:
        imports.take_page(service, now.id)
        before = now
        with service.store.read() as connection:
            found = import_rows.get_any(connection, now.id)
        assert found is not None
        now = found
        if now != before:
            click.echo(f"{now.found} found, {now.added} added, {now.changed} changed")
        if now.finished_at is None and now.position == before.position:
            waits_for = now.problem["detail"] if now.problem is not None else "somebody else does the same"
            click.echo(f"Waiting: {waits_for}")
            time.sleep(LOOK_AGAIN_SECONDS)
    return now


@issuer.command("subscribe")
@account_and_mode
def subscribe_issuer(account_name: str, mode: str) -> None:
    """Ask for webhooks of every program that has none yet. Connecting does this too."""
    service = open_service()
    connected = connections.need(service, account_id(service, account_name), Mode(mode))
    title = service.remote_kinds[connected.issuer].title
    if not subscriptions.can_hear(service, connected):
        raise click.ClickException(f"{title} cannot reach this service. Set BASE_URL to its public https address.")
    number = subscriptions.subscribe(service, refresh_programs(service, connected))
    every = len(programs_of(service, connected))
    click.echo(f"{title} tells of {number} of {every} programs.")
    if number < every:
        click.echo("The log says why; the rest is asked for again within an hour.")


@issuer.command("forget")
@account_and_mode
def forget_issuer(account_name: str, mode: str) -> None:
    """Forget a connection and its credentials. Programs and passes stay on record."""
    service = open_service()
    was_there = connecting.forget(service, account_id(service, account_name), Mode(mode))
    click.echo("Forgotten." if was_there else "There was no connection.")
