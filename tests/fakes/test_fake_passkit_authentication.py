"""Who the fake lets in, and what the wrong region knows."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from tests.fakes.passkit.seed import PROGRAM
from tests.fakes.passkit_client import Client, make_token, refused, sign


def authorized(client: Client, header: str | None) -> requests.Response:
    """Ask for the profile with a header of the test's own."""
    headers = {} if header is None else {"Authorization": header}
    return requests.get(f"{client.fake.url}/user/profile", headers=headers, timeout=120)


def test_a_token_is_sent_bare_or_as_bearer(client: Client) -> None:
    token = make_token(client.fake)
    assert authorized(client, token).status_code == 200
    assert authorized(client, f"Bearer {token}").status_code == 200
    client.fake.switches.accept_bearer = False
    refused(authorized(client, f"Bearer {token}"), 401, "illegal base64 data at input byte 6")
    client.fake.switches.accept_bearer, client.fake.switches.accept_bare = True, False
    assert authorized(client, f"Bearer {token}").status_code == 200
    assert authorized(client, token).status_code == 401


def test_another_word_before_the_token_is_bad_base64(client: Client) -> None:
    refused(authorized(client, f"PKAuth {make_token(client.fake)}"), 401, "illegal base64 data at input byte 6")
    refused(authorized(client, None), 401, "missing")
    refused(authorized(client, "Bearer nonsense"), 401, "segments")


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (5, 200), (10, 200), (59, 200), (60, 401), (3600, 401), (-1, 401), (-300, 401)]
)
def test_a_token_is_valid_for_59_seconds_from_its_issue(client: Client, age: int, status: int) -> None:
    answer = authorized(client, make_token(client.fake, age=age, lifetime=7200))
    assert answer.status_code == status
    if status == 401:
        refused(answer, 401, "jwt was issued too long ago" if age > 0 else "Token used before issued")


def test_an_expired_token_is_refused(client: Client) -> None:
    refused(authorized(client, make_token(client.fake, age=10, lifetime=10)), 401, "expired")


def test_a_token_may_be_refused_for_living_too_long(client: Client) -> None:
    token = make_token(client.fake, age=10, lifetime=310)
    assert authorized(client, token).status_code == 200
    client.fake.switches.longest_expiry = 60
    assert authorized(client, token).status_code == 401


def test_a_token_must_be_signed_with_the_secret_of_its_key(client: Client) -> None:
    now = int(client.fake.state.true_now().timestamp())
    claims = {"uid": client.fake.credentials.key, "iat": now - 10, "exp": now + 30}
    secret = client.fake.credentials.secret
    assert authorized(client, sign({**claims, "web": True}, secret)).status_code == 200
    refused(authorized(client, sign(claims, "another secret")), 401, "signature")
    refused(authorized(client, sign({**claims, "uid": "nobody"}, secret)), 401, "api key")
    refused(authorized(client, sign(claims, secret, "none")), 401, "signing method")
    refused(authorized(client, sign({"uid": client.fake.credentials.key}, secret)), 401, "claims")


@pytest.mark.parametrize("minutes", [5, -5])
def test_a_wrong_clock_refuses_tokens_and_tells_its_time(client: Client, minutes: int) -> None:
    client.fake.switches.clock_offset = minutes * 60
    answer = client.ask("GET", "/user/profile")
    refused(answer, 401, "jwt was issued too long ago" if minutes > 0 else "Token used before issued")
    assert parsedate_to_datetime(answer.headers["Date"]) == client.fake.state.true_now() + timedelta(minutes=minutes)


def test_every_answer_tells_the_time_of_the_fakes_own_clock(client: Client) -> None:
    client.fake.switches.clock_offset = 30
    client.fake.advance(days=7)
    expected = client.fake.state.true_now() + timedelta(seconds=30)
    found = [client.ask("GET", "/user/profile"), client.ask("GET", "/members/program/none")]
    for kind in ("status", "html", "empty"):
        client.fake.fail(kind)
        found.append(client.ask("GET", "/user/profile"))
    assert {parsedate_to_datetime(answer.headers["Date"]) for answer in found} == {expected}


def test_credentials_can_expire_in_mid_run(client: Client) -> None:
    client.fake.switches.requests_until_expiry = 2
    statuses = [client.ask("GET", "/user/profile").status_code for _ in range(4)]
    assert statuses == [200, 200, 401, 401]


def test_a_long_lived_token_is_made_at_the_login(client: Client) -> None:
    credentials = client.fake.credentials
    body = {"username": credentials.username, "password": credentials.password}
    token = client.right("POST", "/login", body, headers={"x-passkit-longlived-token": "true"})["token"]
    assert authorized(client, f"Bearer {token}").status_code == 200
    client.fake.advance(days=365)
    assert authorized(client, f"Bearer {token}").status_code == 200
    credentials.expired_tokens.add(token)
    credentials.long_lived_tokens.remove(token)
    refused(authorized(client, f"Bearer {token}"), 401, "token is expired")
    credentials.expired_tokens.clear()
    refused(authorized(client, f"Bearer {token}"), 401, "invalid number of segments")
    assert client.ask("POST", "/login", {**body, "password": "no"}).status_code == 401


def test_the_wrong_region_accepts_the_token_and_knows_nothing(client: Client) -> None:
    identity = client.enrol()
    with client.fake.other_region().running() as other:
        elsewhere = Client(other)
        assert elsewhere.right("GET", "/user/profile")["regionId"] == client.fake.region
        assert elsewhere.listed("/projects/list", {"limit": 1}) == []
        refused(elsewhere.ask("GET", f"/members/program/{PROGRAM}"), 404, f"program [uuid:{PROGRAM}] does not exist")
        refused(elsewhere.ask("GET", f"/members/member/id/{identity}"), 404, "does not exist")
