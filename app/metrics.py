"""Figures for Prometheus at `GET /metrics`, right for any number of server processes.

With several processes each writes its figures to files in `PROMETHEUS_MULTIPROC_DIR` (`gunicorn_conf.py` sets it)
and any of them can add them up. `prometheus_client` decides at its import which way it works, and the server's
master imports this package before it has read its configuration: hence it is imported inside functions here.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Flask, Response
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.events import backlog
from app.events.backlog import Backlog
from app.observe import meters
from app.service import Service, current_service
from app.store import workers
from app.store.columns import to_milliseconds
from app.store.engine import Store
from app.store.tables import FINISHED, OPEN, deliveries, operations, troubles
from app.store.troubles import Kind

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

OPEN_STATUSES = ("running", "unknown")

_COUNT_OPEN = select(operations.c.status, func.count().label("number")).where(OPEN).group_by(operations.c.status)
_ENDED = (
    select(deliveries.c.status, func.count().label("number"))
    .where(FINISHED, deliveries.c.finished_at >= bindparam("since"))
    .group_by(deliveries.c.status)
)
_TROUBLES = select(troubles.c.kind, func.count(), func.count(troubles.c.parked_at)).group_by(troubles.c.kind)
RECENT_SECONDS = 300
HOOKS_SHOWN = 20  # of ten thousand; each is a time series of its own
ENDED_STATUSES = ("delivered", "failed", "dropped")
_log = logging.getLogger(__name__)


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

        now = self._service.clock()
        since = to_milliseconds(now - timedelta(seconds=RECENT_SECONDS))
        try:
            with self._service.store.read() as connection:
                total = backlog.of_all(connection, now)
                of_hooks = backlog.of_oldest(connection, now, HOOKS_SHOWN)
                resting = backlog.count_resting(connection)
                ended = connection.execute(_ENDED, {"since": since})
                by_status = {row.status: row.number for row in ended}
        except SQLAlchemyError:
            _log.warning("deliveries cannot be counted", exc_info=True)
            return
        yield GaugeMetricFamily(
            "passrail_deliveries_pending",
            f"Deliveries that wait, retries included. At most {backlog.COUNTED_OF_ALL} are counted.",
            value=total.pending,
        )
        yield GaugeMetricFamily(
            "passrail_deliveries_late_seconds",
            "How long the oldest has been due, of hooks that do not rest.",
            value=total.age_seconds,
        )
        yield GaugeMetricFamily("passrail_hooks_resting", "Hooks that rest: their receivers fail.", value=resting)
        yield from _by_hook(of_hooks)
        recent = GaugeMetricFamily(
            "passrail_deliveries_recent", "Deliveries that ended in the last five minutes.", labels=["status"]
        )
        for status in ENDED_STATUSES:
            recent.add_metric([status], by_status.get(status, 0))
        yield recent


def _by_hook(backlogs: Mapping[str, Backlog]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import GaugeMetricFamily

    which = f"Of the {HOOKS_SHOWN} hooks where it is longest."
    age = GaugeMetricFamily(
        "passrail_hook_backlog_age_seconds", f"How long the oldest delivery has been due. {which}", labels=["hook_id"]
    )
    pending = GaugeMetricFamily(
        "passrail_hook_backlog",
        f"Deliveries that wait, at most {backlog.COUNTED}. Of the hooks of passrail_hook_backlog_age_seconds.",
        labels=["hook_id"],
    )
    for hook_id, waiting in backlogs.items():
        age.add_metric([hook_id], waiting.age_seconds)
        pending.add_metric([hook_id], waiting.pending)
    yield age
    yield pending


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


class Workers:
    """Collector: workers that are alive, as their rows in the database tell."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Give the figures; nothing where the database cannot be reached."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        now = self._service.clock()
        try:
            with self._service.store.read() as connection:
                seen = workers.seen_at(connection)
        except SQLAlchemyError:
            _log.warning("workers cannot be counted", exc_info=True)
            return
        alive = sum(workers.is_alive(at, now) for at in seen)
        yield GaugeMetricFamily("passrail_workers", "Workers that are alive.", value=alive)
        yield GaugeMetricFamily(
            "passrail_worker_heartbeat_seconds",
            "Since a worker was last alive; infinite where none ever was.",
            value=max(0.0, (now - max(seen)).total_seconds()) if seen else math.inf,
        )


def init_app(app: Flask) -> None:
    """Add `GET /metrics`."""
    app.add_url_rule("/metrics", "metrics", show)


def show() -> Response:
    """Answer with all figures of all server processes of this machine."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.registry import CollectorRegistry

    now = CollectorRegistry()
    now.register(OpenOperations(current_service().store))
    now.register(Deliveries(current_service()))
    now.register(Troubles(current_service().store))
    now.register(Workers(current_service()))
    return Response(generate_latest(_counted()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return meters().registry
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
