"""Actions and look-ups under load, as ratios to the bare route.

Both servers run all the time, and one of them at a time is loaded: bare, subject, bare, subject ... The bare route
gets the very same requests, with headers and body, which it does not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

import requests

from bench import bare
from bench.databases import TITLES, Database, databases
from bench.figures import BenchFailed, Pair, Run, cpu_ratio, throughput_ratio
from bench.load import PASS, UNIQUE, Load, generator, put_load
from bench.report import judged, ranged, say, show_table
from bench.servers import BARE, SERVICE, Memory, Server, serving

CONNECTIONS = 8
MANY_CONNECTIONS = 64
PASSES = 500
WARM_UP_SECONDS = 1.0
PROGRAM = "prog_demo_membership"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared with the bare route.

    Attributes:
        name: as the table has it.
        load: what is sent.
        goal: least ratio of the requests a second, with SQLite.
        event_type: what every request leaves behind: an event of this type, and an operation of `name`.
    """

    name: str
    load: Load
    goal: float
    event_type: str | None = None


def subjects(key: str, pass_ids: Sequence[str]) -> list[Subject]:
    """Return what is measured: the two actions that come most often, and the look-up that a caller polls."""
    reading = {"Authorization": f"Bearer {key}"}
    writing = {**reading, "Content-Type": "application/json", "Idempotency-Key": UNIQUE}
    new = (
        f'{{"program_id": "{PROGRAM}", "external_id": "{UNIQUE}", "email": "{UNIQUE}@example.com", '
        '"first_name": "Ada", "last_name": "Lovelace"}'
    )
    points = f'{{"pass_id": "{PASS}", "change": "add", "points": 1}}'
    turn = tuple(pass_ids)
    return [
        Subject("create-pass", Load("POST", "/v1/actions/create-pass", writing, new), 0.33, "pass.created"),
        Subject(
            "update-points", Load("POST", "/v1/actions/update-points", writing, points, turn), 0.35, "points.changed"
        ),
        Subject("get pass", Load("GET", f"/v1/passes/{PASS}", reading, "", turn), 0.60),
    ]


