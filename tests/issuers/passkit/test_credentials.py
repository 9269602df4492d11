from __future__ import annotations

from typing import Any

import jwt
import pytest

from app.issuers.passkit.credentials import Credentials, InvalidCredentials, authorization, token

NOW = 1_800_000_000
SECRET = "a secret that is long enough for anybody"


def claims(text: str, secret: str = SECRET) -> dict[str, Any]:
    return jwt.decode(text, secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})


def of_region(**rest: Any) -> Credentials:
    return Credentials.of_region("pub1", **{"api_key": "key", "secret": SECRET, **rest})


def test_a_token_is_backdated_and_short() -> None:
    made = token(of_region(), NOW)
    assert claims(made) == {"uid": "key", "iat": NOW - 10, "exp": NOW + 30}
    assert jwt.get_unverified_header(made) == {"alg": "HS256", "typ": "JWT"}


def test_the_times_of_a_token_are_settings() -> None:
    assert claims(token(of_region(backdate_seconds=30, lifetime_seconds=60), NOW)) == {
        "uid": "key",
        "iat": NOW - 30,
        "exp": NOW + 60,
    }


@pytest.mark.parametrize("secret", ["s", "short", "x" * 32, "x" * 64, "x" * 200, "geheim-äöü"])
@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_secrets_of_any_length_sign_as_they_are(secret: str) -> None:
    made = token(of_region(secret=secret), NOW)
    assert claims(made, secret)["uid"] == "key"
    assert made == jwt.encode(claims(made, secret), secret, algorithm="HS256")


@pytest.mark.filterwarnings("error")
def test_a_short_secret_is_not_warned_of() -> None:
    token(of_region(secret="short"), NOW)


def test_the_token_is_sent_bare_or_as_bearer() -> None:
    bare = authorization(of_region(), NOW)
    assert bare == token(of_region(), NOW)
    assert authorization(of_region(auth_style="bearer"), NOW) == f"Bearer {bare}"


def test_a_long_lived_token_is_sent_as_it_is() -> None:
    assert authorization(Credentials.of_region("pub2", long_lived_token="opaque"), NOW) == "Bearer opaque"


def test_regions_have_their_hosts() -> None:
    eu, usa = of_region(), Credentials.of_region("pub2", long_lived_token="opaque")
    assert (eu.base_url, eu.pass_url) == ("https://api.pub1.passkit.io", "https://pub1.pskt.io")
    assert (usa.base_url, usa.pass_url) == ("https://api.pub2.passkit.io", "https://pub2.pskt.io")
    assert of_region(pass_url="https://cards.example.com/").pass_url == "https://cards.example.com"
    with pytest.raises(InvalidCredentials):
        Credentials.of_region("pub3", long_lived_token="opaque")


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": "", "secret": ""},
        {"api_key": "canary", "secret": ""},
        {"api_key": "", "secret": "canary"},
        {"api_key": "canary", "secret": "canary", "long_lived_token": "canary"},
        {"api_key": "", "secret": "", "long_lived_token": "canary\r\nX: y"},
        {"api_key": "", "secret": "", "long_lived_token": "canary canary"},
        {"secret": "canary\n"},
        {"secret": "canary\ud800"},
        {"api_key": " canary"},
        {"auth_style": "canary"},
        {"base_url": "http://api.example.com"},
        {"base_url": "ftp://api.example.com"},
        {"base_url": "https://user:canary@api.example.com"},
        {"base_url": "https://api.example.com?key=canary"},
        {"base_url": "https://api.example.com#canary"},
        {"base_url": "https://"},
        {"base_url": "https://[canary"},
        {"base_url": "https://api.example.com:canary"},
        {"pass_url": "canary"},
        {"pass_url": "javascript:canary"},
    ],
)
def test_what_cannot_be_used_is_refused_without_repeating_it(wrong: dict[str, Any]) -> None:
    right = {"base_url": "https://api.pub1.passkit.io", "pass_url": "https://pub1.pskt.io"}
    with pytest.raises(InvalidCredentials) as caught:
        Credentials(**{**right, "api_key": "key", "secret": SECRET, **wrong})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    assert of_region(pass_url=f"http://{host}").pass_url == f"http://{host}"
