"""Lists of passes: what they are narrowed to, and which index each is read from (`pages.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, ScalarSelect, and_, func, or_, select

from app.model import InstallState, Mode, Status
from app.store import pages
from app.store.columns import to_milliseconds
from app.store.pages import Condition, Listing, Page, Place, Range, hidden
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.tables import EXPIRY_NOT_NOTIFIED, HAS_EMAIL, passes, programs

Equal = tuple[Column[Any], Any]
# The values of `closed_by`.
NOTHING, EXPIRED, REDEEMED, REVOKED = "nothing", "expired", "redeemed", "revoked"


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
) -> Page[Found]:
    """Return at most `limit` passes that fit `wanted`, those after `cursor`.

    Newest first; with `updated_since` those that changed last come first, for nothing else can be read from an index.
    """
    answered, ranges = _Choice(account_id, mode, wanted, now).ranges(connection)
    order: tuple[Column[Any], ...] = (passes.c.id,)
    least: Place | None = None
    if wanted.updated_since is not None:
        order, least = (passes.c.updated_at, passes.c.id), (to_milliseconds(wanted.updated_since), "")
    checks = [check for name, check in _checks(wanted, now).items() if name not in answered]
    found = pages.read(connection, WITH_PROGRAM, Listing(order, ranges, checks, least), cursor, limit)
    return Page([found_from(row) for row in found.items], found.next_cursor)


def _checks(wanted: PassFilter, now: datetime) -> dict[str, Condition]:
    """Return each filter as a condition that is looked up in no index."""
    values = {
        "program_id": wanted.program_id,
        "tier_id": wanted.tier_id,
        "email": wanted.email,
        "install_state": None if wanted.install_state is None else wanted.install_state.value,
    }
    checks: dict[str, Condition] = {
        name: hidden(passes.c[name] == value) for name, value in values.items() if value is not None
    }
    if wanted.status is not None:
        checks["status"] = hidden(_has_status(wanted.status, now))
    return checks


def _has_status(status: Status, now: datetime) -> ColumnElement[bool]:
    """`Pass.status` as SQL; a test compares the two."""
    closed_by, expires_at = passes.c.closed_by, passes.c.expires_at
    match status:
        case Status.REVOKED | Status.REDEEMED:
            return closed_by == status.value
        case Status.EXPIRED:
            return and_(closed_by.in_([NOTHING, EXPIRED]), expires_at <= to_milliseconds(now))
        case Status.ACTIVE:
            return and_(closed_by.in_([NOTHING, EXPIRED]), _is_valid(now))


def _is_valid(now: datetime) -> ColumnElement[bool]:
    return or_(passes.c.expires_at.is_(None), passes.c.expires_at > to_milliseconds(now))


class _Choice:
    """Chooses what is read from an index: a pair that has one, else what likely narrows the list most."""

    def __init__(self, account_id: str, mode: Mode, wanted: PassFilter, now: datetime) -> None:
        self._account_id, self._mode, self._wanted, self._now = account_id, mode, wanted, now
        self._mine: list[Equal] = [(passes.c.account_id, account_id), (passes.c.mode, mode.value)]
        # A program's index names no account. Nobody else's is looked into.
        self._scope = self._mine if wanted.program_id is None else [(passes.c.program_id, self._own_program())]

    def _own_program(self) -> ScalarSelect[str]:
        own = (programs.c.account_id == self._account_id, programs.c.mode == self._mode.value)
        return select(programs.c.id).where(programs.c.id == self._wanted.program_id, *own).scalar_subquery()

    def ranges(self, connection: Connection) -> tuple[set[str], list[Range]]:
        """Return where in the indexes the passes are, and which filters that answers."""
        wanted, scope = self._wanted, self._scope
        if wanted.external_id is not None:
            program = [] if wanted.program_id is None else [(passes.c.program_id, wanted.program_id)]
            equal = [*self._mine, (passes.c.external_id, wanted.external_id), *program]
            # One in each program, and those that were revoked for good.
            return {"program_id"}, [Range(equal, is_in_order=False)]
        if wanted.updated_since is not None:
            return {"program_id"}, [Range(scope)]
        if wanted.email is not None:
            return {"email"}, [Range([*self._mine, (passes.c.email, wanted.email)], [HAS_EMAIL])]
        if wanted.tier_id is not None:
            return {"program_id", "tier_id"}, [Range([*scope, (passes.c.tier_id, wanted.tier_id)])]
        if wanted.status is not None:
            return self._of_status(connection, wanted.status)
        if wanted.program_id is not None:
            ends = (NOTHING, EXPIRED, REDEEMED, REVOKED)
            return {"program_id"}, [self._closed_by(end) for end in ends]
        states = [wanted.install_state] if wanted.install_state is not None else list(InstallState)
        return {"install_state"}, [Range([*scope, (passes.c.install_state, state.value)]) for state in states]

    def _of_status(self, connection: Connection, status: Status) -> tuple[set[str], list[Range]]:
        """Return the ranges of a status, of one program or of all.

        That a pass has expired is in the index once an event has told of it, within about a minute. Until then it is
        among those that nothing has closed. Where more passes than a page looks at wait for their event (no worker
        runs), each pass has to be looked at.
        """
        if status in (Status.REVOKED, Status.REDEEMED):
            return {"program_id", "status"}, [self._closed_by(status.value)]
        if _count_late(connection, self._now) > pages.SCANNED:
            ends = [NOTHING, EXPIRED] if status is Status.EXPIRED else [NOTHING]
            return {"program_id"}, [self._closed_by(end) for end in ends]
        if status is Status.ACTIVE:
            return {"program_id", "status"}, [self._closed_by(NOTHING, _is_valid(self._now))]
        return {"program_id", "status"}, [self._closed_by(EXPIRED), self._late()]

    def _closed_by(self, end: str, *conditions: Condition) -> Range:
        return Range([*self._scope, (passes.c.closed_by, end)], conditions)

    def _late(self) -> Range:
        wanted = self._wanted
        own = {passes.c.account_id: self._account_id, passes.c.mode: self._mode.value}
        if wanted.program_id is not None:
            own[passes.c.program_id] = wanted.program_id
        conditions = [*_is_late(self._now), *(hidden(column == value) for column, value in own.items())]
        return Range([], conditions, is_in_order=False)


def _count_late(connection: Connection, now: datetime) -> int:
    """Count the passes of all accounts that have expired and that no event has told of yet, up to a bound."""
    query = select(passes.c.id).where(*_is_late(now)).order_by(passes.c.expires_at).limit(pages.SCANNED + 1)
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def _is_late(now: datetime) -> list[Condition]:
    return [EXPIRY_NOT_NOTIFIED, passes.c.expires_at <= to_milliseconds(now)]
