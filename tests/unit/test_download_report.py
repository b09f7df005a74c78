"""Results of downloads as a table for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Render = Callable[..., Any]


def download(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "via": "torrent",
        "tracker": "http",
        "size": 300_000,
        "files": 1,
        "seconds": {"metadata": 0.01, "first_byte": 9.84, "download": 10.2},
        "rate": None,
        "ok": True,
        "step": None,
        **more,
    }


def test_columns_align_whatever_the_script(render: Render) -> None:
    downloads = [download("盲道.mp4"), download("a", ok=False, step="stall", rate=2_500_000)]
    table = render("{{ downloads | download_report }}", downloads=downloads)
    head, chinese, latin = table.splitlines()
    assert head.startswith("item      by")
    assert chinese == "盲道.mp4  torrent  http  293 KiB  1      0.0 s     9.8 s       10.2 s  -          equal"
    assert latin == "a         torrent  http  293 KiB  1      0.0 s     9.8 s       10.2 s  2.4 MiB/s  FAILED at stall"


def test_a_name_cannot_break_its_line(render: Render) -> None:
    table = render("{{ downloads | download_report }}", downloads=[download("a\nb\x1b[2J")])
    assert len(table.splitlines()) == 2
