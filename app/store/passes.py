"""Passes in the database, each with its program: nobody can describe one without the other.

Every query names account and mode: a pass of somebody else is not found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, insert, select

from app.model import InstallState, Mode, Pass, Program, Ticket
from app.store.columns import (
    Statement,
    from_hundredths,
    from_milliseconds,
    instant,
    save_changed,
    to_hundredths,
    to_json,
    to_milliseconds,
)
from app.store.programs import from_columns as program_from_columns
from app.store.tables import passes, programs

Found = tuple[Pass, Program]

_MINE = and_(passes.c.account_id == bindparam("account_id"), passes.c.mode == bindparam("mode"))
WITH_PROGRAM = select(passes, programs).join(programs, programs.c.id == passes.c.program_id)


def _find(query: Select[Any]) -> dict[bool, Statement]:
    """Prepare a query in two forms. True: it locks the passes it finds; on SQLite a transaction is alone anyway."""
    return {False: Statement(query), True: Statement(query.with_for_update(of=passes))}


_BY_ID = _find(WITH_PROGRAM.where(passes.c.id == bindparam("id"), _MINE))
_BY_EXTERNAL_ID = _find(
    WITH_PROGRAM.where(
        passes.c.program_id == bindparam("program_id"), passes.c.external_id == bindparam("external_id"), _MINE
    )
    # Those that are permanently revoked keep their external ID; the one in use has 0 and comes first.
    .order_by(passes.c.deleted_at)
    .limit(1)
)
_BY_EMAIL = _find(
    WITH_PROGRAM.where(
        passes.c.program_id == bindparam("program_id"), passes.c.email == bindparam("email"), _MINE
    ).order_by(passes.c.id)
)
_ISSUER_OF = Statement(select(passes.c.issuer).where(passes.c.id == bindparam("id"), _MINE))
_BY_LINK_TOKEN = Statement(WITH_PROGRAM.where(passes.c.link_token == bindparam("link_token")))
_COLUMNS = len(passes.c)
# The database computes `closed_by`; the search for expired passes writes `expiry_told` (`expiries.py`).
WRITTEN = tuple(column.name for column in passes.c if column.name not in ("closed_by", "expiry_told"))
_INSERT = Statement(insert(passes).values({name: bindparam(name) for name in WRITTEN}))


def get(connection: Connection, account_id: str, mode: Mode, pass_id: str, *, lock: bool = False) -> Found | None:
    """Return the pass of this ID, and its program.

    Args:
        connection: in a transaction where `lock` is given.
        account_id, mode: whose pass.
        pass_id: its ID.
        lock: return the pass as it is once nobody else changes it; it stays so until the transaction ends.
    """
    return _one(connection, _BY_ID[lock], {"id": pass_id, "account_id": account_id, "mode": mode.value})


def get_by_external_id(
    connection: Connection, account_id: str, mode: Mode, program_id: str, external_id: str, *, lock: bool = False
) -> Found | None:
    """Return the program's pass of this external ID: the one in use, else one that was revoked for good.

    With `lock` as `get`. One that was revoked for good may then be found although another one is in use since.
    """
    values = {"program_id": program_id, "external_id": external_id, "account_id": account_id, "mode": mode.value}
    return _one(connection, _BY_EXTERNAL_ID[lock], values)


def get_by_email(
    connection: Connection, account_id: str, mode: Mode, program_id: str, email: str, *, lock: bool = False
) -> list[Found]:
    """Return every pass of the program with this e-mail address (lower case), oldest first.

    With `lock` as `get`. One that has got the address while another one's lock was waited for is not among them.
    """
    values = {"program_id": program_id, "email": email, "account_id": account_id, "mode": mode.value}
    return [found_from(row) for row in _BY_EMAIL[lock].run(connection, values).fetchall()]


def get_by_link_token(connection: Connection, link_token: str) -> Found | None:
    """Return the pass whose page has this address. The token is the permission; no account is asked for."""
    return _one(connection, _BY_LINK_TOKEN, {"link_token": link_token})


def get_by_upstream_id(connection: Connection, program_id: str, upstream_id: str) -> Pass | None:
    """Return the program's pass of which this is the issuer's ID."""
    query = select(passes).where(passes.c.program_id == program_id, passes.c.upstream_id == upstream_id)
    row = connection.execute(query).first()
    return None if row is None else from_columns(row)


def issuer_of(connection: Connection, account_id: str, mode: Mode, pass_id: str) -> str | None:
    """Return the name of the issuer that the pass lives at; None where the account has no such pass."""
    row = _ISSUER_OF.first(connection, {"id": pass_id, "account_id": account_id, "mode": mode.value})
    return None if row is None else str(row[0])


def add(connection: Connection, new: Pass) -> None:
    """Insert the pass.

    Raises:
        sqlalchemy.exc.IntegrityError: the program has a pass of this external ID.
    """
    _INSERT.send(connection, to_row(new))


def save(connection: Connection, before: Pass, after: Pass) -> None:
    """Write what differs between the two over the pass's row."""
    save_changed(connection, passes, after.id, to_row(before), to_row(after))


