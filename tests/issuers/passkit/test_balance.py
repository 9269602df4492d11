"""Whether points were counted, as a table: pure functions, every value in front of the reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.effects import AddPoints, SetPoints
from app.issuers.passkit.balance import CLOCKS, LATER, Others, as_told, judge, others_of
from app.issuers.passkit.points import EVENT_TYPES, Event
from app.issuers.protocol import Basis, Done, NotDone, Step, Unclear
from app.model import Kind, Mode, Pass, Program, Tier
from tests.world import FakeClock

NOW = FakeClock().now
EARNED, BURNED, SET, CHECKED_IN = EVENT_TYPES[4], EVENT_TYPES[5], EVENT_TYPES[6], EVENT_TYPES[1]


def step_from(balance: str | None = "10", *, tried: timedelta = LATER, is_answered: bool = False) -> Step:
    program = Program("prog", "acct", Mode.TEST, "passkit", Kind.MEMBERSHIP, "P", (Tier("t", "T"),), NOW, NOW)
    points = None if balance is None else Decimal(balance)
    subject = Pass("pass", "acct", Mode.TEST, "passkit", "prog", "t", "token", NOW, NOW, points=points)
    return Step(
        program=program,
        subject=subject,
        id="mine",
        basis=Basis(points=points),
        began_at=NOW - tried,
        tried_at=NOW - tried,
        is_answered=is_answered,
        now=NOW,
    )


def event(points: str | None, kind: str = EARNED, *, at: datetime | None = NOW, event_id: str = "other") -> Event:
    told = None if points is None else Decimal(points)
    return Event(id=event_id, type=kind, member_id="m", at=at, points=told)


@pytest.mark.parametrize(
    ("balance", "others", "expected"),
    [
        # Nobody else: the balance says it.
        ("15", [], Done),
        ("10", [], NotDone),
        ("20", [], Unclear),
        ("12", [], Unclear),
        ("5", [], Unclear),
        # Others that tell how many points.
        ("18", [event("3")], Done),
        ("13", [event("3")], NotDone),
        ("12", [event("-3", BURNED)], Done),
        ("7", [event("-3", BURNED)], NotDone),
        ("10", [event("-5", BURNED)], Done),
        ("15", [event("5")], NotDone),
        ("20", [event("5")], Done),
        ("16", [event("3"), event("3")], NotDone),
        # Others that do not.
        ("15", [event(None)], Unclear),
        ("10", [event(None)], Unclear),
        ("10", [event(None, BURNED)], Unclear),
        ("10", [event("10", SET)], Unclear),
        ("15", [event(None), event("5")], Unclear),
        # What changes no points does not count.
        ("15", [event(None, CHECKED_IN)], Done),
        ("10", [event(None, CHECKED_IN)], NotDone),
        # Long before the operation began: part of the balance that was read.
        ("15", [event(None, at=NOW - LATER - CLOCKS * 2)], Done),
        ("10", [event("5", at=NOW - LATER - CLOCKS * 2)], NotDone),
        # About when it began: part of that balance, or not.
        ("10", [event("3", at=NOW - LATER)], NotDone),
        ("13", [event("3", at=NOW - LATER)], NotDone),
        ("15", [event("3", at=NOW - LATER)], Done),
        ("18", [event("3", at=NOW - LATER)], Done),
        ("15", [event("5", at=NOW - LATER)], Unclear),
        ("10", [event("5", at=NOW - LATER - CLOCKS)], NotDone),
        ("15", [event("5", at=None)], Unclear),
    ],
)
def test_points_that_were_added(balance: str, others: list[Event], expected: type[object]) -> None:
    step = step_from()
    outcome = judge(AddPoints(points=Decimal(5)), step, Decimal(balance), others_of(others, step.began_at))
    assert type(outcome) is expected
    if isinstance(outcome, Done):
        assert (outcome.before.points, outcome.after.points) == (Decimal(balance) - 5, Decimal(balance))


def test_what_is_not_known_of_the_balance_before_decides_nothing() -> None:
    effect = AddPoints(points=Decimal(5))
    assert isinstance(judge(effect, step_from(None), Decimal(5), Others()), Unclear)


def test_never_is_not_done_said_where_our_points_would_be_there() -> None:
    began_at = NOW - LATER
    for points in (-7, -5, 5, 7):
        for other in range(-12, 13):
            step, effect = step_from("50"), AddPoints(points=Decimal(points))
            others = others_of([event(str(other), EARNED if other > 0 else BURNED, at=began_at)], began_at)
            for balance in (50 + points, 50 + points + other):
                assert not isinstance(judge(effect, step, Decimal(balance), others), NotDone)


def test_too_many_who_may_be_counted_or_not_decide_nothing() -> None:
    step = step_from()
    many = others_of([event("3", at=step.began_at)] * 7, step.began_at)
    assert isinstance(judge(AddPoints(points=Decimal(5)), step, Decimal(10), many), Unclear)


@pytest.mark.parametrize(
    ("tried", "is_answered", "wait"), [(0, False, 60), (59, False, 1), (60, False, None), (0, True, None)]
)
def test_that_nothing_is_there_is_believed_after_an_answer_or_a_minute(
    tried: int, is_answered: bool, wait: int | None
) -> None:
    step = step_from(tried=timedelta(seconds=tried), is_answered=is_answered)
    outcome = judge(AddPoints(points=Decimal(5)), step, Decimal(10), Others())
    if wait is None:
        assert isinstance(outcome, NotDone)
    else:
        assert isinstance(outcome, Unclear)
        assert outcome.error.retry_after == wait


@pytest.mark.parametrize(
    ("balance", "others", "expected"),
    [
        ("7", [], Done),
        ("7", [event("5")], Done),
        ("10", [], NotDone),
        ("10", [event("5")], Unclear),
        ("12", [], Unclear),
    ],
)
def test_a_balance_that_was_set(balance: str, others: list[Event], expected: type[object]) -> None:
    step = step_from()
    outcome = judge(SetPoints(points=Decimal(7)), step, Decimal(balance), others_of(others, step.began_at))
    assert type(outcome) is expected


@pytest.mark.parametrize(
    ("told", "before", "notes"), [("5", 20, 0), (None, 20, 0), ("8", 17, 1)], ids=["same", "not told", "other"]
)
def test_an_event_of_our_own_id_tells_what_was_counted(told: str | None, before: int, notes: int) -> None:
    outcome = as_told(AddPoints(points=Decimal(5)), step_from(), event(told, event_id="mine"), Decimal(25))
    assert (outcome.before.points, outcome.after.points) == (Decimal(before), Decimal(25))
    assert len(outcome.notes) == notes


def test_an_event_of_our_own_id_tells_that_the_balance_was_set() -> None:
    step: Any = replace(step_from(), basis=Basis(points=Decimal(9)))
    outcome = as_told(SetPoints(points=Decimal(5)), step, event("5", SET, event_id="mine"), Decimal(6))
    assert (outcome.before.points, outcome.after.points) == (Decimal(9), Decimal(6))
