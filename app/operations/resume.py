"""Finishing operations whose callers do not come back: of unknown outcome, or left by a process that died.

Each is claimed as a repeat of its request would claim it, so that the sweep and a caller never both work on one. One
whose outcome stays unknown for a day is parked: people then decide (`resolve.py`).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from app.errors import IdempotencyInProgress, OutcomeUnknown, PassrailError
from app.observe import count_operation
from app.operations.attempt import take_over
from app.operations.steps import carry_out
from app.service import Service
from app.store import operations
from app.store.troubles import Kind
from app.sweeps import each, park

AT_ONCE = 50  # operations of one sweep; the next one is a minute later
LONGEST = timedelta(days=1)

_log = logging.getLogger(__name__)


def resume_all(service: Service) -> int:
    """Finish what is due; return how many came to an end."""
    with service.store.read() as connection:
        found = operations.due(connection, service.clock(), AT_ONCE)
    return each(service, Kind.OPERATION, found, partial(resume, service))


def resume(service: Service, operation_id: str) -> bool:
    """Find out about one operation and finish it. False: it is still open, or somebody else is at it."""
    with service.store.write() as connection:
        operation = operations.get_any(connection, operation_id)
        now = service.clock()
        attempt = None if operation is None else take_over(connection, service, operation, now)
    if operation is None or attempt is None:
        return False
    try:
        carry_out(service, replace(attempt, is_unattended=True))
    except IdempotencyInProgress:
        return False
    except PassrailError as refusal:
        _log.info("an operation was looked into", extra={"operation": operation.id, "outcome": refusal.code})
        count_operation(operation.action, refusal.code)
        if isinstance(refusal, OutcomeUnknown):
            if now - operation.created_at >= LONGEST:
                park(service, Kind.OPERATION, operation.id, refusal.detail)
            return False
        return True
    count_operation(operation.action, "succeeded")
    return True
