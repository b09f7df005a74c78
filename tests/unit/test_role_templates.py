"""What the roles' templates make of the inventory: addresses of either family, ports and paths of each host's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"


def render(template: str, **variables: Any) -> Any:
    return Templar(DataLoader(), variables).template(trust_as_template(template))


def host(address: str, **ports: int) -> dict[str, Any]:
    listeners = [{"variable": variable, "port": port} for variable, port in ports.items()]
    return {"lab_address": address, "lab_listeners": listeners}


def summary(hosts: dict[str, dict[str, Any]], **groups: list[str]) -> list[str]:
    return render(
        (ROLES / "lab" / "templates" / "summary.j2").read_text(encoding="utf-8"),
        hostvars=hosts,
        groups={"all": list(hosts), "leechers": [], **groups},
        inventory_hostname=groups["portals"][0],
        lab_directory="/nonexistent",
        catalogue_items_json=json.dumps([{"magnet": None, "size": 1024}, {"magnet": "magnet:?x", "size": 1024}]),
    ).splitlines()


def test_the_summary_tells_each_service_with_its_own_port() -> None:
    hosts = {
        "one": host("192.0.2.1", opentracker_port=8100, portal_port=8001) | {"opentracker_stats_path": "numbers"},
        "two": host("192.0.2.2", opentracker_port=8888, portal_port=8000),
        "three": host("2001:db8::3", transmission_rpc_port=8081, flood_port=8200) | {"flood_enabled": True},
        "four": host("192.0.2.4", transmission_rpc_port=8500, flood_port=8083) | {"flood_enabled": "true"},
    }
    assert summary(hosts, portals=["one", "two"], trackers=["one", "two"], seeders=["three", "four"]) == [
        "Portal     http://192.0.2.1:8001/  (2 torrents, 2.00 KB)",
        "Tracker    http://192.0.2.1:8100/announce and udp://192.0.2.1:8100/announce",
        "Statistics http://192.0.2.1:8100/numbers",
        "Web UI     http://[2001:db8::3]:8081/transmission/web/  user seedbed",
        "Flood      http://[2001:db8::3]:8200/  user seedbed",
        "Flood      http://192.0.2.4:8083/  user seedbed",
        "Magnet     magnet:?x",
        "Trouble?   ansible-playbook playbooks/doctor.yml says of every torrent why it does, or does not, download",
    ]


@pytest.mark.parametrize(("address", "url"), [("192.0.2.1", "192.0.2.1:8000"), ("2001:db8::1", "[2001:db8::1]:8000")])
def test_the_leecher_asks_a_portal_of_either_family(address: str, url: str) -> None:
    defaults = yaml.safe_load((ROLES / "leecher" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    hosts = {"one": {"lab_address": address}}
    assert render(defaults["leecher_portal"], hostvars=hosts, groups={"portals": ["one"]}) == f"http://{url}/"


def test_what_listens_on_loopback_alone_is_not_opened() -> None:
    internals = yaml.safe_load((ROLES / "lab_firewall" / "vars" / "main.yml").read_text(encoding="utf-8"))
    listeners = [{"port": 1}, {"port": 2, "loopback": True}, {"port": 3, "loopback": False}]
    opened = render(internals["__lab_firewall_open"], lab_firewall_listeners=listeners)
    assert [listener["port"] for listener in opened] == [1, 3]
