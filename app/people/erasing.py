"""Erasing a person everywhere: at the remote issuer where that is wanted, and in every table here.

What is found is taken away row by row, each in a short transaction of its own, in the order in which the runner locks:
a process that dies loses nothing, and the same request goes on. First of all the keyed hashes of the person's names are
kept, so that no webhook and no import brings back what is being taken away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.actions.revoke_pass import ACTION as REVOKE
from app.answer import describe
from app.effects import Revoke, moment_after
from app.errors import OperationOpen
from app.events import outbox
from app.events.types import PASS_REVOKED
from app.model import BUILTIN, Pass, Program
from app.operations import repeats
from app.operations.plan import CannotGoOn, plan_of
from app.operations.record import Request
from app.operations.runner import run
from app.people.person import Locator, Person, find
from app.people.traces import Names, Traces, names_of, search
from app.service import Service
from app.store import erased_people, issuer_webhooks, operations, passes, people, programs
from app.store.columns import to_json
from app.store.operations import Operation
from app.sync import connections
from app.sync.erase import ERASED, erase_holder, erased_operation
from app.sync.erased import EVERY_PROGRAM, digest_of
from app.sync.refresh import current, record_found
from app.sync.webhooks import ERASED as WEBHOOK_ERASED

# A pass of the person that is made while the person is being erased is erased, too.
ROUNDS = 3
RETRY_AFTER_SECONDS = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be.

    Attributes:
        pass_ids: of the person.
        rows: how many rows of each kind hold data of the person.
        open_operations: IDs of the operations that keep the person from being erased now.
        notes: sentences on what stays elsewhere.
    """

    pass_ids: tuple[str, ...]
    rows: dict[str, int]
    open_operations: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A person and all that was found of them."""

    person: Person = field(repr=False)
    names: Names = field(repr=False)
    traces: Traces = field(repr=False)
    rows: dict[str, int]


def preview(service: Service, caller: Caller, locator: Locator, *, also_at_issuer: bool) -> Erasure:
    """Tell what `erase` would erase; nothing is changed, and no issuer is asked.

    Raises:
        NotFound, AmbiguousPass: as `erase`.
    """
    found = _look(service, caller, locator)
    return _told(service, found, _blocking(found.traces.open_operations, also_at_issuer), also_at_issuer)


def erase(service: Service, caller: Caller, locator: Locator, *, also_at_issuer: bool) -> Erasure:
    """Erase a person. Somebody who is not known, or is erased already, is a success that erases nothing.

    Args:
        service: the parts of the service.
        caller: whose data; from account and mode.
        locator: who is erased.
        also_at_issuer: delete the records at the remote issuer, too. Otherwise they stay there, and are no longer ours.

    Raises:
        NotFound: the caller has no such program.
        AmbiguousPass: several people share the e-mail address.
        OperationOpen: an operation on a pass of the person has no outcome yet.
        PassrailError: the issuer cannot be asked, or refuses; the same request goes on where this one ended.
    """
    if also_at_issuer and locator.external_id is not None:
        _take_on_record(service, caller, locator.external_id, locator.program_id)
    found = _look(service, caller, locator)
    blocking = _blocking(found.traces.open_operations, also_at_issuer)
    if blocking:
        raise _open([operation.id for operation in blocking])
    told = _told(service, found, (), also_at_issuer)
    _remember(service, caller, locator, found.person)
    for _ in range(ROUNDS):
        _erase_traces(service, found.traces)
        for subject, program in found.person.found:
            _erase_pass(service, caller, subject, program, also_at_issuer=also_at_issuer)
        with service.store.read() as connection:  # what came meanwhile, by names that no pass has any more
            traces = search(connection, caller, found.person, found.names)
        _erase_traces(service, traces)
        found = _look(service, caller, locator)
        if not found.person.passes:
            break
        _remember(service, caller, locator, found.person)
    service.store.empty_log()
    _log.info("a person was erased", extra={"key_id": caller.key_id, "mode": caller.mode.value, **told.rows})
    return told


def _look(service: Service, caller: Caller, locator: Locator) -> _Found:
    with service.store.read() as connection:
        person = find(connection, caller, locator)
        names = names_of(connection, person)
        traces = search(connection, caller, person, names)
        return _Found(person, names, traces, _count(connection, person, traces))


def _count(connection: Connection, person: Person, traces: Traces) -> dict[str, int]:
    rows = {"passes": len(person.passes), "events": 0, "operations": len(traces.operations), "deliveries": 0}
    for subject in person.passes:
        events = people.event_ids(connection, subject.id)
        rows["events"] += len(events)
        rows["operations"] += len(people.operation_ids(connection, subject.id))
        rows["deliveries"] += len(people.delivery_ids(connection, events))
    return {**rows, "webhooks": len(traces.webhooks), "remarks": len(traces.remarks)}


def _told(service: Service, found: _Found, blocking: Sequence[Operation], also_at_issuer: bool) -> Erasure:
    kept = {subject.issuer for subject in found.person.passes if _is_at_issuer(subject)}
    notes = () if also_at_issuer else tuple(_kept(service, issuer) for issuer in sorted(kept))
    ids = tuple(subject.id for subject in found.person.passes)
    return Erasure(ids, found.rows, tuple(operation.id for operation in blocking), notes)


def _is_at_issuer(subject: Pass) -> bool:
    return subject.issuer != BUILTIN and subject.upstream_id is not None and subject.deleted_at is None


def _kept(service: Service, issuer: str) -> str:
    title = service.remote_kinds[issuer].title
    return f"The record at {title} was kept: the card there stays valid, and is no longer known here."


def _blocking(open_operations: Sequence[Operation], also_at_issuer: bool) -> tuple[Operation, ...]:
    """Leave out what deletes a record at the issuer: to erase the person goes on with that, or does it again."""
    return tuple(operation for operation in open_operations if not (also_at_issuer and _deletes(operation)))


def _deletes(operation: Operation) -> bool:
    try:
        effects = plan_of(operation).effects
    except CannotGoOn:
        return False
    return all(isinstance(effect, Revoke) and effect.permanent for effect in effects)


def _open(operation_ids: Sequence[str]) -> OperationOpen:
    return OperationOpen(retry_after=RETRY_AFTER_SECONDS, extra={"operation_ids": list(operation_ids)})


def _take_on_record(service: Service, caller: Caller, external_id: str, program_id: str | None) -> None:
    """Look at the remote issuer for passes that are not on record here, so that they are deleted there.

    Raises:
        PassrailError: the issuer cannot be asked.
    """
    connected = connections.find(service, caller.account_id, caller.mode)
    if connected is None:
        return
    with service.store.read() as connection:
        mine = programs.all_of(connection, caller.account_id, caller.mode)
    for program in mine:
        if program.issuer == connected.issuer and program_id in (None, program.id):
            with connections.asking(service, connected) as issuer:
                found = issuer.find(program, external_id)
            if found is not None:
                record_found(service, program, found, is_wanted=True)


def _remember(service: Service, caller: Caller, locator: Locator, person: Person) -> None:
    """Keep the hashes of the person's names."""
    place = caller.account_id, caller.mode
    scope = locator.program_id or EVERY_PROGRAM
    digests = [digest_of(service, *place, scope, "external_id", name) for name in person.external_ids]
    digests += [digest_of(service, *place, scope, "email", name) for name in person.emails]
    for subject in person.passes:
        digests.append(digest_of(service, *place, subject.program_id, "pass_id", subject.id))
        if subject.upstream_id is not None:
            digests.append(digest_of(service, *place, subject.program_id, "upstream_id", subject.upstream_id))
    with service.store.write() as connection:
        erased_people.put(connection, *place, digests, service.clock())


