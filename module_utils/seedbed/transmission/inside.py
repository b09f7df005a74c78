"""One torrent as its daemon sees it from inside: what ``transmission-remote -i -it -ip -ic -st`` tells."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, TypedDict

from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.transmission.rpc import RpcClient
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

INSIDE_FIELDS = (
    "hashString name status error errorString haveValid totalSize leftUntilDone rateUpload rateDownload"
    " uploadedEver downloadedEver corruptEver uploadRatio peersConnected peersSendingToUs peersGettingFromUs"
    " pieceCount pieceSize activityDate startDate trackerStats peers"
)
AT_LENGTH = " pieces files"
"""Of single torrents: together they are the larger part of an answer about many."""


class InsidePeer(TypedDict):
    """A peer that the daemon is connected to."""

    address: str
    port: int
    client: str
    flags: str
    """As transmission-remote shows them: ``U`` for uploading, ``E`` for encrypted, ``T`` for uTP, ..."""
    progress: float
    up: int
    down: int


class InsideTracker(TypedDict):
    """A tracker, by the last announce to it."""

    announce: str
    state: str
    last: int
    succeeded: bool
    result: str
    peers: int
    next: int
    seeders: int
    leechers: int
    downloads: int


class InsideFile(TypedDict):
    """A file of the torrent."""

    name: str
    size: int
    have: int


class Inside(TypedDict, total=False):
    """A torrent. Times are in seconds since 1970, 0 for never; rates in bytes a second; -1 is unknown."""

    info_hash: str
    name: str
    state: str
    error: str
    done: float
    have: int
    size: int
    up: int
    down: int
    uploaded: int
    downloaded: int
    corrupt: int
    ratio: float
    connected: int
    sending: int
    getting: int
    active: int
    started: int
    piece_count: int
    piece_size: int
    peers: list[InsidePeer]
    trackers: list[InsideTracker]
    pieces: str
    """A bit for each, in base64, the first the highest."""
    files: list[InsideFile]


_ANNOUNCES = {0: "inactive", 1: "waiting", 2: "queued", 3: "announcing"}


def look_inside(client: RpcClient, info_hashes: Sequence[str], *, at_length: bool = True) -> list[Inside]:
    """Return these torrents, or all; at_length: with their pieces and files."""
    arguments: dict[str, Any] = {"fields": (INSIDE_FIELDS + AT_LENGTH * at_length).split()}
    if info_hashes:
        arguments["ids"] = list(info_hashes)
    return [inside(fields) for fields in client.call("torrent-get", arguments)["torrents"]]


def inside(fields: Mapping[str, Any]) -> Inside:
    """Return one torrent of torrent-get's answer."""
    found: Inside = {
        "info_hash": fields["hashString"],
        "name": fields["name"],
        "state": TorrentStatus(fields["status"]).name.lower(),
        "error": without_password(str(fields["errorString"])) if fields["error"] else "",
        # The daemon's own share is of what it wants, and of a partial seed it wants no more.
        "done": int(fields["haveValid"]) / int(fields["totalSize"]) if fields["totalSize"] else 1.0,
        "have": int(fields["haveValid"]),
        "size": int(fields["totalSize"]),
        "up": int(fields["rateUpload"]),
        "down": int(fields["rateDownload"]),
        "uploaded": int(fields["uploadedEver"]),
        "downloaded": int(fields["downloadedEver"]),
        "corrupt": int(fields["corruptEver"]),
        "ratio": float(fields["uploadRatio"]),
        "connected": int(fields["peersConnected"]),
        "sending": int(fields["peersSendingToUs"]),
        "getting": int(fields["peersGettingFromUs"]),
        "active": int(fields["activityDate"]),
        "started": int(fields["startDate"]),
        "piece_count": int(fields["pieceCount"]),
        "piece_size": int(fields["pieceSize"]),
        "peers": [_peer(peer) for peer in fields["peers"]],
        "trackers": [_tracker(tracker) for tracker in fields["trackerStats"]],
    }
    if "pieces" in fields:
        found["pieces"] = str(fields["pieces"])
        found["files"] = [
            {"name": str(file["name"]), "size": int(file["length"]), "have": int(file["bytesCompleted"])}
            for file in fields["files"]
        ]
    return found


def _peer(fields: Mapping[str, Any]) -> InsidePeer:
    return {
        "address": str(fields["address"]),
        "port": int(fields["port"]),
        "client": str(fields["clientName"]),
        "flags": str(fields["flagStr"]),
        "progress": float(fields["progress"]),
        "up": int(fields["rateToPeer"]),
        "down": int(fields["rateToClient"]),
    }


def _tracker(fields: Mapping[str, Any]) -> InsideTracker:
    return {
        "announce": without_password(str(fields["announce"])),
        "state": _ANNOUNCES.get(int(fields["announceState"]), "unknown"),
        "last": int(fields["lastAnnounceTime"]) if fields["hasAnnounced"] else 0,
        "succeeded": bool(fields["lastAnnounceSucceeded"]),
        "result": without_password(str(fields["lastAnnounceResult"])),
        "peers": int(fields["lastAnnouncePeerCount"]),
        "next": int(fields["nextAnnounceTime"]),
        "seeders": int(fields["seederCount"]),
        "leechers": int(fields["leecherCount"]),
        "downloads": int(fields["downloadCount"]),
    }
