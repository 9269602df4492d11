"""What is printed: tables that read well in a terminal and in Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Spread


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with its title."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    print(f"\n{title}\n")
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    print(flush=True)


def say(text: str) -> None:
    """Print a line at once: a part takes minutes, and whoever waits wants to see that it goes on."""
    print(text, flush=True)


def ranged(spread: Spread) -> str:
    """Write a figure with how far it varied: `0.42 (0.40-0.45)`."""
    return f"{spread.middle:.2f} ({spread.least:.2f}-{spread.most:.2f})"


def judged(is_met: bool) -> str:
    """Say how a figure stands to its goal."""
    return "met" if is_met else "NOT MET"
