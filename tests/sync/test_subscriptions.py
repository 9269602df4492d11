"""Subscriptions to a remote issuer's webhooks: one a program, with a secret address, and none left over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.accounts.vault import Vault, generate_key
from app.model import Kind, Mode
from app.store.tables import sinks
from app.sync import connecting, subscriptions
from tests.issuers.memory import Failure, MemoryKind
from tests.sync.conftest import VAULT_KEYS, Connected

LOST = pytest.mark.parametrize("failure", [Failure.LOST, Failure.LOST_AFTER, Failure.UNCLEAR_AFTER])


def keep_up(connected: Connected) -> None:
    """Let an hour pass, and the hourly look at every connection happen."""
    connected.world.clock.advance(hours=1)
    subscriptions.keep_up(connected.world.service)


def subscribed(connected: Connected) -> Counter[str]:
    """Count the issuer's subscriptions of each program."""
    return Counter(program_id for program_id, _ in connected.server.subscriptions.values())


ONE_EACH = Counter(["club", "campaign", "concerts"])


def test_connecting_subscribes_to_every_program_once(connected: Connected) -> None:
    assert subscribed(connected) == ONE_EACH
    urls = [url for _, url in connected.server.subscriptions.values()]
    assert all(url.startswith("https://pass.example.com/in/memory/") for url in urls)
    assert len(set(urls)) == 3
    keep_up(connected)
    connected.connect()
    assert subscribed(connected) == ONE_EACH


def test_a_new_program_is_subscribed_to_within_the_hour(connected: Connected) -> None:
    club = connected.server.programs[0]
    connected.server.programs.append(replace(club, upstream_id="circle", name="Circle"))
    keep_up(connected)
    assert subscribed(connected) == ONE_EACH + Counter(["circle"])


def test_the_secret_of_an_address_is_kept_nowhere(connected: Connected) -> None:
    tokens = [urlsplit(url).path.rsplit("/", 1)[1] for _, url in connected.server.subscriptions.values()]
    assert all(len(token) >= 32 for token in tokens)
    with connected.world.service.store.read() as connection:
        kept = str(connection.execute(sinks.select()).all())
    assert not any(token in kept for token in tokens)


@LOST
def test_a_subscription_whose_answer_was_lost_is_found_again(lonely: Connected, failure: Failure) -> None:
    lonely.server.fail(failure, "subscribe", times=3)
    lonely.connect()
    assert subscribed(lonely) == (Counter() if failure is Failure.LOST else ONE_EACH)
    keep_up(lonely)
    assert subscribed(lonely) == ONE_EACH
    lonely.server.enrol("club", "c-1")
    assert lonely.settle() == ["pass.created"]


def test_answers_that_are_lost_each_hour_leave_nothing_over(lonely: Connected) -> None:
    lonely.server.fail(Failure.LOST_AFTER, "subscribe", times=100)
    lonely.connect()
    for _ in range(4):
        lonely.server.fail(Failure.AWAY, "find_subscription")  # of one program; the others are found
        keep_up(lonely)
    assert subscribed(lonely) == ONE_EACH
    lonely.world.request("DELETE", "/v1/issuer")
    assert subscribed(lonely) == Counter()


def test_an_issuer_that_may_still_be_at_work_is_not_asked_twice(lonely: Connected) -> None:
    lonely.server.fail(Failure.LOST, "subscribe", times=3)
    lonely.connect()
    lonely.server.mend()
    assert subscriptions.subscribe(lonely.world.service, lonely.connection) == 0
    lonely.world.clock.advance(minutes=1)
    assert subscriptions.subscribe(lonely.world.service, lonely.connection) == 3
    assert subscribed(lonely) == ONE_EACH


def test_a_refusal_for_one_program_stops_no_other(lonely: Connected) -> None:
    lonely.server.fail(Failure.REFUSED, "subscribe")
    lonely.connect()
    assert sum(subscribed(lonely).values()) == 2
    keep_up(lonely)
    assert subscribed(lonely) == ONE_EACH


@LOST
def test_forgetting_ends_also_what_was_never_answered(lonely: Connected, failure: Failure) -> None:
    lonely.server.fail(failure, "subscribe", times=2)
    lonely.connect()
    lonely.server.enrol("concerts")
    urls = [url for _, url in lonely.server.subscriptions.values()]
    lonely.world.request("DELETE", "/v1/issuer")
    assert subscribed(lonely) == Counter()
    with lonely.world.service.store.read() as connection:
        assert connection.execute(select(sinks.c.id)).all() == []
    for url in urls:
        assert lonely.world.client.post(urlsplit(url).path, json={}).status_code == 404


def test_a_token_is_known_again_after_the_vaults_key_was_changed(lonely: Connected) -> None:
    lonely.server.fail(Failure.LOST_AFTER, "subscribe", times=3)
    lonely.connect()
    new_key = f"new:{generate_key()}"
    both = replace(lonely.world.service, vault=Vault.from_setting(f"{new_key},{VAULT_KEYS}"))
    lonely.world.clock.advance(hours=1)
    subscriptions.keep_up(both)
    assert subscribed(lonely) == ONE_EACH


def test_a_token_that_cannot_be_known_again_is_given_up(lonely: Connected) -> None:
    """A key of the vault's that is gone takes the address of an unanswered subscription with it."""
    lonely.server.fail(Failure.LOST, "subscribe", times=3)
    lonely.connect()
    with lonely.world.service.store.write() as connection:
        connection.execute(sinks.update().where(sinks.c.upstream_id.is_(None)).values(id=sinks.c.id + "x"))
    keep_up(lonely)
    assert subscribed(lonely) == ONE_EACH
    lonely.server.enrol("club", "c-1")
    assert lonely.settle() == ["pass.created"]


def test_connecting_to_another_company_ends_the_subscriptions_at_the_first_one(connected: Connected) -> None:
    assert isinstance(connected.kind, MemoryKind)
    first = connected.server
    other = connected.kind.server_at("https://other.example.com")
    service, account_id = connected.world.service, connected.world.account.id
    target = connected.kind.target({"token": "right"})
    target = replace(target, base_url="https://other.example.com")
    connecting.connect(service, account_id, Mode.TEST, "memory", target)
    assert first.subscriptions == {}
    assert Counter(program_id for program_id, _ in other.subscriptions.values()) == ONE_EACH


def test_one_program_that_is_gone_takes_its_subscription_with_it(connected: Connected) -> None:
    connected.server.programs = [one for one in connected.server.programs if one.kind is not Kind.COUPON]
    keep_up(connected)
    with connected.world.service.store.read() as connection:
        assert len(connection.execute(select(sinks.c.id)).all()) == 2


def test_a_service_that_cannot_be_reached_asks_for_none(lonely: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lonely.kind, "can_reach", lambda public_url, base_url: False)
    assert lonely.connect().status_code == 200
    assert lonely.server.subscriptions == {}
    assert not subscriptions.can_hear(lonely.world.service, lonely.connection)
