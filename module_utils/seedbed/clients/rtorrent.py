"""rtorrent as a guarded process of its own, without a screen, told what to do by XML-RPC over a unix socket."""

from __future__ import annotations

import contextlib
import os
import time
import urllib.parse
import xmlrpc.client

from ansible.module_utils.seedbed.clients.contract import Client, ClientError, ClientSettings, Order, Status
from ansible.module_utils.seedbed.clients.scgi import Fault, ScgiClient
from ansible.module_utils.seedbed.clients.unit import ClientUnit

PROGRAM = "/usr/bin/rtorrent"
SOCKET = "rpc.socket"
NO_SUCH_TORRENT = -501
TAKEN_SECONDS = 10.0
"""Within which a .torrent that was loaded is among the torrents: what rtorrent refuses, it says to nobody."""


def configuration(settings: ClientSettings) -> str:
    """Return the text of rtorrent.rc: peers come from trackers alone."""
    lines = [
        "system.daemon.set = true",
        f"network.scgi.open_local = {text(os.path.join(settings.directory, SOCKET))}",
        "network.xmlrpc.size_limit.set = 16M",
        f"directory.default.set = {text(settings.directory)}",
        f"network.port_range.set = {settings.peer_port}-{settings.peer_port}",
        "network.port_random.set = no",
        "dht.mode.set = disable",
        "protocol.pex.set = no",
        # Encrypted only for whoever wants it: libtorrent 0.13.8 hashes the shared secret of one handshake in 256
        # without its leading zero (rakshasa/libtorrent#894), and calls a peer that has waited for the rest no more.
        "protocol.encryption.set = allow_incoming,enable_retry",
        # It would read all of a finished download a second time.
        "pieces.hash.on_completion.set = no",
    ]
    if settings.address:
        lines.append(f"network.bind_address.set = {settings.address}")
    return "".join(f"{line}\n" for line in lines)


def text(value: str) -> str:
    """Return a text as rtorrent's commands take it."""
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


class Rtorrent(Client):
    """The rtorrent of the host's release."""

    name = "rtorrent"
    # Of a hybrid with two paddings of the same length it takes none: their names are the same.
    features = frozenset(("torrent", "magnet", "bare_magnet", "private", "udp_tracker", "file_choice"))

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        self._process = ClientUnit(settings, "rtorrent")
        self._rpc = ScgiClient(os.path.join(settings.directory, SOCKET))
        self._orders: dict[str, Order] = {}
        self._added: dict[str, float] = {}
        self._hashes: dict[str, str] = {}

    def __enter__(self) -> Rtorrent:
        """Start it and wait until it answers."""
        self._process.run(
            {"rtorrent.rc": configuration(self.settings)},
            [PROGRAM, "-n", "-o", "import=" + os.path.join(self.settings.directory, "rtorrent.rc")],
            lambda: self._rpc.call("system.client_version"),
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.stop()

    def add(self, order: Order) -> str:
        """Begin a download; the handle is a mark that the torrent bears, since loading says nothing of its hash."""
        handle = str(len(self._orders) + 1)
        self._process.make_directory(order.directory)
        marks = [f"d.custom1.set={handle}", f"d.directory.set={text(order.directory)}"]
        if order.magnet:
            self._rpc.call("load.start", "", with_trackers(order), *marks)
        else:
            # One of which files are chosen begins when they are.
            load = "load.raw" if order.files else "load.raw_start"
            self._rpc.call(load, "", xmlrpc.client.Binary(order.torrent), *marks)
        self._orders[handle], self._added[handle] = order, time.monotonic()
        return handle

    def status(self, handle: str) -> Status:
        """Return how a download stands."""
        order = self._orders[handle]
        try:
            info_hash = self._hash(handle)
            keys = ("is_meta", "hashing", "is_hash_checked", "complete", "wanted_chunks", "bytes_done", "is_active")
            asked = [(f"d.{key}", (info_hash,)) for key in (*keys, "peers_connected", "message")]
            is_meta, hashing, checked, complete, wanted, count, active, peers, said = self._rpc.calls(*asked)
        except Fault as error:
            if error.code != NO_SUCH_TORRENT:
                raise
            # A magnet's torrent is taken out, and put in again with its content.
            return self._absent(handle)
        if is_meta:
            return Status("metadata", 0, peers)
        if order.files:
            self._choose(info_hash, order)
            self._orders[handle] = order._replace(files=())
            return Status("downloading", 0, peers)
        if complete or (checked and not wanted):
            return Status("checking" if hashing else "complete", count, peers)
        if said and not active and not said.startswith("Tracker"):
            return Status("failed", count, peers, said)
        return Status("checking" if hashing or not checked else "downloading", count, peers)

    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files."""
        info_hash = self._hash(handle)
        directory = self._rpc.call("d.directory", info_hash)
        return [os.path.join(directory, path) for (path,) in self._rpc.call("f.multicall", info_hash, "", "f.path=")]

    def remove(self, handle: str) -> None:
        """Forget a download."""
        self._rpc.call("d.erase", self._hash(handle))

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        """Return what it says of a download that it still has: a tracker's refusal, for instance."""
        del info_hash
        with contextlib.suppress(ClientError):
            said = self._rpc.call("d.message", self._hash(handle))
            return [said] if said else []
        return []

    def _hash(self, handle: str) -> str:
        """Return the info hash of a download."""
        if handle not in self._hashes:
            torrents = self._rpc.call("d.multicall2", "", "main", "d.custom1=", "d.hash=")
            self._hashes.update((mark, info_hash) for mark, info_hash in torrents if mark)
        try:
            return self._hashes[handle]
        except KeyError:
            raise Fault("d.multicall2", NO_SUCH_TORRENT, "it does not have the torrent") from None

    def _absent(self, handle: str) -> Status:
        if self._orders[handle].magnet:
            return Status("metadata")
        if time.monotonic() - self._added[handle] < TAKEN_SECONDS:
            return Status("waiting")
        return Status("failed", 0, 0, "rtorrent did not take the torrent")

    def _choose(self, info_hash: str, order: Order) -> None:
        number = self._rpc.call("d.size_files", info_hash)
        chosen = [(f"{info_hash}:f{index}", int(index in order.files)) for index in range(number)]
        priorities = [("f.priority.set", each) for each in chosen]
        self._rpc.calls(*priorities, ("d.update_priorities", (info_hash,)), ("d.start", (info_hash,)))


def with_trackers(order: Order) -> str:
    """Return a magnet with the trackers that come apart from it: without any, rtorrent does not take it at all."""
    return order.magnet + "".join("&tr=" + urllib.parse.quote(url, safe="") for url in order.trackers)
