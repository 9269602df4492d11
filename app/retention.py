"""Forgetting what is older than the settings say it is kept. Passes and programs are kept until somebody deletes them.

Each kind of row is gone through by itself: one that fails is tried again with the next purge, and parked when it fails
too often. A purge that dies is gone on with by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from app.service import Service
from app.settings import Settings
from app.store import old_rows
from app.store.troubles import Kind
from app.sweeps import each, forget_stale

# What is forgotten, in this order: how, and after how many days.
PARTS: Mapping[str, tuple[Callable[..., int], Callable[[Settings], int]]] = {
    "answers": (old_rows.forget_answers, lambda settings: settings.answer_days),
    "operations": (old_rows.delete_operations, lambda settings: settings.operation_days),
    "deliveries": (old_rows.delete_deliveries, lambda settings: settings.delivery_days),
    "events": (old_rows.delete_events, lambda settings: settings.event_days),
    "webhooks": (old_rows.delete_webhooks, lambda settings: settings.webhook_days),
}


def purge(service: Service) -> dict[str, int]:
    """Forget what is old enough; return how many rows of each kind, of those kinds that could be gone through."""
    forgotten: dict[str, int] = {}

    def forget(name: str) -> bool:
        delete, days = PARTS[name]
        forgotten[name] = delete(service.store, service.clock() - timedelta(days=days(service.settings)))
        return True

    each(service, Kind.PURGE, PARTS, forget)
    return {**forgotten, "troubles": forget_stale(service)}
