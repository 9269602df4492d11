"""The database locked, read-only, stopped or crowded: every request ends in time, nothing is lost or done twice.

Requests of every kind go on from before a fault until after it, so that it also meets what is under way.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from sqlalchemy import make_url

from app.events.types import POINTS_CHANGED
from app.store.engine import WAIT_SECONDS
from app.store.postgresql import CONNECT_SECONDS
from tests.e2e.faults import Row, RowsOf
from tests.postgres import Cluster, Server, find_binaries, running_server
from tests.processes import wait_until
from tests.server.web import Web, serving
from tests.strict import unavailable
from tests.thorough import amount

WRITERS = 4
PAUSE_SECONDS = 0.1  # of each caller between two requests
ANSWERS = 10  # of each kind at least, while a fault lasts
GIVE_SECONDS = 5.0  # to a busy machine
SHORT_LOCK = amount(2, 10)  # seconds that a write waits for
LONG_LOCK = amount(round(WAIT_SECONDS) + 2, 25)  # seconds that it does not
# Root may write to every file. It is what any other user is without this capability.
WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
# The service has 8 connections in each of two processes; others take all that are left. What was committed is there
# after the server was killed.
THREADS = 16
SERVER = ("max_connections=30", "synchronous_commit=on")
pytestmark = pytest.mark.slow


@dataclass(slots=True)
class Traffic:
    """Requests about one pass: each write adds a point to it, under a key of its own that is its reason as well."""

    web: Web
    rows: Mapping[str, Row]
    pass_id: str
    sent: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=count)

    def health(self) -> requests.Response:
        """Ask whether the server is alive."""
        return self._send("GET", "/healthz")

    def read(self) -> requests.Response:
        """Read the pass."""
        return self._send("GET", f"/v1/passes/{self.pass_id}")

    def write(self, key: str) -> requests.Response:
        """Add a point, or ask again for the one that is added under this key."""
        self.sent.add(key)
        body = {"pass_id": self.pass_id, "change": "add", "points": 1, "reason": key}
        answer = self._send("POST", "/v1/actions/update-points", json=body, headers={"Idempotency-Key": key})
        if answer.ok:
            self.done.add(key)
        return answer

    def write_next(self) -> requests.Response:
        """Add a point."""
        return self.write(f"{self.pass_id}-{next(self.numbers)}")

    def added(self) -> Counter[str]:
        """Return how often each write counted."""
        reasons: Counter[str] = Counter()
        cursor: dict[str, str] = {}
        while True:
            page = self._send("GET", f"/v1/passes/{self.pass_id}/history?limit=100", params=cursor).json()
            reasons.update(event["data"]["reason"] for event in page["data"] if event["type"] == POINTS_CHANGED)
            if page["next_cursor"] is None:
                return reasons
            cursor = {"cursor": page["next_cursor"]}

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.web.headers, **options.pop("headers", {})}
        answer = requests.request(method, f"{self.web.address}{path}", headers=headers, timeout=60, **options)
        if answer.status_code != 200:
            problem = answer.json()
            assert (answer.status_code, problem["code"], problem["retryable"]) == (503, "not-ready", True), answer.text
            assert int(answer.headers["Retry-After"]) >= 1
        return answer

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Send requests of every kind until the block ends."""
        over = threading.Event()

        def go_on(row: Row, send: Callable[[], requests.Response]) -> None:
            while not over.is_set():
                row.ask(send)
                over.wait(PAUSE_SECONDS)

        callers = [("health", self.health), ("read", self.read), *[("write", self.write_next)] * WRITERS]
        with ThreadPoolExecutor(len(callers)) as threads:
            going = [threads.submit(go_on, self.rows[kind], send) for kind, send in callers]
            try:
                yield
            finally:
                over.set()
        for one in going:
            one.result()


