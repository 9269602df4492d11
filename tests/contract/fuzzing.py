"""The fuzz run: the real service on a port of its own, things in it to hit, and Schemathesis let loose on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import update

from app.model import IdKind, Mode, new_id
from app.store import imports
from app.store.imports import Import, ImportStatus, Position
from app.store.tables import operations, passes
from tests.contract import document
from tests.contract.aim import KEYS_VARIABLE, LOG_VARIABLE, TARGETS_VARIABLE, Targets
from tests.processes import ROOT, command_of, free_port, wait_until
from tests.world import BRONZE, COUPON, GOLD, MEMBERSHIP, RECEIVER_HOST, SILVER, TICKET, World, make_world

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
APPLICATION = '"app:create_app()"'
KEPT, USED_UP = 25, 120  # passes that an action leaves as they are, and passes that it can be done to once
FIELDS = {MEMBERSHIP: "member_since", COUPON: "code", TICKET: "seat"}
FIRST_TIERS = {MEMBERSHIP: BRONZE, COUPON: "tier_demo_welcome", TICKET: "tier_demo_standing"}


@dataclass(frozen=True)
class Stage:
    """A folder with a database that has something in it, and what a run needs to know of it."""

    folder: Path
    targets: Path
    keys: Path

    @property
    def data(self) -> Path:
        """Where the service keeps its files."""
        return self.folder / "data"


@dataclass(frozen=True)
class Note:
    """One request and its answer, as the hooks noted it."""

    operation: str | None
    phase: str | None
    is_valid: bool
    status: int


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    returned: int
    output: str
    folder: Path

    @cached_property
    def notes(self) -> list[Note]:
        """Every generated request, in order."""
        lines = (self.folder / "notes.jsonl").read_text(encoding="utf-8").splitlines()
        return [Note(**json.loads(line)) for line in lines]

    @cached_property
    def answers(self) -> list[dict[str, Any]]:
        """Every answer there was as HAR has it, those to the checks' own requests included."""
        log = json.loads((self.folder / "run.har").read_text(encoding="utf-8"))["log"]
        return [entry["response"] for entry in log["entries"]]

    @cached_property
    def report(self) -> dict[str, Any]:
        """Schemathesis's own report: phases, failures, warnings."""
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return found

    @property
    def failures(self) -> set[str]:
        """Titles of the failures, one for each kind."""
        return {failure["title"] for failure in self.report["failures"]}


def set_stage(folder: Path) -> Stage:
    """Make a database with the demo's programs, passes for every action, and a second account."""
    world = make_world(folder / "data", log_level="WARNING")  # else a line for each request is in every failure
    try:
        stage = Stage(folder, folder / "targets.json", folder / "keys.json")
        stage.keys.write_text(json.dumps(_identities(world)), encoding="utf-8")
        _targets(world).save(stage.targets)
    finally:
        world.service.store.close()
    return stage


@contextmanager
def serving(stage: Stage, planted: str | None = None) -> Iterator[str]:
    """Run the Procfile's web server, or the same with a bug planted in it; give its address.

    Args:
        stage: what it serves.
        planted: name of a bug of `planted.py`.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    [shell, option, line] = command_of("web")
    assert APPLICATION in line, line
    if planted is not None:
        line = line.replace(APPLICATION, '"tests.contract.planted:create_app()"')
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "BASE_URL": url,
        "DATA_DIR": str(stage.data),
        "HOOK_ALLOWED_HOSTS": RECEIVER_HOST,
        "LOG_LEVEL": "WARNING",
        "RATE_LIMIT_PER_MINUTE": "100000000",
        "RATE_LIMIT_BURST": "100000000",
        "PASSRAIL_PLANTED": planted or "",
    }
    with (stage.folder / "server.log").open("wb") as log:
        server = subprocess.Popen([shell, option, line], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(url), f"{url} to answer")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(40)
        finally:
            server.kill()


def fuzz(stage: Stage, url: str, *, examples: int, seed: int, more: Sequence[str] = ()) -> Outcome:
    """Let Schemathesis loose on a service.

    Args:
        stage: what the service serves.
        url: its address.
        examples: requests to generate for each operation in the fuzzing phase.
        seed: what random choices follow from.
        more: further options, to narrow the run.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIGURATION, "--no-color", "run"]
    options = [f"{url}/openapi.json", "--checks", "all", "-n", examples, "--seed", seed]
    report = ["--report", "har,json", "--report-har-path", stage.folder / "run.har"]
    report += ["--report-json-path", stage.folder / "run.json"]
    for name in ("notes.jsonl", "run.har", "run.json"):
        (stage.folder / name).unlink(missing_ok=True)
    environment: Mapping[str, str] = {
        **os.environ,
        TARGETS_VARIABLE: str(stage.targets),
        KEYS_VARIABLE: str(stage.keys),
        LOG_VARIABLE: str(stage.folder / "notes.jsonl"),
    }
    done = subprocess.run(
        [str(part) for part in (*command, *options, *report, *more)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, stage.folder)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=120).status_code == 200
    except requests.RequestException:
        return False


def _identities(world: World) -> dict[str, Any]:
    keys = {"demo": world.key, "other": world.make_key(account="other")}
    return {
        "auth": [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
            for name, key in keys.items()
        ]
    }


