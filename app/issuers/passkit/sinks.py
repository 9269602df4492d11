"""Sinks: PassKit's webhooks. What they bring is only a hint, to be read again by ID: how they are signed is not known.

Whether there are sinks for event tickets is not known either. All functions raise `failures.PassKitFailure`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from app.issuers.passkit.answers import Json
from app.issuers.passkit.failures import InvalidRequest, NotFound
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.names import PASS_EVENTS, PROTOCOLS, SINK_STATUS
from app.issuers.passkit.reading import name_of, names_of, required, text_of
from app.issuers.passkit.records import new_id, nothing
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport

ALL_EVENTS = tuple(name for number, name in PASS_EVENTS.items() if number)
SINK = "/integrations/sink"


@dataclass(frozen=True, slots=True)
class Sink:
    """A subscription. Its address has a secret in it and is not shown; PassKit's `signingSecret` is not read."""

    id: str
    class_id: str
    protocol: str
    events: tuple[str, ...]
    status: str
    target_url: str = field(repr=False)

    @property
    def is_active(self) -> bool:
        """Whether PassKit delivers; it suspends a sink by itself."""
        return self.status == "INTEGRATION_ACTIVE"


def sink(found: Json) -> Sink:
    """Read a subscription."""
    return Sink(
        id=required(found, "id"),
        class_id=text_of(found, "classId"),
        protocol=name_of(found, "protocol", PROTOCOLS),
        events=names_of(found, "passEventId", PASS_EVENTS),
        status=name_of(found, "status", SINK_STATUS),
        target_url=_target_url(text_of(found, "configuration")),
    )


def _target_url(configuration: str) -> str:
    try:
        read = json.loads(configuration)
        return str(read.get("targetUrl") or "")
    except (ValueError, AttributeError, RecursionError):
        return ""


def create(
    transport: Transport, class_id: str, protocol: str, target_url: str, events: Collection[str] = ALL_EVENTS
) -> str:
    """`POST /integrations/sink` {classId, protocol, passEventId, status, configType, configuration} -> ID.

    `configuration` is JSON in a text (documented). A second sink like the first would be a second delivery, so this
    is never repeated once a byte was sent: look for the address with `list_sinks` after an Unclear.

    Args:
        transport: whose account.
        class_id: program, campaign or production.
        protocol: MEMBERSHIP, SINGLE_USE_COUPON or EVENT_TICKETING.
        target_url: where to deliver.
        events: names out of `ALL_EVENTS`.
    """
    return transport.send(Effect.EVERY_TIME, "POST", SINK, new_id, _body(class_id, protocol, target_url, events))


def update(
    transport: Transport,
    sink_id: str,
    class_id: str,
    protocol: str,
    target_url: str,
    events: Collection[str] = ALL_EVENTS,
) -> None:
    """`PUT /integrations/sink`, as `create` with `id`; also makes a suspended sink active again."""
    body = {"id": sink_id, **_body(class_id, protocol, target_url, events)}
    transport.send(Effect.IDEMPOTENT, "PUT", SINK, new_id, body)


def _body(class_id: str, protocol: str, target_url: str, events: Collection[str]) -> dict[str, Any]:
    if not events or not set(events) <= set(ALL_EVENTS) or protocol not in PROTOCOLS.values():
        raise InvalidRequest("A sink needs events and a protocol that PassKit has.")
    return {
        "classId": class_id,
        "protocol": protocol,
        "passEventId": list(events),
        "status": "INTEGRATION_ACTIVE",
        "configType": "WEBHOOK",
        "configuration": json.dumps({"targetUrl": target_url}),
    }


def get(transport: Transport, protocol: str, sink_id: str) -> Sink:
    """`GET /integrations/sink/{protocol}/{subscriptionId}` -> Sink."""
    path = {"protocol": protocol, "subscriptionId": sink_id}
    return transport.send(Effect.NONE, "GET", f"{SINK}/{{protocol}}/{{subscriptionId}}", sink, path=path)


def delete(transport: Transport, protocol: str, sink_id: str) -> None:
    """`DELETE /integrations/sink/{protocol}/{subscriptionId}` -> {}. One that is not there any more is as good."""
    path = {"protocol": protocol, "subscriptionId": sink_id}
    try:
        transport.send(Effect.IDEMPOTENT, "DELETE", f"{SINK}/{{protocol}}/{{subscriptionId}}", nothing, path=path)
    except NotFound:
        return


def list_sinks(transport: Transport, class_id: str, protocol: str, filters: Filters | None = None) -> list[Sink]:
    """`POST /integrations/sinks/list` {classId, protocol, filters} -> stream of Sink."""
    body = {"classId": class_id, "protocol": protocol, "filters": (filters or Filters()).to_json()}
    return transport.ask_list("/integrations/sinks/list", sink, body)
