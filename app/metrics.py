"""Figures for Prometheus at `GET /metrics`, right for any number of server processes.

With several processes each writes its figures to files in `PROMETHEUS_MULTIPROC_DIR` (`gunicorn_conf.py` sets it)
and any of them can add them up. `prometheus_client` decides at its import which way it works, and the server's
master imports this package before it has read its configuration: hence it is imported inside functions here.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.service import Service, current_service
from app.store.engine import Store
from app.store.tables import FINISHED, OPEN, deliveries, hooks, operations, troubles
from app.store.troubles import Kind
from app.store.values import to_milliseconds

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

# Seconds. Few on purpose: every bucket is a file entry for each route and process.
BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.5, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OPEN_STATUSES = ("running", "unknown")

_COUNT_OPEN = select(operations.c.status, func.count().label("number")).where(OPEN).group_by(operations.c.status)
# Of active hooks: what a paused one keeps is not late.
_PENDING = (
    select(func.count(), func.min(deliveries.c.next_attempt_at))
    .select_from(deliveries.join(hooks, hooks.c.id == deliveries.c.hook_id))
    .where(text("deliveries.status = 'pending'"), text("hooks.status = 'active'"))
)
_ENDED = (
    select(deliveries.c.status, func.count().label("number"))
    .where(FINISHED, deliveries.c.finished_at >= bindparam("since"))
    .group_by(deliveries.c.status)
)
_TROUBLES = select(troubles.c.kind, func.count(), func.count(troubles.c.parked_at)).group_by(troubles.c.kind)
RECENT_SECONDS = 300
ENDED_STATUSES = ("delivered", "failed", "dropped")
_log = logging.getLogger(__name__)


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


class OpenOperations:
    """Collector: operations that are running or of unknown outcome, as the database has them when it is asked."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Give the figure; nothing where the database cannot be reached, the other figures are still good."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        try:
            with self._store.read() as connection:
                counts = {row.status: row.number for row in connection.execute(_COUNT_OPEN)}
        except SQLAlchemyError:
            _log.warning("open operations cannot be counted", exc_info=True)
            return
        gauge = GaugeMetricFamily("passrail_operations_open", "Operations without an outcome yet.", labels=["status"])
        for status in OPEN_STATUSES:
            gauge.add_metric([status], counts.get(status, 0))
        yield gauge


class Deliveries:
    """Collector: what waits to be sent to hooks, how late it is, and what ended lately, as the database has it.

    The worker has no address of its own that could be asked.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Give the figures; nothing where the database cannot be reached."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        now = to_milliseconds(self._service.clock()) or 0
        try:
            with self._service.store.read() as connection:
                number, oldest = connection.execute(_PENDING).one()
                ended = connection.execute(_ENDED, {"since": now - RECENT_SECONDS * 1000})
                by_status = {row.status: row.number for row in ended}
        except SQLAlchemyError:
            _log.warning("deliveries cannot be counted", exc_info=True)
            return
        late = max(0.0, (now - oldest) / 1000) if oldest is not None else 0.0
        yield GaugeMetricFamily("passrail_deliveries_pending", "Deliveries that wait, retries included.", value=number)
        yield GaugeMetricFamily("passrail_deliveries_late_seconds", "How long the oldest has been due.", value=late)
        recent = GaugeMetricFamily(
            "passrail_deliveries_recent", "Deliveries that ended in the last five minutes.", labels=["status"]
        )
        for status in ENDED_STATUSES:
            recent.add_metric([status], by_status.get(status, 0))
        yield recent


class Troubles:
    """Collector: work that failed, as the database has it. The worker, where it fails, has no address to be asked."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Give the figures; nothing where the database cannot be reached."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        try:
            with self._store.read() as connection:
                counts = {kind: (number, parked) for kind, number, parked in connection.execute(_TROUBLES)}
        except SQLAlchemyError:
            _log.warning("troubles cannot be counted", exc_info=True)
            return
        waiting = GaugeMetricFamily("passrail_troubles", "Work that failed and is tried again.", labels=["kind"])
        given_up = GaugeMetricFamily("passrail_parked", "Work that waits for an operator.", labels=["kind"])
        for kind in Kind:
            number, parked = counts.get(kind.value, (0, 0))
            waiting.add_metric([kind.value], number - parked)
            given_up.add_metric([kind.value], parked)
        yield waiting
        yield given_up


def init_app(app: Flask) -> None:
    """Count every request of the application and add `GET /metrics`."""
    meters()
    app.before_request(_start)
    app.after_request(_finish)
    app.add_url_rule("/metrics", "metrics", show)


def show() -> Response:
    """Answer with all figures of all server processes of this machine."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.registry import CollectorRegistry

    now = CollectorRegistry()
    now.register(OpenOperations(current_service().store))
    now.register(Deliveries(current_service()))
    now.register(Troubles(current_service().store))
    return Response(generate_latest(_counted()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return meters().registry
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _start() -> None:
    g.metrics_started = time.perf_counter()


def _finish(response: Response) -> Response:
    started = g.get("metrics_started")
    if started is not None:
        rule = request.url_rule
        method = request.method
        meters().count_request(
            rule.rule if rule else "none",
            method if method in METHODS else "other",
            response.status_code,
            time.perf_counter() - started,
        )
    return response
