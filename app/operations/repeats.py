"""What makes two requests the same one, and what a repeat is answered.

An idempotency key is known here by its digest only: a keyed hash that nobody without the installation's secret can make
or guess. The digest holds the key's scope: account, mode and action.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.accounts.secret import Purpose
from app.answer import describe, to_text
from app.errors import IdempotencyInProgress, IdempotencyKeyReused, NotFound
from app.model import Mode
from app.operations.record import Answer, Request
from app.service import Service
from app.store import operations, passes
from app.store.columns import to_json
from app.store.operations import Operation, OperationStatus


def digest_of(service: Service, account_id: str, mode: Mode, action: str, key: str) -> str:
    """Return the keyed hash that is kept of an idempotency key, and only of it in its scope."""
    return service.secret.digest(Purpose.IDEMPOTENCY_KEY, json.dumps([account_id, mode.value, action, key]))


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return what makes two requests with the same key the same request: the SHA-256 of the body's values.

    The unique event ID is the key itself and does not count.
    """
    values = {name: value for name, value in body.items() if name != "unique_event_id"}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def earlier_of(connection: Connection, request: Request) -> Operation | None:
    """Return the operation that has this request's key."""
    if request.key_digest is None:
        return None
    caller = request.caller
    return operations.get_by_key(connection, caller.account_id, caller.mode, request.action.name, request.key_digest)


def repeat(connection: Connection, earlier: Operation, request: Request, now: datetime) -> Answer:
    """Answer as before; where that answer is not kept any more, with the pass as it is now.

    Raises:
        IdempotencyKeyReused: that was another request.
        IdempotencyInProgress: there is no answer yet.
        NotFound: neither the answer nor the pass is kept any more.
    """
    if earlier.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused(extra={"operation_id": earlier.id})
    if earlier.answer is not None:
        return Answer(earlier.id, earlier.answer, replayed=True)
    if earlier.status is OperationStatus.SUCCEEDED:
        return _answer_from_pass(connection, earlier, request, now)
    raise in_progress(earlier, now)


def _answer_from_pass(connection: Connection, earlier: Operation, request: Request, now: datetime) -> Answer:
    """Answer as an action does that leaves everything as it is."""
    done_at = to_text(earlier.finished_at or earlier.created_at)
    found = passes.get(connection, earlier.account_id, earlier.mode, earlier.pass_id or "")
    if found is None:
        raise NotFound(f"This request was done on {done_at}, and its pass is not on record any more.")
    subject, program = found
    note = f"This request was done on {done_at}. Nothing was done now; this is the pass as it is today."
    plain = describe(subject, program, now=now, public_url=request.service.public_url)
    told = {**plain, **request.action.unchanged(subject), "notes": [note], "operation_id": earlier.id}
    return Answer(earlier.id, to_json(told), replayed=True)


def in_progress(operation: Operation, now: datetime) -> IdempotencyInProgress:
    """Return the refusal of a request whose twin has no outcome yet: it says when to come back."""
    wait = 1
    if operation.lease_until is not None and operation.lease_until > now:
        wait = max(1, min(5, round((operation.lease_until - now).total_seconds())))
    return IdempotencyInProgress(
        f"A request with this idempotency key is still running. Send it again in {wait} s.",
        retry_after=wait,
        extra={"operation_id": operation.id},
    )
