"""Transmission as a client that downloads: a daemon of its own, beside whatever seeds on the host."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from typing import Any

from ansible.module_utils.seedbed.base.net import loopback
from ansible.module_utils.seedbed.clients.contract import (
    Client,
    ClientError,
    ClientSettings,
    ClientSilent,
    Order,
    Status,
)
from ansible.module_utils.seedbed.clients.unit import ClientUnit
from ansible.module_utils.seedbed.transmission.daemon import installed_version
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcError, RpcUnreachable

PROGRAM = "/usr/bin/transmission-daemon"
FIELDS = ["status", "haveValid", "haveUnchecked", "leftUntilDone", "peersConnected", "error", "errorString"]
FIELDS += ["metadataPercentComplete"]
LOCAL_ERROR = 3  # what a tracker says is no end: the daemon asks again
_STATES = {0: "waiting", 1: "checking", 2: "checking", 3: "waiting", 4: "downloading", 5: "waiting", 6: "downloading"}


def daemon_settings(settings: ClientSettings, secret: str) -> dict[str, Any]:
    """Return settings.json: peers come from trackers alone, unless more was asked for, and nothing waits in a queue."""
    shown = {
        "rpc-port": settings.control_port,
        "rpc-bind-address": loopback(),
        "rpc-authentication-required": True,
        "rpc-username": "seedbed",
        "rpc-password": secret,
        "rpc-whitelist-enabled": False,
        "peer-port": settings.peer_port,
        "bind-address-ipv4": settings.address or "0.0.0.0",
        "download-dir": settings.directory,
        "encryption": 1,
        "umask": 0o022,
        # What it held back in memory could not be compared where a download stalls.
        "cache-size-mb": 0,
    }
    off = ("port-forwarding", "dht", "utp", "download-queue", "seed-queue", "incomplete-dir")
    switches = {**dict.fromkeys(off, False), **{name: name in settings.finds for name in ("pex", "lpd")}}
    return {**shown, **{f"{name}-enabled": on for name, on in switches.items()}, "rename-partial-files": False}


class Transmission(Client):
    """The transmission-daemon of the host's release."""

    name = "transmission"

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        version = installed_version(PROGRAM)
        self._is_4 = version >= (4,)
        # A DHT it asks from 9 nodes on that it knows, 4.x from 40: a lab's own has one.
        can = {"torrent", "magnet", "bare_magnet", "private", "web_seed", "udp_tracker", "file_choice", "pex", "lpd"}
        more = {"hybrid": (4,), "udp_tracker_ipv6": (4, 1)}  # hybrid torrents 3.00 calls corrupt
        self.features = frozenset(can | {feature for feature, since in more.items() if version >= since})
        self._secret = settings.secret or secrets.token_hex(16)
        self._process = ClientUnit(settings, "transmission-daemon")
        self._rpc = RpcClient(loopback(), settings.control_port, ("seedbed", self._secret))
        self._chosen: dict[str, list[int]] = {}

    def __enter__(self) -> Transmission:
        """Start the daemon and wait until it answers; whatever goes wrong, nothing of it goes on running."""
        self._process.run(
            {"settings.json": json.dumps(daemon_settings(self.settings, self._secret))},
            [PROGRAM, "--foreground", "--config-dir", self.settings.directory],
            lambda: self._call("session-get"),
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End the daemon."""
        self._rpc.close()
        self._process.stop()

    def add(self, order: Order) -> str:
        """Begin a download.

        3.00 is told of trackers before the torrent starts: a magnet without any would give up its first turn. A magnet
        that got one so asks it in 4.1.0-beta.2, too, but meets none of the peers; default trackers, which hold for all
        public torrents, do.
        """
        what = {"filename": order.magnet} if order.magnet else {"metainfo": base64.b64encode(order.torrent).decode()}
        if order.trackers and self._is_4:
            self._call("session-set", **{"default-trackers": "\n\n".join(order.trackers)})
        answer = self._call("torrent-add", **what, **{"download-dir": order.directory, "paused": True})
        if "torrent-added" not in answer:
            raise ClientError("Transmission has this torrent already")
        handle = str(answer["torrent-added"]["hashString"])
        if order.trackers and not self._is_4:
            self._call("torrent-set", ids=[handle], trackerAdd=list(order.trackers))
        self._chosen[handle] = list(order.files)
        self._call("torrent-start", ids=[handle])
        return handle

    def status(self, handle: str) -> Status:
        """Return how a download stands."""
        seen = self._torrent(handle, FIELDS)
        peers = seen["peersConnected"]
        if seen["error"] == LOCAL_ERROR:
            return Status("failed", seen["haveValid"], peers, seen["errorString"])
        if seen["metadataPercentComplete"] < 1:
            return Status("metadata", 0, peers)
        if self._chosen[handle]:
            # An empty list means all of them.
            chosen, self._chosen[handle] = self._chosen[handle], []
            self._call("torrent-set", **{"ids": [handle], "files-unwanted": [], "files-wanted": chosen})
            return Status("downloading", 0, peers)
        state = _STATES[seen["status"]]
        complete = not seen["leftUntilDone"] and state != "checking"
        return Status("complete" if complete else state, seen["haveValid"] + seen["haveUnchecked"], peers)

    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files."""
        seen = self._torrent(handle, ["downloadDir", "files"])
        return [os.path.join(seen["downloadDir"], file["name"]) for file in seen["files"]]

    def remove(self, handle: str) -> None:
        """Forget a download."""
        self._call("torrent-remove", **{"ids": [handle], "delete-local-data": False})

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        """Return what the daemon says of a download that it still has: a tracker's refusal, for instance."""
        del info_hash
        with contextlib.suppress(ClientError):
            said = self._torrent(handle, ["errorString"])["errorString"]
            return [said] if said else []
        return []

    def _torrent(self, handle: str, fields: list[str]) -> dict[str, Any]:
        found = self._call("torrent-get", ids=[handle], fields=fields)["torrents"]
        if not found:
            raise ClientError("Transmission does not have the torrent any more")
        torrent: dict[str, Any] = found[0]
        return torrent

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._rpc.call(method, arguments)
        except RpcError as error:
            raise (ClientSilent if isinstance(error, RpcUnreachable) else ClientError)(str(error)) from error
