from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from app import metrics, observe
from app.heartbeat import Heartbeat
from app.service import Service, make_service
from app.settings import Settings
from app.store import tables
from app.store.migrate import migrate
from tests.processes import free_port, running, wait_until
from tests.world import FakeClock


def figures(text: str) -> dict[str, float]:
    """Read an answer of /metrics: name and labels -> value."""
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(text: str, name: str, **labels: str) -> float:
    return figures(text).get(name + json.dumps(labels, sort_keys=True), 0.0)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    settings = Settings(data_dir=str(tmp_path))
    migrate(settings)
    return make_service(settings)


@pytest.fixture
def client(service: Service) -> FlaskClient:
    app = Flask("toy")
    app.extensions["passrail"] = service
    observe.init_app(app)
    metrics.init_app(app)
    app.add_url_rule("/toy/<name>", "toy", lambda name: name)
    return app.test_client()


def test_counts_requests_by_rule_and_not_by_address(client: FlaskClient) -> None:
    before = client.get("/metrics").text
    for name in ("a", "b", "secret"):
        client.get(f"/toy/{name}")
    client.get("/nowhere/secret")
    client.open("/toy/a", method="MADEUP")
    after = client.get("/metrics").text

    def more(name: str, **labels: str) -> float:
        return figure(after, name, **labels) - figure(before, name, **labels)

    assert more("passrail_requests_total", route="/toy/<name>", method="GET", status="200") == 3
    assert more("passrail_requests_total", route="none", method="GET", status="404") == 1
    assert more("passrail_requests_total", route="none", method="other", status="405") == 1
    assert more("passrail_request_seconds_count", route="/toy/<name>") == 3
    assert more("passrail_request_seconds_bucket", route="/toy/<name>", le="+Inf") == 3
    assert "secret" not in after


def test_counts_operations_by_action_and_outcome(client: FlaskClient) -> None:
    labels = {"action": "test_action", "outcome": "succeeded"}
    before = figure(client.get("/metrics").text, "passrail_operations_total", **labels)
    observe.count_operation("test_action", "succeeded")
    assert figure(client.get("/metrics").text, "passrail_operations_total", **labels) == before + 1


def test_tells_the_open_operations_of_the_database(client: FlaskClient, service: Service) -> None:
    assert figure(client.get("/metrics").text, "passrail_operations_open", status="unknown") == 0
    with service.store.write() as connection:
        connection.execute(insert(tables.accounts), {"id": "acct_1", "name": "Cafe", "created_at": 1})
        rows = [
            {
                "id": f"op_{number}",
                "account_id": "acct_1",
                "mode": "test",
                "action": "create_pass",
                "status": status,
                "fingerprint": "f",
                "created_at": 1,
            }
            for number, status in enumerate(["running", "unknown", "unknown", "succeeded", "failed"])
        ]
        connection.execute(insert(tables.operations), rows)
    text = client.get("/metrics").text
    assert figure(text, "passrail_operations_open", status="running") == 1
    assert figure(text, "passrail_operations_open", status="unknown") == 2


def test_tells_when_a_worker_was_last_alive(tmp_path: Path) -> None:
    settings, clock = Settings(data_dir=str(tmp_path)), FakeClock()
    migrate(settings)
    app = Flask("toy")
    app.extensions["passrail"] = service = make_service(settings, clock)
    observe.init_app(app)
    metrics.init_app(app)
    client = app.test_client()
    assert figure(client.get("/metrics").text, "passrail_worker_heartbeat_seconds") == math.inf
    Heartbeat(service).beat()
    clock.advance(minutes=1)
    Heartbeat(service).beat()
    clock.advance(seconds=90)
    text = client.get("/metrics").text
    assert figure(text, "passrail_worker_heartbeat_seconds") == 90
    assert figure(text, "passrail_workers") == 1


def test_answers_without_a_database(tmp_path: Path) -> None:
    app = Flask("toy")
    app.extensions["passrail"] = make_service(Settings(data_dir=str(tmp_path)))
    observe.init_app(app)
    metrics.init_app(app)
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert "passrail_operations_open" not in answer.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int, Path]]:
    port = free_port()
    environment = {
        "DATA_DIR": str(tmp_path / "data"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
        "WEB_THREADS": "8",
    }
    migrate(Settings(data_dir=environment["DATA_DIR"]))
    (tmp_path / "data" / "metrics").mkdir()
    (tmp_path / "data" / "metrics" / "counter_1.db").write_bytes(b"of the last run")
    address, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    with running("web", environment, log) as process:
        wait_until(lambda: process.poll() is not None or answers(address), "the web server")
        assert process.poll() is None, log.read_text()
        yield address, process.pid, log


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=120).status_code == 200
    except requests.RequestException:
        return False


def workers_of(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def test_two_server_processes_count_together_and_outlive_one(server: tuple[str, int, Path]) -> None:
    address, master, log = server
    labels = {"route": "none", "method": "GET", "status": "404"}

    def counted() -> float:
        return figure(requests.get(f"{address}/metrics", timeout=120).text, "passrail_requests_total", **labels)

    def ask(_number: int) -> int:
        return requests.get(f"{address}/nowhere/secret", timeout=120).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(200))) == {404}
    assert {counted() for _ in range(10)} == {200}

    assert len(workers_of(master)) == 2
    victim = workers_of(master)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(workers_of(master)) == 2 and victim not in workers_of(master), "a new worker")
    assert ask(0) == 404
    assert counted() == 201

    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["message"] == "request" and line["status"] == 404 for line in written) == 201
    assert {line["logger"] for line in written} >= {"gunicorn.error", "passrail.request"}
    assert "secret" not in log.read_text()


def test_the_server_ends_when_asked_to(server: tuple[str, int, Path]) -> None:
    _, master, log = server
    workers = workers_of(master)
    os.kill(master, signal.SIGTERM)
    wait_until(lambda: "Shutting down: Master" in log.read_text(), "the end of the server")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the end of the workers")
