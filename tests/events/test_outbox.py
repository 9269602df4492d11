"""Events: every change writes one, every refusal none, and every type there is gets written."""

from __future__ import annotations

import pytest

from app.actions import ACTIONS
from app.events import outbox
from app.events.types import DESCRIPTIONS
from app.model import Mode
from app.retention import purge
from tests.actions.checks import done, stored
from tests.world import COUPON, MEMBERSHIP, World

# Told by other than actions: by an issuer, by time, by a receiver.
WITHOUT_ACTION = {"pass.installed", "pass.uninstalled", "pass.expired", "hook.disabled"}


def test_the_actions_together_write_every_type_of_event_but_those_that_need_none(world: World) -> None:
    member = {"program_id": MEMBERSHIP, "external_id": "customer-501"}
    coupon = world.make_pass(COUPON)
    done(world, "create-pass", member)
    done(world, "update-pass", {**member, "phone": "1"})
    done(world, "update-points", {**member, "change": "add", "points": 1})
    done(world, "change-tier", {**member, "tier_id": "tier_demo_gold"})
    done(world, "redeem-pass", {"pass_id": coupon["id"]})
    done(world, "revoke-pass", member)
    done(world, "reinstate-pass", member)
    written = {event["type"] for event in world.events()}
    assert written == set(DESCRIPTIONS) - WITHOUT_ACTION
    assert len(written) == len(ACTIONS)


def test_an_event_tells_the_pass_as_it_was_then_not_as_it_is_now(world: World) -> None:
    made = world.make_pass(first_name="Ada", points=5)
    done(world, "update-pass", {"pass_id": made["id"], "first_name": "Augusta"})
    done(world, "update-points", {"pass_id": made["id"], "change": "set", "points": 9})
    told = [(event["data"]["first_name"], event["data"]["points"]) for event in world.events()]
    assert told == [("Augusta", 9), ("Augusta", 5), ("Ada", 5)]


def test_an_event_and_its_change_are_there_together_or_not_at_all(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = any_world.make_pass(points=5)
    before = stored(any_world)

    def broken(*_arguments: object) -> None:
        raise RuntimeError("the power went out")

    body = {"pass_id": made["id"], "change": "add", "points": 1}
    for place in ("record.outbox.record", "record.passes.save", "runner.operations.add"):
        with monkeypatch.context() as patched:
            patched.setattr(f"app.operations.{place}", broken)
            assert any_world.act("update-points", body, idempotency_key="invoice-1").status_code == 500
        assert stored(any_world) == before
    assert done(any_world, "update-points", body, idempotency_key="invoice-1")["points"] == 6


def test_a_repeated_answer_writes_no_second_event(world: World) -> None:
    body = {"program_id": MEMBERSHIP}
    for _ in range(3):
        done(world, "create-pass", body, idempotency_key="k1")
    assert len(world.events()) == 1


def test_events_outlive_the_stored_answers(world: World) -> None:
    made = world.make_pass()
    world.clock.advance(days=30)
    assert purge(world.service)["answers"] == 1
    assert [event["data"]["id"] for event in world.events()] == [made["id"]]


def test_a_page_holds_only_the_events_of_its_account_and_mode(any_world: World) -> None:
    any_world.make_pass()
    with any_world.service.store.read() as connection:
        mine = outbox.page(connection, any_world.account.id, Mode.TEST, before=None, limit=10)
        live = outbox.page(connection, any_world.account.id, Mode.LIVE, before=None, limit=10)
        other = outbox.page(connection, "acct_other", Mode.TEST, before=None, limit=10)
    assert ([event.type for event in mine], live, other) == (["pass.created"], [], [])


def test_a_page_begins_below_the_event_named(world: World) -> None:
    for _ in range(3):
        world.make_pass()
    with world.service.store.read() as connection:
        every = outbox.page(connection, world.account.id, Mode.TEST, before=None, limit=10)
        rest = outbox.page(connection, world.account.id, Mode.TEST, before=every[0].id, limit=1)
    assert rest == every[1:2]


def test_the_reason_is_in_the_event_whatever_characters_it_has(world: World) -> None:
    made = world.make_pass()
    reason = 'He said: "}" \\ — ok, 2 < 3, é 🎟'
    done(world, "revoke-pass", {"pass_id": made["id"], "reason": reason})
    assert world.events()[0]["data"]["reason"] == reason
