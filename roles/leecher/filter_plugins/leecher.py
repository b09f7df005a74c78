"""Lays out the results of downloads for people."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

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
    """Return the downloads as an aligned table; wide characters count as the two columns that they take."""
    return "\n".join(aligned([HEAD, *map(row, downloads)]))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"download_report": download_report}
