"""Ask trackers, seeders and scripted peers how they are, and leave that in files which the portal serves.

``metrics`` is for Prometheus, ``history.json`` and ``items/HASH.json`` are for the portal's page.
"""

from __future__ import annotations

import base64
import calendar
import json
import os
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping, Sequence, TypedDict

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import make_directory, read_file, write_atomically
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.evidence.history import History, read_history, with_values
from ansible.module_utils.seedbed.evidence.metrics import (
    Counts,
    ImpairedHost,
    LabNow,
    ScriptedNow,
    SeederNow,
    TrackerNow,
    exposition,
    families,
    statistics,
)
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.transmission.inside import Inside, look_inside
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied, RpcError

SECONDS = 5.0  # that anybody may take to answer
SCRAPED = 50  # torrents in one question
AT_ONCE = 8
LONGEST = 8 << 20  # bytes of an answer
PEACE = 900.0
"""Seconds in which a daemon that has refused us is not asked: a hundred wrong passwords lock everybody out."""
MOST_FILES = 200  # of an item that are listed


class AskedTracker(TypedDict):
    """A tracker."""

    name: str
    scrape: str
    statistics: str


class AskedSeeder(TypedDict):
    """A seeder."""

    name: str
    rpc: tuple[str, int]
    login: tuple[str, str]


class AskedScripted(TypedDict):
    """A host that plays by script."""

    name: str
    status: str


class CollectorConfig(TypedDict):
    """The program's configuration file, JSON."""

    trackers: list[AskedTracker]
    seeders: list[AskedSeeder]
    scripted: list[AskedScripted]
    published: str
    """Where catalogue.json lies."""
    seconds: float


