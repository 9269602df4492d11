"""Lists of passes: what they are narrowed to, their order, and where a page goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, TextClause, literal, or_, tuple_

from app.model import InstallState, Mode, Pass, Status
from app.store.columns import to_milliseconds
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.tables import NOT_ONLY_ISSUED, passes

MILLISECONDS_DIGITS = 15


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


def page(
    connection: Connection,
    account_id: str,
    mode: Mode,
    wanted: PassFilter,
    *,
    now: datetime,
    cursor: str | None,
    limit: int,
) -> list[Found]:
    """Return at most `limit` passes that fit `wanted`, those after `cursor` (see `cursor_of`).

    Newest first; with `updated_since` those that changed last come first, for nothing else can be read from an index.
    """
    conditions: list[Any] = [passes.c.account_id == account_id, passes.c.mode == mode.value, *_conditions(wanted, now)]
    order = [passes.c.updated_at, passes.c.id] if wanted.updated_since is not None else [passes.c.id]
    if cursor is not None:
        conditions.append(tuple_(*order) < tuple_(*_read_cursor(cursor, len(order))))
    query = WITH_PROGRAM.where(*conditions).order_by(*(column.desc() for column in order)).limit(limit)
    return [found_from(row) for row in connection.execute(query)]


def cursor_of(shown: Pass, wanted: PassFilter) -> str:
    """Return what continues a list after the pass."""
    return shown.id if wanted.updated_since is None else f"{to_milliseconds(shown.updated_at)}-{shown.id}"


def _read_cursor(cursor: str, parts: int) -> list[ColumnElement[Any]]:
    """Return a cursor's values. One of another list, or an invented one, is no error."""
    milliseconds, _, pass_id = cursor.partition("-") if parts > 1 else ("", "", cursor)
    values: list[ColumnElement[Any]] = [literal(pass_id)]
    if parts > 1:
        is_number = milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= MILLISECONDS_DIGITS
        values.insert(0, literal(int(milliseconds) if is_number else 0, BigInteger))
    return values


def _conditions(wanted: PassFilter, now: datetime) -> Iterator[ColumnElement[bool] | TextClause]:
    equal = {passes.c.tier_id: wanted.tier_id, passes.c.email: wanted.email, passes.c.external_id: wanted.external_id}
    narrow = [column == value for column, value in equal.items() if value is not None]
    yield from narrow
    if wanted.program_id is not None:
        # SQLite would choose the program's index. It cannot use that for an expression, and takes the narrower one.
        is_narrowed = bool(narrow) or wanted.status in (Status.REVOKED, Status.REDEEMED)
        yield (passes.c.program_id.concat("") if is_narrowed else passes.c.program_id) == wanted.program_id
    if wanted.install_state is not None:
        yield passes.c.install_state == wanted.install_state.value
        if wanted.install_state is not InstallState.ISSUED:
            yield NOT_ONLY_ISSUED  # the words of the index, or it is not used
    if wanted.updated_since is not None:
        yield passes.c.updated_at >= to_milliseconds(wanted.updated_since)
    if wanted.status is not None:
        yield from _has_status(wanted.status, now)


def _has_status(status: Status, now: datetime) -> Iterator[ColumnElement[bool]]:
    """`Pass.status` as SQL; a test compares the two."""
    match status:
        case Status.REVOKED | Status.REDEEMED:
            yield passes.c.closed_by == status.value
        case Status.EXPIRED:
            yield passes.c.closed_by == "nothing"
            yield passes.c.expires_at <= to_milliseconds(now)
        case Status.ACTIVE:
            yield passes.c.closed_by == "nothing"
            yield or_(passes.c.expires_at.is_(None), passes.c.expires_at > to_milliseconds(now))
