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
import urllib.error
import urllib.request
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


TOKEN = "only-for-this-test-0123"


class Leftovers:
    """What tests leave in the lab, and whether it is there."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        items = {item["name"]: item for item in json.loads(self._portal("catalogue.json"))["items"]}
        self.ours, self._played = items["content"]["info_hash"], items["peer-honest"]["promise"]["testimony"]
        self._tracker = f"{lab.address('hub')}:8888"

    def _portal(self, path: str) -> Any:
        return self._lab.get(f"http://{self._lab.address('hub')}:8000/{path}").body

    def leave(self) -> None:
        words = "--extra-vars=torrent=peer-honest download_keep=true"
        done = self._lab.playbook(INVENTORY, "playbooks/download.yml", words)
        assert done.returncode == 0, done.stdout
        self._lab["leecher1"].check_output(f"python3 -c {shlex.quote(GHOSTS)} {self.ours} {self._tracker}")
        self._lab["seeder1"].check_output(f"{REMOTE} --add 'magnet:?xt=urn:btih:{FOREIGN}'")
        self._lab["seeder1"].check_output(f"{REMOTE} -t {self.ours} --stop")

    def seeders(self) -> int:
        [answer] = ask([Question(f"http://{self._tracker}/announce", "scrape", self.ours)], AnnounceOptions(timeout=60))
        return int(answer["seeders"])

    def there(self) -> list[str]:
        torrents = self._lab["seeder1"].check_output(f"{REMOTE} -t all -i")
        found = {
            "impairment": traces(self._lab["seeder1"]) != [],
            "ghosts": self.seeders() > 1,
            "foreign torrent": FOREIGN in torrents,
            "paused torrent": "State: Stopped" in torrents,
            "files": self._lab["leecher1"].file("/srv/seedbed/leecher").listdir() != [],
            "visits": json.loads(self._lab.get(self._played).body)["clients"] != [],
        }
        return [name for name, is_there in found.items() if is_there]


def test_between_two_runs_of_tests_one_playbook_has_the_lab_as_it_was_ordered(lab: Any, impair: Any) -> None:
    left = Leftovers(lab)
    left.leave()
    impair("lossy")
    assert left.there() == ["impairment", "ghosts", "foreign torrent", "paused torrent", "files", "visits"]
    done = lab.playbook(INVENTORY, "playbooks/reset.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every item can be downloaded." in done.stdout, done.stdout
    assert left.there() == []
    assert left.seeders() == 1
    assert told(lab) == []


def test_testers_reset_it_by_a_word_of_the_operators_where_they_let_them(lab: Any, shut_in: Any) -> None:
    place = f"http://{lab.address('hub')}:8000/reset"

    def order(token: str, method: str = "POST") -> tuple[int, Any]:
        request = urllib.request.Request(place, method=method, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            error.read()
            return error.code, None

    assert order(TOKEN)[0] == order(TOKEN, "GET")[0] == 404  # off, unless the operator says so
    hub = lab["hub"]
    assert hub.run("systemctl cat seedbed-reset.service seedbed-forget.path").rc != 0
    switched_on = [INVENTORY, "playbooks/site.yml", f"--extra-vars=portal_reset_token={TOKEN}"]
    done = lab.playbook(*switched_on, "--diff")
    assert done.returncode == 0, done.stdout
    assert TOKEN not in done.stdout + done.stderr
    done = lab.playbook(*switched_on, "--check")
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0", "0"], done.stdout
    places = "/etc/seedbed /etc/nginx /etc/systemd/system /opt/seedbed /run/seedbed-reset /var/log"
    assert hub.run(f"grep --recursive --devices=skip --fixed-strings --quiet {TOKEN} {places}").rc == 1
    assert hub.check_output("stat -c '%U %a' /etc/seedbed/reset.json") == "root 600"
    shut_in(hub, "seedbed-reset.service")
    exposure = hub.check_output("systemd-analyze security --no-pager seedbed-forget.service | tail -n 1")
    assert float(re.findall(r"\d+\.\d+", exposure)[0]) <= 1.3, exposure  # root's, so not one of those above

    left = Leftovers(lab)
    left.leave()
    before = ["ghosts", "foreign torrent", "paused torrent", "files", "visits"]
    assert left.there() == before
    assert order(TOKEN, "GET")[0] == 405
    assert order("another-word-of-nobody")[0] == 401
    assert left.there() == before
    status, answer = order(TOKEN)
    assert status == 200
    assert order(TOKEN)[0] == 429  # no more than one after the other
    undone = [(step["step"], step["host"]) for step in answer["steps"] if not step["done"]]
    assert undone == [("leechers", "")], answer
    assert answer["green"] is True, answer
    assert left.there() == ["files"]
    assert left.seeders() == 1
    assert TOKEN not in hub.check_output("journalctl --no-pager -u seedbed-reset -u seedbed-portal -t seedbed_portal")


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
