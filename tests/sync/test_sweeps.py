"""One bad row on the way to a remote issuer never stops the others: webhooks, open operations, connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from app import sweeps
from app.accounts import accounts
from app.issuers.remote import Notification
from app.model import Mode
from app.operations import resume
from app.operations.resume import resume_all
from app.store import issuer_webhooks
from app.store.tables import connections, inbox, operations
from app.store.troubles import Kind
from app.sync import connecting, subscriptions, webhooks
from app.sync.webhooks import read_all
from tests.issuers.memory import Failure
from tests.sync.conftest import Connected
from tests.test_cli import succeeded
from tests.test_metrics import figure
from tests.test_sweeps import command, trouble, until_parked

# --- webhooks ---


@pytest.fixture
def planted(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> Connected:
    """A webhook that cannot be read without an exception, then one that can."""
    right: Callable[[str], Notification | None] = connected.kind.notification

    def notification(body: str) -> Notification | None:
        if "bad" in body:
            raise ValueError("planted")
        return right(body)

    monkeypatch.setattr(connected.kind, "notification", notification)
    url = next(url for place, url in connected.server.subscriptions.values() if place == "club")
    connected.server.outgoing.append((url, "bad"))
    connected.server.enrol("club", "c-1")
    connected.deliver()
    return connected


def waiting(connected: Connected) -> list[str]:
    """Return the IDs of webhooks that may be read now."""
    with connected.world.service.store.read() as connection:
        return issuer_webhooks.waiting(connection, connected.world.clock(), 100)


def test_a_webhook_that_raises_stops_no_other(planted: Connected) -> None:
    bad = waiting(planted)[0]
    assert read_all(planted.world.service) == 1
    assert [one["type"] for one in planted.world.events()] == ["pass.created"]
    noted = trouble(planted.world, Kind.WEBHOOK, bad)
    assert noted is not None
    assert noted.why.startswith("ValueError at app/")


def test_webhooks_that_rest_do_not_fill_a_sweep(planted: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    assert [read_all(planted.world.service) for _ in range(3)] == [0, 1, 0]
    assert len(planted.world.events()) == 1


def test_a_webhook_that_goes_on_raising_is_parked_and_can_be_dropped(planted: Connected) -> None:
    world = planted.world
    until_parked(world, lambda: read_all(world.service))
    [parked] = sweeps.list_parked(world.service)
    assert (parked.kind, parked.tries) == (Kind.WEBHOOK, sweeps.MOST_TRIES)
    assert figure(world.client.get("/metrics").text, "passrail_parked", kind="webhook") == 1
    assert parked.item_id in succeeded(command(world)("parked", "list"))
    succeeded(command(world)("parked", "drop", "webhook", parked.item_id))
    assert sweeps.list_parked(world.service) == []
    assert waiting(planted) == []
    with world.service.store.read() as connection:
        note = connection.execute(select(inbox.c.note).where(inbox.c.id == parked.item_id)).scalar_one()
    assert note == "given up unread"


def test_a_parked_webhook_whose_cause_is_mended_is_read_when_it_is_retried(
    planted: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = planted.world
    until_parked(world, lambda: read_all(world.service))
    [parked] = sweeps.list_parked(world.service)
    monkeypatch.undo()
    assert read_all(world.service) == 0
    succeeded(command(world)("parked", "retry", "webhook", parked.item_id))
    assert read_all(world.service) == 1
    assert trouble(world, Kind.WEBHOOK, parked.item_id) is None


# --- operations ---


def leave_open(connected: Connected, number: int) -> list[str]:
    """Leave operations of unknown outcome behind; what is kept of the first one cannot be read."""
    made = [connected.make(points=10) for _ in range(number)]
    connected.server.fail(Failure.LOST_AFTER, "add_points", times=number)
    connected.server.fail(Failure.AWAY, "settled", times=number)
    operation_ids = []
    for one in made:
        body = {"pass_id": one["id"], "change": "add", "points": 5}
        answer = connected.world.act("update-points", body, idempotency_key=one["id"])
        operation_ids.append(str(answer.get_json()["operation_id"]))
    write(connected, operation_ids[0], "{")
    connected.world.clock.advance(minutes=1)
    return operation_ids


def write(connected: Connected, operation_id: str, request: str) -> None:
    """Change what is kept of an operation."""
    with connected.world.service.store.write() as connection:
        connection.execute(update(operations).where(operations.c.id == operation_id).values(request=request))


def operation(connected: Connected, operation_id: str) -> dict[str, Any]:
    """Return an operation as the API tells it."""
    shown: dict[str, Any] = connected.world.get(f"/v1/operations/{operation_id}").get_json()
    return shown


@pytest.mark.parametrize("at_once", [1, 50])
def test_an_operation_that_cannot_be_read_stops_no_other(
    connected: Connected, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(resume, "AT_ONCE", at_once)
    bad, *others = leave_open(connected, 3)
    for _ in range(3):
        resume_all(connected.world.service)
    assert [operation(connected, one)["status"] for one in others] == ["succeeded", "succeeded"]
    assert operation(connected, bad)["status"] == "unknown"
    noted = trouble(connected.world, Kind.OPERATION, bad)
    assert noted is not None
    assert (noted.tries, noted.why.split(" ")[0]) == (1, "CannotGoOn")


def test_a_parked_operation_is_finished_when_it_is_mended_and_retried(connected: Connected) -> None:
    world = connected.world
    bad, good = leave_open(connected, 2)
    with world.service.store.read() as connection:
        kept = {row.id: row.request for row in connection.execute(select(operations.c.id, operations.c.request))}
    ids = dict(zip((bad, good), list(connected.server.done)[-2:], strict=True))
    until_parked(world, lambda: resume_all(world.service))
    write(connected, bad, kept[good].replace(ids[good], ids[bad]))
    assert resume_all(world.service) == 0
    succeeded(command(world)("parked", "retry", "operation", bad))
    assert resume_all(world.service) == 1
    assert operation(connected, bad)["status"] == "succeeded"
    assert trouble(world, Kind.OPERATION, bad) is None


# --- connections ---


def connect_another(connected: Connected) -> str:
    """Connect one more account, and break the row of the first one's connection; return that one's name."""
    world = connected.world
    with world.service.store.write() as connection:
        other = accounts.create_account(connection, "other", world.clock())
    target = connected.kind.target({"token": "right"})
    connecting.connect(world.service, other.id, Mode.TEST, "memory", target)
    with world.service.store.write() as connection:
        mine = connections.c.account_id == world.account.id
        connection.execute(update(connections).where(mine).values(last_problem="{"))
    world.clock.advance(minutes=2)
    return f"{world.account.id}/test"


def refreshed(connected: Connected) -> list[bool]:
    """Tell of every connection whether its programs were read just now, the first account's first."""
    now = connected.world.clock()
    with connected.world.service.store.read() as connection:
        rows = connection.execute(select(connections.c.refreshed_at).order_by(connections.c.account_id))
        return [row.refreshed_at == int(now.timestamp() * 1000) for row in rows]


