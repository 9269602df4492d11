"""Passes whose expiry no event has told of yet. A partial index holds just those, so that the search is cheap."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, select, update

from app.store.columns import to_milliseconds
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.tables import EXPIRY_NOT_NOTIFIED, passes
from app.store.troubles import Kind, rests


def not_notified(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the IDs of passes of all accounts that have expired without an event, those that did first."""
    query = select(passes.c.id).where(_is_not_notified(now), ~rests(Kind.EXPIRY, passes.c.id, now))
    return [str(pass_id) for pass_id in connection.execute(query.order_by(passes.c.expires_at).limit(limit)).scalars()]


def lock(connection: Connection, pass_id: str, now: datetime) -> Found | None:
    """Lock an expired pass until the transaction ends. None: an event has told of it, or somebody else locks it."""
    query = WITH_PROGRAM.where(passes.c.id == pass_id, _is_not_notified(now))
    row = connection.execute(query.with_for_update(of=passes, skip_locked=True)).first()
    return None if row is None else found_from(row)


def note_notified(connection: Connection, pass_id: str, now: datetime) -> None:
    """Remember that an event has told of this expiry, and when the pass changed by it."""
    values = {"expiry_told": passes.c.expires_at, "updated_at": to_milliseconds(now)}
    connection.execute(update(passes).where(passes.c.id == pass_id).values(values))


def _is_not_notified(now: datetime) -> ColumnElement[bool]:
    return and_(EXPIRY_NOT_NOTIFIED, passes.c.expires_at <= to_milliseconds(now))
