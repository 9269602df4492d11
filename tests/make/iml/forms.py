"""The form of a module: what a user put in becomes `parameters`, or is refused as the form would refuse it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.make.iml.values import UNDEFINED, Unknown

Parameter = dict[str, Any]
# Calls an RPC: its ID, and the values it is given.
Rpc = Callable[[str, Mapping[str, Any]], list[Any]]

# fmt: off
KNOWN_KEYS = frozenset((
    "name", "label", "help", "type", "required", "default", "advanced", "multiple", "mode", "editable", "options",
    "spec", "validate", "labels", "nested",
))
# fmt: on


@dataclass(frozen=True)
class Mapped:
    """A value that is mapped into a select, and so need not be one of its options."""

    value: Any


ERASE = Mapped(None)


class Refused(Exception):
    """The form does not take this."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "text": lambda value: isinstance(value, str),
    "password": lambda value: isinstance(value, str),
    "url": lambda value: isinstance(value, str) and value.startswith(("http://", "https://")),
    "email": lambda value: isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None,
    "number": _is_number,
    "uinteger": lambda value: isinstance(value, int) and _is_number(value) and value >= 0,
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, datetime),
    "select": lambda value: isinstance(value, str | int | bool),
    "collection": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def fill_in(
    parameters: Sequence[Parameter | str], given: Mapping[str, Any], rpc: Rpc, *, may_erase: bool
) -> dict[str, Any]:
    """Return what the module sees of a form into which `given` was put.

    Raises:
        Refused: a required field is empty, a value does not fit, or there is no such field.
    """
    form = _Form(given, rpc, may_erase)
    form.walk(parameters)
    if left := set(given) - form.seen:
        raise Refused(f"the form has no {sorted(left)}")
    return form.values


class _Form:
    def __init__(self, given: Mapping[str, Any], rpc: Rpc, may_erase: bool) -> None:
        self.given, self.rpc, self.may_erase = given, rpc, may_erase
        self.values: dict[str, Any] = {}
        self.seen: set[str] = set()
        self.context: dict[str, Any] = {}

    def walk(self, parameters: Sequence[Parameter | str]) -> None:
        for one in parameters:
            if isinstance(one, str):
                self.walk(self.ask(one))
            else:
                self.take(one)

    def ask(self, address: str) -> list[Any]:
        """Call the RPC of an address such as `rpc://listPrograms?kind=membership`."""
        name, _, query = address.removeprefix("rpc://").partition("?")
        return self.rpc(name, {**self.context, **self.values, **dict(parse_qsl(query))})

    def take(self, parameter: Parameter) -> None:
        if unknown := set(parameter) - KNOWN_KEYS:
            raise Unknown(f"{sorted(unknown)} of a parameter")
        name, kind = parameter["name"], parameter["type"]
        if kind not in CHECKS:
            raise Unknown(f"parameter of type {kind!r}")
        self.seen.add(name)
        value = self.given.get(name, parameter.get("default", UNDEFINED))
        if value == "" or value is UNDEFINED:
            if parameter.get("required"):
                raise Refused(f"{name} is required")
            return
        if value is ERASE:
            if not self.may_erase or parameter.get("required"):
                raise Refused(f"{name} cannot be erased")
            self.values[name] = None
            return
        self.values[name] = self.checked(parameter, value)
        nested = parameter["options"].get("nested") if isinstance(parameter.get("options"), dict) else None
        if nested is not None:
            self.walk(nested)

    def checked(self, parameter: Parameter, value: Any) -> Any:
        name, kind = parameter["name"], parameter["type"]
        if isinstance(value, Mapped):
            return value.value
        for one in value if parameter.get("multiple") else [value]:
            if not CHECKS[kind](one):
                raise Refused(f"{name}: {one!r} is no {kind}")
            _validate(name, parameter.get("validate", {}), one)
            if kind == "select" and one not in self.options(parameter["options"]):
                raise Refused(f"{name}: {one!r} cannot be chosen")
        if kind == "collection":
            return self.inner(parameter.get("spec", []), value)
        if kind == "array" and isinstance(parameter["spec"], dict):
            return [self.inner(parameter["spec"]["spec"], one) for one in value]
        return value

    def options(self, options: Any) -> list[Any]:
        store = options["store"] if isinstance(options, dict) else options
        return [one["value"] for one in (self.ask(store) if isinstance(store, str) else store)]

    def inner(self, spec: Sequence[Parameter | str], given: Mapping[str, Any]) -> dict[str, Any]:
        form = _Form(given, self.rpc, self.may_erase)
        form.context = {**self.context, **self.values}
        form.walk(spec)
        if left := set(given) - form.seen:
            raise Refused(f"the form has no {sorted(left)}")
        return form.values


def _validate(name: str, rules: Mapping[str, Any], value: Any) -> None:
    if unknown := set(rules) - {"min", "max", "pattern"}:
        raise Unknown(f"{sorted(unknown)} of validate")
    size = len(value) if isinstance(value, str) else value
    if "pattern" in rules and not re.search(rules["pattern"], value):
        raise Refused(f"{name}: {value!r} has not the right form")
    if ("min" in rules and size < rules["min"]) or ("max" in rules and size > rules["max"]):
        raise Refused(f"{name}: {value!r} is too long, too small or too large")
