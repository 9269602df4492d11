from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import health
from app.errors import NotReady
from app.heartbeat import BEAT_SECONDS, Heartbeat
from app.model import Clock, system_clock
from app.service import make_service
from app.settings import Settings
from app.store import workers
from app.store.migrate import migrate
from tests.world import FakeClock

MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path))


@pytest.fixture
def client_of() -> MakeClient:
    def make(settings: Settings, clock: Clock = system_clock) -> FlaskClient:
        app = Flask("toy")
        app.extensions["passrail"] = make_service(settings, clock)
        health.init_app(app)
        app.register_error_handler(NotReady, lambda error: ({"detail": error.detail}, error.status))
        return app.test_client()

    return make


def test_alive_without_a_database(settings: Settings, client_of: MakeClient) -> None:
    answer = client_of(settings).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_once_the_tables_are_there(settings: Settings, client_of: MakeClient) -> None:
    client = client_of(settings)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "passrail migrate" in answer.get_data(as_text=True)
    migrate(settings)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_with_a_worker_while_one_of_them_lives(settings: Settings, client_of: MakeClient) -> None:
    migrate(settings)
    clock = FakeClock()
    client = client_of(settings, clock)
    answer = client.get("/readyz?worker")
    assert answer.status_code == 503
    assert "No worker has been alive so far" in answer.get_data(as_text=True)
    assert client.get("/readyz").status_code == 200

    first, second = Heartbeat(make_service(settings, clock)), Heartbeat(make_service(settings, clock))
    first.beat()
    second.beat()
    for _ in range(10):
        clock.advance(seconds=BEAT_SECONDS)
        first.beat()
    assert client.get("/readyz?worker").status_code == 200
    clock.advance(minutes=2, seconds=1)
    answer = client.get("/readyz?worker")
    assert answer.status_code == 503
    assert "No worker has been alive since 2026-11-20T09:33:20.000Z" in answer.get_data(as_text=True)
    second.beat()
    assert client.get("/readyz?worker").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_workers_of_long_ago_leave_no_rows(settings: Settings) -> None:
    migrate(settings)
    clock = FakeClock()
    service = make_service(settings, clock)
    for _ in range(50):
        Heartbeat(service).beat()
        clock.advance(hours=1)
    with service.store.read() as connection:
        assert 1 < len(workers.seen_at(connection)) <= 26


def test_not_ready_when_the_database_is_away(tmp_path: Path, client_of: MakeClient) -> None:
    away = Settings(data_dir=str(tmp_path), database_url="postgresql://nobody@127.0.0.1:1/none")
    answer = client_of(away).get("/readyz")
    assert answer.status_code == 503
    assert "DATABASE_URL" in answer.get_data(as_text=True)
