"""Where data of a person stands: the passes by the person's names, the rows of a pass, and texts that may name people.

Every query names account and mode, or an ID that belongs to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from app.model import Mode
from app.store.operations import Operation
from app.store.operations import from_columns as operation_from_columns
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.tables import HAS_TEXTS, connections, deliveries, events, imports, inbox, operations, passes, sinks
from app.store.tables import troubles as troubles_table

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Received:
    """What a remote issuer's webhook brought. `is_waiting`: it was not read yet."""

    id: str
    body: str = field(repr=False)
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """A text on what went wrong with an import or a connection; JSON with `detail`, or plain (a trouble)."""

    table: str
    key: tuple[str, ...]
    text: str = field(repr=False)


def passes_of_external_id(
    connection: Connection, account_id: str, mode: Mode, program_id: str | None, external_id: str
) -> list[Found]:
    """Return every pass with this external ID, also those revoked for good; of one program, or of all (None)."""
    return _passes(connection, account_id, mode, program_id, passes.c.external_id == external_id)


def passes_of_email(
    connection: Connection, account_id: str, mode: Mode, program_id: str | None, email: str
) -> list[Found]:
    """Return every pass with this e-mail address (lower case); of one program, or of all (None)."""
    return _passes(connection, account_id, mode, program_id, passes.c.email == email)


def _passes(
    connection: Connection, account_id: str, mode: Mode, program_id: str | None, named: ColumnElement[bool]
) -> list[Found]:
    query = WITH_PROGRAM.where(passes.c.account_id == account_id, passes.c.mode == mode.value, named)
    if program_id is not None:
        query = query.where(passes.c.program_id == program_id)
    return [found_from(row) for row in connection.execute(query.order_by(passes.c.id))]


def event_ids(connection: Connection, pass_id: str) -> list[str]:
    """Return the IDs of a pass's events, oldest first."""
    query = select(events.c.id).where(events.c.pass_id == pass_id).order_by(events.c.id)
    return list(connection.execute(query).scalars())


def delivery_ids(connection: Connection, of_events: Sequence[str]) -> list[str]:
    """Return the IDs of the deliveries of these events, oldest first."""
    found: list[str] = []
    for begin in range(0, len(of_events), CHUNK):
        some = of_events[begin : begin + CHUNK]
        found += connection.execute(select(deliveries.c.id).where(deliveries.c.event_id.in_(some))).scalars()
    return sorted(found)


def operation_ids(connection: Connection, pass_id: str) -> list[str]:
    """Return the IDs of the operations on a pass, oldest first."""
    query = select(operations.c.id).where(operations.c.pass_id == pass_id).order_by(operations.c.id)
    return list(connection.execute(query).scalars())


def operations_with_texts(connection: Connection, account_id: str, mode: Mode) -> Iterator[Operation]:
    """Return the operations that keep what is to be done or why it was not, oldest first, a part at a time."""
    last = ""
    while True:
        mine = operations.c.account_id == account_id, operations.c.mode == mode.value
        query = select(operations).where(*mine, HAS_TEXTS, operations.c.id > last).order_by(operations.c.id)
        rows = [operation_from_columns(row) for row in connection.execute(query.limit(CHUNK))]
        yield from rows
        if len(rows) < CHUNK:
            return
        last = rows[-1].id


def webhooks(connection: Connection, account_id: str, mode: Mode) -> Iterator[Received]:
    """Return what remote issuers sent for the account, oldest first, a part at a time.

    What came by a subscription that is gone belongs to no account any more, and is returned to each.
    """
    last = ""
    is_mine = or_(and_(sinks.c.account_id == account_id, sinks.c.mode == mode.value), sinks.c.id.is_(None))
    kept = inbox.outerjoin(sinks, sinks.c.id == inbox.c.sink_id)
    columns = select(inbox.c.id, inbox.c.body, inbox.c.done_at.is_(None)).select_from(kept)
    while True:
        query = columns.where(is_mine, inbox.c.body != "", inbox.c.id > last).order_by(inbox.c.id).limit(CHUNK)
        rows = [Received(*row) for row in connection.execute(query)]
        yield from rows
        if len(rows) < CHUNK:
            return
        last = rows[-1].id


def remarks(connection: Connection, account_id: str, mode: Mode) -> list[Remark]:
    """Return the texts on what went wrong with imports and the connection of the account, and with any work.

    Troubles have no account. They hold no person's data by rule, so one that does is mended whosever it is.
    """
    mine = imports.c.account_id == account_id, imports.c.mode == mode.value, imports.c.problem.is_not(None)
    found = [
        Remark("imports", (row_id,), text)
        for row_id, text in connection.execute(select(imports.c.id, imports.c.problem).where(*mine))
    ]
    ours = connections.c.account_id == account_id, connections.c.mode == mode.value
    query = select(connections.c.last_problem).where(*ours, connections.c.last_problem.is_not(None))
    found += [Remark("connections", (account_id, mode.value), text) for text in connection.execute(query).scalars()]
    rows = connection.execute(select(troubles_table.c.kind, troubles_table.c.item_id, troubles_table.c.why))
    return found + [Remark("troubles", (kind, item_id), why) for kind, item_id, why in rows]


def rewrite_remark(connection: Connection, remark: Remark, text: str) -> None:
    """Put another text in the place of a remark."""
    match remark.table:
        case "imports":
            wanted = update(imports).where(imports.c.id == remark.key[0]).values(problem=text)
        case "connections":
            account_id, mode = remark.key
            mine = connections.c.account_id == account_id, connections.c.mode == mode
            wanted = update(connections).where(*mine).values(last_problem=text)
        case _:
            kind, item_id = remark.key
            same = troubles_table.c.kind == kind, troubles_table.c.item_id == item_id
            wanted = update(troubles_table).where(*same).values(why=text)
    connection.execute(wanted)
