"""One bad item never stops the others: it is tried again after growing pauses, then parked where operators see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, literal, select, update

from app import sweeps
from app.accounts.vault import Place, Vault, generate_key
from app.errors import NotFound
from app.store import expiries, troubles
from app.store.tables import hooks, imports, passes
from app.store.troubles import Kind, Trouble
from app.sweeps import MOST_TRIES, STALE, each, pause_after
from app.sync import expiry
from app.sync.expiry import tell_expired
from tests.events.workers import delivery_worker, told
from tests.postgres import NewDatabase
from tests.test_cli import Run, refused, runner, succeeded
from tests.test_metrics import figure
from tests.world import MEMBERSHIP, World, make_world

ITEMS = ["a", "bad", "z"]


def do(done: list[str], failure: BaseException | None = None) -> Callable[[str], bool]:
    """Make work that takes every item but the bad one."""

    def work(item_id: str) -> bool:
        done.append(item_id)
        if item_id == "bad" and failure is not None:
            raise failure
        return True

    return work


def trouble(world: World, kind: Kind, item_id: str) -> Trouble | None:
    with world.service.store.read() as connection:
        return troubles.get(connection, kind, item_id)


def until_parked(world: World, sweep: Callable[[], Any]) -> int:
    """Sweep once a minute until something is parked; return how many minutes that took."""
    for minute in range(24 * 60):
        sweep()
        if sweeps.list_parked(world.service):
            return minute
        world.clock.advance(minutes=1)
    raise AssertionError("nothing was parked within a day")


def command(world: World) -> Run:
    """The command line on the world's database."""
    settings = world.service.settings
    return runner({"DATA_DIR": settings.data_dir, "DATABASE_URL": settings.database_url, "BASE_URL": ""})


@pytest.mark.parametrize(
    ("tries", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (9, 60)]
)
def test_pauses_grow_to_an_hour(tries: int, minutes: int) -> None:
    assert pause_after(tries) == timedelta(minutes=minutes)


