"""The programs of a remote issuer on record here, read again when what we have is old."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.errors import PassrailError
from app.issuers.remote import Catalogue, FoundProgram
from app.model import CustomField, IdKind, Program, new_id
from app.service import Service
from app.store import programs
from app.sync import connections

FRESH = timedelta(seconds=60)
NAME_MAX = 80

_log = logging.getLogger(__name__)


def programs_of(service: Service, connected: IssuerConnection) -> list[Program]:
    """Return the remote issuer's programs on record, by name."""
    with service.store.read() as connection:
        mine = programs.all_of(connection, connected.account_id, connected.mode)
    return sorted((program for program in mine if program.issuer == connected.issuer), key=lambda program: program.name)


def notes_of(service: Service, connected: IssuerConnection) -> list[str]:
    """Say in sentences what could not be read at the remote issuer, and what is special about its programs."""
    special = [f"{program.name}: {note}" for program in programs_of(service, connected) for note in program.notes]
    return [*connected.notes, *special]


def refresh_programs(service: Service, connected: IssuerConnection) -> IssuerConnection:
    """Read the programs from the issuer unless that was done in the last minute.

    Where they cannot be read they are left as they were.
    """
    now = service.clock()
    if connected.refreshed_at is not None and now - connected.refreshed_at < FRESH:
        return connected
    try:
        with connections.asking(service, connected) as issuer:
            catalogue = issuer.catalogue()
        with service.store.write() as connection:
            return write_catalogue(connection, connected, catalogue, now)
    except PassrailError as error:
        _log.warning("programs are shown as they were", extra={"why": error.code})
    except IntegrityError:
        _log.info("the programs were read by somebody else at the same moment")
    return connected


def write_catalogue(
    connection: Connection, connected: IssuerConnection, catalogue: Catalogue, now: datetime
) -> IssuerConnection:
    """Bring our programs in line with what the issuer has; return the connection with what could not be read.

    What is gone there goes here too, unless it has passes. Of a kind that could not be read in full nothing is gone.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else wrote the same at the same moment.
    """
    mine = programs.all_of(connection, connected.account_id, connected.mode)
    known = {program.upstream_id: program for program in mine if program.issuer == connected.issuer}
    found_ids = {found.upstream_id for found in catalogue.programs}
    for program in known.values():
        if program.upstream_id not in found_ids and program.kind not in catalogue.unread:
            programs.remove_unless_used(connection, program)
    left = programs.all_of(connection, connected.account_id, connected.mode)
    taken = {
        program.name for program in left if program.issuer != connected.issuer or program.upstream_id not in found_ids
    }
    changed = []
    for found, name in _named(catalogue.programs, taken):
        before = known.get(found.upstream_id)
        after = _new(connected, found, name, now) if before is None else _over(before, found, name)
        if after != before:
            changed.append((before, after))
    # Two programs may have exchanged their names: no new name is written while an old one has it.
    for before, after in changed:
        if before is not None and before.name != after.name:
            programs.save(connection, replace(before, name=before.id))
    for before, after in changed:
        if before is None:
            programs.add(connection, after)
        else:
            programs.save(connection, replace(after, updated_at=now))
    rows.note_refreshed(connection, connected.account_id, connected.mode, catalogue.notes, now)
    return replace(connected, refreshed_at=now, notes=catalogue.notes)


def _named(found: Sequence[FoundProgram], taken: set[str]) -> Iterator[tuple[FoundProgram, str]]:
    """Give each program a name: an issuer may let two have the same one, and here each has its own."""
    taken = set(taken)
    for program in found:
        name = (program.name or program.upstream_id)[:NAME_MAX]
        if name in taken:
            name = f"{name[: NAME_MAX - 9]} ({program.upstream_id[-6:]})"
        taken.add(name)
        yield program, name


def _over(before: Program, found: FoundProgram, name: str) -> Program:
    fields = found.fields if found.has_all_fields else _joined(found.fields, before.fields)
    return replace(before, name=name, tiers=found.tiers, fields=fields, upstream=dict(found.upstream))


def _joined(read: Sequence[CustomField], known: Sequence[CustomField]) -> tuple[CustomField, ...]:
    names = {field.name for field in read}
    return (*read, *(field for field in known if field.name not in names))


def _new(connected: IssuerConnection, found: FoundProgram, name: str, now: datetime) -> Program:
    return Program(
        id=new_id(IdKind.PROGRAM),
        account_id=connected.account_id,
        mode=connected.mode,
        issuer=connected.issuer,
        kind=found.kind,
        name=name,
        tiers=found.tiers,
        fields=found.fields,
        created_at=now,
        updated_at=now,
        upstream_id=found.upstream_id,
        upstream=dict(found.upstream),
    )
