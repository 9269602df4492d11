"""The manifest and the files fit together: nothing missing, nothing left over, every reference leads somewhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.make.iml import forms, interface
from tests.make.iml.evaluation import EXPRESSION, ROOTS, SPREAD
from tests.make.iml.functions import FUNCTIONS
from tests.make.iml.parser import Call, Literal, Node, Operation, parse
from tests.make.iml.parser import Path as Variable
from tests.make.iml.project import ROOT, Component, Project, read_jsonc
from tests.make.iml.values import Unknown

KINDS = ["connection", "webhook", "module", "rpc", "function", "endpoint"]
IDS = {
    "module": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "rpc": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "connection": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
    "webhook": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
}
CODES = {
    "connection": {"communication", "params", "common"},
    "webhook": {"communication", "params", "attach", "detach", "update", "requiredScope"},
    "rpc": {"communication", "params"},
    "instant_trigger": {"communication", "staticParams", "mappableParams", "interface", "samples"},
    "module": {"communication", "staticParams", "mappableParams", "interface", "samples", "scope"},
}
# Files beside the app: not deployed.
BESIDE = ("blueprints/", ".secrets/", "icon.png")
SECRETS = re.compile(r"pr_(live|test)_[0-9A-Za-z]{36}|whsec_[A-Za-z0-9+/=]{16,}|eyJ[A-Za-z0-9_-]{20,}")


def kebab(name: str) -> str:
    """Write a camelCase name as Make names its files."""
    return re.sub("([A-Z])", lambda match: "-" + match[1].lower(), name)


def texts(value: Any) -> Iterator[str]:
    """Return every text in a file, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from texts(one)


def every(project: Project) -> Iterator[Component]:
    """Return all components."""
    for kind in KINDS:
        yield from project.components(kind).values()


def faults(project: Project) -> list[str]:
    """Say what does not fit in an app."""
    try:
        return [*_manifest(project), *_files(project), *_references(project), *_expressions(project)]
    except (FileNotFoundError, KeyError) as error:
        return [f"it cannot even be read: {error!r}"]


def _manifest(project: Project) -> Iterator[str]:
    components = project.manifest["components"]
    if list(components) != KINDS:
        yield f"the kinds of component are {list(components)}"
    if project.manifest["origins"] != []:
        yield "there is an origin: those belong to who deploys"
    if components["function"]:
        yield "there is an IML function: accounts cannot deploy those by default"
    for one in every(project):
        if not re.fullmatch(IDS[one.kind], one.id):
            yield f"{one.id} is no ID of a {one.kind}"
        kind = one.about.get("moduleType") if one.about.get("moduleType") in CODES else one.kind
        if set(one.about["codeFiles"]) != CODES[str(kind)]:
            yield f"{one.id} has the code {sorted(one.about['codeFiles'])}"
        for code, path in one.about["codeFiles"].items():
            expected = f"{one.kind}s/{kebab(one.id)}/{kebab(one.id)}.{kebab(code)}.iml.json"
            if path not in (expected, None):
                yield f"{path} should be {expected}"


def _files(project: Project) -> Iterator[str]:
    named = {path for path in project.manifest["generalCodeFiles"].values() if path}
    for one in every(project):
        named |= {path for path in one.about["codeFiles"].values() if path}
    there = {str(path.relative_to(project.root)) for path in project.root.rglob("*") if path.is_file()}
    there = {path for path in there if not path.startswith(BESIDE)} - {"makecomapp.json"}
    yield from (f"{path} is missing" for path in named - there)
    yield from (f"{path} is in no manifest" for path in there - named)
    for path in there:
        if SECRETS.search((project.root / path).read_text(encoding="utf-8")):
            yield f"{path} holds a secret"


def _references(project: Project) -> Iterator[str]:
    rpcs, connections = project.components("rpc"), project.components("connection")
    for one in every(project):
        if "connection" in one.about and one.about["connection"] not in connections:
            yield f"{one.id} has no connection {one.about['connection']}"
        if one.about.get("moduleType") == "instant_trigger":
            if one.about.get("webhook") not in project.components("webhook"):
                yield f"{one.id} has no webhook {one.about.get('webhook')}"
        elif one.kind != "connection" and "connection" not in one.about:
            yield f"{one.id} has no connection"
        for text in texts(one.code):
            if text.startswith("rpc://") and text.removeprefix("rpc://").partition("?")[0] not in rpcs:
                yield f"{one.id}: {text} leads nowhere"
    grouped = [module for group in project.read("modules/groups.json") for module in group["modules"]]
    if sorted(grouped) != sorted(project.components("module")):
        yield f"the groups hold {sorted(grouped)}"


