"""`passrail parked`: work that failed too often, or whose outcome nobody can tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

import click
from sqlalchemy import Connection

from app import sweeps
from app.answer import to_text as time_text
from app.cli.common import open_service
from app.events import deliveries
from app.operations.resolve import end_as_undone
from app.store import expiries, imports, issuer_webhooks
from app.store.troubles import Kind

KIND = click.Choice([kind.value for kind in Kind])


@click.group("parked")
def parked_group() -> None:
    """Work that failed too often, or whose outcome nobody can tell. Nothing tries it until you say so."""


@parked_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def list_parked(as_json: bool) -> None:
    """List it: kind, ID, since when, failed tries, why."""
    found = [
        {
            "kind": item.kind.value,
            "id": item.item_id,
            "since": time_text(item.first_at),
            "tries": item.tries,
            "why": item.why,
        }
        for item in sweeps.list_parked(open_service())
    ]
    if as_json:
        click.echo(json.dumps(found))
        return
    for item in found:
        click.echo("  ".join(str(value) for value in item.values()))


@parked_group.command("retry")
@click.argument("kind", metavar="KIND", type=KIND)
@click.argument("item_id", metavar="ID")
def retry(kind: str, item_id: str) -> None:
    """Try it again, ten times if need be. Do this once the cause is mended."""
    sweeps.retry(open_service(), Kind(kind), item_id)
    click.echo("The next sweep tries it: within a minute, a connection or a purge within an hour.")


@parked_group.command("drop")
@click.argument("kind", metavar="KIND", type=KIND)
@click.argument("item_id", metavar="ID")
def drop(kind: str, item_id: str) -> None:
    """Give it up.

    A webhook is closed unread. An expiry counts as told. The waiting deliveries of a hook end as failed, and an import
    ends as failed. An operation ends as one that did not happen; if it did, use 'passrail operation resolve'. A
    connection or a purge is looked at again with the next sweep: nothing of it is given up.
    """
    service = open_service()

    def drop_item(item_id: str) -> None:
        with service.store.write() as connection:
            _DROPS[Kind(kind)](connection, item_id, service.clock())

    sweeps.drop(service, Kind(kind), item_id, drop_item)
    click.echo("Dropped.")


def _drop_webhook(connection: Connection, webhook_id: str, now: datetime) -> None:
    issuer_webhooks.close(connection, webhook_id, "given up unread", now)


def _drop_expiry(connection: Connection, pass_id: str, now: datetime) -> None:
    expiries.note_notified(connection, pass_id, now)


def _drop_operation(connection: Connection, operation_id: str, now: datetime) -> None:
    end_as_undone(connection, operation_id, "passrail parked drop", now)


def _drop_nothing(_connection: Connection, _item_id: str, _now: datetime) -> None:
    """A connection is there to stay until its account forgets it; a purge comes again every hour."""


_DROPS: Mapping[Kind, Callable[[Connection, str, datetime], None]] = {
    Kind.OPERATION: _drop_operation,
    Kind.WEBHOOK: _drop_webhook,
    Kind.EXPIRY: _drop_expiry,
    Kind.HOOK: deliveries.fail_pending,
    Kind.CONNECTION: _drop_nothing,
    Kind.IMPORT: imports.give_up,
    Kind.PURGE: _drop_nothing,
}
