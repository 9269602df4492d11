"""Members: enrolling, finding, changing, expiring, deleting, listing."""

from __future__ import annotations

from typing import Any

from tests.fakes.passkit import expiry, lifecycle, person
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import business, not_found
from tests.fakes.passkit.filters import matching, page
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State

MEMBER = "members.Member"
PROTOCOL = "MEMBERSHIP"
FILTER_FIELDS = frozenset({"tierId", "id", "status", "passStatus", "created", "updated"})
EMAIL_FIELD = "person.emailAddress"

# What nobody can write: made by the server, or fixed when the member was enrolled.
READ_ONLY = {"id", "programId", "externalId", "operation", "status", "passMetaData", "created", "updated", "notes"}


@route("POST", "/members/member", takes=MEMBER, gives="io.Id", required="programId tierId")
def enrol(call: Call) -> Record:
    """Make a member. 409 when the program knows the external ID."""
    state, body = call.state, call.body
    program = call.known(state.programs, body["programId"])
    if "PROJECT_ACTIVE_FOR_OBJECT_CREATION" not in program.get("status", []):
        raise business("program is not active for object creation")
    tier = check_tier(call, body["programId"], body["tierId"])
    person.check(call, body.get("person", {}))
    field = program.get("applyFieldToExternalIdOnEnrol", {}).get("fieldUniqueName")
    if field == EMAIL_FIELD and not body.get("externalId"):
        body["externalId"] = body.get("person", {}).get("emailAddress", "")
    record = add(state, tier, body)
    call.count(record)
    call.publish(PROTOCOL, "CREATED", record)
    return {"id": record["id"]}


def add(state: State, tier: Record, values: Record) -> Record:
    """Store a new member of a tier as it is given, and return it.

    Raises:
        Refusal: 409, the program knows the external ID.
    """
    now = state.now_text()
    given = {name: value for name, value in values.items() if name not in {"operation", "status", "passMetaData"}}
    record = {**given, "id": state.new_id(), "created": now, "updated": now, "passMetaData": {"issueAt": now}}
    date = expiry.date_of_new_member(tier, state.now(), given.get("expiryDate"))
    if date is not None:
        record["expiryDate"] = date
    return state.members.add(record["id"], record)


def check_tier(call: Call, program_id: str, tier_id: str) -> Record:
    """Return a program's tier.

    Raises:
        Refusal: 404, the program has no such tier; 500, the tier has no template.
    """
    tier = call.state.tiers.get(f"{program_id}/{tier_id}")
    if tier is None:
        raise not_found("tier", tier_id)
    if not tier.get("passTemplateId"):
        raise business("pass template id cannot be empty")
    return tier


def wanted(call: Call, id_name: str = "id", external_name: str = "externalId") -> Record:
    """Return the member that a request is about: by ID, or by external ID and program.

    Raises:
        Refusal: 400, it says neither; 404, there is no such member.
    """
    identity, external_id = call.text(id_name), call.text(external_name)
    if identity:
        return by_id(call, identity)
    if not external_id:
        raise call.invalid(id_name, "required_without")
    if not call.text("programId"):
        raise call.invalid("programId")
    return by_external_id(call, call.text("programId"), external_id)


def by_id(call: Call, identity: str) -> Record:
    """Return a member by PassKit's ID."""
    return lifecycle.get(call.state, call.state.members, identity)


def by_external_id(call: Call, program_id: str, external_id: str) -> Record:
    """Return a member by the caller's ID."""
    return lifecycle.find(call.state, call.state.members, program_id, external_id)


def check_living(record: Record) -> None:
    """Refuse to change what is frozen."""
    if lifecycle.is_invalidated(record):
        raise business(f"member [{record['id']}] is expired")


@route("GET", "/members/member/id/{id}", takes="io.Id", gives=MEMBER)
def get_by_id(call: Call) -> Record:
    """Return a member by PassKit's ID."""
    return by_id(call, call.text("id"))


@route(
    "GET", "/members/member/externalId/{programId}/{externalId}",
    takes="members.MemberRecordByExternalIdRequest", gives=MEMBER,
)  # fmt: skip
def get_by_external_id(call: Call) -> Record:
    """Return a member by the caller's ID."""
    return by_external_id(call, call.text("programId"), call.text("externalId"))


