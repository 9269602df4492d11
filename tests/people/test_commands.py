"""`passrail person`: what the people who run the service can do for one person."""

from __future__ import annotations

import json

from click.testing import Result

from tests.people.planting import EMAIL, HOLDER, dump, hits
from tests.test_cli import refused, succeeded
from tests.test_sweeps import command
from tests.world import World

WHERE = ("--account", "demo", "--mode", "test")
WORDS = (*HOLDER.values(), "zorkcustomer")


def person(world: World, *words: str) -> Result:
    """Run a command on a person."""
    return command(world)("person", *words, *WHERE)


def test_an_export_is_json_with_everything(world: World) -> None:
    made = world.make_pass(external_id="zorkcustomer", **HOLDER)
    items = json.loads(succeeded(person(world, "export", "--email", EMAIL.upper())))["data"]
    assert [item["kind"] for item in items] == ["pass", "operation", "event"]
    assert (items[0]["id"], items[0]["content"]["phone"]) == (made["id"], HOLDER["phone"])


def test_an_erasure_is_tried_asked_for_and_done(world: World) -> None:
    made = world.make_pass(external_id="zorkcustomer", **HOLDER)
    named = ("erase", "--external-id", "zorkcustomer")
    counted = "1 passes, 1 events, 1 operations, 0 deliveries, 0 webhooks, 0 remarks."
    tried = succeeded(person(world, *named, "--dry-run"))
    assert tried == f"This would be erased: {counted}\nPass: {made['id']}\n"
    unanswered = person(world, *named)
    assert (unanswered.exit_code, "Erase it? This cannot be undone." in unanswered.stdout) == (1, True)
    assert hits(dump(world), WORDS)
    done = succeeded(person(world, *named, "--yes"))
    assert done.endswith(f"Erased: {counted}\nPass: {made['id']}\n")
    assert hits(dump(world), WORDS) == set()


def test_exactly_one_name_is_needed(world: World) -> None:
    refused(person(world, "erase", "--yes"), "Give either --external-id or --email.", code=2)
    refused(person(world, "erase", "--yes", "--email", "no address"), "e-mail address", code=2)
