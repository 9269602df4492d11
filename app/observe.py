"""One log line and one count for every request, by one clock.

Log lines travel further than the database does. So the line of a request carries IDs and the *rule* of its route only:
the real path can be the secret address of a pass.
"""

from __future__ import annotations

import logging
import sys
import time
from functools import lru_cache
from typing import Any

import orjson
from flask import Flask, Request, Response, g, request

from app.model import IdKind, new_id

REQUEST_ID_HEADER = "X-Request-ID"
# Seconds. Few on purpose: every bucket is a file entry for each route and process.
BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.5, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REQUESTS = logging.getLogger("passrail.request")


def init_app(app: Flask) -> None:
    """Give every request an ID, a log line and a count. Call it first: the first `after_request` is the last to run."""
    meters()
    app.before_request(_start)
    app.after_request(_finish)


def _start() -> None:
    g.request_id = new_id(IdKind.REQUEST)
    g.request_started = time.perf_counter()


def _finish(response: Response) -> Response:
    context = g._get_current_object()
    request_id = context.get("request_id")
    if request_id is None:  # the request failed before it began
        return response
    response.headers[REQUEST_ID_HEADER] = request_id
    seconds = time.perf_counter() - context.request_started
    current = request._get_current_object()  # type: ignore[attr-defined]
    route, method = current.url_rule.rule if current.url_rule else None, method_of(current)
    meters().count_request(route or "none", method, response.status_code, seconds)
    if not _REQUESTS.isEnabledFor(logging.INFO):
        return response
    fields = {
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 2),
    }
    caller = context.get("caller")
    if caller is not None:
        fields["account_id"] = caller.account_id
        fields["mode"] = str(caller.mode)
    if operation_id := context.get("operation_id"):
        fields["operation_id"] = operation_id
    fields.update(context.get("refusal", ()))
    _write_request(fields)
    return response


def method_of(current: Request) -> str:
    """Return the method of a request; of those that nobody has a use for, `other`."""
    return current.method if current.method in METHODS else "other"


def _write_request(fields: dict[str, Any]) -> None:
    """Write the line of a request past the handlers, which cost three times as much as the line itself.

    All its values are ours, so that there is nothing to scrub; it is one write, so that lines do not mix.
    """
    line = {"time": time_text(time.time()), "level": "info", "logger": _REQUESTS.name, "message": "request", **fields}
    sys.stdout.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def time_text(created: float) -> str:
    """Write an instant, in seconds since 1970, as it stands in log lines."""
    return f"{_second(int(created))}.{int(created % 1 * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class Meters:
    """What is counted in this process. `count_request` finds its counters in dicts: `labels()` is slow."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        self._requests = Counter(
            "passrail_requests",
            "Requests answered. `route` is the rule of the address, `none` where there is no such address.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "passrail_request_seconds",
            "Seconds until a request was answered.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._operations = Counter(
            "passrail_operations",
            "Actions done or refused, by outcome.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self._requests_by_labels: dict[tuple[str, str, int], Counter] = {}
        self._seconds_by_route: dict[str, Histogram] = {}

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        labels = (route, method, status)
        counter = self._requests_by_labels.get(labels)
        if counter is None:
            counter = self._requests_by_labels[labels] = self._requests.labels(route, method, str(status))
        counter.inc()
        histogram = self._seconds_by_route.get(route)
        if histogram is None:
            histogram = self._seconds_by_route[route] = self._seconds.labels(route)
        histogram.observe(seconds)

    def count_operation(self, action: str, outcome: str) -> None:
        """Count one operation that came to an end."""
        self._operations.labels(action, outcome).inc()


@lru_cache(maxsize=1)
def meters() -> Meters:
    """Return the meters of this process; the first call decides between one process and several.

    That call is `init_app`'s: of two threads that both come first each would get meters of its own, and figures
    would be lost.
    """
    return Meters()


def count_operation(action: str, outcome: str) -> None:
    """Count an operation: its action's name and how it ended, `succeeded` or the code of the problem."""
    meters().count_operation(action, outcome)
