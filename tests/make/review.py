"""What Make asks of an app in a review (prerequisites and best practices), as rules that name what breaks them."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from tests.make.iml.project import Component, Project

Faults = Iterator[str]
PAGE_SIZE = 100
ICON_SIZE = (512, 512)
ARTICLES = {"a", "an", "the"}
BRITISH = re.compile(
    r"\b\w*(colour|programme|organis|recognis|sanitis|cancell|favour|centre|licence|labell)\w*\b", re.I
)
# What a verb at the beginning of a label does to data.
CRUD = {
    "Create": "create",
    "Get": "read",
    "Update": "update",
    "Change": "update",
    "Redeem": "update",
    "Reinstate": "update",
    "Revoke": "delete",
}
STATUSES = ("400", "401", "403", "404", "405", "409", "413", "415", "422", "424", "429", "500", "502", "503", "504")
AUTHORIZATION = "request.headers.authorization"


def modules(project: Project, *kinds: str) -> list[Component]:
    """Return the modules of some types, or all."""
    found = project.components("module").values()
    return [one for one in found if not kinds or one.about["moduleType"] in kinds]


def parameters(found: list[Any]) -> Iterator[dict[str, Any]]:
    """Return the parameters of a form, those that appear by a choice too, but not what is inside of them."""
    for one in found:
        yield one
        if isinstance(one.get("options"), dict):
            yield from parameters(one["options"].get("nested", []))


def form(module: Component) -> list[dict[str, Any]]:
    """Return the form of a module."""
    found: list[dict[str, Any]] = module.code["mappableParams" if module.kind == "module" else "params"]
    return found


def with_forms(project: Project) -> list[Component]:
    """Return everything that has a form."""
    return [*modules(project), *project.components("webhook").values(), *project.components("connection").values()]


def is_sentence_case(label: str) -> bool:
    """Tell whether only the first word and abbreviations have capitals."""
    first, *rest = label.split()
    return first[0].isupper() and all(word == word.lower() or word.isupper() for word in rest)


def base_is_complete(project: Project) -> Faults:
    """Base has an address, the authorization, an error for each status, and hides what is secret."""
    base = project.base
    if "connection." not in base.get("baseUrl", "") or "authorization" not in base.get("headers", {}):
        yield "base has no address or no authorization"
    error = base["response"]["error"]
    for status in STATUSES:
        entry = error.get(status, {})
        if not entry.get("type") or "body.detail" not in entry.get("message", ""):
            yield f"base: {status} has no type, or not the service's own words"


def connection_is_validated(project: Project) -> Faults:
    """The connection asks an authenticated route, shows whose it is, and has words for a bad key."""
    for one in project.components("connection").values():
        communication = one.code["communication"]
        response = communication["response"]
        if not communication["url"].endswith("/v1/me") or "valid" not in response or not response.get("metadata"):
            yield f"{one.id} is not validated, or shows no account"
        if {"401", "404"} - set(response["error"]):
            yield f"{one.id} has no words for a bad key or a wrong address"
        if {"output", "iterate", "limit"} & set(response) or "pagination" in communication:
            yield f"{one.id} puts something out"
        kinds = {parameter["name"]: parameter for parameter in one.code["params"]}
        if kinds["apiKey"]["type"] != "password" or not kinds["apiKey"].get("editable"):
            yield "the API key is shown, or cannot be changed"
        if kinds["baseUrl"].get("editable") is not False or "pattern" not in kinds["baseUrl"].get("validate", {}):
            yield "the address can be changed after the key was given, or can be anything"


def modules_are_described(project: Project) -> Faults:
    """Labels are a verb, an article and a thing in sentence case; descriptions say what it does, with a full stop."""
    for one in modules(project):
        label, description = one.about["label"], one.about["description"]
        if not is_sentence_case(label.replace("API", "api")) or "upsert" in label.lower():
            yield f"{one.id}: the label {label!r}"
        if not re.match(r"[A-Z][a-z]+s\b", description) or not description.endswith("."):
            yield f"{one.id}: the description {description!r}"
        if not one.code["interface"] or not one.code["samples"]:
            yield f"{one.id} has no interface or no sample"


def labels_are_in_sentence_case(project: Project) -> Faults:
    """Fields are labelled in sentence case without articles."""
    for one in with_forms(project):
        for field in [*parameters(form(one)), *one.code.get("interface", [])]:
            label = field.get("label", "")
            if not label or not is_sentence_case(label) or ARTICLES & set(label.lower().split()):
                yield f"{one.id}: {field['name']} is labelled {label!r}"


def wording_is_american(project: Project) -> Faults:
    """US English everywhere a user reads."""
    for kind in ("connection", "webhook", "module", "rpc"):
        for one in project.components(kind).values():
            if found := BRITISH.search(json.dumps([one.about, one.code])):
                yield f"{one.id}: {found[0]}"


def searches_are_limited(project: Project) -> Faults:
    """Searches iterate over pages of the API's largest size, up to a limit of 10 that is the last field."""
    for one in modules(project, "search"):
        communication = one.code["communication"]
        if not {"iterate", "limit"} <= set(communication["response"]) or "pagination" not in communication:
            yield f"{one.id} does not iterate, limit or paginate"
        if communication["qs"].get("limit") != PAGE_SIZE:
            yield f"{one.id} asks for small pages"
        last = form(one)[-1]
        if last["name"] != "limit" or last.get("required") or last.get("default") != 10:
            yield f"{one.id} has no limit of 10 as its last field"


