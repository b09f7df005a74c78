"""What can be known to be wrong with the portal's variables, and whom its pages may talk to."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.base.services import endpoint


def portal_faults(
    *,
    users: Sequence[str],
    networks: Sequence[str],
    hosts: Iterable[str],
    inventory: Sequence[str],
    aria2_rpc: Sequence[str],
    collector_seconds: Any = 10,
    reset_token: str = "",
) -> list[str]:
    """Return one sentence for each fault; networks without those of the whole lab, which are reported there."""
    found = []
    if not re.fullmatch("[0-9]{1,4}", str(collector_seconds)) or int(collector_seconds) < 1:
        found.append(f"portal_collector_seconds is {collector_seconds}; expected a number of seconds, 1 or more")
    if reset_token and not re.fullmatch(r"[!-~]{16,}", str(reset_token)):
        found.append(
            "portal_reset_token is shorter than 16 characters, or has other ones than HTTP takes in a header; make one "
            "with openssl rand -hex 24"
        )
    for line in users:
        if not re.fullmatch(r"[^:]+:[$]\S+", str(line)):
            name = str(line).partition(":")[0]
            found.append(
                f"portal_users has an entry for {name} that is not NAME:HASH; make the hash with openssl passwd -6"
            )
    for network in networks:
        if not _is_network(network):
            found.append(f"portal_networks has {network}, which is no network; write it as in 192.168.10.0/24")
    for host in dict.fromkeys(hosts):
        if host not in inventory:
            found.append(f"portal_trackers or portal_seeders names {host}, which is not in the inventory")
    for place in aria2_rpc:
        if not re.fullmatch(r"([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]+", str(place)):
            found.append(f"portal_aria2_rpc has {place}, which is not HOST:PORT; write it as in 192.0.2.31:8084")
    return found


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True


def open_rpcs(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return HOST:PORT of each leecher whose control port others may use, from the variables of the hosts."""
    return [
        endpoint(host, "leecher", "rpc_port")
        for host in hosts
        if host.get("lab_address") and host.get("lab_services", {}).get("leecher", {}).get("rpc_open")
    ]


def testimony_places(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return HOST:PORT of each daemon that testifies, from the variables of the hosts; one that is absent has none."""
    return [
        endpoint(host, "scripted_peer")
        for host in hosts
        if host.get("lab_address") and host.get("lab_services", {}).get("scripted_peer")
    ]


def connect_sources(places: Sequence[str], schemes: Sequence[str] = ("http", "ws")) -> str:
    """Return the sources of a Content-Security-Policy by which a page talks to these places, and to its own portal."""
    return " ".join(["'self'", *(f"{scheme}://{place}" for scheme in schemes for place in places)])
