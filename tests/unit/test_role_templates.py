"""What the roles' templates make of the inventory: addresses of either family, ports and paths of each host's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"


def render(template: str, **variables: Any) -> Any:
    return Templar(DataLoader(), variables).template(trust_as_template(template))


@pytest.mark.parametrize(("address", "url"), [("192.0.2.1", "192.0.2.1:8700"), ("2001:db8::1", "[2001:db8::1]:8700")])
def test_the_leecher_asks_a_portal_of_either_family(address: str, url: str) -> None:
    defaults = yaml.safe_load((ROLES / "leecher" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    hosts = {"one": {"lab_address": address, "lab_services": {"portal": {"port": 8700}}}}
    assert render(defaults["leecher_portal"], hostvars=hosts, groups={"portals": ["one"]}) == f"http://{url}/"


def test_what_listens_on_loopback_alone_or_is_dropped_is_not_opened() -> None:
    internals = yaml.safe_load((ROLES / "lab_firewall" / "vars" / "main.yml").read_text(encoding="utf-8"))
    listeners = [
        {"port": 1},
        {"port": 2, "loopback": True},
        {"port": 3, "loopback": False},
        {"port": 4, "dropped": True},
    ]
    opened = render(internals["__lab_firewall_open"], lab_firewall_listeners=listeners)
    assert [listener["port"] for listener in opened] == [1, 3]
