"""docs/passkit.md leads from nothing to points for a paid invoice: its commands are run as they are written there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.test_newcomer import NOT_COPIED
from tests.processes import ROOT, free_port

PAGE = ROOT / "docs" / "passkit.md"
HEADING = "## From a PassKit account to a paid invoice that adds points"
EVENT_SECONDS = 15.0
_DONE = re.compile(r"^=== done (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A block of commands, and what the page says that it prints: in each line, `…` stands for anything."""

    commands: str
    printed: str

    def is_shown_by(self, output: str) -> bool:
        pieces = [re.escape(one.strip()) for line in self.printed.splitlines() for one in line.split("…")]
        return re.search(".*?".join(pieces), output, re.DOTALL) is not None


def steps(page: str) -> list[Step]:
    """Return the blocks of shell of the page's first section."""
    section = page.partition(HEADING)[2].partition("\n## ")[0]
    found = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", section, re.DOTALL)
    return [Step(commands, printed) for commands, printed in found]


class Terminal:
    """One shell that stays open, as a terminal does."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def paste(self, commands: str) -> str:
        """Run commands; return what they print."""
        assert self._process.stdin is not None
        start = len(self._log.read_text())
        self._process.stdin.write(f'{commands}\necho; echo "=== done $?"\n')
        self._process.stdin.flush()
        deadline = time.monotonic() + 60
        while not (done := _DONE.search(self._log.read_text(), start)):
            assert time.monotonic() < deadline, commands
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.02)
        return self._log.read_text()[start : done.start()]


@contextmanager
def terminal(folder: Path, port: int) -> Iterator[Terminal]:
    """Open a shell in a copy of the repository, which has its environment already; end all that was started in it."""
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    (folder / ".venv").symlink_to(sys.prefix)
    log = folder.parent / "terminal.log"
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "PATH")}
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**kept, "PORT": str(port)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield Terminal(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def ports() -> dict[str, int]:
    """Free ports for those that the page names."""
    return {"8000": free_port(), "8090": free_port()}


@pytest.mark.only_thorough
def test_the_commands_of_the_page_lead_to_points_that_count_once(tmp_path: Path, ports: dict[str, int]) -> None:
    found = steps(PAGE.read_text(encoding="utf-8"))
    assert sum(bool(step.printed) for step in found) >= 8
    with terminal(tmp_path / "passrail", ports["8000"]) as shell:
        for step in found:
            commands = re.sub(r"\b(8000|8090)\b", lambda match: str(ports[match[0]]), step.commands)
            deadline = time.monotonic() + EVENT_SECONDS
            while not step.is_shown_by(output := shell.paste(commands)):
                asks_again = "/v1/events" in commands and time.monotonic() < deadline
                assert asks_again, f"{commands}\nprinted\n{output}\nand not\n{step.printed}"
        shell.paste("kill %1 %2; wait")


def test_output_that_is_not_as_the_page_says_is_noticed() -> None:
    (step,) = steps(f'{HEADING}\n```sh\ndo\n```\n\n```text\n… "points":49, …\nagain\n```\n## Next')
    assert step.is_shown_by('{"id":1,"points":49,"x":2}\nheader\nagain')
    assert not step.is_shown_by('{"id":1,"points":98,"x":2}\nagain')
    assert not step.is_shown_by('again {"id":1,"points":49,"x":2}')
