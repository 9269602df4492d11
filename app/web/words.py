"""Values as people read them, and the two marks that explanations carry."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

from markupsafe import Markup, escape

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


def points(value: Decimal) -> str:
    """Write points with thousands apart, and with decimals only where there are any: `1,250`, `−3.50`."""
    return f"{value:,.2f}".removesuffix(".00").replace("-", "\N{MINUS SIGN}")


def instant(value: datetime) -> str:
    """Write an instant: `20 Nov 2026, 09:30 UTC`. The page does not know where its reader is, so the zone is said."""
    value = value.astimezone(UTC)
    return f"{_date(value)}, {value:%H:%M} UTC"


def day(text: str) -> str:
    """Write a date that came as `2026-11-20` like the others; leave anything else as it is."""
    try:
        return _date(date.fromisoformat(text))
    except ValueError:
        return text


def _date(value: date) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def to_html(text: str) -> Markup:
    """Turn `` `code` `` and `**bold**` into HTML; everything else is escaped."""
    parts = []
    position = 0
    for mark in _MARKS.finditer(text):
        code, bold = mark.groups()
        parts.append(escape(text[position : mark.start()]))
        parts.append(Markup("<code>{}</code>").format(code) if code else Markup("<b>{}</b>").format(bold))
        position = mark.end()
    parts.append(escape(text[position:]))
    return Markup("").join(parts)
