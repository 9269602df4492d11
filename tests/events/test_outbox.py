"""Events: every change writes one, every refusal none, and every type there is gets written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from sqlalchemy import insert

from app.actions import ACTIONS
from app.answer import to_text
from app.events import outbox
from app.events.types import DESCRIPTIONS
from app.model import Mode, new_event_id
from app.retention import purge
from app.store import pages
from app.store.columns import to_milliseconds
from app.store.tables import events
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
    assert ([event.type for event in mine.items], live.items, other.items) == (["pass.created"], [], [])


def test_a_page_begins_below_the_event_named(world: World) -> None:
    for _ in range(3):
        world.make_pass()
    with world.service.store.read() as connection:
        every = outbox.page(connection, world.account.id, Mode.TEST, before=None, limit=10)
        rest = outbox.page(connection, world.account.id, Mode.TEST, before=every.items[0].id, limit=1)
    assert (rest.items, rest.next_cursor) == (every.items[1:2], every.items[1].id)


def test_the_reason_is_in_the_event_whatever_characters_it_has(world: World) -> None:
    made = world.make_pass()
    reason = 'He said: "}" \\ — ok, 2 < 3, é 🎟'
    done(world, "revoke-pass", {"pass_id": made["id"], "reason": reason})
    assert world.events()[0]["data"]["reason"] == reason


def set_id(world: World, number: int, event_id: str, at: datetime) -> None:
    """Store an event of an earlier version, whose ID begins with the time at which it was written."""
    row = {"id": event_id, "created_at": to_milliseconds(at), "account_id": world.account.id, "mode": "test"}
    kind = {"type": "pass.created", "program_id": MEMBERSHIP, "pass_id": f"pass_{number}", "data": "{}"}
    with world.service.store.write() as connection:
        connection.execute(insert(events), {**row, **kind, "operation_id": None})


@pytest.mark.parametrize("most_looked_at", [3, 2_000])
def test_a_range_of_times_is_exact_though_ids_of_old_events_say_other_times(
    any_world: World, most_looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SCANNED", most_looked_at)
    random, begin = Random(7), datetime(2026, 11, 1, tzinfo=UTC)
    made = {}
    for number in range(60):
        at = begin + timedelta(seconds=random.randrange(300))
        written = at + timedelta(seconds=random.randrange(-59, 60)) if number % 2 else at
        event_id = new_event_id(written)
        made[event_id] = at
        set_id(any_world, number, event_id, at)
    bounds = [None, *(begin + timedelta(seconds=second) for second in (0, 100, 101, 250, 400))]
    for since, until, query in product(bounds, bounds, ({}, {"type": "pass.created"}, {"program_id": MEMBERSHIP})):
        expected = sorted(
            (one for one, at in made.items() if (since is None or at >= since) and (until is None or at <= until)),
            reverse=True,
        )
        times = {name: to_text(at) for name, at in (("since", since), ("until", until)) if at is not None}
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = any_world.get("/v1/events", query_string={"limit": 20, **query, **times, **cursor}).get_json()
            found += [event["id"] for event in answer["data"]]
            if answer["next_cursor"] is None:
                break
            cursor = {"cursor": answer["next_cursor"]}
        assert found == expected


def test_the_events_of_somebody_elses_program_and_pass_are_none(any_world: World) -> None:
    made = any_world.make_pass()
    key = any_world.make_key(account="other")
    for query in (
        {"program_id": MEMBERSHIP},
        {"pass_id": made["id"]},
        {"program_id": MEMBERSHIP, "type": "pass.created"},
    ):
        answer = any_world.get("/v1/events", key=key, query_string=query).get_json()
        assert answer == {"data": [], "next_cursor": None}
