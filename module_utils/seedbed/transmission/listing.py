"""What a seeder says about its torrents, and what lies on its disk: Transmission raises no error for lost content."""

from __future__ import annotations

import os
import time
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import WHOLE
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import SeederState, SeederTracker, TorrentState
from ansible.module_utils.seedbed.transmission.rpc import (
    RpcClient,
    RpcDenied,
    RpcError,
    RpcUnreachable,
    unbroken,
    version_text,
)
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import seeder_tracker

LISTED_FIELDS = (
    "hashString name status error errorString leftUntilDone haveValid totalSize recheckProgress isPrivate downloadDir"
    " files trackerStats peers"
)
SESSION_FIELDS = ("peer-port", "encryption", "dht-enabled", "pex-enabled")


def inspect_seeder(client: RpcClient, unit: str, info_hashes: Sequence[str]) -> SeederState:
    """Return the daemon's state with these torrents, or all; ``reason`` tells why it could not be asked."""
    state: SeederState = {
        "active": Unit(unit).active(),
        "reason": "",
        "message": "",
        "version": "",
        "default_route": has_default_route(),
        "clock": int(time.time()),
        "session": {},
        "torrents": [],
    }
    try:
        session = client.call("session-get")
        arguments: dict[str, Any] = {"fields": LISTED_FIELDS.split()}
        if info_hashes:
            arguments["ids"] = list(info_hashes)
        torrents = client.call("torrent-get", arguments)["torrents"]
    except RpcError as error:
        state["reason"] = _reason(error)
        state["message"] = str(error)
    else:
        state["version"] = version_text(session)
        state["session"] = {key: session.get(key) for key in SESSION_FIELDS}
        state["torrents"] = [torrent_state(fields) for fields in torrents]
    return state


def _reason(error: RpcError) -> str:
    if isinstance(error, RpcDenied):
        return "denied"
    return "unreachable" if isinstance(error, RpcUnreachable) else "failed"


def has_default_route(path: str = "/proc/net/route") -> bool:
    """Return whether the host has a default route (IPv4): Transmission 4.1.4 uses no UDP tracker without one."""
    with open(path, encoding="ascii") as lines:
        return any(line.split()[1] == "00000000" for line in list(lines)[1:])


def torrent_state(fields: Mapping[str, Any]) -> TorrentState:
    """Return one torrent of torrent-get's answer, the daemon's words beside what the disk shows."""
    return {
        "info_hash": fields["hashString"],
        "name": fields["name"],
        "state": TorrentStatus(fields["status"]).name.lower(),
        "error": int(fields["error"]),
        "error_string": fields["errorString"],
        "left": int(fields["leftUntilDone"]),
        "have": int(fields["haveValid"]),
        "size": int(fields["totalSize"]),
        "checked": round(fields["recheckProgress"] * WHOLE),
        "private": bool(fields["isPrivate"]),
        "missing": missing_content(fields["downloadDir"], fields["files"]),
        "free": free_bytes(fields["downloadDir"]),
        "peers": [peer["address"] for peer in fields["peers"]],
        "trackers": [_shown_tracker(tracker) for tracker in fields["trackerStats"]],
    }


def _shown_tracker(fields: Mapping[str, Any]) -> SeederTracker:
    tracker = seeder_tracker(fields)
    return {**tracker, "announce": without_password(tracker["announce"])}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def missing_content(directory: str, files: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the files that the daemon counts as complete and that are not there in their full size."""
    missing = []
    for file in files:
        if file["length"] and file["bytesCompleted"] == file["length"]:
            path = os.path.join(directory, file["name"])
            if file["length"] not in (_size(path), _size(unbroken(path))):
                missing.append(str(file["name"]))
    return missing


def free_bytes(directory: str) -> int | None:
    """Return the free space where the content lies, for anyone but root."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize
