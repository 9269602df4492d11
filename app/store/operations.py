"""Operations in the database: the rows that make an action repeated an action done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from app.model import Mode
from app.store.columns import Statement, from_milliseconds, save_changed, to_milliseconds
from app.store.tables import OPEN, operations, passes
from app.store.troubles import Kind, rests


class OperationStatus(StrEnum):
    """Where an operation is in its life."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request to do an action.

    Attributes:
        answer, problem: JSON text; at most one is there.
        key_digest: stands for the idempotency key, which is not kept; None where the caller gave none, or where a
            refusal that changed nothing set it free again.
        lease_until: set while it runs; when it has passed, the process that ran it is taken for dead.
        request: what is to be made true at a remote issuer, kept while that is not settled (`operations/plan.py`).
        tried_at: when the issuer was last sent something whose outcome is not known for certain.
        look_at, looks: when an unknown outcome is looked into next, and how often that was done.
        resolution: who settled an unknown outcome by hand, when and how; JSON text.
    """

    id: str
    account_id: str
    mode: Mode
    action: str
    status: OperationStatus
    fingerprint: str
    created_at: datetime
    key_digest: str | None = None
    lease_until: datetime | None = None
    program_id: str | None = None
    pass_id: str | None = None
    answer: str | None = None
    problem: str | None = None
    finished_at: datetime | None = None
    request: str | None = None
    tried_at: datetime | None = None
    look_at: datetime | None = None
    looks: int = 0
    resolution: str | None = None


ENDED = operations.c.status.in_([OperationStatus.SUCCEEDED.value, OperationStatus.FAILED.value])
_COLUMNS = tuple(column.name for column in operations.c)
_INSTANTS = ("lease_until", "created_at", "finished_at", "tried_at", "look_at")
_BY_KEY = Statement(
    select(operations).where(
        operations.c.account_id == bindparam("account_id"),
        operations.c.mode == bindparam("mode"),
        operations.c.action == bindparam("action"),
        operations.c.key_digest == bindparam("key_digest"),
    )
)
_INSERT = Statement(insert(operations))
_LOCK = Statement(
    update(operations)
    .where(
        operations.c.id == bindparam("operation_id"),
        operations.c.status == bindparam("running"),
        operations.c.lease_until == bindparam("lease"),
    )
    .values(lease_until=bindparam("lease"))
)


def get(connection: Connection, account_id: str, mode: Mode, operation_id: str) -> Operation | None:
    """Return the caller's operation of this ID."""
    query = select(operations).where(
        operations.c.id == operation_id,
        operations.c.account_id == account_id,
        operations.c.mode == mode.value,
    )
    row = connection.execute(query).first()
    return None if row is None else from_columns(row)


def get_by_key(connection: Connection, account_id: str, mode: Mode, action: str, key_digest: str) -> Operation | None:
    """Return the operation that has this key, in the key's scope: account, mode and action."""
    values = {
        "account_id": account_id,
        "mode": mode.value,
        "action": action,
        "key_digest": key_digest,
    }
    row = _BY_KEY.first(connection, values)
    return None if row is None else from_columns(row)


def add(connection: Connection, operation: Operation) -> None:
    """Insert the operation.

    Raises:
        sqlalchemy.exc.IntegrityError: another one has its key.
    """
    _INSERT.send(connection, to_row(operation))


def save(connection: Connection, before: Operation, after: Operation) -> None:
    """Write what differs between the two over the operation's row."""
    save_changed(connection, operations, after.id, to_row(before), to_row(after))


def claim(connection: Connection, operation_id: str, now: datetime, lease_until: datetime) -> Operation | None:
    """Take over an operation that nobody is working on and that is not settled; return it as it was before.

    Not settled is one that is running with a lapsed lease, one of unknown outcome, and a failed one that keeps its key.
    None: it is settled, or somebody is working on it.
    """
    locked = select(operations).where(operations.c.id == operation_id).with_for_update()
    row = connection.execute(locked).first()
    found = None if row is None else from_columns(row)
    if found is None or not _is_free(found, now):
        return None
    values = {"status": OperationStatus.RUNNING.value, "lease_until": to_milliseconds(lease_until)}
    connection.execute(update(operations).where(operations.c.id == operation_id).values(values))
    return found


