"""Strict mode, which CI uses: with `PASSRAIL_TEST_STRICT=1` a test that is skipped has failed.

A skipped test proves nothing and looks like success. On a developer's machine a missing database server skips what
needs it; where everything is installed on purpose, a skip means that something broke. Skips whose reason begins with
`shared:` stay skips: they are over sample material that is not part of the project.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import NoReturn

import pytest

ALLOWED = "shared:"


def is_strict() -> bool:
    """Tell whether skips are failures in this run."""
    return os.environ.get("PASSRAIL_TEST_STRICT") == "1"


def unavailable(what: str, install: str) -> NoReturn:
    """End a test that needs something this machine does not have: a skip, or in strict mode a failure.

    Args:
        what: what is missing, "postgresql".
        install: the command that brings it, "apt-get install postgresql".
    """
    message = f"install {what} ({install})"
    if is_strict():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skipped test into that of a failed one."""
    report = yield
    # An expected failure (xfail) is reported as skipped too, but has run.
    if not hasattr(report, "wasxfail"):
        _fail_when_skipped(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a module that skips as a whole."""
    report = yield
    _fail_when_skipped(report)
    return report


def _fail_when_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not is_strict() or not report.skipped:
        return
    reason = _reason(report.longrepr)
    if reason.startswith(ALLOWED):
        return
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} was skipped, which strict mode takes for a failure: {reason}"


def _reason(longrepr: object) -> str:
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")
