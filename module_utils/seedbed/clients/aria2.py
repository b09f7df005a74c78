"""aria2 as a guarded process of its own: started by systemd, told what to do over JSON-RPC."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import urllib.parse
from typing import Any, Sequence, TypedDict

from ansible.module_utils.seedbed.clients.aria2_rpc import call, silent
from ansible.module_utils.seedbed.clients.contract import (
    Client,
    ClientError,
    ClientSettings,
    ClientSilent,
    Order,
    Status,
)
from ansible.module_utils.seedbed.clients.unit import ClientUnit

# A record of the log begins with its time; an exception's causes follow on lines of their own, the deepest last.
RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ ", re.MULTILINE)
REASON = re.compile(r"(?:Exception: |-> )\[[^]]*\] (?:errorCode=\d+ )?(.*)")


class Aria2Status(TypedDict, total=False):
    """How a download stands, in aria2's words: numbers are text."""

    status: str
    completedLength: str
    totalLength: str
    connections: str
    errorCode: str
    errorMessage: str
    followedBy: list[str]


STATUS_KEYS = list(Aria2Status.__annotations__)


_STATES = {"active": "downloading", "waiting": "waiting", "paused": "waiting", "complete": "complete"}


def configuration(settings: ClientSettings, secret: str) -> str:
    """Return the text of aria2.conf.

    No DHT entry point, no PEX and no LPD, unless they were asked for: a peer can only come from the tracker. DHT itself
    stays on, with an empty table of its own, because aria2 asks UDP trackers through DHT's socket.
    """
    options = {
        "enable-rpc": "true",
        # A secret that somebody was given is there for other hosts, and for pages from other hosts.
        "rpc-listen-all": "true" if settings.secret else "false",
        "rpc-allow-origin-all": "true" if settings.secret else "false",
        "rpc-listen-port": settings.control_port,
        "rpc-secret": secret,
        "rpc-max-request-size": "64M",
        "listen-port": settings.peer_port,
        "enable-dht": "true",
        "enable-dht6": "false",
        "dht-listen-port": settings.peer_port,
        "dht-file-path": os.path.join(settings.directory, "dht.dat"),
        "enable-peer-exchange": str("pex" in settings.finds).lower(),
        "bt-enable-lpd": str("lpd" in settings.finds).lower(),
        "seed-time": "0",
        "file-allocation": "none",
        "allow-overwrite": "true",
        "max-concurrent-downloads": settings.parallel,
        "max-download-result": "10000",
        "log": os.path.join(settings.directory, "log"),
        "log-level": "notice",
        "console-log-level": "error",
        "summary-interval": "0",
        "dir": settings.directory,
    }
    if "dht" in settings.finds and settings.dht_nodes:
        options["dht-entry-point"] = settings.dht_nodes[0]  # it takes one
    if settings.address:
        options["interface"] = settings.address
    return "".join(f"{key}={value}\n" for key, value in options.items())


class Aria2(Client):
    """A running aria2; leaving the context ends it.

    1.36 gives hybrid torrents a wrong info hash, as it drops their empty dictionary keys.
    """

    name = "aria2"
    features = frozenset(
        ("torrent", "magnet", "bare_magnet", "private", "web_seed", "udp_tracker", "file_choice", "dht", "pex", "lpd")
    )

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self.secret = settings.secret or secrets.token_hex(16)
        self._process = ClientUnit(settings, "aria2")
        self._content: dict[str, str] = {}  # from a magnet's id to that of its content, once there is metadata

    def __enter__(self) -> Aria2:
        """Start the process and wait until it answers; whatever goes wrong, nothing of it goes on running."""
        try:
            self._process.run(
                {"aria2.conf": configuration(self.settings, self.secret)},
                ["/usr/bin/aria2c", "--conf-path=" + os.path.join(self.settings.directory, "aria2.conf")],
                lambda: self.call("aria2.getVersion"),
            )
        except ClientSilent as error:
            words = " ".join(last_words(os.path.join(self.settings.directory, "log"))) or error.__cause__
            raise silent(self.settings.control_port, words) from error
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.stop()

    def call(self, method: str, *params: Any) -> Any:
        """Make one call and return its result."""
        return call(self.settings.control_port, self.secret, method, *params)

    def add(self, order: Order) -> str:
        """Begin a download; a magnet's handle is the id of its metadata, and stays the download's."""
        options = {"dir": order.directory}
        if order.trackers:
            options["bt-tracker"] = ",".join(order.trackers)
        if order.files:
            options["select-file"] = ",".join(str(index + 1) for index in order.files)
        if order.magnet:
            handle = str(self.call("aria2.addUri", [order.magnet], options))
            self._content[handle] = ""
            return handle
        return str(self.call("aria2.addTorrent", base64.b64encode(order.torrent).decode(), [], options))

    def status(self, handle: str) -> Status:
        """Return how a download stands; the bytes of the metadata are not the content's."""
        gid = self._gid(handle)
        seen: Aria2Status = self.call("aria2.tellStatus", gid, STATUS_KEYS)
        peers = int(seen["connections"])
        if seen.get("followedBy"):
            self._content[handle] = seen["followedBy"][0]
            return self.status(handle)
        if seen["status"] in ("error", "removed"):
            error = (seen.get("errorMessage") or "error {}".format(seen.get("errorCode"))).strip()
            return Status("failed", 0, peers, error)
        if self._content.get(handle) == "":
            return Status("metadata", 0, peers)
        return Status(_STATES[seen["status"]], int(seen["completedLength"]), peers)

    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files in the torrent's order."""
        return [file["path"] for file in self.call("aria2.getFiles", self._gid(handle))]

    def remove(self, handle: str) -> None:
        """Stop a download that still runs; one that has ended is left in aria2's memory, which holds up nothing."""
        with contextlib.suppress(ClientError):  # it has ended
            self.call("aria2.forceRemove", self._gid(handle))

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        """Return what the log says of a download.

        An HTTP tracker's refusal is logged with its URL, which holds the info hash; all else with the download's id.
        """
        about = [handle.encode(), self._gid(handle).encode(), bytes.fromhex(info_hash)]
        return last_words(os.path.join(self.settings.directory, "log"), [each for each in about if each])

    def _gid(self, handle: str) -> str:
        return self._content.get(handle) or handle


def last_words(log: str, about: Sequence[bytes] = (), count: int = 3) -> list[str]:
    """Return the last different errors of aria2's log; with `about`, those that mention one of these.

    A tracker's URL is logged with the info hash percent-encoded, so that the hash is looked for in the decoded text.
    """
    try:
        # The directory is aria2's: a link in the log's place is not followed.
        with open(os.open(log, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return []
    words: dict[str, None] = {}
    for record in RECORD.split(text):
        if not record.startswith(("[ERROR]", "[WARN]")):
            continue
        decoded = urllib.parse.unquote_to_bytes(record)
        if about and not any(mark in decoded for mark in about):
            continue
        reason = REASON.findall(record)
        word = " ".join((reason[-1] if reason else record.splitlines()[0].split("]", 2)[-1]).split())
        words.pop(word, None)
        words[word] = None
    return list(words)[-count:]
