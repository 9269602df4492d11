from __future__ import annotations

from typing import Any

import jwt
import pytest

from app.issuers.passkit.credentials import REGIONS, Credentials, InvalidCredentials, authorization

NOW = 1_800_000_000
SECRET = "a secret that is long enough for anybody"


def claims(text: str, secret: str = SECRET) -> dict[str, Any]:
    return jwt.decode(text, secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})


def own(**rest: Any) -> Credentials:
    base_url, pass_url = REGIONS["pub1"]
    return Credentials(**{"base_url": base_url, "pass_url": pass_url, "api_key": "key", "secret": SECRET, **rest})


def test_a_token_is_backdated_and_short() -> None:
    made = authorization(own(), NOW)
    assert claims(made) == {"uid": "key", "iat": NOW - 10, "exp": NOW + 30}
    assert jwt.get_unverified_header(made) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("secret", ["s", "short", "x" * 32, "x" * 64, "x" * 200, "geheim-äöü"])
@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_secrets_of_any_length_sign_as_they_are(secret: str) -> None:
    made = authorization(own(secret=secret), NOW)
    assert claims(made, secret)["uid"] == "key"
    assert made == jwt.encode(claims(made, secret), secret, algorithm="HS256")


@pytest.mark.filterwarnings("error")
def test_a_short_secret_is_not_warned_of() -> None:
    authorization(own(secret="short"), NOW)


def test_a_long_lived_token_is_sent_as_it_is() -> None:
    assert authorization(own(api_key="", secret="", long_lived_token="opaque"), NOW) == "Bearer opaque"


def test_an_account_may_have_a_domain_of_its_own_for_its_pages() -> None:
    assert own(pass_url="https://cards.example.com/").pass_url == "https://cards.example.com"


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
    with pytest.raises(InvalidCredentials) as caught:
        own(**wrong)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    assert own(pass_url=f"http://{host}").pass_url == f"http://{host}"
