"""Observations in, verdicts out: one lab with one torrent, and one thing at a time that is wrong with it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.seeder_state import missing_content, torrent_state
from ansible.module_utils.seedbed.verdicts import SEVERITIES, VERDICTS
from doctor_details import doctor_details
from doctor_questions import doctor_questions
from doctor_report import doctor_report
from doctor_targets import doctor_targets
from magnet_info import magnet_info
from swarm_verdict import swarm_verdict

HASH = "2a" * 20
HTTP, UDP = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"


def answer(tracker: str, **more: Any) -> dict[str, Any]:
    return {
        "tracker": tracker,
        "kind": "announce",
        "info_hash": HASH,
        "ok": True,
        "reason": "",
        "message": "",
        "address": "192.0.2.1",
        "interval": 1800,
        "seeders": 1,
        "leechers": 0,
        "downloaded": 3,
        "peers": [{"address": "192.0.2.2", "port": 8082}],
        **more,
    }


def lab() -> dict[str, Any]:
    """A healthy one."""
    torrent = {
        "info_hash": HASH,
        "name": "item",
        "state": "seeding",
        "error": 0,
        "error_string": "",
        "left": 0,
        "have": 100,
        "size": 100,
        "checked": 0.0,
        "private": False,
        "missing": [],
        "free": 10**9,
        "trackers": [
            {"announce": url, "backup": url == UDP, "announced": True, "succeeded": True, "result": "Success"}
            for url in (HTTP, UDP)
        ],
    }
    return {
        "item": {
            "name": "item",
            "info_hash": HASH,
            "private": False,
            "trackers": [[HTTP, UDP]],
            "swarm": {"seeders": ["seeder1"], "available": "100%"},
        },
        "view": {
            "from": "leecher1",
            "address": "192.0.2.3",
            "clock": 1000,
            "trackers": [answer(HTTP), answer(UDP)],
            "peers": [
                {
                    "address": "192.0.2.2",
                    "port": 8082,
                    "info_hash": HASH,
                    "ok": True,
                    "reason": "",
                    "message": "",
                    "encryption": "plain",
                    "client": "Transmission 4.1.0",
                    "share": 1.0,
                    "metadata": "ok",
                    "metadata_message": "",
                    "piece": "ok",
                    "piece_message": "",
                }
            ],
        },
        "seeders": {
            "seeder1": {
                "address": "192.0.2.2",
                "peer_port": 8082,
                "info": {
                    "active": True,
                    "reason": "",
                    "message": "",
                    "version": "4.1.0",
                    "default_route": True,
                    "clock": 1001,
                    "torrents": [torrent],
                },
            }
        },
        "trackers": {"tracker1": {"address": "192.0.2.1", "port": 8888, "active": True}},
    }


def judge(seen: dict[str, Any]) -> dict[str, Any]:
    [result] = swarm_verdict([seen["item"]], view=seen["view"], seeders=seen["seeders"], trackers=seen["trackers"])
    return result


def broken(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The lab with values replaced; a path is keys and indexes, joined by dots; a value may be a dict to merge in."""
    seen = copy.deepcopy(lab())
    for path, value in changes:
        *way, last = path.split(".")
        place: Any = seen
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        key: Any = int(last) if last.isdigit() else last
        if isinstance(value, dict) and isinstance(place[key], dict):
            place[key].update(value)
        else:
            place[key] = value
    return seen


def failing(reason: str, message: str = "said", **more: Any) -> list[tuple[str, Any]]:
    values = {"ok": False, "reason": reason, "message": message, **more}
    return [("view.trackers.0", values), ("view.trackers.1", values)]


TORRENT = "seeders.seeder1.info.torrents.0"
PEER = "view.peers.0"
NOBODY = [("view.trackers.0.peers", []), ("view.trackers.1.peers", [])]