def run(kind: str, *, seconds: float, rounds: int) -> None:
    """Measure on one kind of database and print the tables.

    Raises:
        BenchFailed: a request failed, or what was acknowledged is not stored.
    """
    say(f"Actions on {TITLES[kind]}: load by {generator()}, {rounds} rounds of {seconds:g} s for bare and for subject.")
    with databases(kind) as new_database:
        database = new_database()
        bare_folder = database.folder / "bare"
        bare_folder.mkdir()
        with (
            serving(BARE, {"DATA_DIR": str(bare_folder)}, bare_folder, bare.PATH) as baseline,
            serving(SERVICE, database.environment, database.folder, "/healthz") as service,
        ):
            pass_ids = make_passes(service, database.key, PASSES)
            stored = Stored(database)
            measured = subjects(database.key, pass_ids)
            for subject in measured:
                stored.expect(subject, measure_pair(baseline, service, subject, CONNECTIONS, WARM_UP_SECONDS).subject)
            few = measure_rounds(baseline, service, measured, CONNECTIONS, seconds, rounds)
            many = measure_rounds(baseline, service, measured, MANY_CONNECTIONS, seconds, max(1, rounds // 3))
            memory = {"bare": baseline.memory(), "service": service.memory()}
        for subject in measured:
            for pair in few[subject.name] + many[subject.name]:
                stored.expect(subject, pair.subject)
        stored.check()
        _show_ratios(f"{TITLES[kind]}: ratios to bare, {CONNECTIONS} connections", measured, few, kind == "sqlite")
        for pairs, connections in ((few, CONNECTIONS), (many, MANY_CONNECTIONS)):
            show_latency(f"{TITLES[kind]}: {connections} connections", measured, pairs)
        _show_memory(f"{TITLES[kind]}: memory of a worker after the load, MB", memory)
        say(stored.summary())


def make_passes(service: Server, key: str, number: int) -> list[str]:
    """Create memberships through the API and return their IDs."""
    made = []
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {key}"
        for _ in range(number):
            address = f"http://127.0.0.1:{service.port}/v1/actions/create-pass"
            answer = session.post(address, json={"program_id": PROGRAM}, timeout=20)
            if answer.status_code != 200:
                raise BenchFailed(f"create-pass answers {answer.status_code}: {answer.text}")
            made.append(str(answer.json()["id"]))
    return made


class Stored:
    """Holds what was acknowledged against what is in the database afterwards."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._acknowledged: dict[tuple[str, str], int] = {}
        self._operations, self._events = self._counts()

    def expect(self, subject: Subject, run: Run) -> None:
        """Note what a run was answered."""
        if subject.event_type is not None:
            one = (subject.name, subject.event_type)
            self._acknowledged[one] = self._acknowledged.get(one, 0) + run.requests

    def check(self) -> None:
        """Look whether it is all there. A little more may be: requests that a run's end cut off.

        Raises:
            BenchFailed: something is missing, or there are not as many operations as events.
        """
        operations, events = self._counts()
        for (action, event_type), acknowledged in self._acknowledged.items():
            done = operations.get(action, 0) - self._operations.get(action, 0)
            told = events.get(event_type, 0) - self._events.get(event_type, 0)
            if not acknowledged <= done == told:
                raise BenchFailed(f"{action}: {acknowledged} answered, but {done} operations and {told} events stored.")

    def summary(self) -> str:
        """Say what was checked."""
        total = sum(self._acknowledged.values())
        return f"No request failed. {total} actions were answered; each has its operation and its event stored."

    def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        operations = "SELECT action, count(*) FROM operations WHERE status = 'succeeded' GROUP BY action"
        return self._database.counts(operations), self._database.counts("SELECT type, count(*) FROM events GROUP BY 1")


def measure_rounds(
    baseline: Server, service: Server, measured: Sequence[Subject], connections: int, seconds: float, rounds: int
) -> dict[str, list[Pair]]:
    """Measure the subjects in turn, round after round, so that each gets its share of good and bad moments."""
    pairs: dict[str, list[Pair]] = {subject.name: [] for subject in measured}
    for number in range(rounds):
        for subject in measured:
            pairs[subject.name].append(measure_pair(baseline, service, subject, connections, seconds))
        ratios = ", ".join(f"{name} {throughput_ratio(found[-1:]).middle:.2f}" for name, found in pairs.items())
        say(f"  {connections} connections, round {number + 1} of {rounds}: {ratios}")
    return pairs


def measure_pair(baseline: Server, service: Server, subject: Subject, connections: int, seconds: float) -> Pair:
    """Load the bare route and then the subject."""
    return Pair(
        put_load(baseline, subject.load.to(bare.PATH), connections=connections, seconds=seconds),
        put_load(service, subject.load, connections=connections, seconds=seconds),
    )


def _show_ratios(title: str, measured: Sequence[Subject], pairs: dict[str, list[Pair]], has_goal: bool) -> None:
    rows = []
    for subject in measured:
        ratio = throughput_ratio(pairs[subject.name])
        goal = [f">= {subject.goal:.2f}", judged(ratio.middle >= subject.goal)] if has_goal else ["-", "-"]
        rows.append([subject.name, ranged(ratio), *goal, ranged(cpu_ratio(pairs[subject.name]))])
    show_table(title, ["subject", "requests/s", "goal", "", "CPU per request"], rows)


def show_latency(title: str, measured: Sequence[Subject], pairs: dict[str, list[Pair]]) -> None:
    """Print what an answer took, of each subject and of the bare route under the same load."""
    rows = []
    for subject in measured:
        found = pairs[subject.name]
        rows.append(_latency_row(subject.name, [pair.subject for pair in found]))
        rows.append(_latency_row(f"bare, {subject.load.method}", [pair.bare for pair in found]))
    show_table(title, ["", "requests/s", "p50 ms", "p99 ms", "CPU ms per request"], rows)


def _latency_row(name: str, runs: Sequence[Run]) -> list[str]:
    """Return medians over the rounds."""
    return [
        name,
        f"{median(run.per_second for run in runs):.0f}",
        f"{median(run.p50_ms for run in runs):.1f}",
        f"{median(run.p99_ms for run in runs):.1f}",
        f"{median(run.cpu_ms for run in runs):.3f}",
    ]


def _show_memory(title: str, memory: dict[str, list[Memory]]) -> None:
    rows = [
        [name, f"{mean(one.pss for one in workers):.0f}", f"{mean(one.rss for one in workers):.0f}"]
        for name, workers in memory.items()
    ]
    show_table(title, ["", "PSS", "RSS"], rows)
