"""Webhook subscriptions, which PassKit calls sinks, and what they are sent.

Observed of the live service: the payload is Go's plain JSON, not protobuf's. Enums are numbers, times are
`{"seconds", "nanos"}`, what is zero is left out (a status of 0 is simply missing), points are texts with six
decimals. `configuration` is JSON inside a text.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal, business
from tests.fakes.passkit.filters import page
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record, enum, fields
from tests.fakes.passkit.state import State, to_time

SINK = "io.SinkSubscription"

# What happens to a record, as the three kinds of events that a sink can subscribe to call it.
_PASS_EVENTS = {
    "CREATED": "PASS_EVENT_RECORD_CREATED",
    "UPDATED": "PASS_EVENT_RECORD_UPDATED",
    "REDEEMED": "PASS_EVENT_RECORD_UPDATED",
    "DELETED": "PASS_EVENT_RECORD_DELETED",
    "INSTALLED": "PASS_EVENT_INSTALLED",
    "UNINSTALLED": "PASS_EVENT_UNINSTALLED",
    "INVALIDATED": "PASS_EVENT_INVALIDATED",
}
_MEMBER_EVENTS = {"CREATED": "MEMBER_EVENT_ENROLLED", "UPDATED": "MEMBER_EVENT_UPDATED"}
_COUPON_EVENTS = {
    "CREATED": "COUPON_EVENT_CREATED",
    "UPDATED": "COUPON_EVENT_UPDATED",
    "REDEEMED": "COUPON_EVENT_REDEEMED",
    "DELETED": "COUPON_EVENT_DELETED",
}
_CLASS_IDS = {"MEMBERSHIP": "programId", "SINGLE_USE_COUPON": "campaignId", "EVENT_TICKETING": "productionId"}
_MESSAGES = {
    "MEMBERSHIP": "members.Member",
    "SINGLE_USE_COUPON": "single_use_coupons.Coupon",
    "EVENT_TICKETING": "event_tickets.TicketLimitedFields",
}
_RECORD_KEYS = {"MEMBERSHIP": "members.member", "SINGLE_USE_COUPON": "singleUseCoupons.coupon"}


@route("POST", "/integrations/sink", takes=SINK, gives="io.Id", required="classId protocol configType")
def create(call: Call) -> Record:
    """Subscribe. The server makes the secret and puts it into the configuration."""
    now = call.state.now_text()
    record = {
        "status": "INTEGRATION_ACTIVE",
        **call.body,
        "id": call.state.new_id(),
        "createdAt": now,
        "updatedAt": now,
    }
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    record["configuration"] = json.dumps({**_configuration(record), "signingSecret": secret})
    call.state.sinks.add(record["id"], record)
    call.count(record)
    return {"id": record["id"]}


def _configuration(record: Record) -> dict[str, Any]:
    try:
        read = json.loads(record.get("configuration", ""))
    except ValueError:
        raise business("invalid configuration: it must be a JSON string") from None
    if not isinstance(read, dict) or not read.get("targetUrl"):
        raise business("invalid configuration: targetUrl is required")
    return read


@route("PUT", "/integrations/sink", takes=SINK, gives="io.Id", required="id")
def update(call: Call) -> Record:
    """Change a subscription; the secret stays."""
    record = call.known(call.state.sinks, call.body["id"])
    secret = _configuration(record)["signingSecret"]
    changed = {**record, **call.body, "updatedAt": call.state.now_text()}
    changed["configuration"] = json.dumps({**_configuration(changed), "signingSecret": secret})
    record.update(changed)
    call.count(record)
    return {"id": record["id"]}


@route("GET", "/integrations/sink/{protocol}/{subscriptionId}", takes="io.SubscriptionRequest", gives=SINK)
def get(call: Call) -> Record:
    """Return a subscription."""
    return _wanted(call)


def _wanted(call: Call) -> Record:
    record = call.known(call.state.sinks, call.text("subscriptionId"))
    if record["protocol"] != call.text("protocol"):
        raise Refusal(404, f"sink with id[{record['id']}] does not exist")
    return record


@route("DELETE", "/integrations/sink/{protocol}/{subscriptionId}", takes="io.SubscriptionRequest")
def delete(call: Call) -> Record:
    """Unsubscribe."""
    record = _wanted(call)
    call.state.sinks.remove(record["id"])
    call.count(record)
    return {}


@route("POST", "/integrations/sinks/list", takes="io.ListRequest", gives=SINK, stream=True, required="classId protocol")
def list_sinks(call: Call) -> list[Record]:
    """List the subscriptions of a program, campaign or production."""
    wanted = (call.body["classId"], call.body["protocol"])
    found = [record for record in call.state.sinks if (record["classId"], record["protocol"]) == wanted]
    return page(SINK, found, call.body.get("filters", {}), frozenset())


@route("GET", "/integrations/sink/sample", takes="io.Id", gives=SINK, required="id")
def sample(call: Call) -> Record:
    """Return an example of a subscription."""
    return call.known(call.state.sinks, call.text("id"))


def event_number(sink: Record, what: str) -> int | None:
    """Return the number under which a sink wants to hear of something, or None when it does not."""
    if sink.get("status") != "INTEGRATION_ACTIVE":
        return None
    for field, names, kind in (
        ("membershipEvents", _MEMBER_EVENTS, "io.MembershipEventId"),
        ("couponEvents", _COUPON_EVENTS, "io.CouponEventId"),
    ):
        if field in sink and names.get(what) in sink[field].get("ids", []):
            return enum(kind)[names[what]]
    name = _PASS_EVENTS[what]
    return enum("io.PassEventId")[name] if name in sink.get("passEventId", []) else None


def payload(protocol: str, event: int, record: Record) -> dict[str, Any]:
    """Return what a sink is sent about a pass."""
    message = _MESSAGES[protocol]
    described = {
        "id": record["id"],
        "classId": record[_CLASS_IDS[protocol]],
        "protocol": enum("io.PassProtocol")[protocol],
        "externalId": record.get("externalId") or record.get("ticketNumber"),
        "personDetails": _plain("io.Person", record.get("person", {})),
        "metadata": _plain("io.Metadata", record.get("passMetaData", {})),
        "recordData": _record_data(protocol, message, record),
    }
    return {"event": event, "pass": {name: value for name, value in described.items() if value}}


def _record_data(protocol: str, message: str, record: Record) -> dict[str, Any]:
    prefix = _RECORD_KEYS.get(protocol, "eventTickets.ticket")
    data: dict[str, Any] = {}
    for name, value in _plain(message, record).items():
        if name in {"points", "secondaryPoints"}:
            data[f"{prefix}.{name}"] = f"{value:.6f}"
        elif name == "metaData":
            data.update({f"meta.{key}": text for key, text in value.items()})
        elif name == "tierId":
            data["members.tier.id"] = value
        elif name in {"status", "expiryDate"}:
            data[f"universal.{name}"] = value
        elif name not in {"person", "passMetaData", "id"} and isinstance(value, str | int | float):
            data[f"{prefix}.{name}"] = value
    return data


def _plain(message: str, record: Record) -> dict[str, Any]:
    """Write a record as Go's plain encoder does."""
    plain: dict[str, Any] = {}
    for name, field in fields(message).items():
        value = record.get(name)
        if not value:
            continue
        if field.is_list:
            plain[name] = [_plain_value(field.type, one) for one in value]
        elif field.is_map:
            plain[name] = dict(value)
        else:
            plain[name] = _plain_value(field.type, value)
    return plain


def _plain_value(kind: str, value: Any) -> Any:
    if names := enum(kind):
        return names.get(value, value)
    if kind == "time":
        instant = to_time(value)
        whole = {"seconds": int(instant.timestamp()), "nanos": instant.microsecond * 1000}
        return {name: number for name, number in whole.items() if number}
    return _plain(kind, value) if isinstance(value, dict) else value


def targets(state: State, protocol: str, what: str, record: Record) -> list[tuple[Record, dict[str, Any], int]]:
    """Return the sinks that want to hear of something: each with its configuration and the event's number."""
    found = []
    for sink in state.sinks:
        if (sink["protocol"], sink["classId"]) != (protocol, record[_CLASS_IDS[protocol]]):
            continue
        number = event_number(sink, what)
        if number is not None:
            found.append((sink, _configuration(sink), number))
    return found
