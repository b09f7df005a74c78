"""How far downloads are, as it is noted and as people read it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.clients import progress
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.downloads import Download


def entry(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "via": "bare_magnet", "tracker": "udp", "state": state, **more}


def test_people_read_a_line_for_each_that_is_under_way() -> None:
    downloads = [
        entry("盲道.mp4", "downloading", bytes=430, size=1000, rate=12 << 20, peers=1),
        entry("a\nb", "metadata", bytes=0, size=0, rate=0, peers=0),
        entry("done", "ended"),
        entry("later", "waiting"),
    ]
    assert progress.progress_text({"client": "aria2", "downloads": downloads}).splitlines() == [
        "aria2: 1 of 4 downloads have ended, 1 wait",
        "    盲道.mp4  bare magnet over udp  downloading   43 %  12 MiB/s  1 peer",
        "    a\ufffdb       bare magnet over udp  metadata     100 %  0 B/s     0 peers",
    ]
    assert progress.progress_text({}) == "the client starts"
    assert progress.progress_text({"text": "waits"}) == "waits"


def test_a_rate_is_that_since_the_last_note(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[Any] = []
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    item = {"name": "a", "size": 1000}
    download = Download(PlannedDownload(item, "torrent", "http"), "")  # type: ignore[arg-type]
    notes = progress.ProgressNotes("aria2", noted.append)
    for after, count in ((0.0, 0), (1.0, 50), (4.0, 400), (2.0, 300)):
        clock[0] += after
        download.bytes = count
        notes.look([download])
    assert [note["downloads"][0]["rate"] for note in noted] == [0, 80, 0], "none after a second, none that is negative"
    assert noted[1]["downloads"] == [
        {
            "name": "a",
            "via": "torrent",
            "tracker": "http",
            "state": "waiting",
            "bytes": 400,
            "size": 1000,
            "rate": 80,
            "peers": 0,
        }
    ]
