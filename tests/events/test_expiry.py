"""Expiry is an event, though nothing happens then: told once each time, whoever looks and whatever crashes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from app.store import expiries
from app.sync import expiry
from app.sync.expiry import tell_expired
from tests.actions.checks import done
from tests.events.workers import delivery_worker, told
from tests.world import COUPON, World


def expired(world: World) -> list[dict[str, Any]]:
    return world.events(type="pass.expired")


class PowerCut(BaseException):
    """What no handler of the service catches."""


def test_a_pass_that_expired_is_told_of_once(any_world: World) -> None:
    hook = any_world.make_hook("pass.expired")
    made = any_world.make_pass(expires_at="2026-11-21T09:30:00Z")
    any_world.make_pass(expires_at="2026-11-22T09:30:00Z")
    any_world.make_pass()
    assert tell_expired(any_world.service) == 0
    any_world.clock.advance(days=1)
    assert [tell_expired(any_world.service) for _ in range(3)] == [1, 0, 0]
    [event] = expired(any_world)
    assert (event["data"]["id"], event["data"]["status"], event["operation_id"]) == (made["id"], "expired", None)
    sender = told()
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert [sent.event_id for sent in sender.sent] == [event["id"]]


def test_a_pass_made_valid_again_can_expire_again(any_world: World) -> None:
    made = any_world.make_pass(expires_at="2026-11-21")
    any_world.clock.advance(days=2)
    tell_expired(any_world.service)
    done(any_world, "reinstate-pass", {"pass_id": made["id"], "expires_at": "2026-11-25"})
    assert tell_expired(any_world.service) == 0
    any_world.clock.advance(days=5)
    assert [tell_expired(any_world.service) for _ in range(2)] == [1, 0]
    assert len(expired(any_world)) == 2


def test_a_pass_that_ended_otherwise_does_not_expire(world: World) -> None:
    revoked = world.make_pass(expires_at="2026-11-21")
    redeemed = world.make_pass(COUPON, expires_at="2026-11-21")
    done(world, "revoke-pass", {"pass_id": revoked["id"]})
    done(world, "redeem-pass", {"pass_id": redeemed["id"]})
    world.clock.advance(days=2)
    assert tell_expired(world.service) == 0


def test_after_a_crash_nothing_is_told_twice_and_nothing_is_left_out(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "CHUNK", 2)
    for _ in range(7):
        any_world.make_pass(expires_at="2026-11-21")
    any_world.clock.advance(days=2)
    note, calls = expiries.note_notified, 0

    def crash_at_the_fourth(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise PowerCut
        note(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(expiries, "note_notified", crash_at_the_fourth)
        with pytest.raises(PowerCut):
            tell_expired(any_world.service)
    assert len(expired(any_world)) == 3
    assert tell_expired(any_world.service) == 4
    assert len({event["data"]["id"] for event in expired(any_world)}) == len(expired(any_world)) == 7


def test_the_search_reads_an_index_of_what_is_not_told(world: World) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(world.service.store.engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    with world.service.store.read() as connection:
        expiries.not_notified(connection, world.clock(), 100)
        [(query, values)] = asked
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all())
    assert "ix_passes_expiry_untold" in plan
    assert "TEMP B-TREE" not in plan