def elsewhere(address: str) -> list[tuple[str, Any]]:
    return [(f"view.trackers.{index}.peers", [{"address": address, "port": 8082}]) for index in (0, 1)]


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ([], "healthy", "1 seeders, 0 leechers"),
        (failing("dns", "the name x does not resolve"), "tracker_dns", "the name x does not resolve"),
        ([*failing("refused"), ("trackers.tracker1.active", False)], "tracker_down", "not running on tracker1"),
        ([*failing("refused"), ("trackers.tracker1.port", 8889)], "tracker_wrong_port", "the tracker listens on 8889"),
        (failing("refused"), "tracker_filtered", "though tracker1 runs it"),
        ([*failing("refused"), ("trackers.tracker1.address", "192.0.2.9")], "tracker_refused", "nothing"),
        ([*failing("timeout"), ("trackers.tracker1.address", "192.0.2.9")], "tracker_filtered", "not answer: said"),
        (failing("blocked"), "tracker_blocked_here", "said"),
        (failing("not_authorized"), "tracker_not_authorized", "access list"),
        (failing("failure", "go away"), "tracker_refuses", "go away"),
        (failing("http_status", status=404), "tracker_odd_path", "knows no /announce"),
        (failing("http_status", status=400), "tracker_invalid_request", "invalid"),
        (failing("not_bencode"), "tracker_wrong_protocol", "no tracker of this protocol"),
        ([("view.trackers.1", {"ok": False, "reason": "timeout"})], "tracker_udp_filtered", "not over UDP"),
        ([("view.trackers.0", {"ok": False, "reason": "timeout"})], "tracker_http_filtered", "not over HTTP"),
        ([("view.trackers.1", {"ok": False, "reason": "failure"})], "tracker_some_fail", "udp://192.0.2.1:8888"),
        ([("view.trackers", []), ("item.trackers", [])], "no_tracker", "no tracker"),
        ([("view.trackers", []), ("item", {"trackers": [], "private": True})], "private_without_tracker", "DHT"),
        ([("seeders.seeder1.info", None)], "seeder_unreachable", "seeder1"),
        ([("seeders.seeder1.info.active", False)], "seeder_down", "not running on seeder1"),
        ([("seeders.seeder1.info.torrents", [])], "torrent_not_added", "does not have the torrent"),
        ([(TORRENT, {"state": "stopped"})], "torrent_paused", "paused on seeder1"),
        ([(TORRENT, {"state": "checking", "checked": 0.4})], "torrent_verifying", "40%"),
        ([(TORRENT, {"missing": ["a", "b", "c"]})], "content_missing", "a and 2 more"),
        ([(TORRENT, {"error": 3, "error_string": "No data found!"})], "content_missing", "No data found!"),
        ([(TORRENT, {"error": 3, "error_string": "No space left on device"})], "disk_full", "seeder1 is full"),
        ([(TORRENT, {"error": 3, "error_string": "Permission denied"})], "seeder_error", "Permission denied"),
        ([(TORRENT, {"left": 10})], "content_damaged", "10 of 100 bytes"),
        ([(f"{TORRENT}.trackers.0.announce", "http://x/"), (f"{TORRENT}.trackers.1.announce", "http://y/")],
         "announced_elsewhere", "announces to http://x/, http://y/"),
        ([(f"{TORRENT}.trackers.0", {"succeeded": False, "result": "no"})], "seeder_cannot_announce", "no"),
        ([("item.trackers", [[UDP]]), (f"{TORRENT}.trackers", [
            {"announce": UDP, "backup": False, "announced": True, "succeeded": False, "result": ""}]),
          ("seeders.seeder1.info.default_route", False)], "no_default_route", "4.1.0"),
        (NOBODY, "not_announced", "seeder1"),
        (elsewhere("127.0.0.1"), "wrong_address", "through loopback"),
        (elsewhere("10.89.0.1"), "wrong_address", "behind NAT"),
        ([(PEER, {"ok": False, "reason": "refused"})], "peer_port_closed", "192.0.2.2:8082"),
        ([(PEER, {"ok": False, "reason": "timeout"})], "peer_port_filtered", "192.0.2.2:8082"),
        ([(PEER, {"ok": False, "reason": "not_served"})], "peer_not_serving", "does not serve"),
        ([(PEER, {"ok": False, "reason": "not_served"}), ("view.address", "192.0.2.2"),
          ("seeders.seeder1.info.version", "3.00")], "same_address", "3.00"),
        ([(PEER, {"encryption": "encrypted"})], "encryption_required", "closes on plain"),
        ([(PEER, {"piece": "wrong_hash", "piece_message": "piece 3"})], "content_damaged", "piece 3"),
        ([(PEER, {"metadata": "timeout", "metadata_message": "none came"})], "metadata_unavailable", "none came"),
        ([(PEER, {"share": 0.4})], "partial", "only 40%"),
        ([(f"view.trackers.{n}.interval", 5) for n in (0, 1)], "interval_odd", "every 5 s"),
        ([("seeders.seeder1.info.clock", 5000)], "clock_skew", "4000 s off"),
        ([("item.swarm", {"seeders": []}), *NOBODY], "nobody", "knows nobody"),
        ([("item.swarm", {"seeders": []}), (PEER, {"share": 0.5}), ("view.trackers.0.seeders", 0),
          ("view.trackers.1.seeders", 0)], "only_leechers", "1 peers"),
    ],
)  # fmt: skip
def test_each_fault_has_its_verdict(changes: list[tuple[str, Any]], verdict: str, words: str) -> None:
    result = judge(broken(*changes))
    assert result["verdict"] == verdict, result
    assert words in result["cause"], result
    assert result["severity"] in SEVERITIES
    assert (result["remedy"] == "") == (verdict == "healthy")


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ([("item.private", True), (PEER, {"metadata": "not_offered"})], "its magnet can never work"),
        ([("item.trackers", [[UDP]]), ("view.trackers", [answer(UDP)])], "an aria2 without DHT"),
        (
            [("item.swarm", {"available": "50%"}), (PEER, {"share": 0.5}), (TORRENT, {"left": 50})],
            "50% of it is seeded",
        ),
        ([("seeders.seeder1.info.version", "3.00")], "about 8 MB/s"),
        ([("seeders.seeder1.info", {"reason": "denied", "message": "401"})], "seeder1 could not be asked: 401"),
    ],
)
def test_a_healthy_item_can_carry_a_remark(changes: list[tuple[str, Any]], remark: str) -> None:
    result = judge(broken(*changes))
    assert result["verdict"] == "healthy", result
    assert any(remark in text for text in result["remarks"]), result


