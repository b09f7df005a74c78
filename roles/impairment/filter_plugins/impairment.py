"""What role impairment asks about its variables and hosts, and what it tells people."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.host import impairment, impairment_report

Hosts = Sequence[Mapping[str, Any]]
"""The variables of hosts."""


def _services(host: Mapping[str, Any]) -> Mapping[str, Any]:
    return host.get("lab_services") or {}


def impairment_faults(name: Any, *, minutes: Any, numbers: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with what was asked for."""
    return impairment.option_faults(name, minutes, numbers)


def impairment_ports(hosts: Hosts) -> dict[str, list[int]]:
    """Return the ports of the lab's trackers, and those on which nobody listens for peers."""
    services = [_services(host) for host in hosts]
    web = [("portal", "port"), ("seeder", "rpc_port"), ("leecher", "rpc_port"), ("flood", "port")]
    return {
        "trackers": sorted({int(each["tracker"]["port"]) for each in services if "tracker" in each}),
        "web": sorted({int(each[name][key]) for each in services for name, key in web if name in each}),
    }


def impairment_addresses(host: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a host has in the lab, as far as they are known."""
    facts = host.get("ansible_facts") or {}
    routes = [(facts.get(f"default_{family}") or {}).get("address") for family in ("ipv4", "ipv6")]
    played = (_services(host).get("scripted_peer") or {}).get("addresses") or []
    return [str(address) for address in dict.fromkeys([host.get("lab_ip"), *routes, *played]) if address]


def impairment_meter(leechers: Sequence[str], *, hosts: Hosts, impaired: Sequence[str]) -> str:
    """Return the leecher to which it is measured, empty where there is none that is known."""
    known = {host["inventory_hostname"] for host in hosts if host.get("lab_ip") and "leecher" in _services(host)}
    return min((name for name in leechers if name in known), key=lambda name: name in impaired, default="")


def impairment_portals(portals: Sequence[str], *, hosts: Hosts) -> list[str]:
    """Return the portals of which it is known where they publish."""
    known = {host["inventory_hostname"] for host in hosts if "portal" in _services(host)}
    return [name for name in portals if name in known]


def impairment_lacking(hosts: Hosts) -> list[dict[str, str]]:
    """Return for people what kernels have nothing for."""
    return impairment_report.lacking_lines(
        {host["inventory_hostname"]: (host.get("__impairment_planned") or {}).get("lacking") or [] for host in hosts}
    )


def impairment_lines(hosts: Hosts, *, meter: str) -> list[dict[str, str]]:
    """Return for people what was begun or ended, and what was measured of it."""
    return [
        impairment_report.line(
            host["inventory_hostname"],
            host["__impairment_done"]["current"],
            (host.get("__impairment_measured") or {}).get("measured"),
            meter=meter,
            fault=(host.get("__impairment_counted") or {}).get("message") or "",
        )
        for host in hosts
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "impairment_addresses": impairment_addresses,
            "impairment_faults": impairment_faults,
            "impairment_lacking": impairment_lacking,
            "impairment_lines": impairment_lines,
            "impairment_meter": impairment_meter,
            "impairment_portals": impairment_portals,
            "impairment_ports": impairment_ports,
        }
