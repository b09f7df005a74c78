"""Text for people: names that stay on their line, and tables in columns."""

from __future__ import annotations

import unicodedata
from typing import Any, Sequence


def printable(name: str) -> str:
    """Return a name whose control characters can be seen, so that it can neither break a line nor steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines whose columns align, with two spaces between them."""
    widths = [max(map(_width, column)) for column in zip(*rows)]
    lines = ["  ".join(cell + " " * (size - _width(cell)) for cell, size in zip(row, widths)) for row in rows]
    return [line.rstrip() for line in lines]


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, marks on the character before none."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
