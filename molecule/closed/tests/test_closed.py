"""A closed network: the whole lab on one bare host that reaches nothing but its package mirror.

The run ended with a download, and changed nothing the second time. The host asked the proxy for packages alone, never
for anything that the proxy refuses, and has no other way out. The sources and Flood came from the bundle. Doctor and
download, run by themselves, know the host by the address at which SSH arrives.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SCENARIO = Path(__file__).resolve().parents[1]


def test_the_host_has_no_way_out(lab: Any) -> None:
    assert lab["box"].check_output("ip route show default") == ""


def test_it_asked_for_packages_and_nothing_else(lab: Any) -> None:
    log = lab["gate"].file("/var/log/tinyproxy/tinyproxy.log").content_string
    asked = re.findall(r"Request \(file descriptor \d+\): (\S+) (\S+)", log)
    assert len(asked) > 20
    assert {method for method, _url in asked} == {"GET"}
    strange = [url for _method, url in asked if not re.search(r"/(pool|dists)/", url)]
    assert strange == []
    assert "refused on filtered" not in log


def test_the_bundle_names_what_was_taken(lab: Any) -> None:
    closed = yaml.safe_load((lab.directory / "files" / "closed.yml").read_text(encoding="utf-8"))
    assert closed["opentracker_source"] == "controller"
    for name in ("opentracker_archive", "opentracker_libowfat_archive", "flood_archive"):
        assert closed[name].startswith(str(lab.directory / "files")), name


def test_all_services_run(lab: Any) -> None:
    for unit in ("opentracker", "transmission-daemon", "seedbed-portal", "seedbed-flood", "seedbed-firewall"):
        assert lab["box"].service(unit).is_running, unit


@pytest.mark.parametrize("playbook", ["doctor", "download"])
def test_a_playbook_by_itself_knows_the_address_of_a_host_without_a_way_out(lab: Any, playbook: str) -> None:
    """Its default route names none, nor does the inventory: it is the one by which SSH comes in."""
    run = lab.playbook(f"--inventory={SCENARIO}/inventory.yml", f"playbooks/{playbook}.yml", "-e", "lab_absent=gate")
    assert run.returncode == 0, run.stdout[-3000:]
    assert f"http://{lab.address('box')}:8888/announce" in lab["box"].check_output(
        "cat /srv/seedbed/portal/catalogue.json"
    )
