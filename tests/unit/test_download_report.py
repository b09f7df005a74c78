"""Results of downloads as a table for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

Render = Callable[..., Any]


def download(name: str, **more: Any) -> dict[str, Any]:
    return {
        "client": "aria2",
        "name": name,
        "info_hash": name.encode().hex(),
        "via": "torrent",
        "tracker": "http",
        "size": 300_000,
        "files": 1,
        "seconds": {"metadata": 0.01, "first_byte": 9.84, "download": 10.2},
        "rate": None,
        "ok": True,
        "expected": "completes",
        "fault": "",
        "skipped": "",
        "words": [],
        "step": None,
        **more,
    }


def test_columns_align_whatever_the_script(render: Render) -> None:
    downloads = [download("盲道.mp4"), download("a", ok=False, step="stall", fault="no progress", rate=2_500_000)]
    table = render("{{ downloads | download_report }}", downloads=downloads)
    head, chinese, latin = table.splitlines()
    assert head.startswith("client  item      by")
    assert chinese == "aria2   盲道.mp4  torrent  http  293 KiB  1      0.0 s     9.8 s       10.2 s  -          equal"
    assert (
        latin
        == "aria2   a         torrent  http  293 KiB  1      0.0 s     9.8 s       10.2 s  2.4 MiB/s  FAILED at stall"
    )


def test_a_name_cannot_break_its_line(render: Render) -> None:
    table = render("{{ downloads | download_report }}", downloads=[download("a\nb\x1b[2J")])
    assert len(table.splitlines()) == 2


def test_what_was_promised_is_no_failure_and_what_a_client_lacks_is_skipped(render: Render) -> None:
    stalled = download("a", ok=False, step="stall", expected="stalls at 60%")
    table = render("{{ downloads | download_report }}", downloads=[stalled, download("b", skipped="magnet")])
    assert table.splitlines()[1].endswith("stalls at 60%, as promised")
    assert table.splitlines()[2].endswith("skipped: no magnet")


def test_the_doctors_word_stands_beside_the_failure_alone(render: Render) -> None:
    downloads = [download("a", ok=False, step="connect", fault="no peer"), download("b")]
    known = {"severity": "fault", "cause": "the tracker is down", "remedy": "start it", "from": "leecher1", "more": []}
    verdicts = [{**known, "info_hash": name.encode().hex(), "verdict": "tracker_down"} for name in "ab"]
    told = render("{{ downloads | with_verdicts(verdicts) }}", downloads=downloads, verdicts=verdicts)
    assert [one["doctor"] for one in told] == [
        {"verdict": "tracker_down", "severity": "fault", "cause": "the tracker is down", "remedy": "start it"},
        None,
    ]
    lines = render("{{ downloads | download_report }}", downloads=told).splitlines()
    assert lines[1].endswith("FAILED at connect")
    assert lines[2:4] == ["    doctor: tracker_down: the tracker is down", "    -> start it"]
    assert len(lines) == 5
    failure = ElementTree.fromstring(render("{{ downloads | junit_report('l') }}", downloads=told))[0][0][0]
    assert failure.text == "expected: completes\ndoctor: tracker_down: the tracker is down\n-> start it"
    assert render("{{ downloads | with_verdicts([]) }}", downloads=downloads)[0]["doctor"] is None


def test_a_ci_reads_the_downloads_as_junit_xml(render: Render) -> None:
    stalled = download("a\x00", ok=False, step="stall", fault="no <progress>", words=["no <progress>"])
    downloads = [download("盲道.mp4", via="bare_magnet"), stalled, download("b", skipped="magnet")]
    failures = ["a by torrent: failed at stall: no <progress>", "d: cannot be fetched"]
    text = render("{{ downloads | junit_report('leecher1', failures) }}", downloads=downloads, failures=failures)
    (suite,) = ElementTree.fromstring(text)
    assert suite.attrib == {"name": "downloads by leecher1", "tests": "4", "failures": "2", "skipped": "1"}
    assert [case.get("name") for case in suite] == [
        "盲道.mp4 by bare magnet over http",
        "a\ufffd by torrent over http",
        "b by torrent over http",
        "plan",
    ]
    assert suite[1][0].attrib == {"message": "no <progress>"}
    assert suite[3][0].attrib == {"message": "d: cannot be fetched"}


def test_ways_to_find_peers_are_checked(render: Render) -> None:
    assert render("{{ ['dht', 'lpd'] | finds_faults(['tracker1']) }}") == []
    assert render("{{ ['dht', 'luck'] | finds_faults([]) }}") == [
        "leecher_finds: 'luck' finds no peers; known are dht, pex, lpd",
        "leecher_finds has dht, which begins at a host of group scripted_peers, and there is none",
    ]


def test_clients_are_listed_and_checked(render: Render) -> None:
    assert render("{{ 'aria2, acme,aria2' | listed(['x']) }}") == ["aria2", "acme"]
    assert render("{{ ['all'] | listed(['x', 'y']) }}") == ["x", "y"]
    own = {"acme": {"program": "/opt/acme"}, "aria2": {"commands": {"torrent": ["/a"]}}, "b": {"features": ["fast"]}}
    assert render("{{ ['netscape', 'acme'] | client_faults(own) }}", own=own) == [
        "leecher_own_clients: acme: program is '/opt/acme'; a list such as [/opt/acme/lab-client] would be right",
        "leecher_own_clients: aria2: is the name of one of the lab's clients; choose another",
        "leecher_own_clients: b: needs either program or commands",
        "leecher_own_clients: b: feature 'fast' is not known; these are: torrent, magnet, bare_magnet, private, "
        "hybrid, v2, web_seed, udp_tracker, udp_tracker_ipv6, file_choice, dht, pex, lpd",
        "leecher_clients: there is no client 'netscape'; known are aria2, deluge, libtorrent, "
        "qbittorrent, rtorrent, transmission, acme, aria2, b",
    ]