def _expressions(project: Project) -> Iterator[str]:
    """Look at every expression, also at those no test comes by."""
    for one in [*every(project), Component("base", "base", {}, {"base": project.base})]:
        for text in texts({code: value for code, value in one.code.items() if code != "samples"}):
            if text == SPREAD:
                continue
            for match in EXPRESSION.finditer(text):
                try:
                    _known(parse(match[1]))
                except Unknown as error:
                    yield f"{one.id}: {error}"


def _known(node: Node) -> None:
    if isinstance(node, Variable) and node.root not in ROOTS:
        raise Unknown(f"variable {node.root!r}")
    if isinstance(node, Call):
        if node.name not in FUNCTIONS:
            raise Unknown(f"function {node.name!r}")
        for argument in node.arguments:
            _known(argument)
    if isinstance(node, Operation):
        for operand in node.operands:
            _known(operand)
    assert isinstance(node, Literal | Variable | Call | Operation)


def test_the_app_is_whole(project: Project) -> None:
    assert faults(project) == []
    assert len(project.components("module")) == 13
    assert len(project.components("rpc")) == 4


def test_every_type_of_parameter_is_one_the_runner_knows(project: Project) -> None:
    kinds = {text for one in every(project) for text in _types(one.code)}
    assert kinds <= {*forms.CHECKS, *interface.CHECKS}


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "name" in value and isinstance(value.get("type"), str) and "{{" not in value["type"]:
            yield value["type"]
        for name, one in value.items():
            yield from _types(one) if name not in ("samples", "response", "body") else ()
    elif isinstance(value, list):
        for one in value:
            yield from _types(one)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the app to break."""
    shutil.copytree(ROOT, tmp_path / "app")
    return tmp_path / "app"


GET_PASS = "modules/get-pass/get-pass"
PLANTED = [
    ("makecomapp.json", '"endpoint": {}', '"endpoints": {}'),
    ("makecomapp.json", '"origins": []', '"origins": [{"appId": "x"}]'),
    ("makecomapp.json", '"function": {}', '"function": {"x": {"codeFiles": {}}}'),
    ("makecomapp.json", '"getPass"', '"get-pass"'),
    ("makecomapp.json", f"{GET_PASS}.scope.iml.json", f"{GET_PASS}.scopes.iml.json"),
    ("makecomapp.json", '"webhook": "passEvents"', '"webhook": "events"'),
    ("makecomapp.json", '"connection": "passrail"', '"connection": "other"'),
    ("modules/groups.json", '"getOperation"', '"getOperations"'),
    (f"{GET_PASS}.communication.iml.json", "parameters.passId", "parameter.passId"),
    (f"{GET_PASS}.communication.iml.json", "{{parameters.passId}}", "{{uuid(parameters.passId)}}"),
    (f"{GET_PASS}.communication.iml.json", "{{parameters.passId}}", "{{if(1; 2; 3)}}"),
    (f"{GET_PASS}.samples.iml.json", "customer-501", "pr_live_" + "a" * 36),
    ("modules/change-tier/change-tier.mappable-params.iml.json", "rpc://listTiers", "rpc://listLevels"),
]


@pytest.mark.parametrize(("path", "old", "new"), PLANTED, ids=[new or old for _, old, new in PLANTED])
def test_a_planted_fault_is_caught(copy: Path, path: str, old: str, new: str) -> None:
    text = (copy / path).read_text(encoding="utf-8")
    assert old in text
    (copy / path).write_text(text.replace(old, new), encoding="utf-8")
    assert faults(Project(copy))


def test_a_file_too_many_is_caught(copy: Path) -> None:
    (copy / f"{GET_PASS}.epoch.iml.json").write_text("{}")
    assert faults(Project(copy)) == [f"{GET_PASS}.epoch.iml.json is in no manifest"]


def test_the_apps_documentation_lists_every_module(project: Project) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][A-Za-z ]+) \| ", text.split("## Modules")[1].split("## Errors")[0], re.M)
    assert sorted(rows[1:]) == sorted(one.about["label"] for one in project.components("module").values())


def test_the_files_are_tidy() -> None:
    for path in ROOT.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert read_jsonc(text) == json.loads(text), "no comments that another tool would stumble over"
        assert text.endswith("\n")
        assert "\t" not in text
