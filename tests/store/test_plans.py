"""What each list reads, in a database without statistics, as a freshly migrated one is.

What makes a list slow is reading rows that are not on the page. So each filter that docs/performance.md calls flat
names the indexes that it reads, and every other way through a large table fails; and a list reads as few rows among
many passes as among few.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from app.events import deliveries, outbox
from app.events.deliveries import DeliveryStatus
from app.model import InstallState, Mode, Status, system_clock
from app.store import operations, pages, pass_lists
from app.store.pass_lists import PassFilter
from bench import filling
from tests.world import World, make_world

LIMIT = 25
# The rows of one page may lie in as many blocks.
FEW, MANY, SLACK = 1_000, 8_000, filling.RARE
LATE = "ix_passes_expiry_untold"
STATUS, STATUS_OF_PROGRAM = "ix_passes_closed_by", "ix_passes_program_closed_by"
CLUB, TIER, SOMEBODY = filling.MEMBERSHIP, filling.COMMON_TIER, filling.SOMEBODY
RECENT = filling.LONG_AGO + timedelta(days=300)

PASSES: dict[PassFilter, set[str]] = {
    PassFilter(): {"ix_passes_install_state"},
    PassFilter(program_id=CLUB): {STATUS_OF_PROGRAM},
    PassFilter(tier_id=TIER): {"ix_passes_tier"},
    PassFilter(status=Status.ACTIVE): {STATUS, LATE},
    PassFilter(status=Status.EXPIRED): {STATUS, LATE},
    PassFilter(status=Status.REDEEMED): {STATUS},
    PassFilter(status=Status.REVOKED): {STATUS},
    PassFilter(install_state=InstallState.ISSUED): {"ix_passes_install_state"},
    PassFilter(install_state=InstallState.INSTALLED): {"ix_passes_install_state"},
    PassFilter(install_state=InstallState.UNINSTALLED): {"ix_passes_install_state"},
    PassFilter(email=SOMEBODY): {"ix_passes_email"},
    PassFilter(external_id="customer-1"): {"uq_passes_external_id"},
    PassFilter(updated_since=RECENT): {"ix_passes_updated"},
    PassFilter(program_id=CLUB, tier_id=TIER): {"ix_passes_program_tier"},
    PassFilter(program_id=CLUB, tier_id="tier_of_another"): {"ix_passes_program_tier"},
    PassFilter(program_id=CLUB, status=Status.ACTIVE): {STATUS_OF_PROGRAM, LATE},
    PassFilter(program_id=CLUB, status=Status.EXPIRED): {STATUS_OF_PROGRAM, LATE},
    PassFilter(program_id=CLUB, status=Status.REDEEMED): {STATUS_OF_PROGRAM},
    PassFilter(program_id=CLUB, status=Status.REVOKED): {STATUS_OF_PROGRAM},
    PassFilter(program_id=CLUB, email=SOMEBODY): {"ix_passes_email"},
    PassFilter(program_id=CLUB, external_id="customer-1"): {"uq_passes_external_id"},
    PassFilter(program_id=CLUB, updated_since=RECENT): {"ix_passes_program_updated"},
}
EVENTS: list[tuple[dict[str, Any], str]] = [
    ({}, "ix_events_world"),
    ({"event_type": "pass.created"}, "ix_events_type"),
    ({"event_type": "pass.redeemed"}, "ix_events_type"),
    ({"program_id": CLUB}, "ix_events_program"),
    ({"program_id": filling.SMALL}, "ix_events_program"),
    ({"program_id": CLUB, "event_type": "points.changed"}, "ix_events_program"),
    ({"pass_id": filling.pass_id(500)}, "ix_events_pass"),
]
TIMES: list[dict[str, datetime]] = [
    {},
    {"since": RECENT},
    {"until": RECENT},
    {"since": RECENT, "until": RECENT + timedelta(days=200)},
    {"since": filling.LONG_AGO + timedelta(days=900)},
]
KEYS = {"passes": {"sqlite_autoindex_passes_1", "pk_passes"}, "events": {"sqlite_autoindex_events_1", "pk_events"}}
List = Callable[[Connection, str], object]


def list_passes(wanted: PassFilter) -> List:
    return lambda connection, account_id: pass_lists.page(
        connection, account_id, Mode.TEST, wanted, now=system_clock(), cursor=None, limit=LIMIT
    )


def list_events(**query: Any) -> List:
    return lambda connection, account_id: outbox.page(
        connection, account_id, Mode.TEST, **{"before": None, "limit": LIMIT, **query}
    )


def list_deliveries(status: DeliveryStatus | None) -> List:
    return lambda connection, _: deliveries.page(connection, HOOK, status=status, before=None, limit=LIMIT)


def every_flat_list() -> Iterator[tuple[str, List, set[str]]]:
    """Give the name of each flat list, the list, and its indexes."""
    for wanted, indexes in PASSES.items():
        yield str(wanted), list_passes(wanted), indexes | KEYS["passes"]
    for query, index in EVENTS:
        for times in TIMES:
            yield f"events {query} {times}", list_events(**query, **times), {index} | KEYS["events"]
    for status, index in (
        (None, "ix_deliveries_hook"),
        (DeliveryStatus.FAILED, "ix_deliveries_undelivered"),
        (DeliveryStatus.DROPPED, "ix_deliveries_undelivered"),
    ):
        yield (
            f"deliveries {status}",
            list_deliveries(status),
            {index, "sqlite_autoindex_deliveries_1", "pk_deliveries"},
        )
    yield (
        "operation",
        lambda connection, account_id: operations.get(connection, account_id, Mode.TEST, "op_1"),
        {"sqlite_autoindex_operations_1", "pk_operations"},
    )


@contextmanager
def noted(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Note the statements that run on a connection."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield statements
    event.remove(connection, "before_cursor_execute", note)


NUMBERS = count()
LARGE = "passes|events|deliveries|operations"


def ways(connection: Connection, statement: str, parameters: Any) -> set[str]:
    """Return how a statement gets to the rows of large tables: names of indexes, or the step that uses none."""
    if connection.dialect.name == "sqlite":
        # With a text of its own: a plan that SQLite was asked for before is not made again when an index has gone.
        explain = f"EXPLAIN QUERY PLAN {statement} -- {next(NUMBERS)}"
        lines = [str(row[-1]) for row in connection.exec_driver_sql(explain, parameters)]
        steps = [line for line in lines if re.match(rf"(SEARCH|SCAN) ({LARGE})\b", line)]
        return {(re.findall(r"^SEARCH .* INDEX (\w+) \(", step) or [step])[0] for step in steps}
    lines = [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters)]
    steps = [line for line in lines if re.search(rf"Scan .*on ({LARGE}|ix_\w+|uq_\w+)\b", line)]
    by_index = r"(?:Index (?:Only )?Scan .*using|Bitmap Index Scan on) (\w+)"
    return {(re.findall(by_index, step) or [step])[0] for step in steps if "Bitmap Heap Scan" not in step}


def work_of(connection: Connection, statement: str, parameters: Any) -> int:
    """Return the work of a statement: on PostgreSQL blocks looked at, on SQLite steps of its machine, by tens.

    Blocks, not rows: a scan that reads on behind the end of its range tells of no row.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        steps = [0]

        def step() -> int:
            steps[0] += 1
            return 0

        driver.set_progress_handler(step, 10)
        connection.exec_driver_sql(statement, parameters).all()
        driver.set_progress_handler(None, 0)
        return steps[0]
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    plan = connection.exec_driver_sql(explain, parameters).scalar_one()
    top = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


