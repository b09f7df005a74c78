"""What follows from the entries themselves: what each host has to hold, as module catalogue_payload takes it."""

from __future__ import annotations

import base64
from typing import Any, List, Mapping, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.catalogue.casting import cast_entry, plain_tiers, plays_in
from ansible.module_utils.seedbed.torrent import piece_lengths
from ansible.module_utils.seedbed.torrent.links import links_for
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent
from ansible.module_utils.seedbed.torrent.model import (
    Cast,
    Entry,
    Player,
    PublishedTorrent,
    Recipe,
    ResolvedEntry,
    Spec,
    SwarmWish,
    Tiers,
    flatten_tiers,
)
from ansible.module_utils.seedbed.torrent.retarget import retarget
from ansible.module_utils.seedbed.torrent.torrent_files import TorrentFiles

Faults = List[str]


def kind_of(entry: Mapping[str, Any]) -> str:
    """Return synthetic, source, torrent or collection; empty if the entry does not say, or says too much."""
    kinds = [kind for kind in ("synthetic", "source", "torrent", "collection") if kind in entry]
    if kinds == ["source", "torrent"]:
        return "torrent"
    return kinds[0] if len(kinds) == 1 and kinds != ["torrent"] else ""


def available_ranges(swarm: SwarmWish) -> dict[str, sizes.Range]:
    """Return which part of the content each seeder holds; nothing where all of them hold the same."""
    available = swarm.get("available")
    by_seeder = available if isinstance(available, Mapping) else {}
    return {name: sizes.parse_range(held) for name, held in by_seeder.items()}


def available_share(swarm: SwarmWish) -> int:
    """Return what the seeders hold of the content together, in millionths."""
    ranges = available_ranges(swarm)
    return sizes.together(ranges.values()) if ranges else sizes.parse_share(swarm.get("available", "100%"))  # type: ignore[arg-type]


def part(held: sizes.Range) -> int | None:
    """Return how much a range is, in millionths; None for all."""
    return None if held == (0, sizes.WHOLE) else held[1] - held[0]


def plain_recipe(recipe: Recipe, name: str) -> Recipe:
    """Return a recipe with its sizes as numbers and its seed spelled out."""
    plain: Recipe = {"seed": str(recipe.get("seed", name))}
    if "files" in recipe:
        plain["files"] = recipe["files"]
    if "layout" in recipe:
        plain["layout"] = recipe["layout"]
    if "depth" in recipe:
        plain["depth"] = recipe["depth"]
    if "fanout" in recipe:
        plain["fanout"] = recipe["fanout"]
    if recipe.get("period"):
        plain["period"] = sizes.parse_size(recipe["period"])
    if "size" in recipe:
        plain["size"] = sizes.parse_size(recipe["size"])
        return plain
    listed = recipe["sizes"]
    if isinstance(listed, list):
        plain["sizes"] = [sizes.parse_size(size) for size in listed]
    else:
        plain["sizes"] = {"min": sizes.parse_size(listed["min"]), "max": sizes.parse_size(listed["max"])}
    return plain


def _add_foreign(spec: Spec, torrent: ReadTorrent) -> None:
    """Add what a host has to know of a .torrent to compare its content with."""
    info = torrent.info
    spec["name"] = info["name"]
    spec["hybrid"] = False  # its digests stand in the torrent; only v1 pieces are compared
    spec["needs_hybrid"] = info["version"] == "hybrid"
    spec["piece_length"] = info["piece_length"]
    spec["pieces"] = info["piece_hashes"]
    spec["single_file"] = info["single_file"]
    spec["files"] = torrent.stream
    spec["pads_plain"] = all(file["path"] == [".pad", str(file["length"])] for file in torrent.stream if file["pad"])


def _spec(entry: Entry, torrent: ReadTorrent | None) -> Spec:
    """An entry as a host takes it, all sizes as numbers."""
    kind, piece_length = kind_of(entry), entry.get("piece_length")
    spec: Spec = {
        "kind": kind,
        "state": entry.get("state", "present"),
        "piece_length": 0 if piece_length in (None, "auto") else piece_lengths.parse_piece_length(piece_length or 0),
        "hybrid": entry.get("version") in ("hybrid", "v2"),  # hashed alike
        "hash": True,
    }
    if "name" in entry:
        spec["name"] = entry["name"]
    if "source" in entry:
        spec["source"] = entry["source"]
    if "collection" in entry:
        spec["collection"] = entry["collection"]
    if torrent:
        _add_foreign(spec, torrent)
    if kind == "synthetic":
        spec["recipe"] = plain_recipe(entry["synthetic"], entry["name"])
        swarm = entry.get("swarm", {})
        share = available_share(swarm)
        spec["available"] = part((0, share))
        spec["fetch_rest"] = bool(swarm.get("fetch_rest"))
    return spec