@route("PUT", "/members/member", takes=MEMBER, gives="io.Id")
def update(call: Call) -> Record:
    """Change a member.

    A patch, the default, sees only what is not zero, false or empty, and replaces `metaData` and `person` as a
    whole. A put replaces everything: what it does not mention is cleared (protobuf cannot tell the difference).
    """
    if call.switches.data_collection and "person" not in call.body:
        raise call.invalid("person")
    record = wanted(call)
    if "expiryDate" not in call.body:  # the one change that may bring it back
        check_living(record)
    given = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    person.check(call, given.get("person", {}))
    if "tierId" in given:
        check_tier(call, record["programId"], given["tierId"])
    if call.body.get("operation") == "OPERATION_PUT":
        for name in [name for name in record if name not in READ_ONLY | {"tierId"} and not name.startswith("_")]:
            del record[name]
    record.update(given, updated=call.state.now_text())
    return _changed(call, record)


def _changed(call: Call, record: Record) -> Record:
    call.count(record)
    call.publish(PROTOCOL, "UPDATED", record)
    return {"id": record["id"]}


@route("PATCH", "/members/member/person", takes="io.PersonRequest", gives="io.Id")
def patch_person(call: Call) -> Record:
    """Change a member's personal data; here the program is called `classId`."""
    identity = call.text("id")
    if not identity and not call.text("externalId"):
        raise call.invalid("id", "required_without")
    if not identity and not call.text("classId"):
        raise call.invalid("classId")
    record = by_id(call, identity) if identity else by_external_id(call, call.text("classId"), call.text("externalId"))
    check_living(record)
    person.patch(call, record, call.body.get("person", {}))
    return _changed(call, record)


@route("PUT", "/members/member/updateExpiry", takes="members.MemberExpiry", gives="io.Id", required="expiryDate")
def update_expiry(call: Call) -> Record:
    """Set when a member expires: a past date expires at once, a later one brings back."""
    record = wanted(call)
    record.update(expiryDate=call.body["expiryDate"], updated=call.state.now_text())
    return _changed(call, by_id(call, record["id"]))


@route("DELETE", "/members/member", takes=MEMBER)
def delete(call: Call) -> Record:
    """Delete a member for good; the external ID is free again."""
    record = wanted(call)
    call.state.members.remove(record["id"])
    call.count(record)
    call.publish(PROTOCOL, "DELETED", record)
    return {}


def listed(call: Call, program_id: str) -> list[Record]:
    """Return all members of a program."""
    program = call.known(call.state.programs, program_id)["id"]
    members = lifecycle.every(call.state, call.state.members)
    return [record for record in members if record["programId"] == program]


def filter_fields(call: Call) -> frozenset[str]:
    """Return what members can be filtered by."""
    return FILTER_FIELDS | {EMAIL_FIELD} if call.switches.email_filter else FILTER_FIELDS


@route("POST", "/members/member/list/{programId}", takes="members.ListRequest", gives=MEMBER, stream=True)
def list_members(call: Call) -> list[Record]:
    """List a program's members; with `emailAsCsv` they travel by mail and the answer is empty."""
    found = page(MEMBER, listed(call, call.text("programId")), call.body.get("filters", {}), filter_fields(call))
    return [] if call.body.get("emailAsCsv") else found


@route("POST", "/members/count/{programId}", takes="members.ListRequest", gives="io.Count")
def count_members(call: Call) -> Record:
    """Count a program's members."""
    groups = call.body.get("filters", {}).get("filterGroups", [])
    return {"total": len(matching(MEMBER, listed(call, call.text("programId")), groups, filter_fields(call)))}


@route("GET", "/members/member/meta/{id}", takes="io.Id", gives="io.Strings")
def meta_keys(call: Call) -> Record:
    """Return the keys of metaData that a program's members use."""
    program = call.known(call.state.programs, call.text("id"))
    used: dict[str, Any] = dict.fromkeys(program.get("metaFieldsList", []))
    for record in call.state.members:
        if record["programId"] == program["id"]:
            used.update(record.get("metaData", {}))
    return {"response": list(used)}
