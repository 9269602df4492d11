"""The app and the API: what the app calls exists, what the API can do is in the app, and both use the same words.

The description of the API is the source of the words. Make wants labels in sentence case, has no headers and no `null`;
what differs for that is listed here, each with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.make.iml.project import Component, Project
from tests.make.review import form, modules, parameters

API: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = API["components"]["schemas"]

ACTIONS = {
    "createPass": "create-pass",
    "updatePass": "update-pass",
    "updatePoints": "update-points",
    "changeTier": "change-tier",
    "redeemPass": "redeem-pass",
    "revokePass": "revoke-pass",
    "reinstatePass": "reinstate-pass",
}
READS = {
    "getPass": ("/v1/passes/{pass_id}", "PassAnswer"),
    "searchPasses": ("/v1/passes", "PassAnswer"),
    "listPrograms": ("/v1/programs", "ProgramAnswer"),
    "getOperation": ("/v1/operations/{operation_id}", "OperationAnswer"),
}

# What the API can do and the app has no module for.
NOT_IN_THE_APP = {
    **{f"POST /v1/actions/{action}/batch": "a scenario has one bundle at a time" for action in ACTIONS.values()},
    "POST /v1/programs": "programs are set up once, by who runs the service",
    "PATCH /v1/programs/{program_id}": "programs are set up once, by who runs the service",
    "GET /v1/programs/{program_id}": "List programs gives the same",
    "GET /v1/events": "Watch pass events tells what happens; Make an API call reads what has happened",
    "GET /v1/passes/{pass_id}/history": "Make an API call reads it; who needs it looks, no scenario does",
    "GET /v1/issuer": "set up once, by who runs the service",
    "PUT /v1/issuer": "set up once, by who runs the service",
    "PATCH /v1/issuer": "set up once, by who runs the service",
    "DELETE /v1/issuer": "set up once, by who runs the service",
    "POST /v1/issuer/import": "set up once, by who runs the service",
    "GET /v1/issuer/import/{import_id}": "set up once, by who runs the service",
    "POST /v1/operations/{operation_id}/resolve": "a person looks what happened and says so, no scenario does",
    "POST /v1/people/export": "a person asks for it once; who looks after the service does it",
    "POST /v1/people/erase": "it cannot be undone: no scenario does it by itself",
    "GET /v1/hooks": "Make itself keeps the hook of each scenario",
    "GET /v1/hooks/{hook_id}": "Make itself keeps the hook of each scenario",
    "PATCH /v1/hooks/{hook_id}": "Make itself keeps the hook of each scenario",
    "POST /v1/hooks/{hook_id}/test": "for who looks after the service",
    "GET /v1/hooks/{hook_id}/deliveries": "for who looks after the service",
    "POST /v1/hooks/{hook_id}/deliveries/{delivery_id}/replay": "for who looks after the service",
    "POST /v1/hooks/{hook_id}/replay": "for who looks after the service",
}
# Fields the API takes and the app does not ask for.
FIELDS_NOT_ASKED_FOR = {
    ("searchPasses", "cursor"): "paging is the app's work",
    ("listPrograms", "cursor"): "paging is the app's work",
    ("listPrograms", "kind"): "Make's rule: what is named List has no filters",
}
# Fields that the app wants and the API does not.
REQUIRED_HERE_ONLY = {("changeTier", "programId"): "the tiers to choose from are those of a program"}

# What is in objects that the API only describes in a sentence.
INSIDE = {
    "problem": [
        {"name": "code", "label": "Code", "type": "text"},
        {"name": "detail", "label": "Detail", "type": "text"},
    ],
    "resolution": [
        {"name": "happened", "label": "Happened", "type": "boolean"},
        {"name": "by", "label": "By", "type": "text"},
        {"name": "at", "label": "At", "type": "date"},
    ],
}

# Sentences that are worded for people who send JSON, and what they are in Make.
WORDS = {
    " Same meaning as the header Idempotency-Key.": "",
    ", by name. null clears one.": ".",
    "; null clears it.": "; map `erase` to clear it.",
    "null clears a value": "`erase` clears a value",
    "When the pass expires: a date (the end of that day, UTC) or a time with its zone.": "When the pass expires.",
    " See /docs/revoke for what this means in the wallet and on the bill.": "",
}
LABELS = {"pass_id": "Pass ID"}  # one types or maps an ID; what is chosen from a list is labelled without "ID"
LABELS_OF_READS = {"searchPasses": "Search passes"}  # "List and find passes": Make's word for a list with filters


def in_make(words: str) -> str:
    """Return the API's words as they are in the app."""
    for api, make in WORDS.items():
        words = words.replace(api, make)
    return words