def _one(connection: Connection, query: Statement, values: dict[str, str]) -> Found | None:
    row = query.first(connection, values)
    return None if row is None else found_from(row)


def found_from(row: Sequence[Any]) -> Found:
    """Make a pass and its program from a row of `WITH_PROGRAM`."""
    return from_columns(row[:_COLUMNS]), program_from_columns(tuple(row[_COLUMNS:]))


def from_columns(columns: Sequence[Any]) -> Pass:
    """Make the value from the table's columns, in their order."""
    (
        pass_id,
        account_id,
        mode,
        issuer,
        program_id,
        tier_id,
        external_id,
        email,
        first_name,
        last_name,
        phone,
        points,
        fields,
        install_state,
        link_token,
        expires_at,
        redeemed_at,
        revoked_at,
        deleted_at,
        created_at,
        updated_at,
        upstream_id,
        _closed_by,
        _expiry_told,
        tier_points,
        ticket,
    ) = columns
    return Pass(
        id=pass_id,
        account_id=account_id,
        mode=Mode(mode),
        issuer=issuer,
        program_id=program_id,
        tier_id=tier_id,
        link_token=link_token,
        created_at=instant(created_at),
        updated_at=instant(updated_at),
        external_id=external_id,
        email=email,
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        points=from_hundredths(points),
        fields=json.loads(fields),
        install_state=InstallState(install_state),
        expires_at=from_milliseconds(expires_at),
        redeemed_at=from_milliseconds(redeemed_at),
        revoked_at=from_milliseconds(revoked_at),
        deleted_at=from_milliseconds(deleted_at or None),
        upstream_id=upstream_id,
        tier_points=tier_points,
        ticket=Ticket(**json.loads(ticket)) if ticket else None,
    )


def to_row(value: Pass) -> dict[str, Any]:
    """Make a row of the table from the value."""
    return {
        "id": value.id,
        "account_id": value.account_id,
        "mode": value.mode.value,
        "issuer": value.issuer,
        "program_id": value.program_id,
        "tier_id": value.tier_id,
        "external_id": value.external_id,
        "email": value.email,
        "first_name": value.first_name,
        "last_name": value.last_name,
        "phone": value.phone,
        "points": to_hundredths(value.points),
        "fields": to_json(dict(value.fields)),
        "install_state": value.install_state.value,
        "link_token": value.link_token,
        "expires_at": to_milliseconds(value.expires_at),
        "redeemed_at": to_milliseconds(value.redeemed_at),
        "revoked_at": to_milliseconds(value.revoked_at),
        "deleted_at": to_milliseconds(value.deleted_at) or 0,
        "created_at": to_milliseconds(value.created_at),
        "updated_at": to_milliseconds(value.updated_at),
        "upstream_id": value.upstream_id,
        "tier_points": value.tier_points,
        "ticket": to_json(asdict(value.ticket)) if value.ticket else None,
    }
