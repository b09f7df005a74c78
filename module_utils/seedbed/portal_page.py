"""What the portal's page says about an item of the catalogue: plain values, ready to be shown."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def amount(count: float) -> str:
    """Return a number of bytes for people, in the units of piece lengths."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{round(count, 1):.10g} {UNITS[unit]}"


def promises(item: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the swarm of an item promises: each with its kind and, where there is one, its value."""
    swarm = item.get("swarm") or {}
    found = []
    if not swarm.get("seeders"):
        found.append({"kind": "seedless", "value": ""})
    if swarm.get("available", "100%") != "100%":
        found.append({"kind": "partial", "value": str(swarm["available"])})
    if swarm.get("upload_limit"):
        found.append({"kind": "slow", "value": amount(swarm["upload_limit"]) + "/s"})
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
        "size": amount(item["size"]),
        "files": len(item["files"]),
        "pieces": item["pieces"],
        "piece_length": amount(item["piece_length"]),
        "promises": made,
        "kinds": " ".join([*kinds, "private" if item["private"] else "public"]),
    }


def printable(name: str) -> str:
    """Return a name whose control characters can be seen."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def announce_urls(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every tracker that an item names, in order, each once."""
    found: dict[str, None] = {}
    for item in items:
        for tier in item["trackers"]:
            found.update(dict.fromkeys(tier))
    return list(found)