HOOK = "hook_1"


def fill_deliveries(world: World) -> None:
    """Store a delivery of each event to one hook; a few have failed, and a few are dropped."""
    world.make_hook()
    statement = (
        "INSERT INTO deliveries (id, hook_id, event_id, event_type, status, attempts, tries, created_at, finished_at)"
        " SELECT 'dlv' || substr(id, 4), :hook_id, id, type, CASE WHEN type = 'pass.redeemed' AND id < 'evt_0192' THEN"
        " 'failed' WHEN type = 'pass.redeemed' THEN 'dropped' ELSE 'delivered' END, '[]', 1, created_at, created_at"
        " FROM events"
    )
    with world.service.store.write() as connection:
        connection.execute(text("UPDATE hooks SET id = :hook_id"), {"hook_id": HOOK})
        connection.execute(text(statement), {"hook_id": HOOK})


def believe_in_a_million(world: World) -> None:
    """Have PostgreSQL take its tables for large ones that it has no statistics of. It would read a small one anyhow."""
    known = "UPDATE pg_class SET reltuples = 1e6, relpages = pg_relation_size(oid) / 8192 WHERE relname = :name"
    with world.service.store.write() as connection:
        for table in LARGE.split("|"):
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            connection.execute(
                text("DELETE FROM pg_statistic WHERE starelid = CAST(:name AS regclass)"), {"name": table}
            )
            connection.execute(text(known), {"name": table})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """Give a world with few passes and one with many, without statistics."""
    made = []
    for total in (FEW, MANY):
        address = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
        world = make_world(tmp_path_factory.mktemp("lists"), address)
        filling.fill(world.service.store, world.account.id, total)
        fill_deliveries(world)
        if address:
            believe_in_a_million(world)
        made.append(world)
    yield made
    for world in made:
        world.service.store.close()


