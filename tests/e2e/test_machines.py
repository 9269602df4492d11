"""Two machines on one PostgreSQL and one Redis do together what one does: everything once."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.accounts import keys
from app.answer import to_text
from app.store import tables
from tests.e2e.groups import BURST, Machines, running_machines
from tests.postgres import NewDatabase
from tests.processes import wait_until
from tests.redis_server import running_redis
from tests.world import MEMBERSHIP

# `PASSRAIL_RACES=150` runs so many races of each kind.
RACES = int(os.environ.get("PASSRAIL_RACES", "8"))
CROWD = 8
pytestmark = [pytest.mark.slow, pytest.mark.only_thorough]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, postgres_url: NewDatabase) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    with running_redis(folder) as redis, running_machines(folder, postgres_url(), redis, 2) as made:
        yield made


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_request_that_two_machines_get_at_once_is_done_once(machines: Machines) -> None:
    first = machines.machines[0]
    key = machines.world.make_key()
    pass_id = ok(first.send("POST", "/v1/actions/create-pass", key, {"program_id": MEMBERSHIP}))["id"]
    for number in range(RACES):
        body = {"pass_id": pass_id, "change": "add", "points": 1, "unique_event_id": f"invoice-{number}"}
        answers = machines.act_at_once("update-points", [body] * CROWD, machines.world.make_key())
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert len({answer.json()["operation_id"] for answer in answers}) == 1
    assert ok(first.send("GET", f"/v1/passes/{pass_id}", key))["points"] == RACES


def test_a_customer_that_two_machines_meet_at_once_has_one_pass(machines: Machines) -> None:
    for number in range(RACES):
        key = machines.world.make_key()
        body = {"program_id": MEMBERSHIP, "external_id": f"customer-{number}"}
        answers = [ok(answer) for answer in machines.act_at_once("create-pass", [body] * CROWD, key)]
        assert len({answer["id"] for answer in answers}) == 1
        assert sum(answer["created"] for answer in answers) == 1


def test_events_and_expiries_are_told_once_however_often_the_periodic_work_comes(machines: Machines) -> None:
    key = machines.world.make_key()
    machines.subscribe(key, "pass.created", "pass.expired")
    expires_at = to_text(datetime.now(UTC) + timedelta(seconds=3))
    item = {"program_id": MEMBERSHIP, "expires_at": expires_at}
    made = {
        result["answer"]["id"]
        for machine in machines.machines
        for result in ok(machine.send("POST", "/v1/actions/create-pass/batch", key, {"items": [item] * (2 * RACES)}))[
            "results"
        ]
    }
    wait_until(lambda: to_text(datetime.now(UTC)) > expires_at, "the expiry")
    # What each worker's scheduler does once a minute, ten times over and by both at once.
    work = "reconcile, sweep_webhooks, sweep_imports, sweep, expire, purge"
    often = f"from app.jobs import huey, {work}\nfor job in 10 * [{work}]: huey.enqueue(job.s())"
    for machine in machines.machines:
        machine.run_python(often)
    for event_type in ("pass.created", "pass.expired"):
        wait_until(lambda: made <= told(machines, event_type).keys(), f"every {event_type}")  # noqa: B023
    wait_until(lambda: nothing_waits(machines), "the end of all deliveries")
    for event_type in ("pass.created", "pass.expired"):
        assert {pass_id: times for pass_id, times in told(machines, event_type).items() if pass_id in made} == (
            dict.fromkeys(made, 1)
        )


def told(machines: Machines, event_type: str) -> Counter[str]:
    return Counter(event["data"]["id"] for event in machines.heard(event_type))


def nothing_waits(machines: Machines) -> bool:
    with machines.world.service.store.read() as connection:
        waiting = select(func.count()).where(tables.deliveries.c.status == "pending")
        return connection.execute(waiting).scalar_one() == 0


def test_an_api_key_has_one_limit_at_both_machines(machines: Machines) -> None:
    key = machines.world.make_key()
    answers = [
        machine.send("GET", "/v1/me", key).status_code for _ in range(BURST // 2 + 10) for machine in machines.machines
    ]
    assert Counter(answers) == {200: BURST, 429: 20}


def test_a_revoked_key_is_useless_at_both_machines_at_once(machines: Machines) -> None:
    key = machines.world.make_key()
    key_id = ok(machines.machines[0].send("GET", "/v1/me", key))["key_id"]
    ok(machines.machines[1].send("GET", "/v1/me", key))
    with machines.world.service.store.write() as connection:
        keys.revoke_key(connection, key_id, datetime.now(UTC))
    revoked = time.monotonic()
    for machine in machines.machines:
        wait_until(lambda: machine.send("GET", "/v1/me", key).status_code == 401, "the end of the key")  # noqa: B023
    assert time.monotonic() - revoked < keys.CACHE_SECONDS + 2


def test_no_machine_complains(machines: Machines) -> None:
    """Last of all: nothing that was done above was an error to anybody."""
    assert [line for machine in machines.machines for line in machine.complaints()] == []
