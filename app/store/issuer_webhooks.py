"""Webhooks of remote issuers in the database: the subscriptions they come by, and what came and waits to be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.model import IdKind, Mode, new_id
from app.store.chunks import delete_in_chunks
from app.store.columns import instant, to_milliseconds
from app.store.engine import Store
from app.store.tables import inbox, sinks
from app.store.troubles import Kind, rests


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription to the webhooks of one program.

    Attributes:
        digest: of the token in its address. The token itself is not kept.
        asked_at: when the issuer was last asked for it.
        upstream_id: what the issuer calls it; None while it is not known whether the issuer has it.
    """

    id: str
    account_id: str
    mode: Mode
    program_id: str
    digest: str = field(repr=False)
    asked_at: datetime
    upstream_id: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookNotification:
    """What a webhook brought. It says that something happened to a pass; what it says of the pass is not believed."""

    id: str
    subscription_id: str
    body: str = field(repr=False)


def digest_of(text: str) -> str:
    """Return what is kept of a token, and what makes two bodies the same."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def add_subscription(connection: Connection, new: Subscription) -> None:
    """Write a subscription down, before the issuer is asked for it.

    Raises:
        sqlalchemy.exc.IntegrityError: the program has one.
    """
    row = {
        "id": new.id,
        "account_id": new.account_id,
        "mode": new.mode.value,
        "program_id": new.program_id,
        "digest": new.digest,
        "upstream_id": new.upstream_id,
        "created_at": to_milliseconds(new.asked_at),
    }
    connection.execute(insert(sinks), row)


def note_asked(connection: Connection, subscription_id: str, now: datetime) -> None:
    """Write down that the issuer is asked for it once more."""
    asked = update(sinks).where(sinks.c.id == subscription_id).values(created_at=to_milliseconds(now))
    connection.execute(asked)


def name_subscription(connection: Connection, subscription_id: str, upstream_id: str) -> None:
    """Write down what the issuer calls the subscription."""
    connection.execute(update(sinks).where(sinks.c.id == subscription_id).values(upstream_id=upstream_id))


def forget_webhooks(store: Store, subscription_id: str) -> None:
    """Delete what came by a subscription, read or not."""
    delete_in_chunks(store, inbox, inbox.c.sink_id == subscription_id)


def drop_subscription(connection: Connection, subscription_id: str) -> None:
    """Forget a subscription, and what came by it last: what comes by it from now on is unknown."""
    connection.execute(delete(inbox).where(inbox.c.sink_id == subscription_id))
    connection.execute(delete(sinks).where(sinks.c.id == subscription_id))


def list_subscriptions(connection: Connection, account_id: str, mode: Mode) -> list[Subscription]:
    """Return the account's subscriptions in this mode."""
    query = select(sinks).where(sinks.c.account_id == account_id, sinks.c.mode == mode.value)
    return [_from_columns(row) for row in connection.execute(query)]


def get_subscription(connection: Connection, subscription_id: str) -> Subscription | None:
    """Return a subscription."""
    row = connection.execute(select(sinks).where(sinks.c.id == subscription_id)).first()
    return None if row is None else _from_columns(row)


def find_subscription(connection: Connection, token: str) -> Subscription | None:
    """Return the subscription whose address has this token.

    It is looked up by the token's digest, so that no comparison tells anything about a token that is nearly right.
    """
    row = connection.execute(select(sinks).where(sinks.c.digest == digest_of(token))).first()
    return None if row is None else _from_columns(row)


def _from_columns(columns: Sequence[Any]) -> Subscription:
    subscription_id, account_id, mode, program_id, digest, upstream_id, asked_at = columns
    return Subscription(
        id=subscription_id,
        account_id=account_id,
        mode=Mode(mode),
        program_id=program_id,
        digest=digest,
        asked_at=instant(asked_at),
        upstream_id=upstream_id,
    )


def put(connection: Connection, by: Subscription, method: str, body: str, now: datetime) -> str | None:
    """Keep what came and return its ID; None where the same waits already: the pass will be read later than now.

    One that was read before is read again: an issuer can say the same twice and mean two changes.
    """
    row = {
        "id": new_id(IdKind.WEBHOOK),
        "sink_id": by.id,
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


def get(connection: Connection, webhook_id: str) -> WebhookNotification | None:
    """Return what came, None where it was read already."""
    query = select(inbox.c.id, inbox.c.sink_id, inbox.c.body)
    row = connection.execute(query.where(inbox.c.id == webhook_id, inbox.c.done_at.is_(None))).first()
    return None if row is None else WebhookNotification(*row)


def waiting(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the IDs of what waits and may be tried now, oldest first.

    At most `limit` of each subscription: what piles up while one account's issuer cannot be asked holds up nobody else.
    """
    place = func.row_number().over(partition_by=inbox.c.sink_id, order_by=inbox.c.id).label("place")
    waits = select(inbox.c.id, place).where(inbox.c.done_at.is_(None), ~rests(Kind.WEBHOOK, inbox.c.id, now)).subquery()
    query = select(waits.c.id).where(waits.c.place <= limit).order_by(waits.c.id)
    return [str(webhook_id) for webhook_id in connection.execute(query).scalars()]


def close(connection: Connection, webhook_id: str, note: str, now: datetime) -> None:
    """Write down that it was read, and what came of it."""
    values = {"done_at": to_milliseconds(now), "note": note}
    connection.execute(update(inbox).where(inbox.c.id == webhook_id).values(values))


def erase_body(connection: Connection, webhook_id: str, note: str, now: datetime) -> None:
    """Keep nothing of what came but that it came. What still waits for being read is closed."""
    closed = {"done_at": func.coalesce(inbox.c.done_at, to_milliseconds(now)), "note": note}
    values = {"body": "", "digest": digest_of(""), **closed}
    connection.execute(update(inbox).where(inbox.c.id == webhook_id).values(values))
