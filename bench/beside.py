"""What one caller's looks at a pass cost while others read histories as fast as they can.

The others keep all processors busy. What that alone costs shows when they ask another server, a bare one.
"""

from __future__ import annotations

import http.client
import threading
import time
from itertools import cycle

from bench import bare
from bench.actions import make_passes
from bench.databases import TITLES, databases
from bench.figures import BenchFailed, Spread, percentile, spread
from bench.load import PASS, Load, put_load
from bench.report import judged, ranged, say, show_table
from bench.servers import BARE, SERVICE, Server, serving

PASSES = 500
READERS = 8
GOAL = 3.0


def run(kind: str, *, seconds: float, rounds: int) -> Spread:
    """Measure on one kind of database and print the table; return the ratios of beside to alone.

    Raises:
        BenchFailed: a request failed.
    """
    say(f"A look at a pass beside {READERS} readers of histories on {TITLES[kind]}: {rounds} rounds of {seconds:g} s.")
    with databases(kind) as new_database:
        database = new_database()
        bare_folder = database.folder / "bare"
        bare_folder.mkdir()
        with (
            serving(SERVICE, database.environment, database.folder, "/healthz") as service,
            serving(BARE, {"DATA_DIR": str(bare_folder)}, bare_folder, bare.PATH) as other,
        ):
            pass_ids = make_passes(service, database.key, PASSES)
            looks = Looks(service, database.key, pass_ids)
            headers = {"Authorization": f"Bearer {database.key}"}
            histories = Load("GET", f"/v1/passes/{PASS}/history", headers, "", tuple(pass_ids))
            alone, beside, elsewhere = [], [], []
            for _ in range(rounds):
                alone.append(looks.p95(seconds))
                beside.append(_beside(service, histories, looks, seconds))
                elsewhere.append(_beside(other, histories.to(bare.PATH), looks, seconds))
    ratio = spread([more / less for more, less in zip(beside, alone, strict=True)])
    rows = [
        ["alone, p95 ms", ranged(spread(alone)), "-", "-"],
        [f"beside {READERS} readers, p95 ms", ranged(spread(beside)), "-", "-"],
        ["ratio", ranged(ratio), f"< {GOAL:g}", judged(ratio.middle < GOAL)],
        [f"beside {READERS} callers of another server, p95 ms", ranged(spread(elsewhere)), "-", "-"],
    ]
    show_table(f"{TITLES[kind]}: GET /v1/passes/{{id}}", ["", "figure", "goal", ""], rows)
    return ratio


def _beside(loaded: Server, histories: Load, looks: Looks, seconds: float) -> float:
    """Return the 95th percentile of looks while the histories are read."""
    failures: list[BenchFailed] = []

    def load() -> None:
        try:
            put_load(loaded, histories, connections=READERS, seconds=seconds + 1)
        except BenchFailed as failure:
            failures.append(failure)

    reading = threading.Thread(target=load)
    reading.start()
    time.sleep(0.5)
    found = looks.p95(seconds)
    reading.join()
    if failures:
        raise failures[0]
    return found


class Looks:
    """A caller that looks at one pass after the other, over one connection."""

    def __init__(self, server: Server, key: str, pass_ids: list[str]) -> None:
        self._port = server.port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._pass_ids = cycle(pass_ids)

    def p95(self, seconds: float) -> float:
        """Look for so many seconds; return the 95th percentile, in milliseconds.

        Raises:
            BenchFailed: an answer is not the pass.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        durations, until = [], time.perf_counter() + seconds
        while (begun := time.perf_counter()) < until:
            connection.request("GET", f"/v1/passes/{next(self._pass_ids)}", headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            durations.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise BenchFailed(f"GET a pass answers {answer.status}: {body!r}")
        connection.close()
        return percentile(durations, 95)
