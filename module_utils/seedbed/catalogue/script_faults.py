"""What is wrong with the scripts of an entry, and with what only scripts can seed."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.catalogue.specs import Faults, plain_recipe
from ansible.module_utils.seedbed.payload.layouts import lengths
from ansible.module_utils.seedbed.scripted.swarm_script import (
    peers_faults,
    scripted_tiers_faults,
    tiers_scripts,
    webseed_faults,
)
from ansible.module_utils.seedbed.torrent.model import Room
from ansible.module_utils.seedbed.torrent.piece_lengths import piece_length_for

MAX_PERIOD = sizes.GIB  # longer, and hashing it is no quick affair any more


def script_faults(entry: Mapping[str, Any], kind: str, rooms: Sequence[Room]) -> Faults:
    """Return a sentence for everything that is wrong with the scripts of an entry.

    rooms: of each host that plays by script.
    """
    swarm = entry.get("swarm")
    peers = swarm.get("peers", []) if isinstance(swarm, Mapping) else []
    tiers, webseed = entry.get("trackers"), entry.get("webseed")
    scripts = list(tiers_scripts(tiers))
    faults = [f"swarm: {fault}" for fault in peers_faults(peers, rooms)]
    faults += scripted_tiers_faults(tiers) + webseed_faults(webseed)
    web = isinstance(webseed, Mapping)
    if (scripts or web) and not rooms:
        what = " and ".join([*["trackers"][: len(scripts)], *["webseed"][:web]])
        faults.append(f"{what} by script needs a host in group scripted_peers, and there is none")
    if kind == "collection" and (peers or scripts or web):
        faults.append("scripts are for entries of one torrent each: synthetic, source or torrent")
    elif web and kind == "torrent":
        faults.append("webseed by script is for synthetic and source entries, whose .torrent is made here")
    if peers and isinstance(tiers, list) and not scripts:
        faults.append(
            "swarm.peers are found through trackers that are scripts, and trackers has none; leave trackers out, or "
            "add a tier like [{behaviour: healthy}]"
        )
    played = bool(peers) or web
    recipe = entry.get("synthetic")
    if (played or scripts) and isinstance(recipe, Mapping) and recipe.get("seed") == "":
        faults.append("synthetic: seed is empty; scripts need one that is not, or none for the name")
    if entry.get("version") == "v2" and not (played and _nobody_else(entry)):
        faults.append(
            "version is 'v2', which no version of Transmission seeds: add swarm with seeders: [] and peers, so that "
            "scripts alone seed it; v1 or hybrid would be right, too"
        )
    return faults


def _nobody_else(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry says that neither seeders nor portals hold it."""
    swarm = entry.get("swarm")
    return isinstance(swarm, Mapping) and swarm.get("seeders") == [] and entry.get("webseed") is not True


def period_faults(entry: Mapping[str, Any], period: Any, piece_length: int) -> Faults:
    """Return what is wrong with a recipe's period; sizes and piece length (0 for the one that fits) have no faults."""
    try:
        length = sizes.parse_size(period)
    except SeedbedError as error:
        return [f"synthetic: period: {error}"]
    plain = plain_recipe(entry["synthetic"], str(entry.get("name")))
    total = sum(lengths(plain, plain["seed"]))
    piece = piece_length or piece_length_for(total)
    shown = sizes.format_size(piece)
    faults = []
    if not piece <= length <= MAX_PERIOD or length % piece:
        faults.append(
            f"synthetic: period is {quoted(period)}; a multiple of the piece length, {shown}, up to 1 GiB would do"
        )
    if not total or total % piece:
        faults.append(f"synthetic: with a period the sizes add up to a multiple of the piece length, {shown}")
    if not _nobody_else(entry):
        faults.append("synthetic: period is for what no disk holds: add swarm with seeders: [], and peers that play it")
    if entry.get("version", "v1") != "v1":
        faults.append("synthetic: period is for version v1")
    return faults