def try_fault(
    web: Web, rows: Mapping[str, Row], fault: AbstractContextManager[None], seconds: float | None = None
) -> None:
    """Have a fault while requests go on, and make sure afterwards that each write counts once.

    Args:
        web: the server.
        rows: of the fault.
        fault: begins and ends it.
        seconds: how long it lasts. None: until every kind of request has been answered several times.
    """
    traffic = Traffic(web, rows, web.create(rows["write"].fault).json()["id"])
    with traffic.going_on():
        with fault:
            if seconds is None:
                wait_for_answers(rows)
            else:
                time.sleep(seconds)
        rows["health"].heal(traffic.health)
        rows["read"].heal(traffic.read)
        rows["write"].heal(partial(traffic.write, f"{traffic.pass_id}-heals"))
    rows["write"].lost = len(traffic.done - set(traffic.added()))
    assert rows["write"].lost == 0
    for key in sorted(traffic.sent):
        assert traffic.write(key).status_code == 200
    assert traffic.added() == dict.fromkeys(traffic.sent, 1)
    assert rows["health"].statuses == {"200"}
    assert rows["health"].slowest < GIVE_SECONDS


def wait_for_answers(rows: Mapping[str, Row]) -> None:
    """Wait until every kind of request has been answered several times from now on."""
    wanted = {kind: len(row.answers) + ANSWERS for kind, row in rows.items()}
    wait_until(lambda: all(len(row.answers) >= wanted[kind] for kind, row in rows.items()), "answers")


def assert_answers(row: Row, refused: set[str], seconds: float) -> None:
    """Make sure of what a kind of request was refused with, and of how long it has waited at most.

    Whatever is sent just before the fault or after it is answered as usual.
    """
    assert row.statuses - {"200"} == refused, row.line
    assert row.slowest < seconds + GIVE_SECONDS, row.line


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serving(tmp_path_factory.mktemp("sqlite")) as web:
        yield web


def file_of(web: Web) -> Path:
    return Path(make_url(web.world.service.settings.database).database or "")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("COMMIT")


def test_a_write_waits_for_a_locked_file(on_sqlite: Web, rows_of: RowsOf) -> None:
    rows = rows_of(f"SQLite locked for {SHORT_LOCK} s")
    try_fault(on_sqlite, rows, locked(file_of(on_sqlite)), SHORT_LOCK)
    assert_answers(rows["read"], set(), 0)
    assert_answers(rows["write"], set(), SHORT_LOCK)
    assert rows["write"].slowest > SHORT_LOCK / 2


def test_a_write_waits_for_a_locked_file_only_so_long(on_sqlite: Web, rows_of: RowsOf) -> None:
    rows = rows_of(f"SQLite locked for {LONG_LOCK} s")
    try_fault(on_sqlite, rows, locked(file_of(on_sqlite)), LONG_LOCK)
    assert_answers(rows["read"], set(), 0)
    assert_answers(rows["write"], {"503"}, WAIT_SECONDS)


def test_a_file_without_permission_to_write_is_read_on(tmp_path: Path, rows_of: RowsOf) -> None:
    within = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ()
    if within and subprocess.run([*within, "true"], capture_output=True, check=False).returncode != 0:
        unavailable("a root who is bound by permissions", "run as another user, or install util-linux")
    with serving(tmp_path, within=within) as web:
        rows = rows_of("SQLite read-only")
        try_fault(web, rows, without_permission(web))
        assert_answers(rows["read"], set(), 0)
        assert_answers(rows["write"], {"503"}, 0)


@contextmanager
def without_permission(web: Web) -> Iterator[None]:
    """Take the permission away. Who has the file open goes on writing: one process is replaced after the other."""
    file_of(web).chmod(0o400)
    for pid in web.workers():
        os.kill(pid, signal.SIGTERM)
        wait_until(partial(has_successor, web, pid), "its successor")
    yield
    file_of(web).chmod(0o600)


def has_successor(web: Web, pid: int) -> bool:
    return len(web.workers()) == 2 and pid not in web.workers()


