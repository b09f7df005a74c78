"""Where the lab's hosts are reached: announce URLs and web seeds."""

from __future__ import annotations

from typing import Any, Mapping
from urllib.parse import quote

from ansible.module_utils.seedbed.base.services import bracketed, host_address, service


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


def _authority(host: Mapping[str, Any], name: str) -> str:
    # Stricter than an endpoint: what goes into a torrent has to be an address.
    return f"{bracketed(host_address(host))}:{service(host, name)['port']}"
