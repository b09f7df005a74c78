"""A Transmission daemon that was on the host before us: what of it somebody would miss."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
from typing import Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.systems import FAMILIES
from ansible.module_utils.seedbed.torrent.bencode import decode
from ansible.module_utils.seedbed.transmission.settings import load_settings

PACKAGE = "transmission-daemon"


class Place(NamedTuple):
    """Where a distribution's package keeps the daemon's settings, and all else."""

    settings: str
    home: str


PLACES = [Place(family.transmission_settings, family.transmission_home) for family in FAMILIES.values()]


class ExistingDaemon(NamedTuple):
    """What somebody has of a daemon: its settings file, a sentence's part about it, and the folders that it uses."""

    settings: str
    what: str
    folders: list[str]


class ForeignDaemon(SeedbedError):
    """A daemon that somebody else has set up, and nobody has handed to the lab."""

    def __init__(self, found: ExistingDaemon) -> None:
        super().__init__(
            f"{found.settings} belongs to a Transmission that Seedbed did not set up, with {found.what}. Nothing was "
            "changed; set transmission_adopt: true to hand it to the lab"
        )


def foreign_daemon(owned: Owned, places: Sequence[Place] = PLACES) -> ExistingDaemon | None:
    """Return the daemon that the lab would take over; None where it is ours, or as its package brought it."""
    for place in places:
        if not os.path.lexists(place.settings) or owned.covers(place.settings):
            continue
        config = os.path.join(place.home, ".config", "transmission-daemon")
        torrents = len(glob.glob(os.path.join(config, "torrents", "*")))
        changed = _is_changed(place.settings)
        if torrents or changed:
            settings = "settings of its own" if changed else "its package's settings"
            count = f"{torrents} torrent{'s' * (torrents != 1)}"
            return ExistingDaemon(place.settings, f"{count} and {settings}", _folders(place.settings, config))
    return None


def _is_changed(path: str) -> bool:
    """Return whether a settings file is another than its package's (dpkg knows the MD5 of each)."""
    with contextlib.suppress(CommandError):
        for line in run(["dpkg-query", "--show", "--showformat=${Conffiles}\\n", PACKAGE]).splitlines():
            words = line.split()
            if words[:1] == [path]:
                return hashlib.md5(read_file(path) or b"").hexdigest() != words[1]
    return True


def _folders(settings: str, config: str) -> list[str]:
    """Return the directories that its torrents lie in, and those that its settings name."""
    found: set[str] = set()
    with contextlib.suppress(SeedbedError):  # broken settings are told by whoever has to write them
        known = load_settings(settings)
        found.add(known.get("download-dir", ""))
        found |= {known.get(name, "") for name in ("incomplete-dir", "watch-dir") if known.get(f"{name}-enabled")}
    for path in glob.glob(os.path.join(config, "resume", "*.resume")):
        with contextlib.suppress(SeedbedError, AttributeError):  # one that the daemon cannot read either
            resume: dict[bytes, Any] = decode(read_file(path) or b"", strict=False)
            found |= {os.fsdecode(resume.get(key, b"")) for key in (b"destination", b"incomplete-dir")}
    return sorted(folder for folder in found if folder.startswith("/") and os.path.isdir(folder))
