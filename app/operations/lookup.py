"""Finding what a request is about: where its passes live, and the program and the pass that its locator names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from app.accounts import connections
from app.accounts.keys import Caller
from app.effects import moment_after
from app.errors import AmbiguousPass, NotFound
from app.model import BUILTIN, Pass, Program
from app.service import Service
from app.store import passes, programs
from app.store.passes import Found

if TYPE_CHECKING:
    from app.operations.action import Action


@dataclass(frozen=True, slots=True)
class Case:
    """What an action decides on: the input, and the program and pass it is about.

    `found` is None only for an action that `creates`, when there is no such pass yet. `now` is the instant that the
    change is dated with: later than any change of the pass before.
    """

    data: Mapping[str, Any] = field(repr=False)
    program: Program
    found: Pass | None
    now: datetime

    @property
    def subject(self) -> Pass:
        """The pass that an action on an existing pass is about."""
        assert self.found is not None
        return self.found


AMBIGUOUS_SHOWN = 20


def issuer_of(service: Service, caller: Caller, data: Mapping[str, Any]) -> str:
    """Return the name of the issuer that a request goes to, before any transaction is begun for it.

    A program, and so its passes, never moves to another issuer: what was found once stays true. What is not on record
    at all may be at the account's remote issuer, if it has one.
    """
    named = data.get("pass_id") or data.get("program_id") or ""
    place = (caller.account_id, caller.mode, named)
    known = service.issuer_names.get(place)
    if known is not None:
        return known
    with service.store.read() as connection:
        find: Callable[..., str | None] = passes.issuer_of if "pass_id" in data else programs.issuer_of
        name = find(connection, caller.account_id, caller.mode, named)
        if name is None:
            remote = connections.get(connection, caller.account_id, caller.mode)
            return BUILTIN if remote is None else remote.issuer
    service.issuer_names.put(place, name)
    return name


def look_up(connection: Connection, caller: Caller, action: Action, data: Mapping[str, Any], now: datetime) -> Case:
    """Gather what the action decides on.

    A pass that is found stays as it is until the transaction ends: it is looked at once it is locked, because what was
    true before may have changed while we waited for the lock.

    Raises:
        NotFound: the caller has no such program or pass.
        AmbiguousPass: the e-mail address fits several.
    """
    known = _find(connection, caller, action, data)
    if known is None:
        return Case(data, find_program(connection, caller, data["program_id"]), None, now)
    found, program = known
    return Case(data, program, found, moment_after(now, found.updated_at))


def _find(connection: Connection, caller: Caller, action: Action, data: Mapping[str, Any]) -> Found | None:
    """Return the pass that is meant; None only for an action that creates one, where there is none yet."""
    if not action.creates:
        return _find_pass(connection, caller, data, email_names_pass=action.email_names_pass)
    known = _by_external_id(connection, caller, data) if "external_id" in data else None
    # The external ID of a permanently revoked pass is free again.
    return None if known is None or known[0].deleted_at is not None else known


def find_program(connection: Connection, caller: Caller, program_id: str) -> Program:
    """Return the caller's program.

    Raises:
        NotFound: the caller has none of this ID.
    """
    program = programs.get(connection, caller.account_id, caller.mode, program_id)
    if program is None:
        raise NotFound(
            f"There is no program '{program_id}' in {caller.mode.value} mode. GET /v1/programs lists those there are."
        )
    return program


def _find_pass(connection: Connection, caller: Caller, data: Mapping[str, Any], *, email_names_pass: bool) -> Found:
    """Find by the strongest name given; the others, where given too, must fit."""
    if "pass_id" in data:
        found = passes.get(connection, caller.account_id, caller.mode, data["pass_id"], lock=True)
        named = f"'{data['pass_id']}'"
    elif "external_id" in data:
        found = _again_if_gone(_by_external_id, connection, caller, data)
        named = f"with the external ID '{data['external_id']}' in program '{data['program_id']}'"
    else:
        found = _again_if_gone(_by_email, connection, caller, data)
        named = f"with this e-mail address in program '{data['program_id']}'"
    names = ("program_id", "external_id", "email") if email_names_pass else ("program_id", "external_id")
    for name in names:
        if found is not None and name in data and getattr(found[0], name) != data[name]:
            raise NotFound(f"The pass {named} has another {name} than the one given. Give only one of them.")
    if found is None:
        raise NotFound(f"There is no pass {named} in {caller.mode.value} mode. Create it first, or check the value.")
    return found


def _again_if_gone(
    find: Callable[..., Found | None], connection: Connection, caller: Caller, data: Mapping[str, Any]
) -> Found | None:
    """Find by a name that can go over to another pass while the lock of the first one is waited for."""
    found = find(connection, caller, data)
    if found is None or found[0].deleted_at is not None:
        found = find(connection, caller, data)
    return found


def _by_external_id(connection: Connection, caller: Caller, data: Mapping[str, Any]) -> Found | None:
    return passes.get_by_external_id(
        connection, caller.account_id, caller.mode, data["program_id"], data["external_id"], lock=True
    )


def _by_email(connection: Connection, caller: Caller, data: Mapping[str, Any]) -> Found | None:
    found = passes.get_by_email(
        connection, caller.account_id, caller.mode, data["program_id"], data["email"], lock=True
    )
    if len(found) > 1:
        raise AmbiguousPass(
            f"{len(found)} passes of this program have this e-mail address. Use pass_id to name the one you mean.",
            extra={"pass_ids": [match.id for match, _ in found[:AMBIGUOUS_SHOWN]]},
        )
    return found[0] if found else None
