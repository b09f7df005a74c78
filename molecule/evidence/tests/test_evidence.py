"""Evidence of a swarm, for whoever is not there: hub (tracker, portal and leecher) and seeder1.

While it is recorded the seeder tells all that it does, and afterwards as little as before, also when the recorder is
killed. The archive tells announces and peers of one torrent from both sides, and no password. An acceptance that fails
collects by itself. The portal knows the seeder from inside, and Prometheus takes its numbers.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.packets import read_packet, read_pcap
from ansible.module_utils.seedbed.evidence.belonging import HANDSHAKE, http_hashes

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = f"--inventory={ROOT}/molecule/evidence/inventory.yml"
PASSWORD = "only for this test"
DROP_IN = "/run/systemd/system/transmission-daemon.service.d/zz-seedbed-evidence.conf"


def started_with(lab: Any) -> str:
    return str(lab["seeder1"].check_output("systemctl show --property=ExecStart --value transmission-daemon"))


ARIA2 = """
import json, urllib.request
options = dict(line.strip().split("=", 1) for line in open("/etc/seedbed/aria2.conf"))
asked = {"jsonrpc": "2.0", "id": "1", "method": "aria2.getGlobalOption", "params": ["token:" + options["rpc-secret"]]}
place = "http://127.0.0.1:" + options["rpc-listen-port"] + "/jsonrpc"
told = json.load(urllib.request.urlopen(place, json.dumps(asked).encode(), timeout=60))["result"]
print(json.dumps([told.get("log", ""), told["log-level"]]))
"""


def aria2_tells(lab: Any) -> Any:
    return json.loads(lab["hub"].check_output(f"python3 -c {shlex.quote(ARIA2)}"))


def portal(lab: Any, path: str) -> Any:
    answer = lab.get(f"http://{lab.address('hub')}:8000/{path}")
    assert answer.status == 200, path
    return answer.body


def info_hash(lab: Any, name: str) -> str:
    items = json.loads(portal(lab, "catalogue.json"))["items"]
    return str(next(item["info_hash"] for item in items if item["name"] == name))


def announced_or_greeted(payload: bytes) -> list[bytes]:
    """The torrents that an announce over HTTP or a plain handshake is about."""
    if payload.startswith(b"GET /announce"):
        return http_hashes(payload)
    return [payload[28:48]] if payload.startswith(HANDSHAKE) else []


def archives(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.zip"))


@pytest.fixture(scope="module")
def archive(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is collected of one item, file by file."""
    directory = tmp_path_factory.mktemp("evidence")
    told = {"torrent": "film.bin", "seconds": 25, "evidence_directory": str(directory)}
    run = lab.playbook(INVENTORY, "playbooks/evidence.yml", f"--extra-vars={json.dumps(told)}")
    assert run.returncode == 0, run.stdout[-3000:]
    (path,) = archives(directory)
    assert str(path) in run.stdout
    assert PASSWORD not in run.stdout
    with zipfile.ZipFile(path) as members:
        return {name: members.read(name) for name in members.namelist()}


def test_the_archive_has_both_hosts_and_a_page(archive: dict[str, bytes]) -> None:
    assert sorted(archive) == ["doctor.json", "hub.json", "hub.pcap", "index.html", "seeder1.json", "seeder1.pcap"]
    page = archive["index.html"].decode()
    assert "announce: Transmission" in page  # the seeder's, at both ends
    assert re.search(r"hub:\d+ → seeder1:8082", page) and "handshake: " in page
    assert "bitfield: holds" in page or "has all" in page
    assert '<b class="ok">healthy</b>' in page


def test_packets_are_those_of_the_torrent(lab: Any, archive: dict[str, bytes]) -> None:
    ours = bytes.fromhex(info_hash(lab, "film.bin"))
    for host in ("hub", "seeder1"):
        segments = [read_packet(packet) for packet in read_pcap(archive[f"{host}.pcap"])]
        assert segments and all(segments)
        ports = {port for segment in segments for port in (segment.source.port, segment.destination.port)}
        assert ports & {8888, 8082}
        assert not ports & {22, 8081, 8000}
        # Both may be in one scrape, which is about the one that is asked for, too.
        assert {info for segment in segments for info in announced_or_greeted(segment.payload)} == {ours}
    assert json.loads(archive["seeder1.json"])["packets"]["others"] > 0  # the daemon announces all after a restart


