"""A healthy lab is broken in one way after another; each time the doctor names the fault, and finds it healed after.

First what can befall a single torrent, each torrent in its own way: paused, removed, its content deleted, forbidden by
the tracker, announced elsewhere. Then what befalls all: the tracker stopped, dropped or rejected by a firewall, without
UDP; a tracker that has forgotten, or lists a loopback address; the seeder stopped, its peer port filtered, encryption
required. At last torrents that are not the lab's: a wrong port, an unknown name, half of the content.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.transmission_rpc import RpcClient

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "doctor"
ITEMS = ["deleted", "elsewhere", "forbidden", "partial", "paused", "private", "removed"]
PAYLOAD = "/srv/seedbed/payload"
REGISTER = """
import sys, urllib.parse, urllib.request
query = urllib.parse.urlencode({"info_hash": bytes.fromhex(sys.argv[1]), "peer_id": "-TE0000-" + "x" * 12, "port": 8082,
                                "uploaded": 0, "downloaded": 0, "left": 0, "compact": 1})
urllib.request.urlopen("http://127.0.0.1:8888/announce?" + query, timeout=5).read()
"""


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Callable[..., dict[str, dict[str, Any]]]:
    """Runs the playbook; the leecher's verdicts by item. The exit status must agree with them."""
    path = tmp_path_factory.mktemp("doctor") / "verdicts.json"

    def run(**variables: Any) -> dict[str, dict[str, Any]]:
        path.unlink(missing_ok=True)
        variables = {
            "lab_name": "seedbed-doctor",
            "doctor_json": str(path),
            "doctor_from_controller": False,
            **variables,
        }
        done = subprocess.run(
            ["ansible-playbook", f"--inventory={SCENARIO}/inventory.yml", f"--extra-vars={json.dumps(variables)}",
             str(ROOT / "playbooks" / "doctor.yml")],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.directory}/ssh_config",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": "~/.ansible/cp/seedbed-doctor",
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert path.exists(), done.stdout + done.stderr
        verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
        faults = [verdict for verdict in verdicts if verdict["severity"] == "fault"]
        assert (done.returncode != 0) == bool(faults), done.stdout + done.stderr
        return {verdict["item"]: verdict for verdict in verdicts}

    return run


@pytest.fixture(scope="module")
def first(doctor: Any) -> dict[str, dict[str, Any]]:
    """The verdicts on the lab as it was made."""
    return doctor()


