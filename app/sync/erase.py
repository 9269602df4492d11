"""Forgetting a holder: what earlier events, stored answers and refusals say of the person is taken out of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from app.answer import pass_url, to_text
from app.events import outbox
from app.model import HOLDER_FIELDS, Pass
from app.store import operations
from app.store.columns import to_json
from app.store.operations import Operation, OperationStatus

# What tells where somebody sat, and the caller's own words for what was redeemed.
TOLD_OF_HOLDER = (*HOLDER_FIELDS, "order_number", "seat", "reference")
ERASED = "What was said here was erased with the holder's data."


def erase_holder(connection: Connection, gone: Pass, public_url: str) -> None:
    """Take the holder's data and the callers' words out of all that is stored about a pass that is gone for good.

    Args:
        connection: in a transaction that holds the pass locked.
        gone: the pass as it is on record now, without its holder. A name that it has lost is taken out, too: its
            external ID, and the addresses at its issuer.
        public_url: address of the service, in links.
    """
    assert gone.deleted_at is not None
    names: dict[str, str | None] = {"external_id": gone.external_id}
    if gone.upstream_id is None:
        names |= {"pass_url": pass_url(public_url, gone.link_token), "apple_url": None, "google_url": None}
    for event_id, data in outbox.of_pass(connection, gone.id):
        outbox.rewrite(connection, event_id, to_json(_without_holder(data, names)))
    note = f"This pass was permanently revoked on {to_text(gone.deleted_at)}."
    status = gone.status(gone.deleted_at).value
    for before in operations.lock_ended(connection, pass_id=gone.id):
        after = erased_operation(before)
        if before.answer is not None:
            # A repeat of such a request gets its answer once more. It then tells that the pass is gone.
            told = {**_without_holder(before.answer, names), "status": status, "notes": [note]}
            after = replace(after, answer=to_json(told))
        operations.save(connection, before, after)


def erased_operation(operation: Operation) -> Operation:
    """Return a settled operation without what was to be done and why it was refused.

    The key of one that was refused is free: nothing is left that a repeat could go on with.
    """
    problem = operation.problem
    if problem is not None:
        problem = to_json({**json.loads(problem), "detail": ERASED})
    has_failed = operation.status is OperationStatus.FAILED
    key = None if has_failed and operation.request is not None else operation.key_digest
    return replace(operation, request=None, problem=problem, key_digest=key)


def _without_holder(text: str, names: Mapping[str, str | None]) -> dict[str, object]:
    """Return a described pass without its holder, custom fields and the callers' words."""
    described = json.loads(text)
    emptied = {name: None for name in TOLD_OF_HOLDER if name in described}
    without: dict[str, object] = {**described, **emptied, **names, "fields": {}}
    without.pop("reason", None)
    return {**without, "notes": []} if "notes" in described else without