def test_the_seeder_tells_more_meanwhile_and_its_view_is_kept(archive: dict[str, bytes]) -> None:
    told = json.loads(archive["seeder1.json"])
    (before,), (meanwhile,) = told["before"], told["seeder"]
    assert before["state"] == meanwhile["state"] == "seeding"
    assert before["files"] == [{"name": "film.bin", "size": 4 << 20, "have": 4 << 20}]
    assert any(tracker["succeeded"] for tracker in before["trackers"])
    assert told["raised"] == ["transmission-daemon.service"]
    assert re.search(
        r"transmission-daemon\[\d+\]: .*(DBG|dbg|TRC|announce)", told["logs"]["transmission-daemon.service"]
    )
    assert "8082" in told["facts"]["ss --tcp --udp --listening --numeric --processes"]


def test_aria2_tells_more_meanwhile_and_the_page_says_whose_log_does(lab: Any, archive: dict[str, bytes]) -> None:
    told = json.loads(archive["hub.json"])
    assert told["raised"] == ["aria2"]
    assert re.search(r"aria2c\[\d+\]: .*\[INFO\]", told["logs"]["seedbed-*"])
    assert (
        "aria2 of hub and transmission-daemon.service of seeder1 had the level raised" in archive["index.html"].decode()
    )
    assert aria2_tells(lab) == ["", "debug"]  # the level is that of a log that there is not


def test_no_password_is_in_it(lab: Any, archive: dict[str, bytes]) -> None:
    secret = lab["hub"].check_output("sed -n s/^rpc-secret=//p /etc/seedbed/aria2.conf")
    assert len(secret) >= 8
    for word in (PASSWORD, secret):
        assert not [name for name, content in archive.items() if word.encode() in content]


def test_nothing_of_it_is_left_on_the_hosts(lab: Any, archive: dict[str, bytes]) -> None:
    assert archive
    for host in ("hub", "seeder1"):
        assert not lab[host].file("/run/seedbed-evidence").exists
        assert lab[host].check_output("systemctl list-units --all --no-legend 'seedbed-evidence*'") == ""
    assert not lab["seeder1"].file(DROP_IN).exists
    assert "--log-error" in started_with(lab) and "--log-debug" not in started_with(lab)
    assert lab["seeder1"].run("systemctl is-active transmission-daemon").stdout.strip() == "active"