def _is_free(found: Operation, now: datetime) -> bool:
    match found.status:
        case OperationStatus.RUNNING:
            return found.lease_until is None or found.lease_until <= now
        case OperationStatus.UNKNOWN:
            return True
        case OperationStatus.FAILED:
            return found.key_digest is not None
        case OperationStatus.SUCCEEDED:
            return False


def lock_if_leased(connection: Connection, operation: Operation) -> bool:
    """Keep an operation to the end of the transaction. False: the lease ran out and somebody else has taken over."""
    values = {
        "operation_id": operation.id,
        "running": OperationStatus.RUNNING.value,
        "lease": to_milliseconds(operation.lease_until),
    }
    return bool(_LOCK.run(connection, values).rowcount == 1)


def lock_ended(
    connection: Connection, *, pass_id: str | None = None, operation_id: str | None = None
) -> list[Operation]:
    """Return the operations on a pass that have ended, or this one; they stay so until the transaction ends."""
    wanted = operations.c.pass_id == pass_id if operation_id is None else operations.c.id == operation_id
    query = select(operations).where(wanted, ENDED).order_by(operations.c.id)
    return [from_columns(row) for row in connection.execute(query.with_for_update())]


def open_on(connection: Connection, pass_id: str) -> list[str]:
    """Return the IDs of the operations on the pass that have no outcome yet."""
    query = select(operations.c.id).where(OPEN, operations.c.pass_id == pass_id)
    return list(connection.execute(query).scalars())


def due(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the IDs of operations without an outcome that are to be looked into now, oldest first.

    They are those of unknown outcome whose time has come, and those whose process has died.
    """
    moment = to_milliseconds(now)
    query = (
        select(operations.c.id)
        .where(
            or_(
                and_(operations.c.status == OperationStatus.UNKNOWN.value, operations.c.look_at <= moment),
                and_(operations.c.status == OperationStatus.RUNNING.value, operations.c.lease_until <= moment),
            ),
            operations.c.request.is_not(None),
            ~rests(Kind.OPERATION, operations.c.id, now),
        )
        .order_by(operations.c.id)
        .limit(limit)
    )
    return [str(row_id) for row_id in connection.execute(query).scalars()]


def get_any(connection: Connection, operation_id: str) -> Operation | None:
    """Return the operation of this ID, of any account: for the sweep and for operators."""
    row = connection.execute(select(operations).where(operations.c.id == operation_id)).first()
    return None if row is None else from_columns(row)


def is_open_on(connection: Connection, pass_id: str) -> bool:
    """Tell whether an operation on the pass has no outcome yet."""
    query = select(operations.c.id).where(OPEN, operations.c.pass_id == pass_id)
    return connection.execute(query.limit(1)).first() is not None


def count_open(connection: Connection, account_id: str) -> int:
    """Return how many operations of an account have no outcome yet."""
    query = select(func.count()).select_from(operations).where(OPEN, operations.c.account_id == account_id)
    return connection.execute(query).scalar_one()


def is_creating(connection: Connection, program_id: str) -> bool:
    """Tell whether a pass of the program is being made at a remote issuer at this moment.

    Such an operation names a pass that is not on record yet.
    """
    is_known = select(passes.c.id).where(passes.c.id == operations.c.pass_id).exists()
    query = select(operations.c.id).where(OPEN, operations.c.program_id == program_id, ~is_known)
    return connection.execute(query.limit(1)).first() is not None


def from_columns(columns: Sequence[Any]) -> Operation:
    """Make the value from the table's columns, in their order."""
    row = dict(zip(_COLUMNS, columns, strict=True))
    instants = {name: from_milliseconds(row[name]) for name in _INSTANTS}
    return Operation(**{**row, **instants, "mode": Mode(row["mode"]), "status": OperationStatus(row["status"])})


def to_row(operation: Operation) -> dict[str, Any]:
    """Make a row of the table from the value."""
    row = {name: getattr(operation, name) for name in _COLUMNS}
    instants = {name: to_milliseconds(row[name]) for name in _INSTANTS}
    return {**row, **instants, "mode": operation.mode.value, "status": operation.status.value}