def sentence_case(title: str) -> str:
    """Write a title as Make wants labels."""
    first, *rest = title.split()
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])


def camel(name: str) -> str:
    """Write a name as Make wants those of parameters."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def resolved(schema: Mapping[str, Any]) -> Any:
    """Follow a reference."""
    return SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


@dataclass(frozen=True)
class Request:
    """A request of the app: `GET /v1/passes/{}`, with the names of what it sends."""

    at: str
    method: str
    path: str
    query: frozenset[str]
    body: frozenset[str]


def requests_of(project: Project) -> Iterator[Request]:
    """Return every request in the app but the universal module's, which makes any."""
    for kind in ("connection", "webhook", "rpc", "module"):
        for one in project.components(kind).values():
            for code in ("communication", "attach", "detach"):
                communication = one.code.get(code, {})
                if "url" in communication and one.about.get("moduleType") != "universal":
                    yield _request(f"{one.id}.{code}", communication)


def _request(at: str, communication: Mapping[str, Any]) -> Request:
    url = re.sub(r"^\{\{\w+\.baseUrl\}\}", "", communication["url"])
    path = url if url.startswith("/v1/") else f"/v1{url}"
    paging = communication.get("pagination", {}).get("qs", {})
    return Request(
        at,
        communication["method"],
        re.sub(r"\{\{.+?\}\}", "{}", path),
        frozenset({**communication.get("qs", {}), **paging}),
        frozenset(communication.get("body", {})),
    )


def route_of(request: Request) -> str | None:
    """Return the API's path for a request, if there is one."""
    return next((path for path in API["paths"] if re.sub(r"\{.+?\}", "{}", path) == request.path), None)


def mismatches(request: Request) -> Iterator[str]:
    """Say what the API does not know of a request."""
    route = route_of(request)
    if route is None or request.method.lower() not in API["paths"][route]:
        yield f"{request.at}: there is no {request.method} {request.path}"
        return
    operation = API["paths"][route][request.method.lower()]
    known = {one["name"] for one in operation.get("parameters", []) if one.get("in") == "query"}
    if unknown := request.query - known:
        yield f"{request.at}: the query has no {sorted(unknown)}"
    if "requestBody" in operation:
        schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
        if unknown := request.body - set(schema["properties"]):
            yield f"{request.at}: the body has no {sorted(unknown)}"
        if missing := set(schema.get("required", [])) - request.body:
            yield f"{request.at}: the body needs {sorted(missing)}"
    elif request.body:
        yield f"{request.at}: takes no body"


def test_every_request_exists_in_the_api(project: Project) -> None:
    found = list(requests_of(project))
    assert len(found) == 1 + 2 + 4 + 11
    assert [said for request in found for said in mismatches(request)] == []


@pytest.mark.parametrize(
    "request_",
    [
        Request("x", "GET", "/v1/tiers", frozenset(), frozenset()),
        Request("x", "PUT", "/v1/passes/{}", frozenset(), frozenset()),
        Request("x", "GET", "/v1/passes", frozenset({"name"}), frozenset()),
        Request("x", "POST", "/v1/actions/create-pass", frozenset(), frozenset({"program_id", "name"})),
        Request("x", "POST", "/v1/actions/create-pass", frozenset(), frozenset({"email"})),
        Request("x", "GET", "/v1/me", frozenset(), frozenset({"email"})),
    ],
)
def test_a_request_that_does_not_exist_is_caught(request_: Request) -> None:
    assert list(mismatches(request_))


