"""Who is calling: the key alone says which account, which mode, and what may be done."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from app.accounts import keys
from app.model import Mode
from tests.world import MEMBERSHIP, World


def call(world: World, *authorization: str) -> TestResponse:
    return world.client.get("/v1/me", headers=[("Authorization", value) for value in authorization])


def refusal(answer: TestResponse) -> tuple[int, str]:
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="passrail"'
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.get_json()["code"]


def test_me_tells_whose_key_it_is(any_world: World) -> None:
    answer = any_world.get("/v1/me")
    assert answer.status_code == 200
    told = answer.get_json()
    assert told.pop("key_id").startswith("key_")
    assert told == {
        "account_id": any_world.account.id,
        "account_name": "demo",
        "mode": "test",
        "issuer": "builtin",
        "scopes": ["read", "write"],
    }


def test_me_of_a_live_key_is_live(shared_world: World) -> None:
    told = shared_world.get("/v1/me", key=shared_world.make_key(mode=Mode.LIVE, scopes=("read",))).get_json()
    assert (told["mode"], told["issuer"], told["scopes"]) == ("live", "builtin", ["read"])


@pytest.mark.parametrize(
    "authorization", [(), ("",), ("Bearer",), ("Bearer ",), ("Basic dXNlcjpwYXNz",), ("{key}",), ("Bearer{key}",)]
)
def test_without_a_bearer_key_nothing_is_told(shared_world: World, authorization: tuple[str, ...]) -> None:
    answer = call(shared_world, *(value.replace("{key}", shared_world.key) for value in authorization))
    assert refusal(answer) == (401, "unauthorized")
    assert "Authorization: Bearer" in answer.get_json()["detail"]


def test_the_word_bearer_may_be_written_in_any_way(shared_world: World) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert call(shared_world, f"{scheme} {shared_world.key}").status_code == 200
    assert call(shared_world, f"Bearer   {shared_world.key} ").status_code == 200


@pytest.mark.parametrize("key", ["nonsense", "pr_test_", "x" * 44, "pr_test_é", "{key}x", "{key} {key}"])
def test_what_is_no_key_is_said_to_be_a_typing_error(shared_world: World, key: str) -> None:
    answer = call(shared_world, f"Bearer {key.replace('{key}', shared_world.key)}".encode().decode("latin-1"))
    assert refusal(answer) == (401, "unauthorized")
    assert "typing error" in answer.get_json()["detail"]


def test_a_key_of_another_service_is_not_known(shared_world: World) -> None:
    answer = call(shared_world, f"Bearer {keys.make_key(Mode.TEST)}")
    assert refusal(answer) == (401, "unauthorized")
    assert "not known here" in answer.get_json()["detail"]


def test_a_test_key_does_not_become_a_live_key_by_its_prefix(shared_world: World) -> None:
    assert refusal(call(shared_world, f"Bearer {shared_world.key.replace('pr_test_', 'pr_live_')}")) == (
        401,
        "unauthorized",
    )


def test_a_revoked_key_is_refused_one_second_later_at_the_latest(any_world: World) -> None:
    key = any_world.make_key()
    key_id = any_world.get("/v1/me", key=key).get_json()["key_id"]
    with any_world.service.store.write() as connection:
        keys.revoke_key(connection, key_id, any_world.clock())
    any_world.clock.advance(seconds=1)
    answer = any_world.get("/v1/me", key=key)
    assert refusal(answer) == (401, "key-revoked")
    assert "revoked" in answer.get_json()["detail"]
    assert any_world.get("/v1/me").status_code == 200


def test_a_key_that_was_never_used_is_refused_as_soon_as_it_is_revoked(world: World) -> None:
    key = world.make_key()
    with world.service.store.write() as connection:
        key_id = keys.list_keys(connection, world.account)[-1].id
        keys.revoke_key(connection, key_id, world.clock())
    assert refusal(world.get("/v1/me", key=key)) == (401, "key-revoked")


def test_a_key_that_may_only_read_changes_nothing(world: World) -> None:
    key = world.make_key(scopes=("read",))
    program = {"kind": "membership", "name": "New"}
    for answer in (
        world.act("create-pass", {"program_id": MEMBERSHIP}, key=key),
        world.request("POST", "/v1/programs", json=program, key=key),
        world.request("PATCH", f"/v1/programs/{MEMBERSHIP}", json={"name": "New"}, key=key),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
        assert "'write'" in answer.get_json()["detail"]
    assert world.get("/v1/passes", key=key).get_json()["data"] == []
    assert world.get(f"/v1/programs/{MEMBERSHIP}", key=key).get_json()["name"] == "Rosewater Club"


def test_a_key_that_may_only_write_does_not_look(world: World) -> None:
    key = world.make_key(scopes=("write",))
    made = world.act("create-pass", {"program_id": MEMBERSHIP}, key=key)
    assert made.status_code == 200
    for path in (
        "/v1/me",
        "/v1/passes",
        f"/v1/passes/{made.get_json()['id']}",
        f"/v1/passes/{made.get_json()['id']}/history",
        "/v1/programs",
        f"/v1/programs/{MEMBERSHIP}",
        f"/v1/programs/{MEMBERSHIP}/tiers",
        f"/v1/programs/{MEMBERSHIP}/fields",
        f"/v1/operations/{made.get_json()['operation_id']}",
        "/v1/events",
    ):
        answer = world.get(path, key=key)
        assert (path, answer.status_code, answer.get_json()["code"]) == (path, 403, "forbidden")


def test_every_route_of_the_api_wants_a_key(shared_world: World) -> None:
    checked = 0
    for rule in shared_world.app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/"):
            continue
        path = re.sub("<id:[a-z_]+>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = shared_world.client.open(path, method=method, json={} if method in ("POST", "PATCH") else None)
            assert (path, method, answer.status_code) == (path, method, 401)
            checked += 1
    assert checked >= 24


def test_everything_of_one_account_and_mode_is_unknown_to_every_other_key(world: World) -> None:
    made = world.make_pass(external_id="customer-501", email="ada@example.com")
    keys_of_others = [world.make_key(account="other"), world.make_key(mode=Mode.LIVE)]
    for key in keys_of_others:
        for path in (
            f"/v1/passes/{made['id']}",
            f"/v1/passes/{made['id']}/history",
            f"/v1/programs/{MEMBERSHIP}",
            f"/v1/programs/{MEMBERSHIP}/tiers",
            f"/v1/programs/{MEMBERSHIP}/fields",
            f"/v1/operations/{made['operation_id']}",
        ):
            answer = world.get(path, key=key)
            assert (path, answer.status_code, answer.get_json()["code"]) == (path, 404, "not-found")
        patched = world.request("PATCH", f"/v1/programs/{MEMBERSHIP}", json={"name": "Mine"}, key=key)
        assert patched.status_code == 404
        for path in ("/v1/passes", "/v1/programs", "/v1/events"):
            assert world.get(path, key=key).get_json() == {"data": [], "next_cursor": None}
        by_pass = world.get("/v1/events", query_string={"pass_id": made["id"]}, key=key)
        assert by_pass.get_json()["data"] == []
        by_program = world.get("/v1/passes", query_string={"program_id": MEMBERSHIP}, key=key)
        assert by_program.get_json()["data"] == []


def test_a_failed_authentication_never_repeats_the_key(world: World, caplog: pytest.LogCaptureFixture) -> None:
    key = keys.make_key(Mode.TEST)
    answer = call(world, f"Bearer {key}")
    assert key[8:] not in answer.text
    assert key[8:] not in caplog.text
