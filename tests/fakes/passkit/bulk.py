"""Many passes at once, chosen by filters or by an order.

Whether the live service is done with it before it answers is unknown; the fake is.
"""

from __future__ import annotations

from tests.fakes.passkit import coupons, members, ticket_use, tickets
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import bad_shape, business
from tests.fakes.passkit.filters import matching
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record, fields, read_scalar


@route("POST", "/members/batch-update", takes="io.BatchUpdateRequest", required="classId updateEntries")
def batch_update(call: Call) -> Record:
    """Set, increase or decrease fields of the members that the filters choose."""
    in_program = members.listed(call, call.body["classId"])
    groups = call.body.get("filterGroups", [])
    for record in matching(members.MEMBER, in_program, groups, members.filter_fields(call)):
        for entry in call.body["updateEntries"]:
            _apply(record, entry)
        record["updated"] = call.state.now_text()
        call.count(record)
        call.publish(members.PROTOCOL, "UPDATED", record)
    return {}


def _apply(record: Record, entry: Record) -> None:
    name, text, how = entry.get("field", ""), entry.get("value", ""), entry.get("updateType")
    if name.startswith("metaData."):
        record.setdefault("metaData", {})[name.removeprefix("metaData.")] = text
        return
    field = fields(members.MEMBER).get(name)
    if field is None or name in members.READ_ONLY or field.is_list or field.is_map:
        raise business(f"field {name} cannot be updated")
    if how == "SET":
        record[name] = read_scalar(field.type, text)
        return
    if field.type not in {"float", "uint32"} or how not in {"INCREASE", "DECREASE"}:
        raise bad_shape(f"invalid update of {name}")
    change = float(read_scalar("double", text))
    record[name] = read_scalar(field.type, record.get(name, 0) + (change if how == "INCREASE" else -change))


@route("DELETE", "/members/bulk", takes="io.BulkPassActionRequest", required="classId protocol filterGroups")
def delete_members(call: Call) -> Record:
    """Delete the members that the filters choose."""
    in_program = members.listed(call, call.body["classId"])
    for record in matching(members.MEMBER, in_program, call.body["filterGroups"], members.filter_fields(call)):
        call.state.members.remove(record["id"])
        call.count(record)
        call.publish(members.PROTOCOL, "DELETED", record)
    return {}


@route(
    "DELETE", "/coupon/singleUse/coupons/bulk",
    takes="io.BulkPassActionRequest", required="classId protocol filterGroups",
)  # fmt: skip
def void_coupons(call: Call) -> Record:
    """Void the coupons that the filters choose."""
    in_campaign = coupons.listed(call, call.body["classId"])
    for record in matching(coupons.COUPON, in_campaign, call.body["filterGroups"], coupons.FILTER_FIELDS):
        coupons.remove(call, record)
        call.count(record)
    return {}


@route("DELETE", "/eventTickets/bulk", takes="io.BulkPassActionRequest", required="classId protocol filterGroups")
def delete_tickets(call: Call) -> Record:
    """Delete the tickets that the filters choose."""
    production_id = call.known(call.state.productions, call.body["classId"])["id"]
    in_production = [record for record in call.state.tickets if record["productionId"] == production_id]
    for record in matching(tickets.TICKET, in_production, call.body["filterGroups"], ticket_use.FILTER_FIELDS):
        tickets.remove(call, record)
        call.count(record)
    return {}


@route("DELETE", "/eventTickets/orderNumber", takes="event_tickets.OrderNumberRequest")
def delete_order(call: Call) -> Record:
    """Delete the tickets of an order."""
    for record in tickets.of_order(call, call.body):
        tickets.remove(call, record)
        call.count(record)
    return {}
