"""The catalogue as data: every fault of every entry found before a host is touched, and what each host has to do.

All of it runs on the controller; nothing here reads a file or asks a host.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence
from urllib.parse import quote, urlsplit

from ansible.module_utils.seedbed import sizes
from ansible.module_utils.seedbed.errors import SeedbedError
from ansible.module_utils.seedbed.layouts import LAYOUTS, MAX_FILES, lengths, name_faults
from ansible.module_utils.seedbed.malformed import malformed_files, malformed_list
from ansible.module_utils.seedbed.metainfo import Links, retarget, stream_files, torrent_info, torrent_metainfo
from ansible.module_utils.seedbed.virtual import virtual_payload

VARIABLE = "catalogue_torrents"

_OPTIONS = (
    *("name", "piece_length", "version", "private", "trackers", "webseed", "comment", "source_tag", "swarm"),
    *("creation_date", "state"),
)
_KEYS = {
    "synthetic": ("synthetic", *_OPTIONS),
    "source": ("source", *_OPTIONS),
    "torrent": ("torrent", "source", "keep_trackers", "trackers", "swarm", "state"),
    "collection": ("collection", *(option for option in _OPTIONS if option != "name")),
}
_RECIPE = ("size", "files", "sizes", "layout", "depth", "fanout", "seed")
_SWARM = ("seeders", "available", "fetch_rest", "upload_limit")

Faults = List[str]
Read = Callable[[str], bytes]  # the bytes of a .torrent file that lies on the controller
Compute = Callable[[Mapping[str, Any]], Dict[str, Any]]  # the descriptor of a recipe, without a file on any disk


class UnreadableTorrent(SeedbedError):
    """A .torrent file that is not there."""


def no_files(path: str) -> bytes:
    """For catalogues without .torrent files."""
    raise UnreadableTorrent(f"{path} cannot be read")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def kind_of(entry: Mapping[str, Any]) -> str:
    """synthetic, source, torrent or collection; empty if the entry does not say, or says too much."""
    kinds = [kind for kind in ("synthetic", "source", "torrent", "collection") if kind in entry]
    if kinds == ["source", "torrent"]:
        return "torrent"
    return kinds[0] if len(kinds) == 1 and kinds != ["torrent"] else ""


def _one_of(wanted: Sequence[str]) -> str:
    return ", ".join(wanted[:-1]) + " or " + wanted[-1] if len(wanted) > 1 else wanted[0]


def _check(value: Any, check: Callable[[Any], Any]) -> Faults:
    try:
        check(value)
    except SeedbedError as error:
        return [str(error)]
    return []


def _unknown(given: Mapping[str, Any], known: Sequence[str]) -> Faults:
    return [f"{_show(key)} is not known here; known are {', '.join(known)}" for key in given if key not in known]


def _is_count(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _size_faults(recipe: Mapping[str, Any]) -> Faults:
    """Faults of size, sizes and files."""
    if ("size" in recipe) == ("sizes" in recipe):
        return ["needs either size (of all files together) or sizes (of each file)"]
    files = recipe.get("files", 1)
    faults = []
    if not _is_count(files, 1, MAX_FILES):
        faults.append(f"files is {_show(files)}; a number from 1 to {MAX_FILES} would be right")
    if "size" in recipe:
        return faults + [f"size: {fault}" for fault in _check(recipe["size"], sizes.parse_size)]
    given = recipe["sizes"]
    if isinstance(given, Mapping):
        if set(given) != {"min", "max"}:
            return [*faults, f"sizes is {_show(dict(given))}; min and max, both, would be right"]
        bad = [f"sizes: {fault}" for key in ("min", "max") for fault in _check(given[key], sizes.parse_size)]
        if not bad and sizes.parse_size(given["min"]) > sizes.parse_size(given["max"]):
            bad.append(f"sizes: min {given['min']} is larger than max {given['max']}")
        return faults + bad
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_FILES:
        return [*faults, f"sizes is {_show(given)}; a list of sizes, or min and max, would be right"]
    if "files" in recipe and files != len(given):
        faults.append(f"files is {_show(files)}, but sizes lists {len(given)}; leave files out")
    return faults + [f"sizes: {fault}" for size in given for fault in _check(size, sizes.parse_size)]


def _recipe_faults(recipe: Any) -> Faults:
    if not isinstance(recipe, Mapping):
        return [f"is {_show(recipe)}; a mapping like {{size: 64MiB}} would be right"]
    faults = _unknown(recipe, _RECIPE) + _size_faults(recipe)
    layout = recipe.get("layout", "flat")
    if not isinstance(layout, str) or layout not in LAYOUTS:
        faults.append(f"layout is {_show(layout)}; {_one_of(list(LAYOUTS))} would be right")
    for key, high in (("depth", 60), ("fanout", 100)):
        if key in recipe and layout != "nested":
            faults.append(f"{key} belongs to layout nested, not to {layout}")
        elif key in recipe and not _is_count(recipe[key], 1, high):
            faults.append(f"{key} is {_show(recipe[key])}; a number from 1 to {high} would be right")
    if not isinstance(recipe.get("seed", ""), (str, int)):
        faults.append(f"seed is {_show(recipe['seed'])}; a text would be right")
    return faults


def tracker_fault(url: Any) -> str:
    """Why a text is no announce URL, or an empty text."""
    if not isinstance(url, str):
        return f"{_show(url)} is not a URL"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https", "udp") and parts.hostname and (parts.port or parts.scheme != "udp")
    except ValueError:
        good = False
    return (
        ""
        if good and " " not in url
        else f"{_show(url)} is not an http, https or udp URL like udp://host:8888/announce"
    )


def tiers_faults(tiers: Any) -> Faults:
    """Faults of a list of tracker tiers."""
    if not isinstance(tiers, list) or not all(isinstance(tier, list) and tier for tier in tiers):
        return [f"is {_show(tiers)}; a list of tiers, each a list of URLs, would be right"]
    return [fault for fault in (tracker_fault(url) for tier in tiers for url in tier) if fault]


def _swarm_faults(swarm: Any, kind: str, seeders: Sequence[str]) -> Faults:
    if not isinstance(swarm, Mapping):
        return [f"is {_show(swarm)}; a mapping would be right"]
    faults = _unknown(swarm, _SWARM)
    wanted = swarm.get("seeders", [])
    if not isinstance(wanted, list):
        faults.append(f"seeders is {_show(wanted)}; a list of host names would be right")
    else:
        strangers = [name for name in wanted if name not in seeders]
        known = f"the seeders are {', '.join(seeders)}" if seeders else "there is no host in group seeders"
        faults += [f"seeders names {_show(name)}, which is not in group seeders; {known}" for name in strangers]
    bad_share = _check(swarm, _share)
    faults += [f"available: {fault}" for fault in bad_share]
    if kind != "synthetic" and swarm.get("available", 1) not in ("100%", 1):
        faults.append("available is for synthetic entries: files that you own are not punched full of holes")
    fetch_rest = swarm.get("fetch_rest", False)
    if not isinstance(fetch_rest, bool):
        faults.append(f"fetch_rest is {_show(fetch_rest)}; true or false would be right")
    elif fetch_rest and not bad_share and _share(swarm) == sizes.WHOLE:
        faults.append("fetch_rest needs available below 100%: without it nothing is left to fetch")
    if swarm.get("upload_limit") is not None:
        faults += [f"upload_limit: {fault}" for fault in _check(swarm["upload_limit"], sizes.parse_rate)]
    return faults


def _share(swarm: Mapping[str, Any]) -> int:
    """What the seeders hold of the content, in millionths."""
    return sizes.parse_share(swarm.get("available", "100%"))


def _type_faults(entry: Mapping[str, Any]) -> Faults:
    """Options whose type is all there is to check."""
    faults = []
    for key in ("private", "webseed", "keep_trackers"):
        if key in entry and not isinstance(entry[key], bool):
            faults.append(f"{key} is {_show(entry[key])}; true or false would be right")
    for key in ("comment", "source_tag"):
        if key in entry and not isinstance(entry[key], str):
            faults.append(f"{key} is {_show(entry[key])}; a text would be right")
    for key in ("source", "torrent", "collection"):
        if key in entry and (not isinstance(entry[key], str) or not entry[key] or "\0" in entry[key]):
            faults.append(f"{key} is {_show(entry[key])}; a path would be right")
    for key in ("source", "collection"):
        if key in entry and isinstance(entry[key], str) and not entry[key].startswith("/"):
            faults.append(f"{key} is {_show(entry[key])}; an absolute path would be right")
    if not _is_count(entry.get("creation_date", 0), 0, 2**40):
        faults.append(f"creation_date is {_show(entry['creation_date'])}; seconds since 1970 would be right")
    if entry.get("state", "present") not in ("present", "absent"):
        faults.append(f"state is {_show(entry['state'])}; present or absent would be right")
    return faults


def _version_faults(entry: Mapping[str, Any]) -> Faults:
    version = entry.get("version", "v1")
    if version == "v2":
        return ["version is 'v2': no version of Transmission seeds v2-only torrents; v1 or hybrid would be right"]
    return [] if version in ("v1", "hybrid") else [f"version is {_show(version)}; v1 or hybrid would be right"]


def _piece_faults(entry: Mapping[str, Any]) -> Faults:
    given = entry.get("piece_length")
    given = None if given == "auto" else given
    faults = [] if given is None else [f"piece_length: {fault}" for fault in _check(given, sizes.parse_piece_length)]
    recipe = entry.get("synthetic")
    if faults or not isinstance(recipe, Mapping) or _size_faults(recipe):
        return faults
    length = 0 if given is None else sizes.parse_piece_length(given)

    def fit(plain: Mapping[str, Any]) -> None:
        sizes.fit_piece_length(lengths(plain, plain["seed"]), hybrid=entry.get("version") == "hybrid", given=length)

    return _check(_recipe(recipe, str(entry.get("name"))), fit)


def _entry_faults(entry: Any, seeders: Sequence[str]) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"is {_show(entry)}; a mapping would be right"
        return
    kind = kind_of(entry)
    if "source" in entry and "synthetic" in entry:
        yield "has both source and synthetic; keep the one that the content comes from"
    elif not kind:
        yield "needs its content from one of: synthetic, source, torrent with source, collection"
    yield from _unknown(entry, _KEYS[kind] if kind else (*_OPTIONS, "source", "synthetic", "torrent", "collection"))
    if "name" in entry:
        yield from name_faults(entry["name"])
    elif kind in ("synthetic", "source", ""):
        yield "has no name"
    if "synthetic" in entry:
        yield from (f"synthetic: {fault}" for fault in _recipe_faults(entry["synthetic"]))
    yield from _type_faults(entry)
    yield from _version_faults(entry)
    yield from _piece_faults(entry)
    if "trackers" in entry:
        yield from (f"trackers: {fault}" for fault in tiers_faults(entry["trackers"]))
    if entry.get("webseed") is True:
        if kind != "synthetic":
            yield "webseed is for synthetic entries, whose content the portals make for themselves"
        elif isinstance(entry.get("swarm"), Mapping) and "available" in entry["swarm"]:
            yield "webseed and swarm.available exclude each other: a web seed has everything"
    if "swarm" in entry:
        yield from (f"swarm: {fault}" for fault in _swarm_faults(entry["swarm"], kind, seeders))


def _torrent_faults(entry: Mapping[str, Any], read: Read) -> tuple[str | None, Faults]:
    """The name in a .torrent file, and why it cannot be used."""
    try:
        info = torrent_info(read(str(entry["torrent"])))
    except SeedbedError as error:
        return None, [f"torrent: {entry['torrent']}: {error}"]
    if info["version"] == "v2":
        return info["name"], [f"torrent: {entry['torrent']} is v2-only, which no version of Transmission seeds"]
    return info["name"], name_faults(info["name"])


def catalogue_faults(entries: Any, *, seeders: Sequence[str] = (), read: Read = no_files) -> Faults:
    """One sentence for everything that is wrong with a catalogue; none if it is good."""
    if not isinstance(entries, list):
        return [f"{VARIABLE} is {_show(entries)}; a list of entries would be right"]
    faults: Faults = []
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        label = f"{VARIABLE}[{number}]" + (f" ({name})" if isinstance(name, str) else "")
        own = list(_entry_faults(entry, seeders))
        if not own and kind_of(entry) == "torrent":
            name, own = _torrent_faults(entry, read)
        faults += [f"{label}: {fault}" for fault in own]
        if isinstance(name, str):
            if name in first:
                faults.append(f"{label}: name is taken by {VARIABLE}[{first[name]}]; names are unique")
            first.setdefault(name, number)
    return faults


def _seeders_of(entry: Mapping[str, Any], seeders: Sequence[str]) -> list[str]:
    wanted = entry.get("swarm", {}).get("seeders")
    return [name for name in seeders if wanted is None or name in wanted]


def _holders_of(entry: Mapping[str, Any], seeders: Sequence[str], portals: Sequence[str]) -> list[str]:
    """Hosts that hold the content: its seeders, and the portals where they are its web seeds."""
    holders = _seeders_of(entry, seeders)
    return holders + [name for name in portals if entry.get("webseed") and name not in holders]


def _recipe(recipe: Mapping[str, Any], name: str) -> dict[str, Any]:
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
        holders = _holders_of(entry, seeders, portals)
        if host in holders:
            found.append({**_spec(entry, read), "hash": kind_of(entry) != "synthetic" or host == holders[0]})
    return found


def _spec(entry: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """An entry as a host wants it, all sizes as numbers."""
    kind, piece_length = kind_of(entry), entry.get("piece_length")
    spec: dict[str, Any] = {
        "kind": kind,
        "state": entry.get("state", "present"),
        "piece_length": 0 if piece_length in (None, "auto") else sizes.parse_piece_length(piece_length),
        "hybrid": entry.get("version") == "hybrid",
        "hash": True,
    }
    spec.update({key: entry[key] for key in ("name", "source", "collection") if key in entry})
    if kind == "torrent":
        spec.update(_torrent_spec(read(entry["torrent"])))
    if kind == "synthetic":
        spec["recipe"] = _recipe(entry["synthetic"], entry["name"])
        swarm = entry.get("swarm", {})
        share = _share(swarm)
        spec["available"] = None if share == sizes.WHOLE else share
        spec["fetch_rest"] = bool(swarm.get("fetch_rest"))
    return spec


def _computed(entry: Mapping[str, Any], compute: Compute) -> dict[str, Any]:
    """The descriptor of a synthetic entry that no host has hashed, computed here."""
    return compute({**_spec(entry, no_files), "available": None})


def web_path(name: str) -> str:
    """A name as one component of a URL."""
    return quote(name, safe="")


def handed_on(told: Any) -> list[dict[str, Any]]:
    """A list as tasks hand it on: JSON text, since Ansible walks every value of a structure again at each use, which
    takes seconds with a thousand items. A list is taken, too."""
    return list(json.loads(told) if isinstance(told, str) else told)


Result = Mapping[str, Any]


def _sentences(failures: Sequence[tuple[str, Result]]) -> Faults:
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
        for payload in handed_on(results.get(host, {}).get("payloads", [])):
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
            "seeders": [host for host in _seeders_of(entry, seeders) if payload["length"] and host in holders],
            "available": sizes.format_share(_share(swarm)),
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
    faults = _sentences([one for one in failures if one not in spared]) + faults
    items = []
    for entry in entries:
        if entry.get("state", "present") == "absent":
            continue
        for found in _names(entry, held, read):
            holders = held.get(found, {})
            payload = next((one for one in holders.values() if one.get("pieces") is not None), None)
            if kind_of(entry) == "synthetic" and not payload and (holders or not _holders_of(entry, seeders, portals)):
                # Held by none on purpose, or the one that should have hashed it for all could not.
                payload = _computed(entry, compute)
            if payload:
                item = _item(
                    entry, payload, holders, seeders=seeders, trackers=trackers, webseed_urls=webseed_urls, read=read
                )
                items.append(item)
            elif found not in failed:
                faults.append(f"{found}: no seeder of it could be asked, so it is not published")
    gone = {name for result in results.values() for name in result.get("gone", [])} - {item["name"] for item in items}
    return {"items": items, "gone": sorted(gone), "failures": faults, "notes": _sentences(spared)}


def host_torrents(items: Sequence[Mapping[str, Any]], host: str, gone: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What one seeder has to seed, and to give up: the parameter `torrents` of module transmission_torrents."""
    found: list[dict[str, Any]] = [{"name": name, "state": "absent"} for name in gone]
    for item in items:
        if host not in item["swarm"]["seeders"]:
            continue
        available = _share(item["swarm"])
        found.append(
            {
                "name": item["name"],
                "info_hash": item["info_hash"],
                "metainfo": item["metainfo"],
                "download_dir": item["download_dirs"][host],
                "trackers": item["trackers"],
                "upload_limit": item["swarm"]["upload_limit"],
                "announce": item["announce"],
                "available": None if available == sizes.WHOLE else available,
                "fetch_rest": item["swarm"]["fetch_rest"],
                "trusted": item["trusted"],
                "remade": host in item["remade"],
                "state": "present",
            }
        )
    return found


