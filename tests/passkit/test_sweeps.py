"""One bad row of PassKit's way never stops the others: webhooks, open operations, connections."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from app import sweeps
from app.accounts import accounts
from app.model import Mode
from app.operations import resume
from app.operations.resume import resume_all
from app.store import issuer_webhooks, troubles
from app.store.tables import connections, inbox, operations, passes
from app.store.troubles import Kind, Trouble
from app.sync import webhooks
from app.sync.connecting import connect
from app.sync.subscriptions import keep_up
from app.sync.webhooks import read_all
from tests.fakes.passkit import FakePassKit
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, passkit_of, target_of, upstream_id
from tests.passkit.test_unclear import add, counted, go_away, leave_unknown
from tests.passkit.test_webhooks import deliver, held, settle
from tests.test_cli import succeeded
from tests.test_metrics import figure
from tests.test_sweeps import command, trouble, until_parked
from tests.world import World


@pytest.fixture(autouse=True)
def impatient(lonely: World) -> None:
    passkit_of(lonely).pool.sleep = lambda seconds: None


# --- webhooks ---


def test_a_customer_who_enrols_again_after_a_lost_webhook_has_one_valid_pass(joined: Joined) -> None:
    """The member was deleted in PassKit's portal, and the webhook that tells of it never came."""
    passkit = Client(joined.fake)
    old = joined.make(external_id="c-1", points=10)
    passkit.right("DELETE", "/members/member", {"id": upstream_id(old)})
    held(joined)
    joined.world.clock.advance(seconds=1)
    passkit.enrol("c-1", points=3.0)
    assert settle(joined) == ["pass.revoked", "pass.created"]
    listed = joined.world.get("/v1/passes", query_string={"external_id": "c-1"}).get_json()["data"]
    assert [(one["status"], one["points"], one["id"] == old["id"]) for one in listed] == [
        ("active", 3, False),
        ("revoked", 10, True),
    ]
    with joined.world.service.store.read() as connection:
        assert troubles.list_parked(connection) == []
    body = {"program_id": joined.program_id(), "external_id": "c-1", "change": "add", "points": 5}
    assert joined.act("update-points", body).get_json()["points"] == 8


def write_fields(joined: Joined, made: dict[str, Any], text: str) -> None:
    """Write the column of the custom fields of a pass, which holds JSON."""
    with joined.world.service.store.write() as connection:
        connection.execute(update(passes).where(passes.c.id == made["id"]).values(fields=text))


def earn_at_passkit(joined: Joined, made: dict[str, Any], points: int = 5) -> None:
    Client(joined.fake).right("PUT", "/members/member/points/earn", {"id": upstream_id(made), "points": points})


def tell_of_a_pass_that_cannot_be_read(joined: Joined) -> dict[str, Any]:
    """Let a webhook come about a pass whose row cannot be read; return the pass."""
    made = joined.make(external_id="c-1", points=10)
    held(joined)
    write_fields(joined, made, "{")
    earn_at_passkit(joined, made)
    deliver(joined, held(joined))
    return made


def webhook_in_trouble(joined: Joined) -> Trouble:
    """Return the trouble with the oldest webhook."""
    with joined.world.service.store.read() as connection:
        [webhook_id, *_] = connection.execute(select(inbox.c.id).order_by(inbox.c.id)).scalars()
        found = troubles.get(connection, Kind.WEBHOOK, webhook_id)
    assert found is not None
    return found


def waiting(joined: Joined) -> list[str]:
    with joined.world.service.store.read() as connection:
        return issuer_webhooks.waiting(connection, joined.world.clock(), 100)


def test_a_webhook_that_raises_stops_no_other(joined: Joined) -> None:
    good = joined.make(external_id="c-2", points=10)
    tell_of_a_pass_that_cannot_be_read(joined)
    earn_at_passkit(joined, good)
    deliver(joined, held(joined))
    assert read_all(joined.world.service) == 1
    [told] = joined.world.events(type="points.changed")
    assert (told["data"]["id"], told["data"]["points"]) == (good["id"], 15)
    why = webhook_in_trouble(joined).why
    assert why.startswith("JSONDecodeError at app/sync/webhooks.py:")
    assert "app/store/passes.py:" in why


