"""PassKit's programs, campaigns and productions as programs of ours."""

from __future__ import annotations

from tests.fakes.passkit import seed
from tests.passkit.conftest import Joined, passkit_of


def test_each_kind_is_there_with_its_tiers_and_fields(joined: Joined) -> None:
    membership, coupon, ticket = (joined.programs[kind] for kind in ("membership", "coupon", "event_ticket"))
    assert [tier["id"] for tier in membership["tiers"]] == [seed.BRONZE, seed.SILVER, seed.GOLD, seed.FOREVER]
    assert membership["fields"] == [
        {"name": "favouriteColour", "title": "Favourite colour", "type": "text", "required": False}
    ]
    assert {tier["id"] for tier in coupon["tiers"]} == {seed.OFFER_FIXED, seed.OFFER_VARIABLE}
    assert {tier["name"] for tier in ticket["tiers"]} == {"Adult", "Child"}
    path = f"/v1/programs/{membership['id']}"
    assert joined.world.get(f"{path}/tiers").get_json()["data"] == membership["tiers"]
    assert joined.world.get(f"{path}/fields").get_json()["data"] == membership["fields"]


def test_they_are_read_again_after_a_minute_and_keep_their_ids(joined: Joined) -> None:
    joined.world.get("/v1/programs")
    assert joined.routes() == []
    joined.world.clock.advance(seconds=61)
    joined.fake.state.programs.get(seed.PROGRAM)["name"] = "Renamed"  # type: ignore[index]
    found = joined.world.get(f"/v1/programs/{joined.program_id()}").get_json()
    assert (found["id"], found["name"]) == (joined.program_id(), "Renamed")
    assert "POST /members/programs/list" in joined.routes()


def test_when_passkit_is_away_they_are_shown_as_they_were(joined: Joined) -> None:
    passkit_of(joined.world).pool.sleep = lambda seconds: None
    joined.world.clock.advance(seconds=61)
    joined.fake.fail("status", status=503, times=50)
    assert joined.world.get("/v1/programs").status_code == 200
    joined.fake.faults.clear()


def test_what_is_gone_at_passkit_is_gone_here(joined: Joined) -> None:
    joined.fake.state.campaigns.remove(seed.CAMPAIGN)
    joined.world.clock.advance(seconds=61)
    kinds = [one["kind"] for one in joined.world.get("/v1/programs").get_json()["data"] if one["issuer"] == "passkit"]
    assert sorted(kinds) == ["event_ticket", "membership"]


def test_programs_are_made_at_passkit(joined: Joined) -> None:
    body = {"kind": "membership", "name": "Mine"}
    answer = joined.world.request("POST", "/v1/programs", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")
    assert "live at PassKit. Make or change the program there" in answer.get_json()["detail"]
    answer = joined.world.request("PATCH", f"/v1/programs/{joined.program_id()}", json={"name": "Mine"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")
