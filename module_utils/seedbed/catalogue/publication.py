"""What becomes of the items: torrents for the seeders, files for the portals."""

from __future__ import annotations

import base64
from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import parse_range
from ansible.module_utils.seedbed.catalogue.impairments import rendered
from ansible.module_utils.seedbed.catalogue.items import failure_sentences
from ansible.module_utils.seedbed.catalogue.specs import Faults, part
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.malformed import malformed_files, malformed_list
from ansible.module_utils.seedbed.torrent.model import (
    Failure,
    Item,
    NamedImpairment,
    SeededTorrent,
    WebFile,
    flatten_tiers,
)
from ansible.module_utils.seedbed.torrent.odd import odd_files, odd_list


def host_torrents(items: Sequence[Item], host: str, gone: Sequence[str] = ()) -> list[SeededTorrent]:
    """Return what one seeder has to seed, and to give up: the parameter `torrents` of module transmission_torrents."""
    found: list[SeededTorrent] = [{"name": name, "state": "absent"} for name in gone]
    for item in items:
        if host not in item["swarm"]["seeders"]:
            continue
        ranges = item["swarm"]["ranges"]
        found.append(
            {
                "name": item["name"],
                "info_hash": item["info_hash"],
                "metainfo": item["metainfo"],
                "download_dir": item["download_dirs"][host],
                "trackers": item["trackers"],
                "upload_limit": item["swarm"]["upload_limit"],
                "announce": item["announce"],
                "available": part(parse_range(ranges[host])) if ranges else item["share"],
                "fetch_rest": item["swarm"]["fetch_rest"],
                "trusted": item["trusted"],
                "remade": host in item["remade"],
                "state": "present",
            }
        )
    return found


def unseeded_sentences(results: Mapping[str, Mapping[str, Sequence[Failure]]]) -> Faults:
    """Return what does not seed as it should, by what module transmission_torrents returned on each seeder."""
    failures: list[tuple[str, Failure]] = [
        (host, {"name": failure["name"], "reason": failure["error"]})
        for host, result in results.items()
        for failure in result.get("failures", [])
    ]
    return failure_sentences(failures)


# Of roles/portal/files/catalogue.schema.json. 2: digests may be null, and v2-only torrents have the first 20 bytes of
# their info hash where a v1 info hash was before.
SCHEMA_VERSION = 2

# What the lab's own hosts alone need of an item.
_INTERNAL = frozenset(("metainfo", "share", "download_dirs", "remade", "trusted", "announce", "collection", "scripted"))


def _file(path: str, data: bytes) -> WebFile:
    return {"path": path, "content": base64.b64encode(data).decode()}


def _shown(item: Item) -> dict[str, Any]:
    """Return what everybody may know of an item: who has its .torrent has the passwords of its trackers, too."""
    shown = {key: value for key, value in item.items() if key not in _INTERNAL}
    shown["trackers"] = [[without_password(url) for url in tier] for tier in item["trackers"]]
    shown["webseeds"] = [without_password(url) for url in item["webseeds"]]
    return shown


def _lab_trackers(items: Sequence[Item]) -> list[str]:
    """Return the trackers that a client may be given for all items: those that nobody plays for one item alone."""
    real = [item["trackers"] for item in items if not item["promise"]]
    return flatten_tiers([without_password(url) for url in tier] for tiers in real for tier in tiers)


def _lines(texts: Iterable[str]) -> bytes:
    """Return one text a line, as clients take lists of trackers and of magnets."""
    return "".join(f"{text}\n" for text in texts).encode()


def published_files(
    items: Sequence[Item],
    *,
    lab: str,
    with_malformed: bool = False,
    with_odd: bool = False,
    impairments: Sequence[NamedImpairment] = (),
) -> list[WebFile]:
    """Return the .torrent files, catalogue.json and lists for clients: the parameter `files` of module torrent_file."""
    files: list[WebFile] = [{"path": f"torrents/{item['name']}.torrent", "content": item["metainfo"]} for item in items]
    public = [_shown(item) for item in items]
    whole: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "lab": lab, "items": public}
    whole["malformed"] = malformed_list() if with_malformed else []
    whole["odd"] = odd_list() if with_odd else []
    whole["impairments"] = list(impairments)
    files.append(_file("catalogue.json", rendered(whole)))
    files += [_file("trackers.txt", _lines(_lab_trackers(items)))]
    files += [_file("magnets.txt", _lines(item["magnet"] for item in public if item["magnet"]))]
    files += [_file("impairments.json", rendered({"impairments": whole["impairments"]}))]
    return files + (malformed_files() if with_malformed else []) + (odd_files() if with_odd else [])