def _erase_traces(service: Service, traces: Traces) -> None:
    """Take away what stands beside the person's passes."""
    for found in traces.operations:
        with service.store.write() as connection:
            for operation in operations.lock_ended(connection, operation_id=found.id):
                operations.save(connection, operation, erased_operation(operation))
    for webhook in traces.webhooks:
        with service.store.write() as connection:
            issuer_webhooks.erase_body(connection, webhook.id, WEBHOOK_ERASED, service.clock())
    for remark in traces.remarks:
        with service.store.write() as connection:
            people.rewrite_remark(connection, remark, _without_detail(remark.text))


def _without_detail(text: str) -> str:
    try:
        return to_json({**json.loads(text), "detail": ERASED})
    except (ValueError, TypeError):
        return ERASED


def _erase_pass(service: Service, caller: Caller, subject: Pass, program: Program, *, also_at_issuer: bool) -> None:
    """Delete the record at the issuer if that is wanted, and forget the person in all that is stored of the pass.

    Raises:
        OperationOpen: an operation on the pass has no outcome yet.
        PassrailError: the issuer cannot be asked, or refuses.
    """
    if also_at_issuer and _is_at_issuer(subject):
        data = {"pass_id": subject.id, "permanent": True}
        # The same key every time: a repeat finds out what became of the first try.
        key = repeats.digest_of(service, caller.account_id, caller.mode, REVOKE.name, f"erase-{subject.id}")
        run(Request(service, caller, REVOKE, data, key, repeats.fingerprint_of(data)))
    with service.store.write() as connection:
        row = current(connection, subject)
        open_operations = operations.open_on(connection, row.id)
        if open_operations:
            raise _open(open_operations)
        now = moment_after(service.clock(), row.updated_at)
        gone = row if row.deleted_at is not None else Revoke(at=now, permanent=True).on(row, now)
        gone = replace(gone, external_id=None, upstream_id=None, updated_at=now)
        passes.save(connection, row, gone)
        erase_holder(connection, gone, service.public_url)
        if row.revoked_at is None:
            notes = [_kept(service, row.issuer)] if _is_at_issuer(row) else []
            plain = describe(gone, program, now=now, public_url=service.public_url)
            outbox.record(
                connection, PASS_REVOKED, gone, None, to_json({**plain, "notes": notes}), now, service.clock()
            )
