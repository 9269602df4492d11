"""Two requests at the same moment: a pass that is gone stays gone, points go to who is meant, times tell the order.

The gaps between two requests are those at which a look before the lock went wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from app.store.tables import events, passes
from tests.thorough import amount
from tests.world import MEMBERSHIP, World

PAIRS = amount(40, thorough=150)
GAPS = (0.0, 0.001, 0.003, 0.008)


def together(*calls: Callable[[], Any], gap: float = 0.0) -> list[Any]:
    """Make the calls at the same moment, each `gap` seconds after the one before; return what came of them."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        start.wait()
        time.sleep(gap * place)
        results[place] = call()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def send(world: World, action: str, body: dict[str, Any]) -> Any:
    """POST an action with a client of this thread's own."""
    headers = {"Authorization": f"Bearer {world.key}"}
    return world.app.test_client().post(f"/v1/actions/{action}", json=body, headers=headers)


@pytest.mark.parametrize("gap", GAPS)
def test_a_pass_that_was_permanently_revoked_never_gets_its_holder_back(any_world: World, gap: float) -> None:
    for number in range(PAIRS):
        named = {"program_id": MEMBERSHIP, "external_id": f"c-{number}"}
        made = any_world.make_pass(**named, email="ada@example.com", first_name="Ada")
        again = {**named, "if_exists": "update", "first_name": "Grace", "email": "grace@example.com"}
        revoked, created = together(
            partial(send, any_world, "revoke-pass", {"pass_id": made["id"], "permanent": True}),
            partial(send, any_world, "create-pass", again),
            gap=gap,
        )
        assert (revoked.status_code, created.status_code) == (200, 200)
    with any_world.service.store.read() as connection:
        gone = connection.execute(select(passes).where(passes.c.deleted_at > 0)).all()
        told = connection.execute(select(events.c.data).where(events.c.pass_id.in_([one.id for one in gone]))).all()
    assert len(gone) == PAIRS
    assert [one.id for one in gone if one.first_name or one.email] == []
    assert [data for (data,) in told if "@example.com" in data or "Grace" in data] == []


@pytest.mark.parametrize("gap", GAPS)
def test_points_by_email_never_go_to_a_pass_that_has_lost_the_address(any_world: World, gap: float) -> None:
    made = [any_world.make_pass(MEMBERSHIP, email=f"old-{number}@example.com") for number in range(PAIRS)]
    for number, one in enumerate(made):
        change = {"pass_id": one["id"], "email": f"new-{number}@example.com"}
        add = {"program_id": MEMBERSHIP, "email": f"old-{number}@example.com", "change": "add", "points": 5}
        changed, added = together(
            partial(send, any_world, "update-pass", change),
            partial(send, any_world, "update-points", add),
            gap=gap,
        )
        assert changed.status_code == 200
        # Either the points came first, or nobody has the address any more.
        if added.status_code == 200:
            assert added.get_json()["email"] == f"old-{number}@example.com"
        else:
            assert added.get_json()["code"] == "not-found"


def test_events_and_times_of_a_pass_tell_the_order_in_which_it_changed(any_world: World) -> None:
    for _ in range(amount(5, thorough=20)):
        made = any_world.make_pass()
        add = {"pass_id": made["id"], "change": "add", "points": 1}
        answers = together(*[partial(send, any_world, "update-points", add)] * 40)
        assert {answer.status_code for answer in answers} == {200}
        now = any_world.get(f"/v1/passes/{made['id']}").get_json()
        told = any_world.events(pass_id=made["id"], type="points.changed")
        by_time = sorted(told, key=lambda event: event["data"]["updated_at"])
        assert [event["data"]["points"] for event in by_time] == list(range(1, 41))
        assert [event["timestamp"] for event in by_time] == sorted({event["timestamp"] for event in told})
        assert [event["id"] for event in by_time] == sorted(event["id"] for event in told)
        assert (now["points"], now["updated_at"]) == (40, by_time[-1]["data"]["updated_at"])


def test_after_a_permanent_revoke_a_new_key_makes_a_new_pass_and_the_old_key_tells_that_it_is_gone(
    any_world: World,
) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": "c-1", "first_name": "Ada", "email": "ada@example.com"}
    first = any_world.act("create-pass", body, idempotency_key="k-1").get_json()
    any_world.act("revoke-pass", {"pass_id": first["id"], "permanent": True})
    replayed = any_world.act("create-pass", body, idempotency_key="k-1")
    told = replayed.get_json()
    assert (replayed.status_code, told["id"], told["status"]) == (200, first["id"], "revoked")
    assert (told["first_name"], told["email"]) == (None, None)
    assert told["notes"] == ["This pass was permanently revoked on " + any_world.events()[0]["timestamp"] + "."]
    again = any_world.act("create-pass", body, idempotency_key="k-2").get_json()
    assert again["id"] != first["id"]
    assert (again["created"], again["first_name"]) == (True, "Ada")