def unexpected(world: World) -> list[str]:
    """Return the ways into large tables that no list names."""
    found = []
    with world.service.store.read() as connection:
        for name, listed, indexes in every_flat_list():
            with noted(connection) as statements:
                listed(connection, world.account.id)
            used = set.union(*(ways(connection, *one) for one in list(statements)))
            found += [f"{name}: {way}" for way in used - indexes]
            found += [f"{name}: not by {index}" for index in indexes - used if index.startswith(("ix", "uq"))]
    return found


def test_flat_lists_are_read_from_their_indexes_alone(worlds: list[World]) -> None:
    for world in worlds:
        assert not unexpected(world), unexpected(world)


def test_statistics_of_sqlite_change_no_plan(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    filling.fill(world.service.store, world.account.id, FEW)
    fill_deliveries(world)
    with world.service.store.write() as connection:
        connection.execute(text("ANALYZE"))
    found = unexpected(world)
    assert not found, found


def test_a_list_without_its_index_is_noticed(worlds: list[World]) -> None:
    world = worlds[0]
    with world.service.store.write() as connection:
        connection.execute(text("DROP INDEX ix_events_pass"))
    found = unexpected(world)
    with world.service.store.write() as connection:
        connection.execute(text("CREATE INDEX ix_events_pass ON events (pass_id, id)"))
    if not world.service.store.is_sqlite:
        believe_in_a_million(world)
    assert any("pass_id" in one for one in found), found
    assert not any("pass_id" not in one for one in found), found


def work(world: World, listed: List) -> int:
    with world.service.store.read() as connection:
        with noted(connection) as statements:
            listed(connection, world.account.id)
        return sum(work_of(connection, *one) for one in list(statements))


def test_flat_lists_read_as_much_among_many_passes_as_among_few(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page with a bound in time looks for the end of what it may look at; the smaller world has as many.
    monkeypatch.setattr(pages, "SCANNED", 100)
    grown = []
    for name, listed, _ in every_flat_list():
        few, many = (work(world, listed) for world in worlds)
        if many > 1.2 * few + SLACK:
            grown.append((name, few, many))
    assert not grown, grown


def test_a_list_that_reads_more_among_many_passes_is_noticed(worlds: list[World]) -> None:
    def unindexed_email(connection: Connection, _account: str) -> object:
        return connection.execute(text("SELECT count(*) FROM passes WHERE email || '' = 'x'")).all()

    few, many = (work(world, unindexed_email) for world in worlds)
    assert many > 1.2 * few + SLACK
