"""Taking the passes of a remote issuer on record: all of them, once, silently, and going on after any failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from app.model import InstallState, Mode, Pass
from app.store import imports as import_rows
from app.store import passes as pass_rows
from app.store.tables import passes
from app.store.troubles import Kind as TroubleKind
from app.sync import imports, webhooks
from app.sync.expiry import tell_expired
from app.sync.imports import OVERLAP, PAGE, take_all
from tests.issuers.memory import Failure, MemoryIssuer
from tests.sync.conftest import Connected, upstream_id
from tests.test_sweeps import trouble


def begin(connected: Connected, **body: Any) -> dict[str, Any]:
    """Ask for an import and return the answer."""
    answer = connected.world.request("POST", "/v1/issuer/import", json=body)
    assert answer.status_code == 202, answer.text
    begun: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"/v1/issuer/import/{begun['id']}"
    return begun


def look(connected: Connected, begun: dict[str, Any]) -> dict[str, Any]:
    """Return an import as the API tells it now."""
    shown: dict[str, Any] = connected.world.get(f"/v1/issuer/import/{begun['id']}").get_json()
    return shown


def finish(connected: Connected, **body: Any) -> dict[str, Any]:
    """Import, sweep after sweep, to the end."""
    begun = begin(connected, **body)
    for _ in range(100):
        if look(connected, begun)["finished_at"] is not None:
            return look(connected, begun)
        take_all(connected.world.service)
    raise AssertionError("the import does not end")


def enrol(connected: Connected, number: int, place: str = "club") -> list[str]:
    """Have so many people enrol at the issuer; lose the webhooks."""
    made = [connected.server.enrol(place, f"{place}-{count}").id for count in range(number)]
    connected.server.outgoing.clear()
    return made


def on_record(connected: Connected) -> dict[str, Pass]:
    """Return our records of passes at the issuer, by the issuer's IDs."""
    with connected.world.service.store.read() as connection:
        found = [pass_rows.from_columns(row) for row in connection.execute(passes.select())]
    return {one.upstream_id: one for one in found if one.upstream_id is not None}


def counts(shown: dict[str, Any]) -> tuple[str, int, int, int]:
    """Return what an import counted."""
    return shown["status"], shown["found"], shown["added"], shown["changed"]


# --- what is imported ---


def test_every_pass_of_every_program_is_on_record_afterwards(connected: Connected) -> None:
    record = connected.server.enrol(
        "club",
        "c-1",
        holder={"first_name": "Ada", "email": "ada@example.com"},
        fields={"colour": "red"},
        points=Decimal("12.50"),
        tier_points=40,
        tier_id="green",
        install_state=InstallState.INSTALLED,
    )
    everything = {record.id, *enrol(connected, 2, "campaign"), *enrol(connected, 3, "concerts")}
    shown = finish(connected)
    assert counts(shown) == ("succeeded", 6, 6, 0)
    assert (shown["program_id"], shown["mode"], shown["problem"]) == (None, "test", None)
    assert set(on_record(connected)) == everything
    query = {"email": "ada@example.com"}
    [found] = connected.world.get("/v1/passes", query_string=query).get_json()["data"]
    assert (found["external_id"], found["first_name"], found["fields"]) == ("c-1", "Ada", {"colour": "red"})
    assert (found["points"], found["tier_id"], found["install_state"]) == (12.5, "green", "installed")


def test_one_program_alone_can_be_imported(connected: Connected) -> None:
    enrol(connected, 2)
    coupons = enrol(connected, 3, "campaign")
    shown = finish(connected, program_id=connected.program_id("coupon"))
    assert counts(shown) == ("succeeded", 3, 3, 0)
    assert set(on_record(connected)) == set(coupons)


def test_imported_passes_make_no_events(connected: Connected) -> None:
    expired = connected.world.clock() - timedelta(days=1)
    connected.server.enrol("club", "c-1", expires_at=expired)
    connected.server.enrol("campaign", "k-1", redeemed_at=expired)
    later = connected.server.enrol("club", "c-2", expires_at=connected.world.clock() + timedelta(days=1))
    connected.server.outgoing.clear()
    finish(connected)
    assert tell_expired(connected.world.service) == 0
    assert connected.world.events() == []
    connected.world.clock.advance(days=2)  # what happens afterwards is told
    assert tell_expired(connected.world.service) == 1
    assert connected.world.events()[0]["data"]["external_id"] == later.external_id


