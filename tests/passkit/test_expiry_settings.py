"""Ending cards at PassKit: "revoked" is said only of a card that is not valid any more, whatever its tier's settings.

A date ends no card of a tier that does not expire: PassKit keeps it as a soft date.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.clock import to_text
from app.operations.resume import resume_all
from tests.fakes.passkit import seed
from tests.passkit.conftest import Joined, passkit_of, upstream_id
from tests.passkit.test_actions import ADA, done, every_kind, refused, stored, values
from tests.world import World

EXPIRY = "PUT /members/member/updateExpiry"
MEMBER = "GET /members/member/id/{id}"
DATE = "2027-12-31T00:00:00.000Z"
CURES = ("set the expiry of the tier", "ends_cards_by: delete", "permanent: true")
FAILURES: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500},
    {"kind": "reset"},
    {"kind": "html"},
)


@pytest.fixture(autouse=True)
def impatient(lonely: World) -> None:
    passkit_of(lonely).pool.sleep = lambda seconds: None


def lifetime(joined: Joined, **values: Any) -> dict[str, Any]:
    """Make a card of the tier that does not expire; what was asked for it is forgotten."""
    made = joined.make(tier_id=seed.FOREVER, **values)
    joined.routes()
    return made


def end_cards_by_deleting(joined: Joined) -> None:
    answer = joined.world.request("PATCH", "/v1/issuer", json={"ends_cards_by": "delete"})
    assert (answer.status_code, answer.get_json()["ends_cards_by"]) == (200, "delete")


def date_of(joined: Joined, made: dict[str, Any]) -> str:
    """Return the expiry date that a card has at PassKit, to the second."""
    return str(joined.record(made).get("expiryDate"))[:19]


def is_valid(joined: Joined, made: dict[str, Any]) -> bool:
    """Tell whether the card is valid at PassKit."""
    return bool(joined.record(made).get("passMetaData", {}).get("status") != "PASS_INVALIDATED")


def types(joined: Joined) -> list[str]:
    """Return the types of all events, oldest first."""
    return [one["type"] for one in reversed(joined.world.events())]


def never(joined: Joined) -> str:
    """Return the day that stands for no expiry at PassKit, which cannot take one away."""
    return (joined.world.clock() + timedelta(days=3652)).isoformat()[:10]


# --- a tier that does not expire, cards ended by their expiry ---


@pytest.mark.parametrize("before", [None, DATE])
def test_a_revoke_that_would_leave_the_card_valid_is_refused_and_taken_back(joined: Joined, before: str | None) -> None:
    made = lifetime(joined, **({} if before is None else {"expires_at": before}))
    problem = refused(joined, "revoke-pass", {"pass_id": made["id"]}, 422, "upstream-rejected")
    assert "The tier Lifetime does not expire in PassKit" in problem["detail"]
    assert all(cure in problem["detail"] for cure in CURES)
    assert joined.routes().count(EXPIRY) == 2  # the end, and the date of before
    assert is_valid(joined, made)
    assert date_of(joined, made).startswith(never(joined) if before is None else before[:19])
    assert stored(joined, made["id"])["status"] == "active"
    assert types(joined) == ["pass.created"]
    operation = joined.world.get(f"/v1/operations/{problem['operation_id']}").get_json()
    assert (operation["status"], operation["problem"]["code"]) == ("failed", "upstream-rejected")


def test_what_was_taken_back_frees_the_key(joined: Joined) -> None:
    made = lifetime(joined)
    body = {"pass_id": made["id"]}
    first = joined.act("revoke-pass", body, idempotency_key="k-1").get_json()
    assert first["code"] == "upstream-rejected"
    end_cards_by_deleting(joined)
    answer = joined.act("revoke-pass", body, idempotency_key="k-1")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "revoked")
    assert answer.get_json()["operation_id"] != first["operation_id"]


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: str(fault.get("status", fault["kind"])))
@pytest.mark.parametrize("is_asked_again", [True, False])
def test_taking_back_goes_on_until_it_is_done_and_the_refusal_is_told_once(
    joined: Joined, fault: dict[str, Any], is_asked_again: bool
) -> None:
    made, body = lifetime(joined, expires_at=DATE), {}
    body = {"pass_id": made["id"]}
    joined.fake.fail("delay", EXPIRY, effect="first")  # the end itself is set
    joined.fake.fail(**fault, route=EXPIRY, effect="never", times=100)
    answer = joined.act("revoke-pass", body, idempotency_key="k-1")
    assert (answer.status_code, answer.get_json()["code"]) == (504, "outcome-unknown"), answer.text
    assert date_of(joined, made) != DATE[:19]
    assert stored(joined, made["id"])["status"] == "active"
    joined.fake.faults.clear()
    joined.world.clock.advance(seconds=61)
    if is_asked_again:
        again = joined.act("revoke-pass", body, idempotency_key="k-1")
        assert (again.status_code, again.get_json()["code"]) == (422, "upstream-rejected"), again.text
        assert all(cure in again.get_json()["detail"] for cure in CURES)
    else:
        assert resume_all(joined.world.service) == 1
    operation = joined.world.get(f"/v1/operations/{answer.get_json()['operation_id']}").get_json()
    assert (operation["status"], operation["problem"]["code"]) == ("failed", "upstream-rejected")
    assert all(cure in operation["problem"]["detail"] for cure in CURES)
    assert (date_of(joined, made), is_valid(joined, made)) == (DATE[:19], True)
    assert stored(joined, made["id"])["expires_at"] == DATE
    assert types(joined) == ["pass.created"]
    assert resume_all(joined.world.service) == 0


def test_where_a_soft_date_ends_the_card_it_is_revoked(joined: Joined) -> None:
    joined.fake.switches.soft_dates_end_passes = True
    made = lifetime(joined)
    assert done(joined, "revoke-pass", {"pass_id": made["id"]})["status"] == "revoked"
    assert not is_valid(joined, made)
    assert types(joined) == ["pass.created", "pass.revoked"]


@pytest.mark.parametrize("before", [None, DATE])
def test_a_past_expiry_that_would_leave_the_card_valid_is_refused_and_taken_back(
    joined: Joined, before: str | None
) -> None:
    made = lifetime(joined, **({} if before is None else {"expires_at": before}))
    body = {"pass_id": made["id"], "expires_at": "2026-11-01"}
    problem = refused(joined, "update-pass", body, 422, "upstream-rejected")
    assert all(cure in problem["detail"] for cure in CURES)
    assert is_valid(joined, made)
    assert date_of(joined, made).startswith(never(joined) if before is None else before[:19])
    assert stored(joined, made["id"])["status"] == "active"
    assert types(joined) == ["pass.created"]


def test_what_was_done_before_a_past_expiry_was_refused_is_told(joined: Joined) -> None:
    made = lifetime(joined, expires_at=DATE)
    body = {"pass_id": made["id"], "first_name": "Grace", "expires_at": "2026-11-01"}
    problem = refused(joined, "update-pass", body, 422, "upstream-rejected")
    assert "Done before that: update holder" in problem["detail"]
    found = stored(joined, made["id"])
    assert (found["first_name"], found["expires_at"], found["status"]) == ("Grace", DATE, "active")
    assert date_of(joined, made) == DATE[:19]
    assert types(joined) == ["pass.created", "pass.updated"]


def test_an_expiry_to_come_is_a_soft_date_and_the_answer_says_so(joined: Joined) -> None:
    made = lifetime(joined)
    changed = done(joined, "update-pass", {"pass_id": made["id"], "expires_at": DATE})
    assert changed["expires_at"] == DATE
    assert changed["notes"] == ["This tier does not expire in PassKit: the card stays valid after this date."]


def test_a_card_whose_soft_date_has_passed_is_not_told_as_expired_by_a_revoke(joined: Joined) -> None:
    """Nothing can be put back: the date of before is past as well."""
    made = lifetime(joined, expires_at=to_text(joined.world.clock() + timedelta(days=1)))
    joined.world.clock.advance(days=2)
    refused(joined, "revoke-pass", {"pass_id": made["id"]}, 422, "upstream-rejected")
    assert "pass.revoked" not in types(joined)


# --- cards ended by deleting their records ---


def test_by_deleting_every_card_can_be_revoked_and_made_anew(joined: Joined) -> None:
    end_cards_by_deleting(joined)
    made = lifetime(joined, external_id="c-1", points=10, fields={"favouriteColour": "blue"}, **ADA)
    old = upstream_id(made)
    revoked = done(joined, "revoke-pass", {"pass_id": made["id"]})
    assert joined.routes() == ["DELETE /members/member", MEMBER, "GET /members/program/{id}"]
    assert (revoked["status"], revoked["email"], revoked["points"]) == ("revoked", ADA["email"], 10)
    assert "The record was deleted at PassKit" in " ".join(revoked["notes"])
    assert joined.fake.state.members.get(old) is None
    refused(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 1}, 422, "not-applicable")
    again = done(joined, "reinstate-pass", {"pass_id": made["id"]})
    assert "its link has changed" in " ".join(again["notes"])
    assert (again["id"], again["status"], again["external_id"]) == (made["id"], "active", "c-1")
    assert (again["points"], again["tier_id"]) == (10, seed.FOREVER)
    assert again["qr_code_url"] == made["qr_code_url"]
    assert upstream_id(again) != old
    record = joined.record(again)
    assert (record["externalId"], record["points"], record["tierId"]) == ("c-1", 10, seed.FOREVER)
    assert (record["person"]["forename"], record["metaData"]) == ("Ada", {"favouriteColour": "blue"})
    assert types(joined) == ["pass.created", "pass.revoked", "pass.reinstated"]
    assert done(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 5})["points"] == 15


@every_kind
def test_by_deleting_a_card_of_every_kind_is_revoked(joined: Joined, kind: str) -> None:
    end_cards_by_deleting(joined)
    made = joined.make(kind, external_id="c-1", **values(joined, kind))
    assert done(joined, "revoke-pass", {"pass_id": made["id"]})["status"] == "revoked"
    if kind == "coupon":  # it is voided, and can still be read
        assert not is_valid(joined, made)
    else:
        assert all(one.get("id") != upstream_id(made) for one in joined.fake.state.members)
    assert types(joined) == ["pass.created", "pass.revoked"]


@pytest.mark.parametrize("is_done", [True, False])
def test_a_lost_answer_when_a_card_is_made_anew_makes_it_once(joined: Joined, is_done: bool) -> None:
    end_cards_by_deleting(joined)
    made = lifetime(joined, external_id="c-1", points=10)
    done(joined, "revoke-pass", {"pass_id": made["id"]})
    joined.fake.fail("reset", "POST /members/member", effect="first" if is_done else "never", times=9)
    answer = joined.act("reinstate-pass", {"pass_id": made["id"]}, idempotency_key="k-1")
    joined.fake.faults.clear()
    if not is_done:
        assert answer.get_json()["code"] == "outcome-unknown"
        joined.world.clock.advance(seconds=61)
        answer = joined.act("reinstate-pass", {"pass_id": made["id"]}, idempotency_key="k-1")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "active"), answer.text
    assert len([one for one in joined.fake.state.members if one["externalId"] == "c-1"]) == 1
    assert joined.record(answer.get_json())["points"] == 10


# --- for good ---


@every_kind
@pytest.mark.parametrize("by", ["expiry", "delete"])
def test_for_good_works_everywhere(joined: Joined, kind: str, by: str) -> None:
    tiers = [tier["id"] for tier in joined.programs[kind]["tiers"]]
    assert joined.world.request("PATCH", "/v1/issuer", json={"ends_cards_by": by}).status_code == 200
    for tier_id in tiers:
        made = joined.make(kind, tier_id=tier_id)
        gone = done(joined, "revoke-pass", {"pass_id": made["id"], "permanent": True})
        assert gone["status"] == "revoked"
        refused(joined, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert types(joined) == ["pass.created", "pass.revoked"] * len(tiers)
    assert list(joined.fake.state.members) == []


# --- a tier whose cards end by a date of their own ---


def test_after_a_revoke_the_record_is_read_back(joined: Joined) -> None:
    made = joined.make()
    joined.routes()
    revoked = done(joined, "revoke-pass", {"pass_id": made["id"]})
    assert joined.routes() == [EXPIRY, MEMBER]
    assert not is_valid(joined, made)
    assert revoked["notes"] == [
        "PassKit deletes the record 90 days after a card has ended; until then it can be reinstated."
    ]
    [told] = joined.world.events(type="pass.revoked")
    assert told["data"]["notes"] == revoked["notes"]


@pytest.mark.parametrize("seconds", [90, 600, -90])
@pytest.mark.parametrize("action", ["revoke-pass", "update-pass"])
def test_passkits_clock_counts_and_not_ours(joined: Joined, seconds: int, action: str) -> None:
    """Our clock is ahead, or behind: the card is over at PassKit when that is told."""
    joined.fake.switches.clock_offset = -seconds
    joined.fake.advance(seconds=-seconds)
    made = joined.make()
    more = {"expires_at": to_text(joined.world.clock() - timedelta(seconds=1))} if action == "update-pass" else {}
    if action == "update-pass":
        joined.world.clock.advance(seconds=2)
    changed = done(joined, action, {"pass_id": made["id"], **more})
    assert changed["status"] == ("revoked" if action == "revoke-pass" else "expired")
    assert not is_valid(joined, made)
    assert date_of(joined, made) <= to_text(joined.fake.state.now())[:19]


def test_after_the_days_that_passkit_keeps_records_a_revoked_card_cannot_come_back(joined: Joined) -> None:
    made = joined.make(external_id="c-1", **ADA)
    done(joined, "revoke-pass", {"pass_id": made["id"]})
    joined.world.clock.advance(days=91)
    problem = refused(joined, "reinstate-pass", {"pass_id": made["id"]}, 422, "upstream-rejected")
    assert "Create a new one" in problem["detail"]
    assert stored(joined, made["id"])["email"] is None
    assert joined.make(external_id="c-1")["created"] is True


def test_a_date_that_passkit_computes_is_read_and_a_given_one_is_told_not_to_count(joined: Joined) -> None:
    tier = joined.fake.state.tiers.get(f"{seed.PROGRAM}/{seed.BRONZE}")
    assert tier is not None
    tier["expirySettings"] = {"expiryType": "EXPIRE_AFTER_X_DAYS", "expireAfterXDays": 30}
    joined.world.clock.advance(minutes=2)
    joined.world.get("/v1/programs")
    in_a_month = to_text(joined.world.clock() + timedelta(days=30))
    made = joined.make()
    assert (made["expires_at"], made["notes"]) == (in_a_month, [])
    made = joined.make(expires_at=DATE)
    assert made["expires_at"] == in_a_month
    assert made["notes"] == [
        "PassKit computes when cards of this tier expire; the expires_at that was given does not count."
    ]
    assert done(joined, "revoke-pass", {"pass_id": made["id"]})["status"] == "revoked"


# --- told beforehand ---


def test_program_and_issuer_say_beforehand_which_cards_a_date_does_not_end(joined: Joined) -> None:
    program = joined.world.get(f"/v1/programs/{joined.program_id()}").get_json()
    told = [note for note in program["notes"] if "Lifetime do not expire in PassKit" in note]
    assert len(told) == 1
    assert "ends_cards_by: delete" in told[0]
    assert "permanent: true" in told[0]
    assert any("PassKit deletes the record of a pass 90 days after" in note for note in program["notes"])
    issuer = joined.world.get("/v1/issuer").get_json()
    assert issuer["ends_cards_by"] == "expiry"
    assert f"{program['name']}: {told[0]}" in issuer["notes"]
    coupon = joined.world.get(f"/v1/programs/{joined.program_id('coupon')}").get_json()
    assert any("A free coffee decide when their coupons expire" in note for note in coupon["notes"])
