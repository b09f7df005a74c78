"""Who plays the scripts of an entry: hosts and addresses for its peers, URLs for its trackers and its web seed."""

from __future__ import annotations

import zlib
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import Range
from ansible.module_utils.seedbed.catalogue.addresses import web_path
from ansible.module_utils.seedbed.scripted.peer_script import REACH, peer_script
from ansible.module_utils.seedbed.scripted.swarm_script import (
    Size,
    is_near_tracker,
    needs_ipv6,
    scripted_promise,
    split_tiers,
    tiers_scripts,
)
from ansible.module_utils.seedbed.torrent.model import (
    Cast,
    CastPeer,
    Entry,
    Peer,
    Player,
    Promise,
    PublishedPeer,
    PublishedScript,
    ResolvedEntry,
    Script,
    ScriptedTiers,
    ScriptedTorrent,
    Tiers,
)

TORRENTS = "/var/lib/seedbed/scripted/torrents"
HEALTHY: Script = {"behaviour": "healthy"}


def entry_peers(entry: Entry) -> list[Script]:
    """Return the scripted peers that an entry orders."""
    return entry.get("swarm", {}).get("peers", [])


def entry_tiers(entry: Entry, lab: Tiers) -> ScriptedTiers:
    """Return the tiers of an entry, scripts among them.

    The lab's own trackers are for what its seeders have: scripted peers stand in one of their own.
    """
    if "trackers" in entry:
        return entry["trackers"]
    return [[HEALTHY]] if entry_peers(entry) else [list(tier) for tier in lab]


def plain_tiers(entry: Entry, lab: Tiers) -> Tiers:
    """Return the tiers of an entry without the scripts in them."""
    return [[url for url in tier if isinstance(url, str)] for tier in entry.get("trackers", lab)]


def entry_webseed(entry: Entry) -> Script | None:
    """Return the script of the web seed that an entry orders."""
    webseed = entry.get("webseed")
    return dict(webseed) if isinstance(webseed, Mapping) else None


def is_scripted(entry: Entry) -> bool:
    """Return whether an entry without faults orders anything by script."""
    return bool(entry_peers(entry) or entry_webseed(entry) is not None or any(tiers_scripts(entry.get("trackers"))))


def plays_in(resolved: ResolvedEntry, host: str) -> bool:
    """Return whether a host plays anybody of an entry."""
    cast = resolved["cast"]
    return cast is not None and host in players_of(cast)


def players_of(cast: Cast) -> list[str]:
    """Return the hosts that play, that of the trackers first."""
    return list(dict.fromkeys([cast["host"], *(peer["host"] for peer in cast["peers"])]))


