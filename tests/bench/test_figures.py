"""The bench's arithmetic."""

from __future__ import annotations

import pytest

from bench.figures import Pair, Run, Spread, cpu_ratio, percentile, spread, throughput_ratio
from bench.report import judged, ranged, show_table


def run_of(requests: int, seconds: float = 1.0, cpu_seconds: float = 1.0) -> Run:
    return Run(requests, seconds, errors=0, p50_ms=1, p99_ms=2, cpu_seconds=cpu_seconds)


def test_each_pair_is_compared_by_itself() -> None:
    # The machine was ten times slower during the second pair; its ratio counts as much as the others.
    pairs = [Pair(run_of(1000), run_of(500)), Pair(run_of(100), run_of(40)), Pair(run_of(1000), run_of(300))]
    assert throughput_ratio(pairs) == Spread(0.4, 0.3, 0.5)


def test_throughput_counts_the_time_a_run_really_took() -> None:
    assert throughput_ratio([Pair(run_of(100, seconds=2), run_of(100, seconds=4))]).middle == 0.5


def test_cpu_ratio_compares_processor_time_per_request() -> None:
    bare, subject = run_of(1000, cpu_seconds=0.5), run_of(200, cpu_seconds=0.4)
    assert (bare.cpu_ms, subject.cpu_ms) == (0.5, 2.0)
    assert cpu_ratio([Pair(bare, subject)]).middle == 0.25


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_percentile_is_a_value_that_was_measured(percent: int, value: int) -> None:
    assert percentile(range(100, 0, -1), percent) == value


def test_spread_of_one_value() -> None:
    assert spread([3.0]) == Spread(3.0, 3.0, 3.0)


def test_tables_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("Title", ["subject", "ratio"], [["get", ranged(Spread(0.5, 0.25, 1))], ["bare", judged(False)]])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Title",
        "",
        "| subject | ratio            |",
        "| ------- | ---------------- |",
        "| get     | 0.50 (0.25-1.00) |",
        "| bare    | NOT MET          |",
        "",
    ]
