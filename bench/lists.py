"""Lists among very many passes: a page of 100 must take as long among a million as among a thousand.

Two servers run, one on each database, and every request is sent to both, one after the other. Which index a filter
uses depends on the number of rows, so a filter that is not flat is shown with the database's plan for it.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import event

from app.answer import to_text
from app.model import InstallState, Mode, Status, system_clock
from app.store import pass_lists
from app.store.engine import Store
from bench import filling
from bench.databases import TITLES, Database, databases
from bench.figures import BenchFailed
from bench.report import judged, say, show_table
from bench.servers import SERVICE, Server, serving

SMALL, LARGE = 1_000, 1_000_000
LIMIT = 100
LEAST_SAMPLES = 5
GOAL = 1.5
DEFAULT = "(none)"
CONVERTED: dict[str, type[StrEnum]] = {"status": Status, "install_state": InstallState}


def cases(total: int) -> dict[str, dict[str, Any]]:
    """Return what the list is asked for in a database of `total` passes: name and query parameters."""
    recent, long_ago = filling.changed_after(), filling.LONG_AGO
    middle = {"cursor": filling.pass_id(total // 2)}
    return {
        DEFAULT: {},
        "cursor in the middle": middle,
        "program_id, half of all": {"program_id": filling.MEMBERSHIP},
        "program_id, rare": {"program_id": filling.SMALL},
        "program_id, half of all, cursor": {"program_id": filling.MEMBERSHIP, **middle},
        "tier_id, a third of all": {"tier_id": filling.COMMON_TIER},
        "tier_id, rare": {"tier_id": filling.RARE_TIER},
        "program_id + tier_id, rare": {"program_id": filling.MEMBERSHIP, "tier_id": filling.RARE_TIER},
        "status active": {"status": "active"},
        "status redeemed, rare": {"status": "redeemed"},
        "status revoked, rare": {"status": "revoked"},
        "status expired, rare": {"status": "expired"},
        "program_id + status revoked, rare": {"program_id": filling.MEMBERSHIP, "status": "revoked"},
        "install_state installed": {"install_state": "installed"},
        "install_state uninstalled, rare": {"install_state": "uninstalled"},
        "email, 120 passes": {"email": filling.SOMEBODY},
        "email, nobody's": {"email": "nobody@example.com"},
        "program_id + email, 60 passes": {"program_id": filling.MEMBERSHIP, "email": filling.SOMEBODY},
        "external_id": {"external_id": f"customer-{total // 2}"},
        "external_id, nobody's": {"external_id": "nobody"},
        "program_id + external_id, nobody's": {"program_id": filling.MEMBERSHIP, "external_id": "nobody"},
        "updated_since, rare": {"updated_since": recent},
        "updated_since, all": {"updated_since": long_ago},
        "program_id + updated_since, rare": {"program_id": filling.MEMBERSHIP, "updated_since": recent},
        "status active + updated_since, all": {"status": "active", "updated_since": long_ago},
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """One case: the milliseconds half of the requests took at most, at both sizes."""

    name: str
    small_ms: float
    large_ms: float
    small_found: int
    large_found: int
    plan: str

    @property
    def ratio(self) -> float:
        """How many times as long it takes in the large database."""
        return self.large_ms / self.small_ms


def run(kind: str, *, seconds: float, sizes: tuple[int, int] = (SMALL, LARGE)) -> list[Measured]:
    """Measure on one kind of database and print the table.

    Args:
        kind: of database.
        seconds: for each case.
        sizes: passes in the two databases.
    """
    small, large = sizes
    with databases(kind) as new_database:
        filled = [new_database(), new_database()]
        for database, total in zip(filled, sizes, strict=True):
            begun = time.perf_counter()
            filling.fill(database, total)
            say(f"Lists on {TITLES[kind]}: stored {total} passes in {time.perf_counter() - begun:.1f} s.")
        with (
            serving(SERVICE, filled[0].environment, filled[0].folder, "/healthz") as first,
            serving(SERVICE, filled[1].environment, filled[1].folder, "/healthz") as second,
        ):
            pages = [Pages(first, filled[0].key), Pages(second, filled[1].key)]
            found = []
            for (name, for_small), for_large in zip(cases(small).items(), cases(large).values(), strict=True):
                plan = plan_of(filled[1], for_large)
                found.append(_measure(name, pages, [for_small, for_large], plan, seconds))
                say(f"  {name}: {found[-1].small_ms:.1f} ms, {found[-1].large_ms:.1f} ms")
    _show(f"{TITLES[kind]}: GET /v1/passes?limit={LIMIT}, {large} passes against {small}", found, sizes)
    return found


class Pages:
    """A client that asks one server for pages, over one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, query: Mapping[str, Any]) -> tuple[float, bytes]:
        """Ask for a page; return the seconds it took, and the answer.

        Raises:
            BenchFailed: the answer is not a page.
        """
        texts = {name: value if isinstance(value, str) else to_text(value) for name, value in query.items()}
        path = f"/v1/passes?{urlencode({'limit': LIMIT, **texts})}"
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchFailed(f"GET {path} answers {answer.status}: {body!r}")
        return time.perf_counter() - begun, body


def plan_of(database: Database, query: Mapping[str, Any]) -> str:
    """Return how the database runs the query of a page."""
    wanted: dict[str, Any] = {
        name: CONVERTED[name](value) if name in CONVERTED else value
        for name, value in query.items()
        if name != "cursor"
    }
    statements: list[tuple[str, Any]] = []
    with database.store() as store, store.read() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
            statements.append((statement, parameters))

        pass_lists.page(
            connection,
            database.account.id,
            Mode.TEST,
            pass_lists.PassFilter(**wanted),
            now=system_clock(),
            cursor=query.get("cursor"),
            limit=LIMIT + 1,
        )
        statement, parameters = statements[-1]
        return _explain(store, connection, statement, parameters)


def _explain(store: Store, connection: Any, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN (COSTS OFF)"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    return "; ".join(str(row[-1]).strip() for row in rows)


def _measure(
    name: str, pages: Sequence[Pages], queries: Sequence[Mapping[str, Any]], plan: str, seconds: float
) -> Measured:
    found = [page.get(query)[1].count(b'"pass_url"') for page, query in zip(pages, queries, strict=True)]
    taken: list[list[float]] = [[], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[0]) < LEAST_SAMPLES:
        for page, query, durations in zip(pages, queries, taken, strict=True):
            durations.append(page.get(query)[0] * 1000)
    return Measured(name, median(taken[0]), median(taken[1]), found[0], found[1], plan)


def _show(title: str, found: Sequence[Measured], sizes: tuple[int, int]) -> None:
    rows = []
    for one in found:
        goal = [f"<= {GOAL}", judged(one.ratio <= GOAL)] if one.name == DEFAULT else ["-", _flat(one)]
        rows.append([one.name, f"{one.small_ms:.1f}", f"{one.large_ms:.1f}", f"{one.ratio:.2f}", *goal])
    show_table(title, ["filter", f"p50 ms at {sizes[0]}", f"p50 ms at {sizes[1]}", "ratio", "goal", ""], rows)
    for one in found:
        if one.ratio > GOAL:
            say(f"Not flat: {one.name} ({one.small_found} and {one.large_found} found): {one.plan}")


def _flat(one: Measured) -> str:
    return "flat" if one.ratio <= GOAL else "NOT FLAT"