def test_passes_on_record_are_brought_up_to_date_silently(connected: Connected) -> None:
    same, other = connected.make(external_id="c-1", points=5), connected.make(external_id="c-2", points=5)
    connected.server.change(upstream_id(other), points=Decimal(70), expires_at=connected.world.clock())
    connected.server.outgoing.clear()
    events = connected.world.events()
    before = connected.get(same["id"])
    assert counts(finish(connected)) == ("succeeded", 2, 0, 1)
    assert connected.get(same["id"]) == before
    assert (connected.get(other["id"])["points"], connected.get(other["id"])["status"]) == (70, "expired")
    assert tell_expired(connected.world.service) == 0
    assert connected.world.events() == events
    assert counts(finish(connected)) == ("succeeded", 2, 0, 0)


def test_a_revoked_pass_stays_revoked(connected: Connected) -> None:
    for_now, for_good = connected.make(external_id="c-1"), connected.make(external_id="c-2")
    deleted = connected.record(for_good)
    connected.world.act("revoke-pass", {"pass_id": for_now["id"]})
    connected.world.act("revoke-pass", {"pass_id": for_good["id"], "permanent": True})
    connected.server.records[deleted.id] = deleted  # as if the issuer still listed it
    connected.world.clock.advance(days=1)
    assert counts(finish(connected)) == ("succeeded", 2, 0, 0)
    assert connected.get(for_now["id"])["status"] == "revoked"
    gone = connected.get(for_good["id"])
    assert (gone["status"], gone["email"]) == ("revoked", None)
    assert len(on_record(connected)) == 2


def test_a_customer_whose_old_record_is_gone_gets_the_new_one(connected: Connected) -> None:
    old = connected.make(external_id="c-1")
    connected.server.delete(upstream_id(old))
    new = connected.server.enrol("club", "c-1")
    connected.server.outgoing.clear()
    assert counts(finish(connected)) == ("succeeded", 1, 1, 0)
    assert on_record(connected)[new.id].external_id == "c-1"
    assert connected.get(old["id"])["status"] == "revoked"


def test_a_pass_that_an_operation_is_at_work_on_is_left_to_it(connected: Connected) -> None:
    made = connected.make(external_id="c-1", points=10)
    connected.server.fail(Failure.LOST_AFTER, "add_points")
    connected.server.fail(Failure.AWAY, "settled")
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    assert connected.world.act("update-points", body, idempotency_key="k").status_code == 504
    assert counts(finish(connected)) == ("succeeded", 1, 0, 0)
    answer = connected.world.act("update-points", body, idempotency_key="k")
    assert (answer.get_json()["points_before"], answer.get_json()["points"]) == (10, 15)
    assert [one["type"] for one in connected.world.events()] == ["points.changed", "pass.created"]


def test_an_imported_pass_can_be_used_at_once_and_its_webhooks_are_understood(connected: Connected) -> None:
    [record_id] = enrol(connected, 1)
    finish(connected)
    found = on_record(connected)[record_id]
    answer = connected.world.act("update-points", {"pass_id": found.id, "change": "add", "points": 5})
    assert answer.get_json()["points"] == 5
    connected.server.change(record_id, install_state=InstallState.INSTALLED)
    assert connected.settle() == ["pass.installed"]


# --- page after page ---


def test_many_passes_are_taken_page_by_page(connected: Connected) -> None:
    everything = enrol(connected, 2 * PAGE + 5)
    begun = begin(connected, program_id=connected.program_id())
    assert (begun["status"], begun["found"], begun["finished_at"]) == ("running", 0, None)
    found = []
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
        found.append(look(connected, begun)["found"])
    assert found == [PAGE, 2 * PAGE - OVERLAP, 2 * PAGE + 5]
    assert counts(look(connected, begun)) == ("succeeded", 2 * PAGE + 5, 2 * PAGE + 5, 0)
    assert set(on_record(connected)) == set(everything)


