"""One bad row of PassKit's way never stops the others: webhooks, open operations, connections."""

from __future__ import annotations

from typing import Any

import pytest
from app.actions.inbox import read_all
from app.actions.resume import resume_all
from sqlalchemy import select, update

from app import sweeps, upstream
from app.accounts import accounts
from app.actions import inbox, resume
from app.model import Mode
from app.store import inbox as kept
from app.store import troubles
from app.store.tables import connections, operations
from app.store.tables import inbox as webhooks
from app.store.troubles import Kind, Trouble
from tests.fakes.passkit import FakePassKit
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, target_of, upstream_id
from tests.passkit.test_webhooks import deliver, held
from tests.test_cli import succeeded
from tests.test_metrics import figure
from tests.test_sweeps import command, trouble, until_parked

EARN = "PUT /members/member/points/earn"


# --- webhooks ---


def enrol_again_after_a_lost_webhook(joined: Joined) -> None:
    """Delete a member in PassKit's portal, lose the webhook that tells of it, and enrol the same customer again."""
    passkit = Client(joined.fake)
    made = joined.make(external_id="c-1")
    passkit.right("DELETE", "/members/member", {"id": upstream_id(made)})
    held(joined)
    passkit.enrol("c-1")


def earn_at_passkit(joined: Joined, made: dict[str, Any], points: int = 5) -> None:
    Client(joined.fake).right("PUT", "/members/member/points/earn", {"id": upstream_id(made), "points": points})


def points_of(joined: Joined, made: dict[str, Any]) -> int:
    return int(joined.world.get(f"/v1/passes/{made['id']}").get_json()["points"])


def webhook_in_trouble(joined: Joined) -> Trouble:
    """Return the trouble with the oldest webhook."""
    with joined.world.service.store.read() as connection:
        [hint_id, *_] = connection.execute(select(webhooks.c.id).order_by(webhooks.c.id)).scalars()
        found = troubles.get(connection, Kind.WEBHOOK, hint_id)
    assert found is not None
    return found


def waiting(joined: Joined) -> list[str]:
    with joined.world.service.store.read() as connection:
        return kept.waiting(connection, joined.world.clock(), 100)


def test_a_webhook_that_raises_stops_no_other(joined: Joined) -> None:
    made = joined.make(external_id="c-2", points=10)
    enrol_again_after_a_lost_webhook(joined)
    earn_at_passkit(joined, made)
    deliver(joined, held(joined))
    assert read_all(joined.world.service) == 1
    assert [one["type"] for one in joined.world.events(type="points.changed")] == ["points.changed"]
    assert webhook_in_trouble(joined).why.startswith("IntegrityError at app/actions/inbox.py:")


def test_webhooks_that_rest_do_not_fill_a_sweep(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "AT_ONCE", 1)
    made = joined.make(external_id="c-2", points=10)
    enrol_again_after_a_lost_webhook(joined)
    earn_at_passkit(joined, made)
    deliver(joined, held(joined))
    assert [read_all(joined.world.service) for _ in range(3)] == [0, 1, 0]
    assert len(joined.world.events(type="points.changed")) == 1


def test_a_webhook_that_goes_on_raising_is_parked_and_can_be_dropped(joined: Joined) -> None:
    world = joined.world
    enrol_again_after_a_lost_webhook(joined)
    deliver(joined, held(joined))
    until_parked(world, lambda: read_all(world.service))
    [parked] = sweeps.list_parked(world.service)
    assert (parked.kind, parked.tries) == (Kind.WEBHOOK, sweeps.MOST_TRIES)
    assert figure(world.client.get("/metrics").text, "passrail_parked", kind="webhook") == 1
    assert parked.item_id in succeeded(command(world)("parked", "list"))
    succeeded(command(world)("parked", "drop", "webhook", parked.item_id))
    assert sweeps.list_parked(world.service) == []
    assert waiting(joined) == []
    with world.service.store.read() as connection:
        assert connection.execute(select(webhooks.c.note)).scalars().all() == ["given up unread"]


def test_a_parked_webhook_whose_cause_is_mended_is_read_when_it_is_retried(joined: Joined) -> None:
    world = joined.world
    enrol_again_after_a_lost_webhook(joined)
    deliver(joined, held(joined))
    until_parked(world, lambda: read_all(world.service))
    [old] = world.get("/v1/passes", query_string={"external_id": "c-1"}).get_json()["data"]
    assert joined.act("revoke-pass", {"pass_id": old["id"], "permanent": True}).status_code == 200
    assert read_all(world.service) == 0
    [parked] = sweeps.list_parked(world.service)
    succeeded(command(world)("parked", "retry", "webhook", parked.item_id))
    assert read_all(world.service) == 1
    assert trouble(world, Kind.WEBHOOK, parked.item_id) is None
    assert waiting(joined) == []


