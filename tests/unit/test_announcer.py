"""The announcer: what it takes for a restarted tracker, and what it has announced anew; played with no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.programs import announcer
from ansible.module_utils.seedbed.programs.announcer import OWED_SECONDS, Announcer, OwedStarts, forgotten, tracker_life
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

PLACE = "192.0.2.1:8888"
CONFIG: announcer.AnnouncerConfig = {
    "rpc": ("127.0.0.1", 8081),
    "login": ("seedbed", "secret"),
    "trackers": [
        {"place": PLACE, "statistics": f"http://{PLACE}/stats?mode=everything"},
        {"place": "192.0.2.2:8888", "statistics": "http://192.0.2.2:8888/stats?mode=everything"},
    ],
    "seconds": 10,
}
ONE: announcer.AnnouncerConfig = {**CONFIG, "trackers": CONFIG["trackers"][:1]}


def statistics(id_: int, uptime: int) -> str:
    return f"<stats>\n <tracker_id>{id_}</tracker_id>\n <uptime>{uptime}</uptime>\n</stats>"


def torrent(
    info_hash: str, announced: int, *, place: str = PLACE, taken: bool = True, status: int = 6
) -> dict[str, Any]:
    trackers = [
        {"announce": f"{scheme}://{place}/announce", "lastAnnounceSucceeded": taken, "lastAnnounceTime": announced}
        | {"announceState": 1, "lastAnnounceStartTime": announced}
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
        self.now = 1000.0
        monkeypatch.setattr("time.time", lambda: self.now)

    def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        shown = [each for each in self.shown if each["hashString"] in arguments.get("ids", [each["hashString"]])]
        if method == "torrent-start-now":
            for each in shown:
                each["status"] = 6
        self.asked += "ids" not in arguments
        return {"torrents": shown}

    def restart(self, hashes: list[str]) -> None:
        self.again += hashes

    def close(self) -> None:
        """There is no connection."""


@pytest.fixture
def owed(tmp_path: Path) -> OwedStarts:
    return OwedStarts(str(tmp_path / "owed.json"))


def test_only_what_was_forgotten_is_announced_anew_and_once(monkeypatch: pytest.MonkeyPatch, owed: OwedStarts) -> None:
    daemon, said = Daemon(monkeypatch), []
    pages = {PLACE: statistics(7, 100)}

    def fetch(url: str) -> str:
        for place, page in pages.items():
            if place in url:
                return page
        raise OSError("connection refused")

    watch = Announcer(CONFIG, owed, fetch, said.append)
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


def test_a_daemon_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch, owed: OwedStarts) -> None:
    daemon, said = Daemon(monkeypatch), []
    watch = Announcer(ONE, owed, lambda _url: statistics(7, 100), said.append)
    away = announcer.SeedbedError("Transmission's RPC at 127.0.0.1:8081 does not answer")
    with monkeypatch.context() as patch:
        patch.setattr(daemon, "call", lambda *_arguments: (_ for _ in ()).throw(away))
        watch.look()
    assert said == [f"{PLACE}: {away}"]
    watch.look()
    assert daemon.again == ["a" * 40]


def test_what_was_stopped_to_be_announced_is_started_whatever_comes_between(
    monkeypatch: pytest.MonkeyPatch, owed: OwedStarts
) -> None:
    daemon, said = Daemon(monkeypatch), []

    def restart(hashes: list[str]) -> None:
        for each in daemon.shown:
            each["status"] = 0 if each["hashString"] in hashes else each["status"]
        raise announcer.SeedbedError("the daemon was killed")

    with monkeypatch.context() as patch:
        patch.setattr(daemon, "restart", restart)
        Announcer(ONE, owed, lambda _url: statistics(7, 100), said.append).look()
    assert [each["status"] for each in daemon.shown] == [0, 6]
    # Another process, as after a boot.
    Announcer(ONE, owed, lambda _url: statistics(7, 100), said.append).look()
    assert [each["status"] for each in daemon.shown] == [6, 6]
    assert said[1] == "the daemon had 1 torrents stopped that shall run: started"


def test_what_somebody_stops_later_stays_stopped(monkeypatch: pytest.MonkeyPatch, owed: OwedStarts) -> None:
    daemon = Daemon(monkeypatch)
    owed.note(["a" * 40], daemon.now)
    daemon.now += OWED_SECONDS
    daemon.shown[0]["status"] = 0
    Announcer(ONE, owed, lambda _url: statistics(7, 1000), lambda _text: None).look()
    assert daemon.shown[0]["status"] == 0
    assert owed.restarted(daemon.now) == {}


def test_a_record_that_is_broken_owes_nothing(tmp_path: Path) -> None:
    (tmp_path / "owed.json").write_bytes(b'{"a')
    assert OwedStarts(str(tmp_path / "owed.json")).restarted(0.0) == {}


def test_a_start_that_the_daemon_forgot_to_tell_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch, owed: OwedStarts
) -> None:
    daemon, said = Daemon(monkeypatch), []
    watch = Announcer(ONE, owed, lambda _url: statistics(7, 100), said.append)
    watch.look()
    for tracker in daemon.shown[0]["trackerStats"]:  # the stop came through, and nothing waits behind it
        tracker.update(announceState=announcer.QUEUED, lastAnnounceStartTime=1001, lastAnnounceTime=1001)
    daemon.now += 5
    watch.look()
    assert daemon.again == ["a" * 40]
    daemon.now += 5  # the next look: the lab is well within a minute of a boot of its tracker, the doctor's included
    watch.look()
    assert daemon.again == ["a" * 40] * 2
    assert said[1:] == ["the daemon had not announced 1 torrents that it had started: restarted"]


def test_many_torrents_have_the_time_that_they_take() -> None:
    waiting = [torrent(f"{number:040x}", 1000) for number in range(600)]
    for each in waiting:
        each["trackerStats"][0]["announceState"] = announcer.QUEUED
    restarted = {each["hashString"]: 2000.0 for each in waiting}  # long after they were announced last
    assert announcer.silent(waiting, restarted, 2060.0) == []
    assert len(announcer.silent(waiting, restarted, 2061.0)) == 600
