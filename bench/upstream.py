"""The least that PassKit can be: it adds points and counts what it added. A process of its own.

The fake of the tests knows all of PassKit and checks what it gets, which takes processor time from what is measured.
This one answers the single route that update-points asks for, on the fake's own HTTP server.

    python -m bench.upstream PORT

`PUT /delay` sets the seconds that every answer takes, `GET /counted` tells what was done.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from subprocess import Popen
from typing import Any

import requests

from tests.fakes.passkit.http import Later, Reply, Request, Server
from tests.processes import ROOT, free_port, wait_until

EARN = "/members/member/points/earn"


@dataclass
class Members:
    """Balances by member, effects by the caller's event ID, and routes that nobody should ask for."""

    delay_seconds: float = 0.0
    balances: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def handle(self, request: Request) -> Reply | Later:
        """Answer, after the delay; as at PassKit the effect comes first."""
        match request.method, request.path:
            case "PUT", "/members/member/points/earn":
                reply = self._earn(json.loads(request.body))
                return Later(self.delay_seconds, lambda: reply) if self.delay_seconds else reply
            case "PUT", "/delay":
                self.delay_seconds = float(request.body)
                return Reply(body=b"{}")
            case "GET", "/counted":
                counted = {"balances": self.balances, "effects": self.effects, "unknown": self.unknown}
                return Reply(body=json.dumps(counted).encode())
        self.unknown[f"{request.method} {request.path}"] += 1
        return Reply(404, b"{}")

    def _earn(self, body: dict[str, Any]) -> Reply:
        member, points = body["id"], body["points"]
        self.balances[member] += points
        self.effects[body["eventDetails"]["externalEventId"]] += 1
        return Reply(body=b'{"id":"%b","points":%d}' % (member.encode(), self.balances[member]))


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running one."""

    url: str

    def delay(self, seconds: float) -> None:
        """Let every answer take so long."""
        requests.put(f"{self.url}/delay", data=str(seconds), timeout=10).raise_for_status()

    def counted(self) -> Members:
        """Return what was done so far."""
        counted = requests.get(f"{self.url}/counted", timeout=10).json()
        return Members(0, *(Counter(counted[name]) for name in ("balances", "effects", "unknown")))


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Run it until the end of the block."""
    port = free_port()
    process = Popen([sys.executable, "-m", "bench.upstream", str(port)], cwd=ROOT)
    upstream = Upstream(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(upstream), "the upstream to start")
        yield upstream
    finally:
        process.terminate()
        process.wait(10)


def _answers(upstream: Upstream) -> bool:
    try:
        upstream.delay(0)
    except requests.ConnectionError:
        return False
    return True


def main() -> None:
    """Serve until somebody ends the process."""
    Server(Members().handle, lambda: formatdate(usegmt=True), int(sys.argv[1])).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
