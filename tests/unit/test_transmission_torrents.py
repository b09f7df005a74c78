"""A catalogue in a daemon: what differs, what is done about it, what is waited for, and what check mode says of it.

The daemon is played by a small simulation of 3.00 and of 4.1 as they were measured: 3.00 reads content at every adding,
4.1 trusts sizes and dates; content that is missing raises no error and makes a leecher of what runs. Time is played,
too: it passes while somebody sleeps.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import re
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transmission_torrents
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.probe.announce import Question
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.torrent.metainfo_reader import torrent_info
from ansible.module_utils.seedbed.torrent.model import TorrentsResult
from ansible.module_utils.seedbed.transmission import converge, retarget, torrent_rpc, tracker_memory, wait
from ansible.module_utils.seedbed.transmission.compare import RpcCall
from ansible.module_utils.seedbed.transmission.converge import (
    Applied,
    TorrentOptions,
    apply_plan,
    converge_torrents,
    plan_torrents,
)
from ansible.module_utils.seedbed.transmission.existing import Place
from ansible.module_utils.seedbed.transmission.rpc import RpcDenied, RpcFailed, RpcUnreachable
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc, grouped_calls
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import (
    LOCAL_ERROR,
    SeedSpecError,
    WantedTorrent,
    wanted_torrent,
)
from ansible.module_utils.seedbed.transmission.wait import RETRIES, how_far
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import action_loader
from hypothesis import given, settings
from hypothesis import strategies as st

STOPPED, CHECK_WAIT, CHECKING, DOWNLOAD_WAIT, DOWNLOADING, SEED_WAIT, SEEDING = TorrentStatus
TOTAL, PIECE = 1000, 100
HTTP, OTHER = "http://192.0.2.1:8888/announce", "http://192.0.2.2:8888/announce"


def content_of(name: str) -> bytes:
    return (name.encode() * PIECE).join(b"%d" % number for number in range(10))[:TOTAL].ljust(TOTAL, b"x")


def metainfo_of(name: str) -> bytes:
    data = content_of(name)
    hashes = b"".join(hashlib.sha1(data[start : start + PIECE]).digest() for start in range(0, TOTAL, PIECE))
    return encode({"info": {"length": TOTAL, "name": name, "piece length": PIECE, "pieces": hashes}})


METAINFO = {name: metainfo_of(name) for name in "abc"}
A, B, C = (str(torrent_info(raw)["info_hash"]) for raw in METAINFO.values())
NAMES = {A: "a", B: "b", C: "c"}


class Simulation:
    """Answers the calls of an RPC client; `content` is how many bytes of each torrent really lie on the disk."""

    def __init__(self, version: str, content: dict[str, int]) -> None:
        self.version, self.content = version, content
        self.modern = version.startswith("4")
        self.held: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count()
        self.log: list[str] = []
        self.dead: set[str] = set()
        self.polite: set[str] = set()  # of the dead ones: take a goodbye
        self.refused: set[str] = set()
        self.pace = 1.0  # of a check, by each look
        self.fetched = 0  # bytes from others, by each look
        self.default_trackers: list[dict[str, Any]] = []
        self.calls = 0
        self.vanishes_at = (0, "")  # the call before which somebody removes a torrent

    def call(self, method: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = arguments or {}
        if method not in ("torrent-get", "session-get", "session-stats"):
            self.log.append(method)
        self.calls += 1
        if self.calls == self.vanishes_at[0]:
            self.held.pop(self.vanishes_at[1], None)
        handler = getattr(self, method.replace("-", "_"))
        if "ids" not in arguments or method == "torrent-get":
            return handler(arguments) or {}
        for info_hash in arguments["ids"]:
            if info_hash in self.held:
                handler(self.held[info_hash], arguments)
        return {}

    def close(self) -> None:
        """There is no connection."""

    def session_get(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"version": self.version}

    def session_stats(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"current-stats": {"secondsActive": 100}}

    def torrent_add(self, arguments: dict[str, Any]) -> None:
        info_hash = str(torrent_info(base64.b64decode(arguments["metainfo"]))["info_hash"])
        if info_hash in self.refused:
            raise RpcFailed("here", "torrent-add", "invalid or corrupt torrent file")
        assert arguments["paused"] is True
        torrent = {
            "hashString": info_hash,
            "name": NAMES[info_hash],
            "status": STOPPED if self.modern else CHECKING,
            "labels": arguments["labels"] if self.modern else [],
            "downloadDir": arguments["download-dir"],
            "uploadLimit": 100,
            "uploadLimited": False,
            "haveValid": TOTAL if self.modern and self.content[info_hash] else 0,
            "totalSize": TOTAL,
            "pieceSize": 100,
            "recheckProgress": 0,
            "error": 0,
            "errorString": "",
            "wanted": [1],
            "trackerStats": [],
        }
        self.held[info_hash] = torrent
        self.add_tracker(torrent, HTTP)

    def add_tracker(self, torrent: dict[str, Any], url: str) -> None:
        torrent["trackerStats"].append(
            {"announce": url, "id": next(self.numbers), "isBackup": False, "lastAnnounceSucceeded": False}
            | {"hasAnnounced": False, "lastAnnounceResult": ""}
        )

    def torrent_get(self, arguments: dict[str, Any]) -> dict[str, Any]:
        listed = [torrent for key, torrent in self.held.items() if key in arguments.get("ids", self.held)]
        answer = [self.shown(torrent, arguments["fields"]) for torrent in listed]
        for torrent in listed:
            self.pass_time(torrent)
        return {"torrents": answer}

    def shown(self, torrent: dict[str, Any], fields: list[str]) -> dict[str, Any]:
        size = TOTAL if torrent["wanted"] == [1] else torrent["haveValid"]
        full = {**torrent, "sizeWhenDone": size, "leftUntilDone": size - torrent["haveValid"]}
        full["trackers"] = torrent["trackerStats"]
        full["trackerStats"] = torrent["trackerStats"] + self.default_trackers
        return {field: full[field] for field in fields}

    def pass_time(self, torrent: dict[str, Any]) -> None:
        if torrent.pop("stopping", False):
            torrent["status"] = STOPPED
            for tracker in torrent["trackerStats"]:
                if tracker["announce"] in self.polite:
                    tracker.update(lastAnnounceSucceeded=True, lastAnnounceResult="Success")
        elif torrent["status"] == CHECK_WAIT:
            torrent["status"] = CHECKING
        elif torrent["status"] == CHECKING and torrent["recheckProgress"] + self.pace < 1:
            torrent["recheckProgress"] += self.pace
        elif torrent["status"] == CHECKING:
            torrent["haveValid"] = self.content[torrent["hashString"]]
            torrent["status"] = STOPPED
            if torrent.pop("goes_on", False):
                self.torrent_start_now(torrent, {})
        elif torrent["status"] in (SEEDING, DOWNLOADING):
            torrent["looks"] = torrent.get("looks", 0) + 1
            for tracker in torrent["trackerStats"] if torrent["looks"] % 3 == 1 else []:
                tracker["hasAnnounced"] = True
                tracker["lastAnnounceSucceeded"] = tracker["announce"] not in self.dead
                tracker["lastAnnounceResult"] = "Could not connect to tracker" if self.dead else "Success"
            if torrent["status"] == DOWNLOADING:
                torrent["haveValid"] = min(TOTAL, torrent["haveValid"] + self.fetched)
                torrent["status"] = SEEDING if torrent["haveValid"] == TOTAL else DOWNLOADING

    def torrent_set(self, torrent: dict[str, Any], arguments: dict[str, Any]) -> None:
        for field in ("labels", "uploadLimit", "uploadLimited"):
            torrent[field] = arguments.get(field, torrent[field])
        if "files-unwanted" in arguments or "files-wanted" in arguments:
            torrent["wanted"] = [int("files-wanted" in arguments)]
        if "trackerList" in arguments:
            assert self.modern
            torrent["trackerStats"] = []
            for url in arguments["trackerList"].split():
                self.add_tracker(torrent, url)
        for url in arguments.get("trackerAdd", []):
            self.add_tracker(torrent, url)
        removed = arguments.get("trackerRemove", [])
        torrent["trackerStats"] = [tracker for tracker in torrent["trackerStats"] if tracker["id"] not in removed]

    def torrent_set_location(self, torrent: dict[str, Any], arguments: dict[str, Any]) -> None:
        torrent["downloadDir"] = arguments["location"]

    def torrent_verify(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        goes_on = self.modern and torrent["status"] in (SEEDING, DOWNLOADING)
        torrent.update(status=CHECKING, stopping=False, goes_on=goes_on)

    def torrent_start_now(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        if torrent["status"] not in (STOPPED, DOWNLOAD_WAIT, SEED_WAIT):
            return  # it runs, maybe to be stopped in a moment: dropped
        if torrent["haveValid"] and not self.content[torrent["hashString"]]:
            torrent.update(status=STOPPED, error=LOCAL_ERROR, errorString="No data found!")
            return
        complete = torrent["haveValid"] == TOTAL or torrent["wanted"] == [0]
        torrent.update(status=SEEDING if complete else DOWNLOADING, error=0, errorString="")

    def torrent_stop(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        torrent["stopping"] = True

    def torrent_reannounce(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        pass

    def torrent_remove(self, torrent: dict[str, Any], arguments: dict[str, Any]) -> None:
        del self.held[torrent["hashString"]]
        if arguments["delete-local-data"]:
            self.content[torrent["hashString"]] = 0


def silence(question: Question) -> dict[str, Any]:
    """A tracker that does not answer."""
    return {**question._asdict(), "ok": False, "reason": "timeout", "message": "no answer"}


class Clock:
    """Time that passes while somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    played = Clock()
    for module in (converge, torrent_rpc, wait):
        monkeypatch.setattr(module, "time", played)
    monkeypatch.setattr(tracker_memory, "ask", lambda questions, _settings: [silence(asked) for asked in questions])
    return played


