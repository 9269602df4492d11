"""Forgetting stored answers and freeing idempotency keys that are older than the time they are kept."""

from __future__ import annotations

from datetime import timedelta

from app.service import Service
from app.store import operations


def purge(service: Service) -> int:
    """Forget what is old enough; return of how many operations."""
    before = service.clock() - timedelta(days=service.settings.idempotency_days)
    total = 0
    while True:
        with service.store.write() as connection:
            forgotten = operations.forget_before(connection, before)
        total += forgotten
        if forgotten < operations.PURGE_CHUNK:
            return total
