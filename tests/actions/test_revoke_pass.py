"""Revoke pass: with a way back, or for good."""

from __future__ import annotations

import pytest

from tests.actions.checks import differing, done, refused, unchanged, with_event, wrong_fields
from tests.world import COUPON, MEMBERSHIP, TICKET, World

ADA = {
    "external_id": "customer-501",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+44 20 7946 0000",
}


def test_a_revoked_pass_keeps_everything_but_its_validity(any_world: World) -> None:
    for program_id in (MEMBERSHIP, COUPON, TICKET):
        made = any_world.make_pass(program_id, **ADA)
        any_world.clock.advance(hours=1)
        body = {"pass_id": made["id"], "reason": "Invoice 1001 refunded"}
        answer, data = with_event(any_world, "pass.revoked", "revoke-pass", body)
        assert differing(made, answer) == {"status", "updated_at"}
        assert answer["status"] == "revoked"
        assert data == {**answer, "reason": "Invoice 1001 refunded"}


def test_revoking_again_is_a_success_that_changes_nothing(world: World) -> None:
    made = world.make_pass(**ADA)
    first = done(world, "revoke-pass", {"pass_id": made["id"]})
    world.clock.advance(hours=1)
    again = unchanged(world, "revoke-pass", {"pass_id": made["id"], "reason": "twice"})
    assert (again["status"], again["updated_at"]) == ("revoked", first["updated_at"])


def test_a_redeemed_or_expired_pass_can_be_revoked(world: World) -> None:
    redeemed = world.make_pass(COUPON)
    done(world, "redeem-pass", {"pass_id": redeemed["id"]})
    expired = world.make_pass(COUPON, expires_at="2020-01-01")
    for made in (redeemed, expired):
        assert done(world, "revoke-pass", {"pass_id": made["id"]})["status"] == "revoked"


def test_a_permanent_revoke_clears_the_holder(world: World) -> None:
    made = world.make_pass(fields={"member_since": "2026"}, points=5, **ADA)
    body = {"pass_id": made["id"], "permanent": True}
    answer, data = with_event(world, "pass.revoked", "revoke-pass", body)
    shown = world.get(f"/v1/passes/{made['id']}").get_json()
    for told in (answer, data, shown):
        assert told["status"] == "revoked"
        assert told["fields"] == {}
        assert {told[name] for name in ("email", "first_name", "last_name", "phone")} == {None}
    assert world.get("/v1/passes", query_string={"email": "ada@example.com"}).get_json()["data"] == []


def test_a_permanent_revoke_cannot_be_undone_or_changed(world: World) -> None:
    made = world.make_pass(**ADA)
    done(world, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    for action, more in (
        ("reinstate-pass", {}),
        ("reinstate-pass", {"expires_at": None}),
        ("update-pass", {"first_name": "Ada"}),
        ("update-points", {"change": "add", "points": 1}),
        ("change-tier", {"tier_id": "tier_demo_gold"}),
    ):
        problem = refused(world, action, {"pass_id": made["id"], **more}, 422, "not-applicable")
        assert "Create a new pass instead" in problem["detail"]


def test_a_permanent_revoke_again_changes_nothing(world: World) -> None:
    made = world.make_pass(**ADA)
    done(world, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    world.clock.advance(hours=1)
    for permanent in (True, False):
        assert unchanged(world, "revoke-pass", {"pass_id": made["id"], "permanent": permanent})["status"] == "revoked"


def test_a_revoked_pass_can_be_revoked_for_good_later(world: World) -> None:
    made = world.make_pass(**ADA)
    done(world, "revoke-pass", {"pass_id": made["id"]})
    answer, _ = with_event(world, "pass.revoked", "revoke-pass", {"pass_id": made["id"], "permanent": True})
    assert answer["email"] is None
    refused(world, "reinstate-pass", {"pass_id": made["id"]}, 422, "not-applicable")


def test_after_a_permanent_revoke_the_external_id_makes_a_new_pass(any_world: World) -> None:
    ids = []
    for _ in range(3):
        made = any_world.make_pass(**ADA)
        assert made["created"] is True
        ids.append(made["id"])
        any_world.clock.advance(minutes=1)
        done(any_world, "revoke-pass", {"pass_id": made["id"], "permanent": True})
    assert len(set(ids)) == 3
    again = any_world.make_pass(**ADA)
    found = done(any_world, "update-pass", {"program_id": MEMBERSHIP, "external_id": "customer-501", "phone": None})
    assert found["id"] == again["id"]


def test_after_a_plain_revoke_the_external_id_stays_taken(world: World) -> None:
    made = world.make_pass(**ADA)
    done(world, "revoke-pass", {"pass_id": made["id"]})
    again = world.make_pass(**ADA)
    assert (again["id"], again["created"], again["status"]) == (made["id"], False, "revoked")


@pytest.mark.parametrize("permanent", ["true", 1, None])
def test_permanent_is_true_or_false_and_nothing_like_it(shared_world: World, permanent: object) -> None:
    made = shared_world.make_pass()
    assert wrong_fields(shared_world, "revoke-pass", {"pass_id": made["id"], "permanent": permanent}) == ["permanent"]