def _foreign_torrent(torrent: ReadTorrent, trackers: Tiers, *, keep: bool) -> PublishedTorrent:
    """A .torrent that somebody else made, as it is published here."""
    info = torrent.info
    raw, tiers = retarget(torrent, trackers=trackers, keep=keep)
    links = links_for(
        torrent.info_section,
        name=info["name"],
        size=info["size"],
        version=info["version"],
        private=info["private"],
        trackers=flatten_tiers(tiers),
    )
    return {
        "name": info["name"],
        "version": info["version"],
        "private": info["private"],
        "webseeds": info["webseeds"],
        "comment": info["comment"],
        "metainfo": base64.b64encode(raw).decode(),
        "trackers": tiers,
        **links,
    }


def _announce(tiers: Tiers, cast: Cast | None, *, labs: bool) -> str:
    """Which trackers have to answer: the lab's own all, of others, which may be dead on purpose, one is enough."""
    if not any(tiers) or (cast and cast["trackers"]):  # those that are scripts may do anything
        return "none"
    return "all" if labs else "any"


def resolve_entries(
    entries: Sequence[Entry],
    *,
    seeders: Sequence[str],
    portals: Sequence[str] = (),
    trackers: Sequence[Sequence[str]] = (),
    torrents: TorrentFiles | None = None,
    all_trackers: bool = True,
    players: Sequence[Player] = (),
) -> list[ResolvedEntry]:
    """Return the entries of a catalogue without faults, with all that follows from them.

    seeders, portals and players: the hosts that can be asked. trackers: the tiers of entries without their own;
    all_trackers: whether each of them has to answer.
    """
    lab = [list(tier) for tier in trackers]
    found: list[ResolvedEntry] = []
    for entry in entries:
        torrent = torrents.get(entry["torrent"]) if torrents and "torrent" in entry else None
        cast = cast_entry(entry, torrent.info["name"] if torrent else entry.get("name", ""), lab, players)
        tiers = cast["tiers"] if cast else plain_tiers(entry, lab)
        foreign = _foreign_torrent(torrent, tiers, keep=entry.get("keep_trackers", True)) if torrent else None
        tiers = foreign["trackers"] if foreign else tiers
        swarm = entry.get("swarm", {})
        chosen = available_ranges(swarm) or swarm.get("seeders")
        seeding = [name for name in seeders if chosen is None or name in chosen]
        found.append(
            {
                "entry": entry,
                "spec": _spec(entry, torrent),
                "torrent": foreign,
                "seeders": seeding,
                "portals": list(portals) if entry.get("webseed") is True else [],
                "trackers": tiers,
                "announce": _announce(tiers, cast, labs=tiers == lab and all_trackers),
                "cast": cast,
            }
        )
    return found


def holders_of(resolved: ResolvedEntry) -> list[str]:
    """Return the hosts that hold the content: its seeders, and the portals where they are its web seeds."""
    return list(dict.fromkeys([*resolved["seeders"], *resolved["portals"]]))


def host_specs(resolved: Sequence[ResolvedEntry], host: str) -> list[Spec]:
    """Return what one host has to hold: the parameter `entries` of module catalogue_payload.

    Content of a recipe is the same everywhere, so its first holder hashes it for all, and where nobody holds it one of
    those who play it; content that we did not make is hashed wherever it lies, or is played.
    """
    found: list[Spec] = []
    for entry in resolved:
        holders, synthetic = holders_of(entry), entry["spec"]["kind"] == "synthetic"
        if host in holders:
            spec: Spec = {**entry["spec"], "hash": not synthetic or host == holders[0]}
            held = available_ranges(entry["entry"].get("swarm", {})).get(host)
            if held:
                spec["available"], spec["available_from"] = part(held), held[0]
            if host in entry["portals"]:
                spec["webseed"], spec["seeded"] = True, host in entry["seeders"]
            found.append(spec)
        elif (entry["cast"] and entry["cast"]["host"] == host and not holders) if synthetic else plays_in(entry, host):
            found.append({**entry["spec"], "hash": True, "seeded": False, "virtual": True})
    return found
