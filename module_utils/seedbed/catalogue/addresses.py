"""Where the lab's hosts are reached: announce URLs and web seeds."""

from __future__ import annotations

from typing import Any, Mapping
from urllib.parse import quote

from ansible.module_utils.seedbed.base.errors import SeedbedError


class AddressError(SeedbedError):
    """A host whose address nobody knows."""


def web_path(name: str) -> str:
    """Return a name as one component of a URL."""
    return quote(name, safe="")


def _authority(host: Mapping[str, Any], port: int) -> str:
    """Address and port of a host as they stand in a URL, from its variables."""
    facts = host.get("ansible_facts", {})
    address = host.get("lab_address") or facts.get("default_ipv4", {}).get("address") or host.get("ansible_host")
    if not address:
        name = host.get("inventory_hostname", "a host")
        raise AddressError(f"{name} has no known address; set lab_address, or gather its facts first")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def tracker_tier(host: Mapping[str, Any], port: int = 8888) -> list[str]:
    """Return the announce URLs of a tracker host, from its variables."""
    where = _authority(host, host.get("opentracker_port", port))
    return [f"http://{where}/announce", f"udp://{where}/announce"]


def webseed_base(host: Mapping[str, Any], port: int = 8000) -> str:
    """Return where a portal serves the content of entries with `webseed`, from its variables."""
    return f"http://{_authority(host, host.get('portal_port', port))}/payload/"
