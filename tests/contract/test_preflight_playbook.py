"""What an operator reads when the inventory is wrong: playbooks/preflight.yml refuses it before any host is asked.

The hosts of inventories/local need not exist: a run that got as far as asking them would say so instead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base.lab_record import write_record

ROOT = Path(__file__).resolve().parents[2]


ENTRIES = [
    {"name": "both", "synthetic": {"size": "1MiB"}, "source": "/srv/x"},
    {"name": "neither"},
    {"name": "twice", "synthetic": {"size": "1MiB"}},
    {"name": "twice", "synthetic": {"size": "1MiB"}},
    {"name": "fruit", "synthetic": {"size": "10 bananas"}},
    {"name": "a/b", "synthetic": {"size": "1MiB"}},
    {"name": "..", "synthetic": {"size": "1MiB"}},
]


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        (
            {
                "opentracker_port": 9500,
                "transmission_peer_port": 8081,
                "transmission_rpc_password": "",
                "transmission_web_ui": "archive",
                "transmission_web_ui_archive": "no/such.zip",
                "portal_port": 80,
                "portal_users": ["me:secret"],
                "portal_networks": ["office"],
                "portal_seeders": ["seeder9"],
                "catalogue_torrents": ENTRIES,
            },
            [
                "tracker1: opentracker_port is 9500, outside lab_port_range 8000-9000",
                "seeder1: transmission_rpc_port and transmission_peer_port are both 8081 (tcp)",
                "seeder1: transmission_rpc_password is missing; set it",
                "transmission_web_ui_archive is 'no/such.zip', which is neither",
                "transmission_web_ui_sha256 is ''",
                "portal_port is 80",
                "portal_users has an entry for me that is not NAME:HASH",
                "portal_networks has office, which is no network",
                "portal_trackers or portal_seeders names seeder9, which is not in the inventory",
                "(both): has both source and synthetic",
                "catalogue_torrents[1] (neither): needs its content from one of: synthetic, source",
                "(twice): name is taken by catalogue_torrents[2]",
                "size: '10 bananas' is not a size",
                "name 'a/b' holds a slash",
                "name '..' is not a name",
            ],
        ),
        (
            {
                "transmission_rpc_password": "change-me",
                "flood_enabled": True,
                "flood_port": 8081,
                "flood_password": "change-me",
                "flood_archive": "npm:flood",
                "leecher_rpc_secret": "change-me",
                "portal_aria2_ui_archive": "no/such.zip",
                "portal_aria2_rpc": ["192.0.2.31:8084", "https://x/"],
            },
            [
                "transmission_rpc_password is still the word of the example",
                "seeder1: transmission_rpc_port and flood_port are both 8081 (tcp)",
                "flood_password is still the word of",
                "seeder1: flood_archive is 'npm:flood'",
                "leecher_rpc_secret is still the word of",
                "tracker1: portal_aria2_ui_archive is 'no/such.zip', which is neither",
                "tracker1: portal_aria2_ui_sha256 is ''",
                "tracker1: portal_aria2_rpc has https://x/, which is not HOST:PORT",
            ],
        ),
        (
            {"flood_enabled": True, "flood_password": "", "leecher_rpc_secret": "a b"},
            ["seeder1: flood_password is not set", "leecher1: leecher_rpc_secret is shorter than 8 characters"],
        ),
    ],
)
def test_all_faults_are_told_before_any_host_is_asked(
    refused: Callable[..., str], variables: dict[str, object], sentences: list[str]
) -> None:
    told = refused("preflight.yml", **variables)
    number = re.search(r"Nothing was changed\. Mend these (\d+) in the inventory", told)
    assert number
    assert int(number.group(1)) >= len(sentences)
    for sentence in sentences:
        assert sentence in told


def test_a_configuration_that_is_not_in_force_is_named(refused: Callable[..., str], tmp_path: Path) -> None:
    """As in a directory that everybody may write to, where Ansible ignores ansible.cfg."""
    other = tmp_path / "ansible.cfg"
    other.write_text("[defaults]\n", encoding="utf-8")
    told = refused("preflight.yml", config=other)
    assert f"The project's ansible.cfg is not in force (Ansible read {other})" in told


def test_a_group_without_hosts_is_named(refused: Callable[..., str], tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    groups = ("trackers", "seeders", "portals")
    inventory.write_text("".join(f"{group}: {{hosts: {{one: }}}}\n" for group in groups), encoding="utf-8")
    told = refused("preflight.yml", inventory=str(inventory))
    assert "one: no host is in group leechers; put at least one there" in told


def test_a_copied_inventory_is_told_that_the_name_is_taken(refused: Callable[..., str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_record(str(tmp_path), {}, inventories=[str(other)], all_hosts=[])
    other.mkdir()
    told = refused("preflight.yml", lab_directory=str(tmp_path))
    assert f"lab_name is never-booted, which is the lab of {other}: give this inventory" in told


def test_a_run_without_a_host_needs_word_of_it(refused: Callable[..., str], tmp_path: Path) -> None:
    told = refused("preflight.yml", lab_directory=str(tmp_path), lab_absent="leecher1")
    assert "leecher1 is left out of this run, and no earlier one has left word of the address" in told


def test_a_run_without_a_host_goes_by_the_last_run(refused: Callable[..., str], tmp_path: Path) -> None:
    """As far as asking the hosts, which are not there; the one that is left out is not asked."""
    services = {"portal": {"port": 8000}, "tracker": {"port": 8888, "statistics": "stats"}}
    known = {"lab_address": "192.0.2.1", "lab_ip": "192.0.2.1", "lab_services": services}
    inventory = str(ROOT / "inventories" / "local")
    write_record(str(tmp_path), {"leecher1": known}, inventories=[inventory], all_hosts=["leecher1"])
    told = refused("site.yml", lab_directory=str(tmp_path), lab_absent=["leecher1"])
    assert "fatal: [tracker1]: UNREACHABLE!" in told
    assert "fatal: [leecher1]" not in told


def test_a_role_runs_from_a_playbook_that_lies_elsewhere(
    tmp_path: Path, run_playbook: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Every role asks whether this project's plugins are in force; what counts is where the role lies."""
    playbook = tmp_path / "own.yml"
    check = "import_role: {name: lab, tasks_from: controller}"
    playbook.write_text(f"- {{hosts: tracker1, gather_facts: false, tasks: [{{{check}}}]}}\n", encoding="utf-8")
    run = run_playbook(playbook, lab_name="never-booted")
    assert run.returncode == 0, run.stdout


def test_archives_beside_an_inventory_are_no_inventories(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {one: }}\n", encoding="utf-8")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "sources.tar.xz").write_text("two\nthree\n", encoding="utf-8")
    run = subprocess.run(
        ["ansible-inventory", "-i", str(tmp_path), "--list"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout)["ungrouped"]["hosts"] == ["one"]
