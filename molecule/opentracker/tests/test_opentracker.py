"""Four trackers, each built on its host from the same pinned sources.

A peer announces itself to each of them over IPv4 and IPv6; whoever asks from elsewhere, over HTTP or UDP, is told of
it, and of nobody else. The tracker with a white list serves what is on it and says no to the rest. Meanwhile wrong
sources were refused without a trace, a new feature was built beside the old build, the lists grew, and a build that
does not serve was given up for the former one.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question
from ansible.module_utils.seedbed.probe.announce import ask as ask_trackers

LISTED, ADDED, UNLISTED = (f"{start}f5a7e209e54b32803d43670971c4c8caaa05" for start in ("2aa4", "bbbb", "cccc"))
BLOCKED = "d" * 40
PORTS = {"gcc10": 8888, "gcc12": 8888, "gcc14": 8888, "c89": 8100}
INTERVALS = {"gcc14": (18, 21)}
TRACKERS = sorted(PORTS)
PEER_PORT = 8082
SOAK = (Path(__file__).resolve().parents[1] / "soak.py").read_text(encoding="utf-8")
REGISTER = """
import sys, urllib.parse, urllib.request
info_hash, *hosts = sys.argv[1:]
for host in hosts:
    query = urllib.parse.urlencode({"info_hash": bytes.fromhex(info_hash), "peer_id": "-TE0000-" + "x" * 12,
                                    "port": 8082, "uploaded": 0, "downloaded": 0, "left": 0, "compact": 1})
    urllib.request.urlopen(f"http://{host}/announce?{query}", timeout=5).read()
