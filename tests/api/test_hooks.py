"""The routes of hooks: subscribe, look, pause, rotate, test, replay, end."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.answer import to_text
from app.events import deliveries
from app.events.backlog import COUNTED
from app.events.schedule import Outcome
from app.events.sending import headers
from app.events.types import DESCRIPTIONS
from tests.actions.checks import done
from tests.events.workers import delivery_worker, told
from tests.world import MEMBERSHIP, World

URL = "https://hooks.example.com/catch/123/secret4f9x"


def patch(world: World, hook: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = world.request("PATCH", f"/v1/hooks/{hook['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.get_json()
    return changed


def post(world: World, path: str, body: dict[str, Any] | None = None) -> Any:
    given: dict[str, Any] = {} if body is None else {"json": body}
    answer = world.request("POST", f"/v1/hooks/{path}", **given)
    return answer.status_code, answer.get_json()


# --- subscribe -------------------------------------------------------------------------------------------------------


def test_the_secret_is_shown_once_and_the_address_never_whole(any_world: World) -> None:
    made = any_world.make_hook("points.changed", "pass.created", target_url=URL, program_id=MEMBERSHIP)
    assert made["secret"].startswith("whsec_")
    assert (made["target"], made["status"], made["mode"]) == ("hooks.example.com/…4f9x", "active", "test")
    assert (made["event_types"], made["program_id"]) == (["points.changed", "pass.created"], MEMBERSHIP)
    path = f"/v1/hooks/{made['id']}"
    for answer in (any_world.get(path), any_world.get("/v1/hooks"), any_world.request("PATCH", path, json={})):
        assert made["secret"] not in answer.text
        assert "secret4f9x" not in answer.text
    del made["secret"]
    assert any_world.get(path).get_json() == made
    assert any_world.get("/v1/hooks").get_json() == {"data": [made], "next_cursor": None}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"target_url": "http://hooks.zapier.com/x"}, "target_url", "https://"),
        ({"target_url": "https://127.0.0.1/x"}, "target_url", "private network"),
        ({"target_url": "https://localhost/x"}, "target_url", "private network"),
        ({"target_url": "https://hooks.zapier.com:25/x"}, "target_url", "443 or 8443"),
        ({"target_url": "https://u:p@hooks.zapier.com/x"}, "target_url", "user name"),
        ({"target_url": 5}, "target_url", "such as"),
        ({"target_url": None}, "target_url", "null"),
        ({"event_types": []}, "event_types", "pass.created"),
        ({"event_types": ["pass.exploded"]}, "event_types", "pass.created"),
        ({"event_types": "*"}, "event_types", "list"),
        ({"event_types": [{}]}, "event_types", "list"),
        ({"secret": "whsec_x"}, "secret", "Unknown"),
    ],
)
def test_a_hook_that_is_not_right_is_refused_with_the_rule(
    shared_world: World, change: dict[str, Any], field: str, words: str
) -> None:
    body = {"target_url": URL, "event_types": ["*"], **change}
    answer = shared_world.request("POST", "/v1/hooks", json=body)
    [error] = answer.get_json()["errors"]
    assert (answer.status_code, error["field"]) == (422, field)
    assert words in error["message"]


def test_a_name_that_nobody_has_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    body = {"target_url": "https://nobody.test/x", "event_types": ["*"]}
    [error] = world.request("POST", "/v1/hooks", json=body).get_json()["errors"]
    assert "unknown" in error["message"]


def test_a_program_that_is_not_there_is_not_found(world: World) -> None:
    body = {"target_url": URL, "event_types": ["*"], "program_id": "prog_none"}
    assert world.request("POST", "/v1/hooks", json=body).status_code == 404


# --- signatures ------------------------------------------------------------------------------------------------------


def verifies(secret: str, world: World, sent: dict[str, str], body: str) -> bool:
    try:
        Webhook(secret).verify(body, sent)
    except WebhookVerificationError as error:
        return "No matching signature" not in str(error)
    return True


def test_a_delivery_verifies_with_the_library_of_the_standard(world: World) -> None:
    """The library asks the real clock, so the time is set to it."""
    from app.model import system_clock

    world.clock.now = system_clock()
    hook, sender = world.make_hook("pass.created"), told()
    world.make_pass()
    delivery_worker(world, sender).deliver_due(hook["id"])
    [request] = sender.sent
    sent = headers(request.event_id, request.body, request.secrets, world.clock())
    assert sent["webhook-id"] == world.events()[0]["id"]
    assert verifies(hook["secret"], world, sent, request.body)
    assert not verifies(world.make_hook()["secret"], world, sent, request.body)
    assert not verifies(hook["secret"], world, sent, request.body.replace("pass.created", "pass.updated"))


def test_after_a_rotation_both_secrets_sign_for_a_day(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    rotated = patch(any_world, hook, rotate_secret=True)
    assert rotated["secret"] != hook["secret"]
    for hours, signing in ((0, [rotated["secret"], hook["secret"]]), (24, [rotated["secret"]])):
        any_world.clock.advance(hours=hours)
        any_world.make_pass()
        sender = told()
        delivery_worker(any_world, sender).deliver_due(hook["id"])
        assert list(sender.sent[0].secrets) == signing


# --- pause, resume, end ----------------------------------------------------------------------------------------------


def test_a_paused_hook_gets_nothing_until_it_is_resumed(any_world: World) -> None:
    hook, sender = any_world.make_hook("pass.created"), told()
    any_world.make_pass()
    assert patch(any_world, hook, status="paused")["status"] == "paused"
    any_world.make_pass()
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert sender.sent == []
    assert {delivery["status"] for delivery in any_world.deliveries(hook["id"])} == {"pending"}
    patch(any_world, hook, status="active")
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert len(sender.sent) == 2


def test_a_disabled_hook_is_revived_with_a_clean_record(world: World) -> None:
    hook = world.make_hook("pass.created")
    world.make_pass()
    delivery_worker(world, told(Outcome(410))).deliver_due(hook["id"])
    for path, body in (("test", {}), ("replay", {"since": "2026-11-20"})):
        status, problem = post(world, f"{hook['id']}/{path}", body)
        assert (status, problem["code"]) == (409, "hook-not-active")
    revived = patch(world, hook, status="active")
    assert (revived["status"], revived["disabled_reason"], revived["failing_since"]) == ("active", None, None)
    world.make_pass()
    delivery_worker(world, told()).deliver_due(hook["id"])
    assert [delivery["status"] for delivery in world.deliveries(hook["id"])] == ["delivered", "failed"]


def test_deleting_is_done_once_and_answered_alike_ever_after(any_world: World) -> None:
    hook = any_world.make_hook()
    any_world.make_pass()
    path = f"/v1/hooks/{hook['id']}"
    for _ in range(2):
        answer = any_world.request("DELETE", path)
        assert (answer.status_code, answer.get_data()) == (204, b"")
    assert any_world.request("DELETE", "/v1/hooks/hook_of_nobody").status_code == 204
    assert any_world.get(path).status_code == any_world.get(f"{path}/deliveries").status_code == 404
    assert any_world.get("/v1/hooks").get_json()["data"] == []
    sender = told()
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert sender.sent == []


# --- tests and replays -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "body", "expected"),
    [
        (("tier.changed", "pass.created"), {}, "tier.changed"),
        (("*",), {}, "pass.created"),
        (("tier.changed",), {"event_type": "pass.redeemed"}, "pass.redeemed"),
    ],
)
def test_a_test_sends_a_sample_once(world: World, types: tuple[str, ...], body: dict[str, Any], expected: str) -> None:
    hook, sender = world.make_hook(*types), told(Outcome(500))
    status, delivery = post(world, f"{hook['id']}/test", body)
    assert (status, delivery["is_test"], delivery["status"]) == (202, True, "pending")
    assert delivery_worker(world, sender).deliver_due(hook["id"]) is None
    [sent] = sender.sent
    payload = json.loads(sent.body)
    assert payload["id"] == sent.event_id == delivery["event_id"]
    assert payload["id"].startswith("evt_test")
    assert payload["type"] == expected
    [ended] = world.deliveries(hook["id"])
    assert (ended["status"], len(ended["attempts"])) == ("failed", 1)
    assert world.get(f"/v1/hooks/{hook['id']}").get_json()["failing_since"] is None


def test_one_delivery_is_sent_again_under_the_same_id(any_world: World) -> None:
    hook, sender = any_world.make_hook("pass.created"), told()
    any_world.make_pass()
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    [delivery] = any_world.deliveries(hook["id"])
    status, again = post(any_world, f"{hook['id']}/deliveries/{delivery['id']}/replay")
    assert (status, again["status"], again["id"]) == (202, "pending", delivery["id"])
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    assert len(sender.sent) == 2
    assert sender.sent[0] == sender.sent[1]
    [delivery] = any_world.deliveries(hook["id"])
    assert (delivery["status"], len(delivery["attempts"])) == ("delivered", 2)


def test_a_delivery_that_was_given_up_begins_the_schedule_anew(world: World) -> None:
    hook = world.make_hook("pass.created")
    world.make_pass()
    worker = delivery_worker(world, told(Outcome(500)))
    for _ in range(10):
        world.clock.now = worker.deliver_due(hook["id"]) or world.clock.now
    [delivery] = world.deliveries(hook["id"], status="failed")
    post(world, f"{hook['id']}/deliveries/{delivery['id']}/replay")
    worker.deliver_due(hook["id"])
    [delivery] = world.deliveries(hook["id"], status="pending")
    assert delivery["next_attempt_at"] == to_text(world.clock() + timedelta(seconds=5))


def test_a_range_is_sent_again_without_tests_and_without_what_waits(any_world: World) -> None:
    hook, sender = any_world.make_hook("points.changed"), told()
    made = any_world.make_pass()
    for _ in range(4):
        done(any_world, "update-points", {"pass_id": made["id"], "change": "add", "points": 1})
        any_world.clock.advance(hours=1)
    post(any_world, f"{hook['id']}/test", {})
    delivery_worker(any_world, sender).deliver_due(hook["id"])
    done(any_world, "update-points", {"pass_id": made["id"], "change": "add", "points": 1})
    window = {"since": "2026-11-20T10:30:00Z", "until": "2026-11-20T11:30:00Z"}
    assert post(any_world, f"{hook['id']}/replay", window) == (202, {"deliveries": 2})
    assert post(any_world, f"{hook['id']}/replay", window) == (202, {"deliveries": 0})
    assert post(any_world, f"{hook['id']}/replay", {"since": "2026-11-20T09:30:00Z"}) == (202, {"deliveries": 2})


def test_a_range_larger_than_one_transaction_is_sent_again_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.events.maintenance.CHUNK", 2)
    hook = world.make_hook("pass.created")
    for _ in range(5):
        world.make_pass()
    delivery_worker(world, told()).deliver_due(hook["id"])
    assert post(world, f"{hook['id']}/replay", {"since": "2026-11-20T09:30:00Z"}) == (202, {"deliveries": 5})


def test_deliveries_are_listed_by_status_and_page(world: World) -> None:
    hook = world.make_hook("pass.created")
    for _ in range(3):
        world.make_pass()
    delivery_worker(world, told(Outcome(200), Outcome(500))).deliver_due(hook["id"])
    assert len(world.deliveries(hook["id"], status="delivered")) == 1
    path = f"/v1/hooks/{hook['id']}/deliveries"
    first = world.get(path, query_string={"limit": 2}).get_json()
    rest = world.get(path, query_string={"limit": 2, "cursor": first["next_cursor"]}).get_json()
    ids = [delivery["id"] for delivery in (*first["data"], *rest["data"])]
    assert (len(ids), ids, rest["next_cursor"]) == (3, sorted(ids, reverse=True), None)


# --- what there is to hear of ----------------------------------------------------------------------------------------


def test_every_type_has_a_sample_that_looks_like_the_real_thing(world: World) -> None:
    listed = world.get("/v1/event-types").get_json()["data"]
    assert [one["type"] for one in listed] == list(DESCRIPTIONS)
    assert [one["title"] for one in listed][:2] == ["Pass Created", "Pass Updated"]
    hook = world.make_hook("pass.created")
    member = {"program_id": MEMBERSHIP, "external_id": "customer-501"}
    coupon = world.make_pass("prog_demo_coupon")
    done(world, "create-pass", {**member, "expires_at": "2026-11-21"})
    done(world, "update-pass", {**member, "phone": "1"})
    done(world, "update-points", {**member, "change": "add", "points": 1})
    done(world, "change-tier", {**member, "tier_id": "tier_demo_gold"})
    done(world, "redeem-pass", {"pass_id": coupon["id"]})
    done(world, "revoke-pass", member)
    done(world, "reinstate-pass", member)
    delivery_worker(world, told(Outcome(410))).deliver_due(hook["id"])
    world.clock.advance(days=2)
    from app.sync.expiry import tell_expired

    tell_expired(world.service)
    real = {event["type"]: event for event in world.events()}
    for one in listed:
        sample, event = one["sample"], real.get(one["type"])
        assert sample["type"] == one["type"]
        if event is not None:
            assert set(sample) == set(event)
            assert set(sample["data"]) == set(event["data"]), one["type"]
    assert set(DESCRIPTIONS) - set(real) == {"pass.installed", "pass.uninstalled"}


def test_a_hook_tells_what_waits_for_it_and_for_how_long(any_world: World) -> None:
    hook, idle = any_world.make_hook("pass.created"), any_world.make_hook("tier.changed")
    assert (hook["backlog"], hook["backlog_age_seconds"]) == (0, 0.0)
    for _ in range(2):
        any_world.make_pass()
        any_world.clock.advance(seconds=7.5)
    shown = any_world.get(f"/v1/hooks/{hook['id']}").get_json()
    assert (shown["backlog"], shown["backlog_age_seconds"]) == (2, 15.0)
    listed = {one["id"]: one for one in any_world.get("/v1/hooks").get_json()["data"]}
    assert listed[hook["id"]] == shown
    assert (listed[idle["id"]]["backlog"], listed[idle["id"]]["backlog_age_seconds"]) == (0, 0.0)


def test_a_large_backlog_is_counted_up_to_its_limit(any_world: World) -> None:
    hook = any_world.make_hook("pass.created")
    with any_world.service.store.write() as connection:
        for number in range(COUNTED + 5):
            deliveries.add(connection, hook["id"], f"evt_{number}", "pass.created", any_world.clock())
    assert any_world.get(f"/v1/hooks/{hook['id']}").get_json()["backlog"] == COUNTED
