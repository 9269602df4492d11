"""The bench in a tiny setting: it runs, it counts, and it notices what must not count."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bench import actions, bare, load, startup
from bench.__main__ import main
from bench.actions import Stored, Subject
from bench.databases import Database, databases
from bench.figures import BenchFailed, Run
from bench.load import PASS, UNIQUE, Load, put_load
from bench.servers import BARE, SERVICE, Server, serving

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the bench reads Linux's /proc"),
    pytest.mark.slow,
    pytest.mark.only_thorough,
]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with databases("sqlite") as new_database:
        yield new_database()


@pytest.fixture(scope="module")
def service(database: Database) -> Iterator[Server]:
    with serving(SERVICE, {**database.environment, "WEB_CONCURRENCY": "1"}, database.folder, "/healthz") as server:
        yield server


@pytest.fixture(params=["wrk", "python"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    elif shutil.which("wrk") is None:
        pytest.skip("install wrk (apt-get install wrk)")


@pytest.mark.usefixtures("generator")
def test_every_request_is_one_of_its_own_and_is_stored(database: Database, service: Server) -> None:
    stored = Stored(database)
    pass_ids = actions.make_passes(service, database.key, 3)
    for subject in actions.subjects(database.key, pass_ids):
        run = put_load(service, subject.load, connections=2, seconds=1)
        assert run.requests > 0
        assert run.errors == 0
        assert 0 < run.p50_ms <= run.p99_ms
        assert run.cpu_seconds > 0
        stored.expect(subject, run)
    stored.check()
    assert "each has its operation and its event stored" in stored.summary()


@pytest.mark.usefixtures("generator")
def test_a_request_that_fails_fails_the_bench(database: Database, service: Server) -> None:
    reading = {"Authorization": f"Bearer {database.key}"}
    with pytest.raises(BenchFailed, match="failed of"):
        put_load(service, Load("GET", "/v1/passes/none", reading), connections=1, seconds=1)


def test_what_was_answered_but_not_stored_fails_the_bench(database: Database) -> None:
    stored = Stored(database)
    subject = Subject("create-pass", Load("POST", "/"), 0.4, "pass.created")
    stored.expect(subject, Run(1, 1.0, 0, 1.0, 1.0))
    with pytest.raises(BenchFailed, match="1 answered, but 0 operations and 0 events stored"):
        stored.check()


@pytest.mark.usefixtures("generator")
def test_the_bare_route_gets_the_same_requests(database: Database) -> None:
    same = Load("POST", "/elsewhere", {"Idempotency-Key": UNIQUE}, f'{{"pass_id": "{PASS}"}}', ("pass_1",))
    folder = database.folder / "bare"
    folder.mkdir(exist_ok=True)
    with serving(BARE, {"DATA_DIR": str(folder), "WEB_CONCURRENCY": "1"}, folder, bare.PATH) as server:
        assert put_load(server, same.to(bare.PATH), connections=1, seconds=1).requests > 0


def test_processor_time_and_memory_are_those_of_the_workers(service: Server) -> None:
    (worker,) = service.workers
    assert os.path.samefile(f"/proc/{worker}/cwd", f"/proc/{service.pid}/cwd")
    (memory,) = service.memory()
    assert 10 < memory.pss <= memory.rss < 500
    before = service.cpu_seconds()
    time.sleep(0.05)
    assert service.cpu_seconds() - before < 1


def test_a_server_that_does_not_start_says_why(database: Database) -> None:
    with (
        pytest.raises(BenchFailed, match="WEB_THREADS"),
        serving(SERVICE, {**database.environment, "WEB_THREADS": "none"}, database.folder, "/healthz"),
    ):
        pass


def test_startup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "subjects", lambda key, pass_ids: actions.subjects(key, pass_ids)[:1])
    startup.run(seconds=1, starts=1)
    assert "RSS of a warm worker, MB" in capsys.readouterr().out


def test_the_command_line_prints_ratios_with_their_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = actions.subjects
    monkeypatch.setattr(actions, "subjects", lambda key, pass_ids: subjects(key, pass_ids)[:1])
    monkeypatch.setattr(actions, "PASSES", 3)
    result = CliRunner().invoke(main, ["actions", "--seconds", "1", "--rounds", "1", "--database", "sqlite"])
    assert result.exit_code == 0, result.output
    assert load.generator() in result.output
    assert ">= 0.33" in result.output
    assert "No request failed." in result.output


def test_a_failure_is_a_sentence_and_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_options: object) -> None:
        raise BenchFailed("3 failed of 7 requests.")

    monkeypatch.setattr(startup, "run", fail)
    result = CliRunner().invoke(main, ["startup"])
    assert result.exit_code == 1
    assert "Error: 3 failed of 7 requests." in result.output
