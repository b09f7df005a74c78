"""What comes over a lab that runs: reboots, a file that is cut off, no mirror, a package lock that is held, full disks.

hub (tracker, portal and leecher) and seeder1 are booted anew while nothing happens, and lose their power while a run is
about them. Whatever came, the next run heals it, the one after it has nothing to do, and nothing is lost. What stops a
run is a sentence.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest
import yaml
from ansible.module_utils.seedbed.probe import announce
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc
from interruption import INVENTORY, MOLECULE, ROOT, ended_before, in_one_line, seeders_rpc, site, torrents, waiting_for

DROP_IN = "/etc/systemd/system/transmission-daemon.service.d/seedbed.conf"

HEALED = pytest.StashKey[int]()
"""After how many failures the lab was made well."""


@pytest.fixture(autouse=True)
def well(lab: Any, request: pytest.FixtureRequest) -> None:
    """After a test that failed, the next one begins with a lab that is well, too."""
    failed = request.session.testsfailed
    if failed > request.session.stash.get(HEALED, 0):
        site(lab)
        request.session.stash[HEALED] = failed


def test_services_are_shut_in(lab: Any, shut_in: Any) -> None:
    """The seeder's are on Debian 12 here."""
    ours = ("announcer", "firewall", "flood")
    assert set(shut_in(lab["seeder1"])) == {
        "transmission-daemon.service",
        *(f"seedbed-{name}.service" for name in ours),
    }


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


WAITING = 1
"""``announceState`` of a tracker that has answered, until its interval is over."""


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
    hashes = [info_hash for info_hash, _status, _missing in before]
    tracker = f"http://{lab.address('hub')}:8888/announce"
    questions = [announce.Question(tracker, "scrape", info_hash) for info_hash in hashes]

    def is_announced() -> bool:
        return all(answer.get("seeders") == 1 for answer in announce.ask(questions, announce.AnnounceOptions()))

    # The worst moment: what 3.00 has asked over UDP in the last minute it asks with an id that a new tracker refuses.
    begun = int(time.time())
    with seeders_rpc(lab) as client:
        TorrentRpc(client).restart(hashes)

        def has_asked() -> bool:
            shown = client.call("torrent-get", {"fields": ["trackerStats"]})["torrents"]
            return all(any(map(is_answered, torrent["trackerStats"])) for torrent in shown)

        def is_answered(of: dict[str, Any]) -> bool:
            return bool(of["announceState"] == WAITING and of["lastAnnounceTime"] >= begun)

        wait_until(has_asked, what="the seeder's announce before the boot")
    boot_again(lab, hosts, wait_until, orderly=True)
    back = time.monotonic()
    # The doctor is a peer for a moment, whom a seeder with 3.00 takes for another one should it announce just then.
    wait_until(is_announced, what="the seeder's announce")
    announced = time.monotonic() - back
    seen = verdicts(lab, tmp_path)
    said = time.monotonic() - back
    # 3.00 serves a torrent once to an address, and hub's has had it.
    assert "healthy" in seen
    assert seen <= {"healthy", "address_remembered"}
    # As docs/operating.md promises, however busy this machine is: the doctor itself takes some twenty seconds.
    assert said < 60, f"announced after {announced:.0f} s, the doctor's word after {said:.0f} s"
    print(f"announced after {announced:.0f} s, the doctor's word after {said:.0f} s: {seen}")
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
    with waiting_for(lab, host, moment, "watch") as waiting, log.open("wb") as output:
        changed = ("--extra-vars", json.dumps(change))
        command = lab.command(INVENTORY, "playbooks/site.yml", *changed)
        with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as run:
            ended = ended_before(run, waiting)
            boot_again(lab, [host], wait_until, orderly=False)
    said = log.read_text(encoding="utf-8", errors="replace")
    assert not ended, f"it ended before that moment came\n{said[-3000:]}"
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
    assert "ends before it is whole" in in_one_line(said)
    copies = seeder.check_output(f"ls -t {SETTINGS}.broken-*").split()
    assert seeder.check_output(f"cat {copies[0]}") == lost.strip()
    assert seeder.check_output(f"stat -c '%U %a' {copies[0]}") == "debian-transmission 600"
    assert torrents(lab) == before
    assert site(lab).count("changed=0 ") == 2


# Every connection that apt opens, or the first ones alone.
NO_MIRROR = """
table inet mirror {
  chain out {
    type filter hook output priority 0
    meta skuid _apt tcp flags & (syn | ack) == syn %s counter reject with tcp reset
  }
}
"""


@contextlib.contextmanager
def without_mirror(host: Any, until: str) -> Iterator[None]:
    """Have the package mirror of a host refuse every connection, or so many bytes of greetings; it has to be asked."""
    host.check_output("nft -f - <<'RULES'%sRULES" % (NO_MIRROR % until))
    try:
        yield
        rules = host.check_output("nft list table inet mirror")
    finally:
        host.check_output("nft delete table inet mirror")
    assert int(re.search(r"counter packets (\d+)", rules).group(1)) > 0, rules


def test_a_mirror_that_fails_is_told_and_asked_again(lab: Any) -> None:
    hub = lab["hub"]
    hub.check_output("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge aria2 && apt-get clean")
    with without_mirror(hub, ""):
        run = lab.playbook(INVENTORY, "playbooks/site.yml")
    assert run.returncode != 0
    assert "Failed to fetch" in in_one_line(run.stdout), run.stdout[-3000:]
    assert "Traceback" not in run.stdout
    assert (lab.directory / "begun").exists()
    assert hub.run("dpkg-query --show aria2").rc != 0
    assert hub.check_output("dpkg --audit") == ""
    assert not hub.file("/usr/sbin/policy-rc.d").exists
    with without_mirror(hub, "quota until 100 bytes"):
        site(lab)
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
    assert re.search(r"python3 \(process \d+\) is changing packages on this host", in_one_line(said))
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
    ("hub", "/var/lib/seedbed", "seedbed-portal", "leecher_persistent=true"),
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
        assert "No space left on device" in in_one_line(run.stdout), run.stdout[-3000:]
        assert "Traceback" not in run.stdout
        assert (lab.directory / "begun").exists()
        # What is new and empty fits on a full disk.
        assert set(before.splitlines()) <= set(lab[host].check_output(look).splitlines())
    site(lab)
    assert lab[host].check_output(f"systemctl is-active {unit}") == "active"


def test_content_that_does_not_fit_leaves_no_half_of_it(lab: Any) -> None:
    seeder, before = lab["seeder1"], torrents(lab)
    entry = {"name": "large", "synthetic": {"size": "30MiB"}, "comment": "More than there is room for"}
    entries = [
        *yaml.safe_load((MOLECULE / "survive" / "inventory.yml").read_text())["all"]["vars"]["catalogue_torrents"],
        entry,
    ]
    look = "find /srv/seedbed/payload -size +0 -printf '%s %p\n' | grep -v filler | sort"
    found = seeder.check_output(look)
    # What is there already is hidden, and made anew: there is room for that alone.
    seeder.check_output("mount -t tmpfs -o size=40m,mode=755 full /srv/seedbed/payload")
    try:
        run = lab.playbook(INVENTORY, "playbooks/site.yml", "--extra-vars", json.dumps({"catalogue_torrents": entries}))
        assert run.returncode != 0
        assert "needs 60 MiB on /srv/seedbed/payload, 40 MiB free" in in_one_line(run.stdout), run.stdout[-3000:]
    finally:
        seeder.check_output("umount --lazy /srv/seedbed/payload")
    site(lab)
    assert seeder.check_output(look) == found
    assert torrents(lab) == before
