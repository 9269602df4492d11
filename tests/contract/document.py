"""The committed description of the API, read the way a client would read it.

Whatever these tests say about "every operation" or "every field" is derived from it, so that a new route or field
is tested, or fails a test, without anybody thinking of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

PATH = Path(__file__).parents[2] / "openapi" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
SAFE = ("get",)
JSON, PROBLEM = "application/json", "application/problem+json"


FORMATS = FormatChecker(["email"])


@FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def is_instant(value: object) -> bool:
    """Instants have one form here: milliseconds, UTC. (jsonschema's own check needs a further package.)"""
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None


@FORMATS.checks("uri")  # type: ignore[untyped-decorator]
def is_address(value: object) -> bool:
    """Addresses are absolute."""
    return not isinstance(value, str) or re.fullmatch(r"https?://[^\s/]+/\S+", value) is not None


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    document: Document
    method: str
    path: str
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its operationId, which names it in tables and in test IDs."""
        return str(self.raw["operationId"])

    @property
    def is_safe(self) -> bool:
        """Whether it only looks."""
        return self.method in SAFE

    @cached_property
    def parameters(self) -> list[Mapping[str, Any]]:
        """Its parameters, those of the path included."""
        shared = self.document.raw["paths"][self.path].get("parameters", [])
        return [self.document.resolve(one) for one in [*shared, *self.raw.get("parameters", [])]]

    @cached_property
    def body(self) -> Mapping[str, Any] | None:
        """The media type object of its JSON body, or None."""
        if "requestBody" not in self.raw:
            return None
        found: Mapping[str, Any] = self.document.resolve(self.raw["requestBody"])["content"][JSON]
        return found

    @cached_property
    def success(self) -> tuple[int, Mapping[str, Any]]:
        """The status and the media type object of its one success answer; an empty one where it says nothing."""
        [(status, answer)] = [item for item in self.raw["responses"].items() if item[0].startswith("2")]
        return int(status), answer["content"][JSON] if status != "204" else {}

    @property
    def errors(self) -> dict[str, Mapping[str, Any]]:
        """Its error answers by status."""
        return {status: answer for status, answer in self.raw["responses"].items() if not status.startswith("2")}


@dataclass(frozen=True)
class Document:
    """The whole description."""

    raw: Mapping[str, Any]

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation, in the document's order."""
        return tuple(
            Operation(self, method, path, item[method])
            for path, item in self.raw["paths"].items()
            for method in METHODS
            if method in item
        )

    def operation(self, operation_id: str) -> Operation:
        """Return the operation of this operationId."""
        return next(one for one in self.operations if one.id == operation_id)

    def resolve(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference, where there is one."""
        while "$ref" in part:
            found: Any = self.raw
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            part = found
        return part

    def validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        """Make a validator of a schema of this document, references and formats included."""
        return Draft202012Validator({**schema, "components": self.raw["components"]}, format_checker=FORMATS)

    def fields(self, schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Give every property below a schema with its dotted name; list items are named `name[]`."""
        schema = self.resolve(schema)
        for name, part in schema.get("properties", {}).items():
            path = f"{prefix}{name}"
            yield path, part
            inner = self.resolve(part)
            if "items" in inner:
                path, inner = f"{path}[]", self.resolve(inner["items"])
            yield from self.fields(inner, f"{path}.")


@lru_cache(maxsize=1)
def load() -> Document:
    """Read the committed description."""
    return Document(json.loads(PATH.read_text(encoding="utf-8")))
