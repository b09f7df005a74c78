"""Deluge as a client of the lab: a program that speaks lines of JSON (docs/clients.md), and deluged beneath it.

It runs under the host's own Python, by itself: nothing of the lab is imported. deluged is its child, and is spoken to
in Deluge's own protocol: over TLS a version and a length, then a list packed by rencode and zlib.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import secrets
import socket
import ssl
import struct
import subprocess
import sys
import time
import zlib
from typing import Any, Callable

READY_SECONDS = 90.0
TIMEOUT = 25.0
PROTOCOL = 1
HEADER = struct.Struct("!BI")  # version, length of what follows
RESPONSE, ERROR = 1, 2
USER, ADMIN = "seedbed", 10
STATES = {
    "Allocating": "checking",
    "Checking": "checking",
    "Moving": "checking",
    "Downloading": "downloading",
    "Seeding": "complete",
    "Error": "failed",
}
KEYS = ["state", "message", "num_files", "total_done", "num_peers", "num_seeds"]
# What Deluge has no settings for. Over uTP it would come from its listening port each time, and a seeder with
# Transmission 4 serves no torrent again to an address and port that had all of it. A lab's tracker has a private
# address, as its web seeds have.
SESSION = {
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "announce_to_all_trackers": True,
    "announce_to_all_tiers": True,
    "ssrf_mitigation": False,
    "allow_multiple_connections_per_ip": True,
}


def run_daemon(arguments: list[str]) -> None:
    """Be deluged, with a session that has SESSION."""
    libtorrent: Any = importlib.import_module("libtorrent")
    begin = libtorrent.session
    # Some of these are unknown to libtorrent 1.2, which refuses all settings then.
    known = {name: value for name, value in SESSION.items() if name in libtorrent.default_settings()}
    libtorrent.session = lambda settings, **more: begin({**settings, **known}, **more)
    sys.argv = ["deluged", *arguments]
    importlib.import_module("deluge.core.daemon_entry").start_daemon()


def configuration(told: dict[str, Any]) -> str:
    """Return core.conf: peers come from trackers alone, and nothing waits in a queue."""
    settings: dict[str, Any] = {
        "daemon_port": told["control_port"],
        "listen_ports": [told["peer_port"], told["peer_port"]],
        "listen_interface": told["address"],
        "outgoing_interface": told["address"],
        "download_location": told["directory"],
    }
    off = ("allow_remote", "random_port", "listen_use_sys_port", "dht", "upnp", "natpmp", "utpex", "lsd")
    settings.update(dict.fromkeys((*off, "new_release_check", "dont_count_slow_torrents"), False))
    settings.update(dict.fromkeys(("max_active_limit", "max_active_downloading", "max_active_seeding"), -1))
    return json.dumps({"file": 1, "format": 1}) + json.dumps(settings)


class Daemon:
    """A deluged, and the connection to it."""

    def __init__(self, rencode: Any) -> None:
        self.rencode = rencode
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: ssl.SSLSocket | None = None
        self.calls = 0
        self.torrents: dict[str, str] = {}
        self.told: dict[str, dict[str, Any]] = {}

    def start(self, told: dict[str, Any]) -> dict[str, Any]:
        """Start it, and log in."""
        directory, secret = os.path.join(told["directory"], "deluge"), secrets.token_hex(16)
        os.mkdir(directory)
        for name, text in {"core.conf": configuration(told), "auth": f"{USER}:{secret}:{ADMIN}\n"}.items():
            with open(os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(text)
        argv = ["daemon", "--do-not-daemonize", "--config", directory, "--loglevel", "error"]
        # Its output is no line of ours.
        self.process = subprocess.Popen([sys.executable, "-B", __file__, *argv], stdout=sys.stderr)
        self.connect(told["control_port"])
        self.call("daemon.login", USER, secret, client_version="2.0.3")
        return {}

    def connect(self, port: int) -> None:
        """Connect as soon as it listens."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it has made its certificate itself
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
                self.connection = context.wrap_socket(plain)
                return
            except OSError as error:
                if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"deluged does not answer: {error}")  # below what it said itself
                time.sleep(0.1)  # between two tries; the deadline above bounds the wait

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Make one call and return its result."""
        self.calls += 1
        body = zlib.compress(self.rencode.dumps(((self.calls, method, arguments, named),)))
        connection = self.connection
        if connection is None:
            raise RuntimeError("deluged has not been started")
        connection.sendall(HEADER.pack(PROTOCOL, len(body)) + body)
        while True:
            _version, length = HEADER.unpack(self.receive(connection, HEADER.size))
            kind, number, *answer = self.rencode.loads(
                zlib.decompress(self.receive(connection, length)), decode_utf8=True
            )
            if number == self.calls and kind == RESPONSE:
                return answer[0]
            if number == self.calls and kind == ERROR:
                raise RuntimeError("{}: {}".format(answer[0], " ".join(map(str, answer[1]))))

    @staticmethod
    def receive(connection: ssl.SSLSocket, size: int) -> bytes:
        """Return so many bytes."""
        parts = b""
        while len(parts) < size:
            part = connection.recv(size - len(parts))
            if not part:
                raise RuntimeError("deluged has ended")
            parts += part
        return parts

    def add(self, told: dict[str, Any]) -> dict[str, Any]:
        """Begin a download."""
        # A .torrent of which files are chosen begins when they are.
        paused = bool(told["torrent"] and told["files"])
        options = {"download_location": told["directory"], "add_paused": paused, "auto_managed": False}
        if told["torrent"]:
            with open(told["torrent"], "rb") as file:
                content = base64.b64encode(file.read()).decode()
            torrent = self.call("core.add_torrent_file", os.path.basename(told["torrent"]), content, options)
        else:
            torrent = self.call("core.add_torrent_magnet", told["magnet"], options)
        if not torrent:
            raise RuntimeError("deluged did not take the torrent")
        if told["trackers"]:
            trackers = [{"url": url, "tier": tier} for tier, url in enumerate(told["trackers"])]
            self.call("core.set_torrent_trackers", torrent, trackers)
        self.torrents[told["id"]], self.told[told["id"]] = torrent, told
        return {}

    def status(self, told: dict[str, Any]) -> dict[str, Any]:
        """Say how a download stands."""
        torrent = self.torrents[told["id"]]
        seen = self.call("core.get_torrent_status", torrent, KEYS)
        state = STATES.get(seen["state"], "waiting")
        if not seen["num_files"] and state != "failed":
            state = "metadata"
        elif self.told[told["id"]]["files"]:
            chosen, self.told[told["id"]]["files"] = self.told[told["id"]]["files"], []
            priorities = [4 if index in chosen else 0 for index in range(seen["num_files"])]
            self.call("core.set_torrent_options", [torrent], {"file_priorities": priorities})
            self.call("core.resume_torrent", torrent)
        peers = seen["num_peers"] + seen["num_seeds"]
        error = seen["message"] if state == "failed" else ""
        return {"state": state, "bytes": seen["total_done"], "peers": peers, "error": error}

    def files(self, told: dict[str, Any]) -> dict[str, Any]:
        """Name the files."""
        files = self.call("core.get_torrent_status", self.torrents[told["id"]], ["files"])["files"]
        directory = self.told[told["id"]]["directory"]
        return {"files": [os.path.join(directory, file["path"]) for file in files]}

    def remove(self, told: dict[str, Any]) -> dict[str, Any]:
        """Forget a download."""
        self.call("core.remove_torrent", self.torrents.pop(told["id"]), False)
        return {}

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def main() -> None:
    """Answer each line with a line."""
    if sys.argv[1:2] == ["daemon"]:
        run_daemon(sys.argv[2:])
        return
    daemon = Daemon(importlib.import_module("rencode"))
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        name: getattr(daemon, name) for name in ("start", "add", "status", "files", "remove")
    }
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "stop":
            break
        try:
            answer = answers[told["do"]](told)
        except (RuntimeError, OSError) as error:
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)
    daemon.stop()


if __name__ == "__main__":
    main()
