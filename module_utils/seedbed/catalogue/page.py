"""What the portal's page says about an item of the catalogue: plain values, ready to be shown."""

from __future__ import annotations

from typing import Sequence, TypedDict

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import PublicItem, flatten_tiers


class Promise(TypedDict):
    """One thing that the swarm of an item promises, and how much of it, where that can be said."""

    kind: str
    value: str


class ShownItem(TypedDict):
    """The values of one item that the page shows."""

    name: str
    comment: str
    hash: str
    torrent: str
    magnet: str | None
    bare_magnet: str | None
    private: bool
    version: str
    size: str
    files: int
    pieces: int
    piece_length: str
    promises: list[Promise]
    kinds: str


def promises(item: PublicItem) -> list[Promise]:
    """Return what the swarm of an item promises."""
    swarm = item["swarm"]
    found: list[Promise] = []
    if not swarm["seeders"]:
        found.append({"kind": "seedless", "value": ""})
    if swarm["available"] != "100%":
        found.append({"kind": "partial", "value": swarm["available"]})
    if swarm["fetch_rest"]:
        found.append({"kind": "growing", "value": ""})
    if swarm["upload_limit"]:
        found.append({"kind": "slow", "value": format_size(swarm["upload_limit"]) + "/s"})
    weak = bool(found)
    if item["webseeds"]:
        found.append({"kind": "webseed", "value": ""})
    return found if weak else [{"kind": "healthy", "value": ""}, *found]


def shown_item(item: PublicItem) -> ShownItem:
    """Return the values of one item that the page shows."""
    made = promises(item)
    kinds = [promise["kind"] for promise in made]
    return {
        "name": printable(item["name"]),
        "comment": item["comment"],
        "hash": item["info_hash"],
        "torrent": item["torrent"],
        "magnet": item["magnet"],
        "bare_magnet": item["bare_magnet"],
        "private": item["private"],
        "version": item["version"],
        "size": format_size(item["size"]),
        "files": len(item["files"]),
        "pieces": item["pieces"],
        "piece_length": format_size(item["piece_length"]),
        "promises": made,
        "kinds": " ".join([*kinds, "private" if item["private"] else "public"]),
    }


def announce_urls(items: Sequence[PublicItem]) -> list[str]:
    """Return every tracker that an item names, in order, each once."""
    return flatten_tiers(map(without_password, tier) for item in items for tier in item["trackers"])
