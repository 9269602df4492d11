"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from app.web import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.00", "0"),
        ("1250.00", "1,250"),
        ("3.50", "3.50"),
        ("-1000.25", "−1,000.25"),
        ("999999999.99", "999,999,999.99"),
    ],
)
def test_points_show_decimals_only_where_there_are_any(value: str, expected: str) -> None:
    assert words.points(Decimal(value)) == expected


def test_instants_are_said_in_utc() -> None:
    assert words.instant(datetime(2026, 11, 2, 9, 5, tzinfo=UTC)) == "2 Nov 2026, 09:05 UTC"
    assert words.instant(datetime(2026, 11, 2, 1, 5, tzinfo=timezone(timedelta(hours=2)))) == "1 Nov 2026, 23:05 UTC"


@pytest.mark.parametrize(
    ("text", "expected"), [("2026-12-05", "5 Dec 2026"), ("soon", "soon"), ("2026-13-01", "2026-13-01")]
)
def test_dates_are_written_out_and_anything_else_is_left_alone(text: str, expected: str) -> None:
    assert words.day(text) == expected


def test_marks_become_html_and_everything_else_is_escaped() -> None:
    html = words.to_html("Send `a<b` **now** & <i>then</i>")
    assert html == "Send <code>a&lt;b</code> <b>now</b> &amp; &lt;i&gt;then&lt;/i&gt;"
