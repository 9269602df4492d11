"""Writes `shapes.json` from PassKit's official SDK: `python -m tests.fakes.passkit.describe`.

Only the messages that the fake's routes take and give, and what those contain. `tests/contract` compares the result
with the file, so that the fake cannot drift from the SDK.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from tests.fakes.passkit import handlers  # noqa: F401 (registers the routes)
from tests.fakes.passkit.routes import ROUTES
from tests.fakes.passkit.shapes import SHAPES

_SCALARS = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    8: "bool",
    9: "string",
    12: "bytes",
    13: "uint32",
}
_TIMESTAMP = "google.protobuf.Timestamp"


def describe(messages: dict[str, Any]) -> str:
    """Return the text of `shapes.json`.

    Args:
        messages: the SDK's descriptors by full name, `tests.contract.passkit_descriptors.Descriptors.messages`.
    """
    shapes: dict[str, dict[str, str]] = {}
    enums: dict[str, dict[str, int]] = {}
    waiting = [name for route in ROUTES for name in (route.takes, route.gives)]
    while waiting:
        name = waiting.pop()
        if name in shapes:
            continue
        shapes[name] = {}
        for field in messages[name].fields:
            shapes[name][field.name] = _field(field, enums, waiting)
    return _text(shapes, enums)


def _field(field: Any, enums: dict[str, dict[str, int]], waiting: list[str]) -> str:
    mark = "[] " if field.is_repeated else ""
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return "{} " + _field(kind.fields_by_name["value"], enums, waiting)
    if kind is not None:
        spelled = "time" if kind.full_name == _TIMESTAMP else kind.full_name
        if spelled != "time":
            waiting.append(spelled)
    elif field.enum_type is not None:
        spelled = field.enum_type.full_name
        enums[spelled] = {value.name: value.number for value in field.enum_type.values}
    else:
        spelled = _SCALARS[field.type]
    oneof = field.containing_oneof
    return f"{mark}{spelled}" + (f" | {oneof.name}" if oneof is not None else "")


def _text(shapes: dict[str, dict[str, str]], enums: dict[str, dict[str, int]]) -> str:
    """Write one message or enum a line, so that a new version of the SDK makes a readable difference."""
    parts = []
    for title, group in (("messages", shapes), ("enums", enums)):
        lines = [f"    {json.dumps(name)}: {json.dumps(group[name])}" for name in sorted(group)]
        parts.append(f'  "{title}": {{\n' + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Write the file."""
    # Only a developer has the SDK, and only for this.
    descriptors = importlib.import_module("tests.contract.passkit_descriptors")
    SHAPES.write_text(describe(descriptors.Descriptors().messages))


if __name__ == "__main__":
    main()
