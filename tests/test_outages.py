"""An outage that lasts makes one line a minute; everything else is logged as it comes."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisHangs
from sqlalchemy.exc import OperationalError

from app.logs import StandardOutput

START = 1_764_000_000.0


class Log:
    """A logger of its own, at times of the test's choice."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._handler = StandardOutput()
        self.now = START

    def fail(self, failure: Exception | None, message: str = "it failed for %s", name: str = "worker") -> None:
        exception = (type(failure), failure, None) if failure is not None else None
        record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, ("hook_1",), exception)
        record.created = self.now
        self._handler.handle(record)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


def test_an_outage_is_one_line_a_minute_that_counts_the_others(log: Log) -> None:
    for tenth in range(1500):  # 2.5 minutes of 10 failures a second
        log.now = START + tenth / 10
        log.fail(RedisAway("away"))
    lines = log.lines()
    assert [line.get("left_out") for line in lines] == [None, 599, 599]
    assert {line["message"] for line in lines} == {"it failed for hook_1"}
    assert all("away" in line["exception"] for line in lines)


@pytest.mark.parametrize(
    "failure",
    [
        RedisAway("away"),
        RedisHangs("slow"),
        OperationalError("SELECT 1", {}, Exception("gone")),
        ConnectionRefusedError(),
        TimeoutError(),
        OSError(28, "No space left on device"),
    ],
)
def test_whatever_is_away_counts_as_an_outage(log: Log, failure: Exception) -> None:
    for _ in range(100):
        log.fail(failure)
    assert len(log.lines()) == 1


def test_every_kind_of_outage_is_told(log: Log) -> None:
    for _ in range(10):
        log.fail(RedisAway("away"))
        log.fail(RedisHangs("slow"))
        log.fail(RedisAway("away"), message="it cannot be posted")
        log.fail(RedisAway("away"), name="scheduler")
    assert len(log.lines()) == 4


def test_mistakes_in_the_code_and_plain_lines_are_all_told(log: Log) -> None:
    for _ in range(10):
        log.fail(KeyError("a mistake"))
        log.fail(None)
    assert len(log.lines()) == 20


def test_a_clock_that_is_set_back_silences_nothing(log: Log) -> None:
    log.fail(RedisAway("away"))
    log.now -= 3600
    log.fail(RedisAway("away"))
    assert len(log.lines()) == 2


def test_threads_that_fail_at_once_make_one_line(log: Log) -> None:
    threads = [threading.Thread(target=log.fail, args=(RedisAway("away"),)) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.lines()) == 1
