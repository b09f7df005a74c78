"""A catalogue in a daemon: what differs, what is done about it, what is waited for.

The daemon is played by a small simulation of 3.00 and of 4.1 as they were measured: 3.00 reads content at every adding,
4.1 trusts sizes and dates; content that is missing raises no error and makes a leecher of what runs.
"""

from __future__ import annotations

import base64
import itertools
import re
from typing import Any

import pytest
import transmission_torrents
from ansible.module_utils.seedbed.probe.announce import Question
from ansible.module_utils.seedbed.transmission import converge as seeding
from ansible.module_utils.seedbed.transmission import tracker_memory
from ansible.module_utils.seedbed.transmission.compare import (
    CHECKING,
    DOWNLOAD_WAIT,
    DOWNLOADING,
    LOCAL_ERROR,
    SEEDING,
    STOPPED,
    Wanted,
    WantedError,
    by_arguments,
    how_far,
    wanted_from,
)
from ansible.module_utils.seedbed.transmission.rpc import RpcFailed

TOTAL = 1000
A, B, C = "a" * 40, "b" * 40, "c" * 40
HTTP, OTHER = "http://192.0.2.1:8888/announce", "http://192.0.2.2:8888/announce"


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

    def call(self, method: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = arguments or {}
        if method not in ("torrent-get", "session-get", "session-stats"):
            self.log.append(method)
        handler = getattr(self, method.replace("-", "_"))
        if "ids" not in arguments or method == "torrent-get":
            return handler(arguments) or {}
        for info_hash in arguments["ids"]:
            handler(self.held[info_hash], arguments)
        return {}

    def session_get(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"version": self.version}

    def session_stats(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"current-stats": {"secondsActive": 100}}

    def torrent_add(self, arguments: dict[str, Any]) -> None:
        info_hash = base64.b64decode(arguments["metainfo"]).decode()
        if info_hash in self.refused:
            raise RpcFailed("here", "torrent-add", "invalid or corrupt torrent file")
        assert arguments["paused"] is True
        torrent = {
            "hashString": info_hash,
            "name": info_hash,
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
        listed = [torrent for one, torrent in self.held.items() if one in arguments.get("ids", self.held)]
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
        kept = [one for one in torrent["trackerStats"] if one["id"] not in arguments.get("trackerRemove", [])]
        torrent["trackerStats"] = kept

    def torrent_set_location(self, torrent: dict[str, Any], arguments: dict[str, Any]) -> None:
        torrent["downloadDir"] = arguments["location"]

    def torrent_verify(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        goes_on = self.modern and torrent["status"] in (SEEDING, DOWNLOADING)
        torrent.update(status=CHECKING, stopping=False, goes_on=goes_on)

    def torrent_start_now(self, torrent: dict[str, Any], _arguments: dict[str, Any]) -> None:
        if torrent["status"] not in (STOPPED, DOWNLOAD_WAIT):
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


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_memory, "ask", lambda questions, _settings: [silence(one) for one in questions])
    for name, seconds in {"SHORTEST_POLL": 0.001, "LONGEST_POLL": 0.002, "KICK_AFTER": 0.01}.items():
        monkeypatch.setattr(seeding, name, seconds)


@pytest.fixture(params=["3.00", "4.1.0"])
def rpc(request: pytest.FixtureRequest) -> Simulation:
    return Simulation(request.param, {A: TOTAL, B: TOTAL, C: TOTAL})


def want(info_hash: str = A, **changes: Any) -> Wanted:
    metainfo = base64.b64encode(info_hash.encode()).decode()
    return Wanted(info_hash[0], info_hash, metainfo, "/srv/x", ((HTTP,),), trusted=True)._replace(**changes)


def converge(
    rpc: Simulation, *wanted: Wanted, exclusive: bool = False, begun: bool = False, **options: Any
) -> seeding.Result:
    daemon = seeding.Daemon(rpc)  # type: ignore[arg-type]
    steps = seeding.plan(wanted, daemon.all_torrents(), "seedbed", exclusive, daemon.modern, begun=begun)
    rpc.log.clear()
    return seeding.apply(
        daemon, wanted, steps, **{"label": "seedbed", "remove_data": False, "timeout": 0.15, **options}
    )


def reasons(result: seeding.Result) -> dict[str, str | None]:
    return {outcome.name: outcome.reason for outcome in result.outcomes}


def test_new_torrents_seed_and_are_announced(rpc: Simulation) -> None:
    result = converge(rpc, want(A), want(B, upload_limit=50))
    assert result.changed
    assert [(one.name, one.status, one.announced, one.error) for one in sorted(result.outcomes)] == [
        ("a", "seeding", [HTTP], None),
        ("b", "seeding", [HTTP], None),
    ]
    assert rpc.held[A]["labels"] == ["seedbed"]
    assert (rpc.held[B]["uploadLimited"], rpc.held[B]["uploadLimit"]) == (True, 50)


def test_the_difference_tells_the_info_hash() -> None:
    steps = seeding.plan([want(A)], {}, "seedbed", False, True)
    assert transmission_torrents.difference(steps, [want(A)]) == {"before": {}, "after": {"a": f"seeding as {A}"}}


def test_second_run_calls_nothing(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B))
    assert not converge(rpc, want(A), want(B)).changed
    assert rpc.log == []


def test_content_that_is_not_right_never_leeches_and_others_are_done(rpc: Simulation) -> None:
    rpc.content.update({A: 0, B: 400})
    result = converge(rpc, want(A), want(B, trusted=False), want(C))
    assert reasons(result) == {"a": "missing_content", "b": "damaged_content", "c": None}
    assert next(one.error for one in result.outcomes if one.name == "b") == (
        "/srv/x holds 400 B of 1000 B: 60.0 % is missing or differs from what was hashed"
    )
    assert [rpc.held[one]["status"] for one in (A, B, C)] == [STOPPED, STOPPED, SEEDING]
    again = converge(rpc, want(A), want(B, trusted=False), want(C))
    assert not again.changed and reasons(again) == reasons(result)
    rpc.content.update({A: TOTAL, B: TOTAL})
    repaired = converge(rpc, want(A), want(B, trusted=False), want(C))
    assert repaired.changed and set(reasons(repaired).values()) == {None}


def test_content_that_was_made_again_is_read_again(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B))
    assert converge(rpc, want(A, remade=True), want(B)).changed
    calls = [call for call in rpc.log if call.startswith("torrent-") and call != "torrent-get"]
    assert calls == ["torrent-stop", "torrent-verify", "torrent-start-now"]
    assert rpc.held[A]["status"] == SEEDING