def unseeded(results: Mapping[str, Result]) -> Faults:
    """What does not seed as wanted, by what module transmission_torrents returned on each seeder."""
    failures = [(host, failure) for host, result in results.items() for failure in result.get("failures", [])]
    return _sentences([(host, {**failure, "reason": failure["error"]}) for host, failure in failures])


_UNPUBLISHED = ("metainfo", "download_dirs", "remade", "trusted", "announce")


def published_files(
    items: Sequence[Mapping[str, Any]], *, lab: str, with_malformed: bool = False
) -> list[dict[str, str]]:
    """The .torrent files and catalogue.json: the parameter `files` of module torrent_file."""
    files = [{"path": f"torrents/{item['name']}.torrent", "content": item["metainfo"]} for item in items]
    told = [{key: value for key, value in item.items() if key not in _UNPUBLISHED} for item in items]
    broken = malformed_list() if with_malformed else []
    whole = {"schema_version": 1, "lab": lab, "items": told, "malformed": broken}
    text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    files.append({"path": "catalogue.json", "content": base64.b64encode(text.encode()).decode()})
    return files + (malformed_files() if with_malformed else [])


class AddressError(SeedbedError):
    """A host whose address nobody knows."""


def _authority(host: Mapping[str, Any], port: int) -> str:
    """Address and port of a host as they stand in a URL, from its variables."""
    facts = host.get("ansible_facts", {})
    address = host.get("lab_address") or facts.get("default_ipv4", {}).get("address") or host.get("ansible_host")
    if not address:
        name = host.get("inventory_hostname", "a host")
        raise AddressError(f"{name} has no known address; set lab_address, or gather its facts first")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def tracker_tier(host: Mapping[str, Any], port: int) -> list[str]:
    """Announce URLs of one tracker host, from its variables."""
    where = _authority(host, host.get("opentracker_port", port))
    return [f"http://{where}/announce", f"udp://{where}/announce"]


def webseed_base(host: Mapping[str, Any], port: int) -> str:
    """Where a portal serves the payloads, from its variables."""
    return f"http://{_authority(host, host.get('portal_port', port))}/payload/"
