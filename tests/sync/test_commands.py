"""`passrail issuer` and `passrail operation`: what people who run the service see and do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import app.issuers
from app.cli import issuers as issuer_commands
from app.model import Clock, Mode
from app.service import Service
from app.settings import Settings
from app.store import imports as import_rows
from app.store.tables import imports
from app.sync import imports as sync_imports
from app.sync.imports import PAGE, take_all
from tests.issuers.memory import Failure, MemoryKind, MemoryServer
from tests.sync.conftest import VAULT_KEYS, Connected
from tests.test_cli import Run, refused, runner, succeeded

ACCOUNT = ("--account", "demo", "--mode", "test")
pytestmark = pytest.mark.only_sqlite


@pytest.fixture
def run(lonely: Connected, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on the world's database, with the same remote issuer in memory."""
    servers = lonely.kind.servers

    class Shared(MemoryKind):
        def __init__(self, settings: Settings, clock: Clock) -> None:
            super().__init__(settings, clock)
            self.servers: dict[str, MemoryServer] = servers

    monkeypatch.setattr(app.issuers, "REMOTE_KINDS", (*app.issuers.REMOTE_KINDS, Shared))
    monkeypatch.setattr(issuer_commands, "LOOK_AGAIN_SECONDS", 0)
    settings = lonely.world.service.settings
    environment = {"DATA_DIR": settings.data_dir, "DATABASE_URL": "", "BASE_URL": settings.base_url}
    return runner({**environment, "VAULT_KEYS": VAULT_KEYS})


