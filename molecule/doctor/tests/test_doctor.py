"""A healthy lab is broken in one way after another; each time the doctor names the fault, and finds it healed after.

First what can befall a single torrent, each in its own way, all seen in two runs: the catalogue's, and others with
strange trackers and peers. The tracker is stopped, forgetful, lists a loopback address; the site playbook heals all of
it.

Then what befalls all torrents, or all that one host sees of them: several hosts look at once, each behind a firewall of
its own, and nothing of a fault is left when the next one is looked for. The tracker is dropped or rejected, or has no
UDP; the peer ports lie behind a firewall; a 3.00 seeder remembers an address; the seeder is stopped, or requires
encryption. Hosts that ask the tracker all the time do not count each other. At last torrents that are not the lab's,
and hosts that cannot be asked; it ends healthy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible.module_utils.seedbed.doctor.verdicts import REMARKS
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.transmission.rpc import RpcClient

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "doctor"
INVENTORY = f"--inventory={SCENARIO}/inventory.yml"
PASSWORD = "only for this test"
ODD = ["empty", "trackerless", "web-seeded"]
SOUND = ["old", "older", "partial", "private", *ODD]
ITEMS = ["damaged", "deleted", "elsewhere", "forbidden", "paused", "removed", *SOUND]
# Two of them show as much as all of what befalls all, and need less time.
SHORT = {"torrent": "paused,private", "doctor_piece": False}
PAYLOAD, SAVED, BLACK, STRANGE = "/srv/seedbed/payload", "/var/tmp/saved", "/etc/opentracker.blacklist", "/srv/strange"
MIB = 1 << 20
REGISTER = """
import sys, urllib.parse, urllib.request
query = urllib.parse.urlencode({"info_hash": bytes.fromhex(sys.argv[1]), "peer_id": "-TE0000-" + "x" * 12, "port": 8082,
                                "uploaded": 0, "downloaded": 0, "left": 0, "compact": 1})
urllib.request.urlopen("http://127.0.0.1:8888/announce?" + query, timeout=5).read()
"""
SCRAPE = """
import json, re, sys, urllib.parse, urllib.request
query = urllib.parse.urlencode({"info_hash": bytes.fromhex(sys.argv[1])})
body = urllib.request.urlopen("http://127.0.0.1:8888/scrape?" + query, timeout=5).read()
print(json.dumps({key.decode(): int(number) for key, number in re.findall(rb"([a-z]+)i([0-9]+)e", body)}))
"""
# A peer that has everything (BEP 6), until the seeder closes: neither has anything for the other.
WHOLE = """
import socket, sys
with socket.create_connection((sys.argv[1], 8082), 5) as seeder:
    hello = b"\\x13BitTorrent protocol" + bytes(7) + b"\\x04" + bytes.fromhex(sys.argv[2]) + b"-TE0000-" + bytes(12)
    seeder.sendall(hello + b"\\x00\\x00\\x00\\x01\\x0e")
    while seeder.recv(1000):
        seeder.settimeout(20)
"""


# Twenty rounds of scrapes and announces, and what came of them.
ROUNDS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
questions = [Question(*words) for words in json.loads(sys.argv[2])]
answers = [answer for _ in range(20) for answer in ask(questions, AnnounceOptions(timeout=60))]
print(json.dumps({
    "failures": [answer["message"] for answer in answers if not answer["ok"]],
    "numbers": sorted({(answer["seeders"], answer["leechers"]) for answer in answers if answer["ok"]}),
    "probes": max(answer.get("probes", 0) for answer in answers),
}))
"""


class Seen(NamedTuple):
    """A run of the doctor; of several hosts that look, the last one's verdicts."""

    verdicts: dict[str, dict[str, Any]]
    output: str
    views: dict[str, set[tuple[str, ...]]]
    """What each host saw: verdict, severity, and whatever else it saw."""

    @property
    def codes(self) -> dict[str, str]:
        return {item: verdict["verdict"] for item, verdict in self.verdicts.items()}

    @property
    def alike(self) -> set[tuple[str, ...]]:
        return set().union(*self.views.values())


