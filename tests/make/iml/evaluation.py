"""Works out expressions, and the texts, lists and collections they stand in."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.make.iml.functions import FUNCTIONS
from tests.make.iml.parser import Call, Literal, Node, Operation, Path, parse
from tests.make.iml.values import UNDEFINED, Unknown, are_equal, is_missing, is_true, to_text

# The variables that exist somewhere. Which of them have a value depends on the place.
# fmt: off
ROOTS = frozenset((
    "parameters", "connection", "common", "data", "temp", "body", "headers", "statusCode", "item", "output",
    "iterate", "now", "environment", "scenario", "webhook", "metadata",
))
# fmt: on
SPREAD = "{{...}}"
EXPRESSION = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)

Scope = Mapping[str, Any]


def evaluate(node: Node, scope: Scope) -> Any:
    """Return the value of an expression."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Path):
        return _follow(node, scope)
    if isinstance(node, Call):
        return _call(node, scope)
    return _operate(node, scope)


def _follow(path: Path, scope: Scope) -> Any:
    if path.root not in ROOTS:
        raise Unknown(f"variable {path.root!r}")
    value: Any = datetime.now(UTC) if path.root == "now" else scope.get(path.root, UNDEFINED)
    for step in path.steps:
        if isinstance(step, str):
            if isinstance(value, list):
                raise Unknown(f"{step!r} of an array")
            value = value.get(step, UNDEFINED) if isinstance(value, dict) else UNDEFINED
        else:
            place = 1 if step is None else step
            is_there = isinstance(value, list) and 1 <= place <= len(value)
            value = value[place - 1] if is_there else UNDEFINED
    return value


def _call(call: Call, scope: Scope) -> Any:
    if call.name not in FUNCTIONS:
        raise Unknown(f"function {call.name!r}")
    if call.name == "if":
        # Only the branch that is chosen is worked out, so that `if(date, formatDate(date, ...), ...)` guards.
        condition, *branches = call.arguments
        return evaluate(branches[0 if is_true(evaluate(condition, scope)) else 1], scope)
    return FUNCTIONS[call.name](*(evaluate(argument, scope) for argument in call.arguments))


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _operate(operation: Operation, scope: Scope) -> Any:
    values = [evaluate(operand, scope) for operand in operation.operands]
    if len(values) == 1:
        return not is_true(values[0]) if operation.operator == "!" else -values[0]
    one, other = values
    match operation.operator:
        case "=":
            return are_equal(one, other)
        case "!=":
            return not are_equal(one, other)
        case "&":
            return is_true(one) and is_true(other)
        case "|":
            return is_true(one) or is_true(other)
        case "+":
            return to_text(one) + to_text(other) if isinstance(one, str) or isinstance(other, str) else one + other
    if is_missing(one) or is_missing(other):
        raise Unknown(f"{operation.operator!r} with a value that is not there")
    return ARITHMETIC[operation.operator](one, other)


def render(value: Any, scope: Scope) -> Any:
    """Fill in whatever stands in double braces; an expression that stands alone keeps the type of its value."""
    if isinstance(value, str):
        return _text(value, scope)
    if isinstance(value, list):
        return [inner for one in value if (inner := render(one, scope)) is not UNDEFINED]
    if isinstance(value, dict):
        return _collection(value, scope)
    return value


def _text(value: str, scope: Scope) -> Any:
    alone = EXPRESSION.fullmatch(value)
    if alone and "{{" not in alone[1]:
        return evaluate(parse(alone[1]), scope)
    return EXPRESSION.sub(lambda match: to_text(evaluate(parse(match[1]), scope)), value)


def _collection(value: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, inner in value.items():
        rendered = render(inner, scope)
        if name == SPREAD:
            made.update(rendered if isinstance(rendered, dict) else {})
        elif "{{" in name:
            raise Unknown(f"an expression as a key: {name!r}")
        elif rendered is not UNDEFINED:
            made[name] = rendered
    return made
