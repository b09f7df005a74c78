"""What the controller remembers of a lab, and which runs of some of its hosts it allows."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.lab_record import read_record, record_path, write_record
from ansible.module_utils.seedbed.preflight import absent_hosts, copied_name_faults, run_faults

Render = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
GROUPS = {
    "all": ["tracker1", "seeder1", "seeder2", "leecher1", "bastion"],
    "trackers": ["tracker1"],
    "portals": ["tracker1"],
    "seeders": ["seeder1", "seeder2"],
    "leechers": ["leecher1"],
}
ALL = ["tracker1", "seeder1", "seeder2", "leecher1"]


def host(address: str, **more: Any) -> dict[str, Any]:
    return {"lab_address": address, "lab_ip": address, "lab_services": {"tracker": {"port": 8888}}, **more}


def test_hosts_of_former_runs_stay_known(tmp_path: Path) -> None:
    directory = str(tmp_path / "lab")
    assert read_record(directory) == {"inventories": [], "hosts": {}}
    seen = {"a": host("192.0.2.1", transmission_rpc_password="secret"), "b": host("192.0.2.2")}
    write_record(directory, seen, inventories=["/mine"], all_hosts=["a", "b", "c"])
    write_record(directory, {"a": host("192.0.2.9")}, inventories=["/mine"], all_hosts=["a", "b"])
    record = read_record(directory)
    assert record["inventories"] == ["/mine"]
    assert record["hosts"] == {"a": host("192.0.2.9"), "b": host("192.0.2.2")}
    assert "secret" not in Path(record_path(directory)).read_text(encoding="utf-8")
    assert stat.S_IMODE(Path(record_path(directory)).stat().st_mode) == 0o600


def test_hosts_that_the_inventory_no_longer_has_are_forgotten(tmp_path: Path) -> None:
    write_record(str(tmp_path), {"a": host("192.0.2.1")}, inventories=[], all_hosts=["a"])
    write_record(str(tmp_path), {"b": host("192.0.2.2")}, inventories=[], all_hosts=["b"])
    assert list(read_record(str(tmp_path))["hosts"]) == ["b"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hosts": 1}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    Path(record_path(str(tmp_path))).write_text(text, encoding="utf-8")
    assert read_record(str(tmp_path)) == {"inventories": [], "hosts": {}}


def test_a_copied_inventory_needs_a_name_of_its_own() -> None:
    assert copied_name_faults("x", ["/mine"], ["/lab"]) == [
        "lab_name is x, which is the lab of /lab: give this inventory (/mine) a lab_name of its own"
    ]
    assert copied_name_faults("x", ["/lab"], ["/lab"]) == []
    assert copied_name_faults("x", ["/lab"], []) == copied_name_faults("x", [], ["/lab"]) == []


@pytest.mark.parametrize(
    ("value", "names"), [("", []), (None, []), ([], []), ("a", ["a"]), ("a, b", ["a", "b"]), (["a", "b"], ["a", "b"])]
)
def test_absent_hosts_are_a_list_or_a_text(value: Any, names: list[str]) -> None:
    assert absent_hosts(value) == names


@pytest.mark.parametrize(
    ("in_run", "absent", "known", "faults"),
    [
        (ALL, [], [], []),
        # services that stand alone
        (["tracker1", "seeder1", "seeder2"], [], ["leecher1"], []),
        (["leecher1"], [], ["tracker1", "seeder1", "seeder2"], []),
        # no earlier run knows it
        (
            ["leecher1"],
            [],
            ["tracker1"],
            [
                "seeder1 and seeder2 are left out of this run, and no earlier one has left word of the address: run "
                "once with all hosts"
            ],
        ),
        # part of those that make the catalogue
        (
            ["tracker1", "seeder1", "leecher1"],
            [],
            ["seeder2"],
            [
                "seeder2 is left out of this run, but seeders and portals make the catalogue together: run it without "
                "--limit, or, where a host is down, with -e lab_absent=seeder2"
            ],
        ),
        (["tracker1", "seeder1", "leecher1"], ["seeder2"], ["seeder2"], []),
        (["leecher1"], ["seeder2"], ["tracker1", "seeder1", "seeder2"], []),
        (
            ALL,
            ["seeder2"],
            [],
            ["lab_absent names seeder2, which this run asks all the same: give it on the command line, "
             "-e lab_absent=seeder2"],
        ),
        (
            ["seeder1", "seeder2", "leecher1"],
            ["tracker1"],
            ["tracker1"],
            ["lab_absent names tracker1, the first portal, which has the catalogue: without it there is no lab"],
        ),
        (
            ["tracker1", "leecher1"],
            ["seeder1", "seeder2"],
            ["seeder1", "seeder2"],
            ["lab_absent names seeder1, the last seeder: without it there is no lab"],
        ),
    ],
)  # fmt: skip
def test_runs_of_some_hosts(in_run: list[str], absent: list[str], known: list[str], faults: list[str]) -> None:
    assert run_faults(GROUPS, in_run=in_run, absent=absent, known=[*in_run, *known]) == faults


def test_patterns_are_without_the_absent(render: Render) -> None:
    assert render("{{ 'seeders:portals' | without_absent('a,b') }}") == "seeders:portals:!a:!b"
    assert render("{{ 'all' | without_absent([]) }}") == "all"
    assert render("{{ 'a, b' | absent_hosts }}") == ["a", "b"]


def preflight_report(place: Path, *options: str, **arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run the module as the preflight does, for two hosts whose variables are known."""
    inventory = place / "inventory" / "hosts.yml"
    inventory.parent.mkdir(exist_ok=True)
    hosts = {"a": host("192.0.2.1"), "b": host("192.0.2.2")}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    given = {"faults": {}, "name": "x", "directory": str(place / "lab"), **arguments}
    command = ["ansible", "all", "-i", str(inventory), "-m", "preflight_report", "--args", json.dumps(given), *options]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_faults_of_all_hosts_come_together(tmp_path: Path) -> None:
    run = preflight_report(tmp_path, faults={"a": ["x is 1"], "b": ["x is 1", "y is 2"]}, remember=True)
    assert run.returncode == 2
    told = " ".join(run.stdout.replace("\\n", " ").split())
    assert "Nothing was changed. Mend these 2 in the inventory: - a, b: x is 1 - b: y is 2" in told
    assert not (tmp_path / "lab").exists()


def test_hosts_are_remembered_where_nothing_is_wrong(tmp_path: Path, render: Render) -> None:
    assert preflight_report(tmp_path, "--check", remember=True).returncode == 0
    assert not (tmp_path / "lab").exists()
    assert preflight_report(tmp_path, remember=True).returncode == 0
    record = render("{{ directory | lab_record }}", directory=str(tmp_path / "lab"))
    assert record["inventories"] == [str(tmp_path / "inventory")]
    assert record["hosts"] == {"a": host("192.0.2.1"), "b": host("192.0.2.2")}
    # A run without b goes by that; one of another inventory is told.
    assert preflight_report(tmp_path, "--limit", "a").returncode == 0
    shutil.copytree(tmp_path / "inventory", tmp_path / "copy" / "inventory")
    run = preflight_report(tmp_path / "copy", directory=str(tmp_path / "lab"))
    assert f"lab_name is x, which is the lab of {tmp_path}/inventory" in run.stdout
