"""Every fault of every variable of a catalogue, found before a host is touched."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import is_text, printable, quoted
from ansible.module_utils.seedbed.catalogue.entry_faults import entry_faults
from ansible.module_utils.seedbed.catalogue.menu import menu_faults
from ansible.module_utils.seedbed.catalogue.specs import Faults, kind_of
from ansible.module_utils.seedbed.torrent.model import Room
from ansible.module_utils.seedbed.torrent.names import name_faults
from ansible.module_utils.seedbed.torrent.odd import odd_entries
from ansible.module_utils.seedbed.torrent.torrent_files import TorrentFiles, torrent_reader
from ansible.module_utils.seedbed.torrent.trackers import tiers_faults

_DIRECTORIES = ("catalogue_payload_dir", "catalogue_state_dir", "catalogue_publish_dir")
_NUMBERS = {
    "catalogue_processes": (0, 1024),
    "catalogue_progress_seconds": (1, 86400),
    "catalogue_seed_timeout": (1, 86400),
}


def catalogue_faults(
    variables: Mapping[str, Any],
    *,
    seeders: Sequence[str] = (),
    rooms: Sequence[Room] = (),
    torrents: TorrentFiles | None = None,
) -> Faults:
    """Return a sentence for everything that is wrong with the variables of role catalogue, none if they are good.

    Any may be left out. Their types were checked, which takes numbers as text, null for a path, and any list.
    rooms: of each host that plays by script.
    """
    entries, menu = variables.get("catalogue_torrents", []), variables.get("catalogue_menu", [])
    faults = [f"catalogue_trackers {fault}" for fault in tiers_faults(variables.get("catalogue_trackers", []))]
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    faults += [f"catalogue_menu {fault}" for fault in menu_faults(menu, names, rooms)]
    if variables.get("catalogue_odd") is True:
        faults += [
            f"catalogue_odd adds {entry['name']!r}, a name that an entry of catalogue_torrents has"
            for entry in odd_entries()
            if entry["name"] in names
        ]
    faults += _plain_faults(variables)
    directory = variables.get("catalogue_torrent_dir", ".")
    if not is_text(directory) or "\0" in directory:
        faults.append(f"catalogue_torrent_dir is {quoted(directory)}; a directory on the controller would be right")
        directory = "."
    return faults + entries_faults(
        entries, seeders=seeders, rooms=rooms, torrents=torrents or TorrentFiles(torrent_reader(directory))
    )


def _plain_faults(variables: Mapping[str, Any]) -> Faults:
    """Faults of the variables that stand for themselves."""
    faults = []
    for name in _DIRECTORIES:
        path = variables.get(name, "/")
        if not is_text(path) or not os.path.isabs(path) or "\0" in path:
            faults.append(f"{name} is {quoted(path)}; an absolute path would be right")
    for name, (least, most) in _NUMBERS.items():
        value = variables.get(name, least)
        try:
            good = least <= int(value) <= most
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            faults.append(f"{name} is {quoted(value)}; a number from {least} to {most} would be right")
    return faults


def entries_faults(
    entries: Any, *, seeders: Sequence[str] = (), rooms: Sequence[Room] = (), torrents: TorrentFiles
) -> Faults:
    """Return a sentence for everything that is wrong with a list of entries."""
    if not isinstance(entries, list):
        return [f"catalogue_torrents is {quoted(entries)}; a list of entries would be right"]
    faults: Faults = []
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        label = f"catalogue_torrents[{number}]"
        if isinstance(name, str):
            label += f" ({printable(name[:255])})"
        own = list(entry_faults(entry, seeders, rooms))
        if not own and kind_of(entry) == "torrent":
            name, own = _torrent_faults(entry["torrent"], torrents)
        faults += [f"{label}: {fault}" for fault in own]
        if isinstance(name, str):
            if name in first:
                faults.append(f"{label}: name is taken by catalogue_torrents[{first[name]}]; names are unique")
            first.setdefault(name, number)
    return faults


def _torrent_faults(path: str, torrents: TorrentFiles) -> tuple[str | None, Faults]:
    """The name in a .torrent file, and why it cannot be used."""
    try:
        info = torrents.get(path).info
    except SeedbedError as error:
        return None, [f"torrent: {path}: {error}"]
    if info["version"] == "v2":
        return info["name"], [f"torrent: {path} is v2-only, which no version of Transmission seeds"]
    return info["name"], name_faults(info["name"]) + [
        f"torrent: {path} is not loaded alike by every client: {sentence}" for sentence in torrents.get(path).unfit
    ]
