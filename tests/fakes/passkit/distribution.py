"""Forms, mail, links and messages: what reaches the holder, or would."""

from __future__ import annotations

from tests.fakes.passkit import lifecycle
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal, business, not_found
from tests.fakes.passkit.links import pass_url
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record

_CLASS_FIELDS = {"MEMBERSHIP": "programId", "SINGLE_USE_COUPON": "campaignId", "EVENT_TICKETING": "productionId"}


@route(
    "GET", "/distribution/fields",
    takes="io.ClassObjectInput", gives="io.DataCollectionFields", required="protocol objectId",
)  # fmt: skip
def form_fields(call: Call) -> Record:
    """Return the fields of the form for a tier, an offer or a ticket type. A tier needs its program too."""
    template = call.state.templates.get(_template_id(call))
    if template is None:
        raise business("pass template id cannot be empty")
    return {"fields": template["template"]["data"]["dataFields"]}


def _template_id(call: Call) -> str:
    protocol, object_id = call.text("protocol"), call.text("objectId")
    state = call.state
    if protocol == "MEMBERSHIP":
        if not call.text("classId"):
            raise call.invalid("classId")
        object_id = f"{call.text('classId')}/{object_id}"
    tables = {"MEMBERSHIP": state.tiers, "SINGLE_USE_COUPON": state.offers, "EVENT_TICKETING": state.ticket_types}
    if protocol not in tables:
        raise business(f"protocol {protocol} is not supported")
    found = call.known(tables[protocol], object_id)
    template_id: str = found.get("passTemplateId") or found.get("beforeRedeemPassTemplateId") or ""
    return template_id


@route("POST", "/distribution/email", takes="io.EmailDistributionRequest", required="protocol")
def send_mail(call: Call) -> Record:
    """Send the welcome mail again. The fake counts it and sends nothing."""
    protocol, identity, external_id = call.text("protocol"), call.text("id"), call.text("externalId")
    table = call.state.passes.get(protocol)
    if table is None:
        raise business(f"protocol {protocol} is not supported")
    if identity:
        record = lifecycle.get(call.state, table, identity)
    elif external_id and call.text("classId"):
        record = lifecycle.find(call.state, table, call.text("classId"), external_id)
    else:
        raise call.invalid("id", "required_without")
    if not call.text("alternativeEmail") and not record.get("person", {}).get("emailAddress"):
        raise business("email address cannot be empty")
    call.count(record)
    return {}


@route(
    "POST", "/distribution/smartpasslink",
    takes="io.SmartPassLinkRequest", gives="io.Url", required="projectDistributionUrl",
)  # fmt: skip
def smart_pass_link(call: Call) -> Record:
    """Return a link that makes a pass when it is opened."""
    if not call.body["projectDistributionUrl"].get("url"):
        raise call.invalid("projectDistributionUrl.url")
    url = call.body["projectDistributionUrl"]["url"]
    call.note(url, url)
    return {"url": pass_url(call.state.region, call.state.new_id())}


@route("POST", "/message", takes="io.Message", gives="io.Id", required="classId protocol body")
def create_message(call: Call) -> Record:
    """Store a message."""
    _check_messages(call)
    made = {**call.body, "id": call.state.new_id()}
    call.state.messages.add(made["id"], made)
    call.count(made)
    return {"id": made["id"]}


@route("POST", "/message/send", takes="io.SendMessageRequest", gives="io.SendMessageResponse", required="messageId")
def send_message(call: Call) -> Record:
    """Send a message to passes by ID, or to all of a project."""
    _check_messages(call)
    message = call.state.messages.get(call.text("messageId"))
    if message is None:
        raise not_found("message", call.text("messageId"))
    call.count(message)
    if "passIds" in call.body:
        return {"count": len(call.body["passIds"].get("ids", []))}
    target = call.body.get("protocol", message)
    table = call.state.passes.get(target.get("protocol", ""))
    field = _CLASS_FIELDS.get(target.get("protocol", ""), "")
    return {"count": sum(record[field] == target.get("classId") for record in table or ())}


def _check_messages(call: Call) -> None:
    if not call.switches.messages:
        raise Refusal(404, "Not Found")
