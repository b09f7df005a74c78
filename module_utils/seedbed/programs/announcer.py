"""Watch the lab's trackers beside a seeder, and announce its torrents anew when one of them has been restarted.

A tracker keeps its peers in memory, and a daemon that was told to come back in half an hour does not notice that it has
been forgotten. opentracker's statistics tell: it draws an id when it starts, and says how long it has been up.

To be announced anew, a torrent is stopped and started. A daemon writes down at once that it was stopped, and only six
minutes later that it runs: one that is killed in between, or a program that is, leaves it stopped. So this one keeps on
the disk what it has stopped, and starts it again where it finds it so. And Transmission 3.00 drops the word of the
start where the tracker does not take that of the stop at first, as over UDP from one that was restarted less than a
minute after it was asked last: the torrent then waits for ever to announce, and is restarted once more.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import time
import urllib.request
from typing import Any, Callable, Mapping, NamedTuple, Sequence, TypedDict
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.transmission.rpc import RpcClient
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

LONGEST_STATISTICS = 1 << 20  # bytes
# How much younger an announce may be than the tracker's start: its uptime has whole seconds, so has the daemon's clock.
BLUR = 2
OWED_SECONDS = 420
"""For so long after its start a torrent may come back stopped: the daemon writes its state every 360 s."""

QUEUED = 2
"""``announceState`` of a tracker whose turn it is."""
FIELDS = ["hashString", "status", "trackerStats"]
PATIENCE = 5.0  # seconds in which a start is announced; a daemon with little to do takes one or two
PACE = 10  # torrents a second that a daemon announces at least, each with a stop and a start


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


def silent(torrents: Sequence[Mapping[str, Any]], restarted: Mapping[str, float], now: float) -> list[str]:
    """Return the hashes of running torrents, of those that were restarted, that wait in vain to be announced.

    torrents: as Transmission's ``torrent-get`` shows ``hashString``, ``status`` and ``trackerStats``. restarted: when
    each was.
    """
    since = now - max(PATIENCE, len(torrents) / PACE)
    return [
        torrent["hashString"]
        for torrent in torrents
        if torrent["status"] != TorrentStatus.STOPPED.value
        and restarted[torrent["hashString"]] < since
        and any(
            tracker["announceState"] == QUEUED and tracker["lastAnnounceStartTime"] < since
            for tracker in torrent["trackerStats"]
        )
    ]


def fetch_statistics(url: str) -> str:
    """Return what the tracker's statistics say, without the proxy that the environment may name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read(LONGEST_STATISTICS).decode("utf-8", "replace"))


class OwedStarts:
    """On the disk, which torrents were stopped and shall run."""

    def __init__(self, path: str) -> None:
        self._path = path

    def note(self, hashes: Sequence[str], now: float) -> None:
        """Add torrents."""
        known = {**self._known(now), **dict.fromkeys(hashes, now + OWED_SECONDS)}
        write_atomically(self._path, json.dumps(known).encode(), mode=0o600, durable=True)

    def restarted(self, now: float) -> dict[str, float]:
        """Return those that may still be found stopped, with the time at which each was noted last."""
        return {info_hash: until - OWED_SECONDS for info_hash, until in self._known(now).items()}

    def _known(self, now: float) -> dict[str, float]:
        try:
            known: dict[str, float] = json.loads(read_file(self._path) or b"{}")
        except ValueError:  # of a disk that has lost it
            return {}
        return {info_hash: until for info_hash, until in known.items() if until > now}


class Announcer:
    """Remembers in which life each tracker was seen last."""

    def __init__(
        self,
        config: AnnouncerConfig,
        owed: OwedStarts,
        fetch: Callable[[str], str] = fetch_statistics,
        say: Callable[[str], None] = lambda text: print(text, flush=True),
    ) -> None:
        self._config, self._owed, self._fetch, self._say = config, owed, fetch, say
        self._lives: dict[str, str] = {}
        self._troubles: dict[str, str] = {}

    def look(self) -> None:
        """Look at every tracker once. One that is away tells nothing; the others are still asked."""
        try:
            self._start_owed()
            self._troubles.pop("", None)
        except (SeedbedError, OSError) as error:
            self._tell_once("", str(error))
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
            shown = rpc.call("torrent-get", {"fields": FIELDS})["torrents"]
            hashes = forgotten(shown, place, life.since)
            if hashes:
                self._restart(rpc, hashes)
                self._say(f"{place} has been restarted: announced {len(hashes)} of {len(shown)} torrents anew")
        finally:
            rpc.close()

    def _restart(self, rpc: RpcClient, hashes: Sequence[str]) -> None:
        self._owed.note(hashes, time.time())
        TorrentRpc(rpc).restart(hashes)

    def _start_owed(self) -> None:
        restarted = self._owed.restarted(time.time())
        if not restarted:
            return
        rpc = RpcClient(*self._config["rpc"], self._config["login"])
        try:
            shown = rpc.call("torrent-get", {"ids": list(restarted), "fields": FIELDS})["torrents"]
            stopped = [each["hashString"] for each in shown if each["status"] == TorrentStatus.STOPPED.value]
            if stopped:
                rpc.call("torrent-start-now", {"ids": stopped})
                self._owed.note(stopped, time.time())
                self._say(f"the daemon had {len(stopped)} torrents stopped that shall run: started")
            unheard = silent(shown, restarted, time.time())
            if unheard:
                self._restart(rpc, unheard)
                self._say(f"the daemon had not announced {len(unheard)} torrents that it had started: restarted")
        finally:
            rpc.close()

    def _tell_once(self, place: str, trouble: str) -> None:
        if self._troubles.get(place) != trouble:
            self._troubles[place] = trouble
            self._say(f"{place}: {trouble}" if place else trouble)


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; the argument is the path of the configuration."""
    with open(arguments[0], encoding="utf-8") as file:
        config: AnnouncerConfig = json.load(file)
    announcer = Announcer(config, OwedStarts(os.path.join(os.environ["STATE_DIRECTORY"], "owed.json")))
    notify("READY=1")
    while True:
        announcer.look()
        time.sleep(config["seconds"])  # a tracker tells nobody that it was restarted; systemd ends the loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
