"""Lists of passes: what they are narrowed to, and which index each is read from (`pages.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Integer, and_, bindparam, func, or_, select

from app.model import InstallState, Mode, Status
from app.store import pages
from app.store.columns import to_milliseconds
from app.store.pages import Condition, Listing, Page, Place, Range, hidden, parameter
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.programs import OWN_ID
from app.store.tables import EXPIRY_NOT_NOTIFIED, HAS_EMAIL, passes

Equal = tuple[Column[Any], Any]
# The values of `closed_by`.
NOTHING, EXPIRED, REDEEMED, REVOKED = "nothing", "expired", "redeemed", "revoked"
NOW = parameter(passes.c.expires_at, "now")
_IS_VALID = or_(passes.c.expires_at.is_(None), passes.c.expires_at > NOW)
_IS_LATE = (EXPIRY_NOT_NOTIFIED, passes.c.expires_at <= NOW)
_LATE = select(func.count()).select_from(
    select(passes.c.id)
    .where(*_IS_LATE)
    .order_by(passes.c.expires_at)
    .limit(bindparam("limit", type_=Integer))
    .subquery()
)


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
    values = _values(account_id, mode, wanted, now)
    given = frozenset(name for name, value in values.items() if value is not None)
    are_many_late = _reads_late(wanted) and _count_late(connection, now) > pages.SCANNED
    listing = _listing(given, wanted.status, are_many_late)
    found = pages.read(connection, listing, values, cursor, limit)
    return Page([found_from(row) for row in found.items], found.next_cursor)


def _values(account_id: str, mode: Mode, wanted: PassFilter, now: datetime) -> dict[str, Any]:
    """Return the values of the parameters; None where nothing is asked for. `_listing` has a status of its own."""
    return {
        "account_id": account_id,
        "mode": mode.value,
        "program_id": wanted.program_id,
        "tier_id": wanted.tier_id,
        "email": wanted.email,
        "external_id": wanted.external_id,
        "install_state": None if wanted.install_state is None else wanted.install_state.value,
        "updated_since": to_milliseconds(wanted.updated_since),
        "now": to_milliseconds(now),
    }


@cache
def _listing(given: frozenset[str], status: Status | None, are_many_late: bool) -> Listing:
    """Return where passes are found by the filters of these names, and by status."""
    answered, ranges = _Choice(given, status, are_many_late).ranges()
    order: tuple[Column[Any], ...] = (passes.c.id,)
    least: Place | None = None
    if "updated_since" in given:
        order, least = (passes.c.updated_at, passes.c.id), (parameter(passes.c.updated_at, "updated_since"), "")
    checked = [passes.c[name] for name in ("program_id", "tier_id", "email", "install_state")]
    checks = [_is(column) for column in checked if column.name in given - answered]
    if status is not None and "status" not in answered:
        checks.append(hidden(_has_status(status)))
    return Listing(WITH_PROGRAM, order, ranges, checks, least)


def _is(column: Column[Any]) -> Condition:
    return hidden(column == parameter(column))


def _has_status(status: Status) -> ColumnElement[bool]:
    """`Pass.status` as SQL; a test compares the two."""
    closed_by = passes.c.closed_by
    match status:
        case Status.REVOKED | Status.REDEEMED:
            return closed_by == status.value
        case Status.EXPIRED:
            return and_(closed_by.in_([NOTHING, EXPIRED]), passes.c.expires_at <= NOW)
        case Status.ACTIVE:
            return and_(closed_by.in_([NOTHING, EXPIRED]), _IS_VALID)


class _Choice:
    """Chooses what is read from an index: a pair that has one, else what likely narrows the list most."""

    def __init__(self, given: frozenset[str], status: Status | None, are_many_late: bool) -> None:
        self._given, self._status, self._are_many_late = given, status, are_many_late
        self._mine = [_equal(passes.c.account_id), _equal(passes.c.mode)]
        self._scope: list[Equal] = self._mine
        if "program_id" in given:
            # A program's index names no account. Nobody else's is looked into.
            self._scope = [(passes.c.program_id, OWN_ID)]

    def ranges(self) -> tuple[set[str], list[Range]]:
        """Return where in the indexes the passes are, and which filters that answers."""
        given, scope = self._given, self._scope
        if "external_id" in given:
            program = [_equal(passes.c.program_id)] if "program_id" in given else []
            equal = [*self._mine, _equal(passes.c.external_id), *program]
            # One in each program, and those that were revoked for good.
            return {"program_id"}, [Range(equal, is_in_order=False)]
        if "updated_since" in given:
            return {"program_id"}, [Range(scope)]
        if "email" in given:
            return {"email"}, [Range([*self._mine, _equal(passes.c.email)], [HAS_EMAIL])]
        if "tier_id" in given:
            return {"program_id", "tier_id"}, [Range([*scope, _equal(passes.c.tier_id)])]
        if self._status is not None:
            return self._of_status(self._status)
        if "program_id" in given:
            ends = (NOTHING, EXPIRED, REDEEMED, REVOKED)
            return {"program_id"}, [self._closed_by(end) for end in ends]
        if "install_state" in given:
            return {"install_state"}, [Range([*scope, _equal(passes.c.install_state)])]
        return set(), [Range([*scope, (passes.c.install_state, state.value)]) for state in InstallState]

    def _of_status(self, status: Status) -> tuple[set[str], list[Range]]:
        """Return the ranges of a status, of one program or of all.

        That a pass has expired is in the index once an event has told of it, within about a minute. Until then it is
        among those that nothing has closed. Where more passes than a page looks at wait for their event (no worker
        runs), each pass has to be looked at.
        """
        if status in (Status.REVOKED, Status.REDEEMED):
            return {"program_id", "status"}, [self._closed_by(status.value)]
        if self._are_many_late:
            ends = [NOTHING, EXPIRED] if status is Status.EXPIRED else [NOTHING]
            return {"program_id"}, [self._closed_by(end) for end in ends]
        if status is Status.ACTIVE:
            return {"program_id", "status"}, [self._closed_by(NOTHING, _IS_VALID)]
        return {"program_id", "status"}, [self._closed_by(EXPIRED), self._late()]

    def _closed_by(self, end: str, *conditions: Condition) -> Range:
        return Range([*self._scope, (passes.c.closed_by, end)], conditions)

    def _late(self) -> Range:
        own = [passes.c.account_id, passes.c.mode]
        if "program_id" in self._given:
            own.append(passes.c.program_id)
        return Range([], [*_IS_LATE, *(_is(column) for column in own)], is_in_order=False)


def _equal(column: Column[Any]) -> Equal:
    return column, parameter(column)


def _reads_late(wanted: PassFilter) -> bool:
    """Say whether the index of statuses is read for a status that time alone changes."""
    narrower = (wanted.external_id, wanted.updated_since, wanted.email, wanted.tier_id)
    return wanted.status in (Status.ACTIVE, Status.EXPIRED) and all(value is None for value in narrower)


def _count_late(connection: Connection, now: datetime) -> int:
    """Count the passes of all accounts that have expired and that no event has told of yet, up to a bound."""
    values = {"now": to_milliseconds(now), "limit": pages.SCANNED + 1}
    return connection.execute(_LATE, values).scalar_one()
