"""Passes in the database. Every query names account and mode: a pass of somebody else is not found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, not_, or_, select, update

from app.model import InstallState, Mode, Pass, Status
from app.store.tables import passes
from app.store.values import from_hundredths, from_milliseconds, to_hundredths, to_json, to_milliseconds

_MINE = and_(passes.c.account_id == bindparam("account_id"), passes.c.mode == bindparam("mode"))
_BY_ID = select(passes).where(passes.c.id == bindparam("id"), _MINE)
_BY_EXTERNAL_ID = (
    select(passes)
    .where(passes.c.program_id == bindparam("program_id"), passes.c.external_id == bindparam("external_id"), _MINE)
    # A permanently revoked pass keeps its external ID for the record; the one in use comes first.
    .order_by(passes.c.deleted_at.is_not(None), passes.c.id.desc())
    .limit(1)
)
_BY_EMAIL = (
    select(passes)
    .where(passes.c.program_id == bindparam("program_id"), passes.c.email == bindparam("email"), _MINE)
    .order_by(passes.c.id)
)
_BY_LINK_TOKEN = select(passes).where(passes.c.link_token == bindparam("link_token"))
_INSERT = insert(passes)
_UPDATE = update(passes).where(passes.c.id == bindparam("pass_id"))


@dataclass(frozen=True, slots=True)
class PassFilter:
    """What a list of passes is narrowed to; None means: does not matter."""

    program_id: str | None = None
    tier_id: str | None = None
    status: Status | None = None
    install_state: InstallState | None = None
    email: str | None = None
    external_id: str | None = None
    updated_since: datetime | None = None


def get(connection: Connection, account_id: str, mode: Mode, pass_id: str) -> Pass | None:
    """Return the pass of this ID."""
    return _one(connection, _BY_ID, {"id": pass_id, "account_id": account_id, "mode": mode.value})


def get_by_external_id(
    connection: Connection, account_id: str, mode: Mode, program_id: str, external_id: str
) -> Pass | None:
    """Return the program's pass of this external ID: the one in use, else the one last revoked for good."""
    values = {"program_id": program_id, "external_id": external_id, "account_id": account_id, "mode": mode.value}
    return _one(connection, _BY_EXTERNAL_ID, values)


def get_by_email(
    connection: Connection, account_id: str, mode: Mode, program_id: str, email: str
) -> list[Pass]:
    """Return every pass of the program with this e-mail address (lower case), oldest first."""
    values = {"program_id": program_id, "email": email, "account_id": account_id, "mode": mode.value}
    return [from_row(row) for row in connection.execute(_BY_EMAIL, values)]


def get_by_link_token(connection: Connection, link_token: str) -> Pass | None:
    """Return the pass whose page has this address. The token is the permission; no account is asked for."""
    return _one(connection, _BY_LINK_TOKEN, {"link_token": link_token})


def lock(connection: Connection, pass_id: str) -> Pass:
    """Read the pass anew inside a transaction, so that nobody else changes it before the end.

    SQLite has one writer at a time and ignores `FOR UPDATE`.
    """
    row = connection.execute(select(passes).where(passes.c.id == pass_id).with_for_update()).one()
    return from_row(row)


def page(
    connection: Connection,
    account_id: str,
    mode: Mode,
    wanted: PassFilter,
    *,
    now: datetime,
    before: str | None,
    limit: int,
) -> list[Pass]:
    """Return at most `limit` passes that fit `wanted`, newest first, those older than the ID `before`."""
    conditions = [passes.c.account_id == account_id, passes.c.mode == mode.value]
    if wanted.program_id is not None:
        conditions.append(passes.c.program_id == wanted.program_id)
    if wanted.tier_id is not None:
        conditions.append(passes.c.tier_id == wanted.tier_id)
    if wanted.install_state is not None:
        conditions.append(passes.c.install_state == wanted.install_state.value)
    if wanted.email is not None:
        conditions.append(passes.c.email == wanted.email)
    if wanted.external_id is not None:
        conditions.append(passes.c.external_id == wanted.external_id)
    if wanted.updated_since is not None:
        conditions.append(passes.c.updated_at >= to_milliseconds(wanted.updated_since))
    if wanted.status is not None:
        conditions.append(_has_status(wanted.status, now))
    if before is not None:
        conditions.append(passes.c.id < before)
    query = select(passes).where(*conditions).order_by(passes.c.id.desc()).limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def _has_status(status: Status, now: datetime) -> ColumnElement[bool]:
    """`Pass.status` said in SQL; a test holds the two against each other."""
    revoked = passes.c.revoked_at.is_not(None)
    redeemed = passes.c.redeemed_at.is_not(None)
    expired = and_(passes.c.expires_at.is_not(None), passes.c.expires_at <= to_milliseconds(now))
    match status:
        case Status.REVOKED:
            return revoked
        case Status.REDEEMED:
            return and_(redeemed, not_(revoked))
        case Status.EXPIRED:
            return and_(expired, not_(revoked), not_(redeemed))
        case Status.ACTIVE:
            alive = or_(passes.c.expires_at.is_(None), passes.c.expires_at > to_milliseconds(now))
            return and_(alive, not_(revoked), not_(redeemed))


def add(connection: Connection, new: Pass) -> None:
    """Insert the pass.

    Raises:
        sqlalchemy.exc.IntegrityError: the program has a pass of this external ID.
    """
    connection.execute(_INSERT, to_row(new))


def save(connection: Connection, changed: Pass) -> None:
    """Write the pass over its row."""
    row = to_row(changed)
    del row["id"]
    connection.execute(_UPDATE, {"pass_id": changed.id, **row})


def _one(connection: Connection, query: Any, values: dict[str, str]) -> Pass | None:
    row = connection.execute(query, values).first()
    return None if row is None else from_row(row)


def from_row(row: Row[Any]) -> Pass:
    """Make the value from a row of the table."""
    created_at, updated_at = from_milliseconds(row.created_at), from_milliseconds(row.updated_at)
    assert created_at is not None
    assert updated_at is not None
    return Pass(
        id=row.id,
        account_id=row.account_id,
        mode=Mode(row.mode),
        issuer=row.issuer,
        program_id=row.program_id,
        tier_id=row.tier_id,
        link_token=row.link_token,
        created_at=created_at,
        updated_at=updated_at,
        external_id=row.external_id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        phone=row.phone,
        points=from_hundredths(row.points),
        fields=json.loads(row.fields),
        install_state=InstallState(row.install_state),
        expires_at=from_milliseconds(row.expires_at),
        redeemed_at=from_milliseconds(row.redeemed_at),
        revoked_at=from_milliseconds(row.revoked_at),
        deleted_at=from_milliseconds(row.deleted_at),
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
        "deleted_at": to_milliseconds(value.deleted_at),
        "created_at": to_milliseconds(value.created_at),
        "updated_at": to_milliseconds(value.updated_at),
    }
