"""A torrent as a seeder shall hold it, and as its daemon shows it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import WHOLE
from ansible.module_utils.seedbed.torrent.model import SeededTorrent, SeederTracker
from ansible.module_utils.seedbed.transmission.rpc import unbroken
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

LOCAL_ERROR = 3  # torrent-get's `error` for what goes wrong on the host itself, such as files that are gone

POLLED_FIELDS = (
    "hashString status labels downloadDir uploadLimit uploadLimited haveValid totalSize sizeWhenDone"
    " leftUntilDone pieceSize recheckProgress error errorString trackerStats"
)
# Read once to compare, not again and again while waiting: `wanted` is one number a file.
COMPARED_FIELDS = POLLED_FIELDS + " name wanted trackers"


class SeedSpecError(SeedbedError):
    """A torrent that cannot be asked for like this; `name` is its name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"torrent {name!r}: {why}")
        self.name = name


class WantedTorrent(NamedTuple):
    """One torrent of the catalogue as a seeder shall hold it."""

    name: str
    info_hash: str  # empty: whatever has the name, to be removed
    metainfo: str = ""
    download_dir: str = ""
    trackers: tuple[tuple[str, ...], ...] = ()
    upload_limit: int | None = None  # kB/s
    available: int | None = None  # millionths of the content, None for all of it
    fetch_rest: bool = False  # from other peers, what is not available
    trusted: bool = False
    remade: bool = False
    absent: bool = False
    announce: str = "all"

    @property
    def whole(self) -> bool:
        """Return whether it wants all of the content, there already or not."""
        return self.available is None or self.fetch_rest

    @property
    def tracker_urls(self) -> list[str]:
        """Return all tiers in one list; 4.x merges tiers whose trackers share a host: tiers cannot be compared."""
        return [url for tier in self.trackers for url in tier]


def wanted_torrent(spec: SeededTorrent) -> WantedTorrent:
    """Return one entry of the module's parameter, checked."""
    name, info_hash = str(spec["name"]), str(spec.get("info_hash") or "").lower()
    absent = spec.get("state", "present") == "absent"
    if not re.fullmatch(r"[0-9a-f]{40}", info_hash) and (info_hash or not absent):
        raise SeedSpecError(name, f"info_hash is {info_hash!r}, expected 40 hexadecimal digits")
    if absent:
        return WantedTorrent(name, info_hash, absent=True)
    metainfo, folder = "".join(str(spec.get("metainfo") or "").split()), str(spec.get("download_dir") or "")
    try:
        empty = not base64.b64decode(metainfo, validate=True)
    except binascii.Error as error:
        raise SeedSpecError(name, "metainfo is not base64") from error
    if empty or not folder.startswith("/"):
        raise SeedSpecError(name, f"expected metainfo and an absolute download_dir, got {folder!r}")
    limit = spec.get("upload_limit")
    return WantedTorrent(
        name,
        info_hash,
        metainfo,
        folder.rstrip("/") or "/",
        tuple(tuple(str(url) for url in tier) for tier in spec.get("trackers") or []),
        None if limit is None else max(1, round(int(limit) / 1000)),
        spec.get("available"),
        bool(spec.get("fetch_rest")),
        bool(spec.get("trusted")),
        bool(spec.get("remade")),
        announce=str(spec.get("announce") or "all"),
    )


class DaemonTorrent(NamedTuple):
    """One torrent as the daemon shows it."""

    info_hash: str
    status: TorrentStatus
    labels: tuple[str, ...]
    download_dir: str
    upload_limit: int | None
    have: int
    total: int
    wanted_size: int
    left: int
    piece_size: int
    checked: int  # millionths
    error: int
    error_text: str
    trackers: tuple[SeederTracker, ...]
    # Only when compared:
    name: str
    wants: frozenset[bool]  # of its files: all, none, or some of them
    tracker_ids: dict[str, int]  # its own; `trackers` has the daemon's default-trackers, too


def daemon_torrent(fields: Mapping[str, Any]) -> DaemonTorrent:
    """Return a torrent of torrent-get's answer."""
    return DaemonTorrent(
        fields["hashString"],
        TorrentStatus(fields["status"]),
        tuple(fields["labels"]),
        str(fields["downloadDir"]).rstrip("/") or "/",
        fields["uploadLimit"] if fields["uploadLimited"] else None,
        fields["haveValid"],
        fields["totalSize"],
        fields["sizeWhenDone"],
        fields["leftUntilDone"],
        fields["pieceSize"],
        round(fields["recheckProgress"] * WHOLE),
        fields["error"],
        str(fields["errorString"]),
        tuple(map(seeder_tracker, fields["trackerStats"])),
        unbroken(str(fields.get("name", ""))),
        frozenset(map(bool, fields.get("wanted", ()))),
        {tracker["announce"]: tracker["id"] for tracker in fields.get("trackers", ())},
    )


def seeder_tracker(fields: Mapping[str, Any]) -> SeederTracker:
    """Return a tracker of torrent-get's `trackerStats`."""
    return {
        "announce": fields["announce"],
        "backup": bool(fields["isBackup"]),
        "announced": bool(fields["hasAnnounced"]),
        "succeeded": bool(fields["lastAnnounceSucceeded"]),
        "result": str(fields["lastAnnounceResult"]),
    }
