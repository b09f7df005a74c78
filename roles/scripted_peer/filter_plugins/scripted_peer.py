"""What role scripted_peer asks of its variables, and takes of the catalogue."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed import preflight
from ansible.module_utils.seedbed.base.services import host_ip, is_ip, scripted_addresses
from ansible.module_utils.seedbed.scripted.peer_script import REACH

VARIABLE = "scripted_peer_addresses"


def scripted_listeners(port: Any, *, unit: str) -> list[dict[str, Any]]:
    """Return the nine ports that belong to scripted peers, the first for UDP as well.

    At the one for peers that refuse nothing listens, though it is open; what comes to the last is dropped.
    """
    listeners: list[dict[str, Any]] = [
        {"variable": "scripted_peer_port", "port": port, "protocols": ["tcp", "udp"], "unit": unit}
    ]
    for reach, above in REACH.items():
        if above and str(port).isdigit():
            listener = {"variable": f"scripted_peer_port + {above}", "port": int(port) + above, "protocols": ["tcp"]}
            listeners.append({**listener, "unit": unit, **({"dropped": True} if reach == "dropped" else {})})
    return listeners


def scripted_address_faults(
    addresses: Sequence[Any], *, networks: Sequence[str], others: Mapping[str, Sequence[str]], own: str = ""
) -> list[str]:
    """Return why addresses cannot be those of this host's scripted peers; own: its ``lab_address``, maybe a name."""
    known = ["" if address == own and not is_ip(address) else address for address in addresses]
    return preflight.scripted_address_faults(known, networks, others, VARIABLE)


def addresses_by_host(hosts: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the IP addresses that hosts have by the inventory, those of their scripted peers among them."""
    found = {}
    for host in hosts:
        services = host.get("lab_services") or {}
        named = [host_ip(host), host.get("ansible_host"), *services.get("scripted_peer", {}).get("addresses", [])]
        found[str(host["inventory_hostname"])] = [str(address) for address in named if is_ip(address)]
    return found


def scripted_torrents(items_json: str, host: str) -> str:
    """Return what a host plays of the catalogue, as module scripted_peers takes it."""
    items = [item for item in json.loads(items_json) if host in (item.get("scripted") or {})]
    return json.dumps([{"metainfo": item["metainfo"], "scripted": item["scripted"][host]} for item in items])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "addresses_by_host": addresses_by_host,
            "occupied_faults": preflight.occupied_faults,
            "scripted_address_faults": scripted_address_faults,
            "scripted_addresses": scripted_addresses,
            "scripted_listeners": scripted_listeners,
            "scripted_torrents": scripted_torrents,
        }
