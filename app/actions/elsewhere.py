"""Passes that live at an issuer elsewhere: which issuer that is, and looking there before something is refused.

What we have on record can be older than what PassKit has. So a refusal by what is on record, and a decision that there
is nothing to do, are believed only after a look at PassKit; and a pass or program that is not on record may be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app import upstream
from app.accounts.connections import IssuerConnection
from app.accounts.keys import Caller
from app.actions.attempt import Attempt
from app.errors import (
    AlreadyRedeemed,
    Duplicate,
    InsufficientPoints,
    NotApplicable,
    NotFound,
    PassrailError,
)
from app.issuers.builtin import BuiltinIssuer
from app.issuers.passkit.failures import NotFound as NotAtPassKit
from app.issuers.passkit.issuer import PassKitIssuer
from app.issuers.passkit.reader import PassKitReader
from app.issuers.passkit.transport import Transport
from app.model import Pass, Program
from app.service import Service
from app.store import passes, programs

# What may be otherwise at PassKit than on record.
_BY_RECORD = (AlreadyRedeemed, Duplicate, InsufficientPoints, NotApplicable)


class LivesElsewhere(Exception):
    """What a request is about is not ours to change in one transaction."""


class NothingToDo(NotApplicable):
    """By our record there is nothing to do. Never leaves this package."""


def is_local(program: Program) -> bool:
    """Tell whether a program's passes live in our own database."""
    return program.issuer == BuiltinIssuer.name


def has_connection(service: Service, caller: Caller) -> bool:
    """Tell whether what is not on record may live elsewhere."""
    return upstream.find(service, caller.account_id, caller.mode) is not None


def issuer_for_attempt(
    service: Service, one: IssuerConnection, attempt: Attempt, data: Mapping[str, Any]
) -> PassKitIssuer:
    """Return the issuer of a pass that lives elsewhere.

    Raises:
        UpstreamCredentialsRefused: the connection's credentials cannot be opened.
    """
    return PassKitIssuer(
        transport=upstream.transport_of(service, one),
        program=attempt.program,
        data=data,
        now=service.clock(),
        started_at=attempt.operation.created_at,
        tried_at=attempt.tried_at,
        balance=attempt.balance,
    )


def look(service: Service, caller: Caller, data: Mapping[str, Any], why: PassrailError, known: Pass | None) -> bool:
    """Look at PassKit because of a refusal. True: something is otherwise than on record; decide again.

    Raises:
        PassrailError: PassKit cannot be asked.
    """
    if known is not None and isinstance(why, _BY_RECORD):
        return refresh(service, known)
    if isinstance(why, NotFound) and "program_id" in data:
        return seek(service, caller, data)
    return False


def seek(service: Service, caller: Caller, data: Mapping[str, Any]) -> bool:
    """Look at PassKit for a pass that is not on record, named by program and external ID. True: it is now.

    Raises:
        PassrailError: PassKit cannot be asked.
    """
    one = upstream.find(service, caller.account_id, caller.mode)
    return one is not None and _look_for(service, one, data)


def _look_for(service: Service, one: IssuerConnection, data: Mapping[str, Any]) -> bool:
    program = _program(service, one, data["program_id"])
    if program is None:
        upstream.refresh_programs(service, one)
        program = _program(service, one, data["program_id"])
        if program is None:
            return False
    if is_local(program) or "external_id" not in data:
        return False
    return adopt(service, one, program, data["external_id"])


def _program(service: Service, one: IssuerConnection, program_id: str) -> Program | None:
    with service.store.read() as connection:
        return programs.get(connection, one.account_id, one.mode, program_id)


def adopt(service: Service, one: IssuerConnection, program: Program, external_id: str) -> bool:
    """Take a pass on record that was made at PassKit. False: there is none either.

    Raises:
        PassrailError: PassKit cannot be asked.
    """
    with upstream.asking(service, one) as transport:
        try:
            found = reader_of(service, program, transport).find(external_id)
        except NotAtPassKit:
            return False
    return keep(service, found)


def keep(service: Service, found: Pass) -> bool:
    """Write a pass of PassKit's down that was not on record. False: it is on record, as one revoked for good."""
    try:
        with service.store.write() as connection:
            assert found.upstream_id is not None
            known = passes.get_by_upstream_id(connection, found.program_id, found.upstream_id)
            if known is None:
                passes.add(connection, found)
            return known is None or known.deleted_at is None
    except IntegrityError:
        return True  # somebody else was faster


def refresh(service: Service, known: Pass) -> bool:
    """Read a pass anew from PassKit. True: it was otherwise than on record.

    Raises:
        PassrailError: PassKit cannot be asked.
    """
    one = upstream.find(service, known.account_id, known.mode)
    if one is None or known.upstream_id is None or known.deleted_at is not None:
        return False
    with service.store.read() as connection:
        program = programs.get(connection, known.account_id, known.mode, known.program_id)
    assert program is not None
    with upstream.asking(service, one) as transport:
        try:
            fresh = reader_of(service, program, transport).read(known)
        except NotAtPassKit:
            return False
    return fresh is not known and save_unless_changed(service, known, fresh)


def save_unless_changed(service: Service, known: Pass, fresh: Pass) -> bool:
    """Write what PassKit has, unless our row was written since `known` was read from it. True: it was written."""
    with service.store.write() as connection:
        if current(connection, known) != known:
            return False
        passes.save(connection, known, fresh)
        return True


def current(connection: Connection, known: Pass) -> Pass:
    """Return a pass as its row is now; it stays so until the transaction ends."""
    found = passes.get(connection, known.account_id, known.mode, known.id)
    assert found is not None
    return passes.lock(connection, found[0])


def reader_of(service: Service, program: Program, transport: Transport) -> PassKitReader:
    """Return what reads the program's passes."""
    return PassKitReader(transport, program, service.clock())
