from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SKIPPING = """
import pytest
from tests.strict import unavailable

def test_passes(): pass
@pytest.mark.xfail
def test_is_expected_to_fail(): assert False
{skipping}
"""


def run(tmp_path: Path, skipping: str, *, strict: bool) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text(SKIPPING.format(skipping=skipping))
    environment = {**os.environ, "PASSRAIL_TEST_STRICT": "1" if strict else "0", "PYTHONPATH": str(ROOT)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # loading all the others takes longer than the test
    options = ["-p", "tests.strict", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


SKIPS = {
    "mark": "@pytest.mark.skip('no reason')\ndef test_skips(): pass",
    "call": "def test_skips(): pytest.skip('no reason')",
    "fixture": "@pytest.fixture\ndef it(): pytest.skip('no reason')\ndef test_skips(it): pass",
    "module": "pytest.skip('no reason', allow_module_level=True)",
    "import": "pytest.importorskip('no_such_module_anywhere', reason='no reason')",
}


@pytest.mark.parametrize("way", SKIPS)
def test_a_skip_fails_the_strict_run_and_is_named(tmp_path: Path, way: str) -> None:
    assert run(tmp_path, SKIPS[way], strict=False).returncode in (0, 5)
    done = run(tmp_path, SKIPS[way], strict=True)
    assert done.returncode in (1, 2), done.stdout
    assert "was skipped" in done.stdout
    assert "no reason" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_material_that_is_not_part_of_the_project_may_be_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_skips(): pytest.skip('shared: no samples here')", strict=True)
    assert done.returncode == 0, done.stdout


def test_a_missing_tool_is_a_skip_or_a_failure(tmp_path: Path) -> None:
    body = "def test_needs(): unavailable('postgresql', 'apt-get install postgresql')"
    assert "1 skipped" in run(tmp_path, body, strict=False).stdout
    done = run(tmp_path, body, strict=True)
    assert done.returncode == 1
    assert "install postgresql (apt-get install postgresql)" in done.stdout
