"""A remote issuer's webhooks: let in by the token, read later; duplicates, disorder and junk do no harm."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import delete, select

from app.model import InstallState
from app.operations import resume
from app.retention import purge
from app.store.tables import inbox, sinks
from app.sweeps import MOST_TRIES
from app.sync import webhooks
from tests.issuers.memory import Failure
from tests.sync.conftest import Connected, upstream_id
from tests.test_sweeps import until_parked


def notes(connected: Connected) -> list[str | None]:
    """Return what came of each webhook, oldest first; None: it waits."""
    with connected.world.service.store.read() as connection:
        return list(connection.execute(select(inbox.c.note).order_by(inbox.c.id)).scalars())


def address(connected: Connected, program_id: str = "club") -> str:
    """Return the path that a program's webhooks come to."""
    return next(urlsplit(url).path for place, url in connected.server.subscriptions.values() if place == program_id)


def test_what_we_did_ourselves_is_told_once(connected: Connected) -> None:
    made = connected.make(points=10)
    connected.world.act("update-points", {"pass_id": made["id"], "change": "add", "points": 5})
    assert connected.settle() == []


def test_what_holders_and_others_did_becomes_events(connected: Connected) -> None:
    made = connected.make(points=10)
    record = connected.record(made)
    connected.deliver()
    changes: dict[str, dict[str, Any]] = {
        "pass.installed": {"install_state": InstallState.INSTALLED},
        "points.changed": {"points": Decimal(15)},
        "tier.changed": {"tier_id": "green"},
        "pass.updated": {"holder": {"first_name": "Grace"}},
        "pass.expired": {"expires_at": connected.world.clock() - timedelta(days=1)},
    }
    for event_type, values in changes.items():
        connected.server.change(record.id, **values)
        assert connected.settle()[0] == event_type
    shown = connected.get(made["id"])
    assert (shown["points"], shown["tier_id"], shown["first_name"]) == (15, "green", "Grace")
    assert (shown["install_state"], shown["status"]) == ("installed", "expired")


def test_who_enrols_at_the_issuer_becomes_a_pass(connected: Connected) -> None:
    connected.server.enrol("club", "c-9", points=Decimal(3))
    assert connected.settle() == ["pass.created"]
    assert connected.settle() == []
    [found] = connected.world.get("/v1/passes", query_string={"external_id": "c-9"}).get_json()["data"]
    assert found["points"] == 3


def test_a_record_that_is_deleted_is_a_pass_revoked_for_good(connected: Connected) -> None:
    made = connected.make(external_id="c-1", email="ada@example.com")
    connected.deliver()
    connected.server.delete(upstream_id(made))
    assert connected.settle() == ["pass.revoked"]
    gone = connected.get(made["id"])
    assert (gone["status"], gone["email"]) == ("revoked", None)


def test_a_customer_who_enrols_again_after_a_lost_deletion_has_one_valid_pass(connected: Connected) -> None:
    old = connected.make(external_id="c-1", email="ada@example.com")
    connected.server.delete(upstream_id(old))
    connected.server.outgoing.clear()
    connected.world.clock.advance(seconds=1)
    connected.server.enrol("club", "c-1", holder={"email": "ada@example.com"})
    assert connected.settle() == ["pass.revoked", "pass.created"]
    assert (connected.get(old["id"])["status"], connected.get(old["id"])["email"]) == ("revoked", None)
    every = connected.world.get("/v1/passes", query_string={"external_id": "c-1"}).get_json()["data"]
    assert [(one["status"], one["id"] == old["id"]) for one in every] == [("active", False), ("revoked", True)]
    connected.world.client.post(address(connected), json={"id": upstream_id(old), "deleted": True})
    assert connected.settle() == []
    assert None not in notes(connected)


def test_a_webhook_waits_for_the_operation_it_tells_of(connected: Connected) -> None:
    made = connected.make(points=10)
    connected.deliver()
    connected.server.fail(Failure.LOST_AFTER, "add_points")
    connected.server.fail(Failure.AWAY, "settled")
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    assert connected.world.act("update-points", body, idempotency_key="k").status_code == 504
    assert connected.settle() == []
    assert None in notes(connected)
    connected.world.clock.advance(minutes=2)
    resume.resume_all(connected.world.service)
    assert connected.settle() == []
    assert None not in notes(connected)
    assert [one["type"] for one in connected.world.events()] == ["points.changed", "pass.created"]


def test_a_webhook_about_a_pass_that_is_being_made_waits_for_its_operation(connected: Connected) -> None:
    connected.server.fail(Failure.LOST_AFTER, "issue")
    connected.server.fail(Failure.AWAY, "settled")
    body = {"program_id": connected.program_id(), "external_id": "c-1"}
    assert connected.world.act("create-pass", body, idempotency_key="k").status_code == 504
    assert connected.settle() == []
    answer = connected.world.act("create-pass", body, idempotency_key="k")
    assert answer.get_json()["created"] is True
    assert connected.settle() == []
    assert [one["type"] for one in connected.world.events()] == ["pass.created"]


