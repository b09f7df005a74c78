"""A seeder is made slow, lossy and unreachable on order, and each time good again by itself or by a word.

What is told has been measured: what a leecher gets; by SSH all comes at full speed meanwhile. Portal, doctor and
catalogue.json tell of it while it lasts. An order takes the place of the one before, what somebody else has set up is
never overwritten, and a timer of the host's own, or a boot, ends it all though nobody gives the word. Between two runs
of tests one playbook has the whole lab as it was ordered.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from typing import Any

import pytest
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
from chromium import Browser

INVENTORY = "--inventory=molecule/impair/inventory.yml"
TABLE, STATE = "inet seedbed_impairment", "/run/seedbed-impairment.json"
REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
# What SSH has to bring, and in how many seconds: by a line of 1 Mbit/s it would take 160.
BYTES, SECONDS = 20_000_000, 100


@pytest.fixture(scope="module")
def impair(lab: Any) -> Any:
    """Orders weather, for the seeder unless told otherwise, and returns what the operator reads."""

    def order(name: str, *more: str, hosts: str = "seeder1", fails: bool = False) -> str:
        words = [f"--extra-vars=impairment={name}", *(f"--extra-vars={one}" for one in more), f"--limit={hosts}"]
        done = lab.playbook(INVENTORY, "playbooks/impair.yml", *words)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return " ".join(done.stdout.split())  # wherever a line is broken

    return order


def traces(host: Any) -> list[str]:
    """What there is of it on a host."""
    found = [TABLE] if host.run(f"nft list table {TABLE}").rc == 0 else []
    found += re.findall(r"htb 5eed:", host.check_output("tc qdisc show"))
    found += [name for name in (STATE,) if host.file(name).exists]
    timers = host.check_output("systemctl list-timers --all --no-legend --no-pager")
    return found + re.findall(r"seedbed-impairment-end", timers)[:1]


def told(lab: Any) -> list[dict[str, str]]:
    """What testers are told: in the catalogue, and by itself for the page."""
    place = f"http://{lab.address('hub')}:8000"
    whole = json.loads(lab.get(f"{place}/catalogue.json").body)["impairments"]
    assert json.loads(lab.get(f"{place}/impairments.json").body)["impairments"] == whole
    found: list[dict[str, str]] = whole
    return found


def runs_at_full_speed_by_ssh(host: Any) -> bool:
    began = time.monotonic()
    brought = host.check_output(f"head -c {BYTES} /dev/zero | tr '\\0' x")
    return len(brought) == BYTES and time.monotonic() - began < SECONDS


def reaches(host: Any, address: str, port: int) -> bool:
    """Whether a host can connect to a port of another one."""
    return bool(host.run(f"python3 -c {shlex.quote(REACH)} {address} {port}").rc == 0)


def measured(text: str) -> float:
    """The Mbit/s that the announcement tells."""
    match = re.search(r"to leecher1: ([0-9.]+) Mbit/s", text)
    assert match, text
    return float(match.group(1))


def test_a_kernel_without_netem_is_told_before_anything_changes(lab: Any, impair: Any) -> None:
    has_netem = lab["seeder1"].run("unshare --net tc qdisc add dev lo root netem delay 1ms").rc == 0
    text = impair("satellite")
    assert ("its kernel has no netem; all else is done" in text) != has_netem
    assert text.find("no netem") < text.find("Begin it, in place of what there is")
    impair("none")


def test_a_slow_seeder_is_slow_by_the_labs_ports_and_by_no_other(lab: Any, impair: Any) -> None:
    text = impair("slow")
    assert 0.2 <= measured(text) <= 1.1, text
    assert re.search(r"seeder1: slow \(1 Mbit/s\) until \d\d:\d\d; to leecher1: [0-9.]+ Mbit/s", text), text
    assert runs_at_full_speed_by_ssh(lab["seeder1"])
    assert lab["seeder1"].check_output("tc -s qdisc show").count("htb 5eed:") == 1
    assert traces(lab["hub"]) == traces(lab["leecher1"]) == []


def test_testers_and_operator_are_told_while_it_lasts(lab: Any) -> None:
    [entry] = told(lab)
    assert (entry["host"], entry["impairment"], entry["words"]) == ("seeder1", "slow", "1 Mbit/s")
    page = Browser()
    try:
        page.get(f"http://{lab.address('hub')}:8000/index.en.html")
        [line] = page.wait("the page tells of it", lambda: page.texts("#impairments li"))
    finally:
        page.quit()
    assert line.startswith("seeder1: slow (1 Mbit/s) until "), line
    done = lab.playbook(INVENTORY, "playbooks/doctor.yml")
    assert "note  seeder1 is impaired: slow (1 Mbit/s) until" in done.stdout, done.stdout


def test_a_run_of_the_lab_leaves_it_and_what_is_told_of_it(lab: Any) -> None:
    before = told(lab)
    done = lab.playbook(INVENTORY, "playbooks/site.yml")
    assert done.returncode == 0, done.stdout
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0", "0"], done.stdout
    assert told(lab) == before


def test_another_order_takes_its_place(lab: Any, impair: Any) -> None:
    text = impair("lossy", "impairment_loss=10", "minutes=5")
    lost = re.search(r"([0-9.]+)% of the datagrams lost", text)
    assert lost and 3 < float(lost.group(1)) < 25, text
    assert measured(text) > 2  # the slowness is gone
    assert [entry["words"] for entry in told(lab)] == ["10% lost"]
    # Whoever sends is told nothing of the loss, as nobody is on a bad line.
    assert "priority set 5eed:2" in lab["seeder1"].check_output(f"nft list table {TABLE}")
    assert lab["seeder1"].check_output("tc qdisc show dev eth0").count("blackhole") == 1


def test_no_udp_gets_through_where_udp_is_blocked(impair: Any) -> None:
    text = impair("udp-blocked")
    assert "no UDP measured" in text and measured(text) > 2, text


def test_large_datagrams_are_lost_where_packets_have_to_be_small(impair: Any) -> None:
    text = impair("mtu")
    assert "no large ones measured" in text and measured(text) > 2, text


def test_a_host_that_is_offline_is_reached_by_ssh_alone(lab: Any, impair: Any) -> None:
    seeder = lab.address("seeder1")
    assert lab.answers(seeder, 8082)
    assert "no connection came about" in impair("offline")
    assert not reaches(lab["leecher1"], seeder, 8082)
    assert runs_at_full_speed_by_ssh(lab["seeder1"])


def test_peers_and_trackers_are_cut_off_apart(lab: Any, impair: Any) -> None:
    seeder, hub = lab.address("seeder1"), lab.address("hub")
    impair("peers-unreachable")
    assert not reaches(lab["leecher1"], seeder, 8082)
    assert reaches(lab["leecher1"], seeder, 8081)  # its web interface
    assert reaches(lab["seeder1"], hub, 8888)
    impair("tracker-unreachable")
    assert not reaches(lab["seeder1"], hub, 8888)
    assert reaches(lab["leecher1"], seeder, 8082)
    assert reaches(lab["leecher1"], hub, 8888)


def test_a_word_ends_it_at_once_also_where_there_is_nothing(lab: Any, impair: Any) -> None:
    before = lab["seeder1"].file("/var/lib/seedbed/owned.json").content_string
    assert "impairment" in before
    assert "seeder1: nothing impairs it" in impair("none")
    assert traces(lab["seeder1"]) == told(lab) == []
    assert "impairment" not in lab["seeder1"].file("/var/lib/seedbed/owned.json").content_string
    text = impair("none", hosts="all")
    assert re.findall(r"changed=(\d+)", text) == ["0", "0", "0"], text


def test_what_somebody_else_has_set_up_is_refused_and_left(lab: Any, impair: Any) -> None:
    seeder = lab["seeder1"]
    seeder.check_output("tc qdisc add dev eth0 root handle 1: htb")
    text = impair("slow", fails=True)
    assert "somebody else shapes what leaves by eth0 (htb 1:)" in text, text
    assert traces(seeder) == []
    assert "htb 1: root" in seeder.check_output("tc qdisc show dev eth0")
    impair("none")
    assert "htb 1: root" in seeder.check_output("tc qdisc show dev eth0")
    seeder.check_output("tc qdisc del dev eth0 root")


GHOSTS = """
import sys, urllib.parse, urllib.request
info_hash, place = sys.argv[1:]
for port in (8298, 8299):
    query = urllib.parse.urlencode({"info_hash": bytes.fromhex(info_hash), "peer_id": f"-TE{port}-" + "x" * 12,
                                    "port": port, "uploaded": 0, "downloaded": 0, "left": 0, "compact": 1})
    urllib.request.urlopen(f"http://{place}/announce?{query}", timeout=60).read()
