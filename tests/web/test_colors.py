"""Colours: whatever a program was given, a card can be read."""

from __future__ import annotations

import pytest

from app.model import Colors
from app.web.colors import LEAST_CONTRAST, contrast, is_color, readable, readable_colors


def test_contrast_is_that_of_the_web_accessibility_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#abcdef", "#abcdef") == pytest.approx(1)


def test_a_readable_text_colour_is_left_alone() -> None:
    assert readable("#cbd5e1", "#1f2937") == "#cbd5e1"


@pytest.mark.parametrize(
    ("text", "background", "expected"),
    [("#fefefe", "#ffffff", "#000000"), ("#111111", "#000000", "#ffffff"), ("#ffff00", "#ffffff", "#000000")],
)
def test_an_unreadable_text_colour_becomes_black_or_white(text: str, background: str, expected: str) -> None:
    assert readable(text, background) == expected


@pytest.mark.parametrize(
    "background", [f"#{red:02x}{green:02x}80" for red in range(0, 256, 51) for green in (0, 128, 255)]
)
def test_text_and_labels_are_readable_on_every_background(background: str) -> None:
    colors = readable_colors(Colors(background=background, text=background, label=background))
    assert colors.background == background
    assert contrast(colors.text, background) >= LEAST_CONTRAST
    assert contrast(colors.label, background) >= LEAST_CONTRAST


@pytest.mark.parametrize("text", ["red", "#fff", "#12345g", "#123456;}", "#123456\n", "", "#ffffff}body{display:none"])
def test_only_six_hexadecimal_digits_are_a_colour(text: str) -> None:
    assert not is_color(text)
    assert readable_colors(Colors(text, text, text)) == Colors()
