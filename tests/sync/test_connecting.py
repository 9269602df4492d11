"""Connecting an account to a remote issuer: proven and read first, then kept; told what could not be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.model import Kind, Mode
from app.store.tables import connections, programs, sinks
from tests.issuers.memory import Failure
from tests.sync.conftest import CONNECT, Connected

COUPONS_UNREAD = "The coupon programs cannot be read: Memory refuses."


def rows(connected: Connected) -> tuple[int, int, int]:
    """Count connections, programs of the remote issuer, and subscriptions in the database."""
    with connected.world.service.store.read() as connection:
        at_issuer = programs.select().where(programs.c.issuer == "memory")
        every = connections.select(), at_issuer, sinks.select()
        first, second, third = (len(connection.execute(query).all()) for query in every)
        return first, second, third


def test_a_connection_tells_what_there_is(connected: Connected) -> None:
    shown = connected.issuer()
    assert (shown["issuer"], shown["company"], shown["region"]) == ("memory", "Memory Ltd", "here")
    assert (shown["ends_cards_by"], shown["notes"], shown["last_problem"]) == ("expiry", [], None)
    assert set(connected.programs) == {kind.value for kind in Kind}
    assert rows(connected) == (1, 3, 3)
    assert "right" not in str(shown)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "nobody"},
        {"issuer": None},
        {"issuer": ["memory"]},
        {"token": ""},
        {"region": "pub1"},
        {"token": None},
    ],
)
@pytest.mark.only_sqlite
def test_a_form_that_is_not_the_kinds_is_refused(lonely: Connected, change: dict[str, Any]) -> None:
    answer = lonely.world.request("PUT", "/v1/issuer", json={**CONNECT, **change})
    assert answer.get_json()["code"] == "validation-failed"
    assert [one["field"] for one in answer.get_json()["errors"]] == list(change)
    assert lonely.asked() == []


@pytest.mark.only_sqlite
def test_everything_that_is_wrong_is_told_at_once(lonely: Connected) -> None:
    answer = lonely.connect(ends_cards_by="fire", token="", colour="red")
    assert {one["field"] for one in answer.get_json()["errors"]} == {"ends_cards_by", "token", "colour"}


def test_nothing_is_kept_of_credentials_that_fail(lonely: Connected) -> None:
    answer = lonely.connect(token="wrong")
    assert (answer.status_code, answer.get_json()["code"]) == (424, "upstream-credentials-refused")
    assert rows(lonely) == (0, 0, 0)
    assert lonely.issuer()["issuer"] == "builtin"


@pytest.mark.parametrize("failure", [Failure.AWAY, Failure.REFUSED])
def test_a_connection_whose_programs_cannot_be_read_is_not_kept(lonely: Connected, failure: Failure) -> None:
    for kind in Kind:
        lonely.server.fail(failure, f"catalogue of {kind.value}")
    assert lonely.connect().status_code in (422, 503)
    assert rows(lonely) == (0, 0, 0)
    assert lonely.connect().status_code == 200


def test_a_connection_that_fails_leaves_the_one_before_as_it_was(connected: Connected) -> None:
    made = connected.make()
    assert connected.connect(token="wrong").status_code == 424
    assert rows(connected) == (1, 3, 3)
    answer = connected.world.act("update-points", {"pass_id": made["id"], "change": "add", "points": 5})
    assert answer.get_json()["points"] == 5


def test_what_cannot_be_read_is_told_and_the_rest_is_used(lonely: Connected) -> None:
    lonely.server.fail(Failure.REFUSED, "catalogue of coupon")
    shown = lonely.connect().get_json()
    assert shown["notes"] == [COUPONS_UNREAD]
    assert lonely.issuer() == shown
    assert set(lonely.programs) == {"membership", "event_ticket"}
    lonely.world.clock.advance(minutes=2)
    assert set(lonely.programs) == {kind.value for kind in Kind}
    assert lonely.issuer()["notes"] == []


def test_what_is_special_about_a_program_is_told(lonely: Connected) -> None:
    club = lonely.server.programs[0]
    note = "Passes on the tier 'blue' never expire."
    lonely.server.programs[0] = replace(club, upstream={**club.upstream, "notes": [note], "is_draft": True})
    shown = lonely.connect().get_json()
    assert (shown["notes"], shown["draft_programs"]) == ([f"Memory club: {note}"], ["Memory club"])
    assert lonely.programs["membership"]["notes"] == [note]
    assert lonely.programs["coupon"]["notes"] == []
    builtin = lonely.world.get("/v1/programs/prog_demo_membership").get_json()
    assert builtin["notes"] == []


# --- how a revoke ends a card ---


def test_how_a_revoke_ends_cards_is_chosen_when_connecting(lonely: Connected) -> None:
    assert lonely.connect(ends_cards_by="delete").get_json()["ends_cards_by"] == "delete"
    made = lonely.make()
    lonely.world.act("revoke-pass", {"pass_id": made["id"]})
    assert lonely.server.records == {}
    assert lonely.get(made["id"])["status"] == "revoked"


def test_how_a_revoke_ends_cards_is_changed_without_credentials(connected: Connected) -> None:
    kept, gone = connected.make(), connected.make()
    connected.world.act("revoke-pass", {"pass_id": kept["id"]})
    answer = connected.world.request("PATCH", "/v1/issuer", json={"ends_cards_by": "delete"})
    assert (answer.status_code, answer.get_json()["ends_cards_by"]) == (200, "delete")
    assert connected.issuer() == answer.get_json()
    connected.world.act("revoke-pass", {"pass_id": gone["id"]})
    assert len(connected.server.records) == 1
    assert connected.record(kept).expires_at == connected.world.clock()


def test_connecting_again_keeps_how_a_revoke_ends_cards(lonely: Connected) -> None:
    lonely.connect(ends_cards_by="delete")
    assert lonely.connect().get_json()["ends_cards_by"] == "delete"
    assert lonely.connect(ends_cards_by="expiry").get_json()["ends_cards_by"] == "expiry"


@pytest.mark.only_sqlite
def test_only_a_connection_can_be_changed_and_only_by_a_writer(lonely: Connected) -> None:
    changes = {"ends_cards_by": "delete"}
    answer = lonely.world.request("PATCH", "/v1/issuer", json=changes)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")
    lonely.connect()
    reader = lonely.world.make_key(scopes=("read",))
    assert lonely.world.request("PATCH", "/v1/issuer", json=changes, key=reader).status_code == 403
    for key in (lonely.world.make_key(account="other"), lonely.world.make_key(mode=Mode.LIVE)):
        assert lonely.world.request("PATCH", "/v1/issuer", json=changes, key=key).status_code == 422
    assert lonely.issuer()["ends_cards_by"] == "expiry"
    for wrong in ({}, {"ends_cards_by": "fire"}, {"ends_cards_by": None}, {**changes, "region": "here"}):
        assert lonely.world.request("PATCH", "/v1/issuer", json=wrong).status_code == 422


# --- leaving ---


def test_a_forgotten_connection_leaves_programs_and_passes_on_record(connected: Connected) -> None:
    made = connected.make()
    for _ in range(2):
        shown = connected.world.request("DELETE", "/v1/issuer").get_json()
        assert shown == {**dict.fromkeys(shown), "issuer": "builtin", "mode": "test", "draft_programs": [], "notes": []}
    assert rows(connected) == (0, 3, 0)
    assert connected.get(made["id"])["status"] == "active"
    answer = connected.world.act("update-points", {"pass_id": made["id"], "change": "add", "points": 5})
    assert answer.get_json()["code"] == "upstream-credentials-refused"
