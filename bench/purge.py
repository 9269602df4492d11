"""Forgetting very many rows beside a live load: what whoever sends requests meanwhile notices of it.

One half of the rows are operations, the other half are their events. The purge runs in a process of its own, as the
worker's does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from sqlalchemy import delete, insert, select

from app.model import Mode, system_clock
from app.store.columns import to_milliseconds
from app.store.tables import events, operations, passes
from bench import filling
from bench.databases import TITLES, Database, databases
from bench.figures import BenchFailed
from bench.load import PASS, UNIQUE, Load, put_load
from bench.report import judged, say, show_table
from bench.servers import SERVICE, Server, serving
from tests.processes import ROOT

ROWS, PASSES = 1_000_000, 1_000
CONNECTIONS = 4
GOAL, HELD_GOAL_MS = 3.0, 50.0
AGE = timedelta(days=401)
CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a purge.

    Attributes:
        idle_p99_ms, purging_p99_ms: of the requests without it and beside it, the median of the runs.
        rows, seconds: what it deleted, and in which time.
        held_p99_ms, held_most_ms: how long a transaction of it lasted.
    """

    idle_p99_ms: float
    purging_p99_ms: float
    rows: int
    seconds: float
    held_p99_ms: float
    held_most_ms: float

    @property
    def ratio(self) -> float:
        """How many times as long the slowest requests take."""
        return self.purging_p99_ms / self.idle_p99_ms


def run(kind: str, *, seconds: float, rows: int = ROWS) -> Measured:
    """Measure on one kind of database and print the table.

    Args:
        kind: of database.
        seconds: of one run of load.
        rows: that the purge deletes.
    """
    with databases(kind) as new_database:
        database = new_database()
        with database.store() as store:
            filling.fill(store, database.account.id, PASSES)
            with store.write() as connection:  # their IDs look old, and what is old is to be counted
                connection.execute(delete(operations))
                connection.execute(delete(events))
        begun = time.perf_counter()
        add_old_rows(database, rows)
        say(f"Purge on {TITLES[kind]}: stored {rows} old rows in {time.perf_counter() - begun:.1f} s.")
        with serving(SERVICE, database.environment, database.folder, "/healthz") as server:
            found = _measure(server, database, rows, seconds)
    _show(kind, f"{TITLES[kind]}: update-points beside a purge of {rows} rows, {CONNECTIONS} connections", found)
    return found


def add_old_rows(database: Database, rows: int) -> None:
    """Store operations and their events that are old enough to be forgotten. Their IDs sort before those of today."""
    made_at = to_milliseconds(system_clock() - AGE)
    same = {"account_id": database.account.id, "mode": Mode.TEST.value, "created_at": made_at}
    operation = {**same, "action": "update-points", "status": "succeeded", "fingerprint": "f" * 64}
    event = {**same, "type": "points.changed", "data": json.dumps({"id": "x" * 900})}
    with database.store() as store:
        for first in range(0, rows // 2, CHUNK):
            numbers = range(first, min(first + CHUNK, rows // 2))
            names = [f"00000000010d{number:021x}" for number in numbers]
            pass_ids = [filling.pass_id(number % PASSES) for number in numbers]
            with store.write() as connection:
                connection.execute(
                    insert(operations),
                    [
                        {**operation, "id": f"op_{name}", "pass_id": pass_id, "key_digest": (name * 2)[-64:]}
                        for name, pass_id in zip(names, pass_ids, strict=True)
                    ],
                )
                connection.execute(
                    insert(events),
                    [
                        {**event, "id": f"evt_{name}", "pass_id": pass_id, "operation_id": f"op_{name}"}
                        for name, pass_id in zip(names, pass_ids, strict=True)
                    ],
                )


def load_of(database: Database) -> Load:
    """Return the live load: points for one member after the other."""
    with database.store() as store, store.read() as connection:
        members = select(passes.c.id).where(passes.c.program_id == filling.MEMBERSHIP, passes.c.closed_by == "nothing")
        pass_ids = tuple(connection.execute(members.limit(200)).scalars())
    headers = {
        "Authorization": f"Bearer {database.key}",
        "Content-Type": "application/json",
        "Idempotency-Key": UNIQUE,
    }
    body = f'{{"pass_id": "{PASS}", "change": "add", "points": 1}}'
    return Load("POST", "/v1/actions/update-points", headers, body, pass_ids)


def _measure(server: Server, database: Database, rows: int, seconds: float) -> Measured:
    load = load_of(database)
    put_load(server, load, connections=CONNECTIONS, seconds=seconds)
    idle = [put_load(server, load, connections=CONNECTIONS, seconds=seconds).p99_ms for _ in range(3)]
    command = [sys.executable, "-m", "bench.purging", json.dumps(asdict(database.settings))]
    purge = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    beside = []
    while purge.poll() is None:
        beside.append(put_load(server, load, connections=CONNECTIONS, seconds=seconds).p99_ms)
    told: dict[str, Any] = json.loads(purge.communicate()[0])
    if told["rows"] != rows:
        raise BenchFailed(f"The purge deleted {told['rows']} of {rows} rows.")
    return Measured(median(idle), median(beside), **told)


def _show(kind: str, title: str, found: Measured) -> None:
    has_one_writer = kind == "sqlite"
    lines = [
        ["p99 without a purge", f"{found.idle_p99_ms:.1f} ms", "-", "-"],
        ["p99 beside it", f"{found.purging_p99_ms:.1f} ms", "-", "-"],
        ["ratio", f"{found.ratio:.2f}", f"< {GOAL:g}", judged(found.ratio < GOAL)],
        ["a transaction, p99", f"{found.held_p99_ms:.1f} ms", "-", "-"],
        [
            "a transaction, most",
            f"{found.held_most_ms:.1f} ms",
            f"< {HELD_GOAL_MS:g} ms" if has_one_writer else "-",
            judged(found.held_most_ms < HELD_GOAL_MS) if has_one_writer else "-",
        ],
        ["rows a second", f"{found.rows / found.seconds:.0f}", "-", "-"],
    ]
    show_table(title, ["", "figure", "goal", ""], lines)
