"""Holds what a module puts out against its interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.make.iml.values import Unknown


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


CHECKS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "text": lambda value: isinstance(value, str),
    "url": lambda value: isinstance(value, str) and value.startswith("http"),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
    "array": lambda value: isinstance(value, list),
    "collection": lambda value: isinstance(value, dict),
}


def differences(value: Mapping[str, Any], interface: Sequence[Mapping[str, Any]], at: str = "") -> Iterator[str]:
    """Tell where a bundle has other keys than its interface, or values of another type. Null is every type's."""
    names = [one["name"] for one in interface]
    yield from (f"{at}{name} is not in the interface" for name in value if name not in names)
    yield from (f"{at}{name} is not in the bundle" for name in names if name not in value)
    for one in interface:
        found, kind = value.get(one["name"]), one["type"]
        if kind not in CHECKS:
            raise Unknown(f"interface of type {kind!r}")
        if found is None:
            continue
        here = f"{at}{one['name']}"
        if not CHECKS[kind](found):
            yield f"{here} is {found!r}, which is no {kind}"
        elif kind == "collection" and one["spec"]:
            yield from differences(found, one["spec"], f"{here}.")
        elif kind == "array":
            for item in found:
                if isinstance(one["spec"], list):
                    yield from differences(item, one["spec"], f"{here}.")
                elif not CHECKS[one["spec"]["type"]](item):
                    yield f"{here} holds {item!r}, which is no {one['spec']['type']}"
