"""The calls that a set of torrents needs, over one connection."""

from __future__ import annotations

import time
from typing import Any, Iterable, Sequence

from ansible.module_utils.seedbed.transmission.compare import RpcCall
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcFailed, version_of
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import (
    COMPARED_FIELDS,
    POLLED_FIELDS,
    DaemonTorrent,
    WantedTorrent,
    daemon_torrent,
)

SHORTEST_POLL, LONGEST_POLL = 0.05, 0.5
YOUNG = 10  # seconds in which 3.00 may still be reading its torrents
STOPPING = 10.0  # seconds; it takes the daemon half of one


class TorrentRpc:
    """A daemon as one that holds torrents. Hashes that it does not have change nothing, and are no error."""

    def __init__(self, rpc: RpcClient) -> None:
        self.rpc = rpc
        self.modern = version_of(rpc.call("session-get")) >= (4,)

    def torrents(self, hashes: Sequence[str] | None = None, fields: str = COMPARED_FIELDS) -> dict[str, DaemonTorrent]:
        """Return all torrents by info hash, or those of them that it has."""
        arguments: dict[str, Any] = {"fields": fields.split()}
        if hashes is not None:
            arguments["ids"] = list(hashes)
        listed = self.rpc.call("torrent-get", arguments)["torrents"]
        return {entry["hashString"]: daemon_torrent(entry) for entry in listed}

    def all_torrents(self) -> dict[str, DaemonTorrent]:
        """Return all torrents, once their number stands still: 3.00 answers before it has read them at its start."""
        found = self.torrents()
        while not self.modern and self.rpc.call("session-stats")["current-stats"]["secondsActive"] < YOUNG:
            time.sleep(LONGEST_POLL)  # the daemon tells no event; its own age bounds the wait
            again = self.torrents()
            if found.keys() == again.keys():
                return again
            found = again
        return found

    def send(self, method: str, hashes: Sequence[str], arguments: dict[str, Any] | None = None) -> None:
        """Make one call for many torrents; none for none."""
        if hashes:
            self.rpc.call(method, {"ids": list(hashes), **(arguments or {})})

    def send_all(self, calls: Iterable[tuple[str, RpcCall]]) -> None:
        """Make calls of (hash, call), equal ones together."""
        for call, hashes in grouped_calls(calls):
            self.send(call.method, hashes, call.arguments)

    def stop(self, hashes: Sequence[str]) -> None:
        """Stop torrents and wait until they have: a start that comes before is dropped, and after a check that comes
        before, 4.x goes on."""
        self.send("torrent-stop", hashes)
        running, deadline = list(hashes), time.monotonic() + STOPPING
        while running and time.monotonic() < deadline:
            time.sleep(SHORTEST_POLL)  # the daemon tells no event; the deadline above bounds the wait
            held = self.torrents(running, POLLED_FIELDS)
            running = [info_hash for info_hash, torrent in held.items() if torrent.status is not TorrentStatus.STOPPED]

    def restart(self, hashes: Sequence[str]) -> None:
        """Have torrents announced before the tracker's interval, or the daemon's long pause after a failed announce, is
        over. They start past every queue."""
        self.stop(hashes)
        self.send("torrent-start-now", hashes)

    def add(self, want: WantedTorrent, label: str) -> str | None:
        """Add it paused, so that content which is not right never makes it a leecher; return a refusal, if any."""
        try:
            self.rpc.call(
                "torrent-add",
                {
                    "metainfo": want.metainfo,
                    "download-dir": want.download_dir,
                    "paused": True,
                    "labels": [label],  # 3.00 ignores them here
                },
            )
        except RpcFailed as error:
            return error.result
        return None


def grouped_calls(calls: Iterable[tuple[str, RpcCall]]) -> list[tuple[RpcCall, list[str]]]:
    """Return calls of (hash, call) put together: a thousand torrents with one edit are one call."""
    groups: dict[str, tuple[RpcCall, list[str]]] = {}
    for info_hash, call in calls:
        _call, hashes = groups.setdefault(repr((call.method, sorted(call.arguments.items()))), (call, []))
        hashes.append(info_hash)
    return list(groups.values())
