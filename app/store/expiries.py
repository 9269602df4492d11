"""Passes whose expiry no event has told of yet. A partial index holds just those, so that the search is cheap."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from app.model import Pass
from app.store.passes import WITH_PROGRAM, Found, found_from
from app.store.tables import EXPIRY_UNTOLD, passes
from app.store.values import to_milliseconds


def untold(connection: Connection, now: datetime, limit: int) -> list[Found]:
    """Return passes of all accounts that have expired without an event, those that did first; nobody else has them."""
    query = WITH_PROGRAM.where(EXPIRY_UNTOLD, passes.c.expires_at <= to_milliseconds(now))
    mine = query.order_by(passes.c.expires_at).limit(limit).with_for_update(of=passes, skip_locked=True)
    return [found_from(row) for row in connection.execute(mine)]


def note_told(connection: Connection, told: Pass) -> None:
    """Remember that an event has told of this expiry."""
    note = update(passes).where(passes.c.id == told.id).values(expiry_told=passes.c.expires_at)
    connection.execute(note)
