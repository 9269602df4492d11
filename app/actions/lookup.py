"""Finding what a request is about: the program and the pass its locator names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.actions.action import Action, Case
from app.errors import AmbiguousPass, NotFound
from app.model import Program
from app.store import passes, programs
from app.store.passes import Found

AMBIGUOUS_SHOWN = 20


def look_up(
    connection: Connection, caller: Caller, action: Action, data: Mapping[str, Any], now: datetime, *, lock: bool = True
) -> Case:
    """Gather what the action decides on. A pass that is found stays as it is until the transaction ends.

    Raises:
        NotFound: the caller has no such program or pass.
        AmbiguousPass: the e-mail address fits several.
    """
    if action.creates:
        known = _by_external_id(connection, caller, data) if "external_id" in data else None
        # The external ID of a permanently revoked pass is free again.
        if known is None or known[0].deleted_at is not None:
            return Case(data, find_program(connection, caller, data["program_id"]), None, now)
    else:
        known = _find_pass(connection, caller, data, email_names_pass=action.email_names_pass)
    found, program = known
    return Case(data, program, passes.lock(connection, found) if lock else found, now)


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
        found = passes.get(connection, caller.account_id, caller.mode, data["pass_id"])
        named = f"'{data['pass_id']}'"
    elif "external_id" in data:
        found = _by_external_id(connection, caller, data)
        named = f"with the external ID '{data['external_id']}' in program '{data['program_id']}'"
    else:
        found = _by_email(connection, caller, data)
        named = f"with this e-mail address in program '{data['program_id']}'"
    names = ("program_id", "external_id", "email") if email_names_pass else ("program_id", "external_id")
    for name in names:
        if found is not None and name in data and getattr(found[0], name) != data[name]:
            raise NotFound(f"The pass {named} has another {name} than the one given. Give only one of them.")
    if found is None:
        raise NotFound(f"There is no pass {named} in {caller.mode.value} mode. Create it first, or check the value.")
    return found


def _by_external_id(connection: Connection, caller: Caller, data: Mapping[str, Any]) -> Found | None:
    return passes.get_by_external_id(
        connection, caller.account_id, caller.mode, data["program_id"], data["external_id"]
    )


def _by_email(connection: Connection, caller: Caller, data: Mapping[str, Any]) -> Found | None:
    found = passes.get_by_email(connection, caller.account_id, caller.mode, data["program_id"], data["email"])
    if len(found) > 1:
        raise AmbiguousPass(
            f"{len(found)} passes of this program have this e-mail address. Use pass_id to name the one you mean.",
            extra={"pass_ids": [one.id for one, _ in found[:AMBIGUOUS_SHOWN]]},
        )
    return found[0] if found else None
