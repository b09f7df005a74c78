"""The catalogue as data: every fault of every entry found before a host is touched, and what each host has to do.

All of it runs on the controller; nothing here reads a file or asks a host.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Mapping, Sequence
from urllib.parse import quote

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.catalogue.specs import (
    Compute,
    Faults,
    available_share,
    computed_payload,
    holders_of,
    kind_of,
    seeders_of,
)
from ansible.module_utils.seedbed.payload.virtual import virtual_payload
from ansible.module_utils.seedbed.torrent.metainfo import Links, torrent_metainfo
from ansible.module_utils.seedbed.torrent.metainfo_reader import retarget, torrent_info
from ansible.module_utils.seedbed.torrent.torrent_files import Read, no_files


def web_path(name: str) -> str:
    """A name as one component of a URL."""
    return quote(name, safe="")


def handed_on(told: Any) -> list[dict[str, Any]]:
    """A list as tasks hand it on: JSON text, since Ansible walks every value of a structure again at each use, which
    takes seconds with a thousand items. A list is taken, too."""
    return list(json.loads(told) if isinstance(told, str) else told)


Result = Mapping[str, Any]


def failure_sentences(failures: Sequence[tuple[str, Result]]) -> Faults:
    """Of (host, failure): a sentence for each host and reason, however many entries share it."""
    names: dict[tuple[str, str], list[str]] = {}
    for host, failure in failures:
        names.setdefault((host, failure["reason"]), []).append(failure["name"])
    return [f"{host}: {_listed(found)}: {reason}" for (host, reason), found in names.items()]


def _listed(names: Sequence[str]) -> str:
    """a, b and c; a, b and 12 more."""
    told = list(names) if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _descriptors(
    results: Mapping[str, Result], seeders: Sequence[str]
) -> tuple[dict[str, dict[str, Mapping[str, Any]]], Faults]:
    """By name, then host: what each seeder holds. Content that two seeders hold differently is a fault."""
    held: dict[str, dict[str, Mapping[str, Any]]] = {}
    faults = []
    for host in seeders:
        for payload in handed_on(results.get(host, {}).get("payloads_json", [])):
            others = held.setdefault(payload["name"], {})
            same = next((other for other in others.items() if other[1].get("pieces") is not None), None)
            if same and payload.get("pieces") is not None and _content_of(payload) != _content_of(same[1]):
                faults.append(f"{host}: {payload['name']}: its content differs from that on {same[0]}")
                continue
            others[host] = payload
    return held, faults


def _content_of(payload: Mapping[str, Any]) -> tuple[Any, ...]:
    files = [(tuple(file["path"]), file["length"]) for file in payload["files"]]
    return payload["piece_length"], payload["pieces"], files


def _webseeds(entry: Mapping[str, Any], payload: Mapping[str, Any], bases: Sequence[str]) -> list[str]:
    """BEP 19: a file's own URL, or the directory above the torrent's."""
    if not entry.get("webseed"):
        return []
    return [base + web_path(payload["name"]) if payload["single_file"] else base for base in bases]


def _new(
    entry: Mapping[str, Any], payload: Mapping[str, Any], tiers: Sequence[Sequence[str]], webseeds: Sequence[str]
) -> dict[str, Any]:
    """A torrent of our own making."""
    private, comment = bool(entry.get("private", False)), entry.get("comment", "")
    made = torrent_metainfo(
        payload,
        trackers=tiers,
        private=private,
        webseeds=webseeds,
        comment=comment,
        tag=entry.get("source_tag", ""),
        creation_date=entry.get("creation_date", 0),
    )
    version = "hybrid" if payload.get("hybrid") else "v1"
    return {**made, "version": version, "private": private, "webseeds": list(webseeds), "comment": comment}


def _item(
    entry: Mapping[str, Any],
    payload: Mapping[str, Any],
    holders: Mapping[str, Mapping[str, Any]],
    *,
    seeders: Sequence[str],
    trackers: Sequence[Sequence[str]],
    webseed_urls: Sequence[str],
    read: Read,
) -> dict[str, Any]:
    tiers = entry.get("trackers", trackers)
    if kind_of(entry) == "torrent":
        raw = retarget(read(entry["torrent"]), trackers=tiers, keep=entry.get("keep_trackers", True))
        told = torrent_info(raw)
        made = {key: told[key] for key in ("name", "version", "private", "webseeds", "comment", *Links._fields)}
        made["metainfo"] = base64.b64encode(raw).decode()
        tiers = told["trackers"]
    else:
        made = _new(entry, payload, tiers, _webseeds(entry, payload, webseed_urls))
    swarm = entry.get("swarm", {})
    limit = swarm.get("upload_limit")
    return {
        **made,
        "single_file": payload["single_file"],
        "size": payload["length"],
        "piece_length": payload["piece_length"],
        "pieces": len(payload["pieces"]) * 3 // 4 // 20,
        "files": [
            {"path": "/".join(file["path"]) or payload["name"], "length": file["length"], "sha256": file["sha256"]}
            for file in payload["files"]
        ],
        "trackers": [list(tier) for tier in tiers],
        "torrent": f"torrents/{web_path(payload['name'] + '.torrent')}",
        # What a stray block is decoded with; null for content that was not made here.
        "recipe": payload.get("recipe"),
        "trusted": kind_of(entry) == "synthetic",
        # The lab's own trackers have to answer; of others, which may be dead on purpose, one is enough.
        "announce": "none" if not any(tiers) else "all" if tiers == trackers else "any",
        "swarm": {
            "seeders": [host for host in seeders_of(entry, seeders) if payload["length"] and host in holders],
            "available": sizes.format_share(available_share(swarm)),
            "fetch_rest": bool(swarm.get("fetch_rest")),
            "upload_limit": None if limit is None else sizes.parse_rate(limit),
        },
        "download_dirs": {host: held["download_dir"] for host, held in holders.items()},
        "remade": [host for host, held in holders.items() if held.get("changed")],
    }


def _names(entry: Mapping[str, Any], held: Mapping[str, Mapping[str, Mapping[str, Any]]], read: Read) -> list[str]:
    """The names of the items that an entry becomes."""
    kind = kind_of(entry)
    if kind == "torrent":
        return [torrent_info(read(entry["torrent"]))["name"]]
    if kind != "collection":
        return [entry["name"]]
    pattern = entry["collection"]
    return [name for name in held if any(one.get("collection") == pattern for one in held[name].values())]


def catalogue_items(
    entries: Sequence[Mapping[str, Any]],
    results: Mapping[str, Result],
    *,
    seeders: Sequence[str],
    trackers: Sequence[Sequence[str]] = (),
    portals: Sequence[str] = (),
    webseed_urls: Sequence[str] = (),
    read: Read = no_files,
    compute: Compute = virtual_payload,
) -> dict[str, Any]:
    """What is published and seeded, and a sentence for everything that could not be done.

    results: by seeder, what module catalogue_payload returned there.
    """
    hosts = [*seeders, *(host for host in portals if host not in seeders)]
    held, faults = _descriptors(results, hosts)
    failures = [(host, failure) for host in hosts for failure in results.get(host, {}).get("failures", [])]
    failed = {failure["name"] for _host, failure in failures}
    # Nobody asked for this very seeder, and others hold it: no fault of the catalogue.
    chosen = {name for entry in entries if "seeders" in entry.get("swarm", {}) for name in _names(entry, held, read)}
    spared = [one for one in failures if one[1].get("unfit") and one[1]["name"] in set(held) - chosen]
    faults = failure_sentences([one for one in failures if one not in spared]) + faults
    items = []
    for entry in entries:
        if entry.get("state", "present") == "absent":
            continue
        for found in _names(entry, held, read):
            holders = held.get(found, {})
            payload = next((one for one in holders.values() if one.get("pieces") is not None), None)
            if kind_of(entry) == "synthetic" and not payload and (holders or not holders_of(entry, seeders, portals)):
                # Held by none on purpose, or the one that should have hashed it for all could not.
                payload = computed_payload(entry, compute)
            if payload:
                item = _item(
                    entry, payload, holders, seeders=seeders, trackers=trackers, webseed_urls=webseed_urls, read=read
                )
                items.append(item)
            elif found not in failed:
                faults.append(f"{found}: no seeder of it could be asked, so it is not published")
    gone = {name for result in results.values() for name in result.get("gone", [])} - {item["name"] for item in items}
    return {"items": items, "gone": sorted(gone), "failures": faults, "notes": failure_sentences(spared)}