@pytest.fixture(params=["3.00", "4.1.0"])
def rpc(request: pytest.FixtureRequest) -> Simulation:
    return Simulation(request.param, {A: TOTAL, B: TOTAL, C: TOTAL})


def want(info_hash: str = A, **changes: Any) -> WantedTorrent:
    name = NAMES[info_hash]
    metainfo = base64.b64encode(METAINFO[name]).decode()
    return WantedTorrent(name, info_hash, metainfo, "/srv/x", ((HTTP,),), trusted=True)._replace(**changes)


def carry_out(rpc: Simulation, *wanted: WantedTorrent, **options: Any) -> Applied:
    """Plan and apply; every torrent's outcome."""
    daemon = TorrentRpc(rpc)  # type: ignore[arg-type]
    chosen = TorrentOptions(timeout=30)._replace(**options)
    held = daemon.all_torrents()
    plan = plan_torrents(
        wanted,
        held,
        chosen.label,
        exclusive=chosen.exclusive,
        alone=chosen.alone,
        modern=daemon.modern,
        begun=chosen.begun,
    )
    rpc.log.clear()
    return apply_plan(daemon, wanted, plan, chosen)


def run(rpc: Simulation, *wanted: WantedTorrent, check_mode: bool = False, **options: Any) -> TorrentsResult:
    """What the module returns."""
    chosen = TorrentOptions(timeout=30)._replace(**options)
    return converge_torrents(rpc, wanted, chosen, check_mode=check_mode)  # type: ignore[arg-type]