@dataclass(frozen=True, slots=True)
class OnPostgresql:
    """The web server, and the PostgreSQL server it has for itself."""

    web: Web
    cluster: Cluster

    @contextmanager
    def other(self, database: str = "") -> Iterator[psycopg.Connection[Any]]:
        """Open a session of somebody else's, in the service's database or another one."""
        with psycopg.connect(self.address(database or self.database), autocommit=True) as connection:
            yield connection

    def address(self, database: str) -> str:
        """Return where a database is."""
        return f"host=127.0.0.1 port={self.cluster.port} user=passrail dbname={database}"

    @property
    def database(self) -> str:
        """The name of the service's database."""
        return make_url(self.web.world.service.settings.database).database or ""

    def end_sessions(self, admin: psycopg.Connection[Any]) -> None:
        """End all sessions of the service."""
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        admin.execute(query, [self.database])


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPostgresql]:
    binaries = find_binaries()
    if binaries is None:
        unavailable("postgresql", "apt-get install postgresql")
    with running_server(binaries, *SERVER) as cluster:
        environment = {"DATABASE_URL": Server(cluster.port).new_database(), "WEB_THREADS": str(THREADS)}
        with serving(tmp_path_factory.mktemp("postgresql"), environment) as web:
            yield OnPostgresql(web, cluster)


def test_a_database_that_became_read_only_is_read_on(on_postgresql: OnPostgresql, rows_of: RowsOf) -> None:
    rows = rows_of("PostgreSQL read-only")
    try_fault(on_postgresql.web, rows, read_only(on_postgresql))
    assert_answers(rows["read"], set(), 0)
    assert_answers(rows["write"], {"503"}, 0)


@contextmanager
def read_only(place: OnPostgresql) -> Iterator[None]:
    """Have new sessions read only, as those with a server that has become a standby. At the end no session is ended."""
    with place.other("postgres") as admin:
        admin.execute(f'ALTER DATABASE "{place.database}" SET default_transaction_read_only = on'.encode())
        place.end_sessions(admin)
        yield
        admin.execute(f'ALTER DATABASE "{place.database}" SET default_transaction_read_only = off'.encode())


def test_a_server_that_is_stopped_is_told_soon(on_postgresql: OnPostgresql, rows_of: RowsOf) -> None:
    rows = rows_of("PostgreSQL stopped")
    try_fault(on_postgresql.web, rows, stopped(on_postgresql))
    for kind in ("read", "write"):
        assert_answers(rows[kind], {"503"}, CONNECT_SECONDS)


@contextmanager
def stopped(place: OnPostgresql) -> Iterator[None]:
    place.cluster.stop()
    yield
    place.cluster.start()


def test_a_locked_table_is_waited_for_only_so_long(on_postgresql: OnPostgresql, rows_of: RowsOf) -> None:
    rows = rows_of(f"LOCK TABLE for {LONG_LOCK} s")
    try_fault(on_postgresql.web, rows, locked_table(on_postgresql), LONG_LOCK)
    for kind in ("read", "write"):
        assert_answers(rows[kind], {"503"}, WAIT_SECONDS)


@contextmanager
def locked_table(place: OnPostgresql) -> Iterator[None]:
    with place.other() as other, other.transaction():
        other.execute("LOCK TABLE passes")
        yield


def test_a_server_without_a_free_connection_is_told_soon(on_postgresql: OnPostgresql, rows_of: RowsOf) -> None:
    rows = rows_of("connections exhausted")
    try_fault(on_postgresql.web, rows, crowded(on_postgresql))
    for kind in ("read", "write"):
        assert_answers(rows[kind], {"503"}, CONNECT_SECONDS)


@contextmanager
def crowded(place: OnPostgresql) -> Iterator[None]:
    """Take all connections, also those that the service has."""
    with ExitStack() as stack:
        admin = stack.enter_context(place.other("postgres"))
        admin.execute(f'ALTER DATABASE "{place.database}" ALLOW_CONNECTIONS false'.encode())
        place.end_sessions(admin)
        with suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(place.other("postgres"))
        admin.execute(f'ALTER DATABASE "{place.database}" ALLOW_CONNECTIONS true'.encode())
        yield
