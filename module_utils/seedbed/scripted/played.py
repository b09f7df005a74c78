"""The torrents that the daemon plays, as its configuration says, each loaded when somebody asks for it."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Iterable, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.scripted.encryption import torrent_mark
from ansible.module_utils.seedbed.scripted.peer_script import REACH, PeerScript, peer_script
from ansible.module_utils.seedbed.scripted.served import ServedTorrent, check_hash, serve_torrent
from ansible.module_utils.seedbed.scripted.tracker_script import TrackerScript, tracker_script
from ansible.module_utils.seedbed.scripted.webseed_script import WebseedScript, webseed_script
from ansible.module_utils.seedbed.torrent.model import Peer, ScriptedTorrent

LOADED = 64  # torrents whose metadata stays in memory
ID_PREFIX = b"-Zs0100-"  # no client's code in any list
SELF = "Seedbed scripted peer"


class PlayedPeer(NamedTuple):
    """A scripted peer of one torrent."""

    number: int
    address: str
    script: PeerScript


class PlayedTorrent:
    """One torrent of the configuration."""

    def __init__(self, wish: ScriptedTorrent) -> None:
        self.wish = wish
        self.key = bytes.fromhex(wish["info_hash"])
        v2 = bytes.fromhex(wish.get("info_hash_v2", ""))[:20]
        self.v2 = bool(v2)
        self.hashes = [self.key] if v2 in (b"", self.key) else [self.key, v2]
        self.peers = [
            PlayedPeer(number, canonical(peer["address"]), _peer_script(_frozen(peer["script"])))
            for number, peer in enumerate(wish.get("peers", []))
        ]
        self._by_address = {peer.address: peer for peer in self.peers}
        self.seeders: list[Peer] = wish.get("seeders", [])

    def found_by(self, way: str, port: int) -> list[Peer]:
        """Return where the peers are that clients find that way; port: the daemon's."""
        return [
            {
                "address": peer.address,
                "port": 0 if peer.script.reach == "port-zero" else port + REACH[peer.script.reach],
            }
            for peer in self.peers
            if peer.script.found_by == way
        ]

    @property
    def trackers(self) -> dict[str, TrackerScript]:
        """The scripts of its trackers, by the names in their URLs."""
        return {name: _tracker_script(_frozen(script)) for name, script in self.wish.get("trackers", {}).items()}

    @property
    def webseed(self) -> WebseedScript | None:
        """The script of its web seed."""
        script = self.wish.get("webseed")
        return None if script is None else _webseed_script(_frozen(script))

    def peer_at(self, address: str) -> PlayedPeer | None:
        """Return who is met at one of our addresses; all are one where an address was not told apart."""
        return self._by_address.get(address)

    def load(self) -> ServedTorrent:
        """Return its metadata and content; raise SeedbedError where they are not what the configuration says."""
        raw = read_file(self.wish["torrent"])
        if raw is None:
            raise SeedbedError(f"{self.wish['torrent']} is not there")
        served = serve_torrent(
            raw,
            seed=self.wish.get("seed", ""),
            source=self.wish.get("source", ""),
            period=self.wish.get("period", 0),
        )
        if not check_hash(served, self.key):
            raise SeedbedError(f"{self.wish['torrent']} has another info hash than {self.wish['info_hash']}")
        return served


def canonical(address: str) -> str:
    """Return an address as sockets name it: IPv6 can be written in many ways; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def peer_id(address: str, port: int, info_hash: bytes) -> bytes:
    """Return the id of a scripted peer: clients drop a second peer with an id that they have."""
    return ID_PREFIX + hashlib.sha1(f"{address} {port} ".encode() + info_hash).digest()[:12]


class Program:
    """All torrents that are played."""

    def __init__(self, torrents: Iterable[PlayedTorrent] = ()) -> None:
        self.torrents = {torrent.key: torrent for torrent in torrents}
        self.has_dht = any(
            peer.script.found_by == "dht" for torrent in self.torrents.values() for peer in torrent.peers
        )
        self._by_hash = {known: torrent for torrent in self.torrents.values() for known in torrent.hashes}
        self._marks: dict[bytes, bytes] = {}
        self._loaded: OrderedDict[bytes, ServedTorrent] = OrderedDict()

    def find(self, info_hash: bytes) -> PlayedTorrent | None:
        """Return the torrent of an info hash, of v1 or cut from v2."""
        return self._by_hash.get(info_hash)

    def marked(self, mark: bytes) -> bytes | None:
        """Return the info hash that an encrypted handshake names."""
        if not self._marks:  # made when the first is wanted: most labs see few
            self._marks = {torrent_mark(known): known for known in self._by_hash}
        return self._marks.get(mark)

    def served(self, torrent: PlayedTorrent) -> ServedTorrent:
        """Return what a torrent serves; those that were asked for lately stay loaded."""
        found = self._loaded.get(torrent.key)
        if found is None:
            found = self._loaded[torrent.key] = torrent.load()
            if len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(torrent.key)
        return found

    def follow(self, wishes: Iterable[ScriptedTorrent]) -> tuple[Program, set[bytes]]:
        """Return the next program, and the torrents of this one that are gone or another now.

        What is the same in both stays the same object, so that its connections live on.
        """
        kept = []
        for wish in wishes:
            known = self.torrents.get(bytes.fromhex(wish["info_hash"]))
            kept.append(known if known is not None and known.wish == wish else PlayedTorrent(wish))
        program = Program(kept)
        changed = {key for key, torrent in self.torrents.items() if program.torrents.get(key) is not torrent}
        for key, served in self._loaded.items():
            if key not in changed:
                program._loaded[key] = served
        return program, changed


def _frozen(script: Mapping[str, Any]) -> str:
    return json.dumps(script, sort_keys=True)


# Thousands of torrents share a few scripts.
@lru_cache(maxsize=1024)
def _peer_script(text: str) -> PeerScript:
    return peer_script(json.loads(text))


@lru_cache(maxsize=1024)
def _tracker_script(text: str) -> TrackerScript:
    return tracker_script(json.loads(text))


@lru_cache(maxsize=1024)
def _webseed_script(text: str) -> WebseedScript:
    return webseed_script(json.loads(text))
