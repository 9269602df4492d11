from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import health
from app.errors import NotReady
from app.service import make_service
from app.settings import Settings
from app.store.migrate import migrate

MakeClient = Callable[[Settings], FlaskClient]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path))


@pytest.fixture
def client_of() -> MakeClient:
    def make(settings: Settings) -> FlaskClient:
        app = Flask("toy")
        app.extensions["passrail"] = make_service(settings)
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


def test_not_ready_when_the_database_is_away(tmp_path: Path, client_of: MakeClient) -> None:
    away = Settings(data_dir=str(tmp_path), database_url="postgresql://nobody@127.0.0.1:1/none")
    answer = client_of(away).get("/readyz")
    assert answer.status_code == 503
    assert "DATABASE_URL" in answer.get_data(as_text=True)
