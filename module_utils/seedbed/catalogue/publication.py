"""What becomes of the items: torrents for the seeders, files for the portals."""

from __future__ import annotations

import base64
import json
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.catalogue.items import Result, failure_sentences
from ansible.module_utils.seedbed.catalogue.specs import Faults, available_share
from ansible.module_utils.seedbed.torrent.malformed import malformed_files, malformed_list


def host_torrents(items: Sequence[Mapping[str, Any]], host: str, gone: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What one seeder has to seed, and to give up: the parameter `torrents` of module transmission_torrents."""
    found: list[dict[str, Any]] = [{"name": name, "state": "absent"} for name in gone]
    for item in items:
        if host not in item["swarm"]["seeders"]:
            continue
        available = available_share(item["swarm"])
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
    return failure_sentences([(host, {**failure, "reason": failure["error"]}) for host, failure in failures])


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
