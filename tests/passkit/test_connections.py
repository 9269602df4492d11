"""Connecting an account to PassKit: proven first, kept sealed, never shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import responses

from app.accounts import connections
from app.accounts.vault import Vault, generate_key
from app.errors import NotApplicable, PassrailError, UpstreamCredentialsRefused, UpstreamUnavailable
from app.issuers.remote import Target
from app.model import Mode
from app.sync import connecting
from app.sync import connections as sync
from tests.fakes.passkit import FakePassKit
from tests.passkit.conftest import VAULT_KEYS, Joined, passkit_of, target_of
from tests.world import World, make_world

pytestmark = pytest.mark.only_sqlite

PUT = {"issuer": "passkit", "region": "pub1", "api_key": "k", "api_secret": "s"}


def connect(world: World, target: Target) -> Any:
    return connecting.connect(world.service, world.account.id, Mode.TEST, "passkit", target)


def test_a_connected_account_says_so_without_its_secret(joined: Joined) -> None:
    answer = joined.world.get("/v1/issuer")
    shown = answer.get_json()
    assert (shown["issuer"], shown["company"], shown["region"]) == ("passkit", "Passrail Demo", "pub1")
    assert shown["last_problem"] is None
    assert shown["draft_programs"] == ["Demo concert", "Demo coupons", "Demo loyalty"]
    assert joined.fake.credentials.secret not in answer.text
    assert joined.fake.credentials.key not in answer.text
    assert joined.world.get("/v1/me").get_json()["issuer"] == "passkit"
    assert joined.world.get("/v1/issuer", key=joined.world.make_key(mode=Mode.LIVE)).get_json()["issuer"] == "builtin"
    assert joined.world.get("/v1/issuer", key=joined.world.make_key(account="other")).get_json()["issuer"] == "builtin"


def test_a_setting_says_how_many_requests_are_under_way_at_once(tmp_path: Path) -> None:
    assert passkit_of(make_world(tmp_path / "three", passkit_at_once=3)).pool.at_once == 3


def test_without_a_connection_the_issuer_is_the_builtin_one(lonely: World) -> None:
    shown = lonely.get("/v1/issuer").get_json()
    assert shown == {**dict.fromkeys(shown), "issuer": "builtin", "mode": "test", "draft_programs": [], "notes": []}
    assert lonely.get("/v1/me").get_json()["issuer"] == "builtin"


def test_credentials_are_sealed_for_their_row(joined: Joined) -> None:
    world = joined.world
    one = sync.find(world.service, world.account.id, Mode.TEST)
    assert one is not None
    assert joined.fake.credentials.secret not in repr(one) + one.sealed
    assert one.secrets(Vault.from_setting(VAULT_KEYS))["secret"] == joined.fake.credentials.secret
    database = b"".join(path.read_bytes() for path in Path(world.service.settings.data_dir).glob("passrail.db*"))
    assert joined.fake.credentials.secret.encode() not in database


@pytest.mark.parametrize("wrong", [{"secret": "wrong"}, {"api_key": "wrong"}])
def test_a_wrong_secret_is_refused_and_not_kept(lonely: World, fake: FakePassKit, wrong: dict[str, str]) -> None:
    with pytest.raises(UpstreamCredentialsRefused, match="Copy both again from app"):
        connect(lonely, target_of(fake, **wrong))
    assert sync.find(lonely.service, lonely.account.id, Mode.TEST) is None


def test_the_wrong_region_is_named(lonely: World, fake: FakePassKit) -> None:
    target = target_of(fake)
    wrong = replace(target, region="pub2")
    with pytest.raises(UpstreamCredentialsRefused, match=r"not in the region pub2. Connect with the region pub1 .EU"):
        connect(lonely, wrong)


def test_a_clock_that_is_off_is_learned_and_one_that_cannot_be_is_told(lonely: World, fake: FakePassKit) -> None:
    fake.switches.clock_offset = 400
    connect(lonely, target_of(fake))
    fake.fail("status", "GET /user/profile", status=401, text="Token used before issued", times=2)
    with pytest.raises(UpstreamCredentialsRefused, match="clock of this server is wrong"):
        connect(lonely, target_of(fake))


def test_a_passkit_that_is_away_is_told_as_such(lonely: World, fake: FakePassKit) -> None:
    fake.fail("status", "GET /user/profile", status=503, times=9)
    passkit_of(lonely).pool.sleep = lambda seconds: None
    with pytest.raises(UpstreamUnavailable):
        connect(lonely, target_of(fake))


def test_without_vault_keys_the_sentence_names_the_command(tmp_path: Path, fake: FakePassKit) -> None:
    world = make_world(tmp_path / "other")
    with pytest.raises(NotApplicable, match="passrail vault new-key"):
        connect(world, target_of(fake))
    assert world.request("PUT", "/v1/issuer", json=PUT).get_json()["code"] == "not-applicable"
    world.service.store.close()


@pytest.mark.parametrize(
    "change",
    [
        {"region": "pub9"},
        {"api_secret": None},
        {"long_lived_token": "x"},
        {"region": None},
        {"base_url": "https://api.pub1.passkit.io"},
        {"region": None, "base_url": "http://127.0.0.1"},
        {"region": None, "base_url": "https://api.pub1.passkit.io.evil.example"},
        {"region": None, "base_url": "https://evil.example/#https://api.pub1.passkit.io"},
        {"api_key": None, "api_secret": None},
    ],
)
def test_a_caller_gives_region_and_credentials_and_nothing_else(lonely: World, change: dict[str, Any]) -> None:
    body = {name: value for name, value in {**PUT, **change}.items() if value is not None}
    assert lonely.request("PUT", "/v1/issuer", json=body).get_json()["code"] == "validation-failed"


@responses.activate
def test_the_address_that_passkit_shows_does_for_the_region(lonely: World) -> None:
    responses.get("https://api.pub2.passkit.io/user/profile", status=401, json={"error": "unknown key"})
    body = {**PUT, "base_url": "https://api.pub2.passkit.io/"}
    del body["region"]
    answer = lonely.request("PUT", "/v1/issuer", json=body)
    assert answer.get_json()["code"] == "upstream-credentials-refused"
    assert [call.request.url for call in responses.calls] == ["https://api.pub2.passkit.io/user/profile"]


def test_only_a_writer_connects(lonely: World) -> None:
    reader = lonely.make_key(scopes=("read",))
    assert lonely.request("PUT", "/v1/issuer", json=PUT, key=reader).status_code == 403
    assert lonely.request("DELETE", "/v1/issuer", key=reader).status_code == 403


def test_a_connection_is_forgotten(joined: Joined) -> None:
    made = joined.make(external_id="c-1")
    for _ in range(2):
        assert joined.world.request("DELETE", "/v1/issuer").get_json()["issuer"] == "builtin"
    assert joined.world.get(f"/v1/passes/{made['id']}").status_code == 200


def test_credentials_that_stop_working_are_noted(joined: Joined) -> None:
    world = joined.world
    joined.fake.credentials.secret = "another secret that is long enough"
    world.clock.advance(minutes=2)
    listed = world.get("/v1/programs")
    assert listed.status_code == 200  # as they were
    problem = world.get("/v1/issuer").get_json()["last_problem"]
    assert problem["code"] == "upstream-credentials-refused"
    assert "Copy both again" in problem["detail"]


def test_keys_are_rotated(joined: Joined) -> None:
    service = joined.world.service
    both = Vault.from_setting(f"new:{generate_key()},{VAULT_KEYS}")
    with service.store.write() as connection:
        assert connections.reseal_all(connection, both) == 1
        assert connections.reseal_all(connection, both) == 0
    one = sync.find(service, joined.world.account.id, Mode.TEST)
    assert one is not None
    assert one.secrets(both)["secret"] == joined.fake.credentials.secret
    with pytest.raises(PassrailError, match="VAULT_KEYS of the service lacks the key"):
        sync.open_issuer(service, one)


def points(joined: Joined, made: dict[str, Any]) -> Any:
    return joined.act("update-points", {"pass_id": made["id"], "change": "add", "points": 1})


def test_an_action_reads_the_connection_once_in_a_while(joined: Joined) -> None:
    made, world = joined.make(), joined.world
    assert points(joined, made).status_code == 200
    with world.service.store.write() as connection:  # as another process does it
        assert connections.forget(connection, world.account.id, Mode.TEST)
    assert points(joined, made).status_code == 200
    world.clock.advance(seconds=sync.KEPT_FOR.total_seconds())
    assert points(joined, made).get_json()["code"] == "upstream-credentials-refused"


def test_credentials_that_another_process_has_changed_are_used_as_soon_as_the_old_ones_are_refused(
    joined: Joined,
) -> None:
    made, world = joined.make(), joined.world
    assert points(joined, made).status_code == 200
    joined.fake.credentials.secret = "rotated-secret-of-the-fake-passkit-server"
    kept = sync.kept(world.service, world.account.id, Mode.TEST)
    connect(world, target_of(joined.fake))
    world.service.connections.put((world.account.id, Mode.TEST), (world.clock(), kept))
    assert points(joined, made).status_code == 200
    assert world.get("/v1/issuer").get_json()["last_problem"] is None


def test_a_connection_that_is_forgotten_here_is_not_used_again(joined: Joined) -> None:
    made, world = joined.make(), joined.world
    assert points(joined, made).status_code == 200
    assert connecting.forget(world.service, world.account.id, Mode.TEST)
    assert points(joined, made).get_json()["code"] == "upstream-credentials-refused"
