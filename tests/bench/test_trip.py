"""The count of what one action goes through."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from bench import trip
from bench.__main__ import main
from bench.trip import BUILTIN, PASSKIT, Trip


@pytest.fixture(scope="module")
def trips() -> dict[str, Trip]:
    return trip.measure()


@pytest.mark.parametrize("name", [BUILTIN, PASSKIT])
def test_everything_on_the_way_is_counted(trips: dict[str, Trip], name: str) -> None:
    one = trips[name]
    assert 0 < len(one.files) < len(one.functions) < one.calls
    assert one.own_statements > one.writes > 0
    for passed in (("operations/runner.py", "run"), ("actions/update_points.py", "decide"), ("observe.py", "_finish")):
        assert passed in one.functions
    assert sys.getprofile() is None


def test_an_action_passes_through_few_files(trips: dict[str, Trip]) -> None:
    assert len(trips[BUILTIN].files) <= 24
    assert len(trips[PASSKIT].files) <= 42


def test_the_transactions_are_those_that_the_issuer_needs(trips: dict[str, Trip]) -> None:
    assert {name: one.writes for name, one in trips.items()} == {BUILTIN: 1, PASSKIT: 2}
    assert ("operations/steps.py", "carry_out") in trips[PASSKIT].functions
    assert not [file for file in trips[BUILTIN].files if file.startswith(("issuers/passkit/", "sync/"))]


def test_the_command_line_prints_the_counts(trips: dict[str, Trip]) -> None:
    result = CliRunner().invoke(main, ["trip"])
    assert result.exit_code == 0, result.output
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in result.output.splitlines() if "|" in line}
    for name, one in trips.items():
        counts = len(one.files), len(one.functions), one.calls, one.writes, one.own_statements
        assert [int(cell) for cell in rows[name]] == list(counts)
