"""Telling of passes that have expired. Nothing changes at that moment, so nobody else would notice."""

from __future__ import annotations

from app.answer import describe
from app.events import outbox
from app.events.types import PASS_EXPIRED
from app.service import Service
from app.store import expiries
from app.store.values import to_json

CHUNK = 100


def tell_expired(service: Service) -> int:
    """Write an event for every pass that expired since the last look; return how many.

    The pass remembers, in the same transaction, which expiry was told: after a crash and with two workers each is
    told once, and one that is made valid again and expires again is told again.
    """
    total = 0
    while True:
        now = service.clock()
        with service.store.write() as connection:
            expired = expiries.untold(connection, now, CHUNK)
            for subject, program in expired:
                data = describe(subject, program, now=now, public_url=service.public_url)
                outbox.record(connection, PASS_EXPIRED, subject, None, to_json(data), now)
                expiries.note_told(connection, subject)
        total += len(expired)
        if len(expired) < CHUNK:
            return total
