"""Every action on every kind of pass at a fake PassKit, which checks each request against PassKit's own description."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.answer import to_text
from app.operations.plan import issuer_id
from tests.fakes.passkit import seed
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, our_id, upstream_id

ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "phone": "+44 20 7946 0000"}
KINDS = ("membership", "coupon", "event_ticket")
every_kind = pytest.mark.parametrize("kind", KINDS)
CREATE = {
    "membership": "POST /members/member",
    "coupon": "POST /coupon/singleUse/coupon",
    "event_ticket": "POST /eventTickets/ticket",
}
EARN, BURN, SET = (f"PUT /members/member/points/{verb}" for verb in ("earn", "burn", "set"))
MEMBER = "GET /members/member/id/{id}"


def done(joined: Joined, action: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = joined.act(action, body, **options)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def refused(joined: Joined, action: str, body: dict[str, Any], status: int, code: str) -> dict[str, Any]:
    answer = joined.act(action, body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text
    problem: dict[str, Any] = answer.get_json()
    return problem


def own_id(joined: Joined, action: str, key: str | None, operation_id: str) -> str:
    """Return what stands at PassKit beside the only effect of an operation."""
    return issuer_id(operation_id) if key is None else our_id(joined, action, key)


def stored(joined: Joined, pass_id: str) -> dict[str, Any]:
    found: dict[str, Any] = joined.world.get(f"/v1/passes/{pass_id}").get_json()
    return found


def values(joined: Joined, kind: str) -> dict[str, Any]:
    """Return what a pass of this kind can be made from."""
    more: dict[str, Any] = {"tier_id": seed.OFFER_VARIABLE} if kind == "coupon" else {}
    if kind != "coupon":
        more["fields"] = {"favouriteColour": "blue"}
    return {**ADA, **more}


@every_kind
def test_create(joined: Joined, kind: str) -> None:
    made = joined.make(kind, external_id="c-1", **values(joined, kind))
    # A ticket tells only in its record which event it is for.
    assert joined.routes() == [CREATE[kind]] + ["GET /eventTickets/ticket/id/{id}"] * (kind == "event_ticket")
    assert (made["issuer"], made["created"], made["status"]) == ("passkit", True, "active")
    record = joined.record(made)
    assert record.get("externalId") == "c-1" or record["ticketNumber"] == "c-1"
    assert record["person"] == {
        "forename": "Ada",
        "surname": "Lovelace",
        "displayName": "Ada Lovelace",
        "emailAddress": "ada@example.com",
        "mobileNumber": "+442079460000",
    }
    page = f"https://pub1.pskt.io/{upstream_id(made)}"
    assert (made["pass_url"], made["apple_url"], made["google_url"]) == (page, f"{page}.pkpass", f"{page}.gpay")
    assert made["qr_code_url"].startswith("https://pass.example.com/p/")
    assert [one["type"] for one in joined.world.events()] == ["pass.created"]
    assert stored(joined, made["id"]) == {name: made[name] for name in stored(joined, made["id"])}


@every_kind
@pytest.mark.parametrize("key", [None, "k-1"])
def test_create_without_an_external_id_can_be_found_again_all_the_same(
    joined: Joined, kind: str, key: str | None
) -> None:
    made = done(joined, "create-pass", {"program_id": joined.program_id(kind)}, idempotency_key=key)
    assert made["external_id"] is None
    record = joined.record(made)
    expected = f"passrail-{own_id(joined, 'create-pass', key, made['operation_id'])}"
    assert (record.get("externalId") or record["ticketNumber"]) == expected


@every_kind
def test_create_again_returns_what_is_there(joined: Joined, kind: str) -> None:
    made = joined.make(kind, external_id="c-1", **values(joined, kind))
    again = joined.make(kind, external_id="c-1")
    assert (again["created"], again["id"]) == (False, made["id"])
    assert joined.fake.effects(CREATE[kind], "c-1") == 1


def enrolled_there(joined: Joined) -> str:
    """Make a member as PassKit's own pages do, and return PassKit's ID of it."""
    made = Client(joined.fake).enrol("c-7", points=40.0, person={"forename": "Grace", "emailAddress": "G@example.com"})
    joined.routes()
    return made


def test_create_of_what_was_made_at_passkit_takes_it_on_record(joined: Joined) -> None:
    member_id = enrolled_there(joined)
    again = joined.make(external_id="c-7")
    assert (again["created"], again["points"], again["first_name"]) == (False, 40, "Grace")
    assert upstream_id(again) == member_id
    assert joined.routes() == ["POST /members/member", "GET /members/member/externalId/{programId}/{externalId}"]
    assert joined.world.events() == []


def test_create_can_update_or_refuse_what_was_made_at_passkit(joined: Joined) -> None:
    enrolled_there(joined)
    body = {"program_id": joined.program_id(), "external_id": "c-7"}
    refused(joined, "create-pass", {**body, "if_exists": "error"}, 409, "duplicate")
    updated = done(joined, "create-pass", {**body, "if_exists": "update", "last_name": "Hopper"})
    assert updated["changed"] == ["last_name"]
    assert joined.record(updated)["person"]["surname"] == "Hopper"


def test_an_action_on_a_pass_made_at_passkit_finds_it(joined: Joined) -> None:
    enrolled_there(joined)
    body = {"program_id": joined.program_id(), "external_id": "c-7", "change": "add", "points": 5}
    changed = done(joined, "update-points", body)
    assert (changed["points"], changed["points_before"]) == (45, 40)
    refused(joined, "update-points", {**body, "external_id": "c-8"}, 404, "not-found")


@every_kind
def test_update(joined: Joined, kind: str) -> None:
    made = joined.make(kind, **values(joined, kind))
    later = to_text(joined.world.clock() + timedelta(days=60))
    body: dict[str, Any] = {"pass_id": made["id"], "first_name": "Grace", "expires_at": later}
    if kind != "coupon":
        body["fields"] = {"favouriteColour": "red"}
    changed = done(joined, "update-pass", body)
    assert set(changed["changed"]) == set(body) - {"pass_id", "fields"} | (
        {"fields.favouriteColour"} - set() if kind != "coupon" else set()
    )
    record = joined.record(made)
    assert (record["person"]["forename"], record["person"]["surname"]) == ("Grace", "Lovelace")
    assert record["expiryDate"] == later or record["expiryDate"] == later.replace(".000Z", "Z")
    if kind != "coupon":
        assert record["metaData"] == {"favouriteColour": "red"}
    assert joined.world.events()[0]["type"] == "pass.updated"


def test_update_leaves_what_others_wrote_into_the_record(joined: Joined) -> None:
    made = joined.make(fields={"favouriteColour": "blue"})
    joined.record(made)["metaData"]["other"] = "kept"
    done(joined, "update-pass", {"pass_id": made["id"], "fields": {"favouriteColour": "red"}})
    assert joined.record(made)["metaData"] == {"favouriteColour": "red", "other": "kept"}


@pytest.mark.parametrize("name", ["email", "first_name", "last_name", "phone"])
def test_what_passkit_cannot_take_away_is_refused_and_nothing_is_written(joined: Joined, name: str) -> None:
    made = joined.make(**ADA)
    before = dict(joined.record(made)["person"])
    joined.routes()
    body = {"pass_id": made["id"], "fields": {"favouriteColour": "red"}, name: None}
    problem = refused(joined, "update-pass", body, 422, "validation-failed")
    assert [one["field"] for one in problem["errors"]] == [name]
    assert "PassKit cannot take this value away" in problem["errors"][0]["message"]
    assert joined.routes() == [MEMBER]
    assert joined.record(made)["person"] == before
    assert stored(joined, made["id"])[name] == ADA[name].replace(" ", "")
    assert [one["type"] for one in joined.world.events()] == ["pass.created"]


def test_what_passkit_does_not_have_need_not_be_taken_away(joined: Joined) -> None:
    made = joined.make(first_name="Ada")
    changed = done(joined, "update-pass", {"pass_id": made["id"], "phone": None, "first_name": "Grace"})
    assert (changed["changed"], changed["phone"]) == (["first_name"], None)
    del joined.record(made)["person"]["forename"], joined.record(made)["person"]["displayName"]  # somebody at PassKit
    changed = done(joined, "update-pass", {"pass_id": made["id"], "first_name": None})
    assert changed["first_name"] is None


def test_an_expiry_that_the_offer_decides_is_refused(joined: Joined) -> None:
    fixed = joined.make("coupon", tier_id=seed.OFFER_FIXED)
    refused(joined, "update-pass", {"pass_id": fixed["id"], "expires_at": "2027-01-31"}, 422, "not-applicable")


def test_a_phone_number_without_country_code_is_left_out_and_the_rest_is_written(joined: Joined) -> None:
    made = joined.make(**ADA)
    changed = done(joined, "update-pass", {"pass_id": made["id"], "phone": "030 1234", "first_name": "Grace"})
    assert (changed["changed"], changed["phone"]) == (["first_name"], "+442079460000")
    assert "The phone number was left out" in " ".join(changed["notes"])
    person = joined.record(made)["person"]
    assert (person["forename"], person["mobileNumber"]) == ("Grace", "+442079460000")
    [told] = joined.world.events(type="pass.updated")
    assert (told["data"]["changed"], told["data"]["notes"]) == (["first_name"], changed["notes"])


def test_a_phone_number_alone_that_is_left_out_changes_nothing_and_says_so(joined: Joined) -> None:
    made = joined.make(**ADA)
    joined.routes()
    changed = done(joined, "update-pass", {"pass_id": made["id"], "phone": "030 1234"})
    assert (changed["changed"], len(changed["notes"])) == ([], 1)
    assert joined.routes() == [MEMBER]
    assert joined.world.events(type="pass.updated") == []


def test_points(joined: Joined) -> None:
    made = joined.make(external_id="c-1", points=100)
    joined.routes()
    added = done(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": "5.50"})
    assert (added["points"], added["points_before"], added["points_change"]) == (105.5, 100, 5.5)
    taken = done(joined, "update-points", {"pass_id": made["id"], "change": "subtract", "points": 100})
    assert (taken["points"], taken["points_before"], taken["points_change"]) == (5.5, 105.5, -100)
    assert joined.routes() == [EARN, BURN]
    for number in (7, 0):
        changed = done(joined, "update-points", {"pass_id": made["id"], "change": "set", "points": number})
        assert changed["points"] == number
        assert joined.routes() == [MEMBER, SET]
    assert joined.record(made)["points"] == 0
    assert {one["type"] for one in joined.world.events()} == {"pass.created", "points.changed"}
    body = {"pass_id": made["id"], "change": "subtract", "points": 1}
    refused(joined, "update-points", body, 422, "insufficient-points")
    problem = refused(joined, "update-points", {**body, "allow_negative": True}, 422, "insufficient-points")
    assert "Allow it in the tier's settings in PassKit's portal" in problem["detail"]


@pytest.mark.parametrize("key", [None, "k-1"])
@pytest.mark.parametrize(("change", "route"), [("add", EARN), ("subtract", BURN), ("set", SET)])
def test_our_id_stands_beside_the_points_at_passkit(joined: Joined, key: str | None, change: str, route: str) -> None:
    made = joined.make(points=10)
    body = {"pass_id": made["id"], "change": change, "points": 3}
    changed = done(joined, "update-points", body, idempotency_key=key)
    own = own_id(joined, "update-points", key, changed["operation_id"])
    assert joined.fake.effects(route, own) == 1
    assert (key or changed["operation_id"]) not in own


def test_points_that_are_set_already_are_looked_at_and_not_set(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.routes()
    body = {"pass_id": made["id"], "change": "set", "points": 10}
    assert done(joined, "update-points", body)["points_change"] == 0
    assert joined.routes() == [MEMBER]
    joined.record(made)["points"] = 500.0  # somebody at PassKit
    changed = done(joined, "update-points", body)
    assert (changed["points"], changed["points_before"], changed["points_change"]) == (10, 500, -490)


def test_a_refusal_frees_the_key(joined: Joined) -> None:
    made = joined.make(points=10)
    body = {"pass_id": made["id"], "change": "subtract", "points": 20}
    answer = joined.act("update-points", body, idempotency_key="k-1")
    assert answer.get_json()["code"] == "insufficient-points"
    joined.record(made)["points"] = 25.0  # somebody at PassKit
    other = done(joined, "update-points", {**body, "points": 15}, idempotency_key="k-1")
    assert (other["points"], other["points_before"]) == (10, 25)
    assert other["operation_id"] != answer.get_json()["operation_id"]


def test_what_passkit_certainly_refused_frees_the_key(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.fake.fail("status", BURN, status=500, body='{"error":"insufficient points","code":2}')
    body = {"pass_id": made["id"], "change": "subtract", "points": 5}
    joined.routes()
    answer = joined.act("update-points", body, idempotency_key="k-1")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "insufficient-points")
    assert joined.routes() == [BURN]  # there is nothing to find out
    again = done(joined, "update-points", {**body, "points": 4}, idempotency_key="k-1")
    assert (again["points"], again["operation_id"] != answer.get_json()["operation_id"]) == (6, True)


def test_points_that_somebody_else_gave_are_seen_before_anything_is_refused(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.record(made)["points"] = 500.0
    taken = done(joined, "update-points", {"pass_id": made["id"], "change": "subtract", "points": 100})
    assert (taken["points"], taken["points_before"]) == (400, 500)


def test_the_balance_before_is_passkits_not_ours(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.record(made)["points"] = 500.0
    added = done(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 1})
    assert (added["points"], added["points_before"], added["points_change"]) == (501, 500, 1)
    assert stored(joined, made["id"])["points"] == 501


@pytest.mark.parametrize("points", ["16777217", "1234567.89"])
def test_points_that_passkit_would_change_are_refused(joined: Joined, points: str) -> None:
    made = joined.make()
    refused(
        joined, "update-points", {"pass_id": made["id"], "change": "add", "points": points}, 422, "validation-failed"
    )


@pytest.mark.parametrize("kind", ["coupon", "event_ticket"])
def test_what_a_kind_does_not_have(joined: Joined, kind: str) -> None:
    made = joined.make(kind)
    tiers = [tier["id"] for tier in joined.programs[kind]["tiers"]]
    other = next(tier for tier in tiers if tier != made["tier_id"])
    body = {"pass_id": made["id"], "change": "add", "points": 1}
    refused(joined, "update-points", body, 422, "not-applicable")
    refused(joined, "change-tier", {"pass_id": made["id"], "tier_id": other}, 422, "not-applicable")


def test_tier(joined: Joined) -> None:
    made = joined.make()
    joined.routes()
    moved = done(joined, "change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD})
    assert (moved["tier_id"], moved["tier_name"], moved["tier_before"]) == (seed.GOLD, "Gold", seed.BRONZE)
    assert joined.routes() == ["GET /members/member/id/{id}", "PUT /members/member/tier"]
    assert joined.record(made)["tierId"] == seed.GOLD
    done(joined, "change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD})
    assert "PUT /members/member/tier" not in joined.routes()
    joined.record(made)["tierId"] = seed.SILVER  # somebody at PassKit
    done(joined, "change-tier", {"pass_id": made["id"], "tier_id": seed.GOLD})
    assert joined.record(made)["tierId"] == seed.GOLD


@pytest.mark.parametrize("key", [None, "k-1"])
@pytest.mark.parametrize("kind", ["coupon", "event_ticket"])
def test_redeem(joined: Joined, kind: str, key: str | None) -> None:
    made = joined.make(kind)
    body = {"pass_id": made["id"], "reference": "receipt-77", "amount": "49.90"}
    used = done(joined, "redeem-pass", body, idempotency_key=key)
    assert (used["status"], used["reference"], used["amount"]) == ("redeemed", "receipt-77", 49.9)
    details = joined.record(made)["redemptionDetails"]
    assert details["redemptionReference"] == own_id(joined, "redeem-pass", key, used["operation_id"])
    if kind == "coupon":
        assert (details["transactionReference"], details["transactionAmount"]) == ("receipt-77", 49.9)
    else:
        assert details["redemptionSource"] == "receipt-77"
    refused(joined, "redeem-pass", {"pass_id": made["id"]}, 409, "already-redeemed")


@pytest.mark.parametrize("kind", ["coupon", "event_ticket"])
def test_what_somebody_else_has_redeemed_is_refused(joined: Joined, kind: str) -> None:
    other = joined.make(kind)
    joined.record(other).update(status="REDEEMED", redemptionDetails={"redemptionReference": "till 4"})
    refused(joined, "redeem-pass", {"pass_id": other["id"]}, 409, "already-redeemed")


def test_a_membership_is_not_redeemed(joined: Joined) -> None:
    refused(joined, "redeem-pass", {"pass_id": joined.make()["id"]}, 422, "not-applicable")


@every_kind
def test_revoke_and_reinstate(joined: Joined, kind: str) -> None:
    made = joined.make(kind, **values(joined, kind))
    revoked = done(joined, "revoke-pass", {"pass_id": made["id"]})
    assert revoked["status"] == "revoked"
    joined.fake.advance(seconds=1)
    joined.world.clock.advance(seconds=1)
    assert joined.world.get(f"/v1/passes/{made['id']}").get_json()["status"] == "revoked"
    restored = done(joined, "reinstate-pass", {"pass_id": made["id"]})
    assert restored["status"] == "active"
    assert restored["expires_at"].startswith("2036-")
    assert joined.record(made).get("passMetaData", {}).get("status") != "PASS_INVALIDATED"
    assert [one["type"] for one in joined.world.events()][:2] == ["pass.reinstated", "pass.revoked"]


def test_reinstate_that_passkit_does_not_do_is_told(joined: Joined) -> None:
    joined.fake.switches.reactivation = False
    made = joined.make()
    done(joined, "revoke-pass", {"pass_id": made["id"]})
    joined.fake.record(upstream_id(made))
    refused(joined, "reinstate-pass", {"pass_id": made["id"]}, 422, "upstream-rejected")


def test_a_coupon_of_an_offer_with_its_own_end_is_only_revoked_for_good(joined: Joined) -> None:
    made = joined.make("coupon", tier_id=seed.OFFER_FIXED)
    problem = refused(joined, "revoke-pass", {"pass_id": made["id"]}, 422, "not-applicable")
    assert "permanent: true" in problem["detail"]


@every_kind
def test_revoke_for_good(joined: Joined, kind: str) -> None:
    made = joined.make(kind, external_id="c-1", **values(joined, kind))
    gone = done(joined, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    assert (gone["status"], gone["email"]) == ("revoked", None)
    refused(joined, "update-pass", {"pass_id": made["id"], "first_name": "X"}, 422, "not-applicable")
    if kind != "coupon":  # a voided coupon stays at PassKit with its external ID
        assert joined.make(kind, external_id="c-1")["created"] is True


def test_a_voided_coupon_keeps_its_external_id(joined: Joined) -> None:
    made = joined.make("coupon", external_id="c-1")
    done(joined, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    body = {"program_id": joined.program_id("coupon"), "external_id": "c-1"}
    refused(joined, "create-pass", body, 422, "not-applicable")


def test_what_was_deleted_at_passkit_can_be_revoked_for_good(joined: Joined) -> None:
    made = joined.make()
    joined.fake.state.members.remove(upstream_id(made))
    refused(joined, "update-points", {"pass_id": made["id"], "change": "add", "points": 1}, 422, "upstream-rejected")
    done(joined, "revoke-pass", {"pass_id": made["id"], "permanent": True})


def test_programs_of_our_own_work_beside(joined: Joined) -> None:
    made = joined.world.make_pass(external_id="c-1")
    assert made["issuer"] == "builtin"
    assert joined.routes() == []


def test_a_repeat_gets_the_stored_answer(joined: Joined) -> None:
    made = joined.make(points=10)
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    first = joined.act("update-points", body, idempotency_key="k-1")
    again = joined.act("update-points", body, idempotency_key="k-1")
    assert again.get_data() == first.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert joined.record(made)["points"] == 15
    other = joined.act("update-points", {**body, "points": 6}, idempotency_key="k-1")
    assert other.get_json()["code"] == "idempotency-key-reused"


def test_without_the_connection_nothing_is_done(joined: Joined) -> None:
    made = joined.make(points=10)
    joined.world.request("DELETE", "/v1/issuer")
    refused(
        joined,
        "update-points",
        {"pass_id": made["id"], "change": "add", "points": 1},
        424,
        "upstream-credentials-refused",
    )


def test_the_page_leads_to_passkit(joined: Joined) -> None:
    made = joined.make()
    page = made["qr_code_url"].removeprefix("https://pass.example.com").removesuffix("/qr.png")
    answer = joined.world.client.get(page)
    assert (answer.status_code, answer.headers["Location"]) == (302, made["pass_url"])
    assert joined.world.client.get(f"{page}/qr.png").status_code == 200


def test_a_batch(joined: Joined) -> None:
    items = [{"program_id": joined.program_id(), "external_id": f"c-{number}"} for number in range(3)]
    answer = joined.act("create-pass/batch", {"items": items}).get_json()
    assert (answer["succeeded"], answer["failed"]) == (3, 0)


def test_find_pass_finds_what_was_made_at_passkit(joined: Joined) -> None:
    enrolled_there(joined)
    query = {"program_id": joined.program_id(), "external_id": "c-7"}
    found = joined.world.get("/v1/passes", query_string=query).get_json()["data"]
    assert [one["points"] for one in found] == [40]
    assert joined.world.get("/v1/passes", query_string={**query, "external_id": "nobody"}).get_json()["data"] == []
    assert joined.world.get("/v1/passes", query_string={"external_id": "nobody"}).get_json()["data"] == []


def test_an_external_id_of_our_own_making_is_nobodys(joined: Joined) -> None:
    own = joined.record(joined.make())["externalId"]
    assert own.startswith("passrail-")
    query = {"program_id": joined.program_id(), "external_id": own}
    assert joined.world.get("/v1/passes", query_string=query).get_json()["data"] == []
    refused(joined, "update-points", {**query, "change": "add", "points": 1}, 404, "not-found")
