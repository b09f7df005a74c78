"""What the portal's page says about an item of the catalogue: plain values, ready to be shown."""

from __future__ import annotations

from typing import Sequence, TypedDict

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.scripted.peer_script import PEERS, peer_script
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS, tracker_script
from ansible.module_utils.seedbed.scripted.vocabulary import described
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS, webseed_script
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import Promise, PublicItem, PublishedScript, flatten_tiers


class Tag(TypedDict):
    """One thing that the swarm of an item is, and how much of it, where that can be said."""

    kind: str
    value: str


class Clause(TypedDict):
    """A part of what is promised: the key of the page's words, and what goes into them."""

    key: str
    values: dict[str, str | int]


class Player(TypedDict):
    """Who of a swarm is played by script: of which kind, and what the preset is for."""

    kind: str
    name: str
    why: str
    number: int


class ShownPromise(TypedDict):
    """What is promised by scripts."""

    outcome: str
    clauses: list[Clause]
    players: list[Player]
    testimony: str


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
    tags: list[Tag]
    promise: ShownPromise | None
    kinds: str


PIECES = 8  # that never come, told one by one


def swarm_tags(item: PublicItem) -> list[Tag]:
    """Return what the swarm of an item is."""
    swarm, promise = item["swarm"], item["promise"]
    found: list[Tag] = []
    if promise:
        found.append({"kind": "scripted", "value": ""})
        if promise["hard"]:
            found.append({"kind": "hard", "value": ""})
    elif not swarm["seeders"]:
        found.append({"kind": "seedless", "value": ""})
    if swarm["available"] != "100%":
        found.append({"kind": "partial", "value": swarm["available"]})
    if swarm["ranges"]:
        found.append({"kind": "complementary", "value": " + ".join(swarm["ranges"].values())})
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
    tags, promise = swarm_tags(item), item["promise"]
    kinds = [tag["kind"] for tag in tags]
    kinds.append("private" if item["private"] else "public")
    if promise:
        kinds += [f"outcome-{outcome}" for outcome in {promise["outcome"], promise["magnet"] or promise["outcome"]}]
        kinds.append(f"group-{group(item)}")
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
        "tags": tags,
        "promise": shown_promise(item, promise) if promise else None,
        "kinds": " ".join(sorted(kinds)),
    }


def shown_promise(item: PublicItem, promise: Promise) -> ShownPromise:
    """Return the values of a promise that the page shows."""
    return {
        "outcome": promise["outcome"],
        "clauses": clauses(promise),
        "players": players(item),
        "testimony": promise["testimony"],
    }


def clauses(promise: Promise) -> list[Clause]:
    """Return what has to happen, the most important first."""
    outcome, never = promise["outcome"], promise["never_pieces"]
    values: dict[str, str | int] = {"share": promise["available"]}
    sure = "told"
    for rule in promise["rules"]:
        if rule["rule"] == "completes-within":
            sure = rule["grade"]
            values["seconds"] = rule["value"]
    # Nothing is asserted of what popular clients fail.
    found: list[Clause] = [{"key": f"{outcome}_maybe" if sure == "tell" else outcome, "values": values}]
    if never and promise["available"] != "0%":
        more = len(never) - PIECES
        listed: dict[str, str | int] = {"pieces": ", ".join(map(str, never[:PIECES])), "more": max(0, more)}
        found.append({"key": "never_more" if more > 0 else "never", "values": listed})
    if promise["magnet"] not in (None, outcome):
        found.append({"key": f"magnet_{promise['magnet']}", "values": {}})
    if {"grade": "tell", "rule": "metadata-comes"} in promise["rules"]:
        found.append({"key": "metadata_maybe", "values": {}})
    if any(rule["rule"] == "own-id-dropped" for rule in promise["rules"]):
        found.append({"key": "own_id", "values": {}})
    return found


def group(item: PublicItem) -> str:
    """Return of what the scripts of an item are about: peers, metadata, trackers or webseeds."""
    swarm = item["swarm"]
    seed = swarm["webseed"]
    if seed and webseed_script(seed["script"]) != webseed_script({}):
        return "webseeds"
    if not all(map(_is_honest, swarm["trackers"])):
        return "trackers"
    scripts = [peer_script(peer["script"]) for peer in swarm["peers"]]
    return "metadata" if any(script.metadata != "right" or script.metadata_delay for script in scripts) else "peers"


def _is_honest(tracker: PublishedScript) -> bool:
    return tracker_script(tracker["script"]) == tracker_script({})


def players(item: PublicItem) -> list[Player]:
    """Return who plays, each script once; a tracker that is as all others are goes without saying."""
    swarm = item["swarm"]
    seed = swarm["webseed"]
    played = [
        *(("peer", PEERS, peer["script"]) for peer in swarm["peers"]),
        *(("tracker", TRACKERS, tracker["script"]) for tracker in swarm["trackers"] if not _is_honest(tracker)),
        *([("webseed", WEBSEEDS, seed["script"])] if seed else []),
    ]
    found: dict[tuple[str, str], Player] = {}
    for kind, vocabulary, script in played:
        why = vocabulary.presets[script.get("behaviour", "healthy")].why
        name = described(script)
        player = found.setdefault((kind, name), {"kind": kind, "name": name, "why": why, "number": 0})
        player["number"] += 1
    return list(found.values())


def announce_urls(items: Sequence[PublicItem]) -> list[str]:
    """Return every tracker that an item names, in order, each once."""
    return flatten_tiers(map(without_password, tier) for item in items for tier in item["trackers"])
