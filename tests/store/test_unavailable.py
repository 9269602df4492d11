"""A database that cannot do its work now: every request ends in time, with 503 and when to come back, and it heals."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from werkzeug.test import TestResponse

from app import create_app
from app.store import engine, postgresql, troubles
from app.store.troubles import Kind
from app.store.unavailable import AWAY, BUSY, CROWDED, FULL, READ_ONLY, DatabaseUnavailable
from app.store.writers import WriterQueue
from app.sweeps import each
from tests.postgres import NewDatabase
from tests.world import MEMBERSHIP, World, make_world

WAIT = 1.0


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WAIT_SECONDS", WAIT)


@pytest.fixture
def on_postgresql(postgres_url: NewDatabase, tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, postgres_url())
    yield made
    made.service.store.close()


def create(world: World, key: str = "k-1") -> TestResponse:
    return world.act("create-pass", {"program_id": MEMBERSHIP}, idempotency_key=key)


def assert_unavailable(answer: TestResponse, why: str) -> None:
    problem = answer.get_json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (503, "not-ready", True)
    assert problem["detail"].startswith(why)
    assert int(answer.headers["Retry-After"]) >= 1


def file_of(world: World) -> Path:
    return Path(make_url(world.service.settings.database).database or "")


def psycopg_of(world: World, database: str | None = None) -> psycopg.Connection[Any]:
    url = make_url(world.service.settings.database)
    address = url.set(drivername="postgresql", database=database or url.database).render_as_string()
    return psycopg.connect(address, autocommit=True)


def test_sqlite_that_another_process_keeps_locked_is_busy_and_heals(world: World) -> None:
    made = world.make_pass()
    with closing(sqlite3.connect(file_of(world), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_unavailable(create(world), BUSY)
        assert world.get(f"/v1/passes/{made['id']}").status_code == 200
    assert create(world).status_code == 200
    assert len(world.events()) == 2


def test_a_writer_waits_for_its_turn_only_so_long(world: World, tmp_path: Path) -> None:
    with WriterQueue(Path(f"{file_of(world)}-writers")).turn(WAIT):  # as another process has it
        assert_unavailable(create(world), BUSY)
        assert_unavailable(create(world), BUSY)
    assert create(world).status_code == 200


def test_a_turn_that_came_too_late_is_free_for_others(tmp_path: Path) -> None:
    one, other = WriterQueue(tmp_path / "writers"), WriterQueue(tmp_path / "writers")
    with one.turn(WAIT), pytest.raises(DatabaseUnavailable), other.turn(0.05):
        pass
    for queue in (one, other, one):
        with queue.turn(10.0) as seconds:
            assert seconds > 0


def test_threads_of_one_process_wait_for_the_turn_only_so_long(tmp_path: Path) -> None:
    queue, has_it, ends = WriterQueue(tmp_path / "writers"), threading.Event(), threading.Event()

    def hold() -> None:
        with queue.turn(WAIT):
            has_it.set()
            ends.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert has_it.wait(10)
    with pytest.raises(DatabaseUnavailable), queue.turn(0.05):
        pass
    ends.set()
    holder.join()


def test_sqlite_that_is_read_only_says_so_and_heals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made, store = world.make_pass(), world.service.store
    with monkeypatch.context() as patched:
        # Root may write to every file, so that taking the permission away would show nothing.
        patched.setattr(store, "engine", create_engine(f"sqlite:///file:{file_of(world)}?mode=ro&uri=true"))
        store._forget_writer()
        assert_unavailable(create(world), READ_ONLY)
        assert world.get(f"/v1/passes/{made['id']}").status_code == 200
    assert create(world).status_code == 200


def test_sqlite_whose_disk_is_full_says_so_and_heals(world: World) -> None:
    made, store = world.make_pass(), world.service.store
    with store.write() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    answers = [create(world, f"k-{number}") for number in range(200)]
    done, refused = (
        [answer for answer in answers if answer.status_code == 200],
        [answer for answer in answers if answer.status_code != 200],
    )
    assert refused
    for answer in refused:
        assert_unavailable(answer, FULL)
    assert world.get(f"/v1/passes/{made['id']}").status_code == 200
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM passes")).scalar_one() == 1 + len(done)


def test_a_commit_that_fails_is_not_answered_as_done(world: World) -> None:
    with world.service.store.write() as connection:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        connection.execute(
            text("CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
        )
        connection.execute(
            text("CREATE TRIGGER break_commit AFTER INSERT ON operations BEGIN INSERT INTO children VALUES (1); END")
        )
    assert create(world).status_code >= 500
    assert world.events() == []


def test_postgresql_that_is_read_only_says_so_and_heals(on_postgresql: World) -> None:
    made = on_postgresql.make_pass()
    with psycopg_of(on_postgresql) as other:
        other.execute(f'ALTER DATABASE "{other.info.dbname}" SET default_transaction_read_only = on')
        on_postgresql.service.store.close()
        assert_unavailable(create(on_postgresql), READ_ONLY)
        assert on_postgresql.get(f"/v1/passes/{made['id']}").status_code == 200
        other.execute(f'ALTER DATABASE "{other.info.dbname}" SET default_transaction_read_only = off')
    assert create(on_postgresql).status_code == 200


def test_a_locked_table_of_postgresql_is_busy_and_heals(on_postgresql: World) -> None:
    made = on_postgresql.make_pass()
    on_postgresql.service.store.engine.dispose()
    with psycopg_of(on_postgresql) as other, other.transaction():
        other.execute("LOCK TABLE passes")
        assert_unavailable(create(on_postgresql), BUSY)
        assert_unavailable(on_postgresql.get(f"/v1/passes/{made['id']}"), BUSY)
        assert on_postgresql.get("/healthz").status_code == 200
    assert create(on_postgresql).status_code == 200


def test_connections_that_postgresql_has_ended_are_replaced_unnoticed(on_postgresql: World) -> None:
    made = on_postgresql.make_pass()
    with psycopg_of(on_postgresql) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert ended == [(True,)] * len(ended)
    assert create(on_postgresql).status_code == 200
    assert on_postgresql.get(f"/v1/passes/{made['id']}").status_code == 200


def test_postgresql_that_takes_no_connections_says_so_and_heals(on_postgresql: World) -> None:
    name = make_url(on_postgresql.service.settings.database).database
    on_postgresql.service.store.close()
    with psycopg_of(on_postgresql, "postgres") as other:
        other.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        assert_unavailable(create(on_postgresql), AWAY)
        other.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
    assert create(on_postgresql).status_code == 200


def test_when_all_connections_of_a_process_are_in_use_a_request_waits_only_so_long(
    postgres_url: NewDatabase, tmp_path: Path
) -> None:
    world = make_world(tmp_path, postgres_url(), web_threads=1)
    with world.service.store.read():
        assert_unavailable(create(world), CROWDED)
    assert create(world).status_code == 200
    world.service.store.close()


def test_a_frozen_server_is_given_up(on_postgresql: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "SPARE_SECONDS", 0.2)
    monkeypatch.setattr(engine, "STATEMENT_SECONDS", 1)
    frozen = make_world_again(on_postgresql)
    pid = backend_of(frozen)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert_unavailable(create(frozen), AWAY)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert create(frozen).status_code == 200
    frozen.service.store.close()


def make_world_again(world: World) -> World:
    """Return the same service on connections of its own."""
    again: World = replace(world, app=create_app(world.service.settings, world.clock))
    return again


def backend_of(world: World) -> int:
    """Return the process of the server that the service's one connection leads to."""
    with world.service.store.read() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_batch_tells_what_was_done_before_the_database_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store, begun = world.service.store, []
    transaction = store._immediate

    def fail_the_second(seconds: float) -> Any:
        begun.append(seconds)
        if len(begun) == 2:
            raise sqlite3.OperationalError("disk I/O error")
        return transaction(seconds)

    monkeypatch.setattr(store, "_immediate", fail_the_second)
    answer = world.request("POST", "/v1/actions/create-pass/batch", json={"items": [{"program_id": MEMBERSHIP}] * 3})
    told = answer.get_json()
    assert (answer.status_code, told["succeeded"], told["failed"], len(begun)) == (200, 1, 2, 2)
    assert [result["index"] for result in told["results"]] == [0, 1, 2]
    assert {result["problem"]["code"] for result in told["results"][1:]} == {"not-ready"}


def test_an_item_of_a_sweep_is_not_to_blame_for_the_database(world: World) -> None:
    def fail(_item: str) -> bool:
        raise DatabaseUnavailable(BUSY)

    assert each(world.service, Kind.OPERATION, ["op_1"], fail) == 0
    with world.service.store.read() as connection:
        assert troubles.get(connection, Kind.OPERATION, "op_1") is None
