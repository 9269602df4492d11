"""`passrail operation`: what was asked for and what came of it, for the people who run the service."""

from __future__ import annotations

import json

import click

from app.accounts import accounts
from app.answer import to_text as time_text
from app.cli.common import open_service
from app.errors import NotFound
from app.operations.plan import CannotGoOn, name_of, plan_of
from app.operations.resolve import resolve
from app.service import Service
from app.store import operations, troubles
from app.store.operations import Operation
from app.store.troubles import Kind

BY = "passrail operation resolve"


@click.group("operation")
def operation_group() -> None:
    """Requests to do an action, and what came of them."""


@operation_group.command("show")
@click.argument("operation_id", metavar="ID")
def show_operation(operation_id: str) -> None:
    """Show what was asked for and what came of it, without the holder's data."""
    service = open_service()
    _show(service, _find(service, operation_id))


@operation_group.command("resolve")
@click.argument("operation_id", metavar="ID")
@click.option(
    "--happened/--did-not-happen",
    "happened",
    default=None,
    help="What you found at the issuer: the next effect that 'operation show' lists is true, or it is not.",
)
def resolve_operation(operation_id: str, happened: bool | None) -> None:
    """Say what became of an operation whose outcome nobody could find out.

    What happened is recorded, and the rest of the operation is done. What did not happen has failed: the same request
    may be sent again.
    """
    if happened is None:
        raise click.UsageError("Give either --happened or --did-not-happen.")
    service = open_service()
    found = _find(service, operation_id)
    resolve(service, found, happened=happened, by=BY)
    _show(service, _find(service, operation_id))


def _find(service: Service, operation_id: str) -> Operation:
    with service.store.read() as connection:
        found = operations.get_any(connection, operation_id)
    if found is None:
        raise NotFound(f"There is no operation '{operation_id}'.")
    return found


def _show(service: Service, found: Operation) -> None:
    with service.store.read() as connection:
        trouble = troubles.get(connection, Kind.OPERATION, found.id)
        owner = next(entry.name for entry in accounts.list_accounts(connection) if entry.id == found.account_id)
    is_parked = trouble is not None and trouble.parked_at is not None
    lines = {
        "operation": found.id,
        "account": f"{owner}, {found.mode.value} mode",
        "action": found.action,
        "idempotency key": "kept as a hash" if found.key_digest else None,
        "program": found.program_id,
        "pass": found.pass_id,
        "status": f"{found.status.value}, parked" if is_parked else found.status.value,
        "effects": _effects(found),
        "problem": json.loads(found.problem)["detail"] if found.problem else None,
        "next look at": time_text(found.look_at) if found.look_at else None,
        "resolution": found.resolution,
        "created at": time_text(found.created_at),
        "finished at": time_text(found.finished_at) if found.finished_at else None,
    }
    for name, value in lines.items():
        if value is not None:
            click.echo(f"{name}: {value}")


def _effects(found: Operation) -> str | None:
    """Name what is to be made true at a remote issuer, and how far that is."""
    if found.request is None:
        return None
    try:
        plan = plan_of(found)
    except CannotGoOn as error:
        return str(error)
    names = (name_of(effect).replace("_", " ") for effect in plan.effects)
    return ", ".join(f"{name} (done)" if plan.has_done(place) else name for place, name in enumerate(names))
