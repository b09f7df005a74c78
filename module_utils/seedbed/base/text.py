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


def is_text(value: Any) -> bool:
    """Return whether a value is a text that UTF-8 has a form for."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(value: Any) -> str:
    """Return a value as a sentence quotes it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."
