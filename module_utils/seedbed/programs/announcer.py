"""Watch the lab's trackers beside a seeder, and announce its torrents anew when one of them has been restarted.

A tracker keeps its peers in memory, and a daemon that was told to come back in half an hour does not notice that it has
been forgotten. opentracker's statistics tell: it draws an id when it starts, and says how long it has been up.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
import urllib.request
from typing import Any, Callable, Mapping, NamedTuple, Sequence, TypedDict
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.transmission.rpc import RpcClient
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

LONGEST_STATISTICS = 1 << 20  # bytes
# How much younger an announce may be than the tracker's start: its uptime has whole seconds, so has the daemon's clock.
BLUR = 2


class WatchedTracker(TypedDict):
    """One tracker of the lab."""

    place: str
    """HOST:PORT, as it stands in announce URLs."""
    statistics: str
    """The address of its statistics."""


class AnnouncerConfig(TypedDict):
    """The program's configuration file, JSON."""

    rpc: tuple[str, int]
    login: tuple[str, str]
    trackers: list[WatchedTracker]
    seconds: float


class TrackerLife(NamedTuple):
    """One life of a tracker, from its start to its end."""

    id: str
    since: float


def tracker_life(statistics: str, now: float) -> TrackerLife | None:
    """Return what opentracker's statistics in XML (``mode=everything``) tell of its life; None for other text."""
    id_, uptime = (re.search(rf"<{name}>\s*(\d+)\s*</{name}>", statistics) for name in ("tracker_id", "uptime"))
    return TrackerLife(id_[1], now - int(uptime[1])) if id_ and uptime else None


def forgotten(torrents: Sequence[Mapping[str, Any]], place: str, since: float) -> list[str]:
    """Return the hashes of running torrents that a tracker took before its present life began.

    torrents: as Transmission's ``torrent-get`` shows ``hashString``, ``status`` and ``trackerStats``.
    """
    running = (TorrentStatus.SEEDING.value, TorrentStatus.DOWNLOADING.value)
    return [
        torrent["hashString"]
        for torrent in torrents
        if torrent["status"] in running
        and any(
            urlsplit(tracker["announce"]).netloc == place
            and tracker["lastAnnounceSucceeded"]
            and tracker["lastAnnounceTime"] < since - BLUR
            for tracker in torrent["trackerStats"]
        )
    ]


def fetch_statistics(url: str) -> str:
    """Return what the tracker's statistics say, without the proxy that the environment may name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read(LONGEST_STATISTICS).decode("utf-8", "replace"))


class Announcer:
    """Remembers in which life each tracker was seen last."""

    def __init__(
        self,
        config: AnnouncerConfig,
        fetch: Callable[[str], str] = fetch_statistics,
        say: Callable[[str], None] = lambda text: print(text, flush=True),
    ) -> None:
        self._config, self._fetch, self._say = config, fetch, say
        self._lives: dict[str, str] = {}
        self._troubles: dict[str, str] = {}

    def look(self) -> None:
        """Look at every tracker once. One that is away tells nothing; the others are still asked."""
        for tracker in self._config["trackers"]:
            place = tracker["place"]
            try:
                life = tracker_life(self._fetch(tracker["statistics"]), time.time())
                if life is None:
                    raise SeedbedError(f"{tracker['statistics']} shows no statistics of opentracker")
                if self._lives.get(place) != life.id:
                    self._announce(place, life)
                    self._lives[place] = life.id
                self._troubles.pop(place, None)
            except (SeedbedError, OSError, http.client.HTTPException) as error:
                self._tell_once(place, str(error))

    def _announce(self, place: str, life: TrackerLife) -> None:
        rpc = RpcClient(*self._config["rpc"], self._config["login"])
        try:
            shown = rpc.call("torrent-get", {"fields": ["hashString", "status", "trackerStats"]})["torrents"]
            hashes = forgotten(shown, place, life.since)
            if hashes:
                TorrentRpc(rpc).restart(hashes)
                self._say(f"{place} has been restarted: announced {len(hashes)} of {len(shown)} torrents anew")
        finally:
            rpc.close()

    def _tell_once(self, place: str, trouble: str) -> None:
        if self._troubles.get(place) != trouble:
            self._troubles[place] = trouble
            self._say(f"{place}: {trouble}")


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; the argument is the path of the configuration."""
    with open(arguments[0], encoding="utf-8") as file:
        config: AnnouncerConfig = json.load(file)
    announcer = Announcer(config)
    notify("READY=1")
    while True:
        announcer.look()
        time.sleep(config["seconds"])  # a tracker tells nobody that it was restarted; systemd ends the loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