def test_a_bad_item_stops_no_other(any_world: World, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    assert each(any_world.service, Kind.WEBHOOK, ITEMS, do(done, ValueError("no"))) == 2
    assert done == ITEMS
    [record] = caplog.records
    assert "ValueError: no" in str(record.exc_text)
    assert (vars(record)["kind"], vars(record)["item_id"]) == ("webhook", "bad")
    noted = trouble(any_world, Kind.WEBHOOK, "bad")
    assert noted is not None
    now = any_world.clock()
    assert (noted.tries, noted.first_at, noted.next_at, noted.parked_at) == (1, now, now + pause_after(1), None)


def test_what_only_waits_is_neither_done_nor_a_failure(world: World) -> None:
    assert each(world.service, Kind.WEBHOOK, ["a"], lambda _item: False) == 0
    assert trouble(world, Kind.WEBHOOK, "a") is None


def test_a_bad_item_rests_until_its_next_try(any_world: World) -> None:
    done: list[str] = []
    for seconds, is_tried in ((0, True), (59, False), (1, True), (119, False), (1, True)):
        any_world.clock.advance(seconds=seconds)
        done.clear()
        each(any_world.service, Kind.HOOK, ["bad"], do(done, ValueError()))
        assert bool(done) == is_tried, seconds


def test_troubles_of_another_kind_do_not_count(world: World) -> None:
    each(world.service, Kind.HOOK, ["bad"], do([], ValueError()))
    assert each(world.service, Kind.EXPIRY, ["bad"], do([])) == 1
    assert trouble(world, Kind.HOOK, "bad") is not None


def test_success_forgets_the_trouble(any_world: World) -> None:
    each(any_world.service, Kind.HOOK, ["bad"], do([], ValueError()))
    any_world.clock.advance(minutes=1)
    assert each(any_world.service, Kind.HOOK, ["bad"], do([])) == 1
    assert trouble(any_world, Kind.HOOK, "bad") is None


def test_after_ten_tries_it_is_parked_and_tried_no_more(any_world: World, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def sweep() -> None:
        each(any_world.service, Kind.HOOK, ["bad"], do(done, ValueError()))

    assert until_parked(any_world, sweep) == 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60
    assert len(done) == MOST_TRIES
    assert "parked" in [record.message for record in caplog.records]
    any_world.clock.advance(days=30)
    sweep()
    assert len(done) == MOST_TRIES


def test_a_failure_that_cannot_be_written_down_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(troubles, "put", full)
    done: list[str] = []
    assert each(world.service, Kind.HOOK, ITEMS, do(done, ValueError())) == 2
    assert done == ITEMS
    assert [record.message for record in caplog.records] == ["an item failed", "a failure cannot be written down"]


def test_what_is_kept_of_a_failure_says_where_and_holds_no_data(world: World) -> None:
    made = world.make_pass(first_name="Grace", expires_at="2026-11-21")
    with world.service.store.write() as connection:
        connection.execute(update(passes).where(passes.c.id == made["id"]).values(install_state="Grace"))
    world.clock.advance(days=2)
    tell_expired(world.service)
    noted = trouble(world, Kind.EXPIRY, made["id"])
    assert noted is not None
    assert noted.why.startswith("ValueError at app/store/expiries.py:")
    assert " > app/store/passes.py:" in noted.why
    assert "Grace" not in noted.why


def test_work_can_be_parked_without_a_failure(any_world: World) -> None:
    sweeps.park(any_world.service, Kind.OPERATION, "op_1", "its outcome has been unknown for a day")
    [parked] = sweeps.list_parked(any_world.service)
    assert (parked.tries, parked.why) == (0, "its outcome has been unknown for a day")
    assert each(any_world.service, Kind.OPERATION, ["op_1"], do([])) == 0
    sweeps.retry(any_world.service, Kind.OPERATION, "op_1")
    assert each(any_world.service, Kind.OPERATION, ["op_1"], do([])) == 1


@pytest.mark.parametrize("has_failed_before", [True, False])
@pytest.mark.parametrize("fails_then", [True, False])
def test_work_that_parks_its_own_item_leaves_it_parked(world: World, has_failed_before: bool, fails_then: bool) -> None:
    def give_up(item_id: str) -> bool:
        sweeps.park(world.service, Kind.OPERATION, item_id, "nobody can tell")
        if fails_then:
            raise ValueError
        return False

    if has_failed_before:
        each(world.service, Kind.OPERATION, ["bad"], do([], ValueError()))
        world.clock.advance(minutes=1)
    each(world.service, Kind.OPERATION, ["bad"], give_up)
    assert [one.item_id for one in sweeps.list_parked(world.service)] == ["bad"]


def test_an_item_that_cannot_be_dropped_stays_parked(world: World) -> None:
    def refuse(_item: str) -> None:
        raise OSError("disk full")

    sweeps.park(world.service, Kind.IMPORT, "i", "why")
    with pytest.raises(OSError, match="disk full"):
        sweeps.drop(world.service, Kind.IMPORT, "i", refuse)
    assert [one.item_id for one in sweeps.list_parked(world.service)] == ["i"]


def test_where_there_is_no_trouble_nothing_is_dropped(world: World) -> None:
    dropped: list[str] = []
    with pytest.raises(NotFound, match="no trouble with the hook 'h'"):
        sweeps.drop(world.service, Kind.HOOK, "h", dropped.append)
    assert dropped == []


def test_troubles_that_no_sweep_comes_for_are_forgotten_and_parked_ones_stay(any_world: World) -> None:
    sweeps.park(any_world.service, Kind.HOOK, "parked", "why")
    each(any_world.service, Kind.HOOK, ["bad"], do([], ValueError()))
    any_world.clock.advance(minutes=1)
    any_world.clock.now += STALE
    assert sweeps.forget_stale(any_world.service) == 0
    any_world.clock.advance(seconds=1)
    assert sweeps.forget_stale(any_world.service) == 1
    assert [one.item_id for one in sweeps.list_parked(any_world.service)] == ["parked"]


@pytest.mark.parametrize("is_parked", [True, False])
@pytest.mark.parametrize(("seconds", "is_later"), [(-1, False), (0, False), (1, True)])
def test_sweeps_leave_out_of_their_queries_what_rests(
    any_world: World, seconds: int, is_later: bool, is_parked: bool
) -> None:
    now = any_world.clock()
    noted = Trouble(Kind.HOOK, "h", 1, "why", now, now + timedelta(seconds=seconds), now if is_parked else None)
    with any_world.service.store.write() as connection:
        troubles.put(connection, noted)
        for kind, item_id in ((Kind.HOOK, "h"), (Kind.HOOK, "other"), (Kind.IMPORT, "h")):
            found = connection.execute(select(troubles.rests(kind, literal(item_id), now))).scalar_one()
            assert bool(found) == ((kind, item_id) == (Kind.HOOK, "h") and noted.rests(now))
    assert noted.rests(now) == (is_parked or is_later)


# --- expiry ---


def expiring_passes(world: World, number: int) -> list[str]:
    """Make passes that have expired; the first one's row cannot be read."""
    made = [world.make_pass(expires_at=f"2026-11-21T10:{minute:02}:00Z")["id"] for minute in range(number)]
    with world.service.store.write() as connection:
        connection.execute(update(passes).where(passes.c.id == made[0]).values(fields="{"))
    world.clock.advance(days=2)
    return made


def told_of(world: World) -> set[str]:
    return {event["data"]["id"] for event in world.events(type="pass.expired")}


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_an_expiry_that_cannot_be_told_stops_no_other(
    any_world: World, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(expiry, "CHUNK", chunk)
    bad, *others = expiring_passes(any_world, 4)
    for _ in range(2):
        tell_expired(any_world.service)
    assert told_of(any_world) == set(others)
    noted = trouble(any_world, Kind.EXPIRY, bad)
    assert noted is not None
    assert noted.tries == 1


def test_a_mended_expiry_is_told_when_it_is_retried(any_world: World) -> None:
    bad, good = expiring_passes(any_world, 2)
    until_parked(any_world, lambda: tell_expired(any_world.service))
    with any_world.service.store.write() as connection:
        connection.execute(update(passes).where(passes.c.id == bad).values(fields="{}"))
    assert tell_expired(any_world.service) == 0
    succeeded(command(any_world)("parked", "retry", "expiry", bad))
    assert tell_expired(any_world.service) == 1
    assert told_of(any_world) == {bad, good}


def test_a_dropped_expiry_counts_as_told(any_world: World) -> None:
    bad, good = expiring_passes(any_world, 2)
    until_parked(any_world, lambda: tell_expired(any_world.service))
    succeeded(command(any_world)("parked", "drop", "expiry", bad))
    assert sweeps.list_parked(any_world.service) == []
    assert tell_expired(any_world.service) == 0
    assert trouble(any_world, Kind.EXPIRY, bad) is None
    assert told_of(any_world) == {good}


def test_two_workers_at_once_tell_of_each_expiry_once(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "CHUNK", 7)
    _, *others = expiring_passes(any_world, 40)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(tell_expired, [any_world.service] * 2))
    assert sum(told) + tell_expired(any_world.service) == len(others)
    listed = any_world.events(type="pass.expired")
    assert len(listed) == len(others)
    assert told_of(any_world) == set(others)


def test_an_expiry_that_another_worker_is_telling_is_left_to_it(tmp_path: Path, postgres_url: NewDatabase) -> None:
    world = make_world(tmp_path, postgres_url())
    made = world.make_pass(expires_at="2026-11-21")
    world.clock.advance(days=2)
    with world.service.store.write() as connection:
        assert expiries.lock(connection, made["id"], world.clock()) is not None
        assert tell_expired(world.service) == 0
    assert tell_expired(world.service) == 1
    world.service.store.close()


# --- hooks ---


def deliver_to_all(world: World, hook_ids: list[str], sender: Any) -> None:
    worker = delivery_worker(world, sender)
    each(world.service, Kind.HOOK, hook_ids, lambda hook_id: worker.deliver_due(hook_id) is None)


def keep_secret(world: World, hook_id: str, secret: str) -> None:
    with world.service.store.write() as connection:
        connection.execute(update(hooks).where(hooks.c.id == hook_id).values(secret=secret))


def test_a_hook_that_nothing_can_be_signed_for_stops_no_other_hook(any_world: World) -> None:
    made, good = any_world.make_hook("pass.created"), any_world.make_hook("pass.created")["id"]
    bad = made["id"]
    any_world.make_pass()
    [event_id] = [event["id"] for event in any_world.events()]
    keep_secret(any_world, bad, Vault.from_setting(f"lost:{generate_key()}").seal("secret", Place("a", "t", "c", "r")))
    sender = told()
    until_parked(any_world, lambda: deliver_to_all(any_world, [bad, good], sender))
    assert [sent.event_id for sent in sender.sent] == [event_id]
    assert [one["status"] for one in any_world.deliveries(good)] == ["delivered"]
    assert [(one["status"], one["attempts"]) for one in any_world.deliveries(bad)] == [("pending", [])]
    succeeded(command(any_world)("parked", "drop", "hook", bad))
    assert [one["status"] for one in any_world.deliveries(bad)] == ["failed"]
    keep_secret(any_world, bad, made["secret"])
    any_world.make_pass()
    deliver_to_all(any_world, [bad, good], sender)
    assert [one["status"] for one in any_world.deliveries(bad)] == ["delivered", "failed"]


# --- the command line and the figures ---


def test_what_is_parked_is_listed(any_world: World) -> None:
    run = command(any_world)
    assert succeeded(run("parked", "list")) == ""
    assert json.loads(succeeded(run("parked", "list", "--json"))) == []
    each(any_world.service, Kind.HOOK, ["bad"], do([], ValueError()))
    sweeps.park(any_world.service, Kind.OPERATION, "op_1", "nobody can tell")
    assert succeeded(run("parked", "list")) == "operation  op_1  2026-11-20T09:30:00.000Z  0  nobody can tell\n"
    assert json.loads(succeeded(run("parked", "list", "--json"))) == [
        {"kind": "operation", "id": "op_1", "since": "2026-11-20T09:30:00.000Z", "tries": 0, "why": "nobody can tell"}
    ]


def test_a_dropped_import_ends_as_failed_and_says_why(any_world: World) -> None:
    row = {
        "id": "imp_1",
        "account_id": any_world.account.id,
        "mode": "test",
        "status": "running",
        "position": "{}",
        "found": 5,
        "added": 3,
        "changed": 0,
        "created_at": 1,
    }
    with any_world.service.store.write() as connection:
        connection.execute(insert(imports), row)
    sweeps.park(any_world.service, Kind.IMPORT, "imp_1", "why")
    succeeded(command(any_world)("parked", "drop", "import", "imp_1"))
    assert sweeps.list_parked(any_world.service) == []
    with any_world.service.store.read() as connection:
        ended = connection.execute(select(imports)).one()
    assert (ended.status, ended.added) == ("failed", 3)
    assert ended.finished_at is not None
    assert set(json.loads(ended.problem)) == {"code", "detail"}


TIMEOUT = {"program_id": MEMBERSHIP, "external_id": "simulate_timeout"}


def test_a_dropped_operation_ends_as_one_that_did_not_happen(any_world: World) -> None:
    operation_id = any_world.act("create-pass", TIMEOUT, idempotency_key="k-1").get_json()["operation_id"]
    sweeps.park(any_world.service, Kind.OPERATION, operation_id, "nobody can tell")
    succeeded(command(any_world)("parked", "drop", "operation", operation_id))
    assert sweeps.list_parked(any_world.service) == []
    ended = any_world.get(f"/v1/operations/{operation_id}").get_json()
    assert (ended["status"], ended["is_parked"], ended["has_key"]) == ("failed", False, False)
    assert (ended["resolution"]["happened"], ended["resolution"]["by"]) == (False, "passrail parked drop")
    assert any_world.events() == []
    # The key is free: the same request is another operation.
    again = any_world.act("create-pass", TIMEOUT, idempotency_key="k-1").get_json()
    assert (again["code"], again["operation_id"] != operation_id) == ("outcome-unknown", True)


def test_an_operation_whose_outcome_is_known_is_not_dropped(world: World) -> None:
    done = world.make_pass()["operation_id"]
    for operation_id, why in ((done, "The outcome of this operation is known"), ("op_1", "no operation 'op_1'")):
        sweeps.park(world.service, Kind.OPERATION, operation_id, "nobody can tell")
        refused(command(world)("parked", "drop", "operation", operation_id), why)
    assert {one.item_id for one in sweeps.list_parked(world.service)} == {done, "op_1"}
    assert world.get(f"/v1/operations/{done}").get_json()["status"] == "succeeded"


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_what_is_not_in_trouble_is_neither_retried_nor_dropped(world: World, verb: str) -> None:
    refused(command(world)("parked", verb, "webhook", "hint_1"), "no trouble with the webhook 'hint_1'", "parked list")
    refused(command(world)("parked", verb, "letter", "hint_1"), "Usage: ", code=2)


def test_metrics_tell_what_is_parked_and_what_is_tried_again(any_world: World) -> None:
    each(any_world.service, Kind.HOOK, ["bad"], do([], ValueError()))
    for item_id in ("b", "c"):
        sweeps.park(any_world.service, Kind.HOOK, item_id, "why")
    text = any_world.client.get("/metrics").text
    assert figure(text, "passrail_troubles", kind="hook") == 1
    assert figure(text, "passrail_parked", kind="hook") == 2
    for kind in set(Kind) - {Kind.HOOK}:
        assert f'passrail_troubles{{kind="{kind}"}} 0.0' in text
        assert f'passrail_parked{{kind="{kind}"}} 0.0' in text
