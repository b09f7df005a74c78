# Copyright: Seedbed contributors
# MIT License (see LICENSE)
"""Filter that lays out the results of downloads as a table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: download_report
short_description: Lay out the results of downloads as an aligned table
description:
  - One line a download, with its times; a failed one tells the step instead.
  - Wide characters count as the two columns that they take on a terminal.
options:
  _input:
    description: RV(aria2_download#module:downloads).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how the downloads went
  ansible.builtin.debug:
    msg: "{{ result.downloads | download_report }}"
"""

RETURN = r"""
_value:
  description: The table, lines separated by newlines.
  type: str
  sample: |
    item      by       over  size      files  metadata  first byte  done  rate  result
    盲道.mp4  torrent  http  300.0 kB  1      0.0 s     9.8 s       10.2 s      equal
"""

import unicodedata
from typing import Any, Callable, Sequence

HEAD = ["item", "by", "over", "size", "files", "metadata", "first byte", "done", "rate", "result"]


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def amount(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def printable(text: str) -> str:
    """Return a name that stays on its line."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def row(download: dict[str, Any]) -> list[str]:
    """Return the cells of one download."""
    times = [download["seconds"].get(key) for key in ("metadata", "first_byte", "download")]
    rate = download["rate"]
    return [
        printable(download["name"]),
        download["via"],
        download["tracker"],
        amount(download["size"]),
        str(download["files"]),
        *("-" if time is None else f"{time:.1f} s" for time in times),
        "-" if rate is None else f"{amount(rate)}/s",
        "equal" if download["ok"] else f"FAILED at {download['step']}",
    ]


def download_report(downloads: Sequence[dict[str, Any]]) -> str:
    """Lay out the downloads as a table."""
    rows = [HEAD, *(row(download) for download in downloads)]
    widths = [max(map(width, column)) for column in zip(*rows)]
    lines = ["  ".join(cell + " " * (size - width(cell)) for cell, size in zip(line, widths)) for line in rows]
    return "\n".join(line.rstrip() for line in lines)


class FilterModule:
    """Tell Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters of this file."""
        return {"download_report": download_report}
