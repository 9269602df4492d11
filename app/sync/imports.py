"""Taking the passes that a remote issuer has on record here, page by page, without events.

Each page is one transaction with the place where the import is afterwards: a process that dies loses nothing, and
whoever goes on begins there. Two that go on at the same moment read the same page, and one of them writes it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.accounts import connections as rows
from app.errors import NotApplicable, NotFound, PassrailError
from app.model import IdKind, Mode, Pass, Program, Status, new_id
from app.service import Service
from app.store import expiries, imports, operations, passes, programs
from app.store.engine import post_after_commit
from app.store.imports import Import, ImportStatus, Position
from app.store.troubles import Kind
from app.sweeps import each
from app.sync import connections
from app.sync.connecting import not_connected
from app.sync.programs import refresh_programs
from app.sync.refresh import current, put_on_record, write_difference

PAGE = 100
# Passes that are deleted at the issuer meanwhile move all later ones up. So each page begins a little before the end
# of the last one; what is read twice is on record by then.
OVERLAP = 10

_log = logging.getLogger(__name__)


class _Taken(Enum):
    """What became of a pass that the issuer has."""

    ADDED = "added"
    CHANGED = "changed"
    FOUND = "found"


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as the issuer has it, and our records of these passes when it was read, by the issuer's IDs."""

    program: Program
    found: Sequence[Pass]
    known: Mapping[str, Pass]


def start(service: Service, account_id: str, mode: Mode, program_id: str | None = None) -> Import:
    """Begin to take passes on record; where the same is under way, return that import.

    Args:
        service: the parts of the service.
        account_id, mode: whose passes.
        program_id: of one program; None: of every program of the remote issuer's.

    Raises:
        NotApplicable: the account is not connected, or the program's passes live here.
        NotFound: there is no such program.
    """
    connected = connections.find(service, account_id, mode)
    if connected is None:
        raise not_connected()
    refresh_programs(service, connected)
    with service.store.write() as connection:
        connected = rows.lock(connection, account_id, mode)  # two requests at the same moment begin one import
        if connected is None:
            raise not_connected()
        running = imports.get_unfinished(connection, account_id, mode, program_id)
        if running is not None:
            return running
        wanted = _programs(connection, account_id, mode, connected.issuer)
        if program_id is not None:
            _check(connection, account_id, mode, program_id, wanted)
            wanted = [program for program in wanted if program.id == program_id]
        now = service.clock()
        new = Import(
            id=new_id(IdKind.IMPORT),
            account_id=account_id,
            mode=mode,
            program_id=program_id,
            status=ImportStatus.RUNNING if wanted else ImportStatus.SUCCEEDED,
            position=Position(wanted[0].id if wanted else ""),
            created_at=now,
            finished_at=None if wanted else now,
        )
        imports.add(connection, new)
        post_after_commit(connection, "take_page", new.id)
    return new


def _check(connection: Connection, account_id: str, mode: Mode, program_id: str, wanted: Sequence[Program]) -> None:
    if any(program.id == program_id for program in wanted):
        return
    if programs.get(connection, account_id, mode, program_id) is None:
        raise NotFound(
            f"There is no program '{program_id}' in {mode.value} mode. GET /v1/programs lists those there are."
        )
    raise NotApplicable("The passes of this program live with this service already. There is nothing to import.")


def _programs(connection: Connection, account_id: str, mode: Mode, issuer: str) -> list[Program]:
    """Return the programs of the remote issuer's, in the order in which they are imported."""
    mine = programs.all_of(connection, account_id, mode)
    return sorted((program for program in mine if program.issuer == issuer), key=lambda program: program.id)


def take_all(service: Service) -> int:
    """Take the next page of every import that is under way; return how many imports have ended."""
    with service.store.read() as connection:
        found = imports.unfinished(connection, service.clock())
    return take_each(service, found)


def take_each(service: Service, import_ids: Iterable[str]) -> int:
    """Take the next page of these imports, whatever happens to any of them; return how many have ended."""
    return each(service, Kind.IMPORT, import_ids, partial(take_page, service))


def take_page(service: Service, import_id: str) -> bool:
    """Take the next page of an import on record. False: the import goes on, now or when the issuer can be asked."""
    with service.store.read() as connection:
        before = imports.get_any(connection, import_id)
    if before is None or before.finished_at is not None:
        return True
    try:
        return _take_page(service, before)
    except PassrailError as error:
        _log.warning("an import does not go on", extra={"import": import_id, "why": error.code})
        return _note_problem(service, before, error)


