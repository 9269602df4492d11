"""What `/metrics` tells of deliveries."""

from __future__ import annotations

from app.events.schedule import Outcome
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
