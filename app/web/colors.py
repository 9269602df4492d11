"""Colours people can read, whatever colours a program was given."""

from __future__ import annotations

import re

from app.model import Colors

# WCAG 2.2 asks 3 of large text and of everything that is not text; below that a card cannot be read in daylight.
LEAST_CONTRAST = 3.0
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def is_color(text: str) -> bool:
    """Say whether the text is `#rrggbb` and nothing else, and so may be written into a stylesheet."""
    return _HEX.fullmatch(text) is not None


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two colours, from 1 (the same) to 21 (black and white)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def readable(text: str, background: str) -> str:
    """Return the text colour, or black or white where it can hardly be told from the background."""
    if contrast(text, background) >= LEAST_CONTRAST:
        return text
    return max("#000000", "#ffffff", key=lambda color: contrast(color, background))


def readable_colors(colors: Colors) -> Colors:
    """Return the colours to paint a card with: each a real colour, text and labels readable."""
    usual = Colors()
    background = colors.background if is_color(colors.background) else usual.background
    text = colors.text if is_color(colors.text) else usual.text
    label = colors.label if is_color(colors.label) else usual.label
    text = readable(text, background)
    if contrast(label, background) < LEAST_CONTRAST:
        label = text
    return Colors(background=background, text=text, label=label)
