"""Real processes of the service, for tests that must see more than one of them."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A wait ends with what is waited for. It is long because other programs may want the processor too.
WAIT_SECONDS = 180.0
# Below those that the system gives to whoever asks for any, and that it would have given away until a server starts.
FIRST_PORT, LAST_PORT = 10_000, 31_760
# Test processes of one run take every 64th port, each from another one on: no two take the same.
STEP = 64
_begin = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(FIRST_PORT, LAST_PORT, STEP)
_ports = count(_begin + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")), STEP)


def free_port() -> int:
    """Return a port nobody listens on at this moment, and that no other test will take."""
    while True:
        port = FIRST_PORT + (next(_ports) - FIRST_PORT) % (LAST_PORT - FIRST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for something another process does; fail after minutes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def command_of(process_type: str) -> list[str]:
    """Return the shell command line of the Procfile, as a process manager would run it."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(": ")
        if name == process_type:
            return ["/bin/sh", "-c", f"exec {command}"]
    raise LookupError(process_type)


@contextmanager
def running(
    process_type: str, environment: Mapping[str, str], log: Path, within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a line of the Procfile with its output in a file; kill what is left of it afterwards.

    Args:
        within: a command that runs the one given to it as further arguments.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*within, *command_of(process_type)],
            cwd=ROOT,
            env={**os.environ, "PATH": path, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