def test_a_connection_that_cannot_be_opened_stops_no_other(connected: Connected) -> None:
    bad = connect_another(connected)
    subscriptions.keep_up(connected.world.service)
    assert refreshed(connected) == [False, True]
    noted = trouble(connected.world, Kind.CONNECTION, bad)
    assert noted is not None
    assert noted.why.startswith("JSONDecodeError at app/")


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_parked_connection_is_looked_at_again_when_an_operator_says_so(connected: Connected, verb: str) -> None:
    bad = connect_another(connected)
    until_parked(connected.world, lambda: subscriptions.keep_up(connected.world.service))
    with connected.world.service.store.write() as connection:
        connection.execute(update(connections).values(last_problem=None))
    subscriptions.keep_up(connected.world.service)
    assert refreshed(connected) == [False, True]
    succeeded(command(connected.world)("parked", verb, "connection", bad))
    subscriptions.keep_up(connected.world.service)
    assert refreshed(connected) == [True, True]


def test_who_connects_again_begins_without_trouble(connected: Connected) -> None:
    bad = connect_another(connected)
    subscriptions.keep_up(connected.world.service)
    assert trouble(connected.world, Kind.CONNECTION, bad) is not None
    with connected.world.service.store.write() as connection:
        connection.execute(update(connections).values(last_problem=None))
    connected.connect()
    assert trouble(connected.world, Kind.CONNECTION, bad) is None
