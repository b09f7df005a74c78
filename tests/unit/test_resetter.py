"""A reset that testers order by the portal: who may, how often, what is done and what is told of the rest."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.programs import resetter
from ansible.module_utils.seedbed.programs.resetter import Busy, Hall, Resetter, ResetterConfig, TooSoon, sort_torrents
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

TOKEN = "a word of the operators"
OURS, PAUSED, FOREIGN, LACKING, PUBLISHED = (letter * 40 for letter in "abcde")
PLACE = "192.0.2.11:8888"


class Torrent:
    """What is looked at of a daemon's torrent."""

    def __init__(self, status: TorrentStatus, *, label: str = "seedbed", left: int = 0) -> None:
        self.status, self.labels, self.left, self.error = status, (label,) if label else (), left, 0
        self.trackers = [{"announce": f"http://{PLACE}/announce"}, {"announce": "http://192.0.2.99/announce"}]


HELD = {
    OURS: Torrent(TorrentStatus.SEEDING),
    PAUSED: Torrent(TorrentStatus.STOPPED),
    FOREIGN: Torrent(TorrentStatus.DOWNLOADING, label="", left=5),
    LACKING: Torrent(TorrentStatus.STOPPED, left=5),
    PUBLISHED: Torrent(TorrentStatus.SEEDING, label=""),
}


