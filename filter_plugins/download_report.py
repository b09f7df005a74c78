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
    item      by       over  size     files  metadata  first byte  done    rate  result
    盲道.mp4  torrent  http  293 KiB  1      0.0 s     9.8 s       10.2 s  -     equal
"""

from typing import Any, Callable, Sequence

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import aligned, printable

HEAD = ["item", "by", "over", "size", "files", "metadata", "first byte", "done", "rate", "result"]


def row(download: dict[str, Any]) -> list[str]:
    """Return the cells of one download."""
    times = [download["seconds"].get(key) for key in ("metadata", "first_byte", "download")]
    rate = download["rate"]
    return [
        printable(download["name"]),
        download["via"],
        download["tracker"],
        format_size(download["size"]),
        str(download["files"]),
        *("-" if time is None else f"{time:.1f} s" for time in times),
        "-" if rate is None else f"{format_size(rate)}/s",
        "equal" if download["ok"] else f"FAILED at {download['step']}",
    ]


def download_report(downloads: Sequence[dict[str, Any]]) -> str:
    """Lay out the downloads as a table."""
    return "\n".join(aligned([HEAD, *map(row, downloads)]))


class FilterModule:
    """Tell Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters of this file."""
        return {"download_report": download_report}
