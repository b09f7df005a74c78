"""A run that is killed at any of its steps is finished by the next one, and nothing is lost.

The hosts are bare: hub (tracker, portal and leecher) and seeder1. One run after the other is killed with kill -9, here
and on the host, a step further each time. Then services are killed, hosts are booted anew while nothing happens and
while a run is about them, files are cut off, and disks are full.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest
import yaml
from ansible.module_utils.seedbed.probe import announce
from ansible.module_utils.seedbed.transmission.rpc import RpcClient

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "survive"
INVENTORY = f"--inventory={SCENARIO}/inventory.yml"

PASSWORD = "only for this test"
TORRENTS = "/var/lib/transmission-daemon/.config/transmission-daemon/torrents"
DROP_IN = "/etc/systemd/system/transmission-daemon.service.d/seedbed.conf"
# A host that is quicker than the other one goes on until that one is killed: its own moments come first.
MOMENTS = (
    ("hub", "path:/etc/seedbed/firewall.nft.candidate", "while rules are on trial"),
    ("seeder1", "process:--configure", "while packages are set up"),
    ("seeder1", f"path:{DROP_IN}", "while the daemon is stopped"),
    ("seeder1", "path:/etc/seedbed/announcer.json", "before the announcer is started"),
    ("hub", "process:--unpack", "while packages are unpacked"),
    ("hub", "process:make -j2", "while the tracker is compiled"),
    ("hub", "path:/etc/systemd/system/opentracker.service", "before the tracker is started"),
    ("hub", "path:/etc/systemd/system/seedbed-portal.service", "before the portal is started"),
    ("seeder1", "path:/srv/seedbed/payload/.seedbed/**/*", "while content is made"),
    ("seeder1", f"path:{TORRENTS}/*", "after a torrent was added"),
    ("hub", "path:/srv/seedbed/portal/torrents/*", "while the catalogue is published"),
    ("hub", "process:aria2c", "while it downloads"),
)


@contextlib.contextmanager
def killer(lab: Any, host: str, *moment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have that host wait for the moment at which it kills what Ansible runs there."""
    command = ["ssh", "-F", str(lab.directory / "ssh_config"), host, "python3", "-", *moment]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write((SCENARIO / "killer.py").read_bytes())
        process.stdin.close()
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def kill_run(command: Sequence[str]) -> None:
    """Kill a run with its workers: each is the leader of its own session, and would wait for ever."""
    words = "\0".join(command).encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words in (place / "cmdline").read_bytes():
                os.kill(int(place.name), signal.SIGKILL)


def kill_site(lab: Any, host: str, moment: str, *variables: str) -> None:
    """Run site.yml until the moment comes on that host; kill what runs on the hosts and then the run itself."""
    log = lab.directory / "killed.log"
    with killer(lab, host, moment) as waiting, log.open("wb") as output:
        command = lab.command(INVENTORY, "playbooks/site.yml", *variables)
        run = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            while run.poll() is None and not select.select([waiting.stdout.fileno()], [], [], 0.2)[0]:
                pass
            ended = run.poll()
        finally:
            kill_run(command)
            run.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    assert ended is None, f"it ended before that moment came\n{said[-3000:]}"
    print(said[-500:])
    for other in lab:
        if other != host:
            with killer(lab, other, "now:") as process:
                print(other, process.stdout.readline().decode())


@pytest.mark.parametrize(("host", "moment"), [moment[:2] for moment in MOMENTS], ids=[moment[2] for moment in MOMENTS])
def test_killed(lab: Any, host: str, moment: str) -> None:
    kill_site(lab, host, moment)


def site(lab: Any, *variables: str) -> str:
    """Run site.yml to its end, and return what it says."""
    run = lab.playbook(INVENTORY, "playbooks/site.yml", *variables)
    assert run.returncode == 0, run.stdout[-5000:]
    return str(run.stdout)


