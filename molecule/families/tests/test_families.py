"""A lab that has no IPv4 at all, and then one that has both families and goes by names.

Each time site.yml and the doctor are content, and every client downloads by .torrent and magnet over HTTP and UDP, as
far as it can: aria2 asks no UDP tracker at an IPv6 address. Meanwhile each host counts what it sends: nothing leaves
`lab_networks`, neither when the daemon starts nor while clients look for peers.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.probe import announce

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = f"--inventory={SCENARIO / 'inventory.yml'}"
HOSTS = ("tracker1", "seeder1", "leecher1")
WAYS = {(via, tracker) for via in ("torrent", "magnet") for tracker in ("http", "udp")}
BOTH = {
    "lab_networks": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
    "lab_address": "{{ inventory_hostname }}.lab.test",
}
IPV6: dict[str, Any] = {}


def run(lab: Any, playbook: str, variables: dict[str, Any], *more: str) -> str:
    """Run a playbook to its end, and return what it says."""
    done = lab.playbook(INVENTORY, f"playbooks/{playbook}.yml", "--extra-vars", json.dumps(variables), *more)
    assert done.returncode == 0, done.stdout[-5000:]
    return str(done.stdout)


def downloads(lab: Any, tmp_path: Path, client: str, variables: dict[str, Any]) -> dict[str, set[tuple[str, str]]]:
    """Fetch all every way with that client; return by which ways each item came, whole."""
    report = tmp_path / "downloads.json"
    asked = {"client": client, "torrent": "single,many,private", "download_json": str(report)}
    run(lab, "download", {**variables, **asked})
    found: dict[str, set[tuple[str, str]]] = {}
    for download in json.loads(report.read_text(encoding="utf-8"))["downloads"]:
        assert download["ok"], download
        assert download["bytes"] == download["size"] > 0
        found.setdefault(download["name"], set()).add((download["via"], download["tracker"]))
    return found


def ways(trackers: tuple[str, ...] = ("http", "udp")) -> dict[str, set[tuple[str, str]]]:
    """The ways by which each item can come: peers hand out no metadata of a private one."""
    public = {way for way in WAYS if way[1] in trackers}
    return {"single": public, "many": public, "private": {way for way in public if way[0] == "torrent"}}


def watch(lab: Any, networks: list[str]) -> None:
    """Have every host count from now on."""
    rules = (SCENARIO / "witness.nft").read_text(encoding="utf-8")
    for name, mark in (("INSIDE4", "."), ("INSIDE6", ":")):
        inside = [network for network in networks if mark in network]
        rules = rules.replace(name, ", ".join(inside or ["192.0.2.0/32" if mark == "." else "2001:db8::/128"]))
    for host in HOSTS:
        lab[host].check_output("systemctl stop apt-daily.timer apt-daily-upgrade.timer")  # the host's own affair
        lab[host].run("nft delete table inet witness")
        loaded = lab[host].run(f"nft -f - <<'RULES'\n{rules}\nRULES")
        assert loaded.rc == 0, loaded.stderr


def counted(lab: Any, host: str) -> tuple[int, int, list[str]]:
    """Return how many packets went to the lab and elsewhere, and to whom."""
    found = json.loads(lab[host].check_output("nft -j list table inet witness"))["nftables"]
    counters = {each["counter"]["name"]: each["counter"]["packets"] for each in found if "counter" in each}
    sets = {each["set"]["name"]: each["set"].get("elem", []) for each in found if "set" in each}
    strangers = [json.dumps(each) for name in ("strangers4", "strangers6") for each in sets[name]]
    return counters["inside"], counters["outside"], strangers


# What a client with local discovery (BEP 14) sends.
DISCOVERY = """
import socket
sock = socket.socket(socket.AF_INET6 if ":" in "{group}" else socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b"BT-SEARCH * HTTP/1.1\\r\\n\\r\\n", ("{group}", 6771))
"""


def nothing_leaves(lab: Any, tmp_path: Path, networks: list[str], group: str, variables: dict[str, Any]) -> None:
    watch(lab, networks)
    # At its start a daemon would look for others.
    lab["seeder1"].check_output("systemctl restart transmission-daemon")
    run(lab, "site", variables)
    for client in ("aria2", "libtorrent", "transmission"):
        downloads(lab, tmp_path, client, variables)
    for host in HOSTS:
        inside, outside, strangers = counted(lab, host)
        assert inside > 100, host
        assert (outside, strangers) == (0, []), host
    # And it would have been seen.
    lab["leecher1"].check_output("python3 -c %s", DISCOVERY.format(group=group))
    _, outside, strangers = counted(lab, "leecher1")
    assert outside == 1
    assert group in strangers[0]


def test_the_hosts_have_no_ipv4(lab: Any) -> None:
    for host in HOSTS:
        assert lab[host].check_output("ip -4 address show dev eth0") == ""
        assert lab.address(host).startswith("fd")


def test_the_doctor_is_content_without_ipv4(lab: Any) -> None:
    assert "healthy" in run(lab, "doctor", IPV6)


@pytest.mark.parametrize("client", ["aria2", "libtorrent", "transmission"])
def test_without_ipv4_every_client_downloads(lab: Any, tmp_path: Path, client: str) -> None:
    trackers = ("http",) if client == "aria2" else ("http", "udp")
    assert downloads(lab, tmp_path, client, IPV6) == ways(trackers)


def test_without_ipv4_people_reach_all_of_it(lab: Any) -> None:
    tracker, seeder = lab.address("tracker1"), lab.address("seeder1")
    items = json.loads(lab.get(f"http://[{tracker}]:8000/catalogue.json").body)["items"]
    assert {url for item in items for tier in item["trackers"] for url in tier} == {
        f"http://[{tracker}]:8888/announce",
        f"udp://[{tracker}]:8888/announce",
    }
    assert lab.get(f"http://[{tracker}]:8888/stats").status == 200
    assert lab.get(f"http://[{seeder}]:8081/transmission/web/").status == 401
    assert lab.get(f"http://[{tracker}]:8000/live/seeders/0").status == 200
    assert [port for port in (8000, 8081, 8500) if lab.answers(tracker, port)] == [8000]


def test_without_ipv4_nothing_leaves_the_lab(lab: Any, tmp_path: Path) -> None:
    nothing_leaves(lab, tmp_path, ["fc00::/7"], "ff15::efc0:988f", IPV6)


@pytest.fixture(scope="module")
def fours(lab: Any) -> dict[str, str]:
    """Give the hosts back the IPv4 addresses that they were booted with."""
    found = {}
    for host in HOSTS:
        shown = subprocess.check_output(["podman", "container", "inspect", f"{lab.directory.name}-{host}"])
        (network,) = json.loads(shown)[0]["NetworkSettings"]["Networks"].values()
        found[host] = network["IPAddress"]
        lab[host].check_output(f"ip address add {found[host]}/{network['IPPrefixLen']} dev eth0")
        lab[host].check_output(f"ip route add default via {network['Gateway']}")
    return found


@pytest.fixture(scope="module")
def sixes(lab: Any) -> dict[str, str]:
    return {host: lab.address(host) for host in HOSTS}


@pytest.fixture(scope="module")
def both(lab: Any, sixes: dict[str, str], fours: dict[str, str]) -> dict[str, Any]:
    """The same hosts with addresses of both families, names that stand for both, and the lab made anew for them."""
    names = "".join(f"{family[host]} {host}.lab.test\n" for family in (fours, sixes) for host in HOSTS)
    for host in HOSTS:
        lab[host].check_output("printf %s >>/etc/hosts", names)
    run(lab, "site", BOTH)
    return BOTH


def test_a_lab_of_both_families_is_well_and_stays_so(lab: Any, both: dict[str, Any]) -> None:
    assert "healthy" in run(lab, "doctor", both)
    assert run(lab, "site", both).count("changed=0 ") == len(HOSTS)


@pytest.mark.parametrize("client", ["aria2", "libtorrent", "transmission"])
def test_with_both_families_every_client_downloads_every_way(
    lab: Any, tmp_path: Path, client: str, both: dict[str, Any]
) -> None:
    assert downloads(lab, tmp_path, client, both) == ways()


def test_with_both_families_the_seeder_is_found_by_each(
    lab: Any, both: dict[str, Any], fours: dict[str, str], sixes: dict[str, str], wait_until: Any
) -> None:
    items = json.loads(lab["tracker1"].check_output("cat /srv/seedbed/portal/catalogue.json"))["items"]
    info_hash = next(item["info_hash"] for item in items if item["name"] == "single")
    question = announce.Question(f"http://{fours['tracker1']}:8888/announce", "announce", info_hash)

    def named() -> set[str]:
        (answer,) = announce.ask([question], announce.AnnounceOptions(timeout=60))
        return {fours["seeder1"], sixes["seeder1"]} - {peer["address"] for peer in answer["peers"]}

    wait_until(lambda: not named(), what="the tracker names the seeder's addresses of both families")


def test_with_both_families_nothing_leaves_the_lab(lab: Any, tmp_path: Path, both: dict[str, Any]) -> None:
    nothing_leaves(lab, tmp_path, BOTH["lab_networks"], "239.192.152.143", both)
