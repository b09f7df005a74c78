"""Where the lab's hosts are reached: announce URLs and web seeds."""

from __future__ import annotations

from typing import Any, Mapping, Sequence
from urllib.parse import quote

from ansible.module_utils.seedbed.base.services import (
    bracketed,
    host_address,
    host_ip,
    is_ip,
    scripted_addresses,
    service,
)
from ansible.module_utils.seedbed.torrent.model import Peer, Player, Room


def web_path(name: str) -> str:
    """Return a name as one component of a URL."""
    return quote(name, safe="")


def tracker_tier(host: Mapping[str, Any]) -> list[str]:
    """Return the announce URLs of a tracker host, from its variables."""
    where = _authority(host, "tracker")
    return [f"http://{where}/announce", f"udp://{where}/announce"]


def webseed_base(host: Mapping[str, Any]) -> str:
    """Return where a portal serves the content of entries with `webseed`, from its variables."""
    return f"http://{_authority(host, 'portal')}/payload/"


def player(host: Mapping[str, Any]) -> Player:
    """Return who plays by script on a host, from its variables."""
    told, addresses = service(host, "scripted_peer"), scripted_addresses(host)
    return {
        "host": host["inventory_hostname"],
        "where": _authority(host, "scripted_peer"),
        "port": int(told["port"]),
        "addresses": playing_addresses(addresses),
        "ipv6": _of_ipv6(addresses),
    }


def playing_addresses(addresses: Sequence[str]) -> list[str]:
    """Return those that peers get: of IPv6 only where there are no others, which some clients cannot reach."""
    return [address for address in addresses if ":" not in address] or list(addresses)


def _of_ipv6(addresses: Sequence[str]) -> list[str]:
    return [address for address in addresses if ":" in address]


def playing_rooms(hosts: Sequence[Mapping[str, Any]]) -> list[Room]:
    """Return how many peers each host can play, also before the hosts are asked; one where nobody knows better."""
    told = [(host.get("lab_services") or {}).get("scripted_peer", {}).get("addresses") for host in hosts]
    return [_room(list(map(str, found or [host.get("lab_address", "")]))) for host, found in zip(hosts, told)]


def _room(addresses: Sequence[str]) -> Room:
    plain, six = playing_addresses(addresses), _of_ipv6(addresses)
    return {"any": len(plain), "ipv6": len(six), "all": len({*plain, *six})}


def seeder_peer(host: Mapping[str, Any]) -> Peer | None:
    """Return where a seeder serves peers, from its variables; None where its address or its port is not known."""
    address, port = host_ip(host, str(host.get("lab_address") or "")), service(host, "seeder")["peer_port"]
    return {"address": address, "port": int(port)} if is_ip(address) and port else None


def _authority(host: Mapping[str, Any], name: str) -> str:
    # Stricter than an endpoint: what goes into a torrent has to be an address.
    return f"{bracketed(host_address(host))}:{service(host, name)['port']}"
