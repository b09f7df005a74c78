"""The announcer: what it takes for a restarted tracker, and what it has announced anew; played with no network."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.programs import announcer
from ansible.module_utils.seedbed.programs.announcer import Announcer, forgotten, tracker_life
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

PLACE = "192.0.2.1:8888"
CONFIG: announcer.AnnouncerConfig = {
    "rpc": ("127.0.0.1", 8081),
    "login": ("seedbed", "secret"),
    "trackers": [
        {"place": PLACE, "statistics": f"http://{PLACE}/stats?mode=everything"},
        {"place": "192.0.2.2:8888", "statistics": "http://192.0.2.2:8888/stats?mode=everything"},
    ],
    "seconds": 15,
}


def statistics(id_: int, uptime: int) -> str:
    return f"<stats>\n <tracker_id>{id_}</tracker_id>\n <uptime>{uptime}</uptime>\n</stats>"


def torrent(
    info_hash: str, announced: int, *, place: str = PLACE, taken: bool = True, status: int = 6
) -> dict[str, Any]:
    trackers = [
        {"announce": f"{scheme}://{place}/announce", "lastAnnounceSucceeded": taken, "lastAnnounceTime": announced}
        for scheme in ("http", "udp")
    ]
    return {"hashString": info_hash, "status": status, "trackerStats": trackers}


def test_a_life_begins_when_the_uptime_says() -> None:
    assert tracker_life(statistics(7, 100), 1000.0) == ("7", 900.0)
    assert tracker_life("<html>not found</html>", 1000.0) is None


@pytest.mark.parametrize(
    ("change", "is_forgotten"),
    [
        ({}, True),
        ({"announced": 905}, False),
        ({"announced": 899}, False),  # whole seconds on both sides
        ({"place": "192.0.2.2:8888"}, False),
        ({"taken": False}, False),  # the daemon tries again by itself
        ({"status": TorrentStatus.STOPPED.value}, False),
        ({"status": TorrentStatus.DOWNLOADING.value}, True),  # a partial seed
    ],
)
def test_what_a_tracker_took_in_its_former_life_is_forgotten(change: dict[str, Any], is_forgotten: bool) -> None:
    shown = torrent(**{"info_hash": "a" * 40, "announced": 800, **change})
    assert forgotten([shown], PLACE, 900.0) == ["a" * 40] * is_forgotten


class Daemon:
    """The torrents, and what was announced anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown = [torrent("a" * 40, 800), torrent("b" * 40, 950)]
        self.again: list[str] = []
        self.asked = 0
        monkeypatch.setattr(announcer, "RpcClient", lambda *_arguments: self)
        monkeypatch.setattr(announcer, "TorrentRpc", lambda _rpc: self)
        monkeypatch.setattr("time.time", lambda: 1000.0)

    def call(self, _method: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        return {"torrents": self.shown}

    def restart(self, hashes: list[str]) -> None:
        self.again += hashes

    def close(self) -> None:
        """There is no connection."""


def test_only_what_was_forgotten_is_announced_anew_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, said = Daemon(monkeypatch), []
    pages = {PLACE: statistics(7, 100)}

    def fetch(url: str) -> str:
        for place, page in pages.items():
            if place in url:
                return page
        raise OSError("connection refused")

    watch = Announcer(CONFIG, fetch, said.append)
    watch.look()
    watch.look()
    assert (daemon.again, daemon.asked) == (["a" * 40], 1)
    assert said == [
        f"{PLACE} has been restarted: announced 1 of 2 torrents anew",
        "192.0.2.2:8888: connection refused",  # once, not at every look
    ]
    # Restarted within the same second of uptime: another id.
    pages[PLACE] = statistics(8, 0)
    watch.look()
    assert (daemon.again[1:], daemon.asked) == (["a" * 40, "b" * 40], 2)
    pages[PLACE] = "<html>forbidden</html>"
    watch.look()
    assert said[-1] == f"{PLACE}: http://{PLACE}/stats?mode=everything shows no statistics of opentracker"


def test_a_daemon_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, said = Daemon(monkeypatch), []
    watch = Announcer({**CONFIG, "trackers": CONFIG["trackers"][:1]}, lambda _url: statistics(7, 100), said.append)
    away = announcer.SeedbedError("Transmission's RPC at 127.0.0.1:8081 does not answer")
    with monkeypatch.context() as patch:
        patch.setattr(daemon, "call", lambda *_arguments: (_ for _ in ()).throw(away))
        watch.look()
    assert said == [f"{PLACE}: {away}"]
    watch.look()
    assert daemon.again == ["a" * 40]
