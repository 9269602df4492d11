"""Passes are listed, found and looked at; pages neither repeat nor lose one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.checks import done
from tests.world import COUPON, GOLD, MEMBERSHIP, SILVER, TICKET, World


def listed(world: World, **query: Any) -> list[str]:
    answer = world.get("/v1/passes", query_string={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    page = answer.get_json()
    assert page["next_cursor"] is None
    return [one["id"] for one in page["data"]]


def walk(world: World, limit: int, **query: Any) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = world.get("/v1/passes", query_string={"limit": limit, **query, **more}).get_json()
        pages.append([one["id"] for one in page["data"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


def make_many(world: World, count: int, **values: Any) -> list[str]:
    items = [{"program_id": MEMBERSHIP, **values}] * count
    results = world.act("create-pass/batch", {"items": items}).get_json()["results"]
    return [result["answer"]["id"] for result in results]


def test_every_pass_is_on_exactly_one_page_newest_first_though_all_have_one_time(any_world: World) -> None:
    made = make_many(any_world, 50)
    for limit, sizes in ((7, [7] * 7 + [1]), (10, [10] * 5), (50, [50]), (100, [50]), (49, [49, 1])):
        pages = walk(any_world, limit)
        assert [len(page) for page in pages] == sizes
        assert [one for page in pages for one in page] == made[::-1]


def test_passes_made_while_somebody_walks_the_pages_move_nothing(world: World) -> None:
    made = make_many(world, 20)
    first = world.get("/v1/passes", query_string={"limit": 8}).get_json()
    make_many(world, 5)
    done(world, "update-pass", {"pass_id": made[0], "phone": "1"})
    seen = [one["id"] for one in first["data"]]
    cursor = first["next_cursor"]
    while cursor is not None:
        page = world.get("/v1/passes", query_string={"limit": 8, "cursor": cursor}).get_json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


def test_pages_are_walked_within_a_filter(world: World) -> None:
    odd = make_many(world, 9, email="odd@example.com")
    make_many(world, 9, email="even@example.com")
    pages = walk(world, 4, email="odd@example.com")
    assert [one for page in pages for one in page] == odd[::-1]


def test_an_empty_list_is_a_page_too(shared_world: World) -> None:
    assert shared_world.get("/v1/passes").get_json() == {"data": [], "next_cursor": None}


def test_without_a_limit_there_are_25(world: World) -> None:
    made = make_many(world, 26)
    page = world.get("/v1/passes").get_json()
    assert [one["id"] for one in page["data"]] == made[:0:-1]
    assert page["next_cursor"] == made[1]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1.5", "１"])
def test_a_limit_beyond_the_range_is_refused(shared_world: World, limit: str) -> None:
    answer = shared_world.get("/v1/passes", query_string={"limit": limit})
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"field": "limit", "message": "Give a whole number from 1 to 100."}]


def test_each_filter_finds_what_it_names_and_nothing_else(any_world: World) -> None:
    member = any_world.make_pass(external_id="a", email="ada@example.com", tier_id=SILVER)
    gold = any_world.make_pass(external_id="b", email="bob@example.com", tier_id=GOLD)
    coupon = any_world.make_pass(COUPON, external_id="a", email="ada@example.com")
    ticket = any_world.make_pass(TICKET)
    assert listed(any_world) == [one["id"] for one in (ticket, coupon, gold, member)]
    assert listed(any_world, program_id=MEMBERSHIP) == [gold["id"], member["id"]]
    assert listed(any_world, tier_id=GOLD) == [gold["id"]]
    assert listed(any_world, email="ADA@Example.com") == [coupon["id"], member["id"]]
    assert listed(any_world, external_id="a") == [coupon["id"], member["id"]]
    assert listed(any_world, install_state="issued") == listed(any_world)
    assert listed(any_world, install_state="installed") == []
    assert listed(any_world, program_id="prog_nowhere") == []


def test_filters_are_combined(world: World) -> None:
    member = world.make_pass(external_id="a", email="ada@example.com")
    world.make_pass(COUPON, external_id="a", email="ada@example.com")
    world.make_pass(external_id="b", email="ada@example.com")
    query = {"program_id": MEMBERSHIP, "external_id": "a", "email": "ada@example.com", "status": "active"}
    assert listed(world, **query) == [member["id"]]
    assert listed(world, **{**query, "status": "revoked"}) == []


def test_the_status_filter_says_what_the_pass_says(any_world: World) -> None:
    ids = {
        "active": any_world.make_pass(expires_at="2026-12-01")["id"],
        "expired": any_world.make_pass(expires_at="2026-11-19")["id"],
        "redeemed": any_world.make_pass(COUPON)["id"],
        "revoked": any_world.make_pass()["id"],
    }
    done(any_world, "redeem-pass", {"pass_id": ids["redeemed"]})
    done(any_world, "revoke-pass", {"pass_id": ids["revoked"]})
    for status, pass_id in ids.items():
        assert listed(any_world, status=status) == [pass_id]
        assert any_world.get(f"/v1/passes/{pass_id}").get_json()["status"] == status
    any_world.clock.advance(days=30)
    assert listed(any_world, status="expired") == [ids["expired"], ids["active"]]
    assert listed(any_world, status="active") == []


def test_updated_since_finds_what_changed_at_that_time_or_later(any_world: World) -> None:
    first, second = any_world.make_pass()["id"], any_world.make_pass()["id"]
    any_world.clock.advance(hours=1)
    done(any_world, "update-points", {"pass_id": first, "change": "add", "points": 1})
    assert listed(any_world, updated_since="2026-11-20T10:30:00Z") == [first]
    assert listed(any_world, updated_since="2026-11-20T09:30:00.001Z") == [first]
    assert listed(any_world, updated_since="2026-11-20T10:30:00+01:00") == [second, first]
    assert listed(any_world, updated_since="2026-11-20T10:30:00.001Z") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "valid"}, "status"),
        ({"install_state": "gone"}, "install_state"),
        ({"email": "ada"}, "email"),
        ({"external_id": " "}, "external_id"),
        ({"updated_since": "yesterday"}, "updated_since"),
        ({"program_id": "a b"}, "program_id"),
        ({"cursor": "a/b"}, "cursor"),
        ({"page": "2"}, "page"),
    ],
)
def test_a_filter_that_is_not_right_is_named(shared_world: World, query: dict[str, str], field: str) -> None:
    answer = shared_world.get("/v1/passes", query_string=query)
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, field)


def test_a_pass_that_is_not_there_is_not_found(shared_world: World) -> None:
    for path in ("pass_nowhere", "pass_nowhere/history"):
        answer = shared_world.get(f"/v1/passes/{path}")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not-found")


def test_the_history_is_what_happened_to_that_pass_newest_first(world: World) -> None:
    other = world.make_pass()["id"]
    made = world.make_pass()["id"]
    done(world, "update-points", {"pass_id": made, "change": "add", "points": 5, "reason": "Hello"})
    done(world, "update-points", {"pass_id": other, "change": "add", "points": 7})
    world.clock.advance(minutes=1)
    done(world, "revoke-pass", {"pass_id": made})
    events = world.get(f"/v1/passes/{made}/history").get_json()["data"]
    assert [event["type"] for event in events] == ["pass.revoked", "points.changed", "pass.created"]
    assert events == world.events(pass_id=made)
    assert events[0]["timestamp"] == "2026-11-20T09:31:00.000Z"
    assert (events[1]["data"]["reason"], events[1]["data"]["status"]) == ("Hello", "active")


def test_the_history_has_pages(world: World) -> None:
    made = world.make_pass()["id"]
    for number in range(5):
        done(world, "update-points", {"pass_id": made, "change": "set", "points": number + 1})
    first = world.get(f"/v1/passes/{made}/history", query_string={"limit": 4}).get_json()
    query = {"limit": 4, "cursor": first["next_cursor"]}
    second = world.get(f"/v1/passes/{made}/history", query_string=query).get_json()
    assert second["next_cursor"] is None
    points = [event["data"]["points"] for event in first["data"] + second["data"]]
    assert points == [5, 4, 3, 2, 1, 0]
