"""Forgetting a holder: what earlier events and stored answers say of the person is taken out of them."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from app.actions.rules import HOLDER_FIELDS
from app.events import outbox
from app.store import operations
from app.store.values import to_json


def erase_holder(connection: Connection, pass_id: str) -> None:
    """Take the holder's data out of the pass's events and of the answers of the operations that caused them.

    Answers that caused no event (a pass created again, and returned) are forgotten with their key, after
    `IDEMPOTENCY_DAYS` at the latest.
    """
    for event_id, operation_id, data in outbox.of_pass(connection, pass_id):
        outbox.rewrite(connection, event_id, _without_holder(data))
        if operation_id is not None:
            operations.rewrite_answer(connection, operation_id, _without_holder)


def _without_holder(text: str) -> str:
    """Return the JSON text of a described pass without its holder and custom fields."""
    described = json.loads(text)
    return to_json({**described, **dict.fromkeys(HOLDER_FIELDS), "fields": {}})