def cast_entry(entry: Entry, name: str, lab: Tiers, players: Sequence[Player]) -> Cast | None:
    """Return who plays an entry without faults; None if it has no scripts, or if too few can be asked.

    One host plays all of it as far as its addresses go, so that it is told of in one place, and peers can call those
    who announce there; which one follows from the name, so that it stays where it is.
    """
    if not is_scripted(entry):
        return None
    peers = entry_peers(entry)
    turn, near = zlib.crc32(name.encode()), [peer for peer in peers if is_near_tracker(peer)]
    able = [player for player in players if _placed(near, [player], 0) is not None]
    if not able:
        return None
    first = able[turn % len(able)]
    others = [player for player in players if player is not first]
    placed = _placed(peers, [first, *others], turn // len(able))
    if placed is None:
        return None
    tiers, trackers = split_tiers(entry_tiers(entry, lab), first["where"])
    return {"host": first["host"], "where": first["where"], "peers": placed, "trackers": trackers, "tiers": tiers}


def _placed(peers: Sequence[Script], players: Sequence[Player], turn: int) -> list[CastPeer] | None:
    """Return the peers, each at an address of its own; None where there are too few.

    Those that the first host has to play choose first, then those over IPv6 alone; all keep the order in which they
    were written.
    """
    free = [
        (player, address)
        for number, player in enumerate(players)
        for address in [
            *_rotated(player["addresses"], 0 if number else turn),
            *(address for address in player["ipv6"] if address not in player["addresses"]),
        ]
    ]
    placed: dict[int, CastPeer] = {}
    for number in sorted(range(len(peers)), key=lambda number: _turn(peers[number])):
        fits = [place for place in free if place[1] in place[0]["ipv6" if needs_ipv6(peers[number]) else "addresses"]]
        if not fits:
            return None
        free.remove(fits[0])
        placed[number] = _place(peers[number], *fits[0])
    return [placed[number] for number in range(len(peers))]


def _turn(script: Script) -> tuple[bool, bool]:
    return not is_near_tracker(script), not needs_ipv6(script)


def _rotated(addresses: Sequence[str], turn: int) -> list[str]:
    start = turn % len(addresses) if addresses else 0
    return [*addresses[start:], *addresses[:start]]


def _place(script: Script, player: Player, address: str) -> CastPeer:
    reach = peer_script(script).reach
    port = 0 if reach == "port-zero" else player["port"] + REACH[reach]
    return {
        "host": player["host"],
        "address": address,
        "port": port,
        "where": player["where"],
        "script": dict(script),
    }


def webseed_url(cast: Cast, info_hash: str, name: str, *, single: bool) -> str:
    """Return the URL of a scripted web seed (BEP 19): of the file, or of the directory above the torrent's."""
    return f"http://{cast['where']}/webseed/{info_hash}/{web_path(name) if single else ''}"


def played_torrents(
    cast: Cast, entry: Entry, *, info_hash: str, info_hash_v2: str, seed: str, seeders: Sequence[Peer]
) -> dict[str, ScriptedTorrent]:
    """Return what the daemons play of an item, by host; seeders: those that the tracker hands out besides."""
    found: dict[str, ScriptedTorrent] = {}
    for host in players_of(cast):
        torrent: ScriptedTorrent = {
            "info_hash": info_hash,
            "info_hash_v2": info_hash_v2,
            "torrent": f"{TORRENTS}/{info_hash}.torrent",
            "peers": [
                {"address": peer["address"], "script": peer["script"]} for peer in cast["peers"] if peer["host"] == host
            ],
            "trackers": {},
            "webseed": None,
            "seeders": [],
        }
        if "source" in entry:
            torrent["source"] = entry["source"].rstrip("/")
        else:
            torrent["seed"] = seed
        if host == cast["host"]:
            torrent["trackers"], torrent["webseed"] = cast["trackers"], entry_webseed(entry)
            elsewhere: list[Peer] = [
                {"address": peer["address"], "port": peer["port"]} for peer in cast["peers"] if peer["host"] != host
            ]
            torrent["seeders"] = [*elsewhere, *seeders]
        found[host] = torrent
    return found


def published_peers(cast: Cast | None, info_hash: str) -> list[PublishedPeer]:
    """Return the scripted peers of an item as testers see them."""
    return [
        {
            "address": peer["address"],
            "port": peer["port"],
            "behaviour": _behaviour(peer["script"]),
            "script": peer["script"],
            "testimony": testimony_url(peer["where"], info_hash),
        }
        for peer in (cast["peers"] if cast else [])
    ]


def published_trackers(cast: Cast | None) -> list[PublishedScript]:
    """Return the scripted trackers of an item as testers see them."""
    if not cast:
        return []
    urls = {url for tier in cast["tiers"] for url in tier}
    found: list[PublishedScript] = []
    for name, script in cast["trackers"].items():
        web = f"http://{cast['where']}/announce/{name}/announce"
        url = web if web in urls else f"udp://{cast['where']}/announce"
        found.append({"url": url, "behaviour": _behaviour(script), "script": script})
    return found


def published_webseed(entry: Entry, url: str) -> PublishedScript | None:
    """Return the scripted web seed of an item as testers see it."""
    script = entry_webseed(entry)
    return None if script is None else {"url": url, "behaviour": _behaviour(script), "script": script}


def testimony_url(where: str, info_hash: str) -> str:
    """Return where a daemon tells what it saw of a torrent."""
    return f"http://{where}/testimony/{info_hash}.json"


def _behaviour(script: Mapping[str, Any]) -> str:
    return str(script.get("behaviour", "healthy"))


def entry_promise(entry: Entry, size: Size, *, seeded: Sequence[Range] = (), testimony: str = "") -> Promise | None:
    """Return what a client is promised by the scripts of an entry without faults; None where it has none."""
    if not is_scripted(entry):
        return None
    tiers = entry.get("trackers", [[HEALTHY]])
    return scripted_promise(
        size,
        peers=entry_peers(entry),
        tiers=tiers,
        webseed=entry.get("webseed"),
        seeded=seeded if tiers else (),
        testimony=testimony,
    )
