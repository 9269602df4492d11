"""Servers under measurement: started by the Procfile's own line, watched through Linux's /proc."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from app.settings import Settings
from bench.figures import BenchFailed
from tests.processes import ROOT, command_of, free_port

SERVICE = "app:create_app()"
BARE = "bench.bare:create_app()"
BARE_CALLING = "bench.bare:create_calling_app()"

START_SECONDS = 60.0
POLL_SECONDS = 0.002
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes (of 1 000 000 bytes) of a process.

    `pss` counts what processes share in equal parts, so the workers' figures add up to what the machine really
    spends; `rss` counts it in full.
    """

    pss: float
    rss: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn. `started_in` is the seconds from its start to its first good answer."""

    pid: int
    port: int
    started_in: float

    @property
    def workers(self) -> list[int]:
        """The process IDs of gunicorn's workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def cpu_seconds(self) -> float:
        """Processor time the workers took since their start, user and system."""
        return sum(_cpu_seconds(pid) for pid in self.workers)

    def memory(self) -> list[Memory]:
        """What each worker takes now."""
        return [_memory(pid) for pid in self.workers]


@contextmanager
def serving(application: str, environment: Mapping[str, str], folder: Path, probe: str) -> Iterator[Server]:
    """Run the Procfile's web line with an application until the end of the block.

    Args:
        application: what gunicorn serves, `SERVICE`, `BARE` or `BARE_CALLING`.
        environment: settings; those of the caller's own environment do not count.
        folder: gets the output, as `web.log`.
        probe: path that is asked until it answers with 200.
    """
    shell = [part.replace(SERVICE, application) for part in command_of("web")]
    assert application in shell[-1], "the Procfile serves something else than this bench expects"
    port = free_port()
    own = {name: value for name, value in os.environ.items() if name not in _SETTING_NAMES}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    log = folder / "web.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            shell,
            cwd=ROOT,
            env={**own, "PATH": path, "HOST": "127.0.0.1", "PORT": str(port), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not _answers(port, probe):
            if process.poll() is not None or time.perf_counter() - started > START_SECONDS:
                raise BenchFailed(f"{application} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(POLL_SECONDS)
        yield Server(process.pid, port, time.perf_counter() - started)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


_SETTING_NAMES = {name for one in fields(Settings) for name in (one.name.upper(), f"{one.name.upper()}_FILE")}


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _cpu_seconds(pid: int) -> float:
    # The command's name stands in brackets and may hold blanks; user and system time are fields 14 and 15.
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_SECOND


def _memory(pid: int) -> Memory:
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        if name in ("Pss", "Rss"):
            found[name] = int(rest.split()[0]) * 1024 / 1_000_000
    return Memory(found["Pss"], found["Rss"])
