"""What each fault of PassKit comes to, for each effect, with and without the effect behind it.

Each cell: what is said first, what `settled` then finds, and that the effect is there exactly as often as was said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.effects import ChangeTier, Effect, Issue, Redeem, Reinstate, Revoke, SetExpiry, SetPoints, UpdateHolder
from app.errors import (
    OutcomeUnknown,
    PassrailError,
    RateLimited,
    UpstreamCredentialsRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.issuers.protocol import Done, NotDone, Refused, Unclear
from app.model import Kind, Pass
from app.operations.steps import perform
from tests.fakes.passkit import seed
from tests.issuers.passkit.conftest import Account, add
from tests.world import FakeClock

NOW = FakeClock().now


@dataclass(frozen=True)
class Write:
    """An effect, PassKit's route for it, and whether it is there."""

    name: str
    route: str
    effect: Effect
    is_there: Callable[[Account, Pass], bool]
    kind: Kind = Kind.MEMBERSHIP
    make: Callable[[Account], Pass] | None = None

    def subject(self, account: Account) -> Pass:
        """Make the pass it is about; what that did does not count."""
        subject = self._subject(account)
        account.fake.recording.effects.clear()
        return subject

    def _subject(self, account: Account) -> Pass:
        if isinstance(self.effect, Issue):
            return self.effect.make(account.programs[self.kind], account.clock())
        if self.make is not None:
            return self.make(account)
        return account.make(self.kind, external_id="c-0", holder={"first_name": "Ada"}, tier_id=TIERS[self.kind])


def points(account: Account, subject: Pass) -> Any:
    return account.record(subject).get("points", 0)


def members(account: Account, external_id: str) -> int:
    return sum(one.get("externalId") == external_id for one in account.fake.state.members)


def expiry(account: Account, subject: Pass) -> str:
    return str(account.record(subject).get("expiryDate"))


def revoked(account: Account) -> Pass:
    subject = account.make(external_id="c-0")
    outcome = account.do(Revoke(at=account.clock()), subject, id="revoke-1")
    assert isinstance(outcome, Done)
    return outcome.after


def is_redeemed(account: Account, subject: Pass) -> bool:
    return bool(account.record(subject).get("status") == "REDEEMED")


TIERS = {Kind.MEMBERSHIP: seed.BRONZE, Kind.COUPON: seed.OFFER_VARIABLE, Kind.EVENT_TICKET: seed.ADULT}
TOMORROW = NOW + timedelta(days=1)
DIED = "PASS_INVALIDATED"
WRITES = (
    Write(
        "issue",
        "POST /members/member",
        Issue(pass_id="pass_1", link_token="token", tier_id=seed.BRONZE, external_id="c-1"),
        lambda account, _: members(account, "c-1") == 1,
    ),
    Write(
        "issue without an external ID",
        "POST /members/member",
        Issue(pass_id="pass_1", link_token="token", tier_id=seed.BRONZE),
        lambda account, _: members(account, "passrail-step-1") == 1,
    ),
    Write(
        "update_holder",
        "PUT /members/member",
        UpdateHolder(holder={"first_name": "Grace"}),
        lambda account, subject: account.record(subject)["person"]["forename"] == "Grace",
    ),
    Write("earn", "PUT /members/member/points/earn", add("5"), lambda *at: points(*at) == 5),
    Write(
        "burn",
        "PUT /members/member/points/burn",
        add("-5", floor="0"),
        lambda *at: points(*at) == 5,
        make=lambda account: account.make(points=Decimal(10)),
    ),
    Write("set_points", "PUT /members/member/points/set", SetPoints(points=Decimal(7)), lambda *at: points(*at) == 7),
    Write(
        "change_tier",
        "PUT /members/member/tier",
        ChangeTier(tier_id=seed.GOLD),
        lambda account, subject: account.record(subject)["tierId"] == seed.GOLD,
    ),
    Write("redeem", "PUT /coupon/singleUse/coupon/redeem", Redeem(at=NOW), is_redeemed, Kind.COUPON),
    Write("redeem a ticket", "PUT /eventTickets/ticket/redeem", Redeem(at=NOW), is_redeemed, Kind.EVENT_TICKET),
    Write(
        "revoke",
        "PUT /members/member/updateExpiry",
        Revoke(at=NOW),
        lambda account, subject: account.record(subject)["passMetaData"].get("status") == DIED,
    ),
    Write(
        "revoke for good",
        "DELETE /members/member",
        Revoke(at=NOW, permanent=True),
        lambda account, _: members(account, "c-0") == 0,
    ),
    Write(
        "reinstate",
        "PUT /members/member/updateExpiry",
        Reinstate(expires_at=TOMORROW),
        lambda account, subject: account.record(subject)["passMetaData"].get("status") != DIED,
        make=revoked,
    ),
    Write(
        "set_expiry",
        "PUT /members/member/updateExpiry",
        SetExpiry(expires_at=TOMORROW),
        lambda *at: expiry(*at).startswith("2026-11-21"),
    ),
)
every_write = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
CHANGES = tuple(write for write in WRITES if not isinstance(write.effect, Issue))
every_change = pytest.mark.parametrize("write", CHANGES, ids=lambda write: write.name)

# What is told if it turns out that nothing was done.
ERRORS: dict[tuple[int, str | None], type[PassrailError]] = {
    (301, ""): UpstreamRejected,
    (400, None): UpstreamRejected,
    (401, None): UpstreamCredentialsRefused,
    (403, None): UpstreamRejected,
    (404, "<html>not found</html>"): UpstreamRejected,
    (404, None): UpstreamRejected,
    (409, None): UpstreamRejected,
    (429, None): RateLimited,
    (500, None): UpstreamRejected,
    (500, '{"error":""}'): UpstreamRejected,
    (500, "<html>oops</html>"): UpstreamRejected,
    (503, None): UpstreamUnavailable,
    (503, "<html>away</html>"): UpstreamUnavailable,
}


@pytest.mark.matrix("answer,has_effect", "write,has_effect")
@pytest.mark.parametrize("has_effect", [True, False], ids=["after", "instead"])
@pytest.mark.parametrize("answer", ERRORS, ids=str)
@every_write
def test_whatever_status_passkit_answers_with_its_record_decides(
    account: Account, write: Write, answer: tuple[int, str | None], has_effect: bool
) -> None:
    status, body = answer
    subject = write.subject(account)
    effect = "first" if has_effect else "never"
    account.fake.fail("status", write.route, effect=effect, status=status, body=body, text="something broke")
    outcome = account.do(write.effect, subject)
    assert isinstance(outcome, Unclear), outcome
    assert outcome.is_answered
    assert type(outcome.error) is ERRORS[answer]
    settled = account.settle(write.effect, subject, is_answered=True)
    if has_effect:
        assert isinstance(settled, Done), settled
    else:
        assert isinstance(settled, NotDone), settled
    assert write.is_there(account, subject) is has_effect
    assert account.fake.doubles == {}


# The fault, and whether the effect is behind it; what is cut is always an answer about something done.
SILENT = [
    ("reset", {}, True),
    ("reset", {}, False),
    ("cut", {}, True),
    ("truncated", {}, True),
    ("status", {"status": 502}, True),
    ("status", {"status": 502}, False),
    ("status", {"status": 504}, True),
    ("status", {"status": 504}, False),
]


@pytest.mark.matrix("fault,options,has_effect", "write,has_effect")
@pytest.mark.parametrize(("fault", "options", "has_effect"), SILENT)
@every_write
def test_an_answer_that_was_lost_is_found_out_about(
    account: Account, write: Write, fault: str, options: dict[str, Any], has_effect: bool
) -> None:
    subject = write.subject(account)
    account.fake.fail(fault, write.route, effect="first" if has_effect else "never", **options)
    outcome = account.do(write.effect, subject)
    account.fake.faults.clear()
    assert isinstance(outcome, Unclear), outcome
    assert not outcome.is_answered
    assert isinstance(outcome.error, OutcomeUnknown)
    early = account.settle(write.effect, subject)
    late = account.settle(write.effect, subject, tried_at=account.clock() - timedelta(seconds=60))
    if has_effect:
        assert (type(early), type(late)) == (Done, Done)
    else:
        assert isinstance(early, Unclear | NotDone)
        assert isinstance(late, NotDone)
    assert write.is_there(account, subject) is has_effect
    assert account.fake.doubles == {}


# What PassKit answers to these is an ID, or nothing, so that no more can be missing.
ANSWERS_MORE = ("earn", "burn", "set_points", "change_tier")