def test_webhooks_that_rest_do_not_fill_a_sweep(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    good = joined.make(external_id="c-2", points=10)
    tell_of_a_pass_that_cannot_be_read(joined)
    earn_at_passkit(joined, good)
    deliver(joined, held(joined))
    assert [read_all(joined.world.service) for _ in range(3)] == [0, 1, 0]
    assert len(joined.world.events(type="points.changed")) == 1


def test_a_webhook_that_goes_on_raising_is_parked_and_can_be_dropped(joined: Joined) -> None:
    world = joined.world
    tell_of_a_pass_that_cannot_be_read(joined)
    until_parked(world, lambda: read_all(world.service))
    [parked] = sweeps.list_parked(world.service)
    assert (parked.kind, parked.tries) == (Kind.WEBHOOK, sweeps.MOST_TRIES)
    assert figure(world.client.get("/metrics").text, "passrail_parked", kind="webhook") == 1
    assert parked.item_id in succeeded(command(world)("parked", "list"))
    succeeded(command(world)("parked", "drop", "webhook", parked.item_id))
    assert sweeps.list_parked(world.service) == []
    assert waiting(joined) == []
    with world.service.store.read() as connection:
        assert connection.execute(select(inbox.c.note)).scalars().all() == ["given up unread"]


def test_a_parked_webhook_whose_cause_is_mended_is_read_when_it_is_retried(joined: Joined) -> None:
    world = joined.world
    bad = tell_of_a_pass_that_cannot_be_read(joined)
    until_parked(world, lambda: read_all(world.service))
    write_fields(joined, bad, "{}")
    assert read_all(world.service) == 0
    [parked] = sweeps.list_parked(world.service)
    succeeded(command(world)("parked", "retry", "webhook", parked.item_id))
    assert read_all(world.service) == 1
    assert trouble(world, Kind.WEBHOOK, parked.item_id) is None
    assert waiting(joined) == []
    [told] = world.events(type="points.changed")
    assert (told["data"]["id"], told["data"]["points"]) == (bad["id"], 15)


# --- operations ---


def leave_open(joined: Joined, number: int) -> list[str]:
    """Leave operations of unknown outcome behind, with the keys k-0, k-1 ...; return their IDs."""
    made = [joined.make(external_id=f"c-{place}", points=10) for place in range(number)]
    operation_ids = [leave_unknown(joined, one, key=f"k-{place}") for place, one in enumerate(made)]
    joined.world.clock.advance(minutes=1)
    return operation_ids


def rewrite(joined: Joined, operation_id: str, request: str) -> str:
    """Write what an operation keeps to be finished with; return what it kept before."""
    with joined.world.service.store.write() as connection:
        mine = operations.c.id == operation_id
        before = connection.execute(select(operations.c.request).where(mine)).scalar_one()
        connection.execute(update(operations).where(mine).values(request=request))
    return str(before)


def status(joined: Joined, operation_id: str) -> str:
    return str(joined.world.get(f"/v1/operations/{operation_id}").get_json()["status"])


@pytest.mark.parametrize("at_once", [1, 50])
@pytest.mark.parametrize("kept", ["{", "{}", '{"version": 3, "effects": [{"effect": "fly"}]}'])
def test_an_operation_that_cannot_be_read_stops_no_other(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, at_once: int, kept: str
) -> None:
    monkeypatch.setattr(resume, "AT_ONCE", at_once)
    bad, *others = leave_open(joined, 3)
    rewrite(joined, bad, kept)
    for _ in range(3):
        resume_all(joined.world.service)
    assert [status(joined, one) for one in others] == ["succeeded", "succeeded"]
    assert status(joined, bad) == "unknown"
    noted = trouble(joined.world, Kind.OPERATION, bad)
    assert noted is not None
    assert (noted.tries, noted.why.split(" ")[0]) == (1, "CannotGoOn")


def test_who_repeats_the_request_of_an_operation_that_cannot_be_read_is_told_whom_to_ask(joined: Joined) -> None:
    [bad] = leave_open(joined, 1)
    rewrite(joined, bad, "{")
    [made] = joined.world.get("/v1/passes", query_string={"external_id": "c-0"}).get_json()["data"]
    answer = add(joined, made, key="k-0")
    assert (answer.status_code, answer.get_json()["code"]) == (504, "outcome-unknown")
    assert answer.get_json()["operation_id"] == bad
    assert "passrail parked list" in answer.get_json()["detail"]
    assert counted(joined, "k-0") == 1


def test_a_parked_operation_is_finished_when_it_is_mended_and_retried(joined: Joined) -> None:
    world = joined.world
    bad, good = leave_open(joined, 2)
    readable = rewrite(joined, bad, "{")
    until_parked(world, lambda: resume_all(world.service))
    assert status(joined, good) == "succeeded"
    rewrite(joined, bad, readable)
    assert resume_all(world.service) == 0
    succeeded(command(world)("parked", "retry", "operation", bad))
    assert resume_all(world.service) == 1
    assert status(joined, bad) == "succeeded"
    assert trouble(world, Kind.OPERATION, bad) is None
    assert (counted(joined, "k-0"), counted(joined, "k-1")) == (1, 1)


def park(joined: Joined, made: dict[str, Any], *, is_done: bool) -> str:
    """Add points so that for a day nobody can tell what became of it; return the operation's ID."""
    operation_id = leave_unknown(joined, made, is_done=is_done)
    go_away(joined)
    joined.world.clock.advance(days=1)
    assert resume_all(joined.world.service) == 0
    joined.fake.faults.clear()
    assert [one.item_id for one in sweeps.list_parked(joined.world.service)] == [operation_id]
    assert resume_all(joined.world.service) == 0
    return operation_id


@pytest.mark.parametrize("is_done", [True, False])
def test_a_parked_operation_that_is_retried_is_found_out_and_finished_once(joined: Joined, is_done: bool) -> None:
    made = joined.make(points=10)
    operation_id = park(joined, made, is_done=is_done)
    succeeded(command(joined.world)("parked", "retry", "operation", operation_id))
    joined.world.clock.advance(hours=3)
    assert resume_all(joined.world.service) == 1
    assert status(joined, operation_id) == "succeeded"
    assert add(joined, made).headers["Idempotent-Replayed"] == "true"
    assert (counted(joined), joined.record(made)["points"]) == (1, 15)


def test_a_parked_operation_that_is_dropped_has_not_happened_and_may_be_asked_for_again(joined: Joined) -> None:
    made = joined.make(points=10)
    operation_id = park(joined, made, is_done=False)
    succeeded(command(joined.world)("parked", "drop", "operation", operation_id))
    assert sweeps.list_parked(joined.world.service) == []
    assert status(joined, operation_id) == "failed"
    joined.world.clock.advance(days=1)
    assert resume_all(joined.world.service) == 0
    assert joined.record(made)["points"] == 10
    again = add(joined, made).get_json()
    assert (again["points"], again["operation_id"] != operation_id) == (15, True)
    assert counted(joined) == 1


# --- connections ---


def connect_another(joined: Joined) -> str:
    """Connect one more account, and break the row of the first one's connection; return that one's name."""
    world, service = joined.world, joined.world.service
    with service.store.write() as connection:
        other = accounts.create_account(connection, "other", world.clock())
    connect(service, other.id, Mode.TEST, "passkit", target_of(joined.fake))
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
    keep_up(joined.world.service)
    assert refreshed(joined) == [False, True]
    noted = trouble(joined.world, Kind.CONNECTION, bad)
    assert noted is not None
    assert noted.why.startswith("JSONDecodeError at app/sync/connections.py:")


def mend(joined: Joined) -> None:
    """Make every connection's row readable again."""
    with joined.world.service.store.write() as connection:
        connection.execute(update(connections).values(last_problem=None))


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_parked_connection_is_looked_at_again_when_an_operator_says_so(joined: Joined, verb: str) -> None:
    bad = connect_another(joined)
    until_parked(joined.world, lambda: keep_up(joined.world.service))
    mend(joined)
    keep_up(joined.world.service)
    assert refreshed(joined) == [False, True]
    succeeded(command(joined.world)("parked", verb, "connection", bad))
    keep_up(joined.world.service)
    assert refreshed(joined) == [True, True]


def test_who_connects_again_begins_without_trouble(joined: Joined, fake: FakePassKit) -> None:
    bad = connect_another(joined)
    until_parked(joined.world, lambda: keep_up(joined.world.service))
    mend(joined)
    connect(joined.world.service, joined.world.account.id, Mode.TEST, "passkit", target_of(fake))
    assert trouble(joined.world, Kind.CONNECTION, bad) is None
    joined.world.clock.advance(minutes=2)
    keep_up(joined.world.service)
    assert refreshed(joined) == [True, True]