def test_next_run_finishes_and_the_one_after_it_has_nothing_to_do(lab: Any) -> None:
    site(lab)
    # What was cut off has left a ban on starting services, the directory of a build, files of a download.
    for host in lab:
        assert not lab[host].file("/usr/sbin/policy-rc.d").exists
        assert lab[host].check_output("dpkg --audit") == ""
    assert not lab["hub"].file("/opt/opentracker/build").exists
    assert lab["hub"].check_output("ls /srv/seedbed/leecher") == ""
    assert lab["hub"].check_output("systemctl is-enabled nginx || true") == "disabled"
    assert site(lab).count("changed=0 ") == 2


def torrents(lab: Any) -> set[tuple[str, int, int]]:
    """Return what the seeder has: hash, status and missing bytes of each torrent."""
    with contextlib.closing(RpcClient(lab.address("seeder1"), 8081, ("seedbed", PASSWORD), timeout=120)) as client:
        fields = {"fields": ["hashString", "status", "leftUntilDone"]}
        found = client.call("torrent-get", fields)["torrents"]
    return {(torrent["hashString"], torrent["status"], torrent["leftUntilDone"]) for torrent in found}


SERVICES = (
    ("hub", "opentracker"),
    ("hub", "seedbed-portal"),
    ("seeder1", "transmission-daemon"),
    ("seeder1", "seedbed-announcer"),
)


def test_killed_services_come_back_by_themselves(lab: Any, wait_until: Any) -> None:
    before = torrents(lab)

    def pid(host: str, unit: str) -> str:
        return str(lab[host].check_output(f"systemctl show --property=MainPID --value {unit}"))

    killed = {(host, unit): pid(host, unit) for host, unit in SERVICES}
    assert "0" not in killed.values()
    for (host, unit), process in killed.items():
        lab[host].check_output(f"kill -9 {process}")
        wait_until(lambda host=host, unit=unit: pid(host, unit) not in ("0", killed[host, unit]), what=f"{unit} again")
    assert site(lab).count("changed=0 ") == 2
    assert torrents(lab) == before


def boot_again(lab: Any, hosts: Sequence[str], wait_until: Any, *, orderly: bool) -> None:
    """Boot those hosts anew, orderly or by a cut of their power, and wait until they let SSH in again."""
    containers = [f"{lab.directory.name}-{host}" for host in hosts]
    began = "cut -d' ' -f22 /proc/1/stat"  # when its first process did
    booted = {host: lab[host].check_output(began) for host in hosts}
    patience = "300" if orderly else "0"
    subprocess.run(["podman", "restart", "--time", patience, *containers], check=True, capture_output=True, timeout=900)

    def is_back(host: str) -> bool:
        try:
            return lab[host].run(began).stdout.strip() not in ("", booted[host])
        except RuntimeError:  # what testinfra makes of an ssh that gets nowhere
            return False

    for host in hosts:
        wait_until(lambda host=host: is_back(host), what=f"SSH of {host}")


def verdicts(lab: Any, directory: Path) -> set[str]:
    """Return what the doctor says of every torrent, from wherever it looks."""
    path = directory / "verdicts.json"
    lab.playbook(INVENTORY, "playbooks/doctor.yml", f"--extra-vars=doctor_json={path}")
    return {verdict["verdict"] for verdict in json.loads(path.read_text(encoding="utf-8"))["verdicts"]}


@pytest.mark.parametrize("hosts", [["hub"], ["seeder1"], ["hub", "seeder1"]], ids=" and ".join)
def test_after_a_boot_the_lab_is_well_without_a_hand(
    lab: Any, hosts: list[str], wait_until: Any, tmp_path: Path
) -> None:
    before = torrents(lab)
    start = time.monotonic()
    boot_again(lab, hosts, wait_until, orderly=True)
    back = time.monotonic()
    tracker = f"http://{lab.address('hub')}:8888/announce"
    questions = [announce.Question(tracker, "scrape", info_hash) for info_hash, _status, _missing in before]

    def is_announced() -> bool:
        return all(answer.get("seeders") == 1 for answer in announce.ask(questions, announce.AnnounceOptions()))

    # The doctor is a peer for a moment, whom a seeder with 3.00 takes for another one should it announce just then.
    wait_until(is_announced, what="the seeder's announce")
    print(f"down for {back - start:.0f} s, announced after {time.monotonic() - back:.0f} s")
    seen = verdicts(lab, tmp_path)
    print(f"the doctor's word after {time.monotonic() - back:.0f} s: {seen}")
    # 3.00 serves a torrent once to an address, and hub's has had it.
    assert "healthy" in seen
    assert seen <= {"healthy", "address_remembered"}
    for host in hosts:
        assert lab[host].check_output("systemctl --failed --no-legend") == ""
        assert "table inet seedbed" in lab[host].check_output("nft list tables")
    assert torrents(lab) == before
    assert site(lab).count("changed=0 ") == 2


