"""Every client fetches every kind of item in every way, on every release, and nothing of it is left.

So does a client of one's own, by lines of JSON and by a command a download. What a client lacks is skipped. A bare
magnet comes with the lab's trackers, and without them it does not. What stalls as promised passes, what does not fails.
What no tracker names comes by DHT, peer exchange or local discovery alone, and no packet of it leaves the lab.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "clients"
# Clients that lack hybrids, by leecher: of Debian 12, 13 and 11, whose Deluge still has libtorrent 1.2.
LEECHERS = {
    "leecher1": ["aria2", "deluge", "rtorrent", "transmission"],
    "leecher2": ["aria2", "deluge", "rtorrent"],
    "leecher3": ["aria2", "rtorrent", "transmission"],
}
KNOWN = ["aria2", "deluge", "libtorrent", "qbittorrent", "rtorrent", "transmission"]
WHOLE = ["one", "tree", "private", "hybrid"]


class Run(NamedTuple):
    """A run of the playbook: its exit status, what each leecher's clients did, and the same as JUnit XML."""

    status: int
    output: str
    downloads: dict[str, list[dict[str, Any]]]
    junit: dict[str, ElementTree.Element]

    @property
    def all(self) -> list[dict[str, Any]]:
        return [download for downloads in self.downloads.values() for download in downloads]

    @property
    def faults(self) -> list[tuple[str, ...]]:
        return [(one["client"], one["name"], one["via"], one["fault"]) for one in self.all if one["fault"]]


