"""Events to live and bad receivers: how late the live ones hear, and whether anything is lost; and a burst of events.

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
from collections.abc import Iterator, Sequence
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
BAD_EVENTS, BAD_RATE = 6000, 100.0  # a minute
BURST_BATCHES, BATCH = 3, 100
BURST_GOAL_SECONDS = 8.0
HEADER = ["database", "events", "per second", "live deliveries", "p50 s", "p95 s", "p99 s", "max s", "lost", "twice"]


@dataclass(frozen=True, slots=True)
class Delays:
    """What the live receivers heard: seconds after each event; how many deliveries never came, and came twice."""

    seconds: list[float]
    lost: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A running service whose hooks lead to the receivers; `log` is what those heard."""

    web: Server
    key: str
    pass_id: str
    log: Path


def run(kind: str, *, events: int, rate: float) -> None:
    """Measure on a database of this kind, and print the figures.

    Args:
        kind: `sqlite` or `postgresql`.
        events: how many, beside one dead receiver.
        rate: how many a second.
    """
    with databases(kind) as new_database:
        delays = measure(new_database(), events=events, rate=rate)
        _show(f"Events to 1 dead and {LIVE} live receivers", kind, events, rate, delays)
        delays = beside_bad(new_database(), events=BAD_EVENTS, rate=BAD_RATE)
        _show("Events to 1 live receiver and 3 that fail, hang and refuse", kind, BAD_EVENTS, BAD_RATE, delays)
        seconds = burst(new_database(), batches=BURST_BATCHES)
    show_table(
        "Events at once to a receiver that takes 200 ms",
        ["database", "events", "taken within s"],
        [[kind, str(BURST_BATCHES * BATCH), f"{seconds:.1f}"]],
    )
    say(f"Within {BURST_GOAL_SECONDS:.0f} s: {judged(seconds < BURST_GOAL_SECONDS)}.")


def measure(database: Database, *, events: int, rate: float) -> Delays:
    """Change points at a steady rate and see when each live receiver hears of it, beside a dead one.

    Raises:
        BenchFailed: a request failed.
    """
    with _stage(database, ["/dead", *(f"/live/{number}" for number in range(LIVE))]) as stage:
        _change_points(stage, events, rate)
        return _collect(stage.log, events * LIVE)


def beside_bad(database: Database, *, events: int, rate: float) -> Delays:
    """Do the same for one live receiver beside one that answers 500, one that never answers and one that is not there.

    Raises:
        BenchFailed: a request failed.
    """
    with _stage(database, ["/broken", "/dead", "/live/0"], has_refusing=True) as stage:
        _change_points(stage, events, rate)
        return _collect(stage.log, events)


def burst(database: Database, *, batches: int) -> float:
    """Change points in batches sent one after another; return how many seconds it took until a slow receiver had all.

    Raises:
        BenchFailed: a request failed, or an event did not come.
    """
    with _stage(database, ["/slow/0"]) as stage:
        items = [{"pass_id": stage.pass_id, "change": "add", "points": 1}] * BATCH
        began = time.perf_counter()
        for _ in range(batches):
            _request(stage.web, stage.key, "/v1/actions/update-points/batch", {"items": items})
        if _collect(stage.log, batches * BATCH).lost:
            raise BenchFailed("events of the burst were lost")
        return time.perf_counter() - began


def _show(title: str, kind: str, events: int, rate: float, delays: Delays) -> None:
    shares = [percentile(delays.seconds, percent) for percent in (50, 95, 99)]
    counts = [str(len(delays.seconds)), *(f"{share:.3f}" for share in (*shares, max(delays.seconds)))]
    show_table(title, HEADER, [[kind, str(events), f"{rate:.0f}", *counts, str(delays.lost), str(delays.repeated)]])
    say(f"p95 below {GOAL_SECONDS:.0f} s: {judged(shares[1] < GOAL_SECONDS)}. None lost: {judged(delays.lost == 0)}.")


@contextmanager
def _stage(database: Database, paths: Sequence[str], *, has_refusing: bool = False) -> Iterator[Stage]:
    """Run the service with a hook to each path of the receivers, and one to a port where nobody listens."""
    port, nobody = free_port(), free_port()
    log = database.folder / "received"
    settings = {**database.environment, "HOOK_ALLOWED_HOSTS": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    with (
        _receiving(port, log),
        serving(SERVICE, settings, database.folder, "/readyz") as web,
        running("worker", settings, database.folder / "worker.log"),
    ):
        [pass_id] = make_passes(web, database.key, 1)
        for path in paths:
            _request(web, database.key, "/v1/hooks", _hook(f"http://127.0.0.1:{port}{path}"))
        if has_refusing:
            _request(web, database.key, "/v1/hooks", _hook(f"http://127.0.0.1:{nobody}/"))
        yield Stage(web, database.key, pass_id, log)


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


def _change_points(stage: Stage, events: int, rate: float) -> None:
    """Send the actions at their times."""
    numbers, failures, began = count(), [], time.perf_counter()

    def send() -> None:
        while (number := next(numbers)) < events:
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            try:
                body: dict[str, object] = {"pass_id": stage.pass_id, "change": "add", "points": 1}
                _request(stage.web, stage.key, "/v1/actions/update-points", body)
            except (OSError, http.client.HTTPException, BenchFailed) as error:
                failures.append(str(error))

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise BenchFailed(f"{len(failures)} actions failed, the first: {failures[0]}")


def _collect(log: Path, expected: int) -> Delays:
    """Wait until everything has come, or nothing comes any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        heard = Counter((number, event_id) for number, event_id, _ in lines)
        if len(heard) >= expected or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    seconds = [float(delay) for _, _, delay in lines]
    return Delays(seconds, expected - len(heard), sum(heard.values()) - len(heard))