def fetch(url: str) -> bytes:
    """Return what is there, without the proxy that the environment may name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=SECONDS) as answer:
        return bytes(answer.read(LONGEST))


def ask_tracker(tracker: AskedTracker, hashes: Sequence[str]) -> TrackerNow:
    """Return what a tracker tells; nothing of one that is away."""
    counts: dict[str, Counts] = {}
    try:
        told = statistics(fetch(tracker["statistics"]).decode("utf-8", "replace"))
        for first in range(0, len(hashes), SCRAPED):
            counts.update(_scrape(tracker["scrape"], hashes[first : first + SCRAPED]))
    except (OSError, SeedbedError, ValueError):
        return {"name": tracker["name"], "up": False, "statistics": {}, "counts": {}}
    return {"name": tracker["name"], "up": True, "statistics": told, "counts": counts}


def _scrape(url: str, hashes: Sequence[str]) -> dict[str, Counts]:
    query = "&".join("info_hash=" + "".join(f"%{byte:02x}" for byte in bytes.fromhex(each)) for each in hashes)
    files = bencode.decode(fetch(f"{url}?{query}"), strict=False).get(b"files", {})
    found: dict[str, Counts] = dict.fromkeys(hashes, (0, 0, 0))  # who is not known has no peers
    for raw, told in files.items():
        found[raw.hex()] = told.get(b"complete", 0), told.get(b"incomplete", 0), told.get(b"downloaded", 0)
    return found


class SeederAsker:
    """Asks one seeder again and again; what is long of an answer is asked for only when it has changed."""

    def __init__(self, config: AskedSeeder) -> None:
        self._name = config["name"]
        self._rpc = RpcClient(*config["rpc"], config["login"], timeout=SECONDS)
        self._long: dict[str, tuple[int, Inside]] = {}
        self._denied = ("", 0.0)

    def ask(self) -> SeederNow:
        """Return what it tells."""
        now: SeederNow = {"name": self._name, "error": "", "uploaded": 0, "torrents": []}
        if time.monotonic() < self._denied[1]:
            return {**now, "error": self._denied[0]}
        try:
            now["torrents"] = self._torrents()
            now["uploaded"] = int(self._rpc.call("session-stats")["cumulative-stats"]["uploadedBytes"])
        except RpcDenied as error:
            self._denied = str(error), time.monotonic() + PEACE
            return {**now, "error": str(error), "torrents": []}
        except RpcError as error:
            return {**now, "error": str(error), "torrents": []}
        except (KeyError, TypeError, ValueError) as error:
            return {**now, "error": f"the daemon's answer lacks {error}", "torrents": []}
        return now

    def _torrents(self) -> list[Inside]:
        found = look_inside(self._rpc, [], at_length=False)
        changed = [each["info_hash"] for each in found if self._long.get(each["info_hash"], (-1,))[0] != each["have"]]
        for first in range(0, len(changed), SCRAPED):
            for each in look_inside(self._rpc, changed[first : first + SCRAPED]):
                self._long[each["info_hash"]] = each["have"], each
        known = {each["info_hash"] for each in found}
        self._long = {info_hash: kept for info_hash, kept in self._long.items() if info_hash in known}
        for each in found:
            kept = self._long.get(each["info_hash"])
            if kept:
                each["files"] = kept[1]["files"]
                each["pieces"] = kept[1]["pieces"]
        return found


def ask_scripted(host: AskedScripted) -> ScriptedNow:
    """Return what a daemon of scripted peers tells."""
    try:
        told = json.loads(fetch(host["status"]))
        counts = int(told["torrents"]), int(told["connections"])
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": host["name"], "up": False, "torrents": 0, "connections": 0}
    return {"name": host["name"], "up": True, "torrents": counts[0], "connections": counts[1]}


def read_items(published: str) -> dict[str, str]:
    """Return the catalogue's items by their info hashes; none before there is a catalogue."""
    try:
        listed = json.loads(read_file(os.path.join(published, "catalogue.json")) or b"{}").get("items", [])
        return {item["info_hash"]: item["name"] for item in listed}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _moment(text: str) -> float:
    """Return a time as the portal publishes it, such as 2024-05-01T14:05:00Z, in seconds since 1970."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def read_impaired(published: str, now: float) -> list[ImpairedHost]:
    """Return the hosts whose network is bad on purpose, as the portal publishes them."""
    try:
        listed = json.loads(read_file(os.path.join(published, "impairments.json")) or b"{}").get("impairments", [])
        found: list[ImpairedHost] = [
            {"host": str(each["host"]), "impairment": str(each["impairment"]), "until": _moment(each["until"])}
            for each in listed
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [each for each in found if each["until"] > now]


class Collector:
    """Asks all, and writes what it has learned."""

    def __init__(self, config: CollectorConfig, directory: str, state: str) -> None:
        self._config, self._directory = config, directory
        self._history_file = os.path.join(state, "history.json")
        self._seeders = [SeederAsker(seeder) for seeder in config["seeders"]]
        self._history = read_history(_json(self._history_file))
        self._written: dict[str, bytes] = {}
        make_directory(os.path.join(directory, "items"))

    def look(self) -> None:
        """Ask everybody once, side by side."""
        began = time.monotonic()
        items = read_items(self._config["published"])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            trackers = [pool.submit(ask_tracker, each, list(items)) for each in self._config["trackers"]]
            seeders = [pool.submit(each.ask) for each in self._seeders]
            scripted = [pool.submit(ask_scripted, each) for each in self._config["scripted"]]
        now = time.time()
        lab: LabNow = {
            "when": now,
            "seconds": time.monotonic() - began,
            "items": items,
            "trackers": [each.result() for each in trackers],
            "seeders": [each.result() for each in seeders],
            "scripted": [each.result() for each in scripted],
            "impaired": read_impaired(self._config["published"], now),
        }
        self._write(lab)

    def _write(self, lab: LabNow) -> None:
        write_atomically(os.path.join(self._directory, "metrics"), exposition(families(lab)).encode())
        before = self._history["end"]
        self._history = with_values(self._history, lab["when"], peers_of(lab))
        content = _text(self._history)
        self._replace("history.json", content)
        if self._history["end"] != before:  # once a step: whoever boots the host loses no more than that
            write_atomically(self._history_file, content)
        for info_hash, told in item_files(lab).items():
            self._replace(f"items/{info_hash}.json", _text(told))
        kept = {"history.json", *(f"items/{info_hash}.json" for info_hash in lab["items"])}
        for path in [path for path in self._written if path not in kept]:
            os.unlink(os.path.join(self._directory, path))
            del self._written[path]
        write_atomically(os.path.join(self._directory, "now.json"), _text({"when": int(lab["when"])}))

    def _replace(self, path: str, content: bytes) -> None:
        if self._written.get(path) != content:
            write_atomically(os.path.join(self._directory, path), content)
            self._written[path] = content


def peers_of(lab: LabNow) -> dict[str, int | None]:
    """Return how many peers each item has at the tracker that knows most; None where no tracker tells."""
    told = [tracker["counts"] for tracker in lab["trackers"] if tracker["up"]]
    return {
        info_hash: max(sum(counts.get(info_hash, (0, 0))[:2]) for counts in told) if told else None
        for info_hash in lab["items"]
    }


def item_files(lab: LabNow) -> dict[str, dict[str, Any]]:
    """Return what the page tells of each item when it is unfolded, by the info hashes."""
    silent = [seeder["name"] for seeder in lab["seeders"] if seeder["error"]]
    found: dict[str, dict[str, Any]] = {info_hash: {"seeders": {}, "silent": silent} for info_hash in lab["items"]}
    for seeder in lab["seeders"]:
        for torrent in seeder["torrents"]:
            if torrent["info_hash"] in found:
                found[torrent["info_hash"]]["seeders"][seeder["name"]] = shown(torrent)
    return found


def shown(torrent: Inside) -> Mapping[str, Any]:
    """Return a torrent for the page: pieces where some are missing, and not the last of thousands of files."""
    files = torrent.get("files", [])
    told: dict[str, Any] = {**torrent, "files": files[:MOST_FILES], "more_files": max(0, len(files) - MOST_FILES)}
    if torrent["have"] >= torrent["size"] or not any(base64.b64decode(torrent.get("pieces", ""))):
        told.pop("pieces", None)
    return told


def _json(path: str) -> Any:
    try:
        return json.loads(read_file(path) or b"{}")
    except ValueError:
        return {}


def _text(content: Mapping[str, Any] | History) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; the argument is the path of the configuration."""
    with open(arguments[0], encoding="utf-8") as file:
        config: CollectorConfig = json.load(file)
    os.umask(0o022)  # the portal's user reads it
    collector = Collector(config, os.environ["RUNTIME_DIRECTORY"], os.environ["STATE_DIRECTORY"])
    notify("READY=1")
    while True:
        collector.look()
        time.sleep(config["seconds"])  # nobody tells that something has changed; systemd ends the loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
