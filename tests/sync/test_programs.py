"""The programs of a remote issuer as programs of ours: read again after a minute, kept in line, never lost in use."""

from __future__ import annotations

from dataclasses import replace

from app.model import CustomField, Kind, Tier
from tests.issuers.memory import Failure
from tests.sync.conftest import Connected


def change(connected: Connected, place: int, **values: object) -> None:
    """Change one of the issuer's programs, and let a minute pass."""
    programs = connected.server.programs
    programs[place] = replace(programs[place], **values)  # type: ignore[arg-type]
    connected.world.clock.advance(seconds=61)


def test_they_are_read_again_after_a_minute_and_keep_their_ids(connected: Connected) -> None:
    before = connected.programs["membership"]
    assert connected.asked() == []
    change(connected, 0, name="Renamed", tiers=(Tier("gold", "Gold"),), fields=(CustomField("size", "Size"),))
    after = connected.world.get(f"/v1/programs/{before['id']}").get_json()
    assert (after["id"], after["name"]) == (before["id"], "Renamed")
    assert after["tiers"] == [{"id": "gold", "name": "Gold"}]
    assert [field["name"] for field in after["fields"]] == ["size"]
    assert "catalogue" in connected.asked()


def test_fields_that_could_not_be_read_stay_as_they_were(connected: Connected) -> None:
    change(connected, 0, fields=(CustomField("size", "Size"),), has_all_fields=False)
    assert [field["name"] for field in connected.programs["membership"]["fields"]] == ["size", "colour"]


def test_when_the_issuer_is_away_they_are_shown_as_they_were(connected: Connected) -> None:
    before = connected.programs
    connected.world.clock.advance(seconds=61)
    connected.server.fail(Failure.AWAY, "catalogue")
    assert connected.programs == before


def test_what_is_gone_there_is_gone_here_unless_it_has_passes(connected: Connected) -> None:
    made = connected.make("membership")
    connected.server.programs.clear()
    connected.world.clock.advance(seconds=61)
    assert set(connected.programs) == {"membership"}
    assert connected.get(made["id"])["program_name"] == "Memory club"


def test_of_a_kind_that_could_not_be_read_nothing_is_gone(connected: Connected) -> None:
    before = connected.programs
    connected.server.fail(Failure.REFUSED, "catalogue of coupon")
    connected.world.clock.advance(seconds=61)
    assert connected.programs == before


def test_two_of_one_name_are_told_apart(connected: Connected) -> None:
    change(connected, 1, name="Memory club")
    assert connected.programs["membership"]["name"] == "Memory club"
    assert connected.programs["coupon"]["name"] == "Memory club (mpaign)"


def test_two_that_exchange_their_names_keep_their_ids(connected: Connected) -> None:
    before = connected.programs
    change(connected, 0, name="Memory coupons")
    change(connected, 1, name="Memory club")
    after = connected.programs
    assert (after["membership"]["name"], after["coupon"]["name"]) == ("Memory coupons", "Memory club")
    assert [after[kind]["id"] for kind in before] == [before[kind]["id"] for kind in before]


def test_one_made_anew_under_the_name_of_one_that_is_gone_is_found(connected: Connected) -> None:
    connected.make("membership")
    change(connected, 0, upstream_id="club2")
    listed = connected.world.get("/v1/programs?kind=membership").get_json()["data"]
    names = sorted(one["name"] for one in listed if one["issuer"] == "memory")
    assert names == ["Memory club", "Memory club (club2)"]


def test_they_are_made_and_changed_at_the_issuer_only(connected: Connected) -> None:
    answer = connected.world.request("POST", "/v1/programs", json={"kind": "membership", "name": "Mine"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")
    assert "Memory" in answer.get_json()["detail"]
    answer = connected.world.request("PATCH", f"/v1/programs/{connected.program_id()}", json={"name": "Mine"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")


def test_every_kind_has_a_program(connected: Connected) -> None:
    assert set(connected.programs) == {kind.value for kind in Kind}
