"""What a communication file says is done: the request, what is made of the answer, further pages, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.make.iml.evaluation import render
from tests.make.iml.values import UNDEFINED, Unknown, is_true, pruned
from tests.make.iml.wire import Response, Wire

PAGES_MAX = 50
# fmt: off
ERROR_TYPES = frozenset((
    "RuntimeError", "DataError", "RateLimitError", "OutOfSpaceError", "ConnectionError",
    "InvalidConfigurationError", "InvalidAccessTokenError", "IncompleteDataError", "DuplicateDataError",
))
# fmt: on
DIRECTIVES = frozenset(("url", "method", "headers", "qs", "body", "type", "condition", "pagination", "response", "log"))
RESPONSE_DIRECTIVES = frozenset(("type", "valid", "error", "iterate", "output", "limit", "data", "metadata"))
BASE_DIRECTIVES = frozenset(("baseUrl", "headers", "response", "log"))
PAGINATION_DIRECTIVES = frozenset(("condition", "qs"))


class ModuleError(Exception):
    """The module ends with an error: what the user sees, and the type that decides what the scenario does."""

    def __init__(self, kind: str, message: str) -> None:
        if kind not in ERROR_TYPES:
            raise Unknown(f"error type {kind!r}")
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


@dataclass
class Outcome:
    """What came of it: the bundles, and what a connection or webhook keeps."""

    bundles: list[Any]
    data: dict[str, Any]
    metadata: dict[str, Any]


def known(given: Mapping[str, Any], directives: frozenset[str], where: str) -> None:
    """Refuse what the runner does not know.

    Raises:
        Unknown: there is another directive.
    """
    if unknown := set(given) - directives:
        raise Unknown(f"{sorted(unknown)} in {where}")


def inherit(base: Mapping[str, Any], communication: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with what it inherits; its own word wins."""
    known(base, BASE_DIRECTIVES, "base")
    merged = {**communication}
    merged["headers"] = {**base.get("headers", {}), **communication.get("headers", {})}
    merged["response"] = {**base.get("response", {}), **communication.get("response", {})}
    merged["log"] = {"sanitize": base["log"]["sanitize"] + communication.get("log", {}).get("sanitize", [])}
    if communication["url"].startswith("/"):
        merged["url"] = base["baseUrl"] + communication["url"]
    return merged


def perform(communication: Mapping[str, Any], scope: Mapping[str, Any], wire: Wire) -> Outcome:
    """Do what a communication says.

    Raises:
        ModuleError: the service refused, or its answer is not valid.
    """
    known(communication, DIRECTIVES, "a communication")
    directives = communication.get("response", {})
    known(directives, RESPONSE_DIRECTIVES, "response")
    condition = communication.get("condition", True)
    if isinstance(condition, dict) and not is_true(render(condition["condition"], scope)):
        return Outcome(list(condition["default"]), {}, {})
    limit = render(directives.get("limit", UNDEFINED), scope)
    outcome = Outcome([], {}, {})
    query: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        response = _send(communication, query, scope, wire)
        seen = {**scope, "body": response.body, "headers": response.headers, "statusCode": response.status}
        _judge(directives, response, seen)
        outcome.bundles += _bundles(directives, seen)
        outcome.data |= render(directives.get("data", {}), seen)
        outcome.metadata |= render(directives.get("metadata", {}), seen)
        if limit is not UNDEFINED and len(outcome.bundles) >= limit:
            return Outcome(outcome.bundles[:limit], outcome.data, outcome.metadata)
        pagination = communication.get("pagination", {})
        known(pagination, PAGINATION_DIRECTIVES, "pagination")
        if not pagination or not is_true(render(pagination["condition"], seen)):
            break
        query = render(pagination["qs"], seen)
    return outcome


def _send(communication: Mapping[str, Any], query: Mapping[str, Any], scope: Mapping[str, Any], wire: Wire) -> Response:
    fixed = {
        name: communication[name]
        for name in ("url", "method", "headers", "qs", "body", "type")
        if name in communication
    }
    request = pruned(render(fixed, scope))
    request["qs"] = {**request.get("qs", {}), **query}
    return wire.send(
        request,
        communication.get("response", {}).get("type", UNDEFINED),
        communication.get("log", {}).get("sanitize", []),
    )


def _judge(directives: Mapping[str, Any], response: Response, seen: Mapping[str, Any]) -> None:
    if response.status >= 400:
        error = directives["error"]
        chosen = error.get(str(response.status), error)
        raise ModuleError(render(chosen["type"], seen), render(chosen["message"], seen))
    valid = directives.get("valid", {"condition": True})
    if not is_true(render(valid["condition"], seen)):
        raise ModuleError(valid["type"], render(valid["message"], seen))


def _bundles(directives: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Any]:
    output = directives.get("output", UNDEFINED)
    iterate = directives.get("iterate", UNDEFINED)
    if iterate is UNDEFINED:
        return [] if output is UNDEFINED else [render(output, seen)]
    container, condition = (
        (iterate["container"], iterate["condition"]) if isinstance(iterate, dict) else (iterate, True)
    )
    items = render(container, seen)
    if not isinstance(items, list):
        raise Unknown(f"iterate over {items!r}")
    scopes = [{**seen, "item": item} for item in items]
    return [render(output, one) for one in scopes if is_true(render(condition, one))]