class Clock:
    """Time that goes on by being looked at."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def config(tmp_path: Path, **more: Any) -> ResetterConfig:
    tracker = {"name": "hub", "scrape": f"http://{PLACE}/scrape", "statistics": f"http://{PLACE}/stats"}
    lab = {
        "trackers": [tracker],
        "seeders": [{"name": "seeder1", "rpc": ("192.0.2.21", 8081), "login": ("a", "b")}],
        "scripted": [{"name": "other", "status": "http://192.0.2.12:8086/status.json"}],
        "published": str(tmp_path),
        "seconds": 10.0,
    }
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    told: Any = {"lab": lab, "here": "hub", "adopted": [], "token_sha256": digest, **more}
    return told  # type: ignore[no-any-return]


class Lab:
    """A lab that does what it is told, and notes it."""

    def __init__(self, wish: Path) -> None:
        self.wish, self.done, self.listed, self.lives = wish, [], True, 0  # type: ignore[var-annotated]

    def fetch(self, url: str) -> bytes:
        if self.wish.exists():
            self.wish.unlink()
            self.lives += 1
        return f"<tracker_id>{7 + self.lives}</tracker_id><uptime>1</uptime>".encode()

    def ask_tracker(self, tracker: Any, hashes: list[str]) -> dict[str, Any]:
        counts = {each: (1, 0, 0) for each in hashes if self.listed}
        return {"name": tracker["name"], "up": True, "statistics": {}, "counts": counts}

    def daemon(self, _rpc: Any) -> Lab:
        return self

    def all_torrents(self) -> dict[str, Torrent]:
        return HELD

    def torrents(self, hashes: list[str]) -> dict[str, Torrent]:
        return {each: HELD[each] for each in hashes}

    def send(self, method: str, hashes: list[str], arguments: Any = None) -> None:
        self.done.append((method, sorted(hashes), arguments))

    def stop(self, hashes: list[str]) -> None:
        self.done.append(("torrent-stop", sorted(hashes), None))

    def restart(self, hashes: list[str]) -> None:
        self.done.append(("restart", sorted(hashes), None))


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    made = Lab(tmp_path / "forget")
    monkeypatch.setattr(resetter, "fetch", made.fetch)
    monkeypatch.setattr(resetter, "ask_tracker", made.ask_tracker)
    monkeypatch.setattr(resetter, "TorrentRpc", made.daemon)
    monkeypatch.setattr(resetter.time, "sleep", lambda _seconds: None)
    items = {"items": [{"info_hash": PUBLISHED, "name": "a"}]}
    (tmp_path / "catalogue.json").write_text(json.dumps(items), encoding="utf-8")
    return made


def steps(told: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(step["step"], step["host"]): step["done"] for step in told["steps"]}


def test_torrents_are_told_apart_by_label_and_catalogue() -> None:
    held: Any = HELD
    found = sort_torrents(held, {PUBLISHED: "a"})
    assert found == ([FOREIGN], [PAUSED], [OURS, PUBLISHED], [LACKING])


def test_what_can_be_done_from_here_is_done_and_the_rest_is_told(lab: Lab, tmp_path: Path) -> None:
    told = Resetter(config(tmp_path), str(lab.wish), Clock()).reset()
    assert lab.lives == 1  # the tracker of this host was restarted
    assert lab.done == [
        ("torrent-remove", [FOREIGN], {"delete-local-data": False}),
        ("torrent-stop", [OURS, PUBLISHED], None),
        ("torrent-start-now", [OURS, PAUSED, PUBLISHED], None),
    ]
    assert steps(told) == {
        ("impairment", ""): True,
        ("scripted peers", "other"): False,  # on another host
        ("tracker", "hub"): True,
        ("torrents of others", "seeder1"): True,
        ("paused torrents", "seeder1"): False,  # one lacks content
        ("announces", "seeder1"): True,
        ("leechers", ""): False,
    }
    assert told["green"] is False
    assert [each.partition(":")[0] for each in told["lacking"]] == [
        "scripted peers of other",
        "paused torrents of seeder1",
    ]
    assert all("playbooks/reset.yml" in step["why"] for step in told["steps"] if not step["done"])


def test_a_lab_that_lacks_nothing_is_green(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(HELD, LACKING, HELD[PAUSED])
    settings = config(tmp_path)
    settings["lab"]["scripted"] = []
    told = Resetter(settings, str(lab.wish), Clock()).reset()
    assert (told["green"], told["lacking"]) == (True, [])


def test_a_tracker_that_does_not_list_what_is_seeded_is_told(lab: Lab, tmp_path: Path) -> None:
    lab.listed = False
    told = Resetter(config(tmp_path), str(lab.wish), Clock()).reset()
    assert "the tracker of hub does not list 3 torrents that are seeded" in told["lacking"]
    assert ("restart", [OURS, PAUSED, PUBLISHED], None) in lab.done  # once more, as 3.00 may drop a start


def test_a_daemon_that_was_somebodys_keeps_what_it_has(lab: Lab, tmp_path: Path) -> None:
    told = Resetter(config(tmp_path, adopted=["seeder1"]), str(lab.wish), Clock()).reset()
    assert not [done for done in lab.done if done[0] == "torrent-remove"]
    assert steps(told)["torrents of others", "seeder1"]


def test_there_is_one_at_a_time_and_a_pause_after_it(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = Clock()
    one = Resetter(config(tmp_path), str(lab.wish), clock)
    seen: list[type[Exception]] = []

    def meanwhile(_rpc: Any) -> Lab:
        with pytest.raises(Busy) as caught:
            one.reset()
        seen.append(caught.type)
        return lab

    monkeypatch.setattr(resetter, "TorrentRpc", meanwhile)
    one.reset()
    assert seen == [Busy]
    with pytest.raises(TooSoon):
        one.reset()
    clock.now += resetter.REST
    assert one.reset()["steps"]


def test_the_hosts_file_has_the_tokens_hash_and_not_the_token(render: Callable[..., Any]) -> None:
    lab = {"seeders": [{"name": "seeder1"}, {"name": "seeder2"}]}
    hosts = {"seeder1": {"transmission_adopt": "yes"}, "seeder2": {}}
    template = "{{ hosts | reset_settings(lab=lab, here='hub', token=token) | to_json }}"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    told = json.loads(render(template, hosts=hosts, lab=lab, token=TOKEN))
    assert told == {"lab": lab, "here": "hub", "adopted": ["seeder1"], "token_sha256": digest}


class OverSocket(http.client.HTTPConnection):
    """HTTP at a socket of the host."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@pytest.fixture
def ask(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., tuple[int, Any]]]:
    path = tmp_path / "socket"
    with Hall(str(path), Resetter(config(tmp_path), str(lab.wish), Clock())) as hall:
        thread = threading.Thread(target=hall.serve_forever)
        thread.start()

        def question(authorization: str, where: str = "/reset") -> tuple[int, Any]:
            connection = OverSocket(path)
            connection.request("POST", where, headers={"Authorization": authorization})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            connection.close()
            return answer.status, told

        yield question
        hall.shutdown()
        thread.join()


def test_the_token_opens_and_nothing_else_does(
    lab: Lab, ask: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"):
        assert ask(wrong)[0] == 401, wrong
    assert (lab.done, lab.lives) == ([], 0)
    assert ask(f"Bearer {TOKEN}", "/other")[0] == 404
    status, told = ask(f"bearer {TOKEN}")
    assert (status, told["green"]) == (200, False)
    assert ask(f"Bearer {TOKEN}")[0] == 429
    assert TOKEN not in capsys.readouterr().out
