"""What a seeder says about its torrents, and what lies on its disk: Transmission raises no error for lost content."""

from __future__ import annotations

import os
import time
from typing import Any, Sequence

from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied, RpcError, RpcUnreachable, unbroken

STATES = ("stopped", "check_wait", "checking", "download_wait", "downloading", "seed_wait", "seeding")
FIELDS = [
    "hashString",
    "name",
    "status",
    "error",
    "errorString",
    "leftUntilDone",
    "haveValid",
    "totalSize",
    "recheckProgress",
    "isPrivate",
    "downloadDir",
    "files",
    "trackerStats",
    "peers",
]


def look(client: RpcClient, unit: str, wanted: Sequence[str]) -> dict[str, Any]:
    """The daemon's state; ``reason`` tells why it could not be asked."""
    state: dict[str, Any] = {
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
        arguments: dict[str, Any] = {"fields": FIELDS}
        if wanted:
            arguments["ids"] = list(wanted)
        torrents = client.call("torrent-get", arguments)["torrents"]
    except RpcDenied as error:
        state.update(reason="denied", message=str(error))
    except RpcUnreachable as error:
        state.update(reason="unreachable", message=str(error))
    except RpcError as error:
        state.update(reason="failed", message=str(error))
    else:
        state["version"] = str(session.get("version", "")).split(" ")[0]
        state["session"] = {key: session.get(key) for key in ("peer-port", "encryption", "dht-enabled", "pex-enabled")}
        state["torrents"] = [torrent_state(entry) for entry in torrents]
    return state


def has_default_route(path: str = "/proc/net/route") -> bool:
    """Whether the host knows a way out (IPv4): Transmission 4.1.4 uses no UDP tracker without one."""
    with open(path, encoding="ascii") as lines:
        return any(line.split()[1] == "00000000" for line in list(lines)[1:])


def torrent_state(entry: dict[str, Any]) -> dict[str, Any]:
    """One torrent, the daemon's words beside what the disk shows."""
    status = int(entry["status"])
    return {
        "info_hash": entry["hashString"],
        "name": entry["name"],
        "state": STATES[status] if status < len(STATES) else str(status),
        "error": int(entry["error"]),
        "error_string": entry["errorString"],
        "left": int(entry["leftUntilDone"]),
        "have": int(entry["haveValid"]),
        "size": int(entry["totalSize"]),
        "checked": float(entry["recheckProgress"]),
        "private": bool(entry["isPrivate"]),
        "missing": missing_content(entry["downloadDir"], entry["files"]),
        "free": free_bytes(entry["downloadDir"]),
        "peers": [peer["address"] for peer in entry["peers"]],
        "trackers": [
            {
                "announce": tracker["announce"],
                "backup": bool(tracker["isBackup"]),
                "announced": bool(tracker["hasAnnounced"]),
                "succeeded": bool(tracker["lastAnnounceSucceeded"]),
                "result": tracker["lastAnnounceResult"],
            }
            for tracker in entry["trackerStats"]
        ],
    }


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def missing_content(directory: str, files: Sequence[dict[str, Any]]) -> list[str]:
    """Files that the daemon counts as complete and that are not there in their full size."""
    missing = []
    for file in files:
        if file["length"] and file["bytesCompleted"] == file["length"]:
            path = os.path.join(directory, file["name"])
            if file["length"] not in (_size(path), _size(unbroken(path))):
                missing.append(str(file["name"]))
    return missing


def free_bytes(directory: str) -> int | None:
    """Free space where the content lies, for anyone but root."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize
