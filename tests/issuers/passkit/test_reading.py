"""Passes and subscriptions as PassKit has them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.errors import UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable, ValidationFailed
from app.issuers.remote import Notification
from app.model import InstallState, Kind, Pass, Status, Ticket
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.issuers.passkit.conftest import Account, later

every_kind = pytest.mark.parametrize("kind", list(Kind))
GET = "GET /members/member/id/{id}"


def read(account: Account, subject: Pass) -> Pass | None:
    program = next(one for one in account.programs.values() if one.id == subject.program_id)
    return account.issuer.read(program, subject)


@every_kind
def test_a_pass_that_is_as_we_know_it_is_the_same_object(account: Account, kind: Kind) -> None:
    made = account.make(kind, external_id="c-1", holder={"first_name": "Ada", "email": "Ada@example.com"})
    made = read(account, made) or made
    assert read(account, made) is made


def test_everything_of_a_member_is_read(account: Account) -> None:
    made = account.make(external_id="c-1", points=Decimal(3))
    account.record(made).update(
        tierId=seed.GOLD, points=7.5, secondaryPoints=2.0, tierPoints=40, metaData={"a": "b", "empty": ""}
    )
    account.fake.install(str(made.upstream_id))
    found = read(account, made)
    assert found is not None
    assert (found.tier_id, found.points, found.tier_points) == (seed.GOLD, Decimal("7.5"), 40)
    assert (found.fields, found.install_state) == ({"a": "b"}, InstallState.INSTALLED)
    assert found.updated_at == account.clock()


def test_everything_of_a_ticket_is_read(account: Account) -> None:
    made = account.make(Kind.EVENT_TICKET, external_id="t-1")
    seat = {"section": "B", "row": "4", "seat": "17", "gate": "2"}
    account.record(made).update(orderNumber="o-1", seatInfo=seat)
    found = read(account, made)
    assert found is not None
    assert found.ticket == Ticket("o-1", "section B, row 4, seat 17", "Demo concert", "2026-12-20T19:00:00Z")


@every_kind
def test_a_pass_is_found_by_the_callers_id(account: Account, kind: Kind) -> None:
    made = account.make(kind, external_id="c-1", holder={"first_name": "Ada"})
    found = account.issuer.find(account.programs[kind], "c-1")
    assert found is not None
    assert (found.upstream_id, found.external_id, found.first_name) == (made.upstream_id, "c-1", "Ada")
    assert account.issuer.find(account.programs[kind], "nobody") is None


def test_an_id_that_cannot_be_asked_for_is_refused_by_its_name(account: Account) -> None:
    with pytest.raises(ValidationFailed, match="external_id: PassKit cannot be asked"):
        account.issuer.find(account.programs[Kind.MEMBERSHIP], "a/b")
    assert account.issuer.find(account.programs[Kind.EVENT_TICKET], "a/b") is None


@every_kind
def test_a_record_that_is_gone_is_none(account: Account, kind: Kind) -> None:
    account.fake.switches.voided_coupons_stay = False
    made = account.make(kind)
    for table in account.fake.state.passes.values():
        if table.get(str(made.upstream_id)):
            table.remove(str(made.upstream_id))
    assert read(account, made) is None
    assert account.issuer.read_new(account.programs[kind], str(made.upstream_id)) is None


@every_kind
def test_where_the_program_is_not_known_either_nothing_is_gone(account: Account, kind: Kind) -> None:
    made = account.make(kind)
    with account.fake.other_region().running() as other:
        access = account.access()
        elsewhere = replace(access, target=replace(access.target, base_url=other.url))
        issuer = account.kind.open(elsewhere, account.clock(), 40.0)
        with pytest.raises(UpstreamRejected, match="another region or account"):
            issuer.read(account.programs[kind], made)
        with pytest.raises(UpstreamRejected, match="another region or account"):
            issuer.find(account.programs[kind], "c-1")


def test_a_404_of_something_on_the_way_is_not_gone(account: Account) -> None:
    made = account.make()
    account.fake.fail("status", GET, status=404, body="<html>not here</html>")
    with pytest.raises(UpstreamRejected):
        read(account, made)


def test_an_answer_about_another_record_is_not_believed(account: Account) -> None:
    made, other = account.make(), account.make(external_id="c-2")
    account.fake.fail("another_record", GET, record_id=other.upstream_id)
    with pytest.raises(UpstreamUnavailable, match="another record"):
        read(account, made)


def test_a_pass_of_another_program_is_not_ours(account: Account) -> None:
    made = account.make()
    program = replace(account.programs[Kind.MEMBERSHIP], upstream_id="demoProgram00000000002")
    assert account.issuer.read_new(program, str(made.upstream_id)) is None


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, UpstreamCredentialsRefused, "Copy both again"),
        (403, UpstreamRejected, r"does not let this connection do that \(GET /members/member/id/\{id\}\)"),
        (500, UpstreamRejected, "something broke"),
        (503, UpstreamUnavailable, "something broke"),
        (502, UpstreamUnavailable, "something broke"),
    ],
)
def test_a_read_that_fails_says_why(account: Account, status: int, error: type[Exception], words: str) -> None:
    made = account.make()
    account.fake.fail("status", GET, status=status, times=4, text="something broke")
    with pytest.raises(error, match=words):
        read(account, made)


# --- the life of a pass ---


def test_a_pass_that_has_expired_there_has_expired_here(account: Account) -> None:
    made = account.make()
    past = later(account, days=-1)
    account.record(made)["expiryDate"] = past.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = read(account, made)
    assert found is not None
    assert (found.status(account.clock()), found.expires_at) == (Status.EXPIRED, past)


def test_a_past_date_that_ends_nothing_does_not_have_a_pass_expire(account: Account) -> None:
    made = account.make(tier_id=seed.FOREVER)
    account.record(made)["expiryDate"] = "2026-11-01T00:00:00Z"
    found = read(account, made)
    assert found is None or found.status(account.clock()) is Status.ACTIVE


def test_a_coupon_that_was_voided_there_is_revoked_here(account: Account) -> None:
    made = account.make(Kind.COUPON)
    Client(account.fake).right("DELETE", "/coupon/singleUse/coupon", {"id": made.upstream_id})
    found = read(account, made)
    assert found is not None
    assert found.status(account.clock()) is Status.REVOKED


@pytest.mark.parametrize("kind", [Kind.COUPON, Kind.EVENT_TICKET])
def test_what_was_redeemed_there_is_redeemed_here(account: Account, kind: Kind) -> None:
    made = account.make(kind)
    account.record(made).update(status="REDEEMED", redemptionDetails={"redemptionDate": "2026-11-19T08:00:00Z"})
    found = read(account, made)
    assert found is not None
    assert found.redeemed_at is not None
    assert found.redeemed_at.day == 19


def test_a_card_whose_record_was_deleted_to_revoke_it_has_none_to_read(account: Account) -> None:
    revoked = replace(account.make(), upstream_id=None, revoked_at=account.clock())
    account.routes()
    assert read(account, revoked) is revoked
    assert account.routes() == []


# --- all passes ---


@every_kind
def test_all_passes_are_listed_page_by_page_the_first_made_first(account: Account, kind: Kind) -> None:
    made = []
    for number in range(7):
        account.fake.advance(seconds=1)
        made.append(account.make(kind, external_id=f"c-{number}", holder={"first_name": f"Ada {number}"}))
    program = account.programs[kind]
    pages = [account.issuer.passes(program, offset, 3, lambda _: None) for offset in (0, 3, 6, 9)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    found = [one for page in pages for one in page]
    assert [one.upstream_id for one in found] == [one.upstream_id for one in made]
    assert [(one.external_id, one.first_name) for one in found] == [(f"c-{n}", f"Ada {n}") for n in range(7)]
    assert {one.tier_id for one in found} == {program.tiers[0].id}


def test_passes_on_record_are_listed_as_they_are_read(account: Account) -> None:
    ours, other = account.make(external_id="c-1"), account.make(external_id="c-2")
    account.record(ours)["points"] = 7.0
    known = {ours.upstream_id: ours}
    found = account.issuer.passes(account.programs[Kind.MEMBERSHIP], 0, 9, known.get)
    assert [one.id == ours.id for one in found] == [True, False]
    assert (found[0].points, found[1].upstream_id) == (Decimal(7), other.upstream_id)


# --- subscriptions ---


@every_kind
def test_a_subscription_is_made_found_and_ended(account: Account, kind: Kind) -> None:
    program, url = account.programs[kind], "https://pass.example.com/in/passkit/token"
    subscription = account.issuer.subscribe(program, url)
    assert account.issuer.find_subscription(program, url) == subscription
    assert account.issuer.find_subscription(program, f"{url}-other") is None
    for _ in range(2):
        account.issuer.unsubscribe(program, subscription)
        assert account.issuer.find_subscription(program, url) is None


def test_a_subscription_whose_answer_was_lost_can_be_found(account: Account) -> None:
    program, url = account.programs[Kind.MEMBERSHIP], "https://pass.example.com/in/passkit/token"
    account.fake.fail("reset", "POST /integrations/sink", effect="first")
    with pytest.raises(Exception, match="did not say whether it happened"):
        account.issuer.subscribe(program, url)
    assert account.routes() == ["POST /integrations/sink"]
    assert account.issuer.find_subscription(program, url) is not None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"event": 4, "pass": {"id": "abc"}}', Notification("abc", is_deleted=False)),
        ('{"event": 32, "pass": {"id": "abc"}}', Notification("abc", is_deleted=True)),
        ('{"event": "PASS_EVENT_RECORD_DELETED", "pass": {"id": "abc"}}', Notification("abc", is_deleted=True)),
        ('{"pass": {"id": "abc"}}', Notification("abc", is_deleted=False)),
        ('{"event": [32], "pass": {"id": "abc"}}', Notification("abc", is_deleted=False)),
        ('{"event": 4, "pass": {"id": "../abc"}}', None),
        ('{"event": 4, "pass": {"id": 5}}', None),
        ('{"event": 4, "pass": "abc"}', None),
        ("[]", None),
        ("null", None),
        ("not JSON", None),
        ("[" * 100_000, None),
    ],
)
def test_a_webhook_is_read_leniently(account: Account, body: str, told: Notification | None) -> None:
    assert account.kind.notification(body) == told


def test_a_webhook_of_the_fake_is_understood(account: Account) -> None:
    account.fake.switches.hold_deliveries = True
    program = account.programs[Kind.MEMBERSHIP]
    account.issuer.subscribe(program, "https://pass.example.com/in/passkit/token")
    made = account.make()
    delivery = account.fake.deliveries._held[0]
    told = account.kind.notification(delivery.body.decode())
    assert told == Notification(str(made.upstream_id), is_deleted=False)
