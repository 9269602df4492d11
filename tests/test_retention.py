"""What is kept how long: a repeat counts once for 400 days, what is old enough goes, and nothing else does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from app import retention
from app.actions import ACTIONS
from app.answer import ActionAnswer
from app.model import IdKind, Mode, new_id
from app.operations.repeats import digest_of
from app.retention import purge
from app.store import chunks
from app.store.columns import to_milliseconds
from app.store.tables import deliveries, events, inbox, metadata, operations
from app.store.troubles import Kind
from app.sweeps import list_parked
from tests.actions.checks import done, refused
from tests.api.test_batch import batch
from tests.world import COUPON, GOLD, MEMBERSHIP, World

PAID = {
    "program_id": MEMBERSHIP,
    "external_id": "58",
    "change": "add",
    "amount": "250.00",
    "points_per_unit": 1,
    "unique_event_id": "quickbooks-invoice-130",
}


def test_a_run_replayed_after_eight_days_counts_once(any_world: World) -> None:
    any_world.make_pass(external_id="58")
    first = done(any_world, "update-points", PAID)
    any_world.clock.advance(days=8)
    purge(any_world.service)
    again = any_world.act("update-points", PAID)
    told = again.get_json()
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert (told["points"], told["points_before"], told["points_change"]) == (250, 250, 0)
    assert told["operation_id"] == first["operation_id"]
    [note] = told["notes"]
    assert note.startswith("This request was done on 2026-11-20T09:30:00.")
    assert note.endswith("Nothing was done now; this is the pass as it is today.")
    assert len(any_world.events(type="points.changed")) == 1


def test_it_counts_once_until_the_last_of_400_days(any_world: World) -> None:
    made = any_world.make_pass(external_id="58")
    done(any_world, "update-points", PAID)
    for days, points in ((400, 250), (1, 500)):
        any_world.clock.advance(days=days)
        purge(any_world.service)
        assert done(any_world, "update-points", PAID)["points"] == points, made


def test_in_a_batch_it_counts_once_too(world: World) -> None:
    world.make_pass(external_id="58")
    done(world, "update-points", PAID)
    world.clock.advance(days=8)
    purge(world.service)
    [result] = batch(world, "update-points", [PAID])["results"]
    assert (result["replayed"], result["answer"]["points"]) == (True, 250)


def test_another_request_with_the_key_is_refused_as_before(world: World) -> None:
    world.make_pass(external_id="58")
    done(world, "update-points", PAID)
    world.clock.advance(days=8)
    purge(world.service)
    refused(world, "update-points", {**PAID, "amount": "1.00"}, 422, "idempotency-key-reused")


BODIES: dict[str, dict[str, Any]] = {
    "create-pass": {"program_id": MEMBERSHIP, "external_id": "59"},
    "update-pass": {"first_name": "Augusta"},
    "update-points": {"change": "add", "points": 5},
    "change-tier": {"tier_id": GOLD},
    "redeem-pass": {"reference": "receipt-77", "amount": "4.90"},
    "revoke-pass": {"permanent": True},
    "reinstate-pass": {},
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_whatever_was_done_is_answered_with_every_field_and_done_once(any_world: World, action: Any) -> None:
    made = any_world.make_pass(COUPON if action.name == "redeem-pass" else MEMBERSHIP, first_name="Ada")
    if action.name == "reinstate-pass":
        done(any_world, "revoke-pass", {"pass_id": made["id"]})
    body = BODIES[action.name] if action.creates else {"pass_id": made["id"], **BODIES[action.name]}
    first = done(any_world, action.name, body, idempotency_key="k-1")
    any_world.clock.advance(days=8)
    purge(any_world.service)
    before = any_world.events()
    again = done(any_world, action.name, body, idempotency_key="k-1")
    assert again.keys() == first.keys()
    own = set(action.answer.dump_fields) - set(ActionAnswer().dump_fields) - {"redeemed_at"}
    assert not any(again[name] for name in own - {"points_before", "tier_before"})
    assert {name: again[name] for name in ("id", "status", "points", "tier_id")} == {
        name: first[name] for name in ("id", "status", "points", "tier_id")
    }
    assert any_world.events() == before


def test_no_key_stands_anywhere_in_the_database(any_world: World) -> None:
    any_world.make_pass(external_id="58")
    key = str(PAID["unique_event_id"])
    operation_id = done(any_world, "update-points", PAID)["operation_id"]
    timeout = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout"}
    refused(any_world, "create-pass", timeout, 504, "outcome-unknown", idempotency_key=key)
    with any_world.service.store.read() as connection:
        for table in metadata.sorted_tables:
            assert key not in str([tuple(row) for row in connection.execute(select(table))]), table
        digests = connection.execute(select(operations.c.key_digest).where(operations.c.id == operation_id)).scalar()
    scope = any_world.account.id, Mode.TEST, "update-points"
    assert digests == digest_of(any_world.service, *scope, key)
    assert key not in any_world.get(f"/v1/operations/{operation_id}").text


def test_the_same_key_has_another_hash_in_every_scope(world: World) -> None:
    scopes = [(account, mode, action) for account in ("acct_1", "acct_2") for mode in Mode for action in ("x", "y")]
    assert len({digest_of(world.service, *scope, "k-1") for scope in scopes}) == 8


def count(world: World, table: Any) -> int:
    with world.service.store.read() as connection:
        return len(connection.execute(select(table.c.id)).all())


def test_events_and_operations_go_after_400_days_and_passes_stay(any_world: World) -> None:
    made = any_world.make_pass(external_id="58")
    any_world.clock.advance(days=400)
    assert set(purge(any_world.service).values()) == {0, 1}  # the answer
    any_world.clock.advance(milliseconds=1)
    forgotten = purge(any_world.service)
    assert (forgotten["events"], forgotten["operations"]) == (1, 1)
    assert any_world.events() == []
    assert any_world.get(f"/v1/operations/{made['operation_id']}").status_code == 404
    assert any_world.get(f"/v1/passes/{made['id']}").get_json()["external_id"] == "58"


def test_what_a_paused_hook_waits_with_goes_with_its_event(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    any_world.make_pass()
    any_world.clock.advance(days=400)
    purge(any_world.service)
    assert len(any_world.deliveries(hook["id"])) == 1
    any_world.clock.advance(milliseconds=1)
    purge(any_world.service)
    assert any_world.deliveries(hook["id"]) == []


@pytest.mark.parametrize("status", ["running", "unknown"])
def test_an_operation_without_an_outcome_stays_however_old_it_is(any_world: World, status: str) -> None:
    made = any_world.make_pass()
    any_world.make_pass()
    with any_world.service.store.write() as connection:
        row = update(operations).where(operations.c.id == made["operation_id"])
        connection.execute(row.values(status=status, answer=None))
    any_world.clock.advance(days=4000)
    assert purge(any_world.service)["operations"] == 1
    assert any_world.get(f"/v1/operations/{made['operation_id']}").get_json()["has_key"] is False


def test_what_a_remote_issuer_sent_and_nobody_has_read_stays(any_world: World) -> None:
    came = {"sink_id": "sink_1", "method": "POST", "body": "{}", "received_at": to_milliseconds(any_world.clock())}
    with any_world.service.store.write() as connection:
        connection.execute(insert(inbox), {**came, "id": "in_1", "digest": "1", "done_at": None})
        connection.execute(insert(inbox), {**came, "id": "in_2", "digest": "2", "done_at": 1})
    any_world.clock.advance(days=14, milliseconds=1)
    assert purge(any_world.service)["webhooks"] == 1
    assert count(any_world, inbox) == 1


def test_each_kind_is_gone_through_whatever_happens_to_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("the index is broken")

    world.make_pass()
    world.clock.advance(days=401)
    monkeypatch.setitem(retention.PARTS, "operations", (broken, lambda settings: settings.operation_days))
    forgotten = purge(world.service)
    assert (forgotten["answers"], forgotten["events"], "operations" in forgotten) == (1, 1, False)
    monkeypatch.undo()
    world.clock.advance(hours=1)
    assert purge(world.service)["operations"] == 1


def test_many_rows_go_in_transactions_that_each_hold_few(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MOST", 60)
    add_events(any_world, 400)
    held: list[int] = []
    engine = any_world.service.store.engine

    @event.listens_for(engine, "after_cursor_execute")
    def note(_connection: Any, cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("DELETE FROM events"):
            held.append(cursor.rowcount)

    any_world.clock.advance(days=401)
    assert purge(any_world.service)["events"] == 400
    assert max(held) <= 60
    assert sum(held) == 400


def add_events(world: World, number: int) -> None:
    """Write events that say nothing."""
    row = {"account_id": world.account.id, "mode": "test", "type": "pass.updated", "data": "{}"}
    made_at = to_milliseconds(world.clock())
    with world.service.store.write() as connection:
        rows = [{**row, "id": new_id(IdKind.EVENT), "created_at": made_at} for _ in range(number)]
        connection.execute(insert(events), rows)


def test_no_query_of_the_purge_reads_a_table_from_end_to_end(any_world: World) -> None:
    """On a database without statistics, with as good as no rows: the plan must not depend on them."""
    store = any_world.service.store
    explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN (COSTS OFF) "
    asked: list[tuple[str, Any]] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    any_world.clock.advance(days=401)
    purge(any_world.service)
    event.remove(store.engine, "before_cursor_execute", note)
    big = {table.name for table in (operations, events, deliveries, inbox)}
    plans = {}
    with store.read() as connection:
        if not store.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")  # a table of a page is read from end to end
        for statement, parameters in asked:
            if any(name in statement for name in big):
                rows = connection.exec_driver_sql(explain + statement, parameters).all()
                plans[statement] = "; ".join(str(row[-1]) for row in rows)
    assert len(plans) >= 8
    scans = [plan for plan in plans.values() for name in big if f"SCAN {name}" in plan or f"Seq Scan on {name}" in plan]
    assert scans == []


def test_a_purge_that_fails_too_often_is_shown_to_operators(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("the index is broken")

    monkeypatch.setitem(retention.PARTS, "events", (broken, lambda settings: settings.event_days))
    for _ in range(10):
        purge(world.service)
        world.clock.now += timedelta(hours=1)
    assert [(item.kind, item.item_id) for item in list_parked(world.service)] == [(Kind.PURGE, "events")]
