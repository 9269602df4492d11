"""Tables shown at the end of a run, also when everything is well: what was tried how often, and what came of it.

What a test counts travels with its report, so that the table is whole when several processes share the tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

PROPERTY = "tally"
Row = tuple[str, str, str, dict[str, int]]


class Tally:
    """Takes figures for a cell of a table: `tally("kills, SQLite", "create-pass", "before the commit", lost=0)`."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def __call__(self, table: str, row: str, column: str, **figures: int) -> None:
        """Add figures to a cell; a cell of which several are told shows their sum."""
        self._record(PROPERTY, (table, row, column, figures))


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Give what takes figures for a table."""
    return Tally(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show all tables."""
    tables: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    for table, row, column, figures in _told(terminalreporter):
        cell = tables.setdefault(table, {}).setdefault(row, {}).setdefault(column, Counter())
        for name, number in figures.items():
            cell[name] += number
    for table, rows in tables.items():
        terminalreporter.section(table)
        for line in _lines(rows):
            terminalreporter.write_line(line)


def _told(terminalreporter: pytest.TerminalReporter) -> Iterator[Row]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield from (row for name, row in report.user_properties if name == PROPERTY)  # type: ignore[misc]


def _lines(rows: dict[str, dict[str, Counter[str]]]) -> Iterator[str]:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    total: Counter[str] = Counter()
    for row in rows.values():
        for cell in row.values():
            total.update(cell)
    left = max(map(len, rows))
    widths = {column: max(len(column), *(len(_cell(row.get(column))) for row in rows.values())) for column in columns}
    yield "each cell: " + "/".join(total)
    yield " " * left + "".join(f"  {column:>{widths[column]}}" for column in columns)
    for name, row in rows.items():
        yield f"{name:<{left}}" + "".join(f"  {_cell(row.get(column)):>{widths[column]}}" for column in columns)
    yield "in all: " + ", ".join(f"{number} {name}" for name, number in total.items())


def _cell(figures: Counter[str] | None) -> str:
    return "-" if figures is None else "/".join(map(str, figures.values()))
