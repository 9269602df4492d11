from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import create_engine, insert, select, text, update

from app.model import system_clock
from app.settings import Settings
from app.store import tables
from app.store.columns import to_milliseconds
from app.store.migrate import migrate
from tests.processes import ROOT, running, wait_until
from tests.world import MEMBERSHIP, World

DAY_MS = 24 * 60 * 60 * 1000


def _catches_sigterm(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_the_worker_purges_and_ends_when_asked_to(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    migrate(settings)
    insert = (
        "INSERT INTO operations"
        " (id, account_id, mode, action, status, key_digest, fingerprint, answer, created_at)"
        " VALUES (:id, 'acct_1', 'test', 'create_pass', 'succeeded', :id, 'f', '{}', :created_at)"
    )
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO accounts (id, name, created_at) VALUES ('acct_1', 'Cafe', 1)"))
        ages = {"op_1": 400, "op_2": 399, "op_3": 6}
        now = to_milliseconds(system_clock()) or 0
        rows = [{"id": row_id, "created_at": now - days * DAY_MS} for row_id, days in ages.items()]
        connection.execute(text(insert), rows)
    engine.dispose()
    environment = {"DATA_DIR": settings.data_dir}
    # What the scheduler does once an hour.
    enqueue = "from app.jobs import huey, purge; huey.enqueue(purge.s())"
    subprocess.run([sys.executable, "-c", enqueue], check=True, cwd=ROOT, env={**os.environ, **environment})

    log = tmp_path / "log"
    with running("worker", environment, log) as process:
        wait_until(lambda: '"purged"' in log.read_text() or process.poll() is not None, "the purge")
        # The first job may be done before the consumer listens to signals.
        wait_until(lambda: _catches_sigterm(process.pid) or process.poll() is not None, "a worker that can be stopped")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    written = [json.loads(line) for line in log.read_text().splitlines()]
    purged = [line for line in written if line["message"] == "purged"]
    assert [(line["operations"], line["answers"]) for line in purged] == [(1, 2)]
    assert any("gracefully" in line["message"] for line in written)

    with engine.connect() as connection:
        left = connection.execute(text("SELECT id, answer, key_digest FROM operations ORDER BY id"))
        assert [tuple(row) for row in left] == [("op_2", None, "op_2"), ("op_3", "{}", "op_3")]
    engine.dispose()


def test_jobs_of_one_row_note_its_failure_and_leave_it_for_later(world: World) -> None:
    hook = world.make_hook("pass.created")
    world.make_pass()
    sink = {
        "id": "sink_1",
        "account_id": world.account.id,
        "mode": "odd",
        "program_id": MEMBERSHIP,
        "digest": "d",
        "protocol": "p",
        "created_at": 1,
    }
    hint = {"id": "hint_1", "sink_id": "sink_1", "method": "POST", "body": "{}", "digest": "d", "received_at": 1}
    with world.service.store.write() as connection:
        connection.execute(update(tables.hooks).values(secret="v1.lost.AAAAAAAAAAAAAAAA.AA"))
        connection.execute(insert(tables.sinks), sink)
        connection.execute(insert(tables.inbox), hint)
    jobs = f"from app.jobs import deliver as d, read_webhook as r; d.call_local('{hook['id']}'); r.call_local('hint_1')"
    for _ in range(2):
        environment = {**os.environ, "DATA_DIR": world.service.settings.data_dir, "DATABASE_URL": ""}
        subprocess.run([sys.executable, "-c", jobs], check=True, cwd=ROOT, env=environment)
    with world.service.store.read() as connection:
        noted = connection.execute(select(tables.troubles.c.kind, tables.troubles.c.item_id, tables.troubles.c.tries))
        assert {tuple(row) for row in noted} == {("hook", hook["id"], 1), ("webhook", "hint_1", 1)}


def test_a_worker_that_lacks_a_key_of_a_hook_s_secret_does_not_start(world: World) -> None:
    world.make_hook("pass.created")
    with world.service.store.write() as connection:
        connection.execute(update(tables.hooks).values(secret="v1.lost.AAAAAAAAAAAAAAAA.AA"))
    start = "from app.jobs import huey; huey.create_consumer(workers=1)"
    environment = {**os.environ, "DATA_DIR": world.service.settings.data_dir, "DATABASE_URL": "", "VAULT_KEYS": ""}
    started = subprocess.run(
        [sys.executable, "-c", start], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (started.returncode, started.stderr.splitlines()[-1]) == (
        1,
        "Error: VAULT_KEYS lacks keys that secrets were sealed with: lost.",
    )
