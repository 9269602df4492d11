"""The plain values: what follows from the facts of a pass, and how things are named."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app import answer
from app.answer import to_text
from app.demo import demo_programs
from app.model import (
    ID_PATTERN,
    IdKind,
    Kind,
    Mode,
    Pass,
    Status,
    first_event_id,
    new_event_id,
    new_id,
    new_link_token,
    system_clock,
)

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PLAIN = Pass(
    id="pass_1",
    account_id="acct_1",
    mode=Mode.TEST,
    issuer="builtin",
    program_id="prog_1",
    tier_id="tier_1",
    link_token="token",
    created_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ("", Status.ACTIVE),
        ("expired", Status.EXPIRED),
        ("redeemed", Status.REDEEMED),
        ("redeemed expired", Status.REDEEMED),
        ("revoked", Status.REVOKED),
        ("revoked expired", Status.REVOKED),
        ("revoked redeemed", Status.REVOKED),
        ("revoked redeemed expired", Status.REVOKED),
    ],
)
def test_revoked_wins_over_redeemed_over_expired(facts: str, status: Status) -> None:
    one = replace(
        PLAIN,
        revoked_at=NOW if "revoked" in facts else None,
        redeemed_at=NOW if "redeemed" in facts else None,
        expires_at=NOW if "expired" in facts else None,
    )
    assert one.status(NOW) is status


def test_a_pass_expires_at_its_expiry_and_not_a_moment_before() -> None:
    one = replace(PLAIN, expires_at=NOW)
    assert one.status(NOW - timedelta(milliseconds=1)) is Status.ACTIVE
    assert one.status(NOW) is Status.EXPIRED


def test_a_kind_reads_well_in_a_sentence() -> None:
    assert [kind.words for kind in Kind] == ["membership", "coupon", "event ticket"]


def test_a_program_knows_its_tiers() -> None:
    program = demo_programs("acct_1", NOW)[0]
    silver = program.tier("tier_demo_silver")
    assert silver is not None
    assert silver.name == "Silver"
    assert program.tier("tier_nowhere") is None


def test_ids_made_one_after_another_sort_in_that_order() -> None:
    made = [new_id(IdKind.PASS) for _ in range(2000)]
    assert len(set(made)) == 2000
    assert made == sorted(made)
    assert all(re.fullmatch(r"pass_[0-9a-f]{32}", one) and re.fullmatch(ID_PATTERN, one) for one in made)


def test_an_id_begins_with_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = int(new_id(IdKind.EVENT).removeprefix("evt_")[:12], 16)
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_the_end_of_an_id_cannot_be_foretold() -> None:
    ends = {new_id(IdKind.PASS)[-17:] for _ in range(2000)}
    assert len(ends) == 2000
    assert all({end[place] for end in ends} == set("0123456789abcdef") for place in range(17))


def test_link_tokens_are_unguessable_and_safe_in_an_address() -> None:
    tokens = {new_link_token() for _ in range(2000)}
    assert len(tokens) == 2000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token) for token in tokens)


def test_the_address_of_a_pass_is_made_of_its_token() -> None:
    assert answer.pass_url("https://pass.example.com", "abc") == "https://pass.example.com/p/abc"
    assert answer.qr_code_url("https://pass.example.com", "abc") == "https://pass.example.com/p/abc/qr.png"


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (NOW, "2026-11-20T09:30:00.000Z"),
        (NOW + timedelta(microseconds=123999), "2026-11-20T09:30:00.123Z"),
        (NOW.astimezone(timezone(timedelta(hours=-5))), "2026-11-20T09:30:00.000Z"),
    ],
)
def test_instants_are_written_in_one_form(instant: datetime, text: str) -> None:
    assert to_text(instant) == text


def test_the_clock_is_utc_in_whole_milliseconds() -> None:
    now = system_clock()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert abs(now.timestamp() - time.time()) < 5


def test_ids_of_events_are_in_the_order_of_their_times_and_then_of_their_making() -> None:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    made = [new_event_id(at + timedelta(milliseconds=number // 100)) for number in range(300)]
    assert all(re.fullmatch("evt_[0-9a-f]{32}", one) for one in made)
    assert [one[:26] for one in made] == sorted(one[:26] for one in made)
    assert len(set(made)) == 300
    assert first_event_id(at) < made[0] < first_event_id(at + timedelta(milliseconds=1)) < made[100]
