"""How far downloads are while they run: noted every few seconds, and laid out for people."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import aligned, printable
from ansible.module_utils.seedbed.clients.downloads import Download
from ansible.module_utils.seedbed.torrent.model import DownloadProgress

EVERY = 2.0  # seconds between two notes
UNDER_WAY = ("metadata", "connecting", "downloading", "comparing")


class ProgressNotes:
    """Notes how far the downloads of one client are."""

    def __init__(self, client: str, note: Callable[[Mapping[str, Any]], None]) -> None:
        self._client, self._note = client, note
        self._noted = 0.0
        self._before: dict[Download, int] = {}

    def look(self, downloads: Sequence[Download]) -> None:
        """Note it, if it is time for that."""
        now = time.monotonic()
        since = now - self._noted
        if since < EVERY:
            return
        entries = [self._entry(download, since) for download in downloads]
        self._before = {download: download.bytes for download in downloads}
        self._noted = now
        self._note({"client": self._client, "downloads": entries})

    def _entry(self, download: Download, since: float) -> DownloadProgress:
        more = download.bytes - self._before.get(download, download.bytes)
        return {
            "name": download.planned.item["name"],
            "via": download.planned.via,
            "tracker": download.planned.kind,
            "state": download.state,
            "bytes": download.bytes,
            "size": download.planned.item["size"],
            "rate": round(max(0, more) / since) if since else 0,
            "peers": download.peers,
        }


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return what was noted as lines for people: one for the client, and one for each download that is under way."""
    if not progress.get("downloads"):
        return str(progress.get("text") or "the client starts")
    downloads: list[DownloadProgress] = progress["downloads"]
    under_way = [download for download in downloads if download["state"] in UNDER_WAY]
    number = {state: sum(each["state"] == state for each in downloads) for state in ("ended", "waiting")}
    wait = f", {number['waiting']} wait" if number["waiting"] else ""
    head = f"{progress['client']}: {number['ended']} of {len(downloads)} downloads have ended{wait}"
    return "\n".join([head, *("    " + line for line in aligned([_cells(each) for each in under_way]))])


def _cells(download: DownloadProgress) -> list[str]:
    share = 100 * download["bytes"] // download["size"] if download["size"] else 100
    peers = download["peers"]
    return [
        printable(download["name"]),
        f"{download['via'].replace('_', ' ')} over {download['tracker']}",
        download["state"],
        f"{share:3} %",
        f"{format_size(download['rate'])}/s",
        "1 peer" if peers == 1 else f"{peers} peers",
    ]