@pytest.fixture(scope="module")
def ansible(lab: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ansible-playbook", INVENTORY, f"--extra-vars=lab_name={lab.directory.name}", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.directory}/ssh_config",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp/{lab.directory.name}",
                "ANSIBLE_FORCE_COLOR": "0",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    return run


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory, ansible: Any) -> Callable[..., Seen]:
    """Runs the playbook; what the leecher sees. The exit status must agree with it."""
    directory, number = tmp_path_factory.mktemp("doctor"), count()

    def run(*inventories: dict[str, Any], color: bool = False, **variables: Any) -> Seen:
        stem = directory / str(next(number))
        path = stem.with_suffix(".json")
        more = []
        for inventory in inventories:
            stem.with_suffix(".yml").write_text(json.dumps({"all": inventory}), encoding="utf-8")
            more.append(f"--inventory={stem}.yml")
        variables = {"doctor_json": str(path), "doctor_from_controller": False, **variables}
        done = ansible(
            *more, f"--extra-vars={json.dumps(variables)}", str(ROOT / "playbooks" / "doctor.yml"),
            **({"ANSIBLE_FORCE_COLOR": "1"} if color else {}),
        )  # fmt: skip
        verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"] if path.exists() else []
        # Beside leechers the controller does not count.
        counted = [verdict for verdict in verdicts if verdict["from"] != "controller"]
        faults = [verdict for verdict in counted if verdict["severity"] == "fault"]
        assert (done.returncode == 0) == bool(verdicts and not faults), done.stdout + done.stderr
        views: dict[str, set[tuple[str, ...]]] = {}
        for verdict in verdicts:
            views.setdefault(verdict["from"], set()).add((verdict["verdict"], verdict["severity"], *verdict["more"]))
        return Seen({verdict["item"]: verdict for verdict in verdicts}, done.stdout, views)

    return run


@pytest.fixture(scope="module")
def first(doctor: Any) -> Seen:
    """The lab as it was made."""
    return doctor()


@pytest.fixture(scope="module")
def hashes(first: Seen) -> dict[str, str]:
    return {item: verdict["info_hash"] for item, verdict in first.verdicts.items()}


@pytest.fixture(scope="module")
def rpc(lab: Any) -> Callable[..., dict[str, Any]]:
    """Calls to the seeder's daemon, as its web interface makes them."""

    def call(method: str, **arguments: Any) -> dict[str, Any]:
        client = RpcClient(lab.address("seeder1"), 8081, ("seedbed", PASSWORD))
        try:
            return client.call(method, arguments)
        finally:
            client.close()

    return call


class Patient(NamedTuple):
    """The lab, and what it takes to break and heal it."""

    lab: Any
    rpc: Callable[..., dict[str, Any]]
    hashes: dict[str, str]
    wait_until: Callable[..., Any]


@pytest.fixture(scope="module")
def patient(lab: Any, rpc: Any, hashes: dict[str, str], wait_until: Any) -> Patient:
    return Patient(lab, rpc, hashes, wait_until)


def torrent_state(rpc: Any, info_hash: str) -> dict[str, Any]:
    [torrent] = rpc("torrent-get", fields=["status", "error", "trackerStats"], ids=[info_hash])["torrents"]
    return dict(torrent)


def healthy(doctor: Any) -> bool:
    return bool(doctor().codes == dict.fromkeys(ITEMS, "healthy"))


def listed(lab: Any, info_hash: str) -> bool:
    """Return whether the tracker knows a seeder, and nobody else."""
    swarm = lab.python("tracker1", SCRAPE, info_hash)
    return bool(swarm and (swarm["complete"], swarm["incomplete"]) == (1, 0))


def nowhere(address: str) -> dict[str, Any]:
    """Where SSH does not reach a host."""
    return {"ansible_host": address, "ansible_port": 1}


@contextmanager
def firewall(lab: Any, *rules: tuple[str, str]) -> Iterator[None]:
    """Rules (host, chain and rule) in a table of their own, before the lab's."""
    hosts = dict.fromkeys(host for host, _ in rules)
    for host in hosts:
        lab[host].check_output("nft add table inet broken")
        for chain in ("input", "output"):
            lab[host].check_output(f"nft 'add chain inet broken {chain} {{ type filter hook {chain} priority -50; }}'")
    for host, rule in rules:
        lab[host].check_output(f"nft 'add rule inet broken {rule}'")
    try:
        yield
    finally:
        for host in hosts:
            lab[host].check_output("nft delete table inet broken")


