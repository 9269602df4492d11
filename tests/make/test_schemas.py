"""Every file against Make's own schemas, also where Make's editor does not look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.make.iml.project import ROOT, Project

SCHEMAS = Path(__file__).parents[3] / "shared" / "make-schemas"

# The longest ending that fits decides.
BY_ENDING = {
    "makecomapp.json": "makecomapp.schema.json",
    "base.iml.json": "base.json",
    "groups.json": "groups.json",
    "communication.iml.json": "api.json",
    "attach.iml.json": "api.json",
    "detach.iml.json": "api.json",
    "update.iml.json": "api.json",
    "params.iml.json": "parameters.json",
    "static-params.iml.json": "parameters.json",
    "mappable-params.iml.json": "parameters.json",
    "interface.iml.json": "parameters.json",
    "samples.iml.json": "samples.json",
    "scope.iml.json": "scope.json",
    "required-scope.iml.json": "scope.json",
}


def files() -> list[str]:
    """Return every JSON file that is deployed."""
    found = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.json"))
    return [path for path in found if not path.startswith("blueprints/")]


def schema_of(path: str) -> str:
    """Return the name of the schema for a file."""
    name = path.rsplit("/", 1)[-1]
    ending = max((one for one in BY_ENDING if name.endswith(one)), key=len)
    return BY_ENDING[ending]


@pytest.fixture(scope="module")
def registry() -> Registry[Any]:
    """Make's schemas. They are not part of the project."""
    if not SCHEMAS.is_dir():
        pytest.skip("shared: Make's schemas are not here")
    found = [*SCHEMAS.glob("imljson/*.json"), SCHEMAS / "makecomapp.schema.json"]
    return Registry().with_resources(
        (f"file:///schemas/{path.name}", Resource.from_contents(json.loads(path.read_text()), DRAFT7)) for path in found
    )


def problems(registry: Registry[Any], schema: str, document: Any) -> list[str]:
    """Say where a document breaks a schema."""
    validator = Draft7Validator({"$ref": f"file:///schemas/{schema}"}, registry=registry)
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(document)]


def test_there_is_a_schema_for_every_file() -> None:
    assert len(files()) > 90
    for path in files():
        assert schema_of(path)


def test_every_file_is_valid(registry: Registry[Any], project: Project) -> None:
    wrong = {path: problems(registry, schema_of(path), project.read(path)) for path in files()}
    assert {path: said for path, said in wrong.items() if said} == {}


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ("api.json", {"url": "/x", "method": "POST"}),
        ("api.json", {"url": "/x", "method": "GET", "retry": 3}),
        ("base.json", {"response": {"error": {"type": "RuntimeError"}}}),
        ("parameters.json", [{"name": "a"}]),
        ("parameters.json", [{"name": "a", "type": "secret"}]),
        ("samples.json", []),
        ("groups.json", [{"label": "Events"}]),
        ("makecomapp.schema.json", {"fileVersion": 1}),
    ],
)
def test_a_planted_fault_is_caught(registry: Registry[Any], schema: str, document: Any) -> None:
    assert problems(registry, schema, document)
