"""PassKit's webhooks: let in by the token, looked into later; duplicates, disorder and junk do no harm."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from app.model import Mode
from app.operations.resume import resume_all
from app.retention import purge
from app.store import issuer_webhooks
from app.store.tables import events, passes, sinks
from app.sync import connections, subscriptions, webhooks
from app.sync.connecting import connect
from tests.fakes.passkit import seed
from tests.fakes.passkit.delivery import Delivery
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, passkit_of, target_of, upstream_id
from tests.passkit.test_unclear import leave_unknown
from tests.thorough import amount
from tests.world import World

MEMBERS = amount(25, thorough=125)  # each has eight changes


def held(joined: Joined) -> list[Delivery]:
    """Take what PassKit would send now."""
    deliveries = list(joined.fake.deliveries._held)
    joined.fake.deliveries._held.clear()
    return deliveries


def deliver(joined: Joined, deliveries: list[Delivery]) -> None:
    """Hand deliveries to the service, as they are."""
    for one in deliveries:
        path = urlsplit(one.url).path
        answer = joined.world.client.open(path, method=one.method, data=one.body, headers=one.headers)
        assert answer.status_code == 204


def settle(joined: Joined) -> list[str]:
    """Let everything arrive and be looked into; return the types of the new events, oldest first."""
    before = {one["id"] for one in joined.world.events()}
    deliver(joined, held(joined))
    while webhooks.read_all(joined.world.service):
        pass
    return [one["type"] for one in reversed(joined.world.events()) if one["id"] not in before]


def address(joined: Joined) -> str:
    """Return the path of the membership program's webhook."""
    Client(joined.fake).enrol("probe")
    return urlsplit(held(joined)[0].url).path


def test_connecting_subscribes_to_every_program(joined: Joined) -> None:
    assert {one["classId"] for one in joined.fake.state.sinks} == {seed.PROGRAM, seed.CAMPAIGN, seed.PRODUCTION}
    assert all("https://pass.example.com/in/passkit/" in one["configuration"] for one in joined.fake.state.sinks)
    one = connections.need(joined.world.service, joined.world.account.id, Mode.TEST)
    assert subscriptions.subscribe(joined.world.service, one) == 3
    assert len(list(joined.fake.state.sinks)) == 3
    token = address(joined).rsplit("/", 1)[1]
    with joined.world.service.store.read() as connection:
        assert token not in str(connection.execute(sinks.select()).all())


def test_forgetting_ends_them(joined: Joined) -> None:
    path = address(joined)
    joined.world.request("DELETE", "/v1/issuer")
    assert list(joined.fake.state.sinks) == []
    assert joined.world.client.post(path, json={}).status_code == 404


