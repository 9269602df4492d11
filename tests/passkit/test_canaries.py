"""Twenty canaries go in wherever something secret or personal can be; none is in a log, a problem or a key's place."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.passkit.conftest import Joined, target_of
from tests.world import World

pytestmark = pytest.mark.only_sqlite

SECRETS = {
    "api_key": "canary-01-api-key",
    "secret": "canary-02-secret-that-is-long-enough",
    "body_key": "canary-03-api-key",
    "body_secret": "canary-04-api-secret",
    "token": "canary-05-long-lived-token",
}
HOLDER: dict[str, Any] = {
    "email": "canary-06@example.com",
    "first_name": "canary-07",
    "last_name": "canary-08",
    "phone": "+4912345000009",
    "fields": {"favouriteColour": "canary-10"},
}
OTHERS = {
    "reason": "canary-11",
    "reference": "canary-12",
    "text": "canary-13@example.com",
    "upstream": "Authorization: Bearer canary-14-aaaaaaaa",
    "webhook": "canary-15",
    "hook_token": "canary-16",
    "hook_mail": "canary-17@example.com",
    "new_mail": "canary-18@example.com",
    "new_phone": "+4912345000019",
    "new_name": "canary-20",
}
CANARIES = (*SECRETS.values(), *HOLDER.values(), *OTHERS.values())
NEVER_STORED = ("canary-01", "canary-02", "canary-03", "canary-04", "canary-05", "canary-14", "canary-16")


def play(world: World, joined: Joined) -> list[str]:
    """Do what has canaries in it, well and badly; return what was refused, as text."""
    refused: list[str] = []

    def keep(answer: Any) -> Any:
        if answer.status_code >= 400:
            refused.append(answer.text)
        return answer

    body = {"issuer": "passkit", "region": "pub1"}
    wrong = joined.fake
    key = {"api_key": SECRETS["body_key"], "api_secret": SECRETS["body_secret"]}
    keep(world.request("PUT", "/v1/issuer", json={**body, **key, "api_secret": None}))
    keep(world.request("PUT", "/v1/issuer", json={**body, "region": "x", "long_lived_token": SECRETS["token"]}))
    made = joined.make(external_id="c-1", points=5, **HOLDER)
    member = {"pass_id": made["id"]}
    faults: tuple[dict[str, Any], ...] = (
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 500},
        {"kind": "reset"},
    )
    for fault in faults:
        text = f"{OTHERS['text']} {OTHERS['upstream']} {SECRETS['secret']} {SECRETS['api_key']}"
        wrong.fail(fault.pop("kind"), "PUT /members/member/points/earn", text=text, **fault)
        keep(joined.act("update-points", {**member, "change": "add", "points": 1, "reason": OTHERS["reason"]}))
    coupon = joined.make("coupon")
    keep(joined.act("redeem-pass", {"pass_id": coupon["id"], "reference": OTHERS["reference"]}))
    changes = {"email": OTHERS["new_mail"], "phone": OTHERS["new_phone"], "first_name": OTHERS["new_name"]}
    wrong.fail("status", "PUT /members/member", status=400, text=f"bad {OTHERS['new_mail']}")
    keep(joined.act("update-pass", {**member, **changes}))
    keep(joined.act("update-pass", {**member, **changes}))
    world.client.post(f"/in/passkit/{OTHERS['hook_token']}", json={"mail": OTHERS["hook_mail"], "x": OTHERS["webhook"]})
    return refused


def test_no_canary_gets_out(lonely: World, fake: Any, caplog: Any, capsys: Any) -> None:
    from tests.passkit.conftest import join

    fake.credentials.key, fake.credentials.secret = SECRETS["api_key"], SECRETS["secret"]
    assert target_of(fake).secrets["secret"] == SECRETS["secret"]
    with caplog.at_level(logging.DEBUG):
        joined = join(lonely, fake)
        refused = play(lonely, joined)
    printed = capsys.readouterr()
    assert "/v1/actions/update-points" in printed.out
    assert len(refused) >= 5
    shown = {"problems": "\n".join(refused), "logs": printed.out + printed.err}
    for canary in CANARIES:
        words = [canary] if isinstance(canary, str) else list(canary.values())
        for word in words:
            secret = word.removeprefix("Authorization: Bearer ")
            found = [place for place, text in shown.items() if secret in text]
            assert not found, (word, found)
    service = lonely.service
    database = b"".join(path.read_bytes() for path in Path(service.settings.data_dir).glob("passrail.db*"))
    assert [one for one in NEVER_STORED if one.encode() in database] == []


def test_there_are_twenty() -> None:
    assert len(CANARIES) == 20


@pytest.mark.parametrize("place", ["/v1/issuer", "/v1/me", "/v1/programs"])
def test_no_answer_shows_credentials(joined: Joined, place: str) -> None:
    text = joined.world.get(place).text
    assert joined.fake.credentials.secret not in text
    assert joined.fake.credentials.key not in text