def test_a_long_wait_tells_how_far_it_is_and_the_next_call_goes_on(rpc: Simulation) -> None:
    wanted = [want(A, trusted=False), want(B, trusted=False)]
    rpc.pace = 0.125
    first = converge(rpc, *wanted, patience=0)
    assert first.changed
    assert re.fullmatch(r"0 of 2 torrents seed; \d+ B of 2 KiB of 2 being checked are read", first.progress)
    assert reasons(first) == {"a": None, "b": None}
    rest = converge(rpc, *wanted, begun=True)
    assert rest.progress == ""
    assert set(rpc.log) == {"torrent-start-now"}
    assert reasons(rest) == {"a": None, "b": None}


def test_an_interrupted_call_has_nothing_read_twice(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B), want(C))
    rpc.content.update({A: 100, B: 300})
    remade = [want(one, remade=True) for one in (A, B, C)]
    rpc.pace = 0.125
    result, read = converge(rpc, *remade, patience=0), rpc.log.count("torrent-verify")
    while result.progress:
        result = converge(rpc, *remade, begun=True, patience=0)
        read += rpc.log.count("torrent-verify")
    assert read == 1
    assert reasons(result) == {"a": "damaged_content", "b": "damaged_content", "c": None}


def test_how_far_a_wait_is() -> None:
    rpc = Simulation("3.00", {A: TOTAL, B: TOTAL, C: TOTAL})
    daemon = seeding.Daemon(rpc)  # type: ignore[arg-type]
    for one in (A, B, C):
        daemon.add(want(one), "seedbed")
    checked, waiting, idle = daemon.torrents().values()
    pending = [checked._replace(checked=0.5), waiting._replace(total=2**20), idle._replace(status=SEEDING)]
    assert how_far(4, pending) == (
        "4 of 7 torrents seed; 500 B of 1 MiB of 2 being checked are read; 1 wait for their trackers"
    )


