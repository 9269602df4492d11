"""The list of events: newest first, by type, by pass, since a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.checks import done
from tests.world import COUPON, MEMBERSHIP, World


def test_events_are_narrowed_by_type_pass_and_time(any_world: World) -> None:
    first, second = any_world.make_pass()["id"], any_world.make_pass()["id"]
    any_world.clock.advance(hours=1)
    for pass_id in (first, second):
        done(any_world, "update-points", {"pass_id": pass_id, "change": "add", "points": 5})

    def found(**query: Any) -> list[tuple[str, str]]:
        return [(event["type"], event["data"]["id"]) for event in any_world.events(**query)]

    assert found() == [
        ("points.changed", second),
        ("points.changed", first),
        ("pass.created", second),
        ("pass.created", first),
    ]
    assert found(type="pass.created") == [("pass.created", second), ("pass.created", first)]
    assert found(pass_id=first) == [("points.changed", first), ("pass.created", first)]
    assert found(since="2026-11-20T10:30:00Z") == [("points.changed", second), ("points.changed", first)]
    assert found(since="2026-11-20T10:30:00.001Z") == []
    assert found(until="2026-11-20T10:29:59.999Z") == [("pass.created", second), ("pass.created", first)]
    assert found(since="2026-11-20T09:30:00Z", until="2026-11-20T09:30:00Z", pass_id=first) == [("pass.created", first)]
    assert len(found(program_id=MEMBERSHIP)) == 4
    assert found(program_id=COUPON) == []
    assert found(since="2026-11-20T09:30:00Z", type="pass.created", pass_id=first) == [("pass.created", first)]


def test_every_event_is_on_exactly_one_page_though_all_have_one_time(any_world: World) -> None:
    items = [{"program_id": MEMBERSHIP}] * 23
    any_world.act("create-pass/batch", {"items": items})
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = any_world.get("/v1/events", query_string=query).get_json()
        seen += [event["id"] for event in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 23
    assert seen == sorted(seen, reverse=True)


def test_an_event_has_exactly_these_fields(world: World) -> None:
    made = world.make_pass()
    event = world.events()[0]
    assert set(event) == {"id", "type", "timestamp", "operation_id", "data"}
    assert (event["timestamp"], event["operation_id"]) == ("2026-11-20T09:30:00.000Z", made["operation_id"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"type": "pass.exploded"}, "type"),
        ({"since": "today"}, "since"),
        ({"pass": "x"}, "pass"),
        ({"limit": 0}, "limit"),
    ],
)
def test_a_filter_that_is_not_right_is_named(shared_world: World, query: dict[str, Any], field: str) -> None:
    answer = shared_world.get("/v1/events", query_string=query)
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, field)
