"""Imports in the database: taking the passes of a remote issuer on record, page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.model import Mode
from app.store.columns import from_milliseconds, instant, to_json, to_milliseconds
from app.store.tables import UNFINISHED, imports
from app.store.troubles import Kind, rests


class ImportStatus(StrEnum):
    """Where an import is in its life."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Position:
    """Where an import is: at which program, and how many of that one's passes are done."""

    program_id: str
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import.

    Attributes:
        program_id: whose passes; None: those of every program.
        found: passes that were read at the issuer so far.
        added: of these, passes that were not on record.
        changed: of these, passes whose record was not true any more.
        problem: why it does not go on, `{"code", "detail"}`; None while it does.
    """

    id: str
    account_id: str
    mode: Mode
    program_id: str | None
    status: ImportStatus
    position: Position
    found: int = 0
    added: int = 0
    changed: int = 0
    problem: Mapping[str, str] | None = None
    created_at: datetime
    finished_at: datetime | None = None


def add(connection: Connection, new: Import) -> None:
    """Insert the import."""
    connection.execute(insert(imports), _to_row(new))


def save(connection: Connection, changed: Import) -> None:
    """Write the import over its row."""
    connection.execute(update(imports).where(imports.c.id == changed.id).values(_to_row(changed)))


def get(connection: Connection, account_id: str, mode: Mode, import_id: str) -> Import | None:
    """Return the account's import of this ID."""
    mine = imports.c.account_id == account_id, imports.c.mode == mode.value
    row = connection.execute(select(imports).where(imports.c.id == import_id, *mine)).first()
    return None if row is None else _from_columns(row)


def get_any(connection: Connection, import_id: str) -> Import | None:
    """Return the import of this ID, of any account."""
    row = connection.execute(select(imports).where(imports.c.id == import_id)).first()
    return None if row is None else _from_columns(row)


def get_unfinished(connection: Connection, account_id: str, mode: Mode, program_id: str | None) -> Import | None:
    """Return the import of this program, or of every one (None), that is under way."""
    query = select(imports).where(UNFINISHED, imports.c.account_id == account_id, imports.c.mode == mode.value)
    row = connection.execute(query.where(imports.c.program_id.is_not_distinct_from(program_id))).first()
    return None if row is None else _from_columns(row)


def lock(connection: Connection, import_id: str) -> Import | None:
    """Return the import as `get_any` does; it stays so until the transaction ends."""
    row = connection.execute(select(imports).where(imports.c.id == import_id).with_for_update()).first()
    return None if row is None else _from_columns(row)


def unfinished(connection: Connection, now: datetime) -> list[str]:
    """Return the IDs of the imports that are under way and may be tried now, oldest first."""
    query = select(imports.c.id).where(UNFINISHED, ~rests(Kind.IMPORT, imports.c.id, now))
    return [str(import_id) for import_id in connection.execute(query.order_by(imports.c.id)).scalars()]


def give_up(connection: Connection, import_id: str, now: datetime) -> None:
    """End an import that did not finish as failed. What it took on record stays."""
    problem = {"code": "internal", "detail": "Whoever runs the service gave this import up after it failed too often."}
    values = {"status": ImportStatus.FAILED.value, "problem": to_json(problem), "finished_at": to_milliseconds(now)}
    connection.execute(update(imports).where(imports.c.id == import_id, UNFINISHED).values(values))


def _from_columns(columns: Sequence[Any]) -> Import:
    import_id, account_id, mode, program_id, status, position, found, added, changed, problem, *times = columns
    created_at, finished_at = times
    return Import(
        id=import_id,
        account_id=account_id,
        mode=Mode(mode),
        program_id=program_id,
        status=ImportStatus(status),
        position=Position(**json.loads(position)),
        found=found,
        added=added,
        changed=changed,
        problem=json.loads(problem) if problem else None,
        created_at=instant(created_at),
        finished_at=from_milliseconds(finished_at),
    )


def _to_row(value: Import) -> dict[str, Any]:
    return {
        "id": value.id,
        "account_id": value.account_id,
        "mode": value.mode.value,
        "program_id": value.program_id,
        "status": value.status.value,
        "position": to_json(asdict(value.position)),
        "found": value.found,
        "added": value.added,
        "changed": value.changed,
        "problem": to_json(dict(value.problem)) if value.problem else None,
        "created_at": to_milliseconds(value.created_at),
        "finished_at": to_milliseconds(value.finished_at),
    }