@pytest.mark.parametrize("how", ["kill", "the end of its time"])
def test_the_seeder_tells_as_little_as_before_also_when_the_run_is_killed(lab: Any, wait_until: Any, how: str) -> None:
    """The run dies while it records: nobody comes back to collect."""
    seconds = 600 if how == "kill" else 15
    told = {"torrent": "film.bin", "seconds": seconds, "evidence_directory": "/nonexistent"}
    command = lab.command(INVENTORY, "playbooks/evidence.yml", f"--extra-vars={json.dumps(told)}")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            wait_until(lambda: "--log-debug" in started_with(lab), what="the daemon to tell more")
            wait_until(lambda: aria2_tells(lab) == ["-", "info"], what="aria2 to tell more")
        finally:
            asked = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=False)
            workers = asked.stdout.split()
            run.kill()
    # With their results they once filled the pipe to the run, and waited for it for ever.
    wait_until(lambda: not any(Path("/proc", pid).exists() for pid in workers), what="the end of its workers")
    if how == "kill":
        for host in ("seeder1", "hub"):
            lab[host].check_output("systemctl kill --signal=KILL seedbed-evidence")
    wait_until(lambda: aria2_tells(lab) == ["", "debug"], what="aria2 to tell as little as before")
    wait_until(lambda: "--log-debug" not in started_with(lab), what="the daemon to tell as little as before")
    wait_until(
        lambda: lab["seeder1"].run("pgrep --full -- 'transmission-daemon -f --log-error'").rc == 0, what="its restart"
    )
    assert not lab["seeder1"].file(DROP_IN).exists


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"torrent": "nothing.bin"}, "torrent is 'nothing.bin', which the catalogue does not have"),
        ({"torrent": "film.bin", "seconds": 1}, "seconds is 1; expected a number from 5 to 600"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_done(
    lab: Any, told: dict[str, Any], sentence: str
) -> None:
    run = lab.playbook(INVENTORY, "playbooks/evidence.yml", f"--extra-vars={json.dumps(told)}")
    assert run.returncode != 0
    assert sentence in " ".join(run.stdout.split())
    assert lab["seeder1"].run("systemctl is-active seedbed-evidence").stdout.strip() == "inactive"


def test_an_acceptance_that_fails_collects_by_itself(lab: Any, tmp_path: Path) -> None:
    """The seeder's host drops what comes from the leecher: the tracker answers, and the seeder cannot be reached."""
    rules = "add table inet in_between; add chain inet in_between in { type filter hook input priority 0; }; "
    rules += f"add rule inet in_between in ip saddr {lab.address('hub')} tcp dport 8082 drop; "
    rules += f"add rule inet in_between in ip saddr {lab.address('hub')} udp dport 8082 drop"
    told = {"lab_acceptance": "always", "evidence_directory": str(tmp_path)}
    lab["seeder1"].check_output(f"nft '{rules}'")
    try:
        run = lab.playbook(INVENTORY, "playbooks/site.yml", f"--extra-vars={json.dumps(told)}")
    finally:
        lab["seeder1"].check_output("nft delete table inet in_between")
    assert run.returncode != 0
    (path,) = archives(tmp_path)
    with zipfile.ZipFile(path) as members:
        page = members.read("index.html").decode()
    assert "connects, and nobody answers" in page
    assert '<b class="fault">' in page
    assert started_with(lab).count("--log-error")  # nothing was restarted for it


def test_the_portal_knows_the_seeder_from_inside(lab: Any, wait_until: Any) -> None:
    def told(name: str) -> Any:
        item = json.loads(portal(lab, f"state/items/{info_hash(lab, name)}.json"))
        return item.get("seeders", {}).get("seeder1")

    whole = wait_until(lambda: told("film.bin"), what="what the collector has learned")
    assert (whole["state"], whole["done"], whole.get("pieces")) == ("seeding", 1.0, None)
    partial = wait_until(lambda: told("partial.bin"), what="what the collector has learned")
    assert 0.5 < partial["done"] < 0.7 and partial["pieces"]
    assert PASSWORD not in json.dumps([whole, partial])
    verdicts = json.loads(portal(lab, "verdicts.json"))["verdicts"]
    assert {verdict["item"] for verdict in verdicts} >= {"film.bin"}


def test_the_password_is_roots(lab: Any) -> None:
    assert lab["hub"].check_output("stat -c '%U %a' /etc/seedbed/collector.json") == "root 600"
    assert (
        lab["hub"].run("grep -rqs 'only for this test' /run/seedbed-collector/items /run/seedbed-collector/metrics").rc
        == 1
    )


def test_numbers_are_missing_and_not_zero_where_a_seeder_is_away(lab: Any, wait_until: Any) -> None:
    def metrics() -> str:
        return str(portal(lab, "metrics").decode())

    wait_until(lambda: 'seedbed_seeder_up{seeder="seeder1"} 1' in metrics(), what="the seeder in the metrics")
    lab["seeder1"].check_output("systemctl stop transmission-daemon")
    try:
        wait_until(lambda: 'seedbed_seeder_up{seeder="seeder1"} 0' in metrics(), what="the seeder away")
        assert "seedbed_seeder_uploaded_bytes_total" not in metrics()
        assert 'seedbed_tracker_up{tracker="hub"} 1' in metrics()
    finally:
        lab["seeder1"].check_output("systemctl start transmission-daemon")


def test_the_collector_is_taken_back_where_it_is_not_wanted(lab: Any) -> None:
    run = lab.playbook(INVENTORY, "playbooks/site.yml", "-e", "lab_acceptance=never", "-e", "portal_collector=false")
    assert run.returncode == 0, run.stdout[-3000:]
    for path in ("/etc/seedbed/collector.json", "/opt/seedbed/collector.pyz", "/run/seedbed-collector"):
        assert not lab["hub"].file(path).exists, path
    assert lab.get(f"http://{lab.address('hub')}:8000/metrics").status == 404
    assert b"data-inside" not in portal(lab, "en")
