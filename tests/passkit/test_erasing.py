"""Erasing people whose passes live at PassKit: unlinked or deleted there, and never brought back by what it tells."""

from __future__ import annotations

from typing import Any

import pytest

from app.model import Mode
from app.operations.resume import resume_all
from app.sync import imports
from tests.fakes.passkit.errors import Refusal
from tests.fakes.passkit_client import Client
from tests.passkit.conftest import Joined, upstream_id
from tests.passkit.test_webhooks import settle
from tests.people import planting
from tests.people.planting import EMAIL, EXTERNAL_ID, HOLDER, PLANTED, dump, erase, export, hits

NAMED = {"external_id": EXTERNAL_ID}


def plant(joined: Joined) -> list[str]:
    """Plant the words through the API, by PassKit's webhooks, and in rows; one create was refused by PassKit."""
    programs = joined.program_id("membership"), joined.program_id("coupon")
    pass_ids = planting.plant(joined.world, *programs, "favouriteColour")
    settle(joined)
    planting.plant_rows(joined.world, pass_ids[0])
    joined.fake.fail("status", "POST /eventTickets/ticket", status=400, text=f"bad {EMAIL}")
    body = {"program_id": joined.program_id("event_ticket"), **NAMED, **HOLDER, "unique_event_id": "k-1"}
    assert joined.act("create-pass", body).status_code == 422
    return pass_ids


def touch(joined: Joined, record_id: str) -> None:
    """Have something happen to the record at PassKit, which tells of it."""
    Client(joined.fake).right("PUT", "/members/member/points/earn", {"id": record_id, "points": 5})


def take_all(joined: Joined) -> Any:
    """Import every pass; return the import as it ended."""
    begun = imports.start(joined.world.service, joined.world.account.id, Mode.TEST)
    while not imports.take_page(joined.world.service, begun.id):
        pass
    return joined.world.get(f"/v1/issuer/import/{begun.id}").get_json()


@pytest.mark.parametrize("also_at_issuer", [False, True])
def test_no_word_is_left_and_neither_webhook_nor_import_brings_the_person_back(
    joined: Joined, also_at_issuer: bool, capsys: Any
) -> None:
    card, _ = plant(joined)
    record = joined.record(joined.world.get(f"/v1/passes/{card}").get_json())["id"]
    before = {place for _, place in hits(dump(joined.world))}
    assert {name.split(".")[0] for name in PLANTED} <= before
    told = erase(joined.world, **NAMED, also_at_issuer=also_at_issuer)
    assert len(told["pass_ids"]) == 2
    assert told["rows"]["webhooks"] > 1
    assert bool(told["notes"]) is not also_at_issuer
    assert hits(dump(joined.world)) == set()
    if also_at_issuer:
        with pytest.raises(Refusal):
            joined.fake.record(record)
    else:
        touch(joined, record)
    settle(joined)
    assert take_all(joined)["added"] == 0
    update = {"program_id": joined.program_id(), **NAMED, "change": "add", "points": 5}
    assert joined.act("update-points", update).status_code == 404
    assert next(event["type"] for event in joined.world.events(pass_id=card)) == "pass.revoked"
    joined.world.service.store.empty_log()  # as the worker does once an hour
    # The refusal of the request that has just named the person anew says whom it did not find.
    assert {(word, place) for word, place in hits(dump(joined.world)) if word != EXTERNAL_ID} == set()
    printed = capsys.readouterr()
    assert hits({"log": printed.out + printed.err}) == set()


def test_what_the_issuer_has_and_we_do_not_is_deleted_there_where_that_is_wanted(joined: Joined) -> None:
    made = joined.make(**NAMED, **HOLDER)
    erase(joined.world, **NAMED)
    assert joined.fake.record(upstream_id(made))
    told = erase(joined.world, **NAMED, also_at_issuer=True)
    assert told["rows"]["passes"] == 1
    with pytest.raises(Refusal):
        joined.fake.record(upstream_id(made))
    assert erase(joined.world, **NAMED, also_at_issuer=True)["rows"]["passes"] == 0
    settle(joined)
    joined.world.service.store.empty_log()  # as the worker does once an hour
    assert hits(dump(joined.world), tuple(HOLDER.values())) == set()


def test_who_is_made_anew_is_on_record_again_and_heard_of(joined: Joined) -> None:
    made = joined.make(**NAMED, **HOLDER, points=5)
    settle(joined)
    erase(joined.world, **NAMED)
    again = joined.make(**NAMED, **HOLDER)
    assert again["id"] != made["id"]
    assert upstream_id(again) == upstream_id(made)  # the record was kept, and is linked again
    touch(joined, upstream_id(made))
    assert settle(joined) == ["points.changed"]
    assert [item["kind"] for item in export(joined.world, **NAMED)][:2] == ["pass", "operation"]


def test_who_enrols_anew_at_the_issuer_after_the_erasure_is_somebody_new(joined: Joined) -> None:
    Client(joined.fake).enrol_by_form(emailAddress=EMAIL)
    assert settle(joined) == ["pass.created"]
    erase(joined.world, email=EMAIL)
    assert take_all(joined)["added"] == 0
    joined.world.clock.advance(seconds=1)
    Client(joined.fake).enrol_by_form(emailAddress=EMAIL)
    assert settle(joined) == ["pass.created"]


def test_a_deletion_without_an_answer_is_found_out_by_the_same_request(joined: Joined) -> None:
    made = joined.make(**NAMED, **HOLDER)
    joined.fake.fail("reset", "DELETE /members/member", times=9)
    joined.fake.fail("reset", "GET /members/member/id/{id}", times=9)
    answer = joined.world.request("POST", "/v1/people/erase", json={**NAMED, "also_at_issuer": True})
    assert answer.status_code in (503, 504), answer.text
    joined.fake.faults.clear()
    joined.world.clock.advance(minutes=5)
    resume_all(joined.world.service)
    erase(joined.world, **NAMED, also_at_issuer=True)
    with pytest.raises(Refusal):
        joined.fake.record(upstream_id(made))
    settle(joined)
    joined.world.service.store.empty_log()
    assert hits(dump(joined.world), (*HOLDER.values(), EXTERNAL_ID)) == set()
