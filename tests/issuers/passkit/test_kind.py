"""PassKit for one process: connecting, and what the requests of one connection share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.errors import PassrailError, UpstreamCredentialsRefused, UpstreamUnavailable, ValidationFailed
from app.issuers.passkit import PassKit
from app.issuers.remote import Target
from app.settings import Settings
from tests.issuers.passkit.conftest import Account
from tests.world import FakeClock

SECRETS = {"api_key": "key", "secret": "secret"}


@pytest.fixture
def passkit() -> Iterator[PassKit]:
    made = PassKit(Settings(), FakeClock())
    yield made
    made.close()


# --- addresses ---


def test_a_region_says_where_to_call(passkit: PassKit) -> None:
    for region in ("pub1", "pub2"):
        whole = passkit.complete(Target(region=region, secrets=SECRETS))
        assert whole.base_url == f"https://api.{region}.passkit.io"
        assert whole.pass_url == f"https://{region}.pskt.io"


def test_an_operator_may_choose_other_addresses(passkit: PassKit) -> None:
    target = Target(
        region="pub1", secrets=SECRETS, base_url="http://127.0.0.1:80/", pass_url="https://cards.example.com/"
    )
    whole = passkit.complete(target)
    assert (whole.base_url, whole.pass_url) == ("http://127.0.0.1:80", "https://cards.example.com")


@pytest.mark.parametrize(
    "target",
    [
        Target(region="pub9", secrets=SECRETS),
        Target(region="pub1", secrets={}),
        Target(region="pub1", secrets={"api_key": "key"}),
        Target(region="pub1", secrets={**SECRETS, "long_lived_token": "x"}),
        Target(region="pub1", secrets=SECRETS, base_url="http://api.example.com"),
    ],
)
def test_what_cannot_be_used_is_refused(passkit: PassKit, target: Target) -> None:
    with pytest.raises(ValidationFailed):
        passkit.complete(target)


@pytest.mark.parametrize(
    ("public_url", "base_url", "can"),
    [
        ("https://pass.example.com", "https://api.pub1.passkit.io", True),
        ("http://pass.example.com", "https://api.pub1.passkit.io", False),
        ("http://localhost:8000", "https://api.pub1.passkit.io", False),
        ("http://localhost:8000", "http://127.0.0.1:8080", True),
    ],
)
def test_webhooks_need_an_address_that_passkit_can_reach(
    passkit: PassKit, public_url: str, base_url: str, can: bool
) -> None:
    assert passkit.can_reach(public_url, base_url) is can


# --- what is shared ---


def test_the_requests_of_a_connection_share_a_state(account: Account) -> None:
    state = account.issuer.transport._state
    assert account.issuer.transport._state is state
    other = replace(account.access(), name="acct_2/test")
    assert account.kind.open(other, account.clock(), 40.0).transport._state is not state


def test_other_secrets_or_another_host_begin_anew(account: Account) -> None:
    """What the old host's clock taught may be wrong for a new one, and old secrets are not kept."""
    access = account.access()
    state = account.issuer.transport._state
    state.clock_offset = 90.0
    for target in (
        replace(access.target, base_url="http://127.0.0.1:1"),
        replace(access.target, secrets={**access.target.secrets, "secret": "another"}),
    ):
        made = account.kind.open(replace(access, target=target), account.clock(), 40.0).transport._state
        assert made is not state
        assert made.clock_offset == 0.0
    assert account.issuer.transport._state is not state


def test_a_setting_says_how_many_requests_are_under_way_at_once() -> None:
    assert PassKit(Settings(passkit_at_once=3), FakeClock()).pool.at_once == 3


# --- proving credentials ---


def failing(account: Account, **secrets: str) -> PassrailError:
    with pytest.raises(PassrailError) as caught:
        account.kind.open(account.access(**secrets), account.clock(), 40.0).profile()
    return caught.value


def test_a_profile_says_whose_credentials_these_are(account: Account) -> None:
    profile = account.issuer.profile()
    assert (profile.company, profile.username) == ("Passrail Demo", "demo")
    assert account.routes() == ["GET /user/profile", "POST /projects/list"]


@pytest.mark.parametrize("wrong", [{"api_key": "wrong"}, {"secret": "wrong"}])
def test_a_wrong_key_or_secret_is_told(account: Account, wrong: dict[str, str]) -> None:
    error = failing(account, **{**account.access().target.secrets, **wrong})
    assert isinstance(error, UpstreamCredentialsRefused)
    assert "Copy both again from app" in error.detail


def test_a_wrong_token_is_told_as_one(account: Account) -> None:
    error = failing(account, long_lived_token="wrong")
    assert isinstance(error, UpstreamCredentialsRefused)
    assert "refuses the long-lived token" in error.detail
    assert "secret" not in error.detail


def test_a_token_that_has_expired_is_told_as_that(account: Account) -> None:
    account.fake.credentials.long_lived_tokens.add("opaque")
    issuer = account.kind.open(account.access(long_lived_token="opaque"), account.clock(), 40.0)
    issuer.profile()
    account.fake.switches.requests_until_expiry = 0
    with pytest.raises(UpstreamCredentialsRefused, match=r"has expired\. Make a new one in PassKit's portal"):
        issuer.profile()


def test_the_wrong_region_is_named(account: Account) -> None:
    access = account.access()
    wrong = replace(access, target=replace(access.target, region="pub2"))
    with pytest.raises(UpstreamCredentialsRefused, match=r"not in the region pub2. Connect with the region pub1 .EU"):
        account.kind.open(wrong, account.clock(), 40.0).profile()


def test_a_region_that_knows_nothing_is_the_wrong_one(account: Account) -> None:
    account.fake.fail("status", "POST /projects/list", status=404, text="company with id[x] does not exist")
    assert "Connect with the region pub2 (USA)" in failing(account).detail


def test_a_clock_that_cannot_be_set_right_is_told(account: Account) -> None:
    account.fake.fail("status", "GET /user/profile", status=401, text="Token used before issued", times=2)
    assert "clock of this server is wrong" in failing(account).detail


def test_a_passkit_that_is_away_is_told_as_such(account: Account) -> None:
    account.fake.fail("status", "GET /user/profile", status=503, times=4)
    assert isinstance(failing(account), UpstreamUnavailable)


@pytest.mark.parametrize("offset", [300, -300])
def test_a_clock_that_is_wrong_by_minutes_costs_one_try(account: Account, offset: float) -> None:
    account.fake.switches.clock_offset = offset
    account.issuer.profile()
    account.issuer.profile()
    assert [one.status for one in account.fake.requests] == [401, 200, 200, 200, 200]
