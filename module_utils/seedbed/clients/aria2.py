"""aria2 as a guarded process of its own: started by systemd, told what to do over JSON-RPC."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import secrets
import time
import urllib.parse
from typing import Any, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.systemd import Unit, run_transient
from ansible.module_utils.seedbed.base.users import give_directory, user_ids

UNIT = "seedbed-leecher.service"
# A record of the log begins with its time; an exception's causes follow on lines of their own, the deepest last.
RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ ", re.MULTILINE)
REASON = re.compile(r"(?:Exception: |-> )\[[^]]*\] (?:errorCode=\d+ )?(.*)")
READY_SECONDS = 10


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


class Aria2Error(SeedbedError):
    """aria2 did not start, or refused a call."""


class Aria2Silent(Aria2Error):
    """aria2 does not answer: it has not come up yet, or has ended."""

    def __init__(self, port: int, why: str) -> None:
        super().__init__(f"aria2 does not answer on port {port}: {why}")
        self.why = why


class Aria2Settings(NamedTuple):
    """What an aria2 process needs to know."""

    directory: str
    user: str
    rpc_port: int
    peer_port: int
    address: str
    parallel: int
    seconds: int
    rpc_secret: str = ""


def configuration(settings: Aria2Settings, secret: str) -> str:
    """Return the text of aria2.conf.

    No DHT entry point, no PEX and no LPD: a peer can only come from the tracker. DHT itself stays on, with an empty
    table of its own, because aria2 asks UDP trackers through DHT's socket.
    """
    options = {
        "enable-rpc": "true",
        # A secret that somebody was given is there for other hosts, and for pages from other hosts.
        "rpc-listen-all": "true" if settings.rpc_secret else "false",
        "rpc-allow-origin-all": "true" if settings.rpc_secret else "false",
        "rpc-listen-port": settings.rpc_port,
        "rpc-secret": secret,
        "rpc-max-request-size": "64M",
        "listen-port": settings.peer_port,
        "enable-dht": "true",
        "enable-dht6": "false",
        "dht-listen-port": settings.peer_port,
        "dht-file-path": os.path.join(settings.directory, "dht.dat"),
        "enable-peer-exchange": "false",
        "bt-enable-lpd": "false",
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
    if settings.address:
        options["interface"] = settings.address
    return "".join(f"{key}={value}\n" for key, value in options.items())


# It talks to the network and writes into its own directory, and needs nothing else of the host.
SANDBOX = (
    "LimitNOFILE=65536",
    "MemoryMax=2G",
    "TasksMax=64",
    "CapabilityBoundingSet=",
    "DevicePolicy=closed",
    "KeyringMode=private",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "PrivateUsers=yes",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
)


def guards(settings: Aria2Settings) -> list[str]:
    """Return the options of systemd-run that take aria2's rights, and end it should we not do it."""
    properties = [
        f"User={settings.user}",
        f"RuntimeMaxSec={settings.seconds}",
        f"ReadWritePaths={settings.directory}",
        *SANDBOX,
    ]
    return [word for line in properties for word in ("-p", line)]


class Aria2:
    """A running aria2; leaving the context ends it."""

    def __init__(self, settings: Aria2Settings) -> None:
        self.settings = settings
        self.secret = settings.rpc_secret or secrets.token_hex(16)

    def __enter__(self) -> Aria2:
        """Start the process and wait until it answers; whatever goes wrong, nothing of it goes on running."""
        conf = self.write_configuration()
        try:
            run_transient(UNIT, guards(self.settings), ["/usr/bin/aria2c", "--conf-path=" + conf])
        except CommandError as error:
            raise Aria2Error(f"aria2 could not be started as {UNIT}: {error.message}") from error
        try:
            self.wait_until_ready(READY_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def write_configuration(self) -> str:
        """Write aria2.conf and give it and its directory to aria2's user; return its path."""
        owner = user_ids(self.settings.user)
        conf = os.path.join(self.settings.directory, "aria2.conf")
        with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(configuration(self.settings, self.secret))
            os.fchown(file.fileno(), *owner)
        # Last: from here on that user may put something else in the file's place.
        give_directory(self.settings.directory, owner)
        return conf

    def __exit__(self, *_: object) -> None:
        """End the process."""
        with contextlib.suppress(CommandError):  # it has ended by itself
            Unit(UNIT).stop()

    def wait_until_ready(self, seconds: float) -> None:
        """Return when aria2 answers; raise Aria2Silent, with its last words, if it has ended or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.call("aria2.getVersion")
                return
            except Aria2Silent as error:
                if not Unit(UNIT).active() or time.monotonic() > deadline:
                    words = " ".join(last_words(os.path.join(self.settings.directory, "log"))) or error.why
                    raise Aria2Silent(self.settings.rpc_port, words) from error
                time.sleep(0.05)  # between two questions; the deadline above bounds the wait

    def call(self, method: str, *params: Any) -> Any:
        """Make one call and return its result."""
        request = {"jsonrpc": "2.0", "id": "1", "method": method, "params": ["token:" + self.secret, *params]}
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.rpc_port, timeout=30)
        try:
            connection.request("POST", "/jsonrpc", json.dumps(request), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except OSError as error:
            raise Aria2Silent(self.settings.rpc_port, str(error)) from error
        except (http.client.HTTPException, ValueError) as error:
            raise Aria2Error(f"port {self.settings.rpc_port} does not speak aria2's RPC: {error}") from error
        finally:
            connection.close()
        if "error" in answer:
            raise Aria2Error("{}: {}".format(method, answer["error"].get("message")))
        return answer["result"]

    def add_torrent(self, torrent: bytes, options: dict[str, str]) -> str:
        """Start a download by .torrent and return its id."""
        return str(self.call("aria2.addTorrent", base64.b64encode(torrent).decode(), [], options))

    def add_magnet(self, magnet: str, options: dict[str, str]) -> str:
        """Start a download by magnet and return the id of its metadata; `followedBy` names the content's."""
        return str(self.call("aria2.addUri", [magnet], options))

    def status(self, gid: str) -> Aria2Status:
        """Return how a download stands."""
        status: Aria2Status = self.call("aria2.tellStatus", gid, STATUS_KEYS)
        return status

    def files(self, gid: str) -> list[str]:
        """Return the paths of a download's files in the torrent's order."""
        return [file["path"] for file in self.call("aria2.getFiles", gid)]

    def give_up(self, gid: str) -> None:
        """Stop a download that still runs."""
        self.call("aria2.forceRemove", gid)


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
