"""Events to one dead and nine live receivers: how late the live ones hear, and whether anything is lost.

Web server, worker and receivers are processes of their own, started as the Procfile has them. The dead receiver takes
every connection and never answers, which is the worst a receiver can do.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.actions import make_passes
from bench.databases import Database, databases
from bench.figures import BenchFailed, percentile
from bench.report import judged, say, show_table
from bench.servers import SERVICE, Server, serving
from tests.processes import ROOT, free_port, running

LIVE = 9
GOAL_SECONDS = 2.0
CLIENTS = 4
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Delays:
    """What the live receivers heard: seconds after each event; how many deliveries never came, and came twice."""

    seconds: list[float]
    lost: int
    repeated: int


def run(kind: str, *, events: int, rate: float) -> None:
    """Measure on a database of this kind, and print the figures.

    Args:
        kind: `sqlite` or `postgresql`.
        events: how many.
        rate: how many a second.
    """
    with databases(kind) as new_database:
        delays = measure(new_database(), events=events, rate=rate)
    p50, p95, p99 = (percentile(delays.seconds, percent) for percent in (50, 95, 99))
    row = [
        kind, str(events), f"{rate:.0f}", str(len(delays.seconds)), f"{p50:.3f}", f"{p95:.3f}", f"{p99:.3f}",
        f"{max(delays.seconds):.3f}", str(delays.lost), str(delays.repeated),
    ]  # fmt: skip
    header = [
        "database",
        "events",
        "per second",
        "live deliveries",
        "p50 s",
        "p95 s",
        "p99 s",
        "max s",
        "lost",
        "twice",
    ]
    show_table(f"Events to 1 dead and {LIVE} live receivers", header, [row])
    say(f"p95 below {GOAL_SECONDS:.0f} s: {judged(p95 < GOAL_SECONDS)}. None lost: {judged(delays.lost == 0)}.")


def measure(database: Database, *, events: int, rate: float) -> Delays:
    """Change points at a steady rate and see when each receiver hears of it.

    Raises:
        BenchFailed: a request failed.
    """
    port = free_port()
    log = database.folder / "received"
    settings = {**database.environment, "HOOK_ALLOWED_HOSTS": f"127.0.0.1:{port}", "LOG_LEVEL": "WARNING"}
    with (
        _receiving(port, log),
        serving(SERVICE, settings, database.folder, "/readyz") as web,
        running("worker", settings, database.folder / "worker.log"),
    ):
        [pass_id] = make_passes(web, database.key, 1)
        for path in ("/dead", *(f"/live/{number}" for number in range(LIVE))):
            _request(web, database.key, "/v1/hooks", _hook(f"http://127.0.0.1:{port}{path}"))
        told = _change_points(web, database.key, pass_id, events, rate)
        return _collect(log, told)


def _hook(url: str) -> dict[str, object]:
    return {"target_url": url, "event_types": ["points.changed"]}


@contextmanager
def _receiving(port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "bench.receiver", str(port)], cwd=ROOT, stdout=output)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def _request(web: Server, key: str, path: str, body: dict[str, object]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300:
        raise BenchFailed(f"{path} answered {answer.status}: {text[:300]!r}")


def _change_points(web: Server, key: str, pass_id: str, events: int, rate: float) -> int:
    """Send the actions at their times; return how many were done."""
    numbers, failures, began = count(), [], time.perf_counter()

    def send() -> None:
        while (number := next(numbers)) < events:
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            try:
                body: dict[str, object] = {"pass_id": pass_id, "change": "add", "points": 1}
                _request(web, key, "/v1/actions/update-points", body)
            except (OSError, http.client.HTTPException, BenchFailed) as error:
                failures.append(str(error))

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise BenchFailed(f"{len(failures)} actions failed, the first: {failures[0]}")
    return events


def _collect(log: Path, told: int) -> Delays:
    """Wait until everything has come, or nothing comes any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [line.split() for line in log.read_text().splitlines()]
        heard = Counter((number, event_id) for number, event_id, _ in lines)
        if len(heard) >= told * LIVE or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    seconds = [float(delay) for _, _, delay in lines]
    return Delays(seconds, told * LIVE - len(heard), sum(heard.values()) - len(heard))