@pytest.fixture(scope="module")
def hashes(first: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {item: verdict["info_hash"] for item, verdict in first.items()}


@pytest.fixture(scope="module")
def rpc(lab: Any) -> Callable[..., dict[str, Any]]:
    """Calls to the seeder's daemon, as its web interface makes them."""

    def call(method: str, **arguments: Any) -> dict[str, Any]:
        client = RpcClient(lab.address("seeder1"), 8081, ("seedbed", "only for this test"))
        try:
            return client.call(method, arguments)
        finally:
            client.close()

    return call


def healthy(doctor: Any) -> bool:
    verdicts = doctor()
    return sorted(verdicts) == ITEMS and {verdict["verdict"] for verdict in verdicts.values()} == {"healthy"}


def announce_anew(rpc: Any, wait_until: Any) -> None:
    """A reannounce waits for the tracker's minimum interval, stop and start does not."""
    rpc("torrent-stop")
    wait_until(lambda: all(torrent["status"] == 0 for torrent in rpc("torrent-get", fields=["status"])["torrents"]))
    rpc("torrent-start")


@contextmanager
def firewall(host: Any, rule: str) -> Iterator[None]:
    """A rule in a table of its own, before the lab's."""
    host.check_output("nft add table inet broken")
    host.check_output("nft 'add chain inet broken input { type filter hook input priority -50; }'")
    host.check_output(f"nft add rule inet broken input {rule}")
    try:
        yield
    finally:
        host.check_output("nft delete table inet broken")


def test_a_healthy_lab_is_healthy(first: dict[str, dict[str, Any]]) -> None:
    verdicts = first
    assert sorted(verdicts) == ITEMS
    assert {item: verdict["verdict"] for item, verdict in verdicts.items()} == dict.fromkeys(ITEMS, "healthy")
    assert "its magnet can never work" in verdicts["private"]["remarks"][0]
    assert "50% of it is seeded" in verdicts["partial"]["remarks"][0]


def test_each_torrent_has_its_own_fault(
    doctor: Any, hashes: dict[str, str], lab: Any, rpc: Any, wait_until: Any
) -> None:
    black, saved = "/etc/opentracker.blacklist", "/var/tmp/saved"
    rpc("torrent-stop", ids=[hashes["paused"]])
    lab["seeder1"].check_output(f"mkdir -p {saved} && mv {PAYLOAD}/deleted {saved}/")
    rpc("torrent-remove", ids=[hashes["removed"]])
    lab["tracker1"].check_output(f"cp {black} {black}.kept && echo {hashes['forbidden']} >> {black}")
    lab["tracker1"].check_output("systemctl reload opentracker")
    rpc("torrent-set", ids=[hashes["elsewhere"]], trackerList=f"http://{lab.address('tracker1')}:8999/announce")
    state = ["hashString", "status", "trackerStats"]
    wait_until(lambda: len(rpc("torrent-get", fields=state, ids=[hashes["removed"]])["torrents"]) == 0)
    wait_until(lambda: rpc("torrent-get", fields=state, ids=[hashes["paused"]])["torrents"][0]["status"] == 0)
    verdicts = doctor()
    assert {item: verdict["verdict"] for item, verdict in verdicts.items()} == {
        "paused": "torrent_paused",
        "removed": "torrent_not_added",
        "deleted": "content_missing",
        "forbidden": "tracker_not_authorized",
        "elsewhere": "announced_elsewhere",
        "private": "healthy",
        "partial": "healthy",
    }
    assert "seeder1" in verdicts["paused"]["cause"]
    lab["seeder1"].check_output(f"mv {saved}/deleted {PAYLOAD}/")
    lab["tracker1"].check_output(f"mv {black}.kept {black} && systemctl reload opentracker")
    site = subprocess.run(
        ["ansible-playbook", f"--inventory={SCENARIO}/inventory.yml", "--extra-vars=lab_name=seedbed-doctor",
         str(ROOT / "playbooks" / "site.yml")],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
             "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.directory}/ssh_config",
             "ANSIBLE_SSH_CONTROL_PATH_DIR": "~/.ansible/cp/seedbed-doctor"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert site.returncode == 0, site.stdout
    wait_until(lambda: healthy(doctor), seconds=60)


def test_the_tracker_stopped(doctor: Any, lab: Any, rpc: Any, wait_until: Any) -> None:
    lab["tracker1"].check_output("systemctl stop opentracker")
    assert {verdict["verdict"] for verdict in doctor().values()} == {"tracker_down"}
    lab["tracker1"].check_output("systemctl start opentracker")
    # It has forgotten everybody, and the doctor knows that, too.
    assert {verdict["verdict"] for verdict in doctor().values()} == {"not_announced"}
    announce_anew(rpc, wait_until)
    wait_until(lambda: healthy(doctor), seconds=60)


@pytest.mark.parametrize(
    ("host", "rule", "expected"),
    [
        ("tracker1", "meta l4proto { tcp, udp } th dport 8888 drop", ("tracker_filtered", "fault")),
        ("tracker1", "meta l4proto { tcp, udp } th dport 8888 reject", ("tracker_filtered", "fault")),
        ("tracker1", "udp dport 8888 drop", ("tracker_udp_filtered", "warning")),
        ("tracker1", "tcp dport 8888 reject with tcp reset", ("tracker_http_filtered", "warning")),
        ("seeder1", "tcp dport 8082 drop", ("peer_port_filtered", "fault")),
        ("seeder1", "tcp dport 8082 reject with tcp reset", ("peer_port_closed", "fault")),
    ],
)
def test_a_firewall_is_in_the_way(doctor: Any, lab: Any, host: str, rule: str, expected: tuple[str, str]) -> None:
    with firewall(lab[host], f"'{rule}'"):
        verdicts = doctor()
    # For all items alike: the fault before is healed, too.
    assert {(seen["verdict"], seen["severity"]) for seen in verdicts.values()} == {expected}


def test_nothing_is_in_the_way_any_more(doctor: Any) -> None:
    assert healthy(doctor)


def test_the_seeder_stopped(doctor: Any, lab: Any, rpc: Any, wait_until: Any) -> None:
    lab["seeder1"].check_output("systemctl stop transmission-daemon")
    assert {verdict["verdict"] for verdict in doctor().values()} == {"seeder_down"}
    lab["seeder1"].check_output("systemctl start transmission-daemon")
    wait_until(lambda: healthy(doctor), seconds=60)


def test_the_tracker_hands_out_a_loopback_address(
    doctor: Any, hashes: dict[str, str], lab: Any, rpc: Any, wait_until: Any
) -> None:
    lab["tracker1"].check_output("systemctl restart opentracker")
    lab["tracker1"].check_output(f"python3 -c {shlex.quote(REGISTER)} {hashes['paused']}")
    seen = doctor(torrent="paused", doctor_piece=False)["paused"]
    assert seen["verdict"] == "wrong_address"
    assert "127.0.0.1" in seen["cause"]
    assert "through loopback" in seen["cause"]
    announce_anew(rpc, wait_until)
    wait_until(lambda: healthy(doctor), seconds=60)


def test_the_seeder_insists_on_encryption(doctor: Any, rpc: Any) -> None:
    rpc("session-set", encryption="required")
    try:
        verdicts = doctor().values()
    finally:
        rpc("session-set", encryption="preferred")
    assert {(seen["verdict"], seen["severity"]) for seen in verdicts} == {("encryption_required", "warning")}
    assert healthy(doctor)


@pytest.mark.parametrize(
    ("tracker", "case"),
    [
        ("http://{}:8889/announce", ("paused", "tracker_wrong_port", "")),
        ("http://no-such-host.invalid:8888/announce", ("paused", "tracker_dns", "")),
        ("http://{}:8888/announce", ("paused", "healthy", "")),
        ("udp://{}:8888/announce", ("partial", "only_leechers", "only 50% of the content")),
    ],
)
def test_torrents_that_are_not_the_labs(
    doctor: Any, hashes: dict[str, str], lab: Any, tracker: str, case: tuple[str, str, str]
) -> None:
    item, verdict, more = case
    address = tracker.format(lab.address("tracker1"))
    magnet = f"magnet:?xt=urn:btih:{hashes[item]}&dn=stranger&tr={address}"
    seen = doctor(magnet=magnet, doctor_piece=False)["stranger"]
    assert seen["verdict"] == verdict, seen
    assert more in " ".join(seen["more"])


def test_one_item_in_depth_reads_a_piece(doctor: Any) -> None:
    assert doctor(torrent="removed")["removed"]["verdict"] == "healthy"