def lists_have_filters_only_if_they_search(project: Project) -> Faults:
    """What is named List has no filters; what is named Search has."""
    for one in modules(project, "search"):
        if one.about["label"].startswith("Search") is not (len(form(one)) > 1):
            yield f"{one.id}: List or Search?"


def actions_do_not_iterate(project: Project) -> Faults:
    """Actions give one bundle."""
    for one in modules(project, "action"):
        communication = one.code["communication"]
        if {"iterate", "limit"} & set(communication["response"]) or "pagination" in communication:
            yield f"{one.id} is an action that gives many bundles"


def rpcs_have_limits(project: Project) -> Faults:
    """RPCs end."""
    for one in project.components("rpc").values():
        if not isinstance(one.code["communication"]["response"].get("limit"), int):
            yield f"{one.id} has no limit"


def nobody_is_asked_for_a_page(project: Project) -> Faults:
    """Paging is the app's work."""
    for one in modules(project):
        for field in parameters(form(one)):
            if re.search("page|offset|cursor", field["name"], re.I):
                yield f"{one.id} asks for {field['name']}"


def actions_say_what_they_do(project: Project) -> Faults:
    """`actionCrud` fits the verb; without `update`, `erase` would not be offered."""
    for one in modules(project, "action"):
        verb = one.about["label"].split()[0]
        if one.about.get("actionCrud") != CRUD.get(verb):
            yield f"{one.id}: {verb} is {one.about.get('actionCrud')}"


def triggers_are_instant_and_attached(project: Project) -> Faults:
    """Triggers begin with Watch, have a webhook that comes and goes by itself, and verify who calls."""
    for one in modules(project, "trigger", "instant_trigger"):
        if one.about["moduleType"] != "instant_trigger" or not one.about["label"].startswith("Watch "):
            yield f"{one.id} is not instant, or not named Watch"
        hook = project.component("webhook", one.about["webhook"]).code
        if not hook["attach"] or not hook["detach"] or not hook["communication"].get("verification"):
            yield f"{one.id}: its webhook is not attached, or believes everybody"


def required_fields_come_first(project: Project) -> Faults:
    """Required fields, then the others, then the advanced ones; a limit comes last."""
    for one in [*modules(project), *project.components("webhook").values()]:
        ranks = [0 if f.get("required") else 2 if f.get("advanced") else 1 for f in form(one)]
        if ranks != sorted(ranks):
            yield f"{one.id}: {[field['name'] for field in form(one)]}"


def fields_have_help(project: Project) -> Faults:
    """Every field says what belongs into it."""
    for one in with_forms(project):
        for field in parameters(form(one)):
            if not field.get("help", "").endswith(".") and "labels" not in field:
                yield f"{one.id}: {field['name']} has no help"


