"""Two sizes of the same suite: `make test` is done in minutes, `PASSRAIL_TEST_THOROUGH=1` (CI) tries everything.

Every promise of the service is tested in both; they differ in how often. The thorough run has all cells of a matrix and
many kills, the other a few kills and so many cells that each row and each column is met. Which cells these are does not
change from run to run. What tries our own tools (benches, planted faults) or builds the image is in the thorough run.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import combinations
from typing import TypeVar
from zlib import crc32

import pytest

IS_THOROUGH = os.environ.get("PASSRAIL_TEST_THOROUGH") == "1"
MARK, ONLY = "matrix", "only_thorough"
Amount = TypeVar("Amount")
DATABASES = ("sqlite", "postgresql")


def amount(ordinary: Amount, thorough: Amount) -> Amount:
    """Return how often something is to be tried in this run, or with what."""
    return thorough if IS_THOROUGH else ordinary


def by_turns(name: str, values: Sequence[str]) -> Sequence[str]:
    """Return all values in the thorough run; in an ordinary one of them, so that tests of many names meet all."""
    return values if IS_THOROUGH else [values[crc32(name.encode()) % len(values)]]


def databases_of(metafunc: pytest.Metafunc) -> Sequence[str]:
    """Return what a test is run on: both databases, by turns in an ordinary run; SQLite where it has no part in it."""
    if metafunc.definition.get_closest_marker("only_sqlite") is not None:
        return DATABASES[:1]
    return by_turns(metafunc.definition.nodeid, DATABASES)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{ONLY}: left out of an ordinary run: it tries a tool, or repeats at length.")
    config.addinivalue_line(
        "markers",
        f"{MARK}(*names): the combinations of the test's parameters are a matrix, of which an ordinary run takes so "
        "many cells that each value of each parameter is met. Names: only these parameters must be met; a name of "
        "several, 'fault,way', stands for each combination of theirs.",
    )


@pytest.hookimpl(trylast=True)  # what is asked for by name has been chosen before
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells that an ordinary run does not need."""
    if IS_THOROUGH:
        return
    matrices: dict[tuple[str, tuple[str, ...]], list[pytest.Function]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker(MARK)
        if mark is not None and isinstance(item, pytest.Function):
            matrices[item.nodeid.partition("[")[0], mark.args].append(item)
    left_out: set[pytest.Item] = {item for item in items if item.get_closest_marker(ONLY) is not None}
    for (_, names), cells in matrices.items():
        left_out |= set(cells) - set(needed(cells, names))
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def needed(cells: Sequence[pytest.Function], names: Sequence[str]) -> Iterator[pytest.Function]:
    """Choose cells that meet everything: always the one that meets most of what is missing.

    Of several that do, the one whose values and pairs of values were met least so far: the cells lie as a diagonal.
    """
    met_by = {cell: _values(cell.callspec.params, names) for cell in cells}
    pairs = {cell: set(combinations(sorted(_values(cell.callspec.params, ())), 2)) for cell in cells}
    missing = set().union(*met_by.values())
    times: Counter[object] = Counter()

    def worth(cell: pytest.Function) -> tuple[int, int, int]:
        values = met_by[cell]
        return len(values & missing), -sum(times[one] for one in values), -sum(times[one] for one in pairs[cell])

    while missing:
        best = max(cells, key=worth)
        missing -= met_by[best]
        times.update(met_by[best])
        times.update(pairs[best])
        yield best


def _values(params: Mapping[str, object], names: Sequence[str]) -> set[tuple[str, ...]]:
    """Return what a cell meets: a value of each parameter, or of each group of parameters that is named."""
    groups = [name.split(",") for name in names or params]
    return {(*group, *(_identity(params[name]) for name in group)) for group in groups}


def _identity(value: object) -> str:
    """Return something to tell values by; not all of them can be compared themselves."""
    return repr(value) if isinstance(value, str | bytes | int | float | Enum) else str(id(value))
