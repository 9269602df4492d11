"""The app's files, as the manifest names them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3] / "make-module"
_COMMENT_OR_STRING = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def read_jsonc(text: str) -> Any:
    """Read JSON with comments, as Make's editor writes it."""
    return json.loads(_COMMENT_OR_STRING.sub(lambda match: match[0] if match[0].startswith('"') else "", text))


@dataclass(frozen=True)
class Component:
    """A connection, webhook, module or RPC: what the manifest says of it, and its code by the kind of code."""

    kind: str
    id: str
    about: dict[str, Any]
    code: dict[str, Any]


@dataclass
class Project:
    """An app in Make's local-development layout."""

    root: Path = field(default=ROOT)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What `makecomapp.json` says."""
        read: dict[str, Any] = self.read("makecomapp.json")
        return read

    @cached_property
    def base(self) -> dict[str, Any]:
        """What modules and RPCs inherit."""
        read: dict[str, Any] = self.read(self.manifest["generalCodeFiles"]["base"])
        return read

    def read(self, path: str) -> Any:
        """Read one of the files."""
        return read_jsonc((self.root / path).read_text(encoding="utf-8"))

    def component(self, kind: str, component_id: str) -> Component:
        """Return a component with its code."""
        return self.components(kind)[component_id]

    def components(self, kind: str) -> dict[str, Component]:
        """Return all components of a kind, in the manifest's order."""
        return {one.id: one for one in self._all if one.kind == kind}

    @cached_property
    def _all(self) -> list[Component]:
        return [
            Component(
                kind, component_id, about, {code: self.read(path) for code, path in about["codeFiles"].items() if path}
            )
            for kind, named in self.manifest["components"].items()
            for component_id, about in named.items()
        ]