def test_while_the_issuer_is_away_webhooks_wait(connected: Connected) -> None:
    made = connected.make()
    connected.deliver()
    connected.server.fail(Failure.AWAY, "read")
    connected.server.change(upstream_id(made), install_state=InstallState.INSTALLED)
    assert connected.settle() == []
    assert webhooks.read_all(connected.world.service) == 1
    assert connected.world.events()[0]["type"] == "pass.installed"


def test_an_issuer_that_is_away_is_asked_once_a_sweep_and_program(connected: Connected) -> None:
    for number in range(3):
        connected.server.enrol("club", f"c-{number}")
    connected.server.enrol("campaign", "k-1")
    connected.server.fail(Failure.AWAY, "read_new")
    connected.asked()
    assert connected.settle() == ["pass.created"]
    assert connected.asked().count("read_new") == 2
    assert sorted(connected.settle()) == ["pass.created"] * 3


def test_what_piles_up_of_one_program_holds_up_no_other(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 2)
    for number in range(3):
        connected.server.enrol("club", f"c-{number}")
    connected.server.enrol("campaign", "k-1")
    connected.server.fail(Failure.AWAY, "read_new")
    assert connected.settle() == ["pass.created"]
    assert connected.world.events()[0]["data"]["kind"] == "coupon"
    assert [len(connected.settle()) for _ in range(3)] == [2, 1, 0]


def test_a_record_that_the_issuer_refuses_to_tell_is_left_to_people(connected: Connected) -> None:
    connected.server.enrol("club", "c-1")
    connected.server.fail(Failure.REFUSED, "read_new", times=MOST_TRIES)
    connected.deliver()
    assert until_parked(connected.world, lambda: webhooks.read_all(connected.world.service)) > 60
    connected.server.enrol("club", "c-2")
    assert connected.settle() == ["pass.created"]
    assert notes(connected) == [None, "read"]


def test_repeats_and_disorder_make_each_event_once(connected: Connected) -> None:
    made = connected.make()
    connected.deliver()
    for _ in range(3):
        connected.server.change(upstream_id(made), points=Decimal(5))
        connected.server.change(upstream_id(made), install_state=InstallState.INSTALLED)
    connected.server.outgoing.reverse()
    assert connected.settle() == ["pass.installed", "points.changed"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"\x00", b'{"id": 5}', b'{"id": "nobody", "deleted": true}']
)
def test_junk_is_closed_and_breaks_nothing(connected: Connected, body: bytes) -> None:
    assert connected.world.client.put(address(connected), data=body).status_code == 204
    assert connected.settle() == []
    assert notes(connected) in (["not understood"], ["the issuer does not have it"])


def test_another_programs_pass_cannot_be_named(connected: Connected) -> None:
    coupon = connected.server.enrol("campaign", "k-1")
    connected.server.outgoing.clear()
    connected.world.client.post(address(connected), json={"id": coupon.id, "deleted": False})
    assert connected.settle() == []
    assert connected.world.get("/v1/passes", query_string={"external_id": "k-1"}).get_json()["data"] == []


@pytest.mark.only_sqlite
def test_the_door(connected: Connected) -> None:
    client, path = connected.world.client, address(connected)
    assert client.post("/in/memory/unknown", json={}).status_code == 404
    assert client.get(path).status_code == 405
    assert client.post(path, data=b"x" * (256 * 1024 + 1)).status_code == 413
    assert client.post(path, data=b"x" * (100 * 1024)).status_code == 204


@pytest.mark.only_sqlite
def test_what_came_is_forgotten_with_its_subscription(connected: Connected) -> None:
    connected.world.client.post(address(connected), json={"id": "x", "deleted": False})
    connected.world.request("DELETE", "/v1/issuer")
    assert notes(connected) == []


@pytest.mark.only_sqlite
def test_what_came_by_a_subscription_that_is_gone_is_closed(connected: Connected) -> None:
    connected.world.client.post(address(connected), json={"id": "x", "deleted": False})
    with connected.world.service.store.write() as connection:
        connection.execute(delete(sinks))
    webhooks.read_all(connected.world.service)
    assert notes(connected) == ["its subscription is gone"]


@pytest.mark.only_sqlite
@pytest.mark.parametrize("age", [15, 13])
def test_what_was_read_is_deleted_after_two_weeks(connected: Connected, age: int) -> None:
    connected.world.client.post(address(connected), json={})
    webhooks.read_all(connected.world.service)
    connected.world.clock.advance(days=age)
    assert purge(connected.world.service)["webhooks"] == (1 if age > 14 else 0)


@pytest.mark.only_sqlite
def test_a_webhook_asks_for_its_job(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[tuple[str, str]] = []
    monkeypatch.setattr(connected.world.service.store, "_post", lambda job, row_id: posted.append((job, row_id)))
    for _ in range(2):  # the same, while it waits, is one
        connected.world.client.post(address(connected), json={})
    [(job, webhook_id)] = posted
    assert job == "read_webhook"
    assert webhooks.read_each(connected.world.service, [webhook_id]) == 1