def _take_page(service: Service, before: Import) -> bool:
    """Read a page at the issuer and write it.

    Raises:
        PassrailError: the issuer cannot be asked, or refuses.
    """
    connected = connections.need(service, before.account_id, before.mode)
    with service.store.read() as connection:
        left = _programs(connection, before.account_id, before.mode, connected.issuer)
    left = [program for program in left if program.id >= before.position.program_id]
    if before.program_id is not None:
        left = [program for program in left if program.id == before.program_id]
    if not left:  # what was still to be imported is gone
        return _write(service, before, replace(before, status=ImportStatus.SUCCEEDED), None)
    program, *others = left
    offset = before.position.offset if program.id == before.position.program_id else 0
    begin, known = max(0, offset - OVERLAP), dict[str, Pass]()
    with connections.asking(service, connected) as issuer:
        found = issuer.passes(program, begin, PAGE, partial(_find, service, program, known))
    end = max(offset, begin + len(found))
    after = replace(before, position=Position(program.id, end), found=before.found + end - offset, problem=None)
    if len(found) < PAGE and others:
        after = replace(after, position=Position(others[0].id))
    elif len(found) < PAGE:
        after = replace(after, status=ImportStatus.SUCCEEDED)
    page = _Page(program, found, known)
    try:
        return _write(service, before, after, page)
    except IntegrityError:  # somebody else took one of these passes on record at the same moment
        return _write(service, before, after, page)


def _find(service: Service, program: Program, known: dict[str, Pass], upstream_id: str) -> Pass | None:
    """Return our record of a pass, and remember it."""
    with service.store.read() as connection:
        record = passes.get_by_upstream_id(connection, program.id, upstream_id)
    if record is not None:
        known[upstream_id] = record
    return record


def _write(service: Service, before: Import, after: Import, page: _Page | None) -> bool:
    """Write a page, and where the import is after it, unless somebody else has; return whether the import has ended."""
    with service.store.write() as connection:
        if imports.lock(connection, before.id) != before:
            return False
        taken = Counter(_take(connection, service, page, found) for found in page.found) if page is not None else {}
        has_ended = after.status is not ImportStatus.RUNNING
        after = replace(
            after,
            added=before.added + taken.get(_Taken.ADDED, 0),
            changed=before.changed + taken.get(_Taken.CHANGED, 0),
            finished_at=service.clock() if has_ended else None,
        )
        imports.save(connection, after)
        if not has_ended:
            post_after_commit(connection, "take_page", before.id)
    return has_ended


def _take(connection: Connection, service: Service, page: _Page, found: Pass) -> _Taken:
    """Take a pass on record, or bring our record up to date, without an event.

    A record that somebody wrote since the page was read is newer than the page. One that an operation of ours is at
    work on is told by that operation, and one that was revoked for good stays so. People who were erased stay out.
    """
    assert found.upstream_id is not None
    row = passes.get_by_upstream_id(connection, page.program.id, found.upstream_id)
    if row is None:
        put = put_on_record(connection, service, page.program, found)
        if put is None:
            return _Taken.FOUND
        _tell_no_expiry(connection, service, put[0])
        return _Taken.ADDED
    if found == row or row.deleted_at is not None or operations.is_open_on(connection, row.id):
        return _Taken.FOUND
    if current(connection, row) != page.known.get(found.upstream_id):
        return _Taken.FOUND
    changed = write_difference(connection, service, page.program, row, found, is_told=False)
    _tell_no_expiry(connection, service, changed)
    return _Taken.CHANGED


def _tell_no_expiry(connection: Connection, service: Service, taken: Pass) -> None:
    """Have no event tell later that a pass expired which had expired when it was imported."""
    if taken.status(service.clock()) is Status.EXPIRED:
        expiries.note_notified(connection, taken.id, taken.updated_at)


def _note_problem(service: Service, before: Import, error: PassrailError) -> bool:
    """Write down why an import does not go on: for now, or at all. Return whether it has ended."""
    has_ended = not error.retryable
    with service.store.write() as connection:
        if imports.lock(connection, before.id) == before:
            after = replace(before, problem={"code": error.code, "detail": error.detail})
            if has_ended:
                after = replace(after, status=ImportStatus.FAILED, finished_at=service.clock())
            imports.save(connection, after)
    return has_ended
