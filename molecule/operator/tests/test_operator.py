"""The operator's first day: an unprivileged user of this machine, hosts behind a bastion, sudo with a password on one.

`make setup` needs no right. The copied example is refused until it is filled in; an unknown key of the jump host and a
missing sudo password are named. With a bundle, since the hosts reach nothing, site.yml passes and changes nothing when
it runs again; the summary's command opens portal, statistics and web UI on this machine. Then a host dies: nothing is
changed, the lab runs without it, and nothing that the others knew is lost.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
UID = 47110  # nobody has it
PASSWORD, SUDO_PASSWORD = "a password of this lab", "only for this test"
PORTS = {"portal_port": 8610, "transmission_rpc_port": 8611, "opentracker_port": 8618}
CATALOGUE = [
    {"name": "one.bin", "synthetic": {"size": "3MiB"}},
    {"name": "many", "synthetic": {"size": "1MiB", "files": 20}},
    {"name": "on-seeder2.bin", "synthetic": {"size": "1MiB"}, "swarm": {"seeders": ["seeder2"]}},
]
FILLED_IN = "-e @inventories/mine/files/closed.yml --become-password-file ~/sudo"
# What the operator's shell takes over from this machine's.
KEPT = re.compile("https?_proxy|no_proxy|pip_|lang", re.IGNORECASE)


class Operator:
    """Who types commands in a checkout of their own, and has nothing else of this machine."""

    def __init__(self, home: Path) -> None:
        self.home, self.checkout = home, home / "seedbed"
        users = Path("/etc/passwd").read_text(encoding="utf-8")
        (home / "passwd").write_text(f"{users}operator:x:{UID}:{UID}::{home}:/bin/bash\n", encoding="utf-8")
        self.environment = {name: value for name, value in os.environ.items() if KEPT.match(name)}
        self.environment |= {"HOME": str(home), "USER": "operator", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def command(self, typed: str) -> list[str]:
        # An entry in a passwd file that only this process and its children see: ssh asks there for its user.
        enter = 'mount --bind "$0/passwd" /etc/passwd && exec setpriv --reuid $1 --regid $1 --clear-groups bash -c "$2"'
        line = f"cd {shlex.quote(str(self.checkout))} && export PATH=$PWD/.venv/bin:$PATH && {typed}"
        return ["unshare", "--mount", "bash", "-c", enter, str(self.home), str(UID), line]

    def type(self, typed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(typed),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    def playbook(self, name: str, options: str = "") -> subprocess.CompletedProcess[str]:
        return self.type(f"ansible-playbook -i inventories/mine playbooks/{name} {options}")

    def refused(self, name: str, options: str = "") -> str:
        """What a run says, on one line, that must not come to changing anything."""
        run = self.playbook(name, options)
        assert run.returncode in (2, 4), run.stdout + run.stderr
        assert not re.search("changed=[1-9]", run.stdout), run.stdout
        return " ".join(run.stdout.split())


def fill_in(file: Path, **values: str) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in values.items():
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def operator(lab: Any) -> Iterator[Operator]:
    """The operator, with a key for the hosts and the example copied to inventories/mine, as the README says."""
    home = Path(tempfile.mkdtemp(prefix=f"{lab.directory.name}-", dir="/var/tmp"))
    user = Operator(home)
    files = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (user.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, user.checkout / name)
    (home / ".ssh").mkdir(mode=0o700)
    shutil.copy(lab.directory / "id_ed25519", home / ".ssh" / "id_ed25519")
    book = (lab.directory / "ssh_config").read_text(encoding="utf-8")
    bastion = re.search(r"Host jump\n +HostName (\S+)", book).group(1)
    (home / ".ssh" / "config").write_text(f"Host jump.example.com\n  HostName {bastion}\n", encoding="utf-8")
    (home / "sudo").write_text(SUDO_PASSWORD, encoding="utf-8")

    mine = user.checkout / "inventories" / "mine"
    shutil.copytree(user.checkout / "inventories" / "lab", mine)
    names = ["tracker1", "seeder1", "seeder2"]
    hosts: dict[str, dict[str, str]] = {name: {"ansible_host": lab.address(name)} for name in names}
    hosts["tracker1"]["lab_address"] = "tracker1.lab.test"
    groups = {"trackers": names[:1], "portals": names[:1], "leechers": names[:1], "seeders": names[1:]}
    children = {group: {"hosts": dict.fromkeys(members)} for group, members in groups.items()}
    (mine / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": children}}), encoding="utf-8")
    (mine / "group_vars/all/catalogue.yml").write_text(
        yaml.safe_dump({"catalogue_torrents": CATALOGUE, **PORTS}), encoding="utf-8"
    )
    # The hosts' half of the network; this machine is in the other one.
    network = f"{lab.address('tracker1').rsplit('.', 1)[0]}.0/25"
    changes = {
        "ansible_user: operator": "ansible_user: ops",
        "operator@jump": "guest@jump",
        "192.0.2.0/24": network,
        "  - 198.51.100.0/24\n": "",
    }
    fill_in(mine / "group_vars/all/lab.yml", **changes)
    shutil.copy(mine / "group_vars/all/vault.yml.example", mine / "group_vars/all/vault.yml")
    subprocess.run(["chown", "-R", f"{UID}:{UID}", str(home)], check=True)
    yield user
    shutil.rmtree(home)


def catalogue(lab: Any) -> dict[str, Any]:
    """The items as they are published, by name."""
    text = lab["tracker1"].check_output("cat /srv/seedbed/portal/catalogue.json")
    return {item["name"]: item for item in json.loads(text)["items"]}


def test_setup_needs_no_right(operator: Operator) -> None:
    run = operator.type("make setup && ansible-playbook --version")
    assert run.returncode == 0, run.stderr
    assert str(operator.checkout / ".venv") in run.stdout


def test_hosts_on_this_machine_need_root_and_that_is_said(operator: Operator) -> None:
    run = operator.type("make setup-local")
    assert run.returncode != 0
    assert "root" in run.stderr


def test_the_example_is_refused_until_its_password_is_replaced(operator: Operator) -> None:
    assert "transmission_rpc_password is still the word of the example" in operator.refused("preflight.yml")
    fill_in(operator.checkout / "inventories/mine/group_vars/all/vault.yml", **{"change-me": PASSWORD})


def test_an_unknown_key_of_the_jump_host_is_named(operator: Operator) -> None:
    assert (
        "The host key of jump host guest@jump.example.com is not known on this machine: log in there once by hand and "
        "compare it: ssh guest@jump.example.com"
    ) in operator.refused("preflight.yml")


def test_an_unknown_key_of_a_host_is_named(operator: Operator, lab: Any) -> None:
    accept = "-o StrictHostKeyChecking=accept-new"
    assert operator.type(f"ssh {accept} guest@jump.example.com true").returncode == 0
    address = lab.address("seeder1")
    assert (
        f"The host key of seeder1 ({address}) is not known on this machine: log in there once by hand and compare it: "
        f"ssh -J guest@jump.example.com ops@{address}"
    ) in operator.refused("preflight.yml")
    for name in ("tracker1", "seeder1", "seeder2"):
        run = operator.type(f"ssh {accept} -J guest@jump.example.com ops@{lab.address(name)} 'echo $SSH_CONNECTION'")
        assert run.stdout.startswith(address.rsplit(".", 1)[0] + ".10 "), "not through the bastion"


def test_a_password_of_sudo_is_asked_for(operator: Operator) -> None:
    told = operator.refused("preflight.yml")
    assert "sudo asks ops for a password on seeder1: run with --ask-become-pass" in told
    assert "fatal: [seeder2]" not in told


def test_a_bundle_has_what_the_hosts_cannot_fetch(operator: Operator) -> None:
    run = operator.playbook("bundle.yml", "-e bundle_wheels=false")
    assert run.returncode == 0, run.stdout
    run = operator.type("cd inventories/mine/files && sha256sum --check SHA256SUMS")
    assert run.stdout.count(": OK") == 2, run.stdout


def test_the_first_run_proves_the_lab(operator: Operator) -> None:
    run = operator.playbook("site.yml", FILLED_IN)
    assert run.returncode == 0, run.stdout[-5000:]
    assert re.search("Proven +just now by tracker1, SHA-256 equal", run.stdout)
    assert re.search("Doctor +every one of 3 torrents is healthy", run.stdout)
    assert PASSWORD not in run.stdout + run.stderr


def test_the_second_run_changes_nothing(operator: Operator) -> None:
    run = operator.playbook("site.yml", FILLED_IN)
    assert run.returncode == 0, run.stdout[-5000:]
    assert re.findall(r"changed=(\d+)", run.stdout) == ["0", "0", "0"]
    (operator.home / "summary").write_text(run.stdout, encoding="utf-8")


def test_the_summarys_command_opens_the_lab_here(operator: Operator, lab: Any, wait_until: Any) -> None:
    summary = (operator.home / "summary").read_text(encoding="utf-8")
    command, urls = re.search(r"From afar +(ssh .*)\n +opens (.*)", summary).groups()
    portal, statistics, web = urls.split()

    def status(url: str, **headers: str) -> int:
        try:
            return lab.get(url, **headers).status
        except OSError:
            return 0

    with subprocess.Popen(operator.command(f"exec {command}"), env=operator.environment) as tunnel:
        try:
            wait_until(lambda: status(portal) == 200, what="the portal through the tunnel")
            assert status(statistics) == 200
            assert status(web) == 401  # the daemon itself asks for the password
            account = {"Authorization": f"Basic {b64encode(f'seedbed:{PASSWORD}'.encode()).decode()}"}
            assert status(web, **account) == 200
            assert status(web.replace("/web/", "/rpc"), **account) == 409  # the RPC, which wants a session id
        finally:
            tunnel.terminate()


def test_playbooks_for_every_day_need_no_more(operator: Operator) -> None:
    for name, options in (("download.yml", "-e torrent=many"), ("doctor.yml", "")):
        run = operator.playbook(name, f"{options} --become-password-file ~/sudo")
        assert run.returncode == 0, run.stdout[-5000:]


def test_a_run_of_some_hosts_is_refused(operator: Operator) -> None:
    told = operator.refused("site.yml", f"--limit seeder1 {FILLED_IN}")
    assert "seeder2 and tracker1 are left out of this run, but seeders and portals make the catalogue together" in told


def test_a_dead_host_stops_the_run_before_anything_changes(operator: Operator, lab: Any) -> None:
    subprocess.run(["podman", "stop", "--time", "0", f"{lab.directory.name}-seeder2"], check=True)
    told = operator.refused("site.yml", FILLED_IN)
    assert "seeder2 cannot be reached" in told
    assert "While it is down, run without it: -e lab_absent=seeder2" in told


def test_the_lab_runs_without_a_dead_host(operator: Operator, lab: Any) -> None:
    before = catalogue(lab)
    run = operator.playbook("site.yml", f"-e lab_absent=seeder2 {FILLED_IN}")
    assert run.returncode == 0, run.stdout[-5000:]
    after = catalogue(lab)
    assert list(after) == list(before) == [entry["name"] for entry in CATALOGUE]
    for name, item in after.items():
        assert item["info_hash"] == before[name]["info_hash"]
        assert item["trackers"] == before[name]["trackers"]
    assert after["one.bin"]["swarm"]["seeders"] == ["seeder1"]
    run = operator.playbook("doctor.yml", "-e torrent=one.bin,many -e lab_absent=seeder2 --become-password-file ~/sudo")
    assert run.returncode == 0, run.stdout[-5000:]