LARGE = {"name": "large", "synthetic": {"size": "200MiB"}, "comment": "Takes a while to make"}
BOOTS = (
    ("hub", "process:make -j2", {"opentracker_optimisation": "-O2"}, "while the tracker is compiled"),
    ("hub", "path:/etc/seedbed/firewall.nft.candidate", {"portal_port": 8001}, "while rules are on trial"),
    ("seeder1", "path:/srv/seedbed/payload/.seedbed/**/*", {"catalogue_torrents": [LARGE]}, "while content is made"),
    ("seeder1", f"path:{DROP_IN}", {"transmission_open_files": 5000}, "while the daemon is stopped"),
)


@pytest.mark.parametrize(("host", "moment", "change"), [boot[:3] for boot in BOOTS], ids=[boot[3] for boot in BOOTS])
def test_a_boot_during_a_run_is_healed_by_the_next_one(
    lab: Any, host: str, moment: str, change: dict[str, Any], wait_until: Any
) -> None:
    before, log = torrents(lab), lab.directory / "booted.log"
    with killer(lab, host, moment, "watch") as waiting, log.open("wb") as output:
        changed = ("--extra-vars", json.dumps(change))
        command = lab.command(INVENTORY, "playbooks/site.yml", *changed)
        with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as run:
            while run.poll() is None and not select.select([waiting.stdout.fileno()], [], [], 0.2)[0]:
                pass
            ended = run.poll()
            boot_again(lab, [host], wait_until, orderly=False)
    said = log.read_text(encoding="utf-8", errors="replace")
    assert ended is None, f"it ended before that moment came\n{said[-3000:]}"
    assert run.returncode != 0, said[-3000:]
    assert (lab.directory / "begun").exists(), "whatever the other host came to, the next run has to prove all of it"
    site(lab, *changed)
    assert not lab["hub"].file("/opt/opentracker/build").exists
    assert site(lab, *changed).count("changed=0 ") == 2
    site(lab)
    assert torrents(lab) == before


SETTINGS = "/etc/transmission-daemon/settings.json"


@pytest.mark.parametrize("keep", ["0", "700"])
def test_half_written_settings_are_kept_beside_and_written_anew(lab: Any, keep: str) -> None:
    before, seeder = torrents(lab), lab["seeder1"]
    # As power that goes leaves it: the daemon does not write it again.
    seeder.check_output(f"systemctl kill --signal=KILL transmission-daemon; truncate --size={keep} {SETTINGS}")
    seeder.check_output("systemctl stop transmission-daemon")
    lost = seeder.file(SETTINGS).content_string if keep == "0" else seeder.check_output(f"cat {SETTINGS}")
    said = site(lab, "--diff")
    assert "ends before it is whole" in said
    copies = seeder.check_output(f"ls -t {SETTINGS}.broken-*").split()
    assert seeder.check_output(f"cat {copies[0]}") == lost.strip()
    assert seeder.check_output(f"stat -c '%U %a' {copies[0]}") == "debian-transmission 600"
    assert torrents(lab) == before
    assert site(lab).count("changed=0 ") == 2