# --- operations ---


def leave_open(joined: Joined, number: int) -> list[str]:
    """Leave operations of unknown outcome behind; what is kept of the first one cannot be read."""
    made = [joined.make(points=10) for _ in range(number)]
    operation_ids = []
    for one in made:
        joined.fake.fail("reset", EARN, effect="first")
        body = {"pass_id": one["id"], "change": "add", "points": 5}
        answer = joined.act("update-points", body, idempotency_key=one["id"])
        operation_ids.append(str(answer.get_json()["operation_id"]))
    with joined.world.service.store.write() as connection:
        connection.execute(update(operations).where(operations.c.id == operation_ids[0]).values(request="{"))
    joined.world.clock.advance(minutes=1)
    return operation_ids


def status(joined: Joined, operation_id: str) -> str:
    return str(joined.world.get(f"/v1/operations/{operation_id}").get_json()["status"])


@pytest.mark.parametrize("at_once", [1, 50])
def test_an_operation_that_cannot_be_read_stops_no_other(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(resume, "AT_ONCE", at_once)
    bad, *others = leave_open(joined, 3)
    for _ in range(3):
        resume_all(joined.world.service)
    assert [status(joined, one) for one in others] == ["succeeded", "succeeded"]
    assert status(joined, bad) == "unknown"
    noted = trouble(joined.world, Kind.OPERATION, bad)
    assert noted is not None
    assert (noted.tries, noted.why.split(" ")[0]) == (1, "JSONDecodeError")


def test_a_parked_operation_is_finished_when_it_is_mended_and_retried(joined: Joined) -> None:
    world = joined.world
    bad, good = leave_open(joined, 2)
    with world.service.store.read() as connection:
        readable = connection.execute(select(operations.c.request).where(operations.c.id == good)).scalar_one()
        pass_of = {row.id: row.pass_id for row in connection.execute(select(operations.c.id, operations.c.pass_id))}
    until_parked(world, lambda: resume_all(world.service))
    with world.service.store.write() as connection:
        mended = readable.replace(pass_of[good], pass_of[bad])
        connection.execute(update(operations).where(operations.c.id == bad).values(request=mended))
    assert resume_all(world.service) == 0
    succeeded(command(world)("parked", "retry", "operation", bad))
    resume_all(world.service)
    assert trouble(world, Kind.OPERATION, bad) is None


# --- connections ---


def connect_another(joined: Joined) -> str:
    """Connect one more account, and break the row of the first one's connection; return that one's name."""
    world, service = joined.world, joined.world.service
    with service.store.write() as connection:
        other = accounts.create_account(connection, "other", world.clock())
    upstream.connect(service, other.id, Mode.TEST, target_of(joined.fake))
    with service.store.write() as connection:
        mine = connections.c.account_id == world.account.id
        connection.execute(update(connections).where(mine).values(last_problem="{"))
    world.clock.advance(minutes=2)
    return f"{world.account.id}/test"


def refreshed(joined: Joined) -> list[bool]:
    """Tell of every connection whether its programs were read just now, the first account's first."""
    now = joined.world.clock()
    with joined.world.service.store.read() as connection:
        rows = connection.execute(select(connections.c.refreshed_at).order_by(connections.c.account_id))
        return [row.refreshed_at == int(now.timestamp() * 1000) for row in rows]


def test_a_connection_that_cannot_be_opened_stops_no_other(joined: Joined) -> None:
    bad = connect_another(joined)
    upstream.keep_up(joined.world.service)
    assert refreshed(joined) == [False, True]
    noted = trouble(joined.world, Kind.CONNECTION, bad)
    assert noted is not None
    assert noted.why.startswith("JSONDecodeError at app/upstream.py:")


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_parked_connection_is_looked_at_again_when_an_operator_says_so(joined: Joined, verb: str) -> None:
    bad = connect_another(joined)
    until_parked(joined.world, lambda: upstream.keep_up(joined.world.service))
    with joined.world.service.store.write() as connection:
        connection.execute(update(connections).values(last_problem=None))
    upstream.keep_up(joined.world.service)
    assert refreshed(joined) == [False, True]
    succeeded(command(joined.world)("parked", verb, "connection", bad))
    upstream.keep_up(joined.world.service)
    assert refreshed(joined) == [True, True]


def test_who_connects_again_begins_without_trouble(joined: Joined, fake: FakePassKit) -> None:
    bad = connect_another(joined)
    upstream.keep_up(joined.world.service)
    assert trouble(joined.world, Kind.CONNECTION, bad) is not None
    upstream.connect(joined.world.service, joined.world.account.id, Mode.TEST, target_of(fake))
    assert trouble(joined.world, Kind.CONNECTION, bad) is None
