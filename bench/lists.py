"""Lists among very many passes and events: a page must take as long among a million passes as among a thousand.

A server runs on each database, and every request is sent to all of them, one after the other.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import urlencode

from app.answer import to_text
from app.model import system_clock
from bench import filling
from bench.databases import TITLES, Database, databases
from bench.figures import BenchFailed
from bench.report import judged, say, show_table
from bench.servers import SERVICE, Server, serving

SIZES = (1_000, 100_000, 1_000_000)
LIMIT = 100
LEAST_SAMPLES = 5
GOAL, BOUND_MS = 1.5, 30
DEFAULT = "(none)"


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for. `is_flat`: docs/performance.md says that its cost does not depend on how much there is."""

    path: str
    query: dict[str, Any]
    is_flat: bool = True


def cases(total: int) -> dict[str, Case]:
    """Return what is asked for in a database of `total` passes, by name."""
    flat = {**_passes(total), **_events(total)}
    some = filling.pass_id(total // 2)
    return {
        **{name: Case(path, query) for name, (path, query) in flat.items()},
        "history of a pass": Case(f"/v1/passes/{some}/history", {}),
        "operation": Case(f"/v1/operations/op_{some[5:]}", {"limit": None}),
        **{name: Case("/v1/passes", query, is_flat=False) for name, query in BOUNDED.items()},
        "events of a pass, by type": Case("/v1/events", {"pass_id": some, "type": "pass.redeemed"}, is_flat=False),
    }


# No index has what these ask for. Hardly any pass has both, though many have one.
BOUNDED: dict[str, dict[str, Any]] = {
    "program_id + install_state, rare": {"program_id": filling.MEMBERSHIP, "install_state": "uninstalled"},
    "program_id + status + install_state": {
        "program_id": filling.COUPON,
        "status": "active",
        "install_state": "uninstalled",
    },
    "tier_id + status revoked": {"tier_id": filling.COMMON_TIER, "status": "revoked"},
    "status active + install_state": {"status": "active", "install_state": "uninstalled"},
    "status redeemed + updated_since, all": {"status": "redeemed", "updated_since": filling.LONG_AGO},
}


def _events(total: int) -> dict[str, tuple[str, dict[str, Any]]]:
    middle = filling.LONG_AGO + timedelta(days=365)
    kinds: dict[str, dict[str, Any]] = {
        "events": {},
        "events, type": {"type": "points.changed"},
        "events, type, rare": {"type": "pass.redeemed"},
        "events, program_id": {"program_id": filling.MEMBERSHIP},
        "events, program_id, rare": {"program_id": filling.SMALL},
        "events, program_id + type": {"program_id": filling.MEMBERSHIP, "type": "points.changed"},
        "events, pass_id": {"pass_id": filling.pass_id(total // 2)},
    }
    times: dict[str, dict[str, Any]] = {
        "": {},
        ", since: none (a poll)": {"since": system_clock() - timedelta(minutes=1)},
        ", since": {"since": middle},
        ", until": {"until": middle},
    }
    return {
        f"{kind}{time}": ("/v1/events", {**query, **bounds})
        for kind, query in kinds.items()
        for time, bounds in times.items()
    }


def _passes(total: int) -> dict[str, tuple[str, dict[str, Any]]]:
    recent, long_ago = filling.changed_after(), filling.LONG_AGO
    middle = {"cursor": filling.pass_id(total // 2)}
    queries: dict[str, dict[str, Any]] = {
        DEFAULT: {},
        "cursor in the middle": middle,
        "program_id, half of all": {"program_id": filling.MEMBERSHIP},
        "program_id, rare": {"program_id": filling.SMALL},
        "program_id, half of all, cursor": {"program_id": filling.MEMBERSHIP, **middle},
        "tier_id, a third of all": {"tier_id": filling.COMMON_TIER},
        "tier_id, rare": {"tier_id": filling.RARE_TIER},
        "program_id + tier_id, rare": {"program_id": filling.MEMBERSHIP, "tier_id": filling.RARE_TIER},
        "program_id + tier_id, of another": {"program_id": filling.COUPON, "tier_id": filling.COMMON_TIER},
        "status active": {"status": "active"},
        "status redeemed, rare": {"status": "redeemed"},
        "status revoked, rare": {"status": "revoked"},
        "status expired, rare": {"status": "expired"},
        "program_id + status active": {"program_id": filling.MEMBERSHIP, "status": "active"},
        "program_id + status revoked, rare": {"program_id": filling.MEMBERSHIP, "status": "revoked"},
        "program_id + status expired, rare": {"program_id": filling.MEMBERSHIP, "status": "expired"},
        "install_state issued": {"install_state": "issued"},
        "install_state installed": {"install_state": "installed"},
        "install_state uninstalled, rare": {"install_state": "uninstalled"},
        "email, 120 passes": {"email": filling.SOMEBODY},
        "email, nobody's": {"email": "nobody@example.com"},
        "program_id + email, 60 passes": {"program_id": filling.MEMBERSHIP, "email": filling.SOMEBODY},
        "external_id": {"external_id": f"customer-{total // 2}"},
        "external_id, nobody's": {"external_id": "nobody"},
        "program_id + external_id, nobody's": {"program_id": filling.MEMBERSHIP, "external_id": "nobody"},
        "updated_since, none (a poll)": {"updated_since": system_clock() + timedelta(hours=1)},
        "updated_since, rare": {"updated_since": recent},
        "updated_since, all": {"updated_since": long_ago},
        "program_id + updated_since, rare": {"program_id": filling.MEMBERSHIP, "updated_since": recent},
        "program_id + updated_since, all": {"program_id": filling.MEMBERSHIP, "updated_since": long_ago},
    }
    return {name: ("/v1/passes", query) for name, query in queries.items()}


@dataclass(frozen=True, slots=True)
class Measured:
    """One case: the milliseconds half of the requests took at most, and the items found, at each size."""

    name: str
    is_flat: bool
    taken_ms: list[float]
    found: list[int]

    @property
    def ratio(self) -> float:
        """How many times as long it takes in the largest database as in the smallest."""
        return self.taken_ms[-1] / self.taken_ms[0]

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached: flat, or a bounded time."""
        return self.ratio <= GOAL if self.is_flat else self.taken_ms[-1] <= BOUND_MS


def run(kind: str, *, seconds: float, sizes: Sequence[int] = SIZES) -> list[Measured]:
    """Measure on one kind of database and print the table.

    Args:
        kind: of database.
        seconds: for each case.
        sizes: passes in the databases, the smallest first.
    """
    with databases(kind) as new_database, ExitStack() as servers:
        pages = []
        for total in sizes:
            database = new_database()
            begun = time.perf_counter()
            _fill(database, total)
            say(f"Lists on {TITLES[kind]}: stored {total} passes in {time.perf_counter() - begun:.1f} s.")
            server = servers.enter_context(serving(SERVICE, database.environment, database.folder, "/healthz"))
            pages.append(Pages(server, database.key))
        found = []
        for name, *of_each in zip(cases(sizes[0]), *(cases(total).values() for total in sizes), strict=True):
            found.append(_measure(name, pages, of_each, seconds))
            say(f"  {name}: {', '.join(f'{taken:.1f}' for taken in found[-1].taken_ms)} ms")
    _show(f"{TITLES[kind]}: a page of {LIMIT} among {', '.join(map(str, sizes))} passes", found, sizes)
    return found


def _fill(database: Database, total: int) -> None:
    with database.store() as store:
        filling.fill(store, database.account.id, total)
        if not store.is_sqlite:
            # Its autovacuum does so by itself after a while; SQLite is measured as it is, without statistics.
            with store.read() as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")


class Pages:
    """A client that asks one server for pages, over one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, case: Case) -> tuple[float, bytes]:
        """Ask for a page; return the seconds it took, and the answer.

        Raises:
            BenchFailed: the answer is not a page.
        """
        query = {"limit": LIMIT, **case.query}
        texts = {name: to_text(value) if isinstance(value, datetime) else value for name, value in query.items()}
        path = f"{case.path}?{urlencode({name: value for name, value in texts.items() if value is not None})}"
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchFailed(f"GET {path} answers {answer.status}: {body!r}")
        return time.perf_counter() - begun, body


def _measure(name: str, pages: Sequence[Pages], of_each: Sequence[Case], seconds: float) -> Measured:
    asked = list(zip(pages, of_each, strict=True))
    found = [len(json.loads(page.get(case)[1]).get("data", ())) for page, case in asked]
    taken: list[list[float]] = [[] for _ in asked]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[0]) < LEAST_SAMPLES:
        for (page, case), durations in zip(asked, taken, strict=True):
            durations.append(page.get(case)[0] * 1000)
    return Measured(name, of_each[0].is_flat, [median(durations) for durations in taken], found)


def _show(title: str, found: Sequence[Measured], sizes: Sequence[int]) -> None:
    rows = []
    for one in found:
        goal = f"ratio <= {GOAL}" if one.is_flat else f"<= {BOUND_MS} ms"
        rows.append(
            [one.name, *(f"{taken:.1f}" for taken in one.taken_ms), f"{one.ratio:.2f}", goal, judged(one.is_reached)]
        )
    show_table(title, ["asked for", *(f"p50 ms at {total}" for total in sizes), "ratio", "goal", ""], rows)
