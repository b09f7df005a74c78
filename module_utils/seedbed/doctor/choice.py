"""What the doctor looks at, and what is wrong with what was asked for."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent import metainfo_reader
from ansible.module_utils.seedbed.torrent.magnet import magnet_item
from ansible.module_utils.seedbed.torrent.torrent_files import torrent_reader


class TorrentFileError(SeedbedError):
    """A file that is no torrent the doctor can look at."""


def subject(
    catalogue: Sequence[Mapping[str, Any]], names: Sequence[str], torrent_file: str, magnet: str
) -> dict[str, Any]:
    """The items to look at, and what is wrong with what was asked for."""
    if sum(map(bool, (names, torrent_file, magnet))) > 1:
        return {"items": [], "faults": ["torrent, torrent_file and magnet exclude each other; give one of them"]}
    try:
        if torrent_file:
            return {"items": [torrent_item(torrent_file)], "faults": []}
        if magnet:
            return {"items": [magnet_item(magnet)], "faults": []}
    except SeedbedError as error:
        return {"items": [], "faults": [str(error)]}
    known = [item["name"] for item in catalogue]
    faults = [
        f"torrent is {name!r}, which the catalogue does not have; it has {', '.join(known)}"
        for name in names
        if name not in known
    ]
    return {"items": [item for item in catalogue if item["name"] in names or not names], "faults": faults}


def option_faults(
    names: Sequence[str], torrent_file: str, magnet: str, seconds: Mapping[str, float], json_path: str
) -> list[str]:
    """What is wrong with the options, as far as it is known before any host is asked."""
    faults: list[str] = subject([], names, torrent_file, magnet)["faults"] if torrent_file or magnet else []
    faults += [f"{name} is {value:g}; expected seconds, more than 0" for name, value in seconds.items() if value <= 0]
    directory = os.path.dirname(os.path.abspath(json_path))
    if json_path and not os.access(directory, os.W_OK):
        faults.append(f"doctor_json is {json_path}, and {directory} is no directory that can be written to")
    return faults


def torrent_item(path: str) -> dict[str, Any]:
    """Any .torrent file of this machine as an item."""
    try:
        data = torrent_reader("")(path)
    except SeedbedError as error:
        raise TorrentFileError(f"torrent_file: {error}") from error
    try:
        info = metainfo_reader.torrent_info(data)
    except SeedbedError as error:
        raise TorrentFileError(f"torrent_file is {path}, which is no .torrent: {error}") from error
    if info["version"] == "v2":
        raise TorrentFileError(f"torrent_file is {path}, which is of version 2 alone; the doctor knows v1 and hybrid")
    return {**{key: info[key] for key in ("name", "info_hash", "private", "trackers")}, "swarm": None}