def test_connecting_shows_what_could_not_be_read(
    lonely: Connected, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    lonely.server.fail(Failure.REFUSED, "catalogue of coupon")
    target = lonely.kind.target({"token": "right"})
    issuer_commands.connect_account(lonely.world.service, "memory", "demo", "test", target, "delete")
    shown = capsys.readouterr().out.splitlines()
    assert "Connected demo in test mode to memory: Memory Ltd, region here." in shown
    assert "Note: The coupon programs cannot be read: Memory refuses." in shown
    assert lonely.issuer()["ends_cards_by"] == "delete"


def test_show_tells_how_it_is_used_and_what_is_special(lonely: Connected, run: Run) -> None:
    assert succeeded(run("issuer", "show", *ACCOUNT)) == "builtin\n"
    club = lonely.server.programs[0]
    lonely.server.programs[0] = replace(club, upstream={**club.upstream, "notes": ["Its cards never expire."]})
    lonely.connect()
    shown = succeeded(run("issuer", "show", *ACCOUNT)).splitlines()
    assert shown[0].startswith("memory  Memory Ltd  region here  last worked 2026-11-20")
    assert shown[1:] == ["A revoke ends cards by: expiry", "Note: Memory club: Its cards never expire."]


def test_set_changes_how_a_revoke_ends_cards(lonely: Connected, run: Run) -> None:
    refused(run("issuer", "set", *ACCOUNT, "--ends-cards-by", "delete"), "not connected", "passrail issuer connect")
    lonely.connect()
    refused(run("issuer", "set", *ACCOUNT), "--ends-cards-by", code=2)
    succeeded(run("issuer", "set", *ACCOUNT, "--ends-cards-by", "delete"))
    assert lonely.issuer()["ends_cards_by"] == "delete"


def test_subscribe_tells_of_how_many_programs_there_are_webhooks(lonely: Connected, run: Run) -> None:
    lonely.server.fail(Failure.LOST, "subscribe")
    lonely.connect()
    shown = succeeded(run("issuer", "subscribe", *ACCOUNT))
    assert "Memory tells of 3 of 3 programs." in shown  # the command's clock is the real one: that was long ago
    lonely.world.request("DELETE", "/v1/issuer")
    lonely.server.fail(Failure.REFUSED, "subscribe", times=3)
    lonely.connect()
    lonely.server.fail(Failure.REFUSED, "subscribe")
    shown = succeeded(run("issuer", "subscribe", *ACCOUNT))
    assert "Memory tells of 2 of 3 programs." in shown
    refused(run("issuer", "subscribe", *ACCOUNT, BASE_URL="http://localhost:8000"), "Memory cannot reach this service")


def test_forget_says_whether_there_was_anything(lonely: Connected, run: Run) -> None:
    lonely.connect()
    assert succeeded(run("issuer", "forget", *ACCOUNT)) == "Forgotten.\n"
    assert succeeded(run("issuer", "forget", *ACCOUNT)) == "There was no connection.\n"
    assert lonely.server.subscriptions == {}


# --- imports ---


def enrol(lonely: Connected, number: int) -> None:
    for count in range(number):
        lonely.server.enrol("club", f"c-{count}")


def listed(lonely: Connected) -> list[Any]:
    with lonely.world.service.store.read() as connection:
        return list(connection.execute(imports.select()))


def test_an_import_is_left_to_the_worker(lonely: Connected, run: Run) -> None:
    lonely.connect()
    enrol(lonely, 2)
    assert "has begun" in succeeded(run("issuer", "import", *ACCOUNT))
    succeeded(run("issuer", "import", *ACCOUNT))
    [begun] = listed(lonely)
    assert (begun.status, begun.found) == ("running", 0)


def test_an_import_that_is_waited_for_is_done_here(lonely: Connected, run: Run) -> None:
    lonely.connect()
    enrol(lonely, PAGE + 5)
    shown = succeeded(run("issuer", "import", *ACCOUNT, "--program", lonely.program_id(), "--wait")).splitlines()
    assert shown == [
        f"{PAGE} found, {PAGE} added, 0 changed",
        f"{PAGE + 5} found, {PAGE + 5} added, 0 changed",
        "Done.",
    ]
    found = lonely.world.get("/v1/passes", query_string={"external_id": f"c-{PAGE}"}).get_json()["data"]
    assert len(found) == 1


def test_an_import_that_is_waited_for_tells_what_it_waits_for(lonely: Connected, run: Run) -> None:
    lonely.connect()
    enrol(lonely, 1)
    lonely.server.fail(Failure.AWAY, "passes", times=2)
    shown = succeeded(run("issuer", "import", *ACCOUNT, "--wait"))
    assert "Waiting: Memory cannot be reached." in shown
    assert shown.endswith("Done.\n")


def test_an_import_that_a_worker_does_meanwhile_is_watched(
    lonely: Connected, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lonely.connect()
    enrol(lonely, 1)
    right = sync_imports.take_page

    def somebody_else_does_it(_service: Service, import_id: str) -> bool:
        right(lonely.world.service, import_id)
        return False

    monkeypatch.setattr(sync_imports, "take_page", somebody_else_does_it)
    assert succeeded(run("issuer", "import", *ACCOUNT, "--wait")).endswith("Done.\n")


def test_an_import_that_fails_says_why(lonely: Connected, run: Run) -> None:
    refused(run("issuer", "import", *ACCOUNT), "not connected")
    lonely.connect()
    refused(run("issuer", "import", *ACCOUNT, "--program", "prog_nowhere"), "no program 'prog_nowhere'")
    lonely.server.fail(Failure.REFUSED, "passes")
    refused(run("issuer", "import", *ACCOUNT, "--wait"), "The import failed: Memory refuses.")


def test_an_import_that_is_dropped_has_failed(lonely: Connected, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lonely.connect()
    begun = lonely.world.request("POST", "/v1/issuer/import", json={}).get_json()
    monkeypatch.setattr(import_rows, "lock", lambda *_: 1 / 0)
    take_all(lonely.world.service)
    monkeypatch.undo()
    succeeded(runner(run_environment(lonely))("parked", "drop", "import", begun["id"]))
    shown = lonely.world.get(f"/v1/issuer/import/{begun['id']}").get_json()
    assert (shown["status"], shown["problem"]["code"]) == ("failed", "internal")
    assert take_all(lonely.world.service) == 0


def run_environment(lonely: Connected) -> dict[str, str]:
    settings = lonely.world.service.settings
    return {"DATA_DIR": settings.data_dir, "DATABASE_URL": "", "BASE_URL": settings.base_url}


# --- operations ---


def leave_unknown(lonely: Connected, *, is_done: bool) -> tuple[dict[str, Any], str]:
    """Leave an operation whose outcome nobody could find out; return its pass, and its ID."""
    lonely.connect()
    made = lonely.make(points=10, email="ada@example.com")
    lonely.server.fail(Failure.LOST_AFTER if is_done else Failure.LOST, "add_points")
    lonely.server.fail(Failure.AWAY, "settled")
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    answer = lonely.world.act("update-points", body, idempotency_key="invoice-1")
    assert answer.status_code == 504
    return made, str(answer.get_json()["operation_id"])


def test_an_operation_is_shown_without_the_holders_data(lonely: Connected, run: Run) -> None:
    made, operation_id = leave_unknown(lonely, is_done=True)
    shown = succeeded(run("operation", "show", operation_id))
    for line in (
        f"operation: {operation_id}",
        "account: demo, test mode",
        "action: update-points",
        "idempotency key: kept as a hash",
        f"pass: {made['id']}",
        "status: unknown",
        "effects: add points",
    ):
        assert line in shown.splitlines()
    assert "ada@example.com" not in shown
    done = made["id"]
    answer = lonely.world.act("update-points", {"pass_id": done, "change": "add", "points": 1})
    shown = succeeded(run("operation", "show", answer.get_json()["operation_id"]))
    assert "status: succeeded" in shown
    assert "effects" not in shown
    assert "ada@example.com" not in shown
    refused(run("operation", "show", "op_nowhere"), "no operation 'op_nowhere'")


@pytest.mark.parametrize("is_done", [True, False])
def test_an_operator_says_what_became_of_an_operation(lonely: Connected, run: Run, is_done: bool) -> None:
    made, operation_id = leave_unknown(lonely, is_done=is_done)
    refused(run("operation", "resolve", operation_id), "--happened", code=2)
    shown = succeeded(run("operation", "resolve", operation_id, "--happened" if is_done else "--did-not-happen"))
    assert f"status: {'succeeded' if is_done else 'failed'}" in shown
    assert "passrail operation resolve" in shown
    assert lonely.get(made["id"])["points"] == (15 if is_done else 10)
    refused(run("operation", "resolve", operation_id, "--happened"), "outcome of this operation is known")
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    again = lonely.world.act("update-points", body, idempotency_key="invoice-1")
    assert again.get_json()["points"] == 15


def test_nothing_is_shown_of_a_world_that_is_not_named(lonely: Connected, run: Run) -> None:
    lonely.connect()
    live = ("--account", "demo", "--mode", Mode.LIVE.value)
    assert succeeded(run("issuer", "show", *live)) == "builtin\n"
    refused(run("issuer", "show", "--account", "nobody", "--mode", "test"), "'nobody'")
