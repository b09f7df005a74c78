"""What each host has to hold: entries as module catalogue_payload takes them."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.torrent import piece_lengths
from ansible.module_utils.seedbed.torrent.metainfo_reader import stream_files, torrent_info
from ansible.module_utils.seedbed.torrent.torrent_files import Read, no_files

Faults = List[str]
Compute = Callable[[Mapping[str, Any]], Dict[str, Any]]  # the descriptor of a recipe, without a file on any disk


def kind_of(entry: Mapping[str, Any]) -> str:
    """synthetic, source, torrent or collection; empty if the entry does not say, or says too much."""
    kinds = [kind for kind in ("synthetic", "source", "torrent", "collection") if kind in entry]
    if kinds == ["source", "torrent"]:
        return "torrent"
    return kinds[0] if len(kinds) == 1 and kinds != ["torrent"] else ""


def available_share(swarm: Mapping[str, Any]) -> int:
    """What the seeders hold of the content, in millionths."""
    return sizes.parse_share(swarm.get("available", "100%"))


def seeders_of(entry: Mapping[str, Any], seeders: Sequence[str]) -> list[str]:
    wanted = entry.get("swarm", {}).get("seeders")
    return [name for name in seeders if wanted is None or name in wanted]


def holders_of(entry: Mapping[str, Any], seeders: Sequence[str], portals: Sequence[str]) -> list[str]:
    """Hosts that hold the content: its seeders, and the portals where they are its web seeds."""
    holders = seeders_of(entry, seeders)
    return holders + [name for name in portals if entry.get("webseed") and name not in holders]


def plain_recipe(recipe: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A recipe with its sizes as numbers and its seed spelled out."""
    plain = {key: recipe[key] for key in ("files", "layout", "depth", "fanout") if key in recipe}
    plain["seed"] = str(recipe.get("seed", name))
    if "size" in recipe:
        plain["size"] = sizes.parse_size(recipe["size"])
    elif isinstance(recipe["sizes"], Mapping):
        plain["sizes"] = {key: sizes.parse_size(recipe["sizes"][key]) for key in ("min", "max")}
    else:
        plain["sizes"] = [sizes.parse_size(size) for size in recipe["sizes"]]
    return plain


def _torrent_spec(raw: bytes) -> dict[str, Any]:
    """What a seeder has to know of a .torrent to compare its content with."""
    info, files = torrent_info(raw), stream_files(raw)
    return {
        "name": info["name"],
        "hybrid": False,  # its digests stand in the torrent; only v1 pieces are compared
        "needs_hybrid": info["version"] == "hybrid",
        "piece_length": info["piece_length"],
        "pieces": info["piece_hashes"],
        "single_file": info["single_file"],
        "files": files,
        "pads_plain": all(file["path"] == [".pad", str(file["length"])] for file in files if file["pad"]),
    }


def host_entries(
    entries: Sequence[Mapping[str, Any]],
    host: str,
    *,
    seeders: Sequence[str],
    portals: Sequence[str] = (),
    read: Read = no_files,
) -> list[dict[str, Any]]:
    """What one host has to hold: the parameter `entries` of module catalogue_payload.

    Content of a recipe is the same everywhere, so its first holder hashes it for all; content that
    we did not make is hashed wherever it lies.
    """
    found = []
    for entry in entries:
        holders = holders_of(entry, seeders, portals)
        if host in holders:
            found.append({**spec_of(entry, read), "hash": kind_of(entry) != "synthetic" or host == holders[0]})
    return found


def spec_of(entry: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """An entry as a host wants it, all sizes as numbers."""
    kind, piece_length = kind_of(entry), entry.get("piece_length")
    spec: dict[str, Any] = {
        "kind": kind,
        "state": entry.get("state", "present"),
        "piece_length": 0 if piece_length in (None, "auto") else piece_lengths.parse_piece_length(piece_length),
        "hybrid": entry.get("version") == "hybrid",
        "hash": True,
    }
    spec.update({key: entry[key] for key in ("name", "source", "collection") if key in entry})
    if kind == "torrent":
        spec.update(_torrent_spec(read(entry["torrent"])))
    if kind == "synthetic":
        spec["recipe"] = plain_recipe(entry["synthetic"], entry["name"])
        swarm = entry.get("swarm", {})
        share = available_share(swarm)
        spec["available"] = None if share == sizes.WHOLE else share
        spec["fetch_rest"] = bool(swarm.get("fetch_rest"))
    return spec


def computed_payload(entry: Mapping[str, Any], compute: Compute) -> dict[str, Any]:
    """The descriptor of a synthetic entry that no host has hashed, computed here."""
    return compute({**spec_of(entry, no_files), "available": None})
