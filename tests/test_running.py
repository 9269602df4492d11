"""How the suite runs: in two sizes, in several processes, with tables at its end and a reason for every skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import thorough
from tests.processes import ROOT

MATRIX = """
import pytest

@pytest.mark.matrix({names})
@pytest.mark.parametrize("way", [True, False])
@pytest.mark.parametrize("row", ["a", "b", "c"])
@pytest.mark.parametrize("column", [(1,), (2,), (3,), (4,)], ids=str)
def test_cell(tally, row, column, way):
    tally("the table", row, str(column), tried=1, failed=0)
"""
SKIPPING = """
from tests.strict import unavailable

def test_needs(): unavailable("postgresql", "apt-get install postgresql")
def test_passes(): pass
"""


def run(folder: Path, text: str, *options: str, **environment: str) -> str:
    """Run a file of tests with the project's own options and plug-ins; return what was printed."""
    (folder / "test_it.py").write_text(text)
    plugins = ["xdist.plugin", "pytest_timeout", "tests.strict", "tests.thorough", "tests.tables"]
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command += ["-p", "no:cacheprovider", *(part for name in plugins for part in ("-p", name)), *options, str(folder)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PASSRAIL_TEST_", "PYTEST_"))}
    kept |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # all the others take long to load
    done = subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


def cells(printed: str) -> list[list[str]]:
    """Return the rows of the table, without its first column."""
    lines = printed.partition("each cell: tried/failed\n")[2].splitlines()
    return [line.split()[1:] for line in lines[1 : 1 + 3]]


def test_the_thorough_run_has_every_cell(tmp_path: Path) -> None:
    printed = run(tmp_path, MATRIX.format(names=""), PASSRAIL_TEST_THOROUGH="1")
    assert cells(printed) == [["2/0"] * 4] * 3
    assert "in all: 24 tried, 0 failed" in printed


def test_the_ordinary_run_meets_every_value_in_as_few_cells_as_there_can_be(tmp_path: Path) -> None:
    printed = run(tmp_path, MATRIX.format(names=""))
    assert "4 passed, 20 deselected" in printed
    met = cells(printed)
    assert all(any(cell != "-" for cell in row) for row in met)
    assert all(any(cell != "-" for cell in column) for column in zip(*met, strict=True))


def test_the_ordinary_run_meets_every_combination_that_is_named(tmp_path: Path) -> None:
    printed = run(tmp_path, MATRIX.format(names='"row,column", "way"'))
    assert "12 passed, 12 deselected" in printed
    assert cells(printed) == [["1/0"] * 4] * 3


def test_the_ordinary_run_has_the_same_cells_every_time(tmp_path: Path) -> None:
    hashes = [cells(run(tmp_path, MATRIX.format(names=""), PYTHONHASHSEED=seed)) for seed in ("1", "2")]
    assert hashes[0] == hashes[1]


def test_cells_that_are_asked_for_by_name_are_run(tmp_path: Path) -> None:
    assert "4 passed" in run(tmp_path, MATRIX.format(names=""), "-k", "c and False")


def test_tables_are_whole_when_several_processes_share_the_tests(tmp_path: Path) -> None:
    printed = run(tmp_path, MATRIX.format(names=""), "-n2", PASSRAIL_TEST_THOROUGH="1")
    assert "in all: 24 tried, 0 failed" in printed


def test_a_skip_says_what_to_install(tmp_path: Path) -> None:
    printed = run(tmp_path, SKIPPING, "-n2")
    assert "install postgresql (apt-get install postgresql)" in printed
    assert "1 passed, 1 skipped" in printed


def test_a_skip_fails_the_strict_run_of_several_processes_too(tmp_path: Path) -> None:
    printed = run(tmp_path, SKIPPING, "-n2", PASSRAIL_TEST_STRICT="1")
    assert "install postgresql (apt-get install postgresql)" in printed
    assert "1 failed, 1 passed" in printed


def test_values_by_turns_are_all_met_by_tests_of_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    databases = ["sqlite", "postgresql"]
    monkeypatch.setattr(thorough, "IS_THOROUGH", False)
    taken = [thorough.by_turns(f"test_{number}", databases) for number in range(20)]
    assert {len(one) for one in taken} == {1}
    assert {one[0] for one in taken} == set(databases)
    assert taken == [thorough.by_turns(f"test_{number}", databases) for number in range(20)]
    monkeypatch.setattr(thorough, "IS_THOROUGH", True)
    assert thorough.by_turns("test_1", databases) == databases


def test_what_is_only_for_the_thorough_run_is_left_out_of_the_other(tmp_path: Path) -> None:
    text = "import pytest\n\n@pytest.mark.only_thorough\ndef test_tool(): pass\n\ndef test_service(): pass\n"
    assert "1 passed, 1 deselected" in run(tmp_path, text)
    assert "2 passed" in run(tmp_path, text, PASSRAIL_TEST_THOROUGH="1")