def test_a_wait_that_stands_still_is_not_interrupted(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    result = converge(rpc, want(A), patience=0)
    while result.progress:
        result = converge(rpc, want(A), begun=True, patience=0)
    assert reasons(result) == {"a": "not_announced"}


def test_content_of_unknown_origin_is_read_once() -> None:
    rpc = Simulation("4.1.0", {A: TOTAL, B: TOTAL})
    converge(rpc, want(A, trusted=False), want(B, trusted=True))
    assert rpc.log.count("torrent-verify") == 1
    converge(rpc, want(A, trusted=False), want(B, trusted=True))
    assert rpc.log == []


def test_partial_seed_wants_nothing_more(rpc: Simulation) -> None:
    rpc.content[A] = 600
    result = converge(rpc, want(A, available=600_000))
    assert [(one.status, one.have, one.error) for one in result.outcomes] == [("seeding", 600, None)]
    assert rpc.held[A]["wanted"] == [0]
    assert not converge(rpc, want(A, available=600_000)).changed


def test_whole_seed_becomes_partial_and_whole_again(rpc: Simulation) -> None:
    converge(rpc, want(A))
    rpc.content[A] = 600
    assert reasons(converge(rpc, want(A, available=600_000))) == {"a": None}
    rpc.content[A] = TOTAL
    assert reasons(converge(rpc, want(A))) == {"a": None}
    assert rpc.held[A]["wanted"] == [1]


def test_partial_seed_that_holds_too_little_is_named(rpc: Simulation) -> None:
    rpc.content[A] = 300
    assert reasons(converge(rpc, want(A, available=600_000))) == {"a": "damaged_content"}


def growing(**changes: Any) -> Wanted:
    return want(A, available=600_000, fetch_rest=True, **changes)


def test_partial_seed_that_fetches_the_rest_is_left_alone_until_it_is_whole_and_then(rpc: Simulation) -> None:
    rpc.content[A] = 600
    result = converge(rpc, growing())
    assert [(one.status, one.have, one.error) for one in result.outcomes] == [("downloading", 600, None)]
    assert rpc.held[A]["wanted"] == [1]
    rpc.fetched = 50
    for _run in range(10):
        result = converge(rpc, growing())
        assert (result.changed, rpc.log, reasons(result)) == (False, [], {"a": None})
    assert [(one.status, one.have) for one in result.outcomes] == [("seeding", TOTAL)]


def test_partial_seed_is_told_to_fetch_the_rest_and_not_to_again(rpc: Simulation) -> None:
    rpc.content[A] = 600
    converge(rpc, want(A, available=600_000))
    assert converge(rpc, growing(remade=True)).changed
    assert (rpc.held[A]["status"], rpc.held[A]["wanted"]) == (DOWNLOADING, [1])
    rpc.fetched = TOTAL
    assert converge(rpc, growing()).outcomes[0].have == TOTAL
    assert converge(rpc, want(A, available=600_000, remade=True)).changed
    seen = rpc.held[A]
    assert (seen["status"], seen["wanted"], seen["haveValid"]) == (SEEDING, [0], 600)
    assert not converge(rpc, want(A, available=600_000)).changed


def test_partial_seed_that_fetches_is_started_when_it_stands_still(rpc: Simulation) -> None:
    rpc.content[A] = 600
    converge(rpc, growing())
    for status in (STOPPED, DOWNLOAD_WAIT):
        rpc.held[A]["status"] = status
        assert converge(rpc, growing()).changed
        assert rpc.held[A]["status"] == DOWNLOADING


def test_partial_seed_without_its_share_fetches_nothing(rpc: Simulation) -> None:
    rpc.content[A] = 300
    rpc.fetched = TOTAL
    assert reasons(converge(rpc, growing())) == {"a": "damaged_content"}
    assert (rpc.held[A]["status"], rpc.held[A]["haveValid"]) == (STOPPED, 300)


def test_retargeting_edits_in_place_and_announces(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B))
    result = converge(rpc, want(A, trackers=((OTHER,),)), want(B, trackers=((OTHER,),)))
    assert result.changed
    assert rpc.log == ["torrent-set", "torrent-reannounce"] if rpc.modern else ["torrent-set"] * 2
    assert {one.announced[0] for one in result.outcomes} == {OTHER}
    assert [tracker["announce"] for tracker in rpc.held[A]["trackerStats"]] == [OTHER]


