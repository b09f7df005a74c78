"""From what the hosts hold to items: what is seeded and published, and a sentence for everything that could not be."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, TypedDict

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.catalogue.addresses import web_path
from ansible.module_utils.seedbed.catalogue.casting import (
    entry_promise,
    entry_webseed,
    is_scripted,
    played_torrents,
    published_peers,
    published_trackers,
    published_webseed,
    testimony_url,
    webseed_url,
)
from ansible.module_utils.seedbed.catalogue.specs import Faults, available_ranges, holders_of, part
from ansible.module_utils.seedbed.payload.virtual import virtual_payload
from ansible.module_utils.seedbed.scripted.swarm_script import Size
from ansible.module_utils.seedbed.torrent.credentials import magnet_without_passwords
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo
from ansible.module_utils.seedbed.torrent.model import (
    Failure,
    Item,
    MadeTorrent,
    Payload,
    Peer,
    Promise,
    PublishedTorrent,
    ResolvedEntry,
    ScriptedTorrent,
    Spec,
    from_json,
)
from ansible.module_utils.seedbed.torrent.odd import make_odd

Compute = Callable[[Spec], Payload]  # the descriptor of a recipe, without a file on any disk
Held = Dict[str, Dict[str, Payload]]  # by name, then host
Failed = List[Tuple[str, Failure]]  # with the host


class PayloadResult(TypedDict, total=False):
    """What module catalogue_payload returned on one host; nothing of it where the host could not be asked."""

    payloads_json: str
    failures: list[Failure]
    gone: list[str]


class MadeCatalogue(TypedDict):
    """The items, and what there is to say about the rest."""

    items: list[Item]
    gone: list[str]
    failures: Faults
    notes: Faults


def failure_sentences(failures: Failed) -> Faults:
    """Return a sentence for each host and reason, however many entries share it."""
    names: dict[tuple[str, str], list[str]] = {}
    for host, failure in failures:
        names.setdefault((host, failure["reason"]), []).append(failure["name"])
    return [f"{host}: {_enumerated(found)}: {reason}" for (host, reason), found in names.items()]


def _enumerated(names: Sequence[str]) -> str:
    """a, b and c; a, b and 12 more."""
    shown = list(names) if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _held_payloads(results: Mapping[str, PayloadResult], hosts: Sequence[str]) -> tuple[Held, Faults]:
    """What each host holds. Content that two hosts hold differently is a fault."""
    held: Held = {}
    faults = []
    for host in hosts:
        payloads: list[Payload] = from_json(results.get(host, {}).get("payloads_json", "[]"))
        for payload in payloads:
            others = held.setdefault(payload["name"], {})
            same = next((other for other in others.items() if "pieces" in other[1]), None)
            if same and "pieces" in payload and _content_of(payload) != _content_of(same[1]):
                faults.append(f"{host}: {payload['name']}: its content differs from that on {same[0]}")
                continue
            others[host] = payload
    return held, faults


def _content_of(payload: Payload) -> tuple[Any, ...]:
    files = [(tuple(file["path"]), file["length"]) for file in payload["files"]]
    return payload["piece_length"], payload["pieces"], files


def _own_torrent(resolved: ResolvedEntry, payload: Payload, webseed_urls: Sequence[str]) -> PublishedTorrent:
    """A torrent of our own making."""
    entry, trackers, cast = resolved["entry"], resolved["trackers"], resolved["cast"]
    private, comment = entry.get("private", False), entry.get("comment", "")
    alone = entry.get("version") == "v2"

    def make(webseeds: Sequence[str]) -> MadeTorrent:
        return torrent_metainfo(
            payload,
            trackers=trackers,
            private=private,
            webseeds=webseeds,
            comment=comment,
            tag=entry.get("source_tag", ""),
            creation_date=entry.get("creation_date", 0),
            without_v1=alone,
        )

    # BEP 19: a file's own URL, or that of the directory above the torrent's.
    below = web_path(payload["name"]) if payload["single_file"] else ""
    webseeds = [base + below for base in webseed_urls] if entry.get("webseed") is True else []
    made = make(webseeds)
    if cast and entry_webseed(entry) is not None:  # its URL has the info hash, of which it is no part
        webseeds = [webseed_url(cast, _wire_hash(made), payload["name"], single=payload["single_file"])]
        made = make(webseeds)
    if "odd" in entry:
        return make_odd(entry["odd"], made)
    return {
        **made,
        "version": "v2" if alone else "hybrid" if payload.get("hybrid") else "v1",
        "private": private,
        "webseeds": webseeds,
        "comment": comment,
        "trackers": trackers,
    }


def _wire_hash(torrent: MadeTorrent) -> str:
    """The info hash that goes over the wire: of v2 alone the first 20 bytes (BEP 52)."""
    return torrent["info_hash"] or torrent["info_hash_v2"][:40]


def _promise(resolved: ResolvedEntry, item: Item) -> Promise | None:
    """What the scripts of an item promise."""
    cast = resolved["cast"]
    size = Size(item["name"], item["pieces"], item["size"], item["private"], v2=item["version"] == "v2")
    testimony = testimony_url(cast["where"], item["info_hash"]) if cast else ""
    swarm, share = item["swarm"], item["share"]
    same = sizes.format_range((0, sizes.WHOLE if share is None else share))
    seeded = [sizes.parse_range(swarm["ranges"].get(host, same)) for host in swarm["seeders"]]
    return entry_promise(resolved["entry"], size, seeded=seeded, testimony=testimony)


def _scripted(resolved: ResolvedEntry, item: Item, peers: Mapping[str, Peer]) -> dict[str, ScriptedTorrent]:
    """What the daemons play of an item."""
    cast, recipe = resolved["cast"], item["recipe"]
    if not cast:
        return {}
    found = played_torrents(
        cast,
        resolved["entry"],
        info_hash=item["info_hash"],
        info_hash_v2=item["info_hash_v2"],
        seed=recipe["seed"] if recipe else "",
        seeders=[peers[host] for host in item["swarm"]["seeders"] if host in peers],
    )
    if recipe and "period" in recipe:
        for torrent in found.values():
            torrent["period"] = recipe["period"]
    return found


def _item(
    resolved: ResolvedEntry,
    payload: Payload,
    holders: Mapping[str, Payload],
    webseed_urls: Sequence[str],
    peers: Mapping[str, Peer],
) -> Item:
    spec, swarm, cast = resolved["spec"], resolved["entry"].get("swarm", {}), resolved["cast"]
    limit, share = swarm.get("upload_limit"), spec.get("available")
    seeders = [host for host in resolved["seeders"] if payload["length"] and host in holders]
    ranges = {host: held for host, held in available_ranges(swarm).items() if host in seeders}
    if ranges:
        share = part((0, sizes.together(ranges.values())))
    torrent = resolved["torrent"] or _own_torrent(resolved, payload, webseed_urls)
    info_hash = _wire_hash(torrent)
    item: Item = {
        **torrent,
        "info_hash": info_hash,
        "magnet": torrent["magnet"] and magnet_without_passwords(torrent["magnet"]),
        "torrent": f"torrents/{web_path(payload['name'] + '.torrent')}",
        "single_file": payload["single_file"],
        "size": payload["length"],
        "piece_length": payload["piece_length"],
        "pieces": len(payload["pieces"]) * 3 // 4 // 20,
        "files": [
            {"path": "/".join(file["path"]) or payload["name"], "length": file["length"], "sha256": file["sha256"]}
            for file in payload["files"]
        ],
        # What a stray block is decoded with; null for content that was not made here.
        "recipe": payload.get("recipe"),
        "swarm": {
            "seeders": seeders,
            "available": sizes.format_share(sizes.WHOLE if share is None else share),
            "ranges": {host: sizes.format_range(held) for host, held in ranges.items()},
            "fetch_rest": spec.get("fetch_rest", False),
            "upload_limit": None if limit is None else sizes.parse_rate(limit),
            "peers": published_peers(cast, info_hash),
            "trackers": published_trackers(cast),
            "webseed": published_webseed(resolved["entry"], "".join(torrent["webseeds"][:1])),
        },
        "promise": None,
        "share": share,
        "trusted": spec["kind"] == "synthetic",
        "announce": resolved["announce"],
        "collection": spec.get("collection", ""),
        "download_dirs": {host: held["download_dir"] for host, held in holders.items() if held["download_dir"]},
        "remade": [host for host, held in holders.items() if held.get("changed")],
        "scripted": {},
    }
    item["promise"], item["scripted"] = _promise(resolved, item), _scripted(resolved, item, peers)
    return item


def _names(resolved: ResolvedEntry, held: Held, kept: Mapping[str, Item] = MappingProxyType({})) -> list[str]:
    """The names of the items that an entry becomes; of a collection, those too that only other seeders have."""
    spec = resolved["spec"]
    if spec["kind"] != "collection":
        return [spec["name"]]
    pattern = spec["collection"]
    found = [name for name in held if any(payload.get("collection") == pattern for payload in held[name].values())]
    return found + [name for name, item in kept.items() if item["collection"] == pattern and name not in held]


def _names_seeders(resolved: ResolvedEntry) -> bool:
    swarm = resolved["entry"].get("swarm", {})
    return "seeders" in swarm or bool(available_ranges(swarm))


def _served_by(item: Item) -> set[str]:
    """The hosts that seed an item, or play it."""
    return {*item["swarm"]["seeders"], *item["scripted"]}


def _only_elsewhere(item: Item, hosts: Sequence[str]) -> bool:
    """Return whether somebody seeds or plays an item, and not one of them is among these hosts."""
    served = _served_by(item)
    return bool(served) and not served & set(hosts)


def _with_all_keys(former: Item) -> Item:
    """An item of an earlier version, which had none that scripts play in, nor seeders that differ."""
    nobody: Any = {"ranges": {}, "peers": [], "trackers": [], "webseed": None}
    whole: Any = {"promise": None, "scripted": {}, **former, "swarm": {**nobody, **former["swarm"]}}
    item: Item = whole
    return item


def _payload(resolved: ResolvedEntry, holders: Mapping[str, Payload], compute: Compute) -> Payload | None:
    """The hashed content of an item, computed where no host on purpose, or none that could, has hashed it."""
    hashed = next((payload for payload in holders.values() if "pieces" in payload), None)
    synthetic = resolved["spec"]["kind"] == "synthetic"
    if synthetic and not hashed and (holders or not holders_of(resolved)):
        return compute({**resolved["spec"], "available": None})
    return hashed


def make_items(
    entries: Sequence[ResolvedEntry],
    results: Mapping[str, PayloadResult],
    *,
    hosts: Sequence[str],
    webseed_urls: Sequence[str] = (),
    compute: Compute = virtual_payload,
    former: Sequence[Item] = (),
    absent: Sequence[str] = (),
    peers: Mapping[str, Peer] = MappingProxyType({}),
) -> MadeCatalogue:
    """Return what is published and seeded, and a sentence for everything that could not be done.

    results: by host, what module catalogue_payload returned there. hosts: those that can be asked, in order.
    webseed_urls: of the directories in which the portals serve the content, with a slash at the end. former: the items
    of the last run that had all its hosts: what only hosts have that are not asked now stays as it was, without a
    word where they are absent on purpose. peers: where the seeders serve peers, for trackers that are scripts.
    """
    held, faults = _held_payloads(results, hosts)
    failed: Failed = [(host, failure) for host in hosts for failure in results.get(host, {}).get("failures", [])]
    # Nobody asked for this very seeder, and others hold it: no fault of the catalogue.
    chosen = {name for entry in entries if _names_seeders(entry) for name in _names(entry, held)}
    excused = [
        (host, failure) for host, failure in failed if failure.get("unfit") and failure["name"] in set(held) - chosen
    ]
    failures = failure_sentences([failure for failure in failed if failure not in excused]) + faults
    failed_names = {failure["name"] for _host, failure in failed}
    items: list[Item] = []
    known = {item["name"]: item for item in map(_with_all_keys, former)}
    kept = {name: item for name, item in known.items() if _only_elsewhere(item, hosts)}
    for entry in entries:
        if entry["spec"]["state"] == "absent":
            continue
        for name in _names(entry, held, kept):
            holders = held.get(name, {})
            uncast = is_scripted(entry["entry"]) and not entry["cast"]
            payload = None if uncast else _payload(entry, holders, compute)
            if payload:
                items.append(_item(entry, payload, holders, webseed_urls, peers))
                continue
            old = known.get(name) if uncast else kept.get(name)
            if old:
                items.append(old)
                missed = set(old["scripted"]) if uncast else _served_by(old)
                if missed and missed <= set(absent):
                    continue
            if uncast or name not in failed_names:
                who = "too few who play it" if uncast else "no seeder of it"
                stays = "it stays published as it was" if old else "it is not published"
                failures.append(f"{name}: {who} could be asked, so {stays}")
    made = {item["name"] for item in items}
    gone = {name for result in results.values() for name in result.get("gone", [])} - made
    return {"items": items, "gone": sorted(gone), "failures": failures, "notes": failure_sentences(excused)}
