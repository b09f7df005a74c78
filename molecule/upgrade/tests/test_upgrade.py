"""A lab that runs becomes another one: tracker's version and features, ports, range, users, directories, password.

One run of site.yml brings it there, with a download at its end, and the next one changes nothing. Nothing of what it
was runs or listens any more, the seeder announces to the tracker's new port, info hashes are the same. Former
directories and users stay, unused, until the lab is taken back, which tells no secret: then the hosts are what they
were before all this.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.seedbed.probe import announce
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied
from interruption import in_one_line

SCENARIO = Path(__file__).resolve().parents[1]
HOSTS = ("hub", "seeder1")
FIRST = yaml.safe_load((SCENARIO / "inventory.yml").read_text(encoding="utf-8"))["all"]["vars"]
CHANGED = yaml.safe_load((SCENARIO / "changed.yml").read_text(encoding="utf-8"))["all"]["vars"]
LISTENING = {
    "hub": {"tcp 8100", "tcp 8500", "udp 8500"},
    "seeder1": {"tcp 8181", "tcp 8182", "udp 8182"},
}
# The image's packages stay: their daemon has run by now, and systemd has told SysV that it is disabled.
STAYING = (" /etc/rc", " /var/lib/transmission-daemon/.config/")
TORRENTS = "/var/lib/transmission-daemon/.config/transmission-daemon/torrents"
FORMER = {"hub": (8000, 8086, 8888), "seeder1": (8081, 8082)}


def run(lab: Any, playbook: str, inventory: str, *more: str) -> str:
    """Run a playbook to its end, and return what it says, and what it says of itself."""
    done = lab.playbook(f"--inventory={SCENARIO}/{inventory}.yml", f"playbooks/{playbook}.yml", *more)
    assert done.returncode == 0, done.stdout[-5000:]
    return str(done.stdout + done.stderr)


def published(lab: Any, place: str) -> dict[str, dict[str, Any]]:
    items = json.loads(lab["hub"].check_output(f"cat {place}/catalogue.json"))["items"]
    return {item["name"]: item for item in items}


@pytest.fixture(scope="module")
def before(lab: Any) -> dict[str, list[str]]:
    """What the hosts were, where the seeder has somebody's daemon, without the programs that we use beside it."""
    lab["seeder1"].check_output("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge transmission-cli")
    return {host: lab.snapshot(host) for host in HOSTS}