def test_a_healthy_lab_is_healthy(first: Seen, hashes: dict[str, str], lab: Any) -> None:
    assert first.codes == dict.fromkeys(ITEMS, "healthy")
    assert "its magnet can never work" in first.verdicts["private"]["remarks"][0]
    assert "50% of it is seeded" in first.verdicts["partial"]["remarks"][0]
    assert "about 8 MB/s" in first.verdicts["old"]["remarks"][0]
    odd = [first.verdicts[name]["remarks"] for name in ODD]
    assert odd == [[REMARKS[f"{what}_on_purpose"]] for what in ("empty", "trackerless", "web_seed")]
    # It asked as a leecher, and is gone.
    assert listed(lab, hashes["paused"])


# -- single torrents ------------------------------------------------------------------------------------------------


def zeros(name: str, size: int, tracker: str) -> tuple[str, str]:
    """Info hash and metainfo of a file of zeros, which costs no room on a disk and no time to hash."""
    piece = min(size, 16 * MIB)
    pieces = hashlib.sha1(bytes(piece)).digest() * (size // piece)
    info = {"length": size, "name": name, "piece length": piece, "pieces": pieces}
    metainfo = bencode.encode({"announce": tracker, "info": info})
    return hashlib.sha1(bencode.encode(info)).hexdigest(), base64.b64encode(metainfo).decode()


class Stranger(NamedTuple):
    """An item of the strange catalogue, and what the doctor should say of it."""

    verdict: str
    words: str
    info_hash: str
    tracker: str
    seeders: tuple[str, ...] = ()
    private: bool = False
    severity: str = "fault"


def strangers(hashes: dict[str, str], tracker: str, seeder: str, leecher: str) -> dict[str, Stranger]:
    """Each with a fault of its own; tracker9 and seeder9 are hosts that nobody reaches."""
    ours, odd = f"http://{tracker}:8888/announce", f"http://{tracker}:7001"
    number = count(1)

    def nobodys(verdict: str, words: str, url: str, **more: Any) -> Stranger:
        return Stranger(verdict, words, f"{next(number):040x}", url, **more)

    return {
        "verified now": Stranger("torrent_verifying", "verifying", hashes["verifying"], ours, ("seeder1",)),
        "full": Stranger("disk_full", "seeder1 is full", hashes["full"], ours, ("seeder1",)),
        "shut": Stranger("seeder_error", "Permission denied", hashes["shut"], ours, ("seeder1",)),
        "damaged": Stranger("content_damaged", "piece 0 is not", hashes["damaged"], ours, ("seeder1",)),
        "late": Stranger("clock_skew", "s off", hashes["private"], ours, ("seeder1",), True, "warning"),
        "picky": Stranger(
            "seeder_cannot_announce", "not to you", hashes["picky"], f"{odd}/picky/announce", ("seeder1",)
        ),
        "half": Stranger("partial", "only 50%", hashes["partial"], ours, ("seeder1",)),
        "leechers": Stranger("only_leechers", "1 peer", hashes["partial"], ours),
        "hasty": Stranger(
            "interval_odd", "every 5 s", hashes["forbidden"], f"{odd}/hasty/announce", severity="warning"
        ),
        "udp": Stranger(
            "udp_only",
            "UDP trackers alone",
            hashes["older"],
            ours.replace("http", "udp"),
            ("tracker1",),
            severity="warning",
        ),
        "gone": nobodys("seeder_unreachable", "seeder9 cannot", ours, seeders=("seeder9",)),
        "gone tracker": nobodys("tracker_unreachable", "tracker9 answers neither", f"http://{seeder}:9/announce"),
        "nobody": nobodys("nobody", "knows nobody", ours),
        "no tracker": nobodys("no_tracker", "no tracker", ""),
        "private, no tracker": nobodys("private_without_tracker", "DHT is forbidden", "", private=True),
        "no name": nobodys("tracker_dns", "does not resolve", "http://no-such-host.invalid/announce"),
        "no listener": nobodys("tracker_refused", "nothing listens", f"http://{leecher}:9/announce"),
        "other port": nobodys("tracker_wrong_port", "the tracker listens on 8888", f"http://{tracker}:8889/announce"),
        "other path": nobodys("tracker_odd_path", "knows no /x/announce", f"http://{tracker}:8888/x/announce"),
        "web server": nobodys("tracker_wrong_protocol", "404", f"http://{tracker}:8000/announce"),
        "ssh server": nobodys("tracker_wrong_protocol", "no HTTP", f"http://{tracker}:22/announce"),
        "long peers": nobodys("tracker_invalid_request", "asks for compact=0", f"{ours}?compact=0"),
        "two hashes": nobodys("tracker_invalid_request", "gets two", f"{ours}?info_hash={'x' * 20}"),
        "short hash": nobodys("tracker_invalid_request", "3 bytes", f"{ours}?info_hash=abc"),
        "refusing": nobodys("tracker_refuses", "go away", f"{odd}/refusing/announce"),
        "lost": nobodys("peer_not_serving", "does not serve", f"{odd}/lost/announce"),
        "plain": nobodys(
            "encryption_refused", "plain connections alone", f"{odd}/plain/announce", private=True, severity="warning"
        ),
        "no metadata": nobodys("metadata_unavailable", "offers no metadata", f"{odd}/plain/announce"),
    }


@pytest.fixture(scope="module")
def strange(patient: Patient) -> dict[str, Stranger]:
    """The second catalogue's items, and hosts that make them true."""
    lab, rpc, hashes, wait_until = patient
    tracker, seeder = lab.address("tracker1"), lab.address("seeder1")
    neighbours = (SCENARIO / "neighbours.py").read_text(encoding="utf-8")
    lab["tracker1"].check_output(f"systemd-run --unit=neighbours python3 -c {shlex.quote(neighbours)} {seeder}")
    # A disk of its own, which only the daemon sees, and is soon full; a directory that it may not write to; a clock.
    lab["seeder1"].check_output(f"mkdir -p {PAYLOAD}/tiny {PAYLOAD}/others /opt/late")
    lab["seeder1"].check_output(
        "nsenter --mount --target $(systemctl show --property MainPID --value transmission-daemon) "
        f"mount -t tmpfs -o size=64k,mode=777 tmpfs {PAYLOAD}/tiny"
    )
    late = "import time; now = time.time; time.time = lambda: now() + 4000"
    lab["seeder1"].check_output(f"echo {shlex.quote(late)} > /opt/late/sitecustomize.py")
    start = '#!/bin/sh\\nPYTHONPATH=/opt/late exec /usr/bin/python3 "$@"\\n'
    lab["seeder1"].check_output(f"printf {shlex.quote(start)} > /opt/late/python3 && chmod +x /opt/late/python3")
    ours = f"http://{tracker}:8888/announce"
    made = {
        "full": zeros("full", 2 * MIB, ours),
        "shut": zeros("shut", 3 * MIB, ours),
        "picky": zeros("picky", MIB, f"http://{tracker}:7001/picky/announce"),
        # Large enough to be hashed for more than a second: from then on the daemon pauses after every piece.
        "verifying": zeros("verifying", 3072 * MIB, ours),
    }
    own = {**hashes, **{name: info_hash for name, (info_hash, _) in made.items()}}
    for name, size in (("full", "2M"), ("shut", "3M"), ("picky", "1M"), ("verifying", "3G")):
        lab["seeder1"].check_output(f"truncate --size {size} {PAYLOAD}/{name}")
        rpc("torrent-add", **{"metainfo": made[name][1], "download-dir": PAYLOAD})
        if name != "verifying":
            wait_until(lambda name=name: torrent_state(rpc, own[name])["status"] == 6)
    rpc("torrent-set-location", ids=[own["full"]], location=f"{PAYLOAD}/tiny", move=True)
    rpc("torrent-set-location", ids=[own["shut"]], location=f"{PAYLOAD}/others", move=True)
    rpc("torrent-verify", ids=[own["verifying"]])
    return strangers(own, tracker, seeder, lab.address("leecher1"))


@pytest.fixture(scope="module")
def sick(doctor: Any, patient: Patient, strange: dict[str, Stranger]) -> tuple[Seen, Seen]:
    """Every torrent has a fault of its own: the catalogue as the doctor sees it, and the strange one in depth."""
    lab, rpc, hashes, wait_until = patient
    rpc("torrent-stop", ids=[hashes["paused"]])
    lab["seeder1"].check_output(
        f"mkdir -p {SAVED} && mv {PAYLOAD}/deleted {SAVED}/ && cp -a {PAYLOAD}/damaged {SAVED}/"
    )
    lab["seeder1"].check_output(f"printf X | dd of={PAYLOAD}/damaged bs=1 seek=5000 conv=notrunc status=none")
    lab["tracker1"].check_output(f"cp {BLACK} {BLACK}.kept && echo {hashes['forbidden']} >> {BLACK}")
    lab["tracker1"].check_output("systemctl reload opentracker")
    rpc("torrent-set", ids=[hashes["elsewhere"]], trackerList=f"http://{lab.address('tracker1')}:8999/announce")
    items = [
        {
            "name": name,
            "info_hash": stranger.info_hash,
            "private": stranger.private,
            "trackers": [[stranger.tracker]] if stranger.tracker else [],
            "swarm": {"seeders": list(stranger.seeders)},
        }
        for name, stranger in strange.items()
    ]
    text = base64.b64encode(json.dumps({"items": items}).encode()).decode()
    lab["tracker1"].check_output(f"mkdir -p {STRANGE} && echo {text} | base64 -d > {STRANGE}/catalogue.json")

    wait_until(lambda: torrent_state(rpc, hashes["paused"])["status"] == 0)
    wait_until(lambda: torrent_state(rpc, strange["picky"].info_hash)["trackerStats"][0]["hasAnnounced"])
    wait_until(lambda: {torrent_state(rpc, strange[name].info_hash)["error"] for name in ("full", "shut")} == {3})
    more = {
        "hosts": {"seeder1": {"ansible_python_interpreter": "/opt/late/python3"}},
        "children": {
            "trackers": {"hosts": {"tracker9": {**nowhere(lab.address("seeder1")), "opentracker_port": 9}}},
            "seeders": {"hosts": {"seeder9": nowhere(lab.address("leecher1"))}},
        },
    }
    rpc("torrent-remove", ids=[hashes["removed"]])
    return doctor(doctor_piece=False), doctor(more, portal_dir=STRANGE, doctor_piece=True)


def test_each_torrent_has_its_own_fault(sick: tuple[Seen, Seen]) -> None:
    own, _ = sick
    assert own.codes == {
        "paused": "torrent_paused",
        "removed": "torrent_not_added",
        "deleted": "content_missing",
        "forbidden": "tracker_not_authorized",
        "elsewhere": "announced_elsewhere",
        "damaged": "healthy",  # until a piece is read
        **dict.fromkeys(SOUND, "healthy"),
    }
    assert "seeder1" in own.verdicts["paused"]["cause"]


def test_each_strange_torrent_has_its_own_fault(sick: tuple[Seen, Seen], strange: dict[str, Stranger]) -> None:
    _, other = sick
    seen = {name: (verdict["verdict"], verdict["severity"]) for name, verdict in other.verdicts.items()}
    assert seen == {name: (stranger.verdict, stranger.severity) for name, stranger in strange.items()}
    causes = {name: verdict["cause"] for name, verdict in other.verdicts.items()}
    assert {name: causes[name] for name, stranger in strange.items() if stranger.words not in causes[name]} == {}
    assert "piece ok" in other.output
    assert "\x1b" not in other.output


def test_the_tracker_stopped_and_has_forgotten(doctor: Any, patient: Patient, sick: tuple[Seen, Seen]) -> None:
    """Seen on torrents that are well otherwise."""
    lab, _, hashes, wait_until = patient
    well = {**SHORT, "torrent": "private,old"}
    lab["tracker1"].check_output("systemctl stop opentracker")
    assert doctor(**well).alike == {("tracker_down", "fault")}
    lab["tracker1"].check_output("systemctl start opentracker")
    # It has forgotten everybody; now a seeder comes by the wrong way.
    register = f"python3 -c {shlex.quote(REGISTER)} {hashes['private']}"
    wait_until(lambda: lab["tracker1"].run(register).rc == 0, what="an announce through loopback")
    seen = doctor(**well)
    assert seen.codes == {"private": "wrong_address", "old": "not_announced"}
    assert "127.0.0.1" in seen.verdicts["private"]["cause"]
    assert "through loopback" in seen.verdicts["private"]["cause"]
    # Only a restart forgets who came through loopback before its time.
    lab["tracker1"].check_output("systemctl restart opentracker")


def test_the_site_playbook_heals(
    ansible: Any, doctor: Any, patient: Patient, sick: tuple[Seen, Seen], strange: dict[str, Stranger]
) -> None:
    lab, rpc, _, wait_until = patient
    foreign = ("verified now", "full", "shut", "picky")
    rpc("torrent-remove", ids=[strange[name].info_hash for name in foreign])
    lab["seeder1"].check_output(f"mv {SAVED}/deleted {SAVED}/damaged {PAYLOAD}/")
    lab["seeder1"].check_output(f"cd {PAYLOAD} && rm verifying full shut picky")
    lab["tracker1"].check_output(f"mv {BLACK}.kept {BLACK} && systemctl reload opentracker")
    site = ansible(str(ROOT / "playbooks" / "site.yml"))
    assert site.returncode == 0, site.stdout
    wait_until(lambda: healthy(doctor))


# -- all torrents ---------------------------------------------------------------------------------------------------


def test_each_host_is_behind_a_firewall_of_its_own(doctor: Any, lab: Any) -> None:
    """Five hosts' worth of firewalls before the tracker, and two before the seeders, in two runs."""
    tracker = lab.address("tracker1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((tracker, 8888))  # it sends nothing
        controller = probe.getsockname()[0]
    both = "meta l4proto { tcp, udp } th dport 8888"
    looking = {"children": {"leechers": {"hosts": {"seeder1": None, "tracker1": None}}}}
    with firewall(
        lab,
        ("tracker1", f"input ip saddr {lab.address('leecher1')} {both} drop"),
        ("tracker1", f"input ip saddr {lab.address('seeder1')} {both} reject"),
        ("tracker1", f"input ip saddr {tracker} udp dport 8888 drop"),
        ("tracker1", f"input ip saddr {controller} tcp dport 8888 reject with tcp reset"),
    ):
        seen = doctor(looking, doctor_from_controller=True, **SHORT)
    assert {view: {found[:2] for found in alike} for view, alike in seen.views.items()} == {
        "leecher1": {("tracker_filtered", "fault")},
        "seeder1": {("tracker_filtered", "fault")},
        "tracker1": {("tracker_udp_filtered", "warning")},
        "controller": {("tracker_http_filtered", "warning")},
    }
    assert "2 of 2 items" in seen.output
    rules = [
        ("leecher1", f"output {both} drop"),
        ("seeder1", f"input ip saddr {controller} tcp dport 8082 drop"),
        ("tracker1", f"input ip saddr {controller} tcp dport 8082 reject with tcp reset"),
    ]
    with firewall(lab, *rules):
        seen = doctor(doctor_from_controller=True, **{**SHORT, "torrent": "paused,old"})
    assert {found[:2] for found in seen.views["leecher1"]} == {("tracker_blocked_here", "fault")}
    assert seen.views["controller"] == {("peer_port_filtered", "fault"), ("peer_port_closed", "fault")}
    assert seen.codes == {"paused": "peer_port_filtered", "old": "peer_port_closed"}


def test_each_seeder_is_odd_in_its_own_way(doctor: Any, hashes: dict[str, str], lab: Any, rpc: Any) -> None:
    whole = f"python3 -c {shlex.quote(WHOLE)} {lab.address('tracker1')} {hashes['older']}"
    lab["leecher1"].check_output(whole)
    rpc("session-set", encryption="required")
    try:
        seen = doctor(**{**SHORT, "torrent": "paused,private,old,older"})
    finally:
        rpc("session-set", encryption="preferred")
    assert seen.codes == {
        "paused": "encryption_required",
        "private": "encryption_required",
        "old": "healthy",
        "older": "address_remembered",
    }
    assert {verdict["severity"] for verdict in seen.verdicts.values()} == {"warning", "ok", "fault"}
    assert [verdict["more"] for verdict in seen.verdicts.values()] == [[]] * 4  # nothing of the firewalls is left


def test_one_seeder_stops_and_the_other_is_well_again(
    doctor: Any, hashes: dict[str, str], lab: Any, wait_until: Any
) -> None:
    lab["seeder1"].check_output("systemctl stop transmission-daemon")
    # Whoever it remembers, it forgets with a restart.
    lab["tracker1"].check_output("systemctl restart transmission-daemon")
    wait_until(lambda: listed(lab, hashes["old"]) and listed(lab, hashes["older"]))
    seen = doctor(**{**SHORT, "torrent": "paused,private,old,older"})
    assert seen.alike == {("seeder_down", "fault"), ("healthy", "ok")}
    assert seen.codes == {"paused": "seeder_down", "private": "seeder_down", "old": "healthy", "older": "healthy"}
    lab["seeder1"].check_output("systemctl start transmission-daemon")
    wait_until(lambda: listed(lab, hashes["paused"]) and listed(lab, hashes["private"]))


def test_hosts_that_ask_at_once_do_not_count_each_other(
    hashes: dict[str, str], lab: Any, tmp_path: Path, wait_until: Any
) -> None:
    """Four hosts ask the tracker of six torrents at once, twenty times over; each has one seeder and nobody else."""
    archive = tmp_path / "probe.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for package in ("ansible", "ansible/module_utils"):
            packed.writestr(f"{package}/__init__.py", "")
        for path in (ROOT / "module_utils" / "seedbed").rglob("*.py"):
            packed.write(path, f"ansible/module_utils/{path.relative_to(ROOT / 'module_utils')}")
    items = ["deleted", "elsewhere", "forbidden", "paused", "private", "removed"]
    wait_until(lambda: all(listed(lab, hashes[item]) for item in items))
    url = f"{lab.address('tracker1')}:8888/announce"
    questions = json.dumps([
        (f"{scheme}://{url}", kind, hashes[item])
        for item in items for scheme in ("http", "udp") for kind in ("scrape", "announce")
    ])  # fmt: skip
    hosts = ["leecher1", "seeder1", "tracker1"]
    for host in hosts:
        copy = ["scp", "-q", "-F", f"{lab.directory}/ssh_config", str(archive), f"{host}:/var/tmp/probe.zip"]
        subprocess.run(copy, check=True)
    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(lab.python, host, ROUNDS, "/var/tmp/probe.zip", questions) for host in hosts]
        here = subprocess.check_output([sys.executable, "-c", ROUNDS, str(archive), questions], text=True)
        seen = [json.loads(here), *(asked.result() for asked in asking)]
    assert [answers["failures"] for answers in seen] == [[]] * 4
    assert [answers["numbers"] for answers in seen] == [[[1, 0]]] * 4
    assert max(answers["probes"] for answers in seen) > 1, "they never asked at once"


# -- what is not the lab's, and who cannot be asked -----------------------------------------------------------------


def test_other_torrents_and_other_views(doctor: Any, hashes: dict[str, str], lab: Any, tmp_path: Path) -> None:
    address = lab.address("tracker1")
    stranger = tmp_path / "月光 宝盒.torrent"
    text = lab["tracker1"].check_output("base64 -w0 /srv/seedbed/portal/torrents/private.torrent")
    stranger.write_bytes(base64.b64decode(text))
    magnet = f"magnet:?xt=urn:btih:{hashes['paused']}&dn=stranger&tr=http://{address}:8889/announce"
    # The seeder is reached by its address, and not by SSH; the other one has another password.
    blind = {"hosts": {"seeder1": nowhere(lab.address("seeder1"))}}
    beside = {"children": {"leechers": {"hosts": {"tracker1": None}}}}
    short = {key: value for key, value in SHORT.items() if key != "torrent"}
    with ThreadPoolExecutor(2) as pool:
        by_file = pool.submit(doctor, torrent_file=str(stranger), doctor_piece=True)
        by_magnet = pool.submit(doctor, color=True, magnet=magnet, **short)
        bad = pool.submit(doctor, torrent_file=str(tmp_path / "no such file"))
        shy = pool.submit(doctor, blind, torrent="paused,old", transmission_rpc_password="wrong", doctor_piece=False)
    assert by_file.result().codes == {"private": "healthy"}
    seeder = lab.address("seeder1")
    lines = [
        f"  udp://{address}:8888/announce",
        "    scrape    1 seeder, 0 leechers, 0 downloads",
        f"peers: {seeder}:8082",
        f"    {seeder}:8082  Transmission 4.1.0-beta.2, holds 100%, takes plain and encrypted, metadata not offered",
    ]
    for line in lines:
        assert line in by_file.result().output
    assert by_magnet.result().codes == {"stranger": "tracker_wrong_port"}
    assert "\x1b[0;31mFAIL  stranger" in by_magnet.result().output
    assert f"torrent_file: {tmp_path}/no such file cannot be read: No such file or directory" in bad.result().output
    assert "Ask every host" not in bad.result().output
    assert shy.result().codes == {"paused": "seeder_unseen", "old": "seeder_rpc"}
    # The last view is that of the tracker's host, on which the 3.00 seeds.
    assert doctor(beside, torrent="old", doctor_piece=False).codes == {"old": "same_address"}


def test_all_is_well_at_the_end(doctor: Any, wait_until: Any) -> None:
    """Transmission 3.00 closes for a moment on those who have just asked it."""

    def all_well() -> bool:
        unwell = {item: code for item, code in doctor().codes.items() if code != "healthy"}
        print(unwell)  # pytest shows it when the time is over
        return not unwell

    wait_until(all_well, seconds=180)
