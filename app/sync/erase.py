"""Forgetting a holder: what earlier events and stored answers say of the person is taken out of them."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from app.answer import to_text
from app.events import outbox
from app.model import HOLDER_FIELDS, Pass
from app.store import operations
from app.store.columns import to_json

# What tells where somebody sat.
TICKET_FIELDS = ("order_number", "seat")


def erase_holder(connection: Connection, gone: Pass) -> None:
    """Take the holder's data out of the pass's events and of all stored answers about it.

    Those answers then tell that the pass is gone, because a repeat of such a request gets its answer once more.
    """
    assert gone.deleted_at is not None
    note = f"This pass was permanently revoked on {to_text(gone.deleted_at)}."
    for event_id, data in outbox.of_pass(connection, gone.id):
        outbox.rewrite(connection, event_id, to_json(_without_holder(data)))
    for operation_id, answer in operations.answers_of(connection, gone.id):
        told = {**_without_holder(answer), "status": gone.status(gone.deleted_at).value, "notes": [note]}
        operations.rewrite_answer(connection, operation_id, to_json(told))


def _without_holder(text: str) -> dict[str, object]:
    """Return a described pass without its holder and custom fields."""
    described = json.loads(text)
    nothing = dict.fromkeys((*HOLDER_FIELDS, *TICKET_FIELDS))
    nobody: dict[str, object] = {**described, **nothing, "fields": {}}
    return {**nobody, "notes": []} if "notes" in described else nobody