def test_one_good_seeder_makes_the_faults_of_another_a_warning() -> None:
    seen = broken()
    second = copy.deepcopy(seen["seeders"]["seeder1"])
    second.update(address="192.0.2.4")
    second["info"]["torrents"][0]["state"] = "stopped"
    seen["seeders"]["seeder2"] = second
    seen["item"]["swarm"]["seeders"] = ["seeder1", "seeder2"]
    result = judge(seen)
    assert (result["verdict"], result["severity"]) == ("torrent_paused", "warning")


def test_the_root_comes_first_and_the_rest_is_told() -> None:
    result = judge(broken(*failing("refused"), ("trackers.tracker1.active", False), (TORRENT, {"state": "stopped"})))
    assert result["verdict"] == "tracker_down"
    assert "the torrent is paused on seeder1" in result["more"]


def test_the_documentation_explains_every_verdict() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert [code for code in VERDICTS if f"`{code}`" not in text] == []


def test_the_report_is_aligned_and_worst_first() -> None:
    good = judge(broken(("item.name", "盲道.mp4")))
    bad = judge(broken((TORRENT, {"state": "stopped"})))
    lines = doctor_report([good, bad]).splitlines()
    assert lines[1].startswith("FAIL  item      leecher1  torrent_paused  the torrent is paused on seeder1")
    assert lines[2] == "      -> resume it, or run the site playbook"
    assert lines[3].startswith("ok    盲道.mp4  leecher1  healthy")


def test_what_several_see_alike_is_told_once() -> None:
    seen = judge(broken())
    assert "leecher1, leecher2" in doctor_report([seen, {**seen, "from": "leecher2"}]).splitlines()[1]


def test_details_decode_what_was_said() -> None:
    seen = broken(("view.trackers.1", {"ok": False, "reason": "timeout", "message": "no answer"}))
    first, second, peer = doctor_details(seen["view"]["trackers"], peers=seen["view"]["peers"]).splitlines()
    assert first.endswith("1 seeders, 0 leechers, 3 downloads, again in 1800 s, peers: 192.0.2.2:8082")
    assert second.endswith("timeout: no answer")
    assert peer == "peer      192.0.2.2:8082  Transmission 4.1.0, plain, holds 100%, metadata ok, piece ok"


def test_targets_are_the_peers_and_the_seeders_but_not_oneself() -> None:
    seen = broken(*elsewhere("192.0.2.3"))
    targets = doctor_targets(
        [seen["item"]], answers=seen["view"]["trackers"], seeders=seen["seeders"], own=["192.0.2.3", 8082]
    )
    assert targets == [{"address": "192.0.2.2", "port": 8082, "info_hash": HASH}]
    assert doctor_questions([seen["item"]]) == [{"info_hash": HASH, "trackers": [HTTP, UDP]}]


def test_magnets_in_both_spellings() -> None:
    item = magnet_info(f"magnet:?xt=urn:btih:{HASH.upper()}&dn=a%20name&tr=http%3A%2F%2Fx%2Fannounce&tr=udp://y:1")
    assert item["info_hash"] == HASH
    assert (item["name"], item["trackers"]) == ("a name", [["http://x/announce"], ["udp://y:1"]])
    assert magnet_info("magnet:?xt=urn:btih:" + "FIVCUKRKFIVCUKRKFIVCUKRKFIVCUKRK")["info_hash"] == HASH
    with pytest.raises(AnsibleFilterError, match="has no v1 info hash"):
        magnet_info("magnet:?dn=x")


def test_content_is_compared_with_the_disk(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(bytes(10))
    (tmp_path / "cut").write_bytes(bytes(9))
    files = [
        {"name": name, "length": 10, "bytesCompleted": done}
        for name, done in (("whole", 10), ("cut", 10), ("gone", 10), ("unfinished", 5))
    ]
    assert missing_content(str(tmp_path), [*files, {"name": "empty", "length": 0, "bytesCompleted": 0}]) == [
        "cut",
        "gone",
    ]


def test_a_torrent_as_the_daemon_tells_it(tmp_path: Path) -> None:
    entry = {
        "hashString": HASH, "name": "x", "status": 6, "error": 0, "errorString": "", "leftUntilDone": 0,
        "haveValid": 10, "totalSize": 10, "recheckProgress": 0, "isPrivate": False, "downloadDir": str(tmp_path),
        "files": [],
        "trackerStats": [{"announce": HTTP, "isBackup": False, "hasAnnounced": True, "lastAnnounceSucceeded": True,
                          "lastAnnounceResult": "Success"}],
    }  # fmt: skip
    state = torrent_state(entry)
    assert (state["state"], state["missing"], state["trackers"][0]["succeeded"]) == ("seeding", [], True)
    assert state["free"] > 0
