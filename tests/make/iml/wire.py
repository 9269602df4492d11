"""The HTTP of one request: sent for real, with a log as Make keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from tests.make.iml.values import UNDEFINED, Unknown, iso, to_text

TIMEOUT_SECONDS = 120
SANITIZED = "[sanitized]"
REQUEST_TYPES = ("json", "text")
# What Make takes for JSON when it goes by the Content-Type. `application/problem+json` is not among them, so a
# response whose error matters must be declared as JSON.
JSON_TYPES = ("application/json", "application/x-javascript")


@dataclass(frozen=True)
class Response:
    """What expressions see of an answer."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Wire:
    """Sends requests. `hosts` leads public addresses to where the service really listens; nothing else is reachable."""

    hosts: Mapping[str, str]
    log: list[dict[str, Any]] = field(default_factory=list)

    def send(self, request: Mapping[str, Any], response_type: Any, sanitize: list[str]) -> Response:
        """Send a rendered request.

        Raises:
            requests.ConnectionError: nobody answers, or the address leads elsewhere.
        """
        headers = {name: to_text(value) for name, value in request.get("headers", {}).items()}
        body = self._body(request, headers)
        query = _query(request.get("qs", {}))
        entry: dict[str, Any] = {
            "request": {**request, "headers": headers, "qs": query, "body": request.get("body")},
        }
        answer = requests.request(
            request["method"],
            self._real(request["url"]),
            params=query,
            headers=headers,
            data=body,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=request["method"] == "GET",
        )
        named = {name.lower(): value for name, value in answer.headers.items()}
        response = Response(answer.status_code, named, _parsed(answer, response_type))
        entry["response"] = {"status": response.status, "headers": named, "body": response.body}
        self.log.append(_sanitized(entry, sanitize))
        return response

    def _real(self, url: str) -> str:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self.hosts:
            raise requests.ConnectionError(f"{origin} is not reachable")
        scheme, netloc = urlsplit(self.hosts[origin])[:2]
        return urlunsplit((scheme, netloc, parts.path, parts.query, ""))

    @staticmethod
    def _body(request: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
        kind = request.get("type", "json")
        if kind not in REQUEST_TYPES:
            raise Unknown(f"request type {kind!r}")
        body = request.get("body", UNDEFINED)
        if body is UNDEFINED or request["method"] == "GET":
            return None
        named = {name.lower() for name in headers}
        if "content-type" not in named:
            headers["content-type"] = "application/json" if kind == "json" else "text/plain"
        return json.dumps(body, default=_date).encode() if kind == "json" else to_text(body).encode()


def _date(value: Any) -> str:
    assert isinstance(value, datetime)
    return iso(value)


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    """Leave out what is empty, as Make does."""
    if nested := [name for name, value in values.items() if isinstance(value, list | dict)]:
        raise Unknown(f"a list or collection in the query: {nested}")
    return {name: to_text(value) for name, value in values.items() if to_text(value) != ""}


def _parsed(answer: requests.Response, declared: Any) -> Any:
    kind = _type_for(answer.status_code, declared)
    is_json = kind == "json" or answer.headers.get("content-type", "").split(";")[0] in JSON_TYPES
    if kind not in ("json", "automatic"):
        raise Unknown(f"response type {kind!r}")
    if is_json:
        try:
            return answer.json()
        except requests.JSONDecodeError:
            return answer.text
    return answer.text


def _type_for(status: int, declared: Any) -> str:
    """Choose from a map by status: the status itself, a range, then `*`."""
    if not isinstance(declared, dict):
        return "automatic" if declared is UNDEFINED else str(declared)
    if str(status) in declared:
        return str(declared[str(status)])
    for name, kind in declared.items():
        low, dash, high = name.partition("-")
        if dash and int(low) <= status <= int(high):
            return str(kind)
    return str(declared.get("*", "automatic"))


def _sanitized(entry: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(entry, default=to_text))
    for path in paths:
        *way, last = path.split(".")
        place: Any = copy
        for step in way:
            place = place.get(step) if isinstance(place, dict) else None
        if isinstance(place, dict) and last in place:
            place[last] = SANITIZED
    return copy
