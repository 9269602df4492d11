"""What issuers elsewhere send us: the subscriptions (sinks) it comes by, and what came and waits to be looked into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app import identifiers
from app.model import Mode
from app.store.tables import inbox, sinks
from app.store.troubles import Kind, rests
from app.store.values import to_milliseconds

KEPT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Sink:
    """A subscription to a program's webhooks. The token in its address is kept as a digest only."""

    id: str
    account_id: str
    mode: Mode
    program_id: str
    digest: str = field(repr=False)
    protocol: str
    upstream_id: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that came. It is never believed, only looked into."""

    id: str
    sink_id: str
    method: str
    body: str = field(repr=False)


def digest_of(text: str) -> str:
    """Return what is kept of a token, and what makes two bodies the same."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def add_sink(
    connection: Connection, account_id: str, mode: Mode, program_id: str, protocol: str, token: str, now: datetime
) -> str:
    """Write a subscription down before the issuer is asked for it; return its ID."""
    row = {
        "id": identifiers.new_id(identifiers.SINK),
        "account_id": account_id,
        "mode": mode.value,
        "program_id": program_id,
        "digest": digest_of(token),
        "protocol": protocol,
        "upstream_id": None,
        "created_at": to_milliseconds(now),
    }
    connection.execute(insert(sinks), row)
    return str(row["id"])


def name_sink(connection: Connection, sink_id: str, upstream_id: str) -> None:
    """Write down what the issuer calls the subscription."""
    connection.execute(update(sinks).where(sinks.c.id == sink_id).values(upstream_id=upstream_id))


def drop_sink(connection: Connection, sink_id: str) -> None:
    """Forget a subscription: what comes by it from now on is unknown."""
    connection.execute(delete(sinks).where(sinks.c.id == sink_id))


def list_sinks(connection: Connection, account_id: str, mode: Mode) -> list[Sink]:
    """Return the account's subscriptions in this mode."""
    query = select(sinks).where(sinks.c.account_id == account_id, sinks.c.mode == mode.value)
    return [_sink(tuple(row)) for row in connection.execute(query)]


def get_sink(connection: Connection, sink_id: str) -> Sink | None:
    """Return a subscription."""
    row = connection.execute(select(sinks).where(sinks.c.id == sink_id)).first()
    return None if row is None else _sink(tuple(row))


def find_sink(connection: Connection, token: str) -> Sink | None:
    """Return the subscription whose address has this token.

    It is looked up by the token's digest, so that no comparison tells anything about a token that is nearly right.
    """
    row = connection.execute(select(sinks).where(sinks.c.digest == digest_of(token))).first()
    return None if row is None else _sink(tuple(row))


def _sink(columns: tuple[object, ...]) -> Sink:
    sink = Sink(*columns)  # type: ignore[arg-type]
    return Sink(sink.id, sink.account_id, Mode(sink.mode), *columns[3:])  # type: ignore[arg-type]


def put(connection: Connection, sink: Sink, method: str, body: str, now: datetime) -> str | None:
    """Keep what came; None where the same waits already: that will be looked into later than now.

    One that was looked into before is looked into again: PassKit can say the same twice and mean two changes.
    """
    row = {
        "id": identifiers.new_id(identifiers.HINT),
        "sink_id": sink.id,
        "method": method,
        "body": body,
        "digest": digest_of(body),
        "received_at": to_milliseconds(now),
        "done_at": None,
        "note": None,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(inbox), row)
    except IntegrityError:
        return None
    return str(row["id"])


def get(connection: Connection, hint_id: str) -> Hint | None:
    """Return what came, None where it was looked into already."""
    query = select(inbox.c.id, inbox.c.sink_id, inbox.c.method, inbox.c.body)
    row = connection.execute(query.where(inbox.c.id == hint_id, inbox.c.done_at.is_(None))).first()
    return None if row is None else Hint(*row)


def waiting(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the IDs of what waits, oldest first."""
    query = select(inbox.c.id).where(inbox.c.done_at.is_(None), ~rests(Kind.WEBHOOK, inbox.c.id, now))
    return [str(one) for one in connection.execute(query.order_by(inbox.c.id).limit(limit)).scalars()]


def close(connection: Connection, hint_id: str, note: str, now: datetime) -> None:
    """Write down that it was looked into, and what came of it."""
    values = {"done_at": to_milliseconds(now), "note": note}
    connection.execute(update(inbox).where(inbox.c.id == hint_id).values(values))


def forget_before(connection: Connection, before: datetime) -> int:
    """Delete what came and was looked into before an instant."""
    old = delete(inbox).where(inbox.c.received_at < to_milliseconds(before), inbox.c.done_at.is_not(None))
    return connection.execute(old).rowcount