@pytest.fixture(scope="module")
def first(lab: Any, before: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """What the first lab has published."""
    run(lab, "site", "inventory")
    return published(lab, "/srv/seedbed/portal")


@pytest.fixture(scope="module")
def version(lab: Any, first: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Variables of another version of the tracker, which differs in a file that says so."""
    kept = sorted((lab.directory / "archives").glob("*.tar.xz"))
    changed = tmp_path_factory.mktemp("sources") / "opentracker.tar.xz"
    for archive in kept:
        with tarfile.open(archive) as source:
            members = source.getmembers()
            top = members[0].name.split("/")[0]
            if not any(member.name.endswith("/opentracker.c") for member in members):
                continue
            with tarfile.open(changed, "w:xz") as target:
                for member in members:
                    target.addfile(member, source.extractfile(member) if member.isfile() else None)
                note = tarfile.TarInfo(f"{top}/VERSION")
                note.size = len(b"of this test")
                target.addfile(note, io.BytesIO(b"of this test"))
    words = {
        "opentracker_version": "1.0+test",
        "opentracker_sha256": hashlib.sha256(changed.read_bytes()).hexdigest(),
        "opentracker_archive": str(changed),
    }
    return "--extra-vars", json.dumps(words)


@pytest.fixture(scope="module")
def second(lab: Any, first: Any, version: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """What the lab has published that it has become."""
    said = run(lab, "site", "changed", *version)
    assert "SHA-256 equal" in said, said[-3000:]
    return published(lab, "/srv/lab/portal")


def test_one_run_brings_it_there_and_the_next_changes_nothing(lab: Any, second: Any, version: tuple[str, str]) -> None:
    assert run(lab, "site", "changed", *version).count("changed=0 ") == len(HOSTS)
    assert "healthy" in run(lab, "doctor", "changed", *version)


def test_nothing_of_before_listens(lab: Any, second: Any) -> None:
    for host, wanted in LISTENING.items():
        shown = lab[host].check_output(
            "ss --no-header --listening --numeric --tcp --udp 'sport >= :8000 and sport <= :9000'"
        )
        assert {re.sub(r"(\S+) .*:(\d+) .*", r"\1 \2", line) for line in shown.splitlines()} == wanted, shown
        for port in FORMER[host]:
            assert not lab.answers(lab.address(host), port)
        for port in {int(each.split()[1]) for each in wanted if each.startswith("tcp")}:
            assert lab.answers(lab.address(host), port), port


def test_the_firewall_knows_the_new_ports_alone(lab: Any, second: Any) -> None:
    for host, wanted in LISTENING.items():
        rules = lab[host].check_output("nft --stateless list table inet seedbed")
        assert "8100-8600" in rules
        assert "8000-9000" not in rules
        for protocol in ("tcp", "udp"):
            opened = re.search(rf"set open_{protocol} {{(.*?)}}", rules, re.DOTALL).group(1)
            ports = {f"{protocol} {port}" for port in re.findall(r"\b8\d{3}\b", opened)}
            more = {f"{protocol} 8185"} if host == "hub" else set()  # the leecher's, while it downloads
            assert ports == {each for each in wanted if each.startswith(protocol)} | more, rules


def test_no_unit_of_before_is_left(lab: Any, second: Any) -> None:
    ours = "'seedbed*' 'opentracker*' 'transmission*'"
    for host in HOSTS:
        assert lab[host].check_output("systemctl --failed --no-legend") == ""
        shown = lab[host].check_output(f"systemctl list-units --type=service --plain --no-legend {ours}")
        assert {line.split()[2] for line in shown.splitlines()} == {"active"}, shown
        files = lab[host].check_output(f"systemctl list-unit-files --plain --no-legend {ours}")
        assert "scripted" not in files
        assert "addresses" not in files
    assert lab["hub"].check_output("ps -o user= -C opentracker") == "tracker"
    assert "/opt/lab/tracker" in lab["hub"].check_output("readlink /proc/$(pgrep -x opentracker)/exe")


def test_the_tracker_is_the_new_version(lab: Any, second: Any) -> None:
    address = lab.address("hub")
    told = lab.get(f"http://{address}:8500/numbers?mode=version").body.decode()
    running = lab["hub"].check_output("readlink /opt/lab/tracker/current").rsplit("/", 1)[1]
    assert running in told
    assert "test" in running
    assert lab.get(f"http://{address}:8500/stats").status == 404


def test_all_is_announced_to_the_new_port_and_is_the_same(lab: Any, first: Any, second: Any, wait_until: Any) -> None:
    assert set(second) == {"stays", "comes"}
    assert second["stays"]["info_hash"] == first["stays"]["info_hash"]
    url = f"http://{lab.address('hub')}:8500/announce"
    for item in second.values():
        assert {tracker.split("//")[1] for tier in item["trackers"] for tracker in tier} == {url.split("//")[1]}
    questions = [announce.Question(url, "scrape", item["info_hash"]) for item in (*second.values(), first["goes"])]

    def seeders() -> list[int | None]:
        return [answer.get("seeders") for answer in announce.ask(questions, announce.AnnounceOptions(timeout=60))]

    wait_until(lambda: seeders() == [1, 1, 0], what="one seeder of what is wanted, none of what is not")


def test_the_daemon_takes_the_new_password_alone(lab: Any, first: Any, second: Any) -> None:
    place = (lab.address("seeder1"), CHANGED["transmission_rpc_port"])
    with contextlib.closing(
        RpcClient(*place, ("operator", CHANGED["transmission_rpc_password"]), timeout=120)
    ) as client:
        fields = {"fields": ["hashString", "downloadDir", "trackers"]}
        torrents = {torrent["hashString"]: torrent for torrent in client.call("torrent-get", fields)["torrents"]}
    assert set(torrents) == {item["info_hash"] for item in second.values()}
    for torrent in torrents.values():
        assert torrent["downloadDir"].startswith("/srv/lab/payload")
        assert all(":8500/" in tracker["announce"] for tracker in torrent["trackers"])
    for user in ("seedbed", "operator"):
        former = RpcClient(*place, (user, FIRST["transmission_rpc_password"]), timeout=120)
        with contextlib.closing(former), pytest.raises(RpcDenied):
            former.call("session-get")


def test_and_back_again(lab: Any, first: Any, second: Any) -> None:
    run(lab, "site", "inventory")
    assert run(lab, "site", "inventory").count("changed=0 ") == len(HOSTS)
    again = published(lab, "/srv/seedbed/portal")
    assert {name: item["info_hash"] for name, item in again.items()} == {
        name: item["info_hash"] for name, item in first.items()
    }


def test_in_the_end_nothing_is_left_of_either(lab: Any, before: dict[str, list[str]], second: Any) -> None:
    said = run(lab, "remove", "inventory", "-vvv", "--diff", "--extra-vars=keep_content=false")
    # The daemon, whose package was there before, was asked with the password to give up the lab's torrents.
    assert "Take our torrents out of the daemon" in said
    assert lab["seeder1"].check_output(f"ls {TORRENTS}") == ""
    assert FIRST["transmission_rpc_password"] not in said
    # Content where the lab no longer looks for it is named, and the operator's to delete.
    assert re.search(r"- /srv/lab(?!\S)", in_one_line(said))
    assert lab["seeder1"].check_output("find /srv -type f | sort").split() == [
        f"/srv/lab/payload/{name}" for name in sorted(second)
    ]
    lab["seeder1"].check_output("rm /srv/lab/payload/*")
    run(lab, "remove", "changed", "--extra-vars=keep_content=false")
    for host in HOSTS:
        left = lab.differences(before[host], lab.snapshot(host))
        assert [line for line in left if not any(place in line for place in STAYING)] == []
    assert run(lab, "remove", "inventory", "--extra-vars=keep_content=false").count("changed=0 ") == len(HOSTS)
