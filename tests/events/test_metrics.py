"""What `/metrics` tells of deliveries."""

from __future__ import annotations

from app.events.schedule import Outcome
from app.metrics import HOOKS_SHOWN
from tests.events.workers import delivery_worker, told
from tests.test_metrics import figure
from tests.world import World


def test_what_waits_and_what_ended_is_counted(any_world: World) -> None:
    hook, paused = any_world.make_hook("pass.created"), any_world.make_hook("pass.created")
    for _ in range(3):
        any_world.make_pass()
    any_world.request("PATCH", f"/v1/hooks/{paused['id']}", json={"status": "paused"})
    delivery_worker(any_world, told(Outcome(200), Outcome(500))).deliver_due(hook["id"])
    any_world.clock.advance(seconds=65)
    text = any_world.client.get("/metrics").text
    assert figure(text, "passrail_deliveries_pending") == 2
    assert figure(text, "passrail_deliveries_late_seconds") == 60
    assert figure(text, "passrail_deliveries_recent", status="delivered") == 1
    any_world.clock.advance(minutes=5)
    assert figure(any_world.client.get("/metrics").text, "passrail_deliveries_recent", status="delivered") == 0


def test_the_oldest_backlogs_are_told_by_hook_and_no_more_than_twenty(any_world: World) -> None:
    made = [any_world.make_hook("pass.created") for _ in range(HOOKS_SHOWN + 1)]
    late = made[7]
    for hook in made:
        if hook is not late:
            any_world.request("PATCH", f"/v1/hooks/{hook['id']}", json={"status": "paused"})
    any_world.make_pass()
    any_world.clock.advance(seconds=30)
    for hook in made:
        any_world.request("PATCH", f"/v1/hooks/{hook['id']}", json={"status": "active"})
    delivery_worker(any_world, told()).deliver_due(made[0]["id"])
    any_world.make_pass()
    any_world.clock.advance(seconds=10)
    text = any_world.client.get("/metrics").text
    assert figure(text, "passrail_hook_backlog_age_seconds", hook_id=late["id"]) == 40
    assert figure(text, "passrail_hook_backlog", hook_id=late["id"]) == 2
    assert text.count("passrail_hook_backlog{") == text.count("passrail_hook_backlog_age_seconds{") == HOOKS_SHOWN
    assert made[0]["id"] not in text  # its oldest is the youngest


def test_a_hook_that_rests_is_told_of_and_says_nothing_of_the_worker(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    for _ in range(5):
        any_world.make_pass()
    delivery_worker(any_world, told(Outcome(500))).deliver_due(hook["id"])
    any_world.clock.advance(minutes=10)
    text = any_world.client.get("/metrics").text
    assert figure(text, "passrail_hooks_resting") == 1
    assert figure(text, "passrail_deliveries_late_seconds") == 0
    assert figure(text, "passrail_hook_backlog_age_seconds", hook_id=hook["id"]) == 600