def changed_names(result: TorrentsResult) -> set[str]:
    return {*result["diff"]["before"], *result["diff"]["after"]}


def reasons(result: Applied) -> dict[str, str | None]:
    return {outcome.name: outcome.reason for outcome in result.outcomes}


def test_new_torrents_seed_and_are_announced(rpc: Simulation) -> None:
    result = carry_out(rpc, want(A), want(B, upload_limit=50))
    assert result.changed
    assert [(one.name, one.status, one.announced, one.error) for one in sorted(result.outcomes)] == [
        ("a", "seeding", [HTTP], None),
        ("b", "seeding", [HTTP], None),
    ]
    assert rpc.held[A]["labels"] == ["seedbed"]
    assert (rpc.held[B]["uploadLimited"], rpc.held[B]["uploadLimit"]) == (True, 50)


def test_the_difference_tells_the_info_hash(rpc: Simulation) -> None:
    assert run(rpc, want(A), check_mode=True)["diff"] == {"before": {}, "after": {"a": f"seeding as {A}"}}


def test_second_run_calls_nothing(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B))
    assert not carry_out(rpc, want(A), want(B)).changed
    assert rpc.log == []


def test_content_that_is_not_right_never_leeches_and_others_are_done(rpc: Simulation) -> None:
    rpc.content.update({A: 0, B: 400})
    result = carry_out(rpc, want(A), want(B, trusted=False), want(C))
    assert reasons(result) == {"a": "missing_content", "b": "damaged_content", "c": None}
    assert next(one.error for one in result.outcomes if one.name == "b") == (
        "/srv/x holds 400 B of 1000 B: 60.0 % is missing or differs from what was hashed"
    )
    assert [rpc.held[one]["status"] for one in (A, B, C)] == [STOPPED, STOPPED, SEEDING]
    again = carry_out(rpc, want(A), want(B, trusted=False), want(C))
    assert not again.changed and reasons(again) == reasons(result)
    rpc.content.update({A: TOTAL, B: TOTAL})
    repaired = carry_out(rpc, want(A), want(B, trusted=False), want(C))
    assert repaired.changed and set(reasons(repaired).values()) == {None}


def test_content_that_was_made_again_is_read_again(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B))
    assert carry_out(rpc, want(A, remade=True), want(B)).changed
    calls = [call for call in rpc.log if call.startswith("torrent-") and call != "torrent-get"]
    assert calls == ["torrent-stop", "torrent-verify", "torrent-start-now"]
    assert rpc.held[A]["status"] == SEEDING


def test_a_long_wait_tells_how_far_it_is_and_the_next_call_goes_on(rpc: Simulation) -> None:
    wanted = [want(A, trusted=False), want(B, trusted=False)]
    rpc.pace = 0.125
    first = carry_out(rpc, *wanted, wait=0)
    assert first.changed
    assert re.fullmatch(r"0 of 2 torrents seed; \d+ B of 2 KiB of 2 being checked are read", first.progress)
    assert reasons(first) == {"a": None, "b": None}
    rest = carry_out(rpc, *wanted, begun=True)
    assert rest.progress == ""
    assert set(rpc.log) == {"torrent-start-now"}
    assert reasons(rest) == {"a": None, "b": None}


def test_an_interrupted_call_has_nothing_read_twice(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B), want(C))
    rpc.content.update({A: 100, B: 300})
    remade = [want(one, remade=True) for one in (A, B, C)]
    rpc.pace = 0.125
    result, read = carry_out(rpc, *remade, wait=0), rpc.log.count("torrent-verify")
    while result.progress:
        result = carry_out(rpc, *remade, begun=True, wait=0)
        read += rpc.log.count("torrent-verify")
    assert read == 1
    assert reasons(result) == {"a": "damaged_content", "b": "damaged_content", "c": None}


def test_how_far_a_wait_is() -> None:
    rpc = Simulation("3.00", {A: TOTAL, B: TOTAL, C: TOTAL})
    daemon = TorrentRpc(rpc)  # type: ignore[arg-type]
    for one in (A, B, C):
        daemon.add(want(one), "seedbed")
    checked, waiting, idle = daemon.torrents().values()
    pending = [checked._replace(checked=500_000), waiting._replace(total=2**20), idle._replace(status=SEEDING)]
    assert how_far(4, pending) == (
        "4 of 7 torrents seed; 500 B of 1 MiB of 2 being checked are read; 1 wait for their trackers"
    )