def test_without_a_public_address_nothing_is_subscribed(lonely: World, fake: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(subscriptions, "can_hear", lambda *_: False)
    connect(lonely.service, lonely.account.id, Mode.TEST, "passkit", target_of(fake))
    assert list(fake.state.sinks) == []


def test_what_we_did_ourselves_is_told_once(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.act("update-points", {"pass_id": made["id"], "change": "add", "points": 5})
    joined.act("change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD})
    assert settle(joined) == []


def test_what_holders_and_others_did_becomes_events(joined: Joined) -> None:
    made = joined.make(points=10)
    held(joined)
    passkit, member_id = Client(joined.fake), upstream_id(made)
    joined.fake.install(member_id)
    assert settle(joined) == ["pass.installed"]
    joined.fake.uninstall(member_id)
    assert settle(joined) == ["pass.uninstalled"]
    passkit.right("PUT", "/members/member/points/earn", {"id": member_id, "points": 5})
    assert settle(joined) == ["points.changed"]
    told = joined.world.events()[0]["data"]
    assert (told["points"], told["points_before"], told["points_change"]) == (15, 10, 5)
    passkit.right("PUT", "/members/member/tier", {"memberId": member_id, "tierId": seed.SILVER})
    assert settle(joined) == ["tier.changed"]
    passkit.right("PATCH", "/members/member/person", {"id": member_id, "person": {"forename": "Grace"}})
    assert settle(joined) == ["pass.updated"]
    found = joined.world.get(f"/v1/passes/{made['id']}").get_json()
    assert (found["points"], found["tier_id"], found["first_name"]) == (15, seed.SILVER, "Grace")


def test_expiry_redemption_and_deletion_are_told(joined: Joined) -> None:
    passkit = Client(joined.fake)
    made, coupon = joined.make(), joined.make("coupon")
    held(joined)
    now = joined.world.clock().isoformat().replace("+00:00", "Z")
    passkit.right("PUT", "/members/member/updateExpiry", {"id": upstream_id(made), "expiryDate": now})
    assert settle(joined)[0] == "pass.expired"
    passkit.right("PUT", "/coupon/singleUse/coupon/redeem", {"id": upstream_id(coupon)})
    assert settle(joined) == ["pass.redeemed"]
    passkit.right("DELETE", "/members/member", {"id": upstream_id(made)})
    assert settle(joined) == ["pass.revoked"]
    gone = joined.world.get(f"/v1/passes/{made['id']}").get_json()
    assert (gone["status"], gone["email"]) == ("revoked", None)


def test_who_enrols_at_passkit_becomes_a_pass(joined: Joined) -> None:
    Client(joined.fake).enrol("c-9", points=3.0)
    assert settle(joined) == ["pass.created"]
    found = joined.world.get("/v1/passes", query_string={"external_id": "c-9"}).get_json()["data"]
    assert [one["points"] for one in found] == [3]


def test_a_webhook_waits_for_the_operation_it_tells_of(joined: Joined) -> None:
    passkit_of(joined.world).pool.sleep = lambda seconds: None
    made = joined.make(points=10)
    held(joined)
    leave_unknown(joined, made)
    assert settle(joined) == []
    joined.world.clock.advance(minutes=1)
    resume_all(joined.world.service)
    assert settle(joined) == []
    assert [one["type"] for one in joined.world.events()] == ["points.changed", "pass.created"]
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["points"] == 15


@pytest.mark.only_sqlite
def test_many_deliveries_repeated_and_shuffled_make_each_event_once(joined: Joined) -> None:
    chance = random.Random(7)
    passkit = Client(joined.fake)
    members = [passkit.enrol(f"c-{number}") for number in range(MEMBERS)]
    joined.routes()
    settle(joined)
    for member_id in members:
        joined.fake.install(member_id)
        for _ in range(6):
            passkit.right("PUT", "/members/member/points/earn", {"id": member_id, "points": 1})
        passkit.right("PUT", "/members/member/tier", {"memberId": member_id, "tierId": seed.GOLD})
    deliveries = [one for one in held(joined) for _ in range(chance.randint(1, 5))]
    assert len(deliveries) > 16 * MEMBERS
    chance.shuffle(deliveries)
    deliver(joined, deliveries)
    while webhooks.read_all(joined.world.service):
        pass
    chance.shuffle(deliveries)
    deliver(joined, deliveries[:200])
    webhooks.read_all(joined.world.service)
    with joined.world.service.store.read() as connection:
        counted = connection.execute(select(events.c.type, func.count()).group_by(events.c.type))
        told = {row.type: row[1] for row in counted}
        points = set(connection.execute(select(passes.c.points, passes.c.install_state, passes.c.tier_id)))
    everyone = dict.fromkeys(("pass.created", "pass.installed", "points.changed", "tier.changed"), MEMBERS)
    assert told == everyone
    assert points == {(600, "installed", seed.GOLD)}


def junk() -> list[bytes]:
    """Return bodies that are none of PassKit's."""
    chance = random.Random(3)
    texts: list[Any] = [None, [], {}, 5, "x", {"pass": None}, {"pass": []}, {"pass": {}}, {"pass": {"id": None}}]
    odd: list[Any] = [5, [], {}, "", "../..", "a b", "x" * 500, "\u0000", "nobody"]
    texts += [{"pass": {"id": value}} for value in odd]
    texts += [{"event": value, "pass": {"id": "nobody"}} for value in odd]
    bodies = [json.dumps(text).encode() for text in texts]
    bodies += [
        b"",
        b"{",
        b"[" * 5000,
        b"\xff\xfe",
        b"\x00",
        b"null",
        b"<html>",
        b'{"pass":{"id":"a"',
        b"NaN",
        b'"\\ud800"',
    ]
    return bodies + [chance.randbytes(chance.randint(1, 200)) for _ in range(20)]


def test_junk_is_kept_apart_and_breaks_nothing(joined: Joined) -> None:
    path = address(joined)
    bodies = junk()
    assert len(bodies) >= 50
    for number, body in enumerate(bodies):
        method = ("POST", "PUT", "DELETE")[number % 3]
        assert joined.world.client.open(path, method=method, data=body).status_code == 204
    webhooks.read_all(joined.world.service)
    with joined.world.service.store.read() as connection:
        assert issuer_webhooks.waiting(connection, joined.world.clock(), 100) == []
    assert joined.world.events() == []


def test_the_door(joined: Joined) -> None:
    client, path = joined.world.client, address(joined)
    assert client.post("/in/passkit/unknown", json={}).status_code == 404
    assert client.get(path).status_code == 405
    assert client.post(path, data=b"x" * (256 * 1024 + 1)).status_code == 413
    assert client.post(path, data=b"x" * (100 * 1024)).status_code == 204


def test_another_accounts_pass_cannot_be_named(joined: Joined) -> None:
    """A record of another program is not taken on record by this one's webhook."""
    coupon = Client(joined.fake).make_coupon("k-1")
    held(joined)
    path = address(joined)
    joined.world.client.post(path, json={"event": 1, "pass": {"id": coupon}})
    webhooks.read_all(joined.world.service)
    assert joined.world.events() == []


def test_while_passkit_is_away_webhooks_wait(joined: Joined) -> None:
    passkit_of(joined.world).pool.sleep = lambda seconds: None
    made = joined.make()
    held(joined)
    joined.fake.install(upstream_id(made))
    joined.fake.fail("status", "GET /members/member/id/{id}", status=503, times=4)
    assert settle(joined) == []
    assert webhooks.read_all(joined.world.service) == 1
    assert joined.world.events()[0]["type"] == "pass.installed"


@pytest.mark.parametrize("age", [15, 13])
def test_what_was_looked_into_is_deleted_after_two_weeks(joined: Joined, age: int) -> None:
    joined.world.client.post(address(joined), json={})
    webhooks.read_all(joined.world.service)
    joined.world.clock.advance(days=age)
    assert purge(joined.world.service)["webhooks"] == (1 if age > 14 else 0)
