"""Sinks: PassKit's webhooks. A notification is not believed, the pass is read again: how they are signed is not known.

Whether there are sinks for event tickets is not known either. All functions raise `failures.PassKitFailure`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from app.issuers.passkit.answers import Json
from app.issuers.passkit.failures import NotFound
from app.issuers.passkit.filters import Filters, pages
from app.issuers.passkit.reading import nothing, required, text_of
from app.issuers.passkit.transport import Transport
from app.issuers.remote import Notification
from app.model import Kind

PROTOCOLS: Mapping[Kind, str] = {
    Kind.MEMBERSHIP: "MEMBERSHIP",
    Kind.COUPON: "SINGLE_USE_COUPON",
    Kind.EVENT_TICKET: "EVENT_TICKETING",
}
EVENTS = (
    "PASS_EVENT_RECORD_CREATED",
    "PASS_EVENT_INSTALLED",
    "PASS_EVENT_RECORD_UPDATED",
    "PASS_EVENT_UNINSTALLED",
    "PASS_EVENT_INVALIDATED",
    "PASS_EVENT_RECORD_DELETED",
)
DELETED = (32, "PASS_EVENT_RECORD_DELETED")
SINK = "/integrations/sink"

_UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(transport: Transport, kind: Kind, program_id: str, url: str) -> str:
    """`POST /integrations/sink` {classId, protocol, passEventId, status, configType, configuration} -> ID.

    `configuration` is JSON in a text (documented). A second sink like the first would be a second delivery: look for
    the address with `find` after a failure that is not certain.
    """
    body = {
        "classId": program_id,
        "protocol": PROTOCOLS[kind],
        "passEventId": list(EVENTS),
        "status": "INTEGRATION_ACTIVE",
        "configType": "WEBHOOK",
        "configuration": json.dumps({"targetUrl": url}),
    }
    return transport.write("POST", SINK, lambda found: required(found, "id"), body)


def find(transport: Transport, kind: Kind, program_id: str, url: str) -> str | None:
    """`POST /integrations/sinks/list` {classId, protocol, filters} -> the ID of the sink with this address."""

    def ask(filters: Filters) -> list[tuple[str, str]]:
        body = {"classId": program_id, "protocol": PROTOCOLS[kind], "filters": filters.to_json()}
        return transport.read_list("/integrations/sinks/list", _sink, body)

    return next((sink_id for sink_id, target in pages(ask, Filters()) if target == url), None)


def delete(transport: Transport, kind: Kind, sink_id: str) -> None:
    """`DELETE /integrations/sink/{protocol}/{subscriptionId}` -> {}. One that is not there any more is as good."""
    path = {"protocol": PROTOCOLS[kind], "subscriptionId": sink_id}
    try:
        transport.write("DELETE", f"{SINK}/{{protocol}}/{{subscriptionId}}", nothing, path=path)
    except NotFound:
        return


def _sink(found: Json) -> tuple[str, str]:
    """Read a sink's ID and address; PassKit's `signingSecret` is not read."""
    try:
        configuration = json.loads(text_of(found, "configuration"))
        target = str(configuration.get("targetUrl") or "")
    except (ValueError, AttributeError, RecursionError):
        target = ""
    return required(found, "id"), target


def notification(body: str) -> Notification | None:
    """Read what a sink is sent: which pass it is about, and whether that was deleted; None: it is not understood."""
    try:
        found = json.loads(body)
        upstream_id, event = found["pass"]["id"], found.get("event")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(upstream_id, str) or not _UPSTREAM_ID.fullmatch(upstream_id):
        return None
    return Notification(upstream_id, isinstance(event, int | str) and event in DELETED)
