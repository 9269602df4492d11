"""Reads IML expressions: what stands between `{{` and `}}`. In app files a comma separates arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.make.iml.values import UNDEFINED, Unknown

KEYWORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "erase": None,
    "undefined": UNDEFINED,
    "ignore": UNDEFINED,
    "emptystring": "",
    "emptyarray": [],
    "space": " ",
    "newline": "\n",
    "tab": "\t",
}
ALIASES = {"==": "=", "===": "=", "&&": "&", "||": "|"}
LEVELS = (("|",), ("&",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<string>'[^']*'|\"[^\"]*\")|(?P<quoted>`[^`]+`)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>===|==|!=|<=|>=|&&|\|\||[|&=<>+\-*/%!])|(?P<mark>[().,\[\]]))"
)


class Malformed(Unknown):
    """The text is no expression."""


@dataclass(frozen=True)
class Literal:
    """A value that stands there."""

    value: Any


@dataclass(frozen=True)
class Path:
    """A variable and the way into it: names, 1-based places, and `None` for `[]`."""

    root: str
    steps: tuple[str | int | None, ...]


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Operation:
    """An operator with one or two operands."""

    operator: str
    operands: tuple[Node, ...]


Node = Literal | Path | Call | Operation
Token = tuple[str, str]


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        Malformed: it is none; a semicolon, say, which belongs into scenarios.
    """
    reader = _Reader(_tokens(text), text)
    node = reader.level(0)
    if reader.tokens:
        raise Malformed(f"{reader.tokens[0][1]!r} is too much in {text!r}")
    return node


def _tokens(text: str) -> list[Token]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise Malformed(f"{text[place:]!r} in {text!r}")
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens, self.text = tokens, text

    def take(self, *values: str) -> str | None:
        """Take the next token if it is one of these marks or operators."""
        if self.tokens and self.tokens[0][0] in ("mark", "operator"):
            value = ALIASES.get(self.tokens[0][1], self.tokens[0][1])
            if value in values:
                self.tokens.pop(0)
                return value
        return None

    def need(self, value: str) -> None:
        if self.take(value) is None:
            raise Malformed(f"{value!r} is missing in {self.text!r}")

    def level(self, number: int) -> Node:
        if number == len(LEVELS):
            return self.single()
        node = self.level(number + 1)
        while operator := self.take(*LEVELS[number]):
            node = Operation(operator, (node, self.level(number + 1)))
        return node

    def single(self) -> Node:
        if operator := self.take("!", "-"):
            return Operation(operator, (self.single(),))
        if self.take("("):
            node = self.level(0)
            self.need(")")
            return node
        if not self.tokens:
            raise Malformed(f"something is missing in {self.text!r}")
        kind, value = self.tokens.pop(0)
        if kind == "number":
            return Literal(float(value) if "." in value else int(value))
        if kind == "string":
            return Literal(value[1:-1])
        if kind not in ("name", "quoted"):
            raise Malformed(f"{value!r} is out of place in {self.text!r}")
        if kind == "name" and self.take("("):
            return Call(value, self.arguments())
        if kind == "name" and value in KEYWORDS:
            return Literal(KEYWORDS[value])
        return Path(value.strip("`"), tuple(self.steps()))

    def arguments(self) -> tuple[Node, ...]:
        if self.take(")"):
            return ()
        found = [self.level(0)]
        while self.take(","):
            found.append(self.level(0))
        self.need(")")
        return tuple(found)

    def steps(self) -> list[str | int | None]:
        found: list[str | int | None] = []
        while mark := self.take(".", "["):
            if mark == "[" and self.take("]"):
                found.append(None)
                continue
            kind, value = self.tokens.pop(0) if self.tokens else ("nothing", "")
            if kind != "number" if mark == "[" else kind not in ("name", "quoted"):
                raise Malformed(f"{value!r} is no way into a value in {self.text!r}")
            found.append(int(value) if mark == "[" else value.strip("`"))
            if mark == "[":
                self.need("]")
        return found