def arrays_name_their_items(project: Project) -> Faults:
    """An array has a plural label, a singular item and words on its button."""
    for one in modules(project):
        for field in parameters(form(one)):
            if field["type"] == "array" and not (
                field.get("labels", {}).get("add") and isinstance(field["spec"], dict) and field["spec"].get("label")
            ):
                yield f"{one.id}: {field['name']}"


def parameters_are_in_camel_case(project: Project) -> Faults:
    """Names of parameters are camelCase."""
    for one in with_forms(project):
        for field in parameters(form(one)):
            if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", field["name"]):
                yield f"{one.id}: {field['name']}"


def dropdowns_are_labelled_by_what_is_chosen(project: Project) -> Faults:
    """One chooses a program, not a program ID; a text field takes an ID and says so."""
    for one in [*modules(project), *project.components("webhook").values()]:
        for field in parameters(form(one)):
            is_id = field["label"].endswith(" ID")
            if field["type"] == "select" and is_id is not (field.get("mode") == "edit"):
                yield f"{one.id}: {field['label']} is chosen"
            if field["type"] == "text" and field["name"].endswith("Id") and not is_id:
                yield f"{one.id}: {field['label']} is typed"


def dependent_dropdowns_are_nested(project: Project) -> Faults:
    """What needs a program appears when one is chosen."""
    needs = [
        f"rpc://{one.id}"
        for one in project.components("rpc").values()
        if "parameters.programId" in one.code["communication"]["url"]
    ]
    for one in modules(project):
        top = [{name: value for name, value in field.items() if name != "options"} for field in form(one)]
        top += [
            {"store": field["options"].get("store")} for field in form(one) if isinstance(field.get("options"), dict)
        ]
        if any(rpc in json.dumps(top) for rpc in needs):
            yield f"{one.id} offers tiers or fields of no program"


def dates_are_dates(project: Project) -> Faults:
    """Times are of type date, in and out; what goes out is formatted with its zone."""
    for one in modules(project):
        communication = one.code["communication"]
        is_universal = one.about["moduleType"] == "universal"
        sent = {} if is_universal else {**communication.get("body", {}), **communication.get("qs", {})}
        for field in parameters(form(one)):
            is_time = re.search("(At|Since|Until)$", field["name"]) is not None
            if is_time is not (field["type"] == "date"):
                yield f"{one.id}: {field['name']} is {field['type']}"
            text = [value for value in sent.values() if f"parameters.{field['name']}" in str(value)]
            if is_time and not all("formatDate(" in str(value) and "ssZ" in str(value) for value in text):
                yield f"{one.id}: {field['name']} goes out as it is"
        for field in interface(one.code["interface"]):
            is_time = field["name"].endswith("_at") or field["name"] in ("at", "timestamp")
            if is_time is not (field["type"] == "date"):
                yield f"{one.id}: {field['name']} is put out as {field['type']}"


def interface(found: list[Any]) -> Iterator[dict[str, Any]]:
    """Return the fields of an interface, inner ones too."""
    for one in found:
        yield one
        if isinstance(one.get("spec"), list):
            yield from interface(one["spec"])


def any_call_can_be_made_safely(project: Project) -> Faults:
    """One universal module with Make's own words, whose address cannot leave the service."""
    found = modules(project, "universal")
    if len(found) != 1:
        yield f"{len(found)} universal modules"
        return
    (one,) = found
    if (
        one.about["label"] != "Make an API call"
        or one.about["description"] != "Performs an arbitrary authorized API call."
    ):
        yield "the universal module has words of its own"
    if [field["name"] for field in form(one)] != ["url", "method", "headers", "qs", "body"]:
        yield "the universal module has other fields"
    communication = one.code["communication"]
    # The slash is the app's, so that nothing typed can become part of the host; the one typed is taken off.
    rest = "{{substring(parameters.url, 1, length(parameters.url))}}"
    if communication["url"] != "{{connection.baseUrl}}/" + rest or communication.get("type") != "text":
        yield "the universal module's address can leave the service, or its body is not sent as it is"
    if set(communication["response"]["output"]) != {"body", "headers", "statusCode"}:
        yield "the universal module puts out something else"
    if "/v1/" not in form(one)[0]["help"]:
        yield "the universal module gives no example"


