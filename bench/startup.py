"""From nothing to the first answer, and what a worker takes when it is warm."""

from __future__ import annotations

from statistics import mean

from bench.actions import make_passes, subjects
from bench.databases import databases
from bench.figures import spread
from bench.load import put_load
from bench.report import judged, ranged, show_table
from bench.servers import SERVICE, serving

STARTS = 5
CONNECTIONS = 64
PASSES = 100
SECONDS_GOAL = 2.0
MEGABYTES_GOAL = 120


def run(*, seconds: float, starts: int = STARTS) -> None:
    """Measure on SQLite and print the table.

    Args:
        seconds: of each kind of load that warms the workers up. 64 connections bring all threads of both to life.
        starts: how often the service is started.
    """
    with databases("sqlite") as new_database:
        database = new_database()
        taken = []
        for number in range(starts):
            with serving(SERVICE, database.environment, database.folder, "/healthz") as service:
                taken.append(service.started_in)
                if number < starts - 1:
                    continue
                for subject in subjects(database.key, make_passes(service, database.key, PASSES)):
                    put_load(service, subject.load, connections=CONNECTIONS, seconds=seconds)
                memory = service.memory()
    start = spread(taken)
    rows = [_row("start to first 200 on /healthz, s", start.middle, ranged(start), SECONDS_GOAL)]
    for name, values in (("PSS", [one.pss for one in memory]), ("RSS", [one.rss for one in memory])):
        rows.append(_row(f"{name} of a warm worker, MB", mean(values), f"{mean(values):.0f}", MEGABYTES_GOAL))
    show_table(f"Start-up ({starts} starts) and memory", ["", "figure", "goal", ""], rows)


def _row(name: str, value: float, shown: str, goal: float) -> list[str]:
    return [name, shown, f"< {goal:g}", judged(value < goal)]
