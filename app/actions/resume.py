"""Finishing operations whose callers do not come back: crashed, or of unknown outcome, at an issuer elsewhere.

Each is claimed like a repeat of its request would claim it, so that the sweep and a caller never both work on one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from app.accounts.keys import Caller
from app.actions import ACTIONS
from app.actions.attempt import input_of
from app.actions.operation import counted
from app.actions.request import Request
from app.actions.stepwise import carry_out, take_over
from app.errors import IdempotencyInProgress, PassrailError
from app.service import Service
from app.store import operations
from app.store.troubles import Kind
from app.sweeps import each

AT_ONCE = 50  # operations of one sweep; the next one is a minute later

_ACTIONS = {action.name: action for action in ACTIONS}
_log = logging.getLogger(__name__)


def resume_all(service: Service) -> int:
    """Finish what waits; return how many came to an end.

    Operations older than the time keys are kept are left to people: who has not settled them in days will not today.
    """
    now = service.clock()
    since = now - timedelta(days=service.settings.idempotency_days)
    with service.store.read() as connection:
        found = operations.waiting(connection, now, since, AT_ONCE)
    return each(service, Kind.OPERATION, found, partial(_resume, service))


def _resume(service: Service, operation_id: str) -> bool:
    """Find out about one operation and finish it. False: it is still open, or somebody else is at it."""
    with service.store.read() as connection:
        operation = operations.find(connection, operation_id)
    assert operation is not None  # operations are kept for good
    action = _ACTIONS[operation.action]
    body = input_of(operation)
    # The operation's own row says for whom it is done; no key is asked for what was allowed already.
    caller = Caller(operation.account_id, "", operation.mode, frozenset(), "", 0)
    request = Request(
        service, caller, action, body, action.input.load(body), operation.idempotency_key, operation.fingerprint
    )
    now = service.clock()
    with service.store.write() as connection:
        attempt = take_over(connection, request, operation, now)
    if attempt is None:
        return False
    try:
        counted(request, lambda: carry_out(request, replace(attempt, is_unattended=True)))
    except IdempotencyInProgress:
        return False
    except PassrailError as refusal:
        _log.info("an operation was looked into", extra={"operation": operation.id, "outcome": refusal.code})
        return not refusal.retryable
    return True