def secrets_are_not_logged(project: Project) -> Faults:
    """Every request that carries the key, or gets a secret, hides it from the logs."""
    files = [("base", project.base)]
    for kind in ("connection", "webhook"):
        for one in project.components(kind).values():
            files += [(f"{one.id} {code}", value) for code, value in one.code.items() if isinstance(value, dict)]
    for name, communication in files:
        hidden = communication.get("log", {}).get("sanitize", [])
        if "authorization" in communication.get("headers", {}) and AUTHORIZATION not in hidden:
            yield f"{name} logs the key"
        if "body.secret" in json.dumps(communication.get("response", {})) and "response.body.secret" not in hidden:
            yield f"{name} logs the secret"
        if "webhook.url" in json.dumps(communication) and "request.body.target_url" not in hidden:
            yield f"{name} logs the address of the webhook"
    if not {"response.body.pass_url", "response.body.qr_code_url"} <= set(project.base["log"]["sanitize"]):
        yield "base logs the addresses of passes"


def groups_are_in_order(project: Project) -> Faults:
    """Triggers first, Other last."""
    groups = project.read(project.manifest["generalCodeFiles"]["groups"])
    triggers = [one.id for one in modules(project, "trigger", "instant_trigger")]
    universal = [one.id for one in modules(project, "universal")]
    if groups[0]["modules"] != triggers or groups[-1] != {"label": "Other", "modules": universal}:
        yield f"{[group['label'] for group in groups]}"


def writes_take_a_unique_event_id(project: Project) -> Faults:
    """Whatever changes something can be told which event it is for, and says what to map."""
    for one in modules(project, "action"):
        if one.about.get("actionCrud") == "read":
            continue
        fields = {field["name"]: field for field in form(one)}
        words = fields.get("uniqueEventId", {}).get("help", "")
        if "does nothing twice" not in words or "Map an ID" not in words or "invoice" not in words:
            yield f"{one.id} has no Unique event ID, or does not say what to map"
        if one.code["communication"]["body"].get("unique_event_id") != "{{parameters.uniqueEventId}}":
            yield f"{one.id} does not send the Unique event ID"


def ids_in_addresses_have_a_form(project: Project) -> Faults:
    """What a user puts into a path cannot lead to another one."""
    for one in modules(project, "action", "search"):
        fields = {field["name"]: field for field in form(one)}
        for name in re.findall(r"parameters\.(\w+)", one.code["communication"]["url"]):
            if not fields[name].get("validate", {}).get("pattern", "").startswith("^[A-Za-z0-9_-]"):
                yield f"{one.id}: {name} can be anything"


def the_icon_is_as_large_as_make_wants(project: Project) -> Faults:
    """A PNG of 512 by 512."""
    data = (project.root / "icon.png").read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n" or struct.unpack(">II", data[16:24]) != ICON_SIZE:
        yield "the icon is no PNG of 512 by 512"


RULES: list[Callable[[Project], Faults]] = [
    base_is_complete,
    connection_is_validated,
    modules_are_described,
    labels_are_in_sentence_case,
    wording_is_american,
    searches_are_limited,
    lists_have_filters_only_if_they_search,
    actions_do_not_iterate,
    rpcs_have_limits,
    nobody_is_asked_for_a_page,
    actions_say_what_they_do,
    triggers_are_instant_and_attached,
    required_fields_come_first,
    fields_have_help,
    arrays_name_their_items,
    parameters_are_in_camel_case,
    dropdowns_are_labelled_by_what_is_chosen,
    dependent_dropdowns_are_nested,
    dates_are_dates,
    any_call_can_be_made_safely,
    secrets_are_not_logged,
    groups_are_in_order,
    writes_take_a_unique_event_id,
    ids_in_addresses_have_a_form,
    the_icon_is_as_large_as_make_wants,
]
