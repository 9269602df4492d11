"""The bench of points at PassKit in a tiny setting, and what it must notice."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner

from app.model import Mode, system_clock
from app.operations.plan import issuer_id
from app.store import operations
from app.store.operations import Operation, OperationStatus
from bench import bare, passkit
from bench.__main__ import main
from bench.databases import Database, databases
from bench.figures import BenchFailed
from bench.upstream import Members, Upstream

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the bench reads Linux's /proc"),
    pytest.mark.slow,
    pytest.mark.only_thorough,
]
NO_UPSTREAM = Upstream("http://127.0.0.1:9")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """An account with members at PassKit, one of whom got a point by a request with the key `key-1`."""
    with databases("sqlite") as new_database:
        made = passkit.connect(new_database(), NO_UPSTREAM)
        operation = Operation(
            id="op_1",
            account_id=made.account.id,
            mode=Mode.TEST,
            action="update-points",
            status=OperationStatus.SUCCEEDED,
            fingerprint="",
            created_at=system_clock(),
            key_digest="key-1",
        )
        with made.store() as store, store.write() as connection:
            operations.add(connection, operation)
        yield made


def done(database: Database, effects: dict[str, int]) -> Members:
    """Return what an upstream tells that did this for these keys."""
    return Members(effects=Counter({issuer_id(key): number for key, number in effects.items()}))


def test_the_command_line_prints_figures_with_their_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)  # wrk runs for whole seconds only
    monkeypatch.setattr(passkit, "WARM_UP_SECONDS", 0.2)
    monkeypatch.setattr(passkit, "FEW", 2)
    monkeypatch.setattr(passkit, "MANY", 4)
    result = CliRunner().invoke(main, ["passkit", "--seconds", "0.3", "--rounds", "1", "--database", "sqlite"])
    assert result.exit_code == 0, result.output
    for goal in (">= 0.50", ">= 0.92", "<= 5"):
        assert goal in result.output
    assert "The upstream did each of them just once." in result.output


@pytest.mark.parametrize(
    ("effects", "complaint"),
    [
        ({}, "1 are missing, 0 too many, 0 were done twice"),
        ({"key-1": 1, "key-2": 1}, "0 are missing, 1 too many, 0 were done twice"),
        ({"key-1": 2}, "0 are missing, 0 too many, 1 were done twice"),
    ],
)
def test_an_effect_lost_or_doubled_fails_the_bench(database: Database, effects: dict[str, int], complaint: str) -> None:
    with pytest.raises(BenchFailed, match=complaint):
        passkit.check_effects(database, done(database, effects))


def test_a_balance_that_differs_fails_the_bench(database: Database) -> None:
    found = replace(done(database, {"key-1": 1}), balances=Counter({"benchMember00000000000": 1}))
    with pytest.raises(BenchFailed, match="Balances on record"):
        passkit.check_effects(database, found)


def test_what_the_bare_route_did_is_left_out(database: Database) -> None:
    found = done(database, {"key-1": 1})
    found.effects[bare.CALLER] = found.balances[bare.CALLER] = 5
    passkit.check_effects(database, found)


def test_a_request_for_something_else_fails_the_bench(database: Database) -> None:
    found = replace(done(database, {"key-1": 1}), unknown=Counter({"GET /members": 1}))
    with pytest.raises(BenchFailed, match="GET /members"):
        passkit.check_effects(database, found)
