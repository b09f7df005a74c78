"""The doctor's table and its decoded answers: what people read, whatever trackers and peers answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.module_utils.seedbed.doctor.details import details
from ansible.module_utils.seedbed.doctor.report import ReportLine, conclusion, name_some, report
from ansible.module_utils.seedbed.doctor.verdicts import VERDICTS
from doctor_lab import HASH, HTTP, UDP, answer, broken, failing, judge
from hypothesis import given, settings
from hypothesis import strategies as st

TORRENT = "seeders.seeder1.info.torrents.0"
DOWN = [*failing("refused"), ("trackers.tracker1.active", False)]
PAUSED = [(TORRENT, {"state": "stopped"})]


def texts(lines: list[ReportLine]) -> list[str]:
    return [line["text"] for line in lines]


def verdict_on(name: str, *changes: tuple[str, Any], view: str = "leecher1") -> dict[str, Any]:
    """Return the verdict on an item of that name, whose info hash is as good as its name."""
    return {**judge(broken(("item.name", name), ("view.from", view), *changes)), "info_hash": name}


def test_the_table_is_aligned_and_worst_first() -> None:
    good = verdict_on("盲道.mp4")
    bad = verdict_on("e\N{COMBINING ACUTE ACCENT}", *PAUSED)
    lines = report([good, bad])
    assert texts(lines) == [
        "",
        "      item      from      verdict         cause",
        "FAIL  e\N{COMBINING ACUTE ACCENT}         leecher1  torrent_paused  the torrent is paused on seeder1",
        "      -> resume it, or run the site playbook",
        "ok    盲道.mp4  leecher1  healthy         1 seeder, 0 leechers",
    ]
    assert [line["severity"] for line in lines] == ["", "", "fault", "fault", "ok"]


def test_remarks_stand_below_what_they_are_about() -> None:
    odd = ("view.trackers.0.remarks", ["2 bytes behind its end; clients pass over them"])
    peer = ("view.peers.0.remarks", ["odd, too"])
    rows = texts(report([verdict_on("a", odd)]))
    assert rows[-1].strip() == "note: http://192.0.2.1:8888: 2 bytes behind its end; clients pass over them"
    seen = broken(odd, peer)
    lines = texts(details([seen["item"]], seen["view"]["trackers"], seen["view"]["peers"], "leecher1"))
    [at] = [number for number, line in enumerate(lines) if line.startswith("    announce") and "8082" in line][:1]
    assert lines[at + 1] == "      note: 2 bytes behind its end; clients pass over them"
    assert "      note: odd, too" in lines


def test_items_with_one_cause_are_one_row() -> None:
    down = [verdict_on(name, *DOWN) for name in "abcdefg"]
    assert texts(report(down)) == [
        "",
        "      item          from      verdict       cause",
        "FAIL  7 of 7 items  leecher1  tracker_down  the tracker's service is not running on tracker1",
        "      items: a, b, c and 4 more",
        "      -> systemctl start opentracker there",
    ]
    every = texts(report(down, every_item=True))
    assert [line.split()[1] for line in every if line.startswith("FAIL")] == list("abcdefg")
    assert sum("systemctl start" in line for line in every) == 7


def test_what_is_well_is_one_row_with_its_notes() -> None:
    private = ("item.private", True)
    verdicts = [
        verdict_on("a"),
        verdict_on("b", *[(f"view.trackers.{n}.leechers", 2) for n in (0, 1)]),
        verdict_on("c", private),
        verdict_on("d", *DOWN, private),
    ]
    assert texts(report(verdicts))[2:] == [
        "FAIL  d             leecher1  tracker_down  the tracker's service is not running on tracker1",
        "      -> systemctl start opentracker there",
        "      note: private: use the .torrent, its magnet can never work",
        "ok    3 of 4 items  leecher1  healthy       2 with 1 seeder, 0 leechers; 1 with 1 seeder, 2 leechers",
        "      note (c): private: use the .torrent, its magnet can never work",
    ]


def test_causes_that_differ_in_their_particulars_alone_are_one_row() -> None:
    lost = [verdict_on(name, (TORRENT, {"missing": [f"{name}.bin"]})) for name in "abc"]
    other = verdict_on("d", *PAUSED)
    assert texts(report([*lost, other]))[2:6] == [
        "FAIL  3 of 4 items  leecher1  content_missing  content is missing on seeder1: a.bin "
        "(and likewise for the others)",
        "      items: a, b, c",
        "      -> put it back and run the site playbook, which verifies it",
        "FAIL  d             leecher1  torrent_paused   the torrent is paused on seeder1",
    ]


def test_the_host_to_blame_tells_rows_apart() -> None:
    def of(name: str) -> dict[str, Any]:
        return {**verdict_on(name, *PAUSED), "where": name, "cause": f"the torrent is paused on {name}"}

    assert sum(line.startswith("FAIL") for line in texts(report([of("seeder1"), of("seeder2")]))) == 2


def test_what_several_hosts_see_alike_is_one_row() -> None:
    views = ["leecher1", "leecher2"]
    alike = [verdict_on(name, view=view) for name in "ab" for view in views]
    assert texts(report(alike))[2].split("  ")[2:4] == ["leecher1, leecher2", "healthy"]
    # One of them cannot reach the peer of one item.
    alike[3] = verdict_on("b", ("view.peers.0", {"ok": False, "reason": "timeout"}), view="leecher2")
    rows = [re.split(" {2,}", line)[:3] for line in texts(report(alike))[2:] if not line.startswith(" ")]
    assert rows == [["FAIL", "b", "leecher2"], ["ok", "a", "leecher1, leecher2"], ["ok", "b", "leecher1"]]


def test_a_controller_without_a_way_to_the_lab_is_one_line() -> None:
    good = judge(broken())
    blind = judge(broken(*failing("timeout", "no answer within 2 s"), ("view.from", "controller")))
    assert texts(report([good, blind]))[2:] == [
        "ok  item  leecher1  healthy  1 seeder, 0 leechers",
        "note  the controller has no way of its own to the trackers (http://192.0.2.1:8888 does not answer: "
        "no answer within 2 s, though tracker1 runs it); the leechers count",
    ]
    # Alone, it counts; and what it sees beside a leecher is a note, unless the leecher sees it, too.
    assert texts(report([blind]))[2].startswith("FAIL")
    lost = judge(broken(("view.peers.0", {"ok": False, "reason": "timeout"}), ("view.from", "controller")))
    assert texts(report([good, lost]))[2].startswith("note  item  controller  peer_port_filtered")
    assert texts(report([{**lost, "from": "leecher1"}, lost]))[2].startswith("FAIL  item  leecher1, controller")


def test_a_host_that_could_not_look_has_a_line() -> None:
    assert texts(report([judge(broken())], unreachable=["leecher2"]))[-1] == (
        "WARN  leecher2 cannot be reached by SSH: its view is missing"
    )


@pytest.mark.parametrize(
    ("verdicts", "views", "well", "message"),
    [
        ([verdict_on("a")], ["leecher1"], True, "Every item can be downloaded."),
        ([verdict_on("a", *DOWN)], ["leecher1"], False, "a cannot be downloaded; the table above says why."),
        ([verdict_on(name, *DOWN) for name in "abcde"], ["leecher1"], False,
         "5 of 5 items cannot be downloaded: a, b, c and 2 more; the table above says why."),
        ([verdict_on("a"), verdict_on("a", *DOWN, view="controller")], ["leecher1", "controller"], True,
         "Every item can be downloaded."),
        ([verdict_on("a", *DOWN, view="controller")], ["controller"], False,
         "a cannot be downloaded; the table above says why."),
        ([], ["leecher1"], False, "Nobody could look: leecher1."),
        ([], [], False, "Nobody could look: there are no leechers."),
    ],
)  # fmt: skip
def test_the_end_is_one_sentence(verdicts: list[Any], views: list[str], well: bool, message: str) -> None:
    assert conclusion(verdicts, views) == (well, message)


def test_no_single_name_hides_behind_and_more() -> None:
    assert [name_some(list("abcde"[:count])) for count in (1, 3, 4, 5)] == [
        "a", "a, b, c", "a, b, c, d", "a, b, c and 2 more",
    ]  # fmt: skip


def test_details_decode_what_was_answered() -> None:
    seen = broken(("view.trackers.1", {"ok": False, "reason": "timeout", "message": "no answer"}))
    seen["view"]["trackers"].insert(0, answer(HTTP, kind="scrape", known=False))
    lines = details([seen["item"]], seen["view"]["trackers"], seen["view"]["peers"], "leecher1")
    assert texts(lines) == [
        f"item ({HASH}) as leecher1 sees it",
        f"  {HTTP}",
        "    scrape    does not know the torrent",
        "    announce  1 seeder, 0 leechers, 3 downloads, again in 1800 s, peers: 192.0.2.2:8082",
        f"  {UDP}",
        "    announce  timeout: no answer",
        "  peers, over TCP (uTP is not probed)",
        "    192.0.2.2:8082  Transmission 4.1.0, holds 100%, takes plain and encrypted, metadata ok, piece ok",
        "",
    ]


# -- whatever is answered ---------------------------------------------------------------------------------------------

words = st.sampled_from(["", "no space left", "corrupt", "no data", "go away", "4.1.0", "3.00", "\x1b[31m\n"])
numbers = st.none() | st.integers(-1, 10**7)
addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1", "2001:db8::1", "a.example"])
ports = st.sampled_from([0, 1, 80, 8082, 8888, 65535])
urls = st.sampled_from(
    [HTTP, UDP, "http://192.0.2.1/announce", "https://192.0.2.1/announce", "udp://192.0.2.1/announce", "http://[x",
     "http://192.0.2.1:99999/announce", "http://192.0.2.1:8888/announce?port=&compact=1", "wss://x/announce", ""]
)  # fmt: skip
reasons = st.sampled_from(
    ["dns", "refused", "timeout", "unreachable", "blocked", "reset", "tls", "http_status", "failure", "not_authorized",
     "malformed", "bad_url", "no_scrape", "not_served", "closed", "wrong_hash"]
)  # fmt: skip
peers = st.fixed_dictionaries({"address": addresses, "port": ports})
replies = st.fixed_dictionaries(
    {"tracker": urls, "kind": st.sampled_from(["scrape", "announce"]), "info_hash": st.just(HASH), "reason": reasons,
     "message": words, "ok": st.booleans()},
    optional={"status": st.sampled_from([200, 400, 404]), "address": addresses, "seeders": numbers,
              "leechers": numbers, "downloaded": numbers, "known": st.booleans(), "interval": numbers,
              "min_interval": numbers, "warning": words, "peers": st.lists(peers, max_size=3), "seen_as": addresses,
              "deregistered": st.booleans(), "probes": st.integers(0, 3)},
)  # fmt: skip
meetings = st.fixed_dictionaries(
    {"address": addresses, "port": ports, "info_hash": st.just(HASH), "ok": st.booleans(), "reason": reasons,
     "message": words, "encryption": st.sampled_from(["plain", "encrypted", ""])},
    optional={"plain_only": st.none() | st.booleans(), "client": words, "share": st.none() | st.floats(0, 1),
              "metadata": st.sampled_from(["ok", "slow", "not_offered"]), "metadata_message": words,
              "piece": st.sampled_from(["ok", "wrong_hash", "choked"]), "piece_message": words},
)  # fmt: skip
daemon_trackers = st.fixed_dictionaries(
    {"announce": urls, "backup": st.booleans(), "announced": st.booleans(), "succeeded": st.booleans(), "result": words}
)
torrents = st.fixed_dictionaries(
    {"info_hash": st.just(HASH), "name": words,
     "state": st.sampled_from(["stopped", "checking", "seeding", "downloading"]),
     "error": st.integers(0, 3), "error_string": words, "left": st.integers(0, 9), "have": st.integers(0, 9),
     "size": st.integers(0, 9), "checked": st.integers(0, 1_000_000), "private": st.booleans(),
     "missing": st.lists(words, max_size=2), "free": numbers, "peers": st.lists(addresses, max_size=2),
     "trackers": st.lists(daemon_trackers, max_size=2)}
)  # fmt: skip
daemons = st.fixed_dictionaries(
    {"active": st.booleans(), "reason": st.sampled_from(["", "denied"]), "message": words, "version": words,
     "default_route": st.booleans(), "clock": st.integers(0, 5000), "torrents": st.lists(torrents, max_size=1)}
)  # fmt: skip
seeders = st.fixed_dictionaries({"address": addresses, "peer_port": ports, "info": st.none() | daemons})
trackers = st.fixed_dictionaries(
    {"address": addresses, "port": st.sampled_from([8888, "8889"]), "active": st.none() | st.booleans()}
)
swarms = st.none() | st.fixed_dictionaries(
    {}, optional={"seeders": st.none() | st.lists(st.sampled_from(["seeder1", "seeder2"]), unique=True),
                  "available": st.sampled_from(["60%", "nonsense", "", 0.5]), "fetch_rest": st.booleans()}
)  # fmt: skip
subjects = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b\n"]), "info_hash": st.just(HASH), "private": st.booleans(), "swarm": swarms,
     "trackers": st.lists(st.lists(urls, max_size=2), max_size=2)},
    optional={"size": st.integers(0, 9), "webseeds": st.lists(words, max_size=1)},
)  # fmt: skip
labs = st.fixed_dictionaries(
    {"item": subjects,
     "view": st.fixed_dictionaries({"from": st.sampled_from(["leecher1", "controller"]), "address": addresses,
                                    "clock": st.integers(0, 5000), "trackers": st.lists(replies, max_size=4),
                                    "peers": st.lists(meetings, max_size=3)}),
     "seeders": st.dictionaries(st.sampled_from(["seeder1", "seeder2"]), seeders),
     "trackers": st.dictionaries(st.sampled_from(["tracker1", "tracker2"]), trackers)}
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(labs, min_size=1, max_size=3))
def test_whatever_is_answered_gives_whole_sentences(seen: list[dict[str, Any]]) -> None:
    verdicts = [{**judge(one), "info_hash": str(number)} for number, one in enumerate(seen)]
    lines = report(verdicts) + report(verdicts, every_item=True)
    for one in seen:
        lines += details([one["item"]], one["view"]["trackers"], one["view"]["peers"], one["view"]["from"])
    assert all(line["text"].isprintable() for line in lines)
    sentences = texts(lines)
    sentences += [text for verdict in verdicts for text in (verdict["cause"], verdict["remedy"], *verdict["more"])]
    sentences.append(conclusion(verdicts, ["leecher1"])[1])
    for sentence in sentences:
        assert not re.search(r"None|\bnan\b|[{}]|: *(;|,|$)|\(\)|  +(for|on|to) ", sentence), sentence
    assert {verdict["verdict"] for verdict in verdicts} <= set(VERDICTS)
