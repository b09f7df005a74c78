"""Observations in, verdicts out: one lab with one torrent, and one thing at a time that is wrong with it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.doctor.verdicts import REMARKS, SEVERITIES, VERDICTS
from ansible.module_utils.seedbed.transmission.listing import missing_content, torrent_state
from doctor_lab import HASH, HTTP, UDP, answer, broken, failing, judge

PARTS = {"seeders": ["seeder1", "seeder2"], "ranges": {"seeder1": "0-60%", "seeder2": "40-100%"}}
GROWING = {"available": "50%", "fetch_rest": True}
TORRENT = "seeders.seeder1.info.torrents.0"
PEER = "view.peers.0"
GONE = "http://192.0.2.8:8888/announce"
WEB = "http://192.0.2.1:8000/payload/item"
TRACKERLESS = [("view.trackers", []), ("item.trackers", [])]
DEAD = [
    (
        "view.trackers.1",
        {
            "ok": False, "reason": "timeout", "message": "none",
            "tracker": GONE, "address": "192.0.2.8",
        },
    )
]  # fmt: skip
NOBODY = [("view.trackers.0.peers", []), ("view.trackers.1.peers", [])]

SEEDLESS = [("item.swarm", {"seeders": []}), *NOBODY, ("view.peers", [])]
# A magnet that names a peer, and no tracker.
BY_PEERS: list[tuple[str, Any]] = [
    ("view.trackers", []),
    ("item", {"trackers": [], "swarm": None, "peers": [{"address": "192.0.2.2", "port": 8082}]}),
]
UNSEEN = [("item.swarm", {"seeders": []}), *TRACKERLESS, ("view.peers", [])]


def elsewhere(address: str) -> list[tuple[str, Any]]:
    return [(f"view.trackers.{index}.peers", [{"address": address, "port": 8082}]) for index in (0, 1)]


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ([], "healthy", "1 seeder, 0 leechers"),
        (failing("dns", "the name x does not resolve"), "tracker_dns", "the name x does not resolve"),
        ([*failing("refused"), ("trackers.tracker1.active", False)], "tracker_down", "not running on tracker1"),
        ([*failing("refused"), ("trackers.tracker1.port", 8889)], "tracker_wrong_port", "the tracker listens on 8889"),
        (failing("refused"), "tracker_filtered", "though tracker1 runs it"),
        ([*failing("refused"), ("trackers.tracker1.address", "192.0.2.9")], "tracker_refused", "nothing"),
        ([*failing("timeout"), ("trackers.tracker1.address", "192.0.2.9")], "tracker_filtered", "not answer: said"),
        ([*failing("timeout"), ("trackers.tracker1.active", None)], "tracker_unreachable", "nor SSH: said"),
        (failing("blocked"), "tracker_blocked_here", "said"),
        ([*failing("timeout"), ("view.trackers.1.reason", "blocked")], "tracker_blocked_here", "said"),
        (failing("not_authorized"), "tracker_not_authorized", "access list"),
        (failing("failure", "go away"), "tracker_refuses", "go away"),
        (failing("http_status", status=404, tracker="http://192.0.2.1:8888/x"), "tracker_odd_path", "knows no /x"),
        (failing("http_status", "HTTP status 404", status=404), "tracker_wrong_protocol", "HTTP status 404"),
        (failing("http_status", status=400), "tracker_invalid_request", "invalid"),
        (failing("not_bencode"), "tracker_wrong_protocol", "no tracker of this protocol"),
        (failing("http_status", "HTTP status 401", status=401), "tracker_unauthorized", "wants a user and a password"),
        (failing("failure", "the tracker refuses: Your client is not allowed"), "tracker_refuses_doctor", "none of"),
        (failing("failure", "the tracker refuses: unknown peer_id"), "tracker_refuses_doctor", "takes some clients"),
        (failing("for_browsers", tracker="wss://192.0.2.8/"), "tracker_for_browsers", "alone: wss://192.0.2.8"),
        (failing("failure", "no such user", tracker="http://(hidden)@192.0.2.8:80/announce"), "tracker_refuses",
         "http://192.0.2.8:80: no such user"),
        (failing("bad_url", "it lacks a bracket", tracker="http://[x/announce"), "tracker_wrong_protocol",
         "http://[x/announce is no tracker of this protocol: it lacks a bracket"),
        ([("view.trackers.1", {"ok": False, "reason": "bad_url", "message": "no port", "tracker": "http://[x"})],
         "tracker_wrong_protocol", "http://[x is no tracker of this protocol: no port; others"),
        ([("view.trackers.1", {"ok": False, "reason": "timeout"})], "tracker_udp_filtered", "not over UDP"),
        ([("view.trackers.1", {"ok": False, "reason": "timeout"}), ("trackers.tracker1.address", "192.0.2.9")],
         "tracker_udp_filtered", "not over UDP"),
        ([("view.trackers.0", {"ok": False, "reason": "timeout"})], "tracker_http_filtered", "not over HTTP"),
        ([("view.trackers.1", {"ok": False, "reason": "failure", "message": "no"})], "tracker_refuses",
         "udp://192.0.2.1:8888: no; others of its trackers answer"),
        ([("view.trackers.1", {"ok": False, "reason": "refused", "tracker": "http://192.0.2.8:8888/announce",
                               "address": "192.0.2.8"}),
          ("trackers", {"tracker2": {"address": "192.0.2.8", "port": 8888, "active": False}})],
         "tracker_down", "not running on tracker2; others"),
        ([("view.trackers", []), ("item", {"trackers": [], "swarm": None})], "no_tracker", "no tracker"),
        (UNSEEN, "no_tracker", "no tracker"),
        ([*BY_PEERS, (PEER, {"ok": False, "reason": "refused"})],
         "peer_port_closed", "192.0.2.2:8082"),
        ([*TRACKERLESS, ("item.swarm", None), ("item.webseeds", [WEB])], "no_tracker", "no tracker"),
        ([*TRACKERLESS, (TORRENT, {"state": "stopped"})], "torrent_paused", "paused on seeder1"),
        ([*SEEDLESS, ("item.webseeds", [WEB]), *failing("refused"), ("trackers.tracker1.active", False)],
         "tracker_down", "not running on tracker1"),
        ([("item.size", 0), *SEEDLESS, *failing("timeout")], "tracker_filtered", "though tracker1 runs it"),
        ([*DEAD, ("item.swarm", None)], "tracker_filtered", "http://192.0.2.8:8888 does not answer: none"),
        ([*DEAD, ("view.trackers.1.reason", "dns")], "tracker_dns", "none; others of its trackers answer"),
        ([*DEAD, ("trackers.tracker1.active", None)], "tracker_filtered", "http://192.0.2.8:8888 does not answer"),
        ([*DEAD, ("view.trackers.0", {"ok": False, "reason": "refused"}), ("trackers.tracker1.active", False)],
         "tracker_down", "not running on tracker1"),
        ([("view.trackers", []), ("item", {"trackers": [], "private": True})], "private_without_tracker", "DHT"),
        ([("seeders.seeder1.info", None), (PEER, {"ok": False, "reason": "timeout"})], "seeder_unreachable", "seeder1"),
        ([("seeders.seeder1.info", None)], "seeder_unseen", "seeder1 serves"),
        ([("seeders.seeder1.info", {"reason": "denied", "message": "401"})], "seeder_rpc", "could not be queried: 401"),
        ([("seeders.seeder1.info.active", False)], "seeder_down", "not running on seeder1"),
        ([("seeders.seeder1.info.torrents", [])], "torrent_not_added", "does not have the torrent"),
        ([(TORRENT, {"state": "stopped"})], "torrent_paused", "paused on seeder1"),
        ([(TORRENT, {"state": "checking", "checked": 400_000})], "torrent_verifying", "40%"),
        ([(TORRENT, {"missing": ["a", "b", "c"]})], "content_missing", "a and 2 more"),
        ([(TORRENT, {"error": 3, "error_string": "No data found!"})], "content_missing", "No data found!"),
        ([(TORRENT, {"error": 3, "error_string": "No space left on device"})], "disk_full", "seeder1 is full"),
        ([(TORRENT, {"error": 3, "error_string": "Please Verify Local Data! Piece #0 is corrupt."})],
         "content_damaged", "Piece #0 is corrupt"),
        ([(TORRENT, {"error": 3, "error_string": "Permission denied"})], "seeder_error", "Permission denied"),
        ([(TORRENT, {"left": 10})], "content_damaged", "10 of 100 bytes"),
        ([(f"{TORRENT}.trackers.0.announce", "http://x/"), (f"{TORRENT}.trackers.1.announce", "http://y/")],
         "announced_elsewhere", "announces to http://x/, http://y/"),
        ([(f"{TORRENT}.trackers.0", {"succeeded": False, "result": "no"})], "seeder_cannot_announce", "no"),
        ([("item.trackers", [[UDP]]), (f"{TORRENT}.trackers", [
            {"announce": UDP, "backup": False, "announced": True, "succeeded": False, "result": ""}]),
          ("seeders.seeder1.info", {"default_route": False, "version": "4.1.4"})], "no_default_route", "4.1.4"),
        ([("item.trackers", [[UDP]]), (f"{TORRENT}.trackers", [
            {"announce": UDP, "backup": False, "announced": True, "succeeded": False, "result": "no"}]),
          ("seeders.seeder1.info.default_route", False)], "seeder_cannot_announce", "no"),
        (NOBODY, "not_announced", "the tracker does not list the seeder seeder1"),
        (elsewhere("127.0.0.1"), "wrong_address", "through loopback"),
        (elsewhere("10.89.0.1"), "wrong_address", "behind NAT"),
        ([(PEER, {"ok": False, "reason": "refused"})], "peer_port_closed", "192.0.2.2:8082"),
        ([(PEER, {"ok": False, "reason": "timeout"})], "peer_port_filtered", "192.0.2.2:8082"),
        ([(PEER, {"ok": False, "reason": "not_served"})], "peer_not_serving", "does not serve"),
        ([(PEER, {"ok": False, "reason": "not_served"}), ("view.address", "192.0.2.2"),
          ("seeders.seeder1.info.version", "3.00")], "same_address", "3.00"),
        ([(PEER, {"encryption": "encrypted"})], "encryption_required", "closes on plain"),
        ([(PEER, {"plain_only": True})], "encryption_refused", "plain connections alone"),
        ([(PEER, {"piece": "wrong_hash", "piece_message": "piece 3"})], "content_damaged", "piece 3"),
        ([(PEER, {"metadata": "timeout", "metadata_message": "none came"})], "metadata_unavailable", "none came"),
        ([(PEER, {"share": 0.4})], "partial", "only 40%"),
        ([("item.trackers", [[UDP]]), ("view.trackers", [answer(UDP)])], "udp_only", "aria2 without DHT"),
        ([(f"view.trackers.{n}.interval", 5) for n in (0, 1)], "interval_odd", "every 5 s"),
        (
            [*[(f"view.trackers.{n}.interval", 5) for n in (0, 1)], ("trackers.tracker1.interval", 40)],
            "interval_odd",
            "every 5 s",
        ),
        ([("seeders.seeder1.info.clock", 5000)], "clock_skew", "4000 s off"),
        ([("item.swarm", {"seeders": []}), *NOBODY], "nobody", "knows nobody"),
        ([("item.swarm", {"seeders": []}), (PEER, {"share": 0.5}), ("view.trackers.0.seeders", 0),
          ("view.trackers.1.seeders", 0)], "only_leechers", "1 peer,"),
    ],
)  # fmt: skip
def test_each_fault_has_its_verdict(changes: list[tuple[str, Any]], verdict: str, words: str) -> None:
    result = judge(broken(*changes))
    assert result["verdict"] == verdict, result
    assert words in result["cause"], result
    assert result["severity"] in SEVERITIES
    assert (result["remedy"] == "") == (verdict == "healthy")


def test_an_interval_that_the_inventory_asks_for_is_not_odd() -> None:
    told = [(f"view.trackers.{n}.interval", 22) for n in (0, 1)]
    assert judge(broken(*told))["verdict"] == "interval_odd"
    assert judge(broken(*told, ("trackers.tracker1.interval", 20)))["verdict"] == "healthy"


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ([("item.private", True), (PEER, {"metadata": "not_offered"})], "its magnet can never work"),
        (
            [("item.swarm", {"available": "50%"}), (PEER, {"share": 0.5}), (TORRENT, {"left": 50})],
            "50% of it is seeded",
        ),
        ([("seeders.seeder1.info.version", "3.00")], "about 8 MB/s"),
        ([("item.remarks", ["1 byte behind the end; clients ignore it"])], "1 byte behind the end; clients ignore it"),
        ([*BY_PEERS, ("item.remarks", ["it names peers (x.pe); x"])],
         "it names peers (x.pe)"),
        (
            [("item.swarm", GROWING), (PEER, {"share": 0.7}), (TORRENT, {"state": "downloading", "left": 30})],
            "seeder1 began with 50% of it, has 70%, and fetches the rest from whoever has it",
        ),
        ([("item.size", 0), *SEEDLESS], "it has no bytes and no seeder"),
        ([("item", {"size": 100, "webseeds": [WEB]}), *UNSEEN], "gets it from the web seed"),
        ([("item", {"size": 100, "webseeds": [WEB]}), *SEEDLESS], "gets it from the web seed"),
        # Who fetches it from there is no seeder that ought to be whole.
        ([("item", {"size": 100, "webseeds": [WEB]}), ("item.swarm", {"seeders": []}), (PEER, {"share": 0.5})],
         "gets it from the web seed"),
        (TRACKERLESS, "has to be told a seeder's address"),
        (DEAD, "http://192.0.2.8:8888, none of the lab's trackers, does not answer"),
        ([*DEAD, ("view.trackers.1.reason", "refused"), ("item.trackers", [[GONE], [HTTP]])],
         "http://192.0.2.8:8888, none of the lab's trackers, does not answer"),
    ],
)  # fmt: skip
def test_a_healthy_item_can_carry_a_remark(changes: list[tuple[str, Any]], remark: str) -> None:
    result = judge(broken(*changes))
    assert (result["verdict"], result["more"]) == ("healthy", []), result
    assert len(result["remarks"]) == 1 and remark in result["remarks"][0], result


BROWSERS = {"ok": False, "reason": "for_browsers", "message": "no", "tracker": "wss://192.0.2.8/announce"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("view.trackers.0.remarks", ["2 bytes behind its end"])], ["http://192.0.2.1:8888: 2 bytes behind its end"]),
        ([("view.trackers.0.remarks", ["odd"]), ("view.trackers.1.remarks", ["odd"])],
         ["http://192.0.2.1:8888: odd", "udp://192.0.2.1:8888: odd"]),
        ([(f"{PEER}.remarks", ["odd"])], ["192.0.2.2:8082: odd"]),
        ([("view.trackers.1", BROWSERS), ("item.trackers", [[HTTP], ["wss://192.0.2.8/announce"]])],
         ["wss://192.0.2.8 is for browsers (WebTorrent) alone; other clients pass over it"]),
    ],
)  # fmt: skip
def test_what_clients_take_all_the_same_is_healthy_with_a_remark(
    changes: list[tuple[str, Any]], expected: list[str]
) -> None:
    result = judge(broken(*changes))
    assert (result["verdict"], result["more"], result["remarks"]) == ("healthy", [], expected), result


def test_one_who_shows_piece_by_piece_what_he_has_may_be_the_seeder_that_trackers_count() -> None:
    revealing = (PEER, {"share": 0.1, "revealing": True})
    foreign = [("item.swarm", None), revealing]
    assert judge(broken(*foreign))["verdict"] == "healthy"
    counts = [(f"view.trackers.{index}.seeders", 0) for index in (0, 1)]
    assert judge(broken(*foreign, *counts))["verdict"] == "partial"
    assert judge(broken((PEER, {"share": 0.1})))["verdict"] == "partial"


def test_a_torrent_with_a_password_is_judged_as_one_without_and_shows_none() -> None:
    url, shown = "http://me:secret@192.0.2.1:8888/announce", "http://(hidden)@192.0.2.1:8888/announce"
    seen = broken(
        ("item.trackers", [[url]]),
        ("view.trackers", [answer(shown)]),
        (f"{TORRENT}.trackers", [{"announce": shown, "backup": False, "announced": True, "succeeded": True,
                                  "result": ""}]),
    )  # fmt: skip
    assert judge(seen)["verdict"] == "healthy"
    for change, verdict in (
        (("view.trackers.0", {"ok": False, "reason": "timeout"}), "tracker_filtered"),
        ((f"{TORRENT}.trackers.0.announce", "http://(hidden)@x/"), "announced_elsewhere"),
        (("view.trackers.0.peers", []), "not_announced"),
    ):
        result = judge(broken(change, start=seen))
        assert result["verdict"] == verdict
        assert "secret" not in repr(result), result
    noted = judge(broken(("item.remarks", [f"white space around {url!r}; some cut it"]), start=seen))
    assert noted["remarks"] == [f"white space around {shown!r}; some cut it"]


def test_unknown_numbers_are_question_marks() -> None:
    assert judge(broken(*TRACKERLESS))["cause"] == "? seeders, ? leechers"


def test_a_seeder_that_has_fetched_the_rest_is_like_any_other() -> None:
    result = judge(broken(("item.swarm", GROWING)))
    assert (result["verdict"], result["remarks"]) == ("healthy", [])


def test_a_tracker_that_has_forgotten_beside_one_that_has_not_is_a_warning() -> None:
    seen = broken(("view.trackers.1", {"peers": []}))
    assert judge(seen)["verdict"] == "healthy"  # a seeder announces to one tracker of a tier
    seen["item"]["trackers"] = [[HTTP], [UDP]]
    result = judge(seen)
    assert (result["verdict"], result["severity"]) == ("not_announced", "warning")
    assert result["cause"].startswith("udp://192.0.2.1:8888 does not list the seeder seeder1")
    seen["view"]["trackers"][1]["peers"] = [{"address": "192.0.2.9", "port": port} for port in range(50)]
    assert judge(seen)["verdict"] == "healthy"  # it handed out some of many


def test_a_seeder_that_serves_another_client_of_the_host_is_well() -> None:
    busy = [(PEER, {"ok": False, "reason": "not_served"}), ("seeders.seeder1.info.version", "3.00")]
    assert judge(broken(*busy))["verdict"] == "address_remembered"
    assert judge(broken(*busy, (TORRENT, {"peers": ["192.0.2.3"]})))["verdict"] == "healthy"


def test_one_good_seeder_makes_the_faults_of_another_a_warning() -> None:
    result = judge(two_seeders(("seeders.seeder2.info.torrents.0.state", "stopped")))
    assert (result["verdict"], result["severity"]) == ("torrent_paused", "warning")


# -- the innocent -----------------------------------------------------------------------------------------------------


def two_seeders(*changes: tuple[str, Any], address: str = "192.0.2.4", port: int = 8082) -> dict[str, Any]:
    """Return the lab with a second seeder of the item, which the trackers do not list, and which nobody met."""
    seen = broken()
    seen["seeders"]["seeder2"] = {**copy.deepcopy(seen["seeders"]["seeder1"]), "address": address, "peer_port": port}
    seen["item"]["swarm"]["seeders"] = ["seeder1", "seeder2"]
    return broken(*changes, start=seen)


def listed(*peers: tuple[str, int]) -> list[tuple[str, Any]]:
    """Return the change after which the trackers hand out these peers."""
    handed_out = [{"address": address, "port": port} for address, port in peers]
    return [(f"view.trackers.{index}.peers", handed_out) for index in (0, 1)]


NAT = ("10.89.0.1", 8082)


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        # The other seeder's address is its own, though the port is the same.
        (two_seeders(), "the tracker does not list the seeder seeder2, though it seeds"),
        # A seeder of other items.
        (broken(*listed(("192.0.2.9", 8082)), ("seeders.seeder9", {"address": "192.0.2.9", "peer_port": 8082,
                                                                   "info": None})),
         "the tracker does not list the seeder seeder1, though it seeds"),
        # The client of the host that looks.
        (broken(*listed(("192.0.2.3", 8082))), "the tracker does not list the seeder seeder1, though it seeds"),
        # A foreign peer that serves at its own address.
        (broken(*listed(("192.0.2.9", 8082)), ("view.peers.0.address", "192.0.2.9"),
                ("view.peers.0.share", 0.5)),
         "the tracker does not list the seeder seeder1, though it seeds"),
        # Two that are not listed, and one address: it may be that of either.
        (two_seeders(*listed(NAT)), "the tracker does not list the seeder seeder1, though it seeds"),
        # Another port says who it is not.
        (broken(*listed(("10.89.0.1", 9000))), "the tracker does not list the seeder seeder1, though it seeds"),
    ],
)  # fmt: skip
def test_a_port_that_others_may_have_names_nobody(seen: dict[str, Any], cause: str) -> None:
    result = judge(seen)
    assert (result["verdict"], result["cause"]) == ("not_announced", cause), result


def test_a_port_that_one_seeder_alone_may_have_names_it() -> None:
    seen = two_seeders(*listed(("192.0.2.2", 8082), NAT))
    assert judge(seen)["cause"].startswith("the tracker hands out 10.89.0.1 for the seeder seeder2")
    seen = two_seeders(*listed(NAT), port=9000)  # the other one has another port
    assert judge(seen)["cause"].startswith("the tracker hands out 10.89.0.1 for the seeder seeder1")


def test_two_hosts_behind_one_address_are_not_told_apart_by_it() -> None:
    seen = two_seeders(("seeders.seeder2.info", None), address="192.0.2.2")
    assert judge(seen)["verdict"] == "seeder_unreachable"
    assert judge(two_seeders(("seeders.seeder2.info", None)))["verdict"] == "seeder_unreachable"
    assert judge(broken(("seeders.seeder1.info", None)))["verdict"] == "seeder_unseen"


@pytest.mark.parametrize(
    ("url", "active", "verdict", "cause"),
    [
        (HTTP, [True, False], "tracker_filtered", "though tracker1 runs it"),
        ("http://192.0.2.1:8889/announce", [True, False], "tracker_down", "not running on tracker2"),
        ("http://192.0.2.1:9000/announce", [True, False], "tracker_wrong_port", "to port 9000, the tracker listens on "
         "8888 or 8889"),
        ("http://192.0.2.1/announce", [True, True], "tracker_wrong_port", "announces to port 80, the tracker"),
        ("https://192.0.2.1/announce", [True, True], "tracker_wrong_port", "announces to port 443, the tracker"),
    ],
)  # fmt: skip
def test_two_trackers_at_one_address_are_told_apart_by_their_ports(
    url: str, active: list[bool], verdict: str, cause: str
) -> None:
    trackers = {
        f"tracker{number + 1}": {"address": "192.0.2.1", "port": 8888 + number, "active": active[number]}
        for number in (0, 1)
    }
    refusal = answer(url, ok=False, reason="refused", message="nothing listens there")
    result = judge(broken(("view.trackers", [refusal]), ("trackers", trackers)))
    assert result["verdict"] == verdict, result
    assert cause in result["cause"], result


def test_a_sample_of_peers_is_none_of_all_with_those_who_only_ask() -> None:
    others = [("192.0.2.9", port) for port in range(9000, 9049)]
    seen = broken(("item.trackers", [[HTTP], [UDP]]), ("view.trackers.1", {"probes": 1}))
    seen["view"]["trackers"][1]["peers"] = [{"address": address, "port": port} for address, port in others]
    assert judge(seen)["verdict"] == "healthy"
    seen["view"]["trackers"][1]["probes"] = 0
    assert judge(seen)["verdict"] == "not_announced"


def test_a_tracker_counts_a_leecher_once_whatever_its_protocols_count() -> None:
    """One protocol of a tracker may count another host that asks; the other one was asked before or after."""
    scrape = answer(UDP, kind="scrape", known=True, leechers=1)
    seen = broken(("view.trackers", [scrape, answer(HTTP, leechers=0), answer(UDP, leechers=1)]))
    assert judge(seen)["cause"] == "1 seeder, 0 leechers"
    elsewhere_too = answer("http://192.0.2.8:8888/announce", leechers=2)
    seen["view"]["trackers"].append(elsewhere_too)
    assert judge(seen)["cause"] == "1 seeder, 2 leechers"


def test_the_root_comes_first_and_the_rest_follows() -> None:
    result = judge(broken(*failing("refused"), ("trackers.tracker1.active", False), (TORRENT, {"state": "stopped"})))
    assert result["verdict"] == "tracker_down"
    assert "the torrent is paused on seeder1" in result["more"]


def test_another_peer_that_has_it_all_makes_the_seeders_faults_a_warning() -> None:
    other = {**broken()["view"]["peers"][0], "address": "192.0.2.7", "port": 9000}
    seen = broken((TORRENT, {"state": "stopped"}))
    seen["view"]["peers"].append(other)
    assert judge(seen)["severity"] == "warning"
    other["address"] = "127.0.0.1"  # which is somebody else on every other host
    assert judge(seen)["severity"] == "fault"


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("compact=0", "asks for compact=0"),
        ("info_hash=abc", "an info hash of 3 bytes, right are 20"),
        ("info_hash=" + "%2a" * 20, "an info hash of its own, so the tracker gets two"),
        ("peer_id=-XX-", "a peer id of 4 bytes"),
        ("port=70000", "has the port 70000"),
        ("key=1", "HTTP status 400"),
    ],
)
def test_an_invalid_request_has_its_cause(query: str, cause: str) -> None:
    url = f"{HTTP}?{query}"
    refusal = answer(url, ok=False, reason="http_status", status=400, message="HTTP status 400")
    result = judge(broken(("view.trackers", [refusal])))
    assert result["verdict"] == "tracker_invalid_request"
    assert cause in result["cause"]


def test_the_documentation_explains_every_verdict() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    explained = [code for row in re.findall(r"^\| (`[a-z_`, ]+`) \|", text, re.MULTILINE) for code in row.split(", ")]
    assert sorted(explained) == sorted(f"`{code}`" for code in VERDICTS)
    notes = text.partition("## Notes on items that are well")[2]
    assert len(re.findall(r"^- \*.+\*: ", notes, re.MULTILINE)) == len(REMARKS)


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
    # As Transmission 3.00 tells the first name.
    (tmp_path / "emoji-🧲🌱").write_bytes(bytes(10))
    told = [{"name": name, "length": 10, "bytesCompleted": 10} for name in ("emoji-\u1f9f2\u1f331", "emoji-\u1f9f3")]
    assert missing_content(str(tmp_path), told) == ["emoji-\u1f9f3"]


def test_a_torrent_as_the_daemon_tells_it(tmp_path: Path) -> None:
    entry = {
        "hashString": HASH, "name": "x", "status": 6, "error": 0, "errorString": "", "leftUntilDone": 0,
        "haveValid": 10, "totalSize": 10, "recheckProgress": 0, "isPrivate": False, "downloadDir": str(tmp_path),
        "files": [],
        "trackerStats": [{"announce": HTTP, "isBackup": False, "hasAnnounced": True, "lastAnnounceSucceeded": True,
                          "lastAnnounceResult": "Success"}],
        "peers": [{"address": "192.0.2.3", "port": 6881}],
    }  # fmt: skip
    state = torrent_state(entry)
    assert (state["state"], state["missing"], state["trackers"][0]["succeeded"]) == ("seeding", [], True)
    assert state["free"] > 0
    assert state["peers"] == ["192.0.2.3"]


def with_parts(second: float, *changes: tuple[str, Any]) -> dict[str, Any]:
    """The lab with two seeders, each of which is to have a part; the second shows that share."""
    seen = broken(("item.swarm", PARTS), (PEER, {"share": 0.6}))
    seen["seeders"]["seeder2"] = {**copy.deepcopy(seen["seeders"]["seeder1"]), "address": "192.0.2.4"}
    seen["view"]["peers"].append({**seen["view"]["peers"][0], "address": "192.0.2.4", "share": second})
    for tracker in seen["view"]["trackers"]:
        tracker["peers"] = [{"address": address, "port": 8082} for address in ("192.0.2.2", "192.0.2.4")]
    return broken(*changes, start=seen)


@pytest.mark.parametrize(
    ("seen", "verdict", "severity", "more"),
    [
        (with_parts(0.6), "healthy", "ok", ""),
        # Nobody else has what one of them had: its fault is no warning.
        (with_parts(0.6, ("seeders.seeder2.info.active", False)), "seeder_down", "fault", "only 60% of the content"),
        (with_parts(0.6, (TORRENT, {"state": "stopped"})), "torrent_paused", "fault", "only 60% of the content"),
        # Somebody has all of it.
        (with_parts(1.0, ("seeders.seeder1.info.active", False)), "seeder_down", "warning", ""),
    ],
)
def test_where_each_seeder_has_a_part_all_of_them_are_needed(
    seen: dict[str, Any], verdict: str, severity: str, more: str
) -> None:
    result = judge(seen)
    assert (result["verdict"], result["severity"]) == (verdict, severity), result
    assert more in " ".join(result["more"])
    assert "seeder2 holds the part 40-100% of it" in " ".join(result["remarks"])
