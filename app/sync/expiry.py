"""Makes the event of a pass that has expired. A pass expires by time alone: no request or webhook says so."""

from __future__ import annotations

from functools import partial

from app.answer import describe
from app.effects import moment_after
from app.events import outbox
from app.events.types import PASS_EXPIRED
from app.service import Service
from app.store import expiries
from app.store.columns import to_json
from app.store.troubles import Kind
from app.sweeps import each

CHUNK = 100


def tell_expired(service: Service) -> int:
    """Write an event for every pass that expired since the last look; return how many.

    The pass remembers, in the same transaction, which expiry was told: after a crash and with two workers each is
    told once, and one that is made valid again and expires again is told again.
    """
    total = 0
    while True:
        with service.store.read() as connection:
            expired = expiries.not_notified(connection, service.clock(), CHUNK)
        told = each(service, Kind.EXPIRY, expired, partial(_tell, service))
        total += told
        if told == 0 or len(expired) < CHUNK:
            return total


def _tell(service: Service, pass_id: str) -> bool:
    """Tell of one expiry. False: somebody else does, or did."""
    with service.store.write() as connection:
        found = expiries.lock(connection, pass_id, service.clock())
        if found is None:
            return False
        subject, program = found
        now = moment_after(service.clock(), subject.updated_at)
        data = describe(subject, program, now=now, public_url=service.public_url)
        outbox.record(connection, PASS_EXPIRED, subject, None, to_json(data), now, service.clock())
        expiries.note_notified(connection, pass_id, now)
    return True
