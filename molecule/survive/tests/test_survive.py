"""A run that is killed at any of its steps is finished by the next one, and nothing is lost.

The hosts are bare: hub (tracker, portal and leecher) and seeder1. One run after the other is killed with kill -9, here
and on the host, a step further each time. Then services are killed, and in the end all of it is taken back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Sequence

import pytest
from interruption import INVENTORY, ROOT, ended_before, site, torrents, waiting_for

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
    with waiting_for(lab, host, moment) as waiting, log.open("wb") as output:
        command = lab.command(INVENTORY, "playbooks/site.yml", *variables)
        run = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            ended = ended_before(run, waiting)
        finally:
            kill_run(command)
            run.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    assert not ended, f"it ended before that moment came\n{said[-3000:]}"
    print(said[-500:])
    for other in lab:
        if other != host:
            with waiting_for(lab, other, "now:") as process:
                print(other, process.stdout.readline().decode())


@pytest.mark.parametrize(("host", "moment"), [moment[:2] for moment in MOMENTS], ids=[moment[2] for moment in MOMENTS])
def test_killed(lab: Any, host: str, moment: str) -> None:
    kill_site(lab, host, moment)


def test_next_run_finishes_and_the_one_after_it_has_nothing_to_do(lab: Any) -> None:
    site(lab)
    # What was cut off has left a ban on starting services, the directory of a build, files of a download.
    for host in lab:
        assert not lab[host].file("/usr/sbin/policy-rc.d").exists
        assert lab[host].check_output("dpkg --audit") == ""
    assert not lab["hub"].file("/opt/opentracker/build").exists
    assert lab["hub"].check_output("ls /srv/seedbed/leecher") == ""
    # It exits with 1 for what is disabled.
    assert lab["hub"].check_output("systemctl is-enabled nginx || true") == "disabled"
    assert site(lab).count("changed=0 ") == 2


SERVICES = (
    ("hub", "opentracker"),
    ("hub", "seedbed-portal"),
    ("hub", "seedbed-collector"),
    ("seeder1", "transmission-daemon"),
    ("seeder1", "seedbed-announcer"),
    ("seeder1", "seedbed-flood"),
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


def test_all_of_it_can_be_taken_back(lab: Any) -> None:
    for _ in range(2):
        run = lab.playbook(INVENTORY, "playbooks/remove.yml", "-e", "keep_content=false")
        assert run.returncode == 0, run.stdout[-5000:]
    # But for what systemd's own services have there.
    left = "find /var/tmp /opt /srv -mindepth 1 ! -path '/var/tmp/systemd-private-*'"
    assert lab["hub"].check_output(left) == ""
