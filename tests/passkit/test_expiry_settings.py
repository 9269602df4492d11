"""Ending cards at PassKit: "revoked" is said only of a card that is not valid any more, whatever its tier's settings.

A date ends no card of a tier that does not expire: PassKit keeps it as a soft date.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.answer import to_text
from app.operations import outcomes
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


def is_gone(joined: Joined, made: dict[str, Any]) -> bool:
    """Tell whether PassKit has no record of the card any more."""
    return all(table.get(upstream_id(made)) is None for table in joined.fake.state.passes.values())


def types(joined: Joined) -> list[str]:
    """Return the types of all events, oldest first."""
    return [one["type"] for one in reversed(joined.world.events())]


def never(joined: Joined) -> str:
    """Return the day that stands for no expiry at PassKit, which cannot take one away."""
    return (joined.world.clock() + timedelta(days=3652)).isoformat()[:10]


# --- a tier that does not expire, cards ended by their expiry ---


BODIES: dict[str, dict[str, Any]] = {"revoke-pass": {}, "update-pass": {"expires_at": "2026-11-01"}}
every_way = pytest.mark.parametrize("action", BODIES)


@every_way
def test_what_would_leave_the_card_valid_is_refused_and_taken_back(joined: Joined, action: str) -> None:
    made = lifetime(joined, expires_at=DATE)
    problem = refused(joined, action, {"pass_id": made["id"], **BODIES[action]}, 422, "upstream-rejected")
    assert "The tier Lifetime does not expire in PassKit" in problem["detail"]
    assert all(cure in problem["detail"] for cure in CURES)
    assert joined.routes().count(EXPIRY) == 2  # the end, and the date of before
    assert (is_valid(joined, made), date_of(joined, made)) == (True, DATE[:19])
    assert (stored(joined, made["id"])["status"], stored(joined, made["id"])["expires_at"]) == ("active", DATE)
    assert types(joined) == ["pass.created"]
    operation = joined.world.get(f"/v1/operations/{problem['operation_id']}").get_json()
    assert (operation["status"], operation["problem"]["code"]) == ("failed", "upstream-rejected")


@every_way
def test_a_card_without_a_date_gets_the_one_that_stands_for_none_and_that_alone_is_told(
    joined: Joined, action: str
) -> None:
    """PassKit cannot take a date away."""
    made = lifetime(joined)
    refused(joined, action, {"pass_id": made["id"], **BODIES[action]}, 422, "upstream-rejected")
    assert is_valid(joined, made)
    assert date_of(joined, made).startswith(never(joined))
    found = stored(joined, made["id"])
    assert (found["status"], found["expires_at"][:10]) == ("active", never(joined))
    assert types(joined) == ["pass.created", "pass.updated"]
    assert joined.world.events()[0]["data"]["changed"] == ["expires_at"]


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
    made = lifetime(joined, expires_at=DATE)
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


def test_what_was_done_before_stays_done_and_is_told_and_a_repeat_goes_on_after_it(joined: Joined) -> None:
    made = lifetime(joined, expires_at=DATE)
    body = {"pass_id": made["id"], "first_name": "Grace", "expires_at": "2026-11-01"}
    answer = joined.act("update-pass", body, idempotency_key="k-1")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "upstream-rejected")
    assert "Done before that: update holder." in answer.get_json()["detail"]
    operation = joined.world.get(f"/v1/operations/{answer.get_json()['operation_id']}").get_json()
    assert operation["effects"] == [
        {"effect": "update_holder", "is_done": True},
        {"effect": "set_expiry", "is_done": False},
    ]
    found = stored(joined, made["id"])
    assert (found["first_name"], found["expires_at"], found["status"]) == ("Grace", DATE, "active")
    assert date_of(joined, made) == DATE[:19]
    assert types(joined) == ["pass.created", "pass.updated"]
    joined.fake.switches.soft_dates_end_passes = True
    joined.routes()
    again = joined.act("update-pass", body, idempotency_key="k-1")
    assert (again.status_code, again.get_json()["status"]) == (200, "expired"), again.text
    assert again.get_json()["operation_id"] == operation["id"]
    assert again.get_json()["changed"] == ["first_name", "expires_at"]
    assert joined.routes() == [EXPIRY, MEMBER]
    assert types(joined) == ["pass.created", "pass.updated", "pass.updated"]


@pytest.mark.parametrize("is_asked_again", [True, False])
def test_a_process_that_dies_while_it_takes_back_leaves_the_rest_to_others(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, is_asked_again: bool
) -> None:
    made = lifetime(joined, expires_at=DATE)
    with monkeypatch.context() as patched:
        patched.setattr(outcomes, "_end_refused", dies)
        with pytest.raises(KeyboardInterrupt):
            joined.act("revoke-pass", {"pass_id": made["id"]}, idempotency_key="k-1")
    joined.world.clock.advance(minutes=5)
    if is_asked_again:
        again = joined.act("revoke-pass", {"pass_id": made["id"]}, idempotency_key="k-1")
        assert (again.status_code, again.get_json()["code"]) == (422, "upstream-rejected")
    else:
        assert resume_all(joined.world.service) == 1
    assert (is_valid(joined, made), date_of(joined, made)) == (True, DATE[:19])
    assert types(joined) == ["pass.created"]


def dies(*_: Any) -> None:
    raise KeyboardInterrupt


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
    revoked = done(joined, "revoke-pass", {"pass_id": made["id"]})
    assert joined.routes() == ["DELETE /members/member", MEMBER, "GET /members/program/{id}"]
    assert (revoked["status"], revoked["email"], revoked["points"]) == ("revoked", ADA["email"], 10)
    assert "The record was deleted at PassKit" in " ".join(revoked["notes"])
    assert is_gone(joined, made)
    refused(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 1}, 422, "not-applicable")
    again = done(joined, "reinstate-pass", {"pass_id": made["id"]})
    assert "its link has changed" in " ".join(again["notes"])
    assert (again["id"], again["status"], again["external_id"]) == (made["id"], "active", "c-1")
    assert (again["points"], again["tier_id"]) == (10, seed.FOREVER)
    assert again["qr_code_url"] == made["qr_code_url"]
    assert upstream_id(again) != upstream_id(made)
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
    # A coupon is voided, and can still be read.
    assert is_gone(joined, made) if kind != "coupon" else not is_valid(joined, made)
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
        assert is_gone(joined, made) if kind != "coupon" else not is_valid(joined, made)
        refused(joined, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")
        joined.world.clock.advance(seconds=1)  # events of several passes are listed in the order of their times
    assert types(joined) == ["pass.created", "pass.revoked"] * len(tiers)


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
def test_passkits_clock_counts_and_not_ours(joined: Joined, seconds: int) -> None:
    """Our clock is ahead, or behind: the card is over at PassKit when that is told."""
    joined.fake.switches.clock_offset = -seconds
    joined.fake.advance(seconds=-seconds)
    made = joined.make()
    assert done(joined, "revoke-pass", {"pass_id": made["id"]})["status"] == "revoked"
    assert not is_valid(joined, made)
    assert date_of(joined, made) <= to_text(joined.fake.state.now())[:19]
    assert done(joined, "reinstate-pass", {"pass_id": made["id"]})["status"] == "active"
    assert is_valid(joined, made)


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