def test_trackers_are_edited_before_a_stop_for_a_check(rpc: Simulation) -> None:
    converge(rpc, want(A))
    assert converge(rpc, want(A, trackers=((OTHER,),), remade=True)).changed
    assert rpc.log[:2] == ["torrent-set", "torrent-stop"]
    assert rpc.log[-2:] == ["torrent-verify", "torrent-start-now"]


def test_content_that_moved_is_read_at_its_new_place(rpc: Simulation) -> None:
    converge(rpc, want(A))
    assert converge(rpc, want(A, download_dir="/srv/y")).changed
    assert rpc.held[A]["downloadDir"] == "/srv/y"
    assert "torrent-verify" in rpc.log


def test_dead_tracker_is_named_after_trying_again(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    result = converge(rpc, want(A))
    assert reasons(result) == {"a": "not_announced"}
    assert f"waited for {HTTP}: Could not connect to tracker (nothing moved for" in str(result.outcomes[0].error)
    assert 1 <= rpc.log.count("torrent-stop") <= seeding.KICKS
    assert rpc.held[A]["status"] == SEEDING and not converge(rpc, want(A)).changed


@pytest.mark.parametrize("timeout", [0.01, 0.011, 0.012, 0.02, 0.022])
def test_trying_again_leaves_nothing_stopped_when_the_wait_ends_then(rpc: Simulation, timeout: float) -> None:
    rpc.dead = {HTTP}
    for _run in range(3):
        (one,) = converge(rpc, want(A), timeout=timeout).outcomes
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
    for timeout in (0.011, 0.012, 0.02, 0.15):
        result = converge(rpc, want(A), timeout=timeout)
        assert reasons(result) == {"a": "not_announced"}
        assert f"waited for {HTTP}: not on the list (nothing moved for" in str(result.outcomes[0].error)


def test_tracker_that_comes_back_ends_the_wait(rpc: Simulation) -> None:
    rpc.dead = {HTTP}
    assert reasons(converge(rpc, want(A, announce="none"))) == {"a": None}
    both = want(A, trackers=((HTTP,), (OTHER,)))
    assert reasons(converge(rpc, both._replace(announce="any"))) == {"a": None}
    rpc.dead = set()
    assert reasons(converge(rpc, both)) == {"a": None}


def test_default_trackers_of_the_daemon_are_not_ours() -> None:
    rpc = Simulation("4.1.0", {A: TOTAL})
    rpc.default_trackers = [{"announce": OTHER, "isBackup": False, "lastAnnounceSucceeded": False}]
    assert reasons(converge(rpc, want(A))) == {"a": None}
    assert not converge(rpc, want(A)).changed


def test_torrents_of_others_are_never_removed(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B), want(C))
    rpc.held[B]["labels"] = ["mine"]
    result = converge(rpc, Wanted("a", A, present=False), Wanted("b", B, present=False), exclusive=True)
    assert result.changed and result.outcomes == []
    assert list(rpc.held) == [B]
    assert rpc.content[A] == TOTAL
    assert not converge(rpc, exclusive=True).changed