@pytest.fixture(scope="module")
def download(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    own = ROOT / "module_utils" / "seedbed" / "clients" / "libtorrent_program.py"
    for leecher in LEECHERS:
        lab[leecher].check_output("mkdir -p /opt/own")
        copy = ["scp", "-q", "-F", f"{lab.directory}/ssh_config", str(own), f"{leecher}:/opt/own/client.py"]
        subprocess.run(copy, check=True)

    def run(**variables: Any) -> Run:
        directory = tmp_path_factory.mktemp("downloads")
        files = {"download_json": str(directory / "d.json"), "download_junit": str(directory / "d.xml")}
        playbook = str(ROOT / "playbooks" / "download.yml")
        inventory = f"--inventory={SCENARIO}/inventory.yml"
        done = lab.playbook(inventory, f"--extra-vars={json.dumps({**files, **variables})}", playbook)
        paths = {leecher: directory / f"d-{leecher}" for leecher in LEECHERS}
        assert all(path.with_suffix(".json").exists() for path in paths.values()), done.stdout + done.stderr
        told = {leecher: json.loads(path.with_suffix(".json").read_text()) for leecher, path in paths.items()}
        junit = {leecher: ElementTree.parse(path.with_suffix(".xml")).getroot()[0] for leecher, path in paths.items()}
        return Run(done.returncode, done.stdout, {name: each["downloads"] for name, each in told.items()}, junit)

    return run


def test_every_client_fetches_every_item_every_way(download: Any) -> None:
    run = download(client=",".join(KNOWN), by="all", download_items=WHOLE)
    assert run.faults == []
    assert run.status == 0
    for leecher, without in LEECHERS.items():
        tried = [one for one in run.downloads[leecher] if not one["skipped"]]
        assert {one["client"] for one in tried} == set(KNOWN)
        assert all(one["ok"] for one in tried)
        ways = {(one["name"], one["via"], one["tracker"]) for one in tried if one["client"] == "libtorrent"}
        assert len(ways) == 3 * 6 + 2, "a private item has no magnet"
        skipped = {(one["client"], one["name"], one["skipped"]) for one in run.downloads[leecher] if one["skipped"]}
        assert skipped == {(client, "hybrid", "hybrid") for client in without}
        suite = run.junit[leecher]
        assert (suite.get("failures"), suite.get("skipped")) == ("0", str(6 * len(without)))


def test_a_download_that_stalls_as_promised_passes(download: Any) -> None:
    run = download(client=",".join(KNOWN), by="torrent", download_trackers=["http"], torrent="partial")
    assert run.faults == []
    assert run.status == 0
    for one in run.all:
        assert (one["ok"], one["step"], one["expected"]) == (False, "stall", "stalls at 60%")
        assert 0.55 <= one["bytes"] / one["size"] <= 0.6
    assert "stalls at 60%, as promised" in run.output


def test_files_are_chosen(download: Any) -> None:
    chosen = {"torrent": "tree", "download_files": "file-000003.bin,file-000017.bin"}
    run = download(client=",".join(KNOWN), by="torrent,magnet", download_trackers=["http"], **chosen)
    assert run.faults == []
    assert run.status == 0
    assert all(one["ok"] and one["bytes"] < one["size"] / 2 for one in run.all)


def test_clients_of_ones_own_are_further_columns(download: Any) -> None:
    run = download(client="lines,once", by="all", torrent="one,private", download_trackers=["http"])
    assert run.faults == []
    assert run.status == 0
    assert {one["client"] for one in run.all if one["ok"]} == {"lines", "once"}


def test_without_the_labs_trackers_a_bare_magnet_does_not_come(download: Any) -> None:
    run = download(client="deaf", by="magnet,bare_magnet", torrent="one", download_trackers=["http"])
    assert run.status != 0
    for leecher in LEECHERS:
        by_magnet, by_bare_magnet = run.downloads[leecher]
        assert by_magnet["ok"]
        assert not by_bare_magnet["ok"]
        assert by_bare_magnet["fault"]
        assert run.junit[leecher].get("failures") == "1"


@pytest.fixture(scope="module")
def strangers(lab: Any, download: Any) -> Callable[[], dict[str, int]]:
    """How many packets the clients of each leecher have sent to others than the lab and the groups of BEP 14."""
    download(client="aria2", by="torrent", download_trackers=["http"], torrent="one")  # makes the user that is watched
    networks = f"{lab.address('tracker1').rpartition('.')[0]}.0/24, 127.0.0.0/8, 239.192.152.143"
    for leecher in LEECHERS:
        rules = f"""table inet witness {{ }}
        delete table inet witness
        table inet witness {{
            counter strangers {{ }}
            chain output {{
                type filter hook output priority filter + 10
                meta skuid seedbed-leecher ip daddr != {{ {networks} }} counter name strangers
                meta skuid seedbed-leecher ip6 daddr != {{ ::1, fc00::/7, ff15::efc0:988f }} counter name strangers
            }}
        }}"""
        assert lab[leecher].run(f"nft -f - <<'RULES'\n{rules}\nRULES").rc == 0

    def count() -> dict[str, int]:
        told = {each: lab[each].check_output("nft -j list counter inet witness strangers") for each in LEECHERS}
        return {each: json.loads(text)["nftables"][-1]["counter"]["packets"] for each, text in told.items()}

    return count


@pytest.mark.parametrize(
    ("way", "clients"), [("dht", {"aria2", "libtorrent"}), ("pex", {"aria2", "libtorrent", "transmission"})]
)
def test_what_no_tracker_names_is_found_by_those_who_look(
    download: Any, strangers: Any, way: str, clients: set[str]
) -> None:
    asked = {"by": "torrent,magnet", "download_trackers": ["http"], "torrent": f"peer-found-by-{way}"}
    found = download(client=",".join(KNOWN), download_finds=way, leecher_stall_seconds=180, **asked)
    wanted = {(client, via) for client in clients for via in ("torrent", "magnet")}
    for leecher in LEECHERS:
        assert {(one["client"], one["via"]) for one in found.downloads[leecher] if one["ok"]} == wanted, found.output
    assert {one["client"] for one in found.all if one["skipped"]} == {*KNOWN} - clients
    # Who does not look that way gets nothing.
    others = download(client="libtorrent", leecher_stall_seconds=20, **asked)
    assert not any(one["ok"] for one in others.all)
    assert strangers() == dict.fromkeys(LEECHERS, 0)


def test_what_has_no_tracker_is_found_by_local_discovery(lab: Any, download: Any, strangers: Any) -> None:
    """The seeder calls who asks, but nobody at an address and port that had all of it before it was restarted."""
    asked = {"by": "torrent", "download_trackers": ["http"], "torrent": "no-tracker", "leecher_stall_seconds": 180}
    for client in ("aria2", "libtorrent", "transmission"):
        lab["seeder1"].check_output("systemctl restart transmission-daemon")
        found = download(client=client, download_finds="lpd", **asked)
        assert [one["ok"] for one in found.all] == [True] * len(LEECHERS), found.output
    assert not download(client="libtorrent", **asked).all  # without it there is no way
    assert strangers() == dict.fromkeys(LEECHERS, 0)


@pytest.mark.parametrize("leecher", LEECHERS)
def test_nothing_of_them_is_left(lab: Any, leecher: str) -> None:
    host = lab[leecher]
    assert host.check_output("systemctl list-units --all --plain --no-legend 'seedbed-leecher*'") == ""
    assert host.check_output("ls -A /srv/seedbed/leecher") == ""
    for service in ("deluged", "transmission-daemon"):
        assert host.run(f"systemctl is-active {service}").stdout.strip() != "active"
        assert host.run(f"systemctl is-enabled {service}").stdout.strip() == "disabled"
    assert host.run("pgrep -u seedbed-leecher").rc == 1