def _targets(world: World) -> Targets:
    examples = _make_examples_true(world)
    kept = _issue(world, [MEMBERSHIP], KEPT, "kept")
    renamed = _issue(world, [MEMBERSHIP], KEPT, "renamed")  # update-pass changes the address they could be found by
    revocable = _issue(world, [MEMBERSHIP, COUPON], USED_UP, "revocable")
    spare = [_make_program(world, f"Spare {number}") for number in range(KEPT)]
    hooks = [world.make_hook()["id"] for _ in range(KEPT)]
    told = _make_delivery(world)
    return Targets(
        passes={
            "update_pass": renamed,
            "update_points": kept,
            "change_tier": kept,
            "redeem_pass": _issue(world, [COUPON, TICKET], USED_UP, "redeemable"),
            "revoke_pass": revocable,
            "reinstate_pass": revocable,
        },
        programs=[
            {"id": MEMBERSHIP, "kind": "membership", "tier_id": BRONZE, "field": FIELDS[MEMBERSHIP]},
            {"id": COUPON, "kind": "coupon", "tier_id": FIRST_TIERS[COUPON], "field": FIELDS[COUPON]},
            {"id": TICKET, "kind": "event_ticket", "tier_id": FIRST_TIERS[TICKET], "field": FIELDS[TICKET]},
        ],
        tiers=[BRONZE, SILVER, GOLD],
        paths={
            "get_pass": {"pass_id": [one["pass_id"] for one in kept]},
            "get_pass_history": {"pass_id": [one["pass_id"] for one in kept]},
            "get_program": {"program_id": [MEMBERSHIP, COUPON, TICKET]},
            "update_program": {"program_id": spare},
            "list_tiers": {"program_id": [MEMBERSHIP, COUPON, TICKET]},
            "list_fields": {"program_id": [MEMBERSHIP, COUPON, TICKET]},
            "get_operation": {"operation_id": [one["operation_id"] for one in kept]},
            "resolve_operation": {"operation_id": _leave_unknown(world)},
            "get_import": {"import_id": [_note_import(world)]},
            **{
                name: {"hook_id": hooks}
                for name in ("get_hook", "update_hook", "test_hook", "list_deliveries", "replay_deliveries")
            },
            "replay_delivery": {"hook_id": [told["hook_id"]], "delivery_id": [told["id"]]},
        },
        examples=examples,
    )


def _make_delivery(world: World) -> dict[str, Any]:
    """Make a delivery that can be replayed, of a hook that nothing else is tried on."""
    hook = world.make_hook()
    world.make_pass()
    return world.deliveries(hook["id"])[0]


def _make_examples_true(world: World) -> dict[str, str]:
    """Make the pass and the operation that the document's examples speak of, under their very IDs."""
    made = world.make_pass(external_id="customer-501", email="ada@example.com", first_name="Ada", last_name="Lovelace")
    example = document.load().operation("update_points").success[1]["example"]
    with world.service.store.write() as connection:
        connection.execute(update(passes).where(passes.c.id == made["id"]).values(id=example["id"]))
        renamed = update(operations).where(operations.c.id == made["operation_id"])
        connection.execute(renamed.values(id=example["operation_id"], pass_id=example["id"]))
    return {
        "pass_id": example["id"],
        "program_id": example["program_id"],
        "external_id": example["external_id"],
        "email": example["email"],
    }


def _issue(world: World, programs: list[str], number: int, name: str) -> list[Mapping[str, str]]:
    """Issue passes. Memberships get points: with none, every subtraction would be refused for that alone."""
    issued: list[Mapping[str, str]] = []
    for place in range(number):
        program_id = programs[place % len(programs)]
        holder = {"external_id": f"{name}-{place}", "email": f"{name}-{place}@example.com"}
        points = {"points": 1000} if program_id == MEMBERSHIP else {}
        made = world.make_pass(program_id, **holder, **points)
        names = {"pass_id": made["id"], "program_id": program_id, **holder}
        issued.append({**names, "field": FIELDS[program_id], "operation_id": made["operation_id"]})
    return issued


def _leave_unknown(world: World) -> list[str]:
    """Leave operations of unknown outcome, in a program that nothing else is tried on."""
    body = {"program_id": _make_program(world, "Unknown outcomes"), "external_id": "simulate_timeout"}
    tried = [world.act("create-pass", body) for _ in range(USED_UP)]
    assert {answer.status_code for answer in tried} == {504}
    return [answer.get_json()["operation_id"] for answer in tried]


def _note_import(world: World) -> str:
    """Put an import on record: the service that is fuzzed has no keys for a vault, so that none can be begun."""
    now = world.clock()
    done = Import(
        id=new_id(IdKind.IMPORT),
        account_id=world.account.id,
        mode=Mode.TEST,
        program_id=None,
        status=ImportStatus.SUCCEEDED,
        position=Position(""),
        created_at=now,
        finished_at=now,
    )
    with world.service.store.write() as connection:
        imports.add(connection, done)
    return done.id


def _make_program(world: World, name: str) -> str:
    made = world.request("POST", "/v1/programs", json={"kind": "membership", "name": name})
    assert made.status_code == 201, made.text
    return str(made.get_json()["id"])