def test_what_is_gone_goes_by_its_name(rpc: Simulation) -> None:
    converge(rpc, want(A), want(B), want(C))
    # As 3.00 tells both; a third of that name belongs to somebody else.
    rpc.held[A]["name"] = "a_b" if not rpc.modern else "a:b"
    rpc.held[B]["name"] = "\u1f331" if not rpc.modern else "🌱"
    rpc.held[C].update(name="🌱", labels=["mine"])
    gone = [Wanted("a:b", "", present=False), Wanted("🌱", "", present=False), Wanted("never", "", present=False)]
    result = converge(rpc, *gone)
    assert result.changed and result.outcomes == []
    assert list(rpc.held) == [C]
    assert not converge(rpc, *gone).changed


def test_listed_torrent_of_somebody_else_keeps_its_labels(rpc: Simulation) -> None:
    converge(rpc, want(A))
    rpc.held[A]["labels"] = ["mine"]
    assert converge(rpc, want(A)).changed
    assert rpc.held[A]["labels"] == ["mine", "seedbed"]


def test_data_goes_only_when_asked(rpc: Simulation) -> None:
    converge(rpc, want(A))
    converge(rpc, Wanted("a", A, present=False), remove_data=True)
    assert rpc.content[A] == 0


def test_content_lost_under_a_stopped_seed(rpc: Simulation) -> None:
    converge(rpc, want(A))
    rpc.content[A] = 0
    rpc.held[A]["status"] = STOPPED
    result = converge(rpc, want(A))
    assert reasons(result) == {"a": "missing_content"}
    assert result.outcomes[0].error == "No data found! (/srv/x)"
    assert not converge(rpc, want(A)).changed
    rpc.content[A] = TOTAL
    assert reasons(converge(rpc, want(A))) == {"a": None}


def test_refused_torrent_is_a_result(rpc: Simulation) -> None:
    rpc.refused = {A}
    result = converge(rpc, want(A), want(B))
    assert reasons(result) == {"a": "refused", "b": None}


def test_leecher_of_ours_is_stopped_and_looked_at(rpc: Simulation) -> None:
    converge(rpc, want(A))
    rpc.held[A].update(status=DOWNLOADING, haveValid=10)
    assert converge(rpc, want(A)).changed
    assert rpc.held[A]["status"] == SEEDING


def test_equal_edits_of_many_torrents_are_one_call() -> None:
    same = ("torrent-set", {"labels": ["x"]})
    calls = [(A, same), (B, same), (C, ("torrent-set", {}))]
    assert by_arguments(calls) == [("torrent-set", {"labels": ["x"]}, [A, B]), ("torrent-set", {}, [C])]


ENTRY = {"name": "x", "info_hash": A, "metainfo": "ZA==", "download_dir": "/srv/x/"}


def test_entry_of_the_modules_parameter() -> None:
    entry = {**ENTRY, "trackers": [[HTTP], [OTHER]], "upload_limit": 102400, "info_hash": A.upper()}
    assert wanted_from(entry) == Wanted("x", A, "ZA==", "/srv/x", ((HTTP,), (OTHER,)), 102)
    assert wanted_from({**ENTRY, "available": 5, "fetch_rest": True})[6:8] == (5, True)
    assert wanted_from({"name": "x", "info_hash": A, "state": "absent"}).present is False
    assert wanted_from({"name": "x", "state": "absent"}) == Wanted("x", "", present=False)


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
    with pytest.raises(WantedError) as caught:
        wanted_from({**ENTRY, **change})
    assert str(caught.value) == message