"""
REMOTE = "transmission-remote 8081 --auth 'seedbed:only for this test'"
FOREIGN = "f" * 40


def test_between_two_runs_of_tests_one_playbook_has_the_lab_as_it_was_ordered(lab: Any, impair: Any) -> None:
    place = f"http://{lab.address('hub')}:8000/catalogue.json"
    items = {item["name"]: item for item in json.loads(lab.get(place).body)["items"]}
    ours, played = items["content"]["info_hash"], items["peer-honest"]["promise"]["testimony"]
    seeder, leecher, tracker = lab["seeder1"], lab["leecher1"], f"{lab.address('hub')}:8888"

    def seeders() -> int:
        [answer] = ask([Question(f"http://{tracker}/announce", "scrape", ours)], AnnounceOptions(timeout=60))
        return int(answer["seeders"])

    def left_by_tests() -> list[bool]:
        torrents = seeder.check_output(f"{REMOTE} -t all -i")
        return [
            traces(seeder) != [],
            seeders() > 1,
            FOREIGN in torrents,
            "State: Stopped" in torrents,
            leecher.file("/srv/seedbed/leecher").listdir() != [],
            json.loads(lab.get(played).body)["clients"] != [],
        ]

    done = lab.playbook(INVENTORY, "playbooks/download.yml", "--extra-vars=torrent=peer-honest download_keep=true")
    assert done.returncode == 0, done.stdout
    leecher.check_output(f"python3 -c {shlex.quote(GHOSTS)} {ours} {tracker}")
    seeder.check_output(f"{REMOTE} --add 'magnet:?xt=urn:btih:{FOREIGN}'")
    seeder.check_output(f"{REMOTE} -t {ours} --stop")
    impair("lossy")
    assert left_by_tests() == [True] * 6
    done = lab.playbook(INVENTORY, "playbooks/reset.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every item can be downloaded." in done.stdout, done.stdout
    assert left_by_tests() == [False] * 6
    assert seeders() == 1
    assert told(lab) == []


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("storm", [], "impairment is 'storm'; choose wifi, wifi-bad, 4g,"),
        ("slow", ["minutes=0"], "minutes is '0'; write a number from 1 to 1440"),
        ("lossy", ["impairment_loss=all"], "impairment_loss is 'all'; write percent from 0 to 90"),
        ("offline", ["impairment_rate=2"], "impairment_rate is set, but offline has no such number"),
    ],
)
def test_bad_orders_are_told_in_a_sentence(lab: Any, impair: Any, name: str, more: list[str], why: str) -> None:
    assert why in impair(name, *more, fails=True)
    assert traces(lab["seeder1"]) == []


def test_it_ends_by_itself(lab: Any, impair: Any, wait_until: Any) -> None:
    """The controller has gone home: nobody gives the word."""
    impair("slow", "minutes=1")
    assert len(traces(lab["seeder1"])) == 4
    wait_until(lambda: not traces(lab["seeder1"]), what="the timer of the host has ended it", seconds=240)
    entries = told(lab)
    assert all(entry["until"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) for entry in entries)


def test_a_boot_ends_it(lab: Any, impair: Any, wait_until: Any) -> None:
    impair("offline", "minutes=1000")
    subprocess.run(["podman", "restart", f"{lab.directory.name}-seeder1"], check=True, capture_output=True, timeout=900)

    def serves() -> bool:
        try:
            return bool(lab["seeder1"].run("systemctl is-active transmission-daemon").stdout.strip() == "active")
        except RuntimeError:  # what testinfra makes of an ssh that gets nowhere
            return False

    wait_until(serves, what="the seeder is up again", seconds=240)
    assert traces(lab["seeder1"]) == []


def test_the_lab_takes_it_along_when_it_goes(lab: Any, impair: Any) -> None:
    impair("slow")
    done = lab.playbook(INVENTORY, "playbooks/remove.yml", "--extra-vars=keep_content=false")
    assert done.returncode == 0, done.stdout
    assert traces(lab["seeder1"]) == []