HOLD = """
import fcntl, sys
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_held_package_lock_is_told_and_waited_for(lab: Any, wait_until: Any) -> None:
    hub = lab["hub"]
    hub.check_output("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge aria2")
    ssh = ["ssh", "-F", str(lab.directory / "ssh_config"), "hub", "python3", "-c", f"'{HOLD}'"]
    log = lab.directory / "waiting.log"
    with subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder, log.open("wb") as output:
        assert holder.stdout.readline() == b"held\n"
        command = lab.command(INVENTORY, "playbooks/site.yml")
        with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as run:
            try:
                wait_until(lambda: hub.run("pgrep -x apt-get").rc == 0, seconds=300, what="apt at the lock")
            finally:
                holder.communicate(b"")
        said = log.read_text(encoding="utf-8")
    assert run.returncode == 0, said[-3000:]
    assert re.search(r"python3 \(process \d+\) is changing packages on this host", " ".join(said.split()))
    assert hub.run("dpkg-query --show aria2").rc == 0


@contextlib.contextmanager
def full(host: Any, directory: str, leave: int = 0) -> Iterator[None]:
    """Have a directory lie on a file system without room, but for some bytes."""
    host.check_output(
        f"cp -a {directory} /run/aside && mount -t tmpfs -o size=16m,mode=755 full {directory} "
        f"&& cp -a --no-target-directory /run/aside {directory}"
    )
    host.run(f"dd if=/dev/zero of={directory}/.filler bs=4096")
    if leave:
        host.check_output(f"truncate --size=-{leave} {directory}/.filler")
    try:
        yield
    finally:
        host.check_output(f"umount --lazy {directory} && rm -r /run/aside")


FULL = (
    ("seeder1", "/etc/transmission-daemon", "transmission-daemon", "transmission_peer_limit=900"),
    ("seeder1", "/etc/systemd/system", "transmission-daemon", "transmission_open_files=5000"),
    ("hub", "/etc/systemd/system", "opentracker", "opentracker_nofile=5000"),
    ("hub", "/etc/nginx", "seedbed-portal", "portal_port=8001"),
    ("hub", "/etc/seedbed", "seedbed-firewall", "portal_port=8001"),
    ("hub", "/srv/seedbed/portal", "seedbed-portal", "catalogue_malformed=true"),
    ("hub", "/var/lib/seedbed", "seedbed-portal", "portal_port=8001"),
)


@pytest.mark.parametrize(("host", "directory", "unit", "change"), FULL)
def test_a_full_disk_is_a_sentence_and_costs_nothing(
    lab: Any, host: str, directory: str, unit: str, change: str
) -> None:
    look = f"systemctl is-active {unit}; cd {directory} && find . -type f ! -name .filler | sort | xargs sha256sum"
    before = lab[host].check_output(look)
    with full(lab[host], directory):
        run = lab.playbook(INVENTORY, "playbooks/site.yml", f"--extra-vars={change}")
        assert run.returncode != 0
        assert "No space left on device" in run.stdout, run.stdout[-3000:]
        assert "Traceback" not in run.stdout
        assert (lab.directory / "begun").exists()
        assert lab[host].check_output(look) == before
    site(lab)
    assert lab[host].check_output(f"systemctl is-active {unit}") == "active"


def test_content_that_does_not_fit_leaves_no_half_of_it(lab: Any) -> None:
    seeder, before = lab["seeder1"], torrents(lab)
    entry = {"name": "large", "synthetic": {"size": "30MiB"}, "comment": "More than there is room for"}
    entries = [*yaml.safe_load((SCENARIO / "inventory.yml").read_text())["all"]["vars"]["catalogue_torrents"], entry]
    look = "find /srv/seedbed/payload -size +0 -printf '%s %p\n' | grep -v filler | sort"
    found = seeder.check_output(look)
    seeder.check_output("mount -t tmpfs -o size=100m,mode=755 full /srv/seedbed/payload")
    try:
        run = lab.playbook(INVENTORY, "playbooks/site.yml", "--extra-vars", json.dumps({"catalogue_torrents": entries}))
        assert run.returncode != 0
        assert "No space left on device" in run.stdout, run.stdout[-3000:]
    finally:
        seeder.check_output("umount --lazy /srv/seedbed/payload")
    site(lab)
    assert seeder.check_output(look) == found
    assert torrents(lab) == before


def test_all_of_it_can_be_taken_back(lab: Any) -> None:
    for _ in range(2):
        run = lab.playbook(INVENTORY, "playbooks/remove.yml", "-e", "keep_content=false")
        assert run.returncode == 0, run.stdout[-5000:]
    assert lab["hub"].check_output("ls /var/tmp /opt /srv") == "/opt:\n\n/srv:\n\n/var/tmp:"
