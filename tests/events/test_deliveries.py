"""From event to receiver: who gets what, how often, and in which state it ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.answer import to_text
from app.events import deliveries as deliveries_of_events
from app.events import delivering
from app.events.deliveries import LEASE
from app.events.delivering import FAILING_AT_ONCE
from app.events.maintenance import drop_of_ended_hooks, waiting
from app.events.schedule import Outcome
from app.retention import purge
from app.store.tables import deliveries, hooks
from tests.actions.checks import done
from tests.events.test_schedule import PROMISED
from tests.events.workers import Told, delivery_worker, told
from tests.world import COUPON, MEMBERSHIP, World

BROKEN = Outcome(500)
GONE = Outcome(410)


def states(world: World, hook_id: str) -> list[str]:
    return [delivery["status"] for delivery in reversed(world.deliveries(hook_id))]


def add_points(world: World, pass_id: str, times: int = 1) -> None:
    for _ in range(times):
        done(world, "update-points", {"pass_id": pass_id, "change": "add", "points": 1})


def status_of(world: World, hook_id: str) -> tuple[str, str | None]:
    hook = world.get(f"/v1/hooks/{hook_id}").get_json()
    return hook["status"], hook["disabled_reason"]


# --- who gets what ---------------------------------------------------------------------------------------------------


def test_a_hook_gets_the_types_it_asked_for_of_the_program_it_asked_for(any_world: World) -> None:
    everything = any_world.make_hook()
    points = any_world.make_hook("points.changed", "tier.changed")
    coupons = any_world.make_hook(program_id=COUPON)
    made = any_world.make_pass()
    any_world.make_pass(COUPON)
    add_points(any_world, made["id"])

    def types(hook: dict[str, Any]) -> list[str]:
        return [delivery["event_type"] for delivery in reversed(any_world.deliveries(hook["id"]))]

    assert types(everything) == ["pass.created", "pass.created", "points.changed"]
    assert types(points) == ["points.changed"]
    assert types(coupons) == ["pass.created"]


def test_what_is_sent_is_what_is_listed(world: World) -> None:
    hook, sender = world.make_hook(), told()
    add_points(world, world.make_pass(first_name="Ädä")["id"])
    delivery_worker(world, sender).deliver_due(hook["id"])
    assert [json.loads(sent.body) for sent in reversed(sender.sent)] == world.events()
    assert [sent.event_id for sent in reversed(sender.sent)] == [event["id"] for event in world.events()]


def test_events_of_the_same_moment_are_sent_at_once_in_order_though_their_times_are_ahead(any_world: World) -> None:
    hook, sender = any_world.make_hook(), told()
    add_points(any_world, any_world.make_pass()["id"], times=3)
    assert delivery_worker(any_world, sender).deliver_due(hook["id"]) is None
    events = [json.loads(sent.body) for sent in sender.sent]
    assert [event["data"]["points"] for event in events] == [0, 1, 2, 3]
    assert [event["timestamp"][-7:] for event in events] == ["00.000Z", "00.001Z", "00.002Z", "00.003Z"]


def test_a_hook_of_the_other_mode_or_account_gets_nothing(world: World) -> None:
    key = world.make_key(account="other")
    body = {"target_url": "https://hooks.example.com/x", "event_types": ["*"]}
    hook = world.request("POST", "/v1/hooks", key=key, json=body).get_json()
    world.make_pass()
    assert world.get(f"/v1/hooks/{hook['id']}/deliveries", key=key).get_json()["data"] == []


def test_a_holder_forgotten_meanwhile_is_not_in_what_is_sent(world: World) -> None:
    hook, sender = world.make_hook("pass.created"), told()
    made = world.make_pass(first_name="Ada", email="ada@example.com")
    done(world, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    delivery_worker(world, sender).deliver_due(hook["id"])
    [sent] = sender.sent
    assert "Ada" not in sent.body
    assert "ada@example.com" not in sent.body


def test_a_change_that_is_rolled_back_leaves_no_delivery_and_posts_no_job(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[tuple[str, str]] = []
    monkeypatch.setattr(world.service.store, "_post", lambda job, row_id: posted.append((job, row_id)))
    hook = world.make_hook()

    def broken(*_arguments: object) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr("app.operations.runner.operations.add", broken)
        assert world.act("create-pass", {"program_id": MEMBERSHIP}).status_code == 500
    assert (world.deliveries(hook["id"]), posted) == ([], [])
    world.make_key()  # another transaction, which must not find the job of the first
    assert posted == []
    world.make_pass()
    assert posted == [("deliver", hook["id"])]


# --- how often -------------------------------------------------------------------------------------------------------


def test_a_dead_receiver_is_tried_ten_times_and_then_given_up(any_world: World) -> None:
    hook, sender = any_world.make_hook("pass.created"), told(BROKEN)
    any_world.make_pass()
    started = any_world.clock()
    worker = delivery_worker(any_world, sender)
    for seconds in PROMISED:
        again_at = worker.deliver_due(hook["id"])
        assert again_at == any_world.clock() + timedelta(seconds=seconds)
        any_world.clock.now = again_at - timedelta(milliseconds=1)
        worker.deliver_due(hook["id"])
        any_world.clock.now = again_at
    assert worker.deliver_due(hook["id"]) is None
    [delivery] = any_world.deliveries(hook["id"])
    assert (delivery["status"], len(delivery["attempts"]), len(sender.sent)) == ("failed", 10, 10)
    assert any_world.clock() - started == timedelta(seconds=sum(PROMISED))
    assert len({sent.event_id for sent in sender.sent}) == 1


def test_a_receiver_that_comes_back_gets_everything(world: World) -> None:
    hook, sender = world.make_hook("points.changed"), told(BROKEN, BROKEN, BROKEN, Outcome(200))
    add_points(world, world.make_pass()["id"], 3)
    worker = delivery_worker(world, sender)
    worker.deliver_due(hook["id"])
    assert states(world, hook["id"]) == ["pending"] * 3
    world.clock.advance(seconds=5)
    assert worker.deliver_due(hook["id"]) is None
    assert states(world, hook["id"]) == ["delivered"] * 3


def most_under_way(world: World, hook_id: str) -> int:
    """Let worker after worker begin before any of them is answered; return how many found something to send."""
    sender, under_way, most = told(), 0, 0

    def another_worker() -> None:
        nonlocal under_way, most
        under_way += 1
        if most == 0:
            delivery_worker(world, sender).deliver_due(hook_id)
        most = most or under_way
        under_way -= 1

    sender.meanwhile = another_worker
    delivery_worker(world, sender).deliver_due(hook_id)
    assert len(sender.sent) == len({sent.event_id for sent in sender.sent})
    return most


def test_a_receiver_that_takes_what_it_gets_is_sent_more_at_once_up_to_a_limit(any_world: World) -> None:
    hook, made = any_world.make_hook("points.changed"), any_world.make_pass()
    for most in (2, 4, 8, 16, 16):
        add_points(any_world, made["id"], most + 1 if most == 16 else most)
        assert most_under_way(any_world, hook["id"]) == most
    assert set(states(any_world, hook["id"])) == {"delivered"}


def test_a_job_that_cannot_do_all_asks_for_another_one(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = any_world.make_hook("points.changed")
    add_points(any_world, any_world.make_pass()["id"], 2)
    posted: list[tuple[str, str]] = []
    monkeypatch.setattr(any_world.service.store, "_post", lambda job, row_id: posted.append((job, row_id)))
    delivery_worker(any_world, told()).deliver_due(hook["id"])
    assert posted == [("deliver", hook["id"])]


def test_a_hook_that_fails_rests_and_is_then_tried_once_at_a_time(any_world: World) -> None:
    hook, made = any_world.make_hook("points.changed"), any_world.make_pass()
    add_points(any_world, made["id"], 20)
    worker = delivery_worker(any_world, sender := told(Outcome(error="No connection within 5 seconds.")))
    again_at = worker.deliver_due(hook["id"]) or any_world.clock()
    assert (len(sender.sent), again_at) == (3, any_world.clock() + timedelta(seconds=5))
    assert any_world.get(f"/v1/hooks/{hook['id']}").get_json()["rests_until"] == to_text(again_at)
    for sent, rest in ((4, 10), (5, 20), (6, 40), (7, 80)):
        any_world.clock.advance(seconds=(again_at - any_world.clock()).total_seconds() - 0.001)
        assert worker.deliver_due(hook["id"]) == again_at
        any_world.clock.now = again_at
        again_at = worker.deliver_due(hook["id"]) or any_world.clock()
        assert (len(sender.sent), again_at) == (sent, any_world.clock() + timedelta(seconds=rest))
    with any_world.service.store.read() as connection:
        assert waiting(connection, again_at) == [(hook["id"], again_at)]
        assert waiting(connection, again_at - timedelta(seconds=1)) == []
    any_world.clock.now = again_at
    delivery_worker(any_world, told()).deliver_due(hook["id"])
    any_world.clock.advance(minutes=6)
    delivery_worker(any_world, told()).deliver_due(hook["id"])
    assert set(states(any_world, hook["id"])) == {"delivered"}
    assert any_world.get(f"/v1/hooks/{hook['id']}").get_json()["rests_until"] is None


def rest(world: World, hook_id: str, pass_id: str) -> None:
    """Let a hook fail until it rests."""
    add_points(world, pass_id, 3)
    delivery_worker(world, told(BROKEN)).deliver_due(hook_id)


def test_new_events_of_a_hook_that_rests_post_no_jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, made = world.make_hook("points.changed"), world.make_pass()
    rest(world, hook["id"], made["id"])
    posted: list[tuple[str, str]] = []
    monkeypatch.setattr(world.service.store, "_post", lambda job, row_id: posted.append((job, row_id)))
    add_points(world, made["id"])
    assert posted == []
    world.clock.advance(seconds=5)
    add_points(world, made["id"])
    assert posted == [("deliver", hook["id"])]


@pytest.mark.parametrize("asks", ["test", "replay", "replay of one", "active"])
def test_who_asks_for_a_try_need_not_wait_for_the_end_of_a_rest(asks: str, any_world: World) -> None:
    hook, made = any_world.make_hook("points.changed"), any_world.make_pass()
    path = f"/v1/hooks/{hook['id']}"
    rest(any_world, hook["id"], made["id"])
    match asks:
        case "test":
            any_world.request("POST", f"{path}/test", json={})
        case "replay":
            any_world.request("POST", f"{path}/replay", json={"since": "2026-11-01T00:00:00Z"})
        case "replay of one":
            [*_, delivery] = any_world.deliveries(hook["id"])
            any_world.request("POST", f"{path}/deliveries/{delivery['id']}/replay")
        case "active":
            for status in ("paused", "active"):
                any_world.request("PATCH", path, json={"status": status})
            add_points(any_world, made["id"])
    delivery_worker(any_world, sender := told()).deliver_due(hook["id"])
    assert (len(sender.sent) > 0) == (asks != "replay")  # of which nothing has ended yet
    assert (any_world.get(path).get_json()["rests_until"] is None) == (asks != "replay")


def test_a_delivery_that_cannot_be_made_fails_by_itself(any_world: World, caplog: pytest.LogCaptureFixture) -> None:
    hook = any_world.make_hook("pass.created")
    any_world.make_pass()
    with any_world.service.store.write() as connection:
        connection.execute(update(deliveries).values(event_id="evt_lost"))
    for _ in range(5):
        any_world.make_pass()
    worker = delivery_worker(any_world, sender := told())
    again_at = worker.deliver_due(hook["id"])
    assert len(sender.sent) == 5
    assert sorted(states(any_world, hook["id"])) == ["delivered"] * 5 + ["pending"]
    while again_at is not None:
        any_world.clock.now = again_at
        again_at = worker.deliver_due(hook["id"])
    [bad] = any_world.deliveries(hook["id"], status="failed")
    assert {attempt["error"] for attempt in bad["attempts"]} == {delivering.NOT_SENT}
    shown = any_world.get(f"/v1/hooks/{hook['id']}").get_json()
    assert (len(bad["attempts"]), shown["failing_since"], shown["rests_until"]) == (10, None, None)
    assert "a delivery cannot be sent" in caplog.messages


def test_what_was_added_for_a_hook_after_its_end_is_dropped(any_world: World) -> None:
    ended, lives = any_world.make_hook("pass.created"), any_world.make_hook("pass.created")
    any_world.make_pass()
    any_world.request("DELETE", f"/v1/hooks/{ended['id']}")
    with any_world.service.store.write() as connection:
        late = deliveries_of_events.add(connection, ended["id"], "evt_1", "pass.created", any_world.clock())
        assert drop_of_ended_hooks(connection, any_world.clock()) == 1
        assert drop_of_ended_hooks(connection, any_world.clock()) == 0
        dropped = deliveries_of_events.get(connection, ended["id"], late)
    assert dropped is not None
    assert dropped.status == "dropped"
    assert states(any_world, lives["id"]) == ["pending"]


def test_a_delivery_of_a_dead_worker_comes_back_when_its_lease_is_over(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    any_world.make_pass()

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        delivery_worker(any_world, Told(meanwhile=die)).deliver_due(hook["id"])
    sender = told()
    any_world.clock.advance(seconds=LEASE.total_seconds() - 1)
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert sender.sent == []
    with any_world.service.store.read() as connection:
        found = dict(waiting(connection, any_world.clock() + timedelta(minutes=1)))
    assert found[hook["id"]] == any_world.clock() + timedelta(seconds=1)
    any_world.clock.advance(seconds=1)
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert len(sender.sent) == 1
    assert states(any_world, hook["id"]) == ["delivered"]


def test_who_is_late_does_not_overwrite_what_another_worker_did(world: World) -> None:
    hook = world.make_hook("pass.created")
    world.make_pass()

    def another_worker() -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        delivery_worker(world, told()).deliver_due(hook["id"])

    late = told(BROKEN)
    late.meanwhile = another_worker
    delivery_worker(world, late).deliver_due(hook["id"])
    [delivery] = world.deliveries(hook["id"])
    assert (delivery["status"], [attempt["status_code"] for attempt in delivery["attempts"]]) == ("delivered", [200])


def test_the_sweep_finds_what_no_job_tells_of(any_world: World) -> None:
    due, paused, idle = (any_world.make_hook("pass.created") for _ in range(3))
    any_world.request("PATCH", f"/v1/hooks/{idle['id']}", json={"status": "paused"})
    any_world.make_pass()
    any_world.request("PATCH", f"/v1/hooks/{paused['id']}", json={"status": "paused"})
    with any_world.service.store.read() as connection:
        assert waiting(connection, any_world.clock()) == [(due["id"], any_world.clock())]
        assert waiting(connection, any_world.clock() - timedelta(seconds=1)) == []


def test_failing_hooks_take_half_of_the_threads_at_most(world: World) -> None:
    hook, healthy = world.make_hook("pass.created"), world.make_hook("points.changed")
    made = world.make_pass()
    worker = delivery_worker(world, sender := told(BROKEN))
    worker.deliver_due(hook["id"])
    world.clock.advance(seconds=5)
    add_points(world, made["id"])
    for _ in range(FAILING_AT_ONCE):
        assert worker._failing.acquire(blocking=False)
    assert worker.deliver_due(hook["id"]) == world.clock() + delivering.FAILING_WAIT
    assert len(sender.sent) == 1
    worker.deliver_due(healthy["id"])
    assert len(sender.sent) == 2
    for _ in range(FAILING_AT_ONCE):
        worker._failing.release()
    worker.deliver_due(hook["id"])
    assert len(sender.sent) == 3


def test_a_job_with_much_to_do_lets_others_have_a_turn(world: World) -> None:
    hook = world.make_hook("points.changed")
    add_points(world, world.make_pass()["id"], 5)
    sender = Told(meanwhile=lambda: world.clock.advance(seconds=0.6))
    assert delivery_worker(world, sender).deliver_due(hook["id"]) == world.clock()
    assert len(sender.sent) == 2


# --- how a hook ends -------------------------------------------------------------------------------------------------


def test_410_ends_the_hook_at_once_and_tells_the_others(any_world: World) -> None:
    hook, other = any_world.make_hook("points.changed"), any_world.make_hook("hook.disabled")
    add_points(any_world, any_world.make_pass()["id"], 3)
    sender = told(GONE)
    assert delivery_worker(any_world, sender).deliver_due(hook["id"]) is None
    assert len(sender.sent) == 1
    assert status_of(any_world, hook["id"]) == ("disabled", "gone")
    assert states(any_world, hook["id"]) == ["failed", "dropped", "dropped"]
    [event] = any_world.events(type="hook.disabled")
    assert event["data"] == any_world.get(f"/v1/hooks/{hook['id']}").get_json()
    assert [delivery["event_id"] for delivery in any_world.deliveries(other["id"])] == [event["id"]]
    add_points(any_world, any_world.make_pass()["id"])
    assert len(any_world.deliveries(hook["id"])) == 3


def fail_for(world: World, hook_id: str, days: float) -> None:
    """Let an hour pass again and again, with an event and a failed attempt in each."""
    made = world.make_pass()
    for _ in range(int(days * 24)):
        add_points(world, made["id"])
        delivery_worker(world, told(BROKEN)).deliver_due(hook_id)
        world.clock.advance(hours=1)


def test_five_days_of_failures_disable_the_hook(world: World) -> None:
    hook = world.make_hook("points.changed")
    fail_for(world, hook["id"], 5)
    assert status_of(world, hook["id"]) == ("active", None)
    assert world.get(f"/v1/hooks/{hook['id']}").get_json()["failing_since"] == "2026-11-20T10:30:00.000Z"
    fail_for(world, hook["id"], 3 / 24)
    assert status_of(world, hook["id"]) == ("disabled", "failing")
    assert set(states(world, hook["id"])) <= {"failed", "dropped"}
    [event] = world.events(type="hook.disabled")
    assert event["data"]["disabled_reason"] == "failing"


def test_one_success_among_the_failures_saves_the_hook(world: World) -> None:
    hook = world.make_hook("points.changed")
    fail_for(world, hook["id"], 4.9)
    delivery_worker(world, told()).deliver_due(hook["id"])
    assert world.get(f"/v1/hooks/{hook['id']}").get_json()["failing_since"] is None
    fail_for(world, hook["id"], 1)
    assert status_of(world, hook["id"]) == ("active", None)


def test_hooks_that_hear_of_each_other_s_end_do_not_go_round(world: World) -> None:
    made = [world.make_hook() for _ in range(3)]
    world.make_pass()
    for hook in made * 2:
        delivery_worker(world, told(GONE)).deliver_due(hook["id"])
    assert len(world.events(type="hook.disabled")) == 3
    assert [status_of(world, hook["id"])[0] for hook in made] == ["disabled"] * 3


def test_a_hook_deleted_while_something_is_under_way_stays_deleted(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    any_world.make_pass()

    def delete() -> None:
        any_world.request("DELETE", f"/v1/hooks/{hook['id']}")

    for outcome in (Outcome(200), BROKEN, GONE):
        sender = told(outcome)
        sender.meanwhile = delete
        delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert any_world.get(f"/v1/hooks/{hook['id']}").status_code == 404
    with any_world.service.store.read() as connection:
        assert connection.execute(select(deliveries.c.status)).scalars().all() == ["dropped"]


def test_what_ended_30_days_ago_is_forgotten_and_what_waits_is_not(any_world: World) -> None:
    ended, waits = any_world.make_hook("pass.created"), any_world.make_hook("pass.created")
    any_world.make_pass()
    delivery_worker(any_world, told()).deliver_due(ended["id"])
    any_world.clock.advance(days=30)
    assert purge(any_world.service)["deliveries"] == 0
    any_world.clock.advance(milliseconds=1)
    assert purge(any_world.service)["deliveries"] == 1
    assert (states(any_world, ended["id"]), states(any_world, waits["id"])) == ([], ["pending"])


def test_a_deleted_hook_is_forgotten_with_its_last_delivery(any_world: World) -> None:
    deleted, kept = any_world.make_hook("pass.created"), any_world.make_hook()
    any_world.make_pass()
    any_world.request("DELETE", f"/v1/hooks/{deleted['id']}")
    for days, left in ((30, {deleted["id"], kept["id"]}), (1, {kept["id"]})):
        any_world.clock.advance(days=days)
        purge(any_world.service)
        with any_world.service.store.read() as connection:
            assert set(connection.execute(select(hooks.c.id)).scalars()) == left


def test_the_log_names_hook_and_host_and_nothing_that_is_secret(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = world.make_hook("pass.created", target_url="https://hooks.example.com/secret-path/4f9x")
    world.make_pass()
    delivery_worker(world, told(Outcome(error="The receiver refused the connection."))).deliver_due(hook["id"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"attempt"' in line]
    assert [(line["hook_id"], line["host"], line["state"]) for line in lines] == [
        (hook["id"], "hooks.example.com", "pending")
    ]
    assert "secret-path" not in json.dumps(lines)
    assert hook["secret"] not in json.dumps(lines)


def test_claims_and_counts_are_read_from_indexes(world: World) -> None:
    """A dead receiver can have a hundred thousand deliveries waiting; nobody else may feel that."""
    plans = []
    hook_id = world.make_hook()["id"]
    queries = (
        f"SELECT * FROM deliveries WHERE hook_id = '{hook_id}' AND status = 'pending' AND next_attempt_at <= 1"
        " AND (lease_until IS NULL OR lease_until <= 1) ORDER BY next_attempt_at LIMIT 1",
        f"SELECT count(*) FROM deliveries WHERE hook_id = '{hook_id}' AND lease_until IS NOT NULL AND lease_until > 1",
        f"SELECT min(next_attempt_at) FROM deliveries WHERE hook_id = '{hook_id}' AND status = 'pending'",
    )
    with world.service.store.read() as connection:
        for query in queries:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
            plans.append(" ".join(str(row[3]) for row in plan))
    assert all("USING" in plan and "TEMP B-TREE" not in plan for plan in plans)
    assert ["ix_deliveries_pending" in plans[0], "ix_deliveries_leased" in plans[1]] == [True, True]


def test_a_lost_retry_time_is_not_needed_to_replay(world: World) -> None:
    """Rows are the truth: whatever a job thinks, only what is due is sent."""
    hook, sender = world.make_hook("pass.created"), told()
    world.make_pass()
    with world.service.store.write() as connection:
        later = int((world.clock() + timedelta(hours=1)).timestamp() * 1000)
        connection.execute(update(deliveries).values(next_attempt_at=later))
    assert delivery_worker(world, sender).deliver_due(hook["id"]) == world.clock() + timedelta(hours=1)
    assert sender.sent == []
