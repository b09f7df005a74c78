"""libtorrent's Python binding as a client of the lab: a program that speaks lines of JSON (docs/clients.md).

It runs under the host's own Python, by itself: nothing of the lab is imported. It is also the example for a client of
your own.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable

STATES = {
    "checking_files": "checking",
    "checking_resume_data": "checking",
    "allocating": "checking",
    "downloading_metadata": "metadata",
    "downloading": "downloading",
    "finished": "complete",
    "seeding": "complete",
}


class Session:
    """A libtorrent session and its torrents."""

    def __init__(self, lt: Any) -> None:
        self.lt = lt
        self.session: Any = None
        self.torrents: dict[str, Any] = {}
        self.chosen: dict[str, list[int]] = {}
        self.finds: list[str] = []

    def start(self, told: dict[str, Any]) -> dict[str, Any]:
        """Begin the session: peers come from trackers alone, unless more was asked for."""
        self.finds = told["finds"]
        address = told["address"] or "0.0.0.0"
        settings = {
            "listen_interfaces": f"{address}:{told['peer_port']},[::]:{told['peer_port']}",
            "outgoing_interfaces": told["address"],
            "enable_dht": "dht" in self.finds,
            "dht_bootstrap_nodes": ",".join(told["dht_nodes"]),
            "enable_lsd": "lpd" in self.finds,
            "enable_upnp": False,
            "enable_natpmp": False,
            # Over uTP it would come from its listening port each time, and a seeder with Transmission 4 serves no
            # torrent again to an address and port that had all of it.
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
            "active_downloads": told["parallel"],
            "active_limit": told["parallel"] * 2,
            "announce_to_all_trackers": True,
            "announce_to_all_tiers": True,
            # A lab's tracker has a private address, as its web seeds have.
            "ssrf_mitigation": False,
            "allow_multiple_connections_per_ip": True,
        }
        # 1.2 knows nothing of some, and refuses all for one.
        known = self.lt.default_settings()
        self.session = self.lt.session({name: value for name, value in settings.items() if name in known})
        return {}

    def add(self, told: dict[str, Any]) -> dict[str, Any]:
        """Begin a download."""
        if told["torrent"]:
            wanted = self.lt.add_torrent_params()
            wanted.ti = self.lt.torrent_info(told["torrent"])
        else:
            wanted = self.lt.parse_magnet_uri(told["magnet"])
        wanted.save_path = told["directory"]
        flags = self.lt.torrent_flags
        for way, off in (("pex", flags.disable_pex), ("dht", flags.disable_dht), ("lpd", flags.disable_lsd)):
            if way not in self.finds:
                wanted.flags |= off
        wanted.flags &= ~(flags.auto_managed | flags.paused)
        torrent = self.session.add_torrent(wanted)
        for tier, url in enumerate(told["trackers"]):
            torrent.add_tracker({"url": url, "tier": tier})
        self.torrents[told["id"]] = torrent
        self.chosen[told["id"]] = told["files"]
        return {}

    def status(self, told: dict[str, Any]) -> dict[str, Any]:
        """Say how a download stands."""
        torrent = self.torrents[told["id"]]
        seen = torrent.status()
        chosen = self.chosen[told["id"]]
        if chosen and seen.has_metadata:
            number = torrent.torrent_file().num_files()
            torrent.prioritize_files([4 if index in chosen else 0 for index in range(number)])
            self.chosen[told["id"]] = []
        error = seen.errc.message() if seen.errc.value() else ""
        state = "failed" if error else STATES[str(seen.state)]
        return {"state": state, "bytes": seen.total_wanted_done, "peers": seen.num_peers, "error": error}

    def files(self, told: dict[str, Any]) -> dict[str, Any]:
        """Name the files."""
        torrent = self.torrents[told["id"]]
        files, where = torrent.torrent_file().files(), torrent.status().save_path
        return {"files": [os.path.join(where, files.file_path(index)) for index in range(files.num_files())]}

    def remove(self, told: dict[str, Any]) -> dict[str, Any]:
        """Forget a download."""
        self.session.remove_torrent(self.torrents.pop(told["id"]))
        return {}


def main() -> None:
    """Answer each line with a line."""
    import libtorrent  # noqa: PLC0415 - who only reads this file may lack it

    session = Session(libtorrent)
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        name: getattr(session, name) for name in ("start", "add", "status", "files", "remove")
    }
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "stop":
            break
        try:
            answer = answers[told["do"]](told)
        except RuntimeError as error:  # how libtorrent refuses
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
