"""The scripts of a whole swarm, as an entry of the catalogue orders them: what is wrong with them, and who plays what.

swarm: {peers: [{behaviour: corrupt, pieces: 1/8}, {behaviour: healthy, after: 60s}]}
trackers: [[{behaviour: slow}], [{behaviour: healthy}, "http://192.0.2.1:8888/announce"]]
webseed: {behaviour: corrupt}
"""

from __future__ import annotations

from typing import Any, Iterator, Literal, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.sizes import Range
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.scripted.peer_script import PEERS, peer_script
from ansible.module_utils.seedbed.scripted.promise import Swarm, promise
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS, is_udp, tracker_script
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS, webseed_script
from ansible.module_utils.seedbed.torrent.model import Promise, Room, ScriptedPeer, Tiers


class Size(NamedTuple):
    """Of a torrent, what a promise needs."""

    name: str
    pieces: int
    size: int
    private: bool = False
    v2: bool = False  # alone, which popular clients do not load


def peers_faults(peers: Any, rooms: Sequence[Room]) -> list[str]:
    """Return a sentence for everything that is wrong with ``swarm.peers``; rooms: of each host that plays."""
    if not isinstance(peers, list):
        return [f"peers is {quoted(peers)}; a list like [{{behaviour: corrupt}}] would be right"]
    faults = [
        f"peers: number {number}: {fault}" for number, peer in enumerate(peers, 1) for fault in PEERS.faults(peer)
    ]
    scripts = [] if faults else [peer_script(peer) for peer in peers]
    if any(script.found_by == "pex" for script in scripts) and not any(script.pex for script in scripts):
        faults.append("peers: found_by: pex needs a peer beside it that names it, such as {behaviour: go-between}")
    if peers and not rooms:
        faults.append("peers needs a host in group scripted_peers, and there is none")
    elif not faults and peers:
        faults += filter(None, [_too_many(peers, rooms)])
    return faults


def _too_many(peers: Sequence[Mapping[str, Any]], rooms: Sequence[Room]) -> str:
    def places(kind: Literal["any", "ipv6", "all"]) -> int:
        return sum(room[kind] for room in rooms)

    six, near = sum(map(needs_ipv6, peers)), sum(map(is_near_tracker, peers))
    most = max(room["any"] for room in rooms)
    if six > places("ipv6"):
        return (
            f"peers has {six} peers with family: ipv6, and {places('ipv6')} IPv6 addresses play; add to "
            "scripted_peer_addresses, or ask for fewer of them"
        )
    if len(peers) > places("all") or len(peers) - six > places("any"):
        return (
            f"peers has {len(peers)} peers, and {places('all' if six else 'any')} addresses play: clients take one "
            "peer an address in a torrent; add to scripted_peer_addresses, or ask for fewer peers"
        )
    if near > most:
        return (
            f"peers has {near} peers with calls, pex, found_by or port-zero, which the tracker's own host plays, and "
            f"none has more than {most} in scripted_peer_addresses"
        )
    return ""


def needs_ipv6(peer: Mapping[str, Any]) -> bool:
    """Return whether a peer is to be reachable over IPv6 alone."""
    return peer_script(peer).family == "ipv6"


def is_near_tracker(peer: Mapping[str, Any]) -> bool:
    """Return whether a peer has to be where clients announce: it calls them, is only there in the announce, or not."""
    script = peer_script(peer)
    return script.calls or script.reach == "port-zero" or script.found_by != "tracker" or script.pex


def tiers_scripts(tiers: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the scripts among tiers in which URLs may stand."""
    for tier in tiers if isinstance(tiers, list) else []:
        yield from (each for each in tier if isinstance(each, Mapping)) if isinstance(tier, list) else ()


def scripted_tiers_faults(tiers: Any) -> list[str]:
    """Return a sentence for every script among the trackers that cannot be played; URLs are looked at elsewhere."""
    scripts = list(tiers_scripts(tiers))
    faults = [f"trackers: {quoted(dict(script))}: {fault}" for script in scripts for fault in TRACKERS.faults(script)]
    if not faults and sum(map(is_udp, scripts)) > 1:
        faults.append(
            "trackers: two scripts are for UDP, where a torrent has one: a packet does not say which it is for"
        )
    return faults


def webseed_faults(webseed: Any) -> list[str]:
    """Return a sentence for everything that is wrong with a scripted web seed; true and false are no scripts."""
    if webseed is None or isinstance(webseed, bool):
        return []
    return [f"webseed: {fault}" for fault in WEBSEEDS.faults(webseed)]


def assign_addresses(peers: Sequence[Mapping[str, Any]], addresses: Sequence[str], turn: int) -> list[ScriptedPeer]:
    """Return each peer with an address of its own; turn says where to begin, so that not all torrents use the first."""
    return [
        {"address": addresses[(turn + number) % len(addresses)], "script": dict(peer)}
        for number, peer in enumerate(peers)
    ]


def split_tiers(tiers: Sequence[Sequence[Any]], base: str) -> tuple[Tiers, dict[str, dict[str, Any]]]:
    """Return the announce URLs of tiers in which scripts may stand, and the scripts by the names in their URLs.

    base: address and port of who plays. Clients derive the scrape's path from the last component, and libtorrent
    announces on loopback to paths that begin with /announce alone. UDP has no path, so one script a torrent is for it.
    """
    urls: Tiers = []
    scripts: dict[str, dict[str, Any]] = {}
    for number, tier in enumerate(tiers, 1):
        urls.append([])
        for place, each in enumerate(tier, 1):
            if not isinstance(each, Mapping):
                urls[-1].append(each)
                continue
            name = "udp" if is_udp(each) else f"{number}-{place}"
            scripts[name] = dict(each)
            urls[-1].append(f"udp://{base}/announce" if is_udp(each) else f"http://{base}/announce/{name}/announce")
    return urls, scripts


def scripted_promise(
    of: Size,
    *,
    peers: Sequence[Mapping[str, Any]] = (),
    tiers: Sequence[Sequence[Any]] = (),
    webseed: Any = None,
    seeded: Sequence[Range] = (),
    testimony: str = "",
) -> Promise:
    """Return what a client is promised by an entry's scripts, which have no faults.

    Trackers that are no scripts know nothing of scripted peers: beside scripts they promise nothing.
    """
    scripts = [[tracker_script(each) for each in tier if isinstance(each, Mapping)] for tier in tiers]
    swarm = Swarm(
        name=of.name,
        pieces=of.pieces,
        size=of.size,
        private=of.private,
        v2=of.v2,
        peers=[peer_script(peer) for peer in peers],
        trackers=[tier for tier in scripts if tier],
        webseed=webseed_script({} if webseed is True else webseed) if webseed else None,
        seeded=seeded,
    )
    return promise(swarm, testimony)