@pytest.mark.matrix
@pytest.mark.parametrize("fault", ["html", "wrong_type", "empty"])
@every_write
def test_an_answer_that_cannot_be_read_is_looked_into(account: Account, write: Write, fault: str) -> None:
    subject = write.subject(account)
    account.fake.fail(fault, write.route)
    found_out(account, write, subject)


@pytest.mark.parametrize(
    "write", [write for write in CHANGES if "for good" not in write.name], ids=lambda one: one.name
)
def test_an_answer_about_another_record_is_looked_into(account: Account, write: Write) -> None:
    subject = write.subject(account)
    other = account.make(write.kind, external_id="c-9")
    account.fake.fail("another_record", write.route, record_id=other.upstream_id)
    found_out(account, write, subject)


@pytest.mark.parametrize("write", [write for write in WRITES if write.name in ANSWERS_MORE], ids=lambda one: one.name)
def test_an_answer_without_what_it_must_have_is_looked_into(account: Account, write: Write) -> None:
    subject = write.subject(account)
    account.fake.fail("only_id", write.route)
    found_out(account, write, subject)


def found_out(account: Account, write: Write, subject: Pass) -> None:
    """Assert that an effect which is there is found, although its answer was not believed."""
    outcome = account.do(write.effect, subject)
    assert isinstance(outcome, Unclear), outcome
    assert outcome.is_answered
    assert isinstance(account.settle(write.effect, subject, is_answered=True), Done)
    assert write.is_there(account, subject)


KNOWN = {
    (400, "validation error: Key: 'Member.TierId' Error:Field validation for 'TierId' failed on the 'required' tag"),
    (400, "proto: syntax error (line 1:1): unexpected token"),
    (501, "Method Not Allowed"),
    (401, "signature is invalid"),
}


@pytest.mark.matrix
@pytest.mark.parametrize(("status", "text"), sorted(KNOWN))
@every_write
def test_a_refusal_that_is_known_is_one(account: Account, write: Write, status: int, text: str) -> None:
    subject = write.subject(account)
    account.fake.fail("status", write.route, status=status, text=text)
    outcome = account.do(write.effect, subject)
    assert isinstance(outcome, Refused), outcome
    assert not outcome.was_sent
    assert not outcome.is_gone
    assert not write.is_there(account, subject)


@every_write
def test_what_never_left_was_not_done(account: Account, write: Write) -> None:
    subject = write.subject(account)
    access = account.access()
    nowhere = replace(access, target=replace(access.target, base_url="http://127.0.0.1:1"))
    issuer = account.kind.open(nowhere, account.clock(), 40.0)

    outcome = perform(issuer, write.effect, account.step(subject))
    assert isinstance(outcome, Refused), outcome
    assert isinstance(outcome.error, UpstreamUnavailable)


@every_change
def test_a_record_that_is_gone_says_so(account: Account, write: Write) -> None:
    subject = write.subject(account)
    table = next(table for table in account.fake.state.passes.values() if table.get(str(subject.upstream_id)))
    table.remove(str(subject.upstream_id))
    for outcome in (account.do(write.effect, subject), account.settle(write.effect, subject)):
        if isinstance(write.effect, Revoke) and write.effect.permanent:
            assert isinstance(outcome, Done)
        else:
            assert isinstance(outcome, Refused), outcome
            assert outcome.is_gone
            assert "deleted there" in outcome.error.detail


@every_change
def test_in_another_region_nothing_is_called_gone(account: Account, write: Write) -> None:
    subject = write.subject(account)
    with account.fake.other_region().running() as other:
        access = account.access()
        elsewhere = replace(access, target=replace(access.target, base_url=other.url))
        issuer = account.kind.open(elsewhere, account.clock(), 40.0)

        outcome = perform(issuer, write.effect, account.step(subject))
        assert isinstance(outcome, Refused), outcome
        assert not outcome.is_gone
        assert "another region or account" in outcome.error.detail
        settled = issuer.settled(write.effect, replace(account.step(subject), tried_at=account.clock()))
        assert isinstance(settled, Unclear), settled


@pytest.mark.matrix
@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
@every_write
def test_what_cannot_be_found_out_stays_unclear(account: Account, write: Write, status: int) -> None:
    subject = write.subject(account)
    account.fake.fail("status", status=status, text="nothing to see", times=9)
    outcome = account.settle(write.effect, subject, is_answered=True)
    account.fake.faults.clear()
    assert isinstance(outcome, Unclear), outcome