def test_a_wait_that_stands_still_is_not_interrupted(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    result = carry_out(rpc, want(A), wait=0)
    while result.progress:
        result = carry_out(rpc, want(A), begun=True, wait=0)
    assert reasons(result) == {"a": "not_announced"}


def test_content_of_unknown_origin_is_read_once() -> None:
    rpc = Simulation("4.1.0", {A: TOTAL, B: TOTAL})
    carry_out(rpc, want(A, trusted=False), want(B, trusted=True))
    assert rpc.log.count("torrent-verify") == 1
    carry_out(rpc, want(A, trusted=False), want(B, trusted=True))
    assert rpc.log == []


def test_partial_seed_wants_nothing_more(rpc: Simulation) -> None:
    rpc.content[A] = 600
    result = carry_out(rpc, want(A, available=600_000))
    assert [(one.status, one.have, one.error) for one in result.outcomes] == [("seeding", 600, None)]
    assert rpc.held[A]["wanted"] == [0]
    assert not carry_out(rpc, want(A, available=600_000)).changed


def test_whole_seed_becomes_partial_and_whole_again(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    rpc.content[A] = 600
    assert reasons(carry_out(rpc, want(A, available=600_000))) == {"a": None}
    rpc.content[A] = TOTAL
    assert reasons(carry_out(rpc, want(A))) == {"a": None}
    assert rpc.held[A]["wanted"] == [1]


def test_partial_seed_that_holds_too_little_is_named(rpc: Simulation) -> None:
    rpc.content[A] = 300
    assert reasons(carry_out(rpc, want(A, available=600_000))) == {"a": "damaged_content"}


def growing(**changes: Any) -> WantedTorrent:
    return want(A, available=600_000, fetch_rest=True, **changes)


def test_partial_seed_that_fetches_the_rest_is_left_alone_until_it_is_whole_and_then(rpc: Simulation) -> None:
    rpc.content[A] = 600
    result = carry_out(rpc, growing())
    assert [(one.status, one.have, one.error) for one in result.outcomes] == [("downloading", 600, None)]
    assert rpc.held[A]["wanted"] == [1]
    rpc.fetched = 50
    for _run in range(10):
        result = carry_out(rpc, growing())
        assert (result.changed, rpc.log, reasons(result)) == (set(), [], {"a": None})
    assert [(one.status, one.have) for one in result.outcomes] == [("seeding", TOTAL)]


def test_partial_seed_is_told_to_fetch_the_rest_and_not_to_again(rpc: Simulation) -> None:
    rpc.content[A] = 600
    carry_out(rpc, want(A, available=600_000))
    assert carry_out(rpc, growing(remade=True)).changed
    assert (rpc.held[A]["status"], rpc.held[A]["wanted"]) == (DOWNLOADING, [1])
    rpc.fetched = TOTAL
    assert carry_out(rpc, growing()).outcomes[0].have == TOTAL
    assert carry_out(rpc, want(A, available=600_000, remade=True)).changed
    seen = rpc.held[A]
    assert (seen["status"], seen["wanted"], seen["haveValid"]) == (SEEDING, [0], 600)
    assert not carry_out(rpc, want(A, available=600_000)).changed


def test_partial_seed_that_fetches_is_started_when_it_stands_still(rpc: Simulation) -> None:
    rpc.content[A] = 600
    carry_out(rpc, growing())
    for status in (STOPPED, DOWNLOAD_WAIT):
        rpc.held[A]["status"] = status
        assert carry_out(rpc, growing()).changed
        assert rpc.held[A]["status"] == DOWNLOADING


def test_partial_seed_without_its_share_fetches_nothing(rpc: Simulation) -> None:
    rpc.content[A] = 300
    rpc.fetched = TOTAL
    assert reasons(carry_out(rpc, growing())) == {"a": "damaged_content"}
    assert (rpc.held[A]["status"], rpc.held[A]["haveValid"]) == (STOPPED, 300)


def test_retargeting_edits_in_place_and_announces(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B))
    result = carry_out(rpc, want(A, trackers=((OTHER,),)), want(B, trackers=((OTHER,),)))
    assert result.changed
    assert rpc.log == ["torrent-set", "torrent-reannounce"] if rpc.modern else ["torrent-set"] * 2
    assert {one.announced[0] for one in result.outcomes} == {OTHER}
    assert [tracker["announce"] for tracker in rpc.held[A]["trackerStats"]] == [OTHER]


class SystemdUnit:
    """A unit of the simulation's daemon."""

    def __init__(self, rpc: Simulation) -> None:
        self.rpc = rpc
        self.fails = False

    def restart(self) -> None:
        self.rpc.log.append("restart")
        if self.fails:
            raise CommandError(["systemctl", "restart"], 137, "killed")

    def active(self) -> bool:
        return True


@pytest.fixture
def unit(rpc: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemdUnit:
    unit = SystemdUnit(rpc)
    monkeypatch.setattr(retarget, "Unit", lambda _name: unit)
    monkeypatch.setattr(retarget, "MARKS", str(tmp_path / "marks"))
    return unit


def test_other_trackers_cost_one_restart_of_the_daemon(rpc: Simulation, unit: SystemdUnit) -> None:
    both = [want(A), want(B)]
    assert not run(rpc, *both, unit="x.service")["restarted"]  # what is new is right from the start
    assert "restart" not in rpc.log
    moved = [one._replace(trackers=((OTHER,),)) for one in both]
    foreseen = run(rpc, *moved, unit="x.service", check_mode=True)
    assert (foreseen["restarted"], rpc.log.count("restart")) == (True, 0)
    rpc.log.clear()
    assert run(rpc, *moved, unit="x.service")["restarted"]
    assert rpc.log.count("restart") == 1
    assert rpc.log.index("restart") > rpc.log.index("torrent-set")
    assert not run(rpc, *moved, unit="x.service")["changed"]


def test_what_is_new_is_added_after_the_restart(rpc: Simulation, unit: SystemdUnit) -> None:
    """A daemon that is restarted between adding and looking at the content takes it for missing."""
    run(rpc, want(A), unit="x.service")
    rpc.log.clear()
    run(rpc, want(A, trackers=((OTHER,),)), want(B), unit="x.service")
    assert rpc.log.index("torrent-set") < rpc.log.index("restart") < rpc.log.index("torrent-add")
    assert [rpc.held[key]["status"] for key in (A, B)] == [SEEDING.value, SEEDING.value]


def test_a_restart_that_was_cut_off_is_made_up_for(rpc: Simulation, unit: SystemdUnit) -> None:
    run(rpc, want(A), unit="x.service")
    unit.fails = True
    with pytest.raises(CommandError):
        run(rpc, want(A, trackers=((OTHER,),)), unit="x.service")
    unit.fails = False
    assert run(rpc, want(A, trackers=((OTHER,),)), unit="x.service", check_mode=True)["changed"]
    result = run(rpc, want(A, trackers=((OTHER,),)), unit="x.service")
    assert (result["changed"], result["restarted"]) == (True, True)
    assert not run(rpc, want(A, trackers=((OTHER,),)), unit="x.service")["changed"]


def test_trackers_are_edited_before_a_stop_for_a_check(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    assert carry_out(rpc, want(A, trackers=((OTHER,),), remade=True)).changed
    assert rpc.log[:2] == ["torrent-set", "torrent-stop"]
    assert rpc.log[-2:] == ["torrent-verify", "torrent-start-now"]


def test_content_that_moved_is_read_at_its_new_place(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    assert carry_out(rpc, want(A, download_dir="/srv/y")).changed
    assert rpc.held[A]["downloadDir"] == "/srv/y"
    assert "torrent-verify" in rpc.log


def test_dead_tracker_is_named_after_trying_again(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    result = carry_out(rpc, want(A))
    assert reasons(result) == {"a": "not_announced"}
    assert f"waited for {HTTP}: Could not connect to tracker (nothing moved for" in str(result.outcomes[0].error)
    assert 1 <= rpc.log.count("torrent-stop") <= RETRIES
    assert rpc.held[A]["status"] == SEEDING and not carry_out(rpc, want(A)).changed


@pytest.mark.parametrize("timeout", [10, 11, 12, 20, 22])
def test_trying_again_leaves_nothing_stopped_when_the_wait_ends_then(rpc: Simulation, timeout: float) -> None:
    rpc.dead = {HTTP}
    for _run in range(3):
        (one,) = carry_out(rpc, want(A), timeout=timeout).outcomes
        assert (one.status, one.reason) == ("seeding", "not_announced")
        assert f"waited for {HTTP}: Could not connect to tracker" in str(one.error)
        rpc.pass_time(rpc.held[A])
        assert rpc.held[A]["status"] == SEEDING


def test_tracker_that_refuses_is_quoted_though_it_takes_the_goodbye(
    rpc: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    rpc.dead = rpc.polite = {HTTP}

    def ask(questions: list[Question], _settings: Any) -> list[dict[str, Any]]:
        refusal = {"ok": False, "reason": "not_authorized", "message": "not on the list"}
        scraped = {"ok": True, "reason": "", "seeders": 0, "leechers": 0}
        return [{**one._asdict(), **(scraped if one.kind == "scrape" else refusal)} for one in questions]

    monkeypatch.setattr(tracker_memory, "ask", ask)
    for timeout in (11, 12, 20, 30):
        result = carry_out(rpc, want(A), timeout=timeout)
        assert reasons(result) == {"a": "not_announced"}
        assert f"waited for {HTTP}: not on the list (nothing moved for" in str(result.outcomes[0].error)


def test_a_start_that_the_daemon_forgot_to_tell_is_made_up_for(
    rpc: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that all went well: so it did, with the stop before."""
    carry_out(rpc, want(A))
    rpc.log.clear()

    def ask(questions: list[Question], _settings: Any) -> list[dict[str, Any]]:
        seeders = int(rpc.log.count("torrent-start-now") > 1)
        return [{**one._asdict(), "ok": True, "reason": "", "seeders": seeders} for one in questions]

    monkeypatch.setattr(tracker_memory, "ask", ask)
    assert reasons(carry_out(rpc, want(A))) == {"a": None}
    assert rpc.log == ["torrent-stop", "torrent-start-now"] * 2


def test_tracker_that_comes_back_ends_the_wait(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    assert reasons(carry_out(rpc, want(A, announce="none"))) == {"a": None}
    both = want(A, trackers=((HTTP,), (OTHER,)))
    assert reasons(carry_out(rpc, both._replace(announce="any"))) == {"a": None}
    rpc.dead = set()
    assert reasons(carry_out(rpc, both)) == {"a": None}


def test_default_trackers_of_the_daemon_are_not_ours() -> None:
    rpc = Simulation("4.1.0", {A: TOTAL})
    rpc.default_trackers = [
        {"announce": OTHER, "isBackup": False, "lastAnnounceSucceeded": False}
        | {"hasAnnounced": False, "lastAnnounceResult": ""}
    ]
    assert reasons(carry_out(rpc, want(A))) == {"a": None}
    assert not carry_out(rpc, want(A)).changed


def test_torrents_of_others_are_never_removed(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B), want(C))
    rpc.held[B]["labels"] = ["mine"]
    result = carry_out(rpc, WantedTorrent("a", A, absent=True), WantedTorrent("b", B, absent=True), exclusive=True)
    assert result.changed and result.outcomes == []
    assert list(rpc.held) == [B]
    assert rpc.content[A] == TOTAL
    assert not carry_out(rpc, exclusive=True).changed


def test_torrents_of_others_go_where_the_lab_is_to_be_alone(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B), want(C))
    rpc.held[B]["labels"] = ["mine"]
    rpc.held[C]["labels"] = []
    assert carry_out(rpc, want(C), alone=True).changed
    assert sorted(rpc.held) == sorted(
        [A, C]
    )  # ours that is not listed stays, and so does what others have and is listed
    assert rpc.content[B] == TOTAL


def test_what_is_gone_goes_by_its_name(rpc: Simulation) -> None:
    carry_out(rpc, want(A), want(B), want(C))
    # As 3.00 tells both; a third of that name belongs to somebody else.
    rpc.held[A]["name"] = "a_b" if not rpc.modern else "a:b"
    rpc.held[B]["name"] = "\u1f331" if not rpc.modern else "🌱"
    rpc.held[C].update(name="🌱", labels=["mine"])
    gone = [
        WantedTorrent("a:b", "", absent=True),
        WantedTorrent("🌱", "", absent=True),
        WantedTorrent("never", "", absent=True),
    ]
    result = carry_out(rpc, *gone)
    assert result.changed and result.outcomes == []
    assert list(rpc.held) == [C]
    assert not carry_out(rpc, *gone).changed


def test_listed_torrent_of_somebody_else_keeps_its_labels(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    rpc.held[A]["labels"] = ["mine"]
    assert carry_out(rpc, want(A)).changed
    assert rpc.held[A]["labels"] == ["mine", "seedbed"]


def test_data_goes_only_when_asked(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    carry_out(rpc, WantedTorrent("a", A, absent=True), remove_data=True)
    assert rpc.content[A] == 0


def test_content_lost_under_a_stopped_seed(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    rpc.content[A] = 0
    rpc.held[A]["status"] = STOPPED
    result = carry_out(rpc, want(A))
    assert reasons(result) == {"a": "missing_content"}
    assert result.outcomes[0].error == "No data found! (/srv/x)"
    assert not carry_out(rpc, want(A)).changed
    rpc.content[A] = TOTAL
    assert reasons(carry_out(rpc, want(A))) == {"a": None}


def test_refused_torrent_is_a_result(rpc: Simulation) -> None:
    rpc.refused = {A}
    result = carry_out(rpc, want(A), want(B))
    assert reasons(result) == {"a": "refused", "b": None}


def test_leecher_of_ours_is_stopped_and_looked_at(rpc: Simulation) -> None:
    carry_out(rpc, want(A))
    rpc.held[A].update(status=DOWNLOADING, haveValid=10)
    assert carry_out(rpc, want(A)).changed
    assert rpc.held[A]["status"] == SEEDING


def test_equal_edits_of_many_torrents_are_one_call() -> None:
    same, other = RpcCall("torrent-set", {"labels": ["x"]}), RpcCall("torrent-set", {})
    assert grouped_calls([(A, same), (B, same), (C, other)]) == [(same, [A, B]), (other, [C])]


ENTRY = {"name": "x", "info_hash": A, "metainfo": "ZA==", "download_dir": "/srv/x/"}


def test_entry_of_the_modules_parameter() -> None:
    entry = {**ENTRY, "trackers": [[HTTP], [OTHER]], "upload_limit": 102400, "info_hash": A.upper()}
    assert wanted_torrent(entry) == WantedTorrent("x", A, "ZA==", "/srv/x", ((HTTP,), (OTHER,)), 102)
    assert wanted_torrent({**ENTRY, "available": 5, "fetch_rest": True})[6:8] == (5, True)
    assert wanted_torrent({"name": "x", "info_hash": A, "state": "absent"}).absent is True
    assert wanted_torrent({"name": "x", "state": "absent"}) == WantedTorrent("x", "", absent=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"info_hash": "abc"}, "torrent 'x': info_hash is 'abc', expected 40 hexadecimal digits"),
        ({"metainfo": "?"}, "torrent 'x': metainfo is not base64"),
        ({"download_dir": "x"}, "torrent 'x': expected metainfo and an absolute download_dir, got 'x'"),
        ({"metainfo": None}, "torrent 'x': expected metainfo and an absolute download_dir, got '/srv/x/'"),
    ],
)
def test_entry_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SeedSpecError) as caught:
        wanted_torrent({**ENTRY, **change})
    assert str(caught.value) == message


def test_one_table_names_the_seven_states() -> None:
    assert [status.name.lower() for status in TorrentStatus] == [
        "stopped",
        "check_wait",
        "checking",
        "download_wait",
        "downloading",
        "seed_wait",
        "seeding",
    ]
    assert TorrentStatus(1).words == "waiting to be checked"
    assert TorrentStatus(3).words == TorrentStatus(5).words == "queued"


# --- check mode


def lay_out(rpc: Simulation, directory: Path) -> None:
    """Content on the disk as the simulated daemon finds it: right up to some byte, zeros from there on."""
    for info_hash, name in NAMES.items():
        right = rpc.content[info_hash]
        (directory / name).unlink(missing_ok=True)
        if right:
            (directory / name).write_bytes(content_of(name)[:right].ljust(TOTAL, b"\0"))


def foreseen(rpc: Simulation, *wanted: WantedTorrent, **options: Any) -> TorrentsResult:
    """Run for real and return the result, once check mode has changed nothing and said the very same."""
    before = copy.deepcopy(rpc.held)
    rpc.log.clear()
    prediction = run(rpc, *wanted, check_mode=True, **options)
    assert rpc.log == []
    rpc.held = before  # as time passed by being looked at
    result = run(rpc, *wanted, **options)
    assert (prediction["changed"], prediction["diff"]) == (result["changed"], result["diff"])
    return result


def test_check_mode_foresees_what_content_that_came_back_starts(rpc: Simulation, tmp_path: Path) -> None:
    rpc.content.update({A: 0, B: 400})
    lay_out(rpc, tmp_path)
    wanted = [want(one, download_dir=str(tmp_path), trusted=False) for one in (A, B, C)]
    assert foreseen(rpc, *wanted)["changed"]
    assert not foreseen(rpc, *wanted)["changed"]
    rpc.content[B] = TOTAL
    lay_out(rpc, tmp_path)
    result = foreseen(rpc, *wanted)
    assert result["diff"] == {"before": {"b": "stopped"}, "after": {"b": ["content read again"]}}
    assert [failure["name"] for failure in result["failures"]] == ["a"]


def test_check_mode_foresees_that_content_made_again_is_read(rpc: Simulation, tmp_path: Path) -> None:
    lay_out(rpc, tmp_path)
    wanted = want(A, download_dir=str(tmp_path))
    run(rpc, wanted)
    result = foreseen(rpc, wanted._replace(remade=True))
    assert result["changed"]
    assert result["diff"] == {"before": {"a": "seeding"}, "after": {"a": ["content read again"]}}


def test_check_mode_foresees_what_a_tracker_no_longer_lists(
    rpc: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(rpc, want(A))
    lists = {"a": 0}

    def ask(questions: list[Question], _settings: Any) -> list[dict[str, Any]]:
        lists["a"] += "torrent-start-now" in rpc.log
        return [{**question._asdict(), "ok": True, "reason": "", "seeders": lists["a"]} for question in questions]

    monkeypatch.setattr(tracker_memory, "ask", ask)
    result = foreseen(rpc, want(A))
    assert result["diff"] == {"before": {"a": "not listed by its tracker"}, "after": {"a": "seeding"}}


def test_check_mode_on_a_host_without_daemon() -> None:
    class Nobody:
        def call(self, _method: str) -> dict[str, Any]:
            raise RpcUnreachable("here", "does not answer")

    result = converge_torrents(Nobody(), [want(A)], TorrentOptions(), check_mode=True)  # type: ignore[arg-type]
    assert (result["changed"], result["finished"], changed_names(result)) == (True, True, {"a"})
    with pytest.raises(RpcUnreachable):
        converge_torrents(Nobody(), [want(A)], TorrentOptions())  # type: ignore[arg-type]


SHARES = st.sampled_from([0, 300, 600, TOTAL])
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "trackers": st.sampled_from([((OTHER,),), ((HTTP,), (OTHER,))]),
        "upload_limit": st.just(50),
        "available": st.sampled_from([300_000, 600_000]),
        "fetch_rest": st.just(True),
        "remade": st.just(True),
        "trusted": st.just(False),
        "announce": st.sampled_from(["any", "none"]),
        "absent": st.just(True),
    },
)
STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from(TorrentStatus),
        "haveValid": SHARES,
        "labels": st.sampled_from([["seedbed"], ["seedbed"], [], ["mine"]]),
        "wanted": st.sampled_from([[1], [1], [0]]),
        "uploadLimited": st.booleans(),
        "error": st.sampled_from([0, 0, LOCAL_ERROR]),
        "moved": st.sampled_from([False, False, True]),
        "tracker": st.sampled_from([HTTP, HTTP, OTHER]),
    }
)


def hold(rpc: Simulation, info_hash: str, directory: str, state: dict[str, Any]) -> None:
    """Have the daemon hold a torrent in a state in which one can be."""
    rpc.torrent_add({**ADDED, "metainfo": want(info_hash).metainfo, "download-dir": directory})
    torrent = rpc.held[info_hash]
    torrent.update({key: value for key, value in state.items() if key not in ("moved", "tracker")})
    if state["moved"]:
        torrent["downloadDir"] = "/elsewhere"
    torrent["trackerStats"] = []
    rpc.add_tracker(torrent, state["tracker"])
    served = torrent["haveValid"] == TOTAL or torrent["wanted"] == [0]
    if served and torrent["status"] in (DOWNLOADING, DOWNLOAD_WAIT):
        torrent["status"] += 2
    elif not served and torrent["status"] in (SEEDING, SEED_WAIT):
        torrent["status"] -= 2
    if torrent["status"] != STOPPED or not torrent["haveValid"]:
        torrent["error"] = 0


def visible(torrent: dict[str, Any] | None) -> object:
    """What somebody who looks at the daemon sees of a torrent, but for figures."""
    if not torrent:
        return None
    trackers = [tracker["announce"] for tracker in torrent["trackerStats"]]
    keys = ("status", "labels", "downloadDir", "uploadLimited", "wanted")
    return [*(torrent[key] for key in keys), trackers]


ADDED = {"paused": True, "labels": ["seedbed"]}


@settings(deadline=None, max_examples=400)
@given(
    version=st.sampled_from(["3.00", "4.1.0"]),
    content=st.fixed_dictionaries({A: SHARES, B: SHARES, C: SHARES}),
    wishes=st.dictionaries(st.sampled_from([A, B, C]), WISHES),
    states=st.dictionaries(st.sampled_from([A, B, C]), STATES),
    dead=st.sampled_from([set(), {HTTP}]),
    exclusive=st.booleans(),
)
def test_check_mode_foresees_every_change_of_any_state(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    version: str,
    content: dict[str, int],
    wishes: dict[str, dict[str, Any]],
    states: dict[str, dict[str, Any]],
    dead: set[str],
    exclusive: bool,
) -> None:
    directory = tmp_path_factory.getbasetemp()
    rpc = Simulation(version, dict(content))
    rpc.dead = dead
    lay_out(rpc, directory)
    wanted = [want(key, download_dir=str(directory), **wish) for key, wish in wishes.items()]
    for info_hash, state in states.items():
        hold(rpc, info_hash, str(directory), state)
    before = {key: visible(torrent) for key, torrent in rpc.held.items()}
    result = foreseen(rpc, *wanted, exclusive=exclusive)
    assert result["changed"] == bool(changed_names(result))
    mine = {torrent.info_hash for torrent in wanted if not torrent.absent} | before.keys() - rpc.held.keys()
    failed = {failure["name"] for failure in result["failures"]}
    for info_hash in mine:  # the others go on with whatever they were about
        if NAMES[info_hash] in failed:
            continue  # content that is gone shows when the torrent is announced again; that is a failure, no change
        if before.get(info_hash) != visible(rpc.held.get(info_hash)):
            assert NAMES[info_hash] in changed_names(result)
    again = [torrent._replace(remade=False) for torrent in wanted]
    assert not foreseen(rpc, *again, exclusive=exclusive)["changed"]


# --- a daemon that somebody else uses, too


@pytest.mark.parametrize("lost", [A, B, C])
def test_a_torrent_that_vanishes_meanwhile_is_a_result(rpc: Simulation, lost: str) -> None:
    """Whatever is being done when somebody removes it: A is edited and read again, B is new, C seeds already."""
    for call in itertools.count(1):
        played = copy.deepcopy(rpc)
        run(played, want(A, trackers=((OTHER,),)), want(C))
        played.calls, played.vanishes_at = 0, (call, lost)
        result = carry_out(played, want(A, remade=True), want(B, trusted=False), want(C))
        found = reasons(result)
        assert set(found) == {"a", "b", "c"}
        assert found.pop(NAMES[lost]) in (None, "vanished")
        assert set(found.values()) == {None}
        if played.calls < call:
            break
    assert call > 10


def test_what_vanished_is_told_with_a_reason(rpc: Simulation) -> None:
    run(rpc, want(A), want(B))
    rpc.calls, rpc.vanishes_at = 0, (3 if rpc.modern else 4, A)  # right after the plan was made
    result = run(rpc, want(A, remade=True), want(B))
    assert result["failures"] == [{"name": "a", "reason": "vanished", "error": "somebody removed it meanwhile"}]


# --- the module and its controller's side


def test_the_module_tells_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = {"password": "secret", "port": port, "torrents": [{**ENTRY, "upload_limit": 5000}]}
    for more, key, expected in (
        ({"_ansible_check_mode": True}, "diff", {"before": {}, "after": {"x": f"seeding as {A}"}}),
        ({}, "msg", f"Transmission's RPC at 127.0.0.1:{port} does not answer"),
        ({"torrents": [{"name": "x"}]}, "msg", "torrent 'x': info_hash is '', expected 40 hexadecimal digits"),
    ):
        with patch_module_args({**arguments, **more}), pytest.raises(SystemExit):
            transmission_torrents.main()
        found = json.loads(capsys.readouterr().out)[key]
        assert found == expected or (isinstance(found, str) and found.startswith(str(expected)))


def test_a_daemon_as_found_is_asked_where_its_settings_say_or_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_file = tmp_path / "settings.json"
    monkeypatch.setattr(transmission_torrents, "PLACES", [Place(f"{tmp_path}/none", ""), Place(str(settings_file), "")])
    asked: list[Any] = []
    answer = RpcDenied("127.0.0.1:9000", 401)

    def refuse(rpc: Any, *_arguments: Any, **_options: Any) -> TorrentsResult:
        asked.append((rpc.where, rpc.path))
        raise answer

    monkeypatch.setattr(transmission_torrents, "converge_torrents", refuse)
    found = []
    for content, error in (
        ('{"rpc-port": 9000, "rpc-bind-address": "::", "rpc-url": "/t/"}', answer),
        ("{", answer),
        ("{}", RpcFailed("127.0.0.1:9091", "torrent-get", "no")),
    ):
        settings_file.write_text(content, encoding="utf-8")
        answer = error
        arguments = {"password": "secret", "port": 1, "torrents": [], "as_found": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            transmission_torrents.main()
        found.append(json.loads(capsys.readouterr().out))
    assert asked == [("[::1]:9000", "/t/"), ("127.0.0.1:9091", "/transmission/")]
    assert [result["changed"] for result in found[:2]] == [False, False]
    assert found[0]["unasked"] == str(RpcDenied("127.0.0.1:9000", 401))
    assert "settings.json" in found[1]["unasked"]
    assert found[2]["failed"] and "answers torrent-get with: no" in found[2]["msg"]


def test_the_controller_goes_on_until_all_is_done_and_keeps_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(finished: bool, *names: str) -> dict[str, Any]:
        diff = {"before": dict.fromkeys(names, "stopped"), "after": dict.fromkeys(names, "seeding")}
        again = {"again": {"begun": True}, "progress": "0 of 2 torrents seed", "invocation": {}}
        return {"changed": bool(names), "diff": diff, "finished": finished, **again}

    answers = [answer(False), answer(False, "a"), answer(False), answer(True, "b")]
    asked: list[dict[str, Any]] = []

    def execute(_self: Any, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        asked.append(module_args)
        return answers.pop(0)

    action_loader.add_directory(str(Path(transmission_torrents.__file__).parents[1] / "action_plugins"))
    plugin = action_loader.get(
        "transmission_torrents",
        task=SimpleNamespace(args={"label": "x"}, async_val=0, check_mode=False),
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nonexistent")),
        **dict.fromkeys(("play_context", "loader", "templar", "shared_loader_obj")),
    )
    monkeypatch.setattr(type(plugin), "_execute_module", execute)
    result = plugin.run(task_vars={"inventory_hostname": "seeder1"})
    assert asked == [{"label": "x"}] + [{"label": "x", "begun": True}] * 3
    assert result["changed"] and [diff["after"] for diff in result["diff"]] == [{"a": "seeding"}, {"b": "seeding"}]
    assert "invocation" not in result
