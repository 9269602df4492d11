"""The programs of a remote issuer on record here, read again when what we have is old."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app import identifiers
from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.errors import PassrailError
from app.issuers.protocol import Catalogue, FoundProgram
from app.model import CustomField, Mode, Program
from app.service import Service
from app.store import programs
from app.sync import connections

FRESH = timedelta(seconds=60)
NAME_MAX = 80

_log = logging.getLogger(__name__)


def refresh_programs(service: Service, one: IssuerConnection, seconds: float | None = None) -> IssuerConnection:
    """Read the programs from the issuer unless that was done in the last minute.

    Args:
        service: the parts of the service.
        one: the connection.
        seconds: how long it may take; by default as long as an action.

    Raises:
        UpstreamCredentialsRefused, UpstreamUnavailable, RateLimited: they cannot be read, and never were.
    """
    now = service.clock()
    if one.refreshed_at is not None and now - one.refreshed_at < FRESH:
        return one
    try:
        with connections.asking(service, one, seconds) as issuer:
            catalogue = issuer.catalogue()
    except PassrailError as error:
        if one.refreshed_at is None:
            raise
        _log.warning("programs are shown as they were", extra={"why": error.code})
        return one
    try:
        with service.store.write() as connection:
            _write_all(connection, one, catalogue, now)
            rows.note_refreshed(connection, one.account_id, one.mode, catalogue.notes, now)
    except IntegrityError:
        _log.info("the programs were refreshed by somebody else at the same moment")
    return replace(one, refreshed_at=now, notes=catalogue.notes)


def _write_all(connection: Connection, one: IssuerConnection, catalogue: Catalogue, now: datetime) -> None:
    """Bring our rows in line with what the issuer has.

    What is gone there goes here too, unless it has passes, or programs of its kind could not be read.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else wrote the same at the same moment.
    """
    mine = programs.all_of(connection, one.account_id, one.mode)
    known = {program.upstream_id: program for program in mine if program.issuer == one.issuer}
    taken = {program.name for program in mine if program.issuer != one.issuer}
    for program in catalogue.programs:
        name = _free_name(program, taken)
        taken.add(name)
        before = known.pop(program.upstream_id, None)
        if before is None:
            programs.add(connection, _new(one.account_id, one.mode, one.issuer, program, name, now))
            continue
        fields = program.fields if program.has_all_fields else _joined(program.fields, before.fields)
        after = replace(before, name=name, tiers=program.tiers, fields=fields, upstream=dict(program.upstream))
        if after != before:
            programs.save(connection, replace(after, updated_at=now))
    for gone in known.values():
        if gone.kind not in catalogue.unread:
            programs.remove_unless_used(connection, gone)


def _joined(read: Sequence[CustomField], known: Sequence[CustomField]) -> tuple[CustomField, ...]:
    names = {field.name for field in read}
    return (*read, *(field for field in known if field.name not in names))


def _free_name(one: FoundProgram, taken: set[str]) -> str:
    """An issuer may let two programs have one name; here it must be unique."""
    name = (one.name or one.upstream_id)[:NAME_MAX]
    if name in taken:
        name = f"{name[: NAME_MAX - 9]} ({one.upstream_id[-6:]})"
    return name


def _new(account_id: str, mode: Mode, issuer: str, one: FoundProgram, name: str, now: datetime) -> Program:
    return Program(
        id=identifiers.new_id(identifiers.PROGRAM),
        account_id=account_id,
        mode=mode,
        issuer=issuer,
        kind=one.kind,
        name=name,
        tiers=one.tiers,
        fields=one.fields,
        created_at=now,
        updated_at=now,
        upstream_id=one.upstream_id,
        upstream=dict(one.upstream),
    )
