"""Which function answers which route: a decorator that is both the registration and the documentation.

Paths are PassKit's templates, `/members/member/id/{id}`. What stands in the braces, and the query of a GET, become
fields of the message that the route takes, as in the live service's gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from tests.fakes.passkit.call import Call

EMPTY = "google.protobuf.Empty"
Handler = Callable[["Call"], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A route: the messages it takes and gives, the fields it insists on, and who answers."""

    method: str
    path: str
    takes: str
    gives: str
    is_stream: bool
    required: tuple[str, ...]
    handler: Handler = field(repr=False)

    @property
    def name(self) -> str:
        """How the route is called in faults, counters and recorded requests: `PUT /members/member`."""
        return f"{self.method} {self.path}"


ROUTES: list[Route] = []
# The routes of each path template; templates with the most literal segments come first.
_BY_LITERAL: dict[str, dict[str, Route]] = {}
_BY_PATTERN: dict[int, list[tuple[tuple[str, ...], dict[str, Route]]]] = {}


def route(
    method: str, path: str, *, takes: str = EMPTY, gives: str = EMPTY, stream: bool = False, required: str = ""
) -> Callable[[Handler], Handler]:
    """Let a function answer a route.

    Args:
        method: HTTP method.
        path: path template.
        takes: full name of the message that path, query and body make together.
        gives: full name of the message answered, or of one line when `stream` is true.
        stream: whether the answer is one JSON object a line.
        required: names of fields that must be set, in the order in which they are complained about.
    """

    def register(handler: Handler) -> Handler:
        made = Route(method, path, takes, gives, stream, tuple(required.split()), handler)
        ROUTES.append(made)
        if "{" not in path:
            _BY_LITERAL.setdefault(path, {})[method] = made
            return handler
        segments = tuple(path.strip("/").split("/"))
        patterns = _BY_PATTERN.setdefault(len(segments), [])
        for known, methods in patterns:
            if known == segments:
                methods[method] = made
                break
        else:
            patterns.append((segments, {method: made}))
            patterns.sort(key=lambda pattern: sum(segment.startswith("{") for segment in pattern[0]))
        return handler

    return register


@dataclass(frozen=True, slots=True)
class Match:
    """What a path was found to be. `route` is None when the path is known, but not with this method."""

    route: Route | None
    values: Mapping[str, str]


def find(method: str, path: str) -> Match | None:
    """Find the route of a request, or None when there is no such path.

    The path is decoded before it is cut at its slashes, as Go does: an external ID with a slash in it cannot be
    asked for, however well it is encoded.
    """
    path = unquote(path)
    literal = _BY_LITERAL.get(path)
    if literal is not None and method in literal:
        return Match(literal[method], {})
    is_known = literal is not None
    segments = path.strip("/").split("/")
    for pattern, methods in _BY_PATTERN.get(len(segments), ()):
        values = _values(pattern, segments)
        if values is None:
            continue
        if method in methods:
            return Match(methods[method], values)
        is_known = True
    return Match(None, {}) if is_known else None


def _values(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not segment:
                return None
            values[wanted[1:-1]] = segment
        elif wanted != segment:
            return None
    return values
