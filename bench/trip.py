"""How far one warm update-points travels: what of `app/` it goes through, and what it asks of the database.

Figures of time depend on the machine; these do not. The service runs in this process, so that its thread can be
watched, on SQLite; what PassKit answers comes over HTTP (`upstream.py`).
"""

from __future__ import annotations

import io
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import app
from app.service import Service
from bench import passkit
from bench.actions import PROGRAM
from bench.databases import Database, databases
from bench.figures import BenchFailed
from bench.report import show_table
from bench.upstream import running_upstream

BUILTIN, PASSKIT = "built-in issuer", "PassKit"
WARM_UPS = 3
OURS = f"{Path(app.__file__).parent}/"
# What begins and ends a transaction is no statement of ours.
_FRAME = ("BEGIN", "COMMIT", "ROLLBACK")

_keys = count(1)


@dataclass(slots=True)
class Trip:
    """What one request went through.

    Attributes:
        functions: of `app/`, by file and qualified name; what has no name of its own (a comprehension) is left out.
        calls: of them; a generator counts each time it is resumed.
        statements: verbs of the SQL that the driver ran, in their order.
    """

    functions: set[tuple[str, str]] = field(default_factory=set)
    calls: int = 0
    statements: list[str] = field(default_factory=list)

    @property
    def files(self) -> set[str]:
        """The files that the functions are in."""
        return {file for file, _ in self.functions}

    @property
    def writes(self) -> int:
        """How many transactions wrote: reads are single statements, outside of any."""
        return self.statements.count("BEGIN")

    @property
    def own_statements(self) -> int:
        """How many statements there were, beside the ends of transactions."""
        return sum(verb not in _FRAME for verb in self.statements)

    def watch(self, frame: FrameType, what: str, _argument: object) -> None:
        """Count a call (for `sys.setprofile`)."""
        code = frame.f_code
        if what == "call" and code.co_filename.startswith(OURS) and not code.co_name.startswith("<"):
            self.functions.add((code.co_filename.removeprefix(OURS), code.co_qualname))
            self.calls += 1


def run() -> None:
    """Measure and print the table."""
    trips = measure()
    rows = [
        (name, len(one.files), len(one.functions), one.calls, one.writes, one.own_statements)
        for name, one in trips.items()
    ]
    show_table(
        "One warm update-points through app/",
        ["", "files", "functions", "calls", "write transactions", "statements"],
        [[str(cell) for cell in row] for row in rows],
    )


def measure() -> dict[str, Trip]:
    """Return the trip of one request to each issuer.

    Raises:
        BenchFailed: a request failed.
    """
    with databases("sqlite") as new_database, running_upstream() as upstream:
        database = passkit.connect(new_database(), upstream)
        with _service(database) as (client, statements):
            made = _post(client, database, "create-pass", {"program_id": PROGRAM})
            passes = {BUILTIN: made["id"], PASSKIT: passkit.PASS_IDS[0]}
            return {name: _trip(client, database, pass_id, statements) for name, pass_id in passes.items()}


@contextmanager
def _service(database: Database) -> Iterator[tuple[FlaskClient, list[str]]]:
    """Make the service in this process; give a client of it, and the verbs of all SQL from now on."""
    made: Flask = app.create_app(database.settings)
    service: Service = made.extensions["passrail"]
    statements: list[str] = []

    @event.listens_for(service.store.engine, "connect")
    def trace(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(lambda text: statements.append(text.split()[0]))

    try:
        yield made.test_client(), statements
    finally:
        service.store.close()
        for kind in service.remote_kinds.values():
            kind.close()


def _trip(client: FlaskClient, database: Database, pass_id: str, statements: list[str]) -> Trip:
    body = {"pass_id": pass_id, "change": "add", "points": 1}
    for _ in range(WARM_UPS):
        _post(client, database, "update-points", body)
    trip = Trip()
    statements.clear()
    sys.setprofile(trip.watch)
    try:
        _post(client, database, "update-points", body)
    finally:
        sys.setprofile(None)
    trip.statements = list(statements)
    return trip


def _post(client: FlaskClient, database: Database, action: str, body: dict[str, object]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {database.key}", "Idempotency-Key": f"trip-{next(_keys)}"}
    with redirect_stdout(io.StringIO()):  # the log line is part of the trip, and of no use here
        answer = client.post(f"/v1/actions/{action}", json=body, headers=headers)
    if answer.status_code != 200:
        raise BenchFailed(f"{action} answers {answer.status_code}: {answer.text}")
    found: dict[str, str] = answer.get_json()
    return found
