"""Everything that is held of a person, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.answer import describe, to_text
from app.events import deliveries, outbox
from app.model import IdKind
from app.people.person import Locator, Person, find
from app.people.traces import Traces, names_of, search
from app.service import Service
from app.store import operations, people


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is held: what it is, its ID, and all that stands in it."""

    kind: str
    id: str
    content: dict[str, Any] = field(repr=False)

    def show(self) -> dict[str, Any]:
        """Make the answer of it."""
        return {"kind": self.kind, "id": self.id, "content": self.content}


@dataclass(frozen=True, slots=True)
class Page:
    """Some of it. `next_cursor` is None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None


# The kinds of thing in their order, by how their IDs begin.
KINDS = {
    IdKind.PASS.value: "pass",
    IdKind.OPERATION.value: "operation",
    IdKind.EVENT.value: "event",
    IdKind.DELIVERY.value: "delivery",
    IdKind.WEBHOOK.value: "webhook",
}
_ORDER = list(KINDS)


def export(service: Service, caller: Caller, locator: Locator, *, cursor: str | None, limit: int) -> Page:
    """Return what is held of a person: passes first, each kind oldest first.

    Args:
        service: the parts of the service.
        caller: whose data; from account and mode.
        locator: whose data is wanted.
        cursor: ID of the last item of the page before.
        limit: how many items to return at most.

    Raises:
        NotFound: the caller has no such program.
        AmbiguousPass: several people share the e-mail address.
    """
    with service.store.read() as connection:
        person = find(connection, caller, locator)
        traces = search(connection, caller, person, names_of(connection, person))
        after = _place("" if cursor is None else cursor)
        left = [item_id for item_id in _ids(connection, person, traces) if _place(item_id) > after]
        shown = left[:limit]
        show = _shower(connection, service, caller, person, traces)
        items = tuple(Item(KINDS[_prefix(item_id)], item_id, show(item_id)) for item_id in shown)
    return Page(items, shown[-1] if len(left) > limit else None)


def _ids(connection: Connection, person: Person, traces: Traces) -> Sequence[str]:
    """Return the IDs of all items in their order."""
    ids = {subject.id for subject in person.passes}
    ids |= {operation.id for operation in (*traces.open_operations, *traces.operations)}
    ids |= {webhook.id for webhook in traces.webhooks}
    for subject in person.passes:
        events = people.event_ids(connection, subject.id)
        ids.update(events, people.operation_ids(connection, subject.id), people.delivery_ids(connection, events))
    return sorted(ids, key=_place)


def _prefix(item_id: str) -> str:
    return item_id.split("_", 1)[0]


def _place(item_id: str) -> tuple[int, str]:
    """Return where an item stands; what is no ID of ours stands before everything."""
    prefix = _prefix(item_id)
    return (_ORDER.index(prefix), item_id) if prefix in KINDS else (-1, "")


def _shower(
    connection: Connection, service: Service, caller: Caller, person: Person, traces: Traces
) -> Callable[[str], dict[str, Any]]:
    """Return what makes an item's content from its ID."""
    passes = {subject.id: (subject, program) for subject, program in person.found}
    webhooks = {webhook.id: webhook for webhook in traces.webhooks}

    def show(item_id: str) -> dict[str, Any]:
        match KINDS[_prefix(item_id)]:
            case "pass":
                subject, program = passes[item_id]
                described = describe(subject, program, now=service.clock(), public_url=service.public_url)
                return {**described, "upstream_id": subject.upstream_id}
            case "operation":
                return _operation(connection, caller, item_id)
            case "event":
                event = outbox.get(connection, item_id)
                return {} if event is None else dict(json.loads(outbox.payload(event)))
            case "delivery":
                return _delivery(connection, item_id)
        return {"body": webhooks[item_id].body}

    return show


def _operation(connection: Connection, caller: Caller, operation_id: str) -> dict[str, Any]:
    found = operations.get(connection, caller.account_id, caller.mode, operation_id)
    if found is None:
        return {}
    texts = {name: getattr(found, name) for name in ("request", "answer", "problem", "resolution")}
    return {
        "action": found.action,
        "status": found.status.value,
        "has_key": found.key_digest is not None,
        "pass_id": found.pass_id,
        **{name: None if text is None else json.loads(text) for name, text in texts.items()},
        "created_at": to_text(found.created_at),
    }


def _delivery(connection: Connection, delivery_id: str) -> dict[str, Any]:
    found = deliveries.get_any(connection, delivery_id)
    if found is None:
        return {}
    return {
        "hook_id": found.hook_id,
        "event_id": found.event_id,
        "status": found.status.value,
        "attempts": list(found.attempts),
        "created_at": to_text(found.created_at),
    }