def test_a_page_asks_for_the_next_one(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PAGE", 20)
    posted: list[tuple[str, str]] = []
    monkeypatch.setattr(connected.world.service.store, "_post", lambda *job: posted.append(job))
    enrol(connected, 25)
    begun = begin(connected, program_id=connected.program_id())
    done = 0
    while done < len(posted):
        assert posted[done] == ("take_page", begun["id"])
        imports.take_each(connected.world.service, [begun["id"]])
        done += 1
    assert counts(look(connected, begun)) == ("succeeded", 25, 25, 0)


def test_records_that_are_deleted_meanwhile_hide_no_other(connected: Connected) -> None:
    everything = enrol(connected, PAGE + 30)
    begun = begin(connected, program_id=connected.program_id())
    take_all(connected.world.service)
    for record_id in everything[:OVERLAP]:
        connected.server.delete(record_id)
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
    assert set(on_record(connected)) == set(everything)


def test_a_worker_that_is_killed_between_pages_loses_and_repeats_nothing(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = enrol(connected, PAGE + 30)
    begun = begin(connected, program_id=connected.program_id())
    take_all(connected.world.service)
    before = look(connected, begun)
    with monkeypatch.context() as patched:
        patched.setattr(import_rows, "save", _power_cut)
        with pytest.raises(PowerCut):
            take_all(connected.world.service)
    assert look(connected, begun) == before
    assert len(on_record(connected)) == PAGE
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
    assert counts(look(connected, begun)) == ("succeeded", PAGE + 30, PAGE + 30, 0)
    assert set(on_record(connected)) == set(everything)


class PowerCut(BaseException):
    """What no handler of the service catches."""


def _power_cut(*_arguments: object) -> None:
    raise PowerCut


def test_two_workers_at_the_same_page_count_it_once(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(connected, 5)
    begun = begin(connected, program_id=connected.program_id())
    _meanwhile(monkeypatch, lambda: take_all(connected.world.service))
    assert take_all(connected.world.service) == 0  # the other one was faster
    assert counts(look(connected, begun)) == ("succeeded", 5, 5, 0)


def test_a_pass_that_changes_while_its_page_is_read_stays_as_it_is_now(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connected.make(external_id="c-1", points=10)
    connected.settle()
    connected.server.change(upstream_id(made), tier_id="green")
    connected.server.outgoing.clear()
    begun = begin(connected)

    def earn() -> None:
        connected.world.act("update-points", {"pass_id": made["id"], "change": "add", "points": 5})

    _meanwhile(monkeypatch, earn)
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
    assert connected.get(made["id"])["points"] == 15


def test_a_pass_that_a_webhook_brings_meanwhile_is_one_pass(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.server.enrol("club", "c-1")
    begun = begin(connected)
    connected.deliver()
    _meanwhile(monkeypatch, lambda: webhooks.read_all(connected.world.service))
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
    assert counts(look(connected, begun)) == ("succeeded", 1, 0, 0)
    assert len(on_record(connected)) == 1


def _meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Have something happen once between the issuer's answer to the next page and its being written."""
    right, left = MemoryIssuer.passes, [do]

    def passes_and_more(self: MemoryIssuer, *arguments: Any) -> Any:
        page = right(self, *arguments)
        if left:
            left.pop()()
        return page

    monkeypatch.setattr(MemoryIssuer, "passes", passes_and_more)


# --- what stops it ---


@pytest.mark.parametrize("failure", [Failure.AWAY, Failure.LOST])
def test_it_waits_for_an_issuer_that_is_away_and_says_so(connected: Connected, failure: Failure) -> None:
    enrol(connected, PAGE + 5)
    begun = begin(connected, program_id=connected.program_id())
    take_all(connected.world.service)
    connected.server.fail(failure, "passes")
    take_all(connected.world.service)
    shown = look(connected, begun)
    assert (shown["status"], shown["found"]) == ("running", PAGE)
    assert set(shown["problem"]) == {"code", "detail"}
    take_all(connected.world.service)
    shown = look(connected, begun)
    assert (counts(shown), shown["problem"]) == (("succeeded", PAGE + 5, PAGE + 5, 0), None)


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.CREDENTIALS])
def test_a_refusal_ends_it_and_what_was_taken_stays(connected: Connected, failure: Failure) -> None:
    enrol(connected, PAGE + 5)
    begun = begin(connected, program_id=connected.program_id())
    take_all(connected.world.service)
    connected.server.fail(failure, "passes")
    assert take_all(connected.world.service) == 1
    shown = look(connected, begun)
    assert (shown["status"], shown["found"]) == ("failed", PAGE)
    assert shown["problem"]["code"].startswith("upstream-")
    assert shown["finished_at"] is not None
    assert take_all(connected.world.service) == 0
    assert counts(finish(connected)) == ("succeeded", PAGE + 5, 5, 0)


def test_a_connection_that_is_forgotten_ends_it(connected: Connected) -> None:
    begun = begin(connected)
    connected.world.request("DELETE", "/v1/issuer")
    take_all(connected.world.service)
    assert look(connected, begun)["problem"]["code"] == "upstream-credentials-refused"


def test_a_program_that_is_gone_is_left_out(connected: Connected) -> None:
    enrol(connected, 2)
    tickets = enrol(connected, 1, "concerts")
    begun = begin(connected)
    connected.server.programs = [one for one in connected.server.programs if one.upstream_id == "concerts"]
    connected.world.clock.advance(minutes=2)
    assert set(connected.programs) == {"event_ticket"}
    while look(connected, begun)["status"] == "running":
        take_all(connected.world.service)
    assert look(connected, begun)["status"] == "succeeded"
    assert set(on_record(connected)) == set(tickets)


def test_one_that_raises_stops_no_other_and_is_tried_again(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(connected, 1)
    enrol(connected, 1, "campaign")
    bad = begin(connected, program_id=connected.program_id("membership"))
    good = begin(connected, program_id=connected.program_id("coupon"))
    _meanwhile(monkeypatch, _raise)
    take_all(connected.world.service)
    assert (look(connected, bad)["status"], look(connected, good)["status"]) == ("running", "succeeded")
    assert trouble(connected.world, TroubleKind.IMPORT, bad["id"]) is not None
    connected.world.clock.advance(minutes=2)
    take_all(connected.world.service)
    assert look(connected, bad)["status"] == "succeeded"


def _raise() -> None:
    raise ValueError("planted")


# --- who may ---


def test_one_import_at_a_time(connected: Connected) -> None:
    enrol(connected, 3)
    begun = begin(connected)
    assert begin(connected) == begun
    other = begin(connected, program_id=connected.program_id())
    assert other["id"] != begun["id"]
    assert begin(connected, program_id=connected.program_id()) == other
    while take_all(connected.world.service) or look(connected, begun)["status"] == "running":
        pass
    assert begin(connected)["id"] != begun["id"]


def test_without_a_connection_there_is_nothing_to_import(lonely: Connected) -> None:
    answer = lonely.world.request("POST", "/v1/issuer/import", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-applicable")


def test_only_a_program_of_the_issuers_can_be_imported(connected: Connected) -> None:
    for program_id, code in (("prog_nowhere", "not-found"), ("prog_demo_coupon", "not-applicable")):
        answer = connected.world.request("POST", "/v1/issuer/import", json={"program_id": program_id})
        assert answer.get_json()["code"] == code
    with connected.world.service.store.read() as connection:
        assert import_rows.unfinished(connection, connected.world.clock()) == []


def test_an_issuer_without_programs_has_nothing_to_import(lonely: Connected) -> None:
    lonely.server.programs.clear()
    lonely.connect()
    assert counts(begin(lonely)) == ("succeeded", 0, 0, 0)


@pytest.mark.only_sqlite
def test_only_a_writer_imports_and_nobody_sees_anothers_import(connected: Connected) -> None:
    world = connected.world
    reader = world.make_key(scopes=("read",))
    assert world.request("POST", "/v1/issuer/import", json={}, key=reader).status_code == 403
    begun = begin(connected)
    assert world.get(f"/v1/issuer/import/{begun['id']}", key=reader).get_json() == begun
    for key in (world.make_key(account="other"), world.make_key(mode=Mode.LIVE)):
        assert world.get(f"/v1/issuer/import/{begun['id']}", key=key).status_code == 404
        assert world.request("POST", "/v1/issuer/import", json={}, key=key).status_code == 422
    assert world.get("/v1/issuer/import/imp_nowhere").status_code == 404


def test_imported_passes_are_the_accounts_alone(connected: Connected) -> None:
    enrol(connected, 2)
    finish(connected)
    other = connected.world.make_key(account="other")
    assert connected.world.get("/v1/passes", key=other).get_json()["data"] == []
    with connected.world.service.store.read() as connection:
        owners = connection.execute(select(passes.c.account_id, func.count()).group_by(passes.c.account_id)).all()
    assert [tuple(row) for row in owners] == [(connected.world.account.id, 2)]