def test_everything_the_api_can_do_is_in_the_app_or_listed_with_a_reason(project: Project) -> None:
    used = {f"{request.method} {route_of(request)}" for request in requests_of(project)}
    every = {
        f"{method.upper()} {path}"
        for path, methods in API["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert every - used == set(NOT_IN_THE_APP)


def inputs(module: Component) -> dict[str, Any]:
    """Return what the API takes for a module, by name: the schema of a body, or of the query."""
    if module.id in ACTIONS:
        operation = API["paths"][f"/v1/actions/{ACTIONS[module.id]}"]["post"]
        schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
        return {
            name: {**one, "required": name in schema.get("required", [])} for name, one in schema["properties"].items()
        }
    operation = API["paths"][READS[module.id][0]]["get"]
    found = [one for one in operation.get("parameters", []) if one.get("in") == "query"]
    return {one["name"]: {**one["schema"], "description": one["description"], "required": False} for one in found}


COMPARED = [*ACTIONS, "searchPasses", "listPrograms"]


@pytest.mark.parametrize("module_id", COMPARED)
def test_every_field_is_asked_for_sent_and_worded_as_in_the_api(project: Project, module_id: str) -> None:
    module = project.component("module", module_id)
    fields = {one["name"]: one for one in parameters(form(module))}
    communication = module.code["communication"]
    sent = {**communication.get("body", {}), **communication.get("qs", {})}
    wanted = {name: one for name, one in inputs(module).items() if (module_id, name) not in FIELDS_NOT_ASKED_FOR}
    assert set(fields) == {camel(name) for name in wanted}
    assert set(sent) == set(wanted)
    for name, one in wanted.items():
        if name != "limit":
            assert f"parameters.{camel(name)}" in sent[name]
            assert list(_differences(module_id, name, fields[camel(name)], one)) == []


def _differences(module_id: str, name: str, field: Mapping[str, Any], one: Mapping[str, Any]) -> Iterator[str]:
    if field["label"] != LABELS.get(name, sentence_case(one["title"])):
        yield f"{name} is labelled {field['label']!r}"
    if not field["help"].startswith(in_make(one["description"])):
        yield f"{name} is explained by {field['help']!r}"
    if field.get("required", False) is not (one["required"] or (module_id, field["name"]) in REQUIRED_HERE_ONLY):
        yield f"{name} is required on one side only"
    if field.get("advanced", False) is not one.get("x-advanced", False):
        yield f"{name} is advanced on one side only"
    if "enum" in one and [option["value"] for option in field["options"]] != one["enum"]:
        yield f"{name} has other options"
    if field["type"] in ("text", "number"):
        limits = {"max": one.get("maxLength", one.get("maximum")), "min": one.get("minimum")}
        for limit, value in limits.items():
            if "pattern" not in field["validate"] and value is not None and field["validate"].get(limit) != value:
                yield f"{name} has another {limit}"
        if field["validate"].get("pattern", one.get("pattern")) != one.get("pattern"):
            yield f"{name} has another pattern"
    is_clearable = "null" in one["type"] and module_id in ("updatePass", "reinstatePass")
    if is_clearable and "`erase`" not in field["help"]:
        yield f"{name} does not say how it is cleared"


PLANTED: list[dict[str, Any]] = [
    {"label": "First Name"},
    {"label": "Given name"},
    {"help": "Name."},
    {"required": True},
    {"advanced": True},
    {"validate": {"max": 61}},
    {"help": "The holder's first name."},
]


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_other_words_are_caught(project: Project, planted: dict[str, Any]) -> None:
    module = project.component("module", "updatePass")
    field = next(one for one in form(module) if one["name"] == "firstName")
    assert list(_differences("updatePass", "first_name", {**field, **planted}, inputs(module)["first_name"]))


def test_every_exception_is_still_needed(project: Project) -> None:
    text = json.dumps(API, ensure_ascii=False)
    assert [words for words in WORDS if json.dumps(words, ensure_ascii=False)[1:-1] not in text] == []
    for module_id, name in FIELDS_NOT_ASKED_FOR:
        assert name in inputs(project.component("module", module_id))


def described(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the API's answer is in an interface."""
    kinds = one.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    field: dict[str, Any] = {"name": name, "label": sentence_case(one["title"])}
    if one.get("format") == "date-time":
        return {**field, "type": "date"}
    if kind == "array":
        return {**field, "type": "array", "spec": _fields(one["items"]) if "$ref" in one["items"] else {"type": "text"}}
    if kind == "object":
        return {**field, "type": "collection", "spec": []}
    return {**field, "type": "url" if name.endswith("_url") else "text" if kind == "string" else kind}


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [described(name, one) for name, one in resolved(schema)["properties"].items()]


def answer(module_id: str) -> tuple[list[dict[str, Any]], Any]:
    """Return the fields of the API's answer and its example."""
    if module_id in ACTIONS:
        content = API["paths"][f"/v1/actions/{ACTIONS[module_id]}"]["post"]["responses"]["200"]["content"]
        return _fields(content["application/json"]["schema"]), content["application/json"]["example"]
    path, schema = READS[module_id]
    example = API["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    return _fields(SCHEMAS[schema]), example["data"][0] if "data" in example else example


@pytest.mark.parametrize("module_id", [*ACTIONS, *READS])
def test_interface_and_sample_are_the_answer_and_example_of_the_api(project: Project, module_id: str) -> None:
    code = project.component("module", module_id).code
    fields, example = answer(module_id)
    assert code["interface"] == [
        {**one, "spec": INSIDE[one["name"]]} if one["name"] in INSIDE else one for one in fields
    ]
    assert code["samples"] == example


def test_the_trigger_puts_out_events_whose_data_is_a_pass(project: Project) -> None:
    *event, data = project.component("module", "watchPassEvents").code["interface"]
    assert event == [one for one in _fields(SCHEMAS["EventAnswer"]) if one["name"] != "data"]
    names = [one["name"] for one in _fields(SCHEMAS["PassAnswer"])]
    assert data["spec"][: len(names)] == _fields(SCHEMAS["PassAnswer"])
    extras = {one["name"]: one for module_id in ACTIONS for one in answer(module_id)[0] if one["name"] not in names}
    assert {one["name"]: one for one in data["spec"][len(names) :] if one["name"] != "reason"} == extras


@pytest.mark.parametrize("module_id", ACTIONS)
def test_an_action_is_named_and_described_as_in_the_api(project: Project, module_id: str) -> None:
    about = project.component("module", module_id).about
    assert about["label"].lower().replace(" a ", " ") == ACTIONS[module_id].replace("-", " ")
    assert about["description"] == in_make(API["paths"][f"/v1/actions/{ACTIONS[module_id]}"]["post"]["description"])


@pytest.mark.parametrize("module_id", READS)
def test_a_reading_module_is_named_as_in_the_api(project: Project, module_id: str) -> None:
    summary = API["paths"][READS[module_id][0]]["get"]["summary"]
    assert project.component("module", module_id).about["label"] == LABELS_OF_READS.get(module_id, summary)


def test_the_webhook_is_worded_as_the_hook_of_the_api(project: Project) -> None:
    fields = {one["name"]: one for one in project.component("webhook", "passEvents").code["params"]}
    api = SCHEMAS["HookInput"]["properties"]
    assert fields["programId"]["help"].startswith(api["program_id"]["description"])
    assert fields["eventTypes"]["label"] == sentence_case(api["event_types"]["title"])


def test_every_module_is_compared(project: Project) -> None:
    assert {one.id for one in modules(project)} == {*ACTIONS, *READS, "watchPassEvents", "makeApiCall"}