"""


def addresses(host: Any) -> list[str]:
    """The host's IPv4 and IPv6 address on the lab's network."""
    found = [address for address in host.check_output("hostname -I").split() if not address.startswith("fe80")]
    return [next(a for a in found if "." in a), next(a for a in found if ":" in a)]


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def ask(trackers: list[str], info_hash: str, kind: str = "announce") -> list[dict[str, Any]]:
    """What this machine, which is none of the hosts, is told."""
    return ask_trackers([Question(tracker, kind, info_hash) for tracker in trackers], AnnounceOptions())


def urls(lab: Any, name: str) -> list[str]:
    return [
        f"{scheme}://{bracketed(address)}:{PORTS[name]}/announce"
        for scheme in ("http", "udp")
        for address in addresses(lab[name])
    ]


def running(host: Any, unit: str = "opentracker") -> str:
    """The program of the running process."""
    pid = host.check_output(f"systemctl show --value -p MainPID {unit}")
    return str(host.check_output(f"readlink /proc/{pid}/exe"))


@pytest.mark.parametrize("name", TRACKERS)
def test_the_running_build_tells_its_id(lab: Any, name: str) -> None:
    program = running(lab[name])
    match = re.fullmatch(r"(/opt|/srv)/opentracker/releases/(1\.0\+git20250425\.b20b0b8-\w{8})/opentracker", program)
    assert match, program
    said = lab[name].run(f"{match.group(1)}/opentracker/current/opentracker -v")
    assert match.group(2) in said.stderr


def test_another_compiler_makes_another_build(lab: Any) -> None:
    assert [lab[f"gcc{version}"].check_output("gcc -dumpversion") for version in (10, 12, 14)] == ["10", "12", "14"]
    assert len({running(lab[name]).split("/")[4] for name in TRACKERS}) == len(TRACKERS)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_peer_is_handed_to_whoever_asks_from_elsewhere(lab: Any, name: str) -> None:
    peer = lab[next(other for other in TRACKERS if other != name)]
    hosts = [f"{bracketed(address)}:{PORTS[name]}" for address in addresses(lab[name])]
    peer.check_output(f"python3 -c {shlex.quote(REGISTER)} {LISTED} {' '.join(hosts)}")
    for answer in ask(urls(lab, name), LISTED):
        assert answer["ok"], answer
        told = {entry["address"] for entry in answer["peers"]}
        both, ours = set(addresses(peer)), {a for a in addresses(peer) if (":" in a) == (":" in answer["address"])}
        # Over HTTP opentracker hands out both families, over UDP that of the asker.
        assert told == (both if answer["tracker"].startswith("http") else ours), answer
        assert {entry["port"] for entry in answer["peers"]} == {PEER_PORT}
        assert answer["seeders"] == 2  # one over each family
        lowest, highest = INTERVALS.get(name, (1620, 1979))
        assert lowest <= answer["interval"] <= highest, answer
        assert answer["deregistered"]
    for answer in ask(urls(lab, name), LISTED, "scrape"):
        assert (answer["ok"], answer["seeders"], answer["leechers"]) == (True, 2, 0), answer


def test_a_tracker_with_short_times_soon_forgets_whoever_falls_silent(lab: Any, wait_until: Any) -> None:
    """Twenty seconds between announces, three at least, a minute of life. Its own are 30, 15 and 45 minutes."""
    ghost, urls_there = "e" * 40, urls(lab, "gcc14")
    hosts = [f"{bracketed(address)}:{PORTS['gcc14']}" for address in addresses(lab["gcc14"])]
    lab["gcc12"].check_output(f"python3 -c {shlex.quote(REGISTER)} {ghost} {' '.join(hosts)}")
    answers = ask(urls_there, ghost)
    assert all(answer["peers"] for answer in answers), answers
    assert {answer["min_interval"] for answer in answers} == {3, None}  # over UDP there is none
    wait_until(
        lambda: not any(answer["seeders"] or answer["peers"] for answer in ask(urls_there, ghost)),
        what="the ghost is forgotten",
        seconds=180,
    )


def test_the_white_list_refuses_what_is_not_on_it(lab: Any) -> None:
    assert {answer["reason"] for answer in ask(urls(lab, "c89"), UNLISTED)} == {"not_authorized"}
    assert all(answer["ok"] for answer in ask(urls(lab, "gcc14"), UNLISTED))


def test_the_white_list_was_taken_over_when_it_grew(lab: Any) -> None:
    assert all(answer["ok"] for answer in ask(urls(lab, "c89"), ADDED))


def test_the_black_list_was_taken_over_without_a_restart(lab: Any) -> None:
    assert {answer["reason"] for answer in ask(urls(lab, "gcc10"), BLOCKED)} == {"not_authorized"}
    started = "stat -c %Y /proc/$(systemctl show --value -p MainPID opentracker)"
    assert int(lab["gcc10"].check_output("stat -c %Y /etc/opentracker.blacklist")) > int(
        lab["gcc10"].check_output(started)
    )


def test_statistics_are_for_those_who_may_read_them(lab: Any) -> None:
    def read(host: str) -> Any:
        program = f"import urllib.request as u; print(u.urlopen('http://{host}/stats?mode=everything').read())"
        return lab["gcc14"].run(f"timeout 10 python3 -c {shlex.quote(program)}")

    assert "<tracker_id>" in read("127.0.0.1:8888").stdout
    assert "403" in read(f"{addresses(lab['c89'])[0]}:8100").stderr


@pytest.mark.parametrize("name", TRACKERS)
def test_the_service_is_confined(lab: Any, name: str, shut_in: Any) -> None:
    shut_in(lab[name], "opentracker.service")
    process = lab[name].process.get(comm="opentracker")
    assert process.user == ("tracker" if name == "c89" else "opentracker")
    assert lab[name].check_output("systemctl show --value -p LimitNOFILE opentracker") == "65536"
    # A container host can have less, but never systemd's 1024, with which opentracker spins when clients pile up.
    limits = lab[name].file(f"/proc/{process.pid}/limits").content_string
    assert int(re.search(r"Max open files +(\d+) ", limits).group(1)) > 1024


@pytest.mark.parametrize("name", TRACKERS)
def test_it_comes_back_when_it_dies(lab: Any, name: str, wait_until: Any) -> None:
    assert lab[name].service("opentracker").is_enabled
    before = lab[name].check_output("systemctl show --value -p MainPID opentracker")
    lab[name].check_output(f"kill -SEGV {before}")
    wait_until(lambda: all(answer["ok"] for answer in ask(urls(lab, name), LISTED, "scrape")), what="all answer again")
    assert lab[name].check_output("systemctl show --value -p MainPID opentracker") != before


@pytest.mark.parametrize("name", TRACKERS)
def test_no_build_directory_is_left(lab: Any, name: str) -> None:
    assert not [entry for entry in lab[name].file("/var/tmp").listdir() if entry.endswith(".opentracker")]


def test_the_new_feature_was_built_beside_the_old_build(lab: Any) -> None:
    assert len(lab["gcc12"].file("/opt/opentracker/releases").listdir()) == 2
    assert len(lab["gcc14"].file("/opt/opentracker/releases").listdir()) == 1
    assert "AF_UNIX" in lab["gcc12"].file("/etc/systemd/system/opentracker.service").content_string


@pytest.mark.parametrize("name", TRACKERS)
def test_the_hosts_own_package_sources_are_as_they_were(lab: Any, name: str) -> None:
    assert lab[name].run("grep -rE 'deb-src|\\bsid\\b|\\bunstable\\b' /etc/apt").rc == 1
    assert not [entry for entry in lab[name].file("/var/lib/apt/lists").listdir() if "_sid_" in entry]


def test_a_minute_of_every_kind_of_client_loses_no_announce(lab: Any) -> None:
    """Newer versions were reported to crash on connections that are reset while they are served."""
    tracker = lab["gcc12"]
    before = tracker.check_output("systemctl show -p MainPID -p NRestarts opentracker")
    told = lab.python("gcc14", SOAK, addresses(tracker)[0], PORTS["gcc12"], 60)
    assert told["errors"] == []
    assert told["known"] == told["taken"] > 1000
    assert set(told["deeds"]) == {
        *("over_http", "over_udp", "broken_off", "not_awaited", "pipelined", "oversized", "babble")
    }
    assert tracker.check_output("systemctl show -p MainPID -p NRestarts opentracker") == before
