"""What the portal's page says about an item of the catalogue: plain values, ready to be shown."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import printable


def promises(item: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the swarm of an item promises: each with its kind and, where there is one, its value."""
    swarm = item.get("swarm") or {}
    found = []
    if not swarm.get("seeders"):
        found.append({"kind": "seedless", "value": ""})
    if swarm.get("available", "100%") != "100%":
        found.append({"kind": "partial", "value": str(swarm["available"])})
    if swarm.get("fetch_rest"):
        found.append({"kind": "growing", "value": ""})
    if swarm.get("upload_limit"):
        found.append({"kind": "slow", "value": format_size(swarm["upload_limit"]) + "/s"})
    if item.get("webseeds"):
        found.append({"kind": "webseed", "value": ""})
    healthy = not found or found == [{"kind": "webseed", "value": ""}]
    return ([{"kind": "healthy", "value": ""}] if healthy else []) + found


def shown_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of one item that the page shows."""
    made = promises(item)
    kinds = [promise["kind"] for promise in made]
    return {
        "name": printable(item["name"]),
        "comment": item.get("comment") or "",
        "hash": item["info_hash"],
        "torrent": item["torrent"],
        "magnet": item["magnet"],
        "bare_magnet": item["bare_magnet"],
        "private": item["private"],
        "version": item.get("version", "v1"),
        "size": format_size(item["size"]),
        "files": len(item["files"]),
        "pieces": item["pieces"],
        "piece_length": format_size(item["piece_length"]),
        "promises": made,
        "kinds": " ".join([*kinds, "private" if item["private"] else "public"]),
    }


def announce_urls(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every tracker that an item names, in order, each once."""
    found: dict[str, None] = {}
    for item in items:
        for tier in item["trackers"]:
            found.update(dict.fromkeys(tier))
    return list(found)
