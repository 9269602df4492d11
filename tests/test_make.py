"""What `make` does before it runs anything: it checks Python and the port, and mends the environment by itself."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port

# A Python that pretends: to be of some version, to make environments, and to install. `-c` is the real one's work.
PYTHON = """#!/bin/sh
echo "$(basename "$(dirname "$(dirname "$0")")") $*" >> {calls}
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg" ;;
    "-m pip") {pip} ;;
    "-c "*) exec {real} -c "import sys; sys.version_info = {version}; sys.prefix = '$(dirname "$0")'; $2" ;;
    *) exec {real} "$@" ;;
esac
"""


@dataclass
class Project:
    """A copy of what `make` needs, with nothing to install."""

    folder: Path

    def python(self, name: str = "python3", version: tuple[int, int] = (3, 11), pip: str = "true") -> Path:
        """Put a Python on the PATH; `pip` is what its pip does."""
        path = self.folder / "path" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        calls = self.folder / "calls"
        path.write_text(PYTHON.format(calls=calls, pip=pip, real=sys.executable, version=(*version, 7)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `make` as somebody whose PATH has only this Python."""
        left_out = ("PYTHON", "MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        kept["PATH"] = f"{self.folder / 'path' / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=self.folder,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def installed(self) -> int:
        """Return how often pip was asked since the last look."""
        calls = self.folder / "calls"
        asked = calls.read_text().count(" -m pip ") if calls.exists() else 0
        calls.unlink(missing_ok=True)
        return asked


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy with a good Python and no environment."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    made = Project(tmp_path)
    made.python()
    return made


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a failed `make` has said, without what make itself adds."""
    assert done.returncode != 0, done.stdout
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return line


@pytest.mark.parametrize("target", ["run", "test"])
def test_a_python_that_is_too_old_is_told_in_a_sentence(project: Project, target: str) -> None:
    project.python(version=(3, 10))
    said = sentence(project.make(target))
    assert said.startswith("Passrail needs Python 3.11 or newer, and python3 is Python 3.10: ")
    assert "PYTHON=python3.12 make run" in said
    assert not (project.folder / ".venv").exists()


@pytest.mark.parametrize("target", ["run", "test"])
def test_a_python_that_is_not_there_is_told_in_a_sentence(project: Project, target: str) -> None:
    said = sentence(project.make(target, PYTHON="python9"))
    assert said.startswith("Passrail needs Python 3.11 or newer, and python9 cannot be run: ")


def test_what_is_installed_is_left_alone_until_the_locks_change(project: Project) -> None:
    assert project.make("install").returncode == 0
    assert project.installed() > 0
    assert project.make("install").returncode == 0
    assert project.installed() == 0
    later = (project.folder / ".venv" / ".runtime").stat().st_mtime + 5
    os.utime(project.folder / "requirements.lock", (later, later))
    assert project.make("install").returncode == 0
    assert project.installed() > 0


def test_what_is_installed_for_development_is_good_for_running_too(project: Project) -> None:
    assert project.make("development").returncode == 0
    project.installed()
    assert project.make("install").returncode == 0
    assert project.installed() == 0


def break_by_removal_of_python(project: Project) -> None:
    python = project.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")


def break_by_another_python(project: Project) -> None:
    shutil.copy(project.python("python3.10", version=(3, 10)), project.folder / ".venv" / "bin" / "python")


def break_by_copying_the_folder(project: Project) -> None:
    (project.folder / ".venv" / ".runtime").write_text("3 11 /another/folder/.venv\n")


def break_by_stopping_before_pip_was_there(project: Project) -> None:
    (project.folder / ".venv" / ".runtime").unlink()
    (project.folder / ".venv" / "bin" / "python").unlink()


def break_by_stopping_in_the_middle_of_pip(project: Project) -> None:
    (project.folder / ".venv" / ".runtime").unlink()
    shutil.copy(
        project.python("broken", pip="echo no metadata >&2; exit 1"), project.folder / ".venv" / "bin" / "python"
    )


@pytest.mark.parametrize(
    "damage",
    [
        break_by_removal_of_python,
        break_by_another_python,
        break_by_copying_the_folder,
        break_by_stopping_before_pip_was_there,
        break_by_stopping_in_the_middle_of_pip,
    ],
    ids=lambda damage: damage.__name__.removeprefix("break_by_"),
)
def test_a_broken_environment_is_made_anew(project: Project, damage: object) -> None:
    assert project.make("install").returncode == 0
    left = project.folder / ".venv" / "left"
    left.touch()
    assert callable(damage)
    damage(project)
    done = project.make("install")
    assert done.returncode == 0, done.stderr
    assert "it is made anew" in done.stderr
    assert not left.exists()
    project.installed()
    assert project.make("install").returncode == 0
    assert project.installed() == 0


def test_an_environment_outlives_an_update_that_fails(project: Project) -> None:
    """Without a network, what is there still works."""
    assert project.make("install").returncode == 0
    kept = project.folder / ".venv" / "kept"
    kept.touch()
    shutil.copy(project.python("offline", pip="exit 1"), project.folder / ".venv" / "bin" / "python")
    later = kept.stat().st_mtime + 5
    os.utime(project.folder / "requirements.lock", (later, later))
    assert "could not be installed" in sentence(project.make("install"))
    assert kept.exists()


def check_port(host: str, port: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "check_port.py"), host, port]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_port_that_is_taken_is_told_in_a_sentence(project: Project) -> None:
    """The pretended environment has no `passrail` command: whatever went on would fail in other words."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(project.make("run", PORT=str(port)))
    assert re.fullmatch(f"Another program uses port {port}: .*PORT=80[0-9]+ make run\\.", said)


def test_a_port_that_is_free_is_not_spoken_of() -> None:
    done = check_port("127.0.0.1", str(free_port()))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_host_that_is_not_of_this_machine_is_told_too() -> None:
    done = check_port("192.0.2.1", str(free_port()))
    assert done.returncode == 1
    assert re.fullmatch(r"The server cannot listen at port \d+ of 192\.0\.2\.1: .*\.\n", done.stderr)


@pytest.mark.parametrize("port", ["", "http", "70000", "-1"])
def test_what_is_no_port_is_left_to_the_settings(port: str) -> None:
    assert check_port("127.0.0.1", port).returncode == 0
