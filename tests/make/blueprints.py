"""What a shared blueprint must be: Make's published subset, and what the app's modules want on top of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.make.iml.project import Component, Project
from tests.make.review import form, parameters

TOP = {"name", "description", "flow", "metadata"}
SCENARIO = {
    "roundtrips",
    "maxErrors",
    "autoCommit",
    "autoCommitTriggerLast",
    "sequential",
    "confidential",
    "dataloss",
    "dlq",
    "freshVariables",
}
MODULE_KEYS = {"id", "module", "version", "parameters", "mapper", "metadata", "filter", "onerror", "routes"}
MODULE_ID = re.compile(r"(app#)?[A-Za-z][A-Za-z0-9_-]*:[A-Za-z0-9]+")
OURS = "app#APP_ID:"
# Modules of Make's own and of others whose IDs and versions are known to be right.
KNOWN = {
    "gateway:CustomWebHook": 1,
    "google-sheets:addRow": 2,
    "http:MakeRequest": 4,
    "builtin:BasicRouter": 1,
    "builtin:Break": 1,
}
HANDLERS = {f"builtin:{name}" for name in ("Break", "Ignore", "Resume", "Commit", "Rollback")}
# Bound to somebody's account: who imports attaches their own.
FORBIDDEN = {"__IMTCONN__", "__IMTHOOK__", "__IMTKEY__", "hook", "datastore", "spreadsheetId", "sheetId"}
EXPORTED = {"restore", "expect", "interface", "parameters", "advanced"}
OPERATORS = {"text:equal", "number:equal", "number:greater", "boolean:equal", "exist"}
SECRETS = re.compile(r"[\w.%+-]+@(?!example\.com)[\w.-]+\.[a-z]{2,}|pr_(live|test)_\w+|Bearer (?!API_KEY)\S+", re.I)
REFERENCE = re.compile(r"\{\{(.+?)\}\}")
PLAIN_REFERENCE = re.compile(r"(\d+)((?:\.[A-Za-z_]\w*)+)")

Module = dict[str, Any]
Faults = Iterator[str]


def faults(blueprint: Mapping[str, Any], project: Project) -> Faults:
    """Say what is wrong with a blueprint."""
    yield from _frame(blueprint)
    every = [module for module, _ in walk(blueprint["flow"])]
    ids = [module["id"] for module in every]
    if len(ids) != len(set(ids)) or not all(isinstance(one, int) and one >= 1 for one in ids):
        yield f"the IDs are {ids}"
    if "filter" in blueprint["flow"][0]:
        yield "the first module has a filter"
    for module, before in walk(blueprint["flow"]):
        at = f"module {module['id']}"
        for said in [*_module(module), *_references(module, before, project)]:
            yield f"{at}: {said}"
        if module["module"].startswith(OURS):
            for said in _ours(module, project.components("module").get(module["module"].removeprefix(OURS))):
                yield f"{at}: {said}"
    if found := SECRETS.search(json.dumps(blueprint)):
        yield f"it holds {found[0]}"


def walk(flow: Sequence[Module], before: Sequence[Module] = ()) -> Iterator[tuple[Module, list[Module]]]:
    """Return every module with those that have run before it."""
    earlier = list(before)
    for module in flow:
        yield module, list(earlier)
        yield from walk(module.get("onerror", []), [*earlier, module])
        for route in module.get("routes", []):
            yield from walk(route["flow"], [*earlier, module])
        earlier.append(module)


def _frame(blueprint: Mapping[str, Any]) -> Faults:
    if set(blueprint) != TOP:
        yield f"the keys are {sorted(blueprint)}"
    if not 1 <= len(blueprint["name"]) <= 120:
        yield "the name is empty or too long"
    metadata = blueprint["metadata"]
    if (
        metadata.get("version") != 1
        or metadata.get("instant") is not True
        or metadata.get("designer") != {"orphans": []}
    ):
        yield "the metadata is not that of a scenario that starts at once"
    if set(metadata.get("scenario", {})) != SCENARIO or metadata["scenario"].get("dlq") is not True:
        yield "the settings are others, or do not store incomplete executions"


def _module(module: Module) -> Faults:
    name = module["module"]
    if not set(module) <= MODULE_KEYS or not MODULE_ID.fullmatch(name):
        yield f"{name} has the keys {sorted(module)}"
    if not name.startswith(OURS) and KNOWN.get(name) != module["version"]:
        yield f"{name} in version {module['version']} is not known"
    if bound := FORBIDDEN & {*(module.get("parameters") or {}), *(module["mapper"] or {})}:
        yield f"{sorted(bound)} belong to somebody's account"
    designer = module["metadata"].get("designer", {})
    if set(module["metadata"]) & EXPORTED or not {"x", "y", "name"} <= set(designer):
        yield "its metadata is not the plain one"
    if name == "builtin:BasicRouter" and (module["mapper"] is not None or not all(r["flow"] for r in module["routes"])):
        yield "a router has no mapper, and routes that lead somewhere"
    if any(one["module"] not in HANDLERS for one in module.get("onerror", [])):
        yield "its error handler is none"
    for condition in [one for group in module.get("filter", {}).get("conditions", []) for one in group]:
        if condition["o"] not in OPERATORS or (condition["o"] == "exist") is ("b" in condition):
            yield f"the condition {condition}"


def _references(module: Module, before: Sequence[Module], project: Project) -> Faults:
    """Only plain references are used, to what has run before, and to what it really puts out."""
    known = {one["id"]: one for one in before}
    text = json.dumps([module.get("mapper"), module.get("filter"), module.get("parameters")])
    for expression in REFERENCE.findall(text):
        match = PLAIN_REFERENCE.fullmatch(expression)
        if match is None:
            yield f"{expression} is no plain reference"
        elif int(match[1]) not in known:
            yield f"{expression} refers to what has not run before"
        elif known[int(match[1])]["module"].startswith(OURS):
            source = project.component("module", known[int(match[1])]["module"].removeprefix(OURS))
            if not _is_put_out(match[2].strip(".").split("."), source.code["interface"]):
                yield f"{expression} is not put out"


def _is_put_out(way: list[str], interface: list[dict[str, Any]]) -> bool:
    field = next((one for one in interface if one["name"] == way[0]), None)
    return field is not None and (len(way) == 1 or _is_put_out(way[1:], field.get("spec", [])))


def _ours(module: Module, component: Component | None) -> Faults:
    if component is None:
        yield f"the app has no {module['module']}"
        return
    if module["version"] != 1:
        yield "the app has one version"
    fields = {one["name"]: one for one in parameters(form(component))}
    mapper = module["mapper"]
    if unknown := set(mapper) - set(fields):
        yield f"there are no fields {sorted(unknown)}"
    if missing := {name for name, one in fields.items() if one.get("required")} - set(mapper):
        yield f"{sorted(missing)} are required"
    for name in set(mapper) & set(fields):
        options = fields[name].get("options")
        if isinstance(options, list) and mapper[name] not in {one["value"] for one in options}:
            yield f"{name} cannot be {mapper[name]!r}"
    if "uniqueEventId" in fields and not REFERENCE.search(mapper.get("uniqueEventId", "")):
        yield "the Unique event ID is not mapped"
    if component.about["moduleType"] == "action" and [one["module"] for one in module.get("onerror", [])] != [
        "builtin:Break"
    ]:
        yield "nothing is tried again"
