"""A host that other people use, too, with all the names that the lab would like to have.

The first run refuses, names every one of them, and changes nothing. With what its owner hands over the lab runs beside
the neighbours: their site answers, their torrent is there, their files are as they were. In the end the lab is taken
back, content first kept and then not, and the host is what it was, down to modes, units and rules.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "--inventory=molecule/neighbours/inventory.yml"
SCRIPTED = (INVENTORY, "--inventory=molecule/neighbours/scripted.yml")
HANDED_OVER = [
    "/opt/opentracker",
    "/srv/seedbed/leecher",
    "/srv/seedbed/payload",
    "/srv/seedbed/portal",
    "opentracker",
    "opentracker.service",
]
CONSENT = json.dumps({"lab_adopt": HANDED_OVER, "transmission_adopt": True})


def plain(text: str) -> str:
    """The text without colours, which Molecule asks for."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture(scope="module")
def before(lab) -> list[str]:
    """The host with its neighbours, before the lab."""
    script = (ROOT / "molecule" / "neighbours" / "neighbours.sh").read_text(encoding="utf-8")
    made = lab["box"].run("bash -c %s", script)
    assert made.rc == 0, made.stderr
    found = lab.snapshot("box")
    assert any("nginx.service" in line for line in found), found
    return found


@pytest.fixture(scope="module")
def addresses(lab) -> list[str]:
    """The host's own addresses."""
    return own_addresses(lab)


def own_addresses(lab) -> list[str]:
    return sorted(lab["box"].check_output("hostname -I").split())


def test_the_first_run_refuses_and_names_all_of_them(lab, before):
    run = lab.playbook(*SCRIPTED, "playbooks/site.yml")
    assert run.returncode != 0
    told = " ".join(run.stdout.split())
    assert "Nothing was changed. Mend these 7 in the inventory" in told, run.stdout[-3000:]
    for name in HANDED_OVER:
        assert f"lab_adopt: ['{name}']" in told, name
    assert "1 torrent and settings of its own (/etc/transmission-daemon/settings.json)" in told
    assert lab.differences(before, lab.snapshot("box")) == []


def test_the_lab_runs_where_they_are_handed_over(lab, before, addresses):
    run = lab.playbook(*SCRIPTED, "playbooks/site.yml", "--extra-vars", CONSENT)
    assert run.returncode == 0, run.stdout[-5000:]
    again = lab.playbook(*SCRIPTED, "playbooks/site.yml", "--extra-vars", CONSENT)
    assert "changed=0 " in again.stdout, again.stdout[-5000:]
    assert len(own_addresses(lab)) == len(addresses) + 2


def test_it_runs_beside_the_neighbours(lab):
    box = lab["box"]
    assert box.check_output("systemctl is-active nginx.service transmission-daemon.service") == "active\nactive"
    assert "their site" in lab.get(f"http://{lab.address('box')}/").body.decode()
    for name in ("portal/torrents", "payload", "leecher"):
        assert box.file(f"/srv/seedbed/{name}/theirs.torrent").content_string == "theirs\n"
    assert box.file("/opt/seedbed/flood/theirs.torrent").exists
    (copy,) = box.check_output("ls /etc/transmission-daemon/settings.json.before-seedbed-*").splitlines()
    assert json.loads(box.file(copy).content_string)["speed-limit-up"] == 123


def test_their_torrent_is_still_seeded_from_its_folder(lab, wait_until):
    remote = "transmission-remote 8081 --auth 'seedbed:only for this test'"

    def seeds() -> bool:
        shown = lab["box"].run(f"{remote} --torrent all --info").stdout
        torrent = next((part for part in shown.split("NAME") if "film.mkv" in part), "")
        return "Percent Done: 100%" in torrent and "Error:" not in torrent.replace("Error: Tracker", "")

    wait_until(seeds, what="their torrent is whole")


def test_a_host_that_plays_by_script_no_more_loses_daemon_and_addresses(lab, addresses):
    command = (INVENTORY, "playbooks/site.yml", "--extra-vars", CONSENT)
    first, second = lab.playbook(*command), lab.playbook(*command)
    assert first.returncode == 0, first.stdout[-5000:]
    assert "changed=0 " in second.stdout, second.stdout[-5000:]
    assert own_addresses(lab) == addresses
    assert lab["box"].run("systemctl cat seedbed-scripted.service seedbed-addresses.service").rc != 0
    assert not lab["box"].file("/opt/seedbed/scripted.pyz").exists
    assert lab.playbook(*SCRIPTED, "playbooks/site.yml", "--extra-vars", CONSENT).returncode == 0


def test_content_stays_where_it_is_to_be_kept(lab):
    # Another host is down the first time; the inventory names a port that the daemon never had.
    variables = "--extra-vars=keep_content=true transmission_rpc_port=8099"
    command = (*SCRIPTED, "-vvv", "--diff", "playbooks/remove.yml", variables)
    first, second = lab.playbook("--inventory=nowhere.invalid,", *command), lab.playbook(*command)
    assert re.search("nowhere.invalid +: .*unreachable=1", plain(first.stdout)), first.stdout[-5000:]
    assert re.search("box +: .*unreachable=0 +failed=0", plain(first.stdout)), first.stdout[-5000:]
    assert "could not be asked" not in first.stdout
    assert second.returncode == 0, second.stdout[-5000:]
    assert "changed=0 " in second.stdout, second.stdout[-3000:]
    # The daemon that stays was asked, with the password, to give up the lab's torrents.
    assert "only for this test" not in first.stdout + first.stderr + second.stdout + second.stderr
    assert lab["box"].file("/srv/seedbed/payload/single").size == 1048576


def test_and_then_the_host_is_what_it_was(lab, before, addresses):
    runs = [lab.playbook(*SCRIPTED, "playbooks/remove.yml", "--extra-vars=keep_content=false") for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stdout[-5000:]
    assert "changed=0 " in runs[1].stdout, runs[1].stdout[-3000:]
    assert lab.differences(before, lab.snapshot("box")) == []
    assert own_addresses(lab) == addresses
    settings = json.loads(lab["box"].file("/etc/transmission-daemon/settings.json").content_string)
    assert (settings["speed-limit-up"], settings["rpc-port"]) == (123, 9091)


def test_their_daemon_has_its_torrent_and_none_of_ours(lab, wait_until):
    def listed() -> list[str]:
        lines = lab["box"].run("transmission-remote 9091 --list").stdout.splitlines()
        return [line.split()[-1] for line in lines[1:-1]]

    wait_until(lambda: listed() == ["film.mkv"], what="their torrent alone is listed")
