"""From what the hosts hold to items: what is seeded and published, and a sentence for everything that could not be."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, TypedDict

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.catalogue.addresses import web_path
from ansible.module_utils.seedbed.catalogue.specs import Faults, holders_of
from ansible.module_utils.seedbed.payload.virtual import virtual_payload
from ansible.module_utils.seedbed.torrent.credentials import magnet_without_passwords
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo
from ansible.module_utils.seedbed.torrent.model import (
    Failure,
    Item,
    Payload,
    PublishedTorrent,
    ResolvedEntry,
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
    entry, trackers = resolved["entry"], resolved["trackers"]
    private, comment = entry.get("private", False), entry.get("comment", "")
    # BEP 19: a file's own URL, or that of the directory above the torrent's.
    below = web_path(payload["name"]) if payload["single_file"] else ""
    webseeds = [base + below for base in webseed_urls] if entry.get("webseed") else []
    made = torrent_metainfo(
        payload,
        trackers=trackers,
        private=private,
        webseeds=webseeds,
        comment=comment,
        tag=entry.get("source_tag", ""),
        creation_date=entry.get("creation_date", 0),
    )
    if "odd" in entry:
        return make_odd(entry["odd"], made)
    return {
        **made,
        "version": "hybrid" if payload.get("hybrid") else "v1",
        "private": private,
        "webseeds": webseeds,
        "comment": comment,
        "trackers": trackers,
    }


def _item(
    resolved: ResolvedEntry, payload: Payload, holders: Mapping[str, Payload], webseed_urls: Sequence[str]
) -> Item:
    spec, swarm = resolved["spec"], resolved["entry"].get("swarm", {})
    limit, share = swarm.get("upload_limit"), spec.get("available")
    torrent = resolved["torrent"] or _own_torrent(resolved, payload, webseed_urls)
    return {
        **torrent,
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
            "seeders": [host for host in resolved["seeders"] if payload["length"] and host in holders],
            "available": sizes.format_share(sizes.WHOLE if share is None else share),
            "fetch_rest": spec.get("fetch_rest", False),
            "upload_limit": None if limit is None else sizes.parse_rate(limit),
        },
        "share": share,
        "trusted": spec["kind"] == "synthetic",
        "announce": resolved["announce"],
        "collection": spec.get("collection", ""),
        "download_dirs": {host: held["download_dir"] for host, held in holders.items()},
        "remade": [host for host, held in holders.items() if held.get("changed")],
    }


def _names(resolved: ResolvedEntry, held: Held, kept: Mapping[str, Item] = MappingProxyType({})) -> list[str]:
    """The names of the items that an entry becomes; of a collection, those too that only other seeders have."""
    spec = resolved["spec"]
    if spec["kind"] != "collection":
        return [spec["name"]]
    pattern = spec["collection"]
    found = [name for name in held if any(payload.get("collection") == pattern for payload in held[name].values())]
    return found + [name for name, item in kept.items() if item["collection"] == pattern and name not in held]


def _only_elsewhere(item: Item, hosts: Sequence[str]) -> bool:
    """Return whether somebody seeds an item, and none of these hosts."""
    seeders = set(item["swarm"]["seeders"])
    return bool(seeders) and not seeders & set(hosts)


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
) -> MadeCatalogue:
    """Return what is published and seeded, and a sentence for everything that could not be done.

    results: by host, what module catalogue_payload returned there. hosts: those that can be asked, in order.
    webseed_urls: of the directories in which the portals serve the content, with a slash at the end. former: the items
    of the last run that had all its seeders: what only seeders have that are not asked now stays as it was, without a
    word where they are absent on purpose.
    """
    held, faults = _held_payloads(results, hosts)
    failed: Failed = [(host, failure) for host in hosts for failure in results.get(host, {}).get("failures", [])]
    # Nobody asked for this very seeder, and others hold it: no fault of the catalogue.
    chosen = {name for entry in entries if "seeders" in entry["entry"].get("swarm", {}) for name in _names(entry, held)}
    excused = [
        (host, failure) for host, failure in failed if failure.get("unfit") and failure["name"] in set(held) - chosen
    ]
    failures = failure_sentences([failure for failure in failed if failure not in excused]) + faults
    failed_names = {failure["name"] for _host, failure in failed}
    items: list[Item] = []
    kept = {item["name"]: item for item in former if _only_elsewhere(item, hosts)}
    for entry in entries:
        if entry["spec"]["state"] == "absent":
            continue
        for name in _names(entry, held, kept):
            holders = held.get(name, {})
            payload = _payload(entry, holders, compute)
            if payload:
                items.append(_item(entry, payload, holders, webseed_urls))
                continue
            if name in kept:
                items.append(kept[name])
            if name in kept and set(kept[name]["swarm"]["seeders"]) <= set(absent):
                continue
            if name not in failed_names:
                stays = "it stays published as it was" if name in kept else "it is not published"
                failures.append(f"{name}: no seeder of it could be asked, so {stays}")
    made = {item["name"] for item in items}
    gone = {name for result in results.values() for name in result.get("gone", [])} - made
    return {"items": items, "gone": sorted(gone), "failures": failures, "notes": failure_sentences(excused)}
