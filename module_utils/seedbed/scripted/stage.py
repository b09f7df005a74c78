"""All connections, and who of what is played meets whom."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from functools import partial
from typing import Any, Callable

from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL
from ansible.module_utils.seedbed.scripted.encryption import PLAIN, RC4
from ansible.module_utils.seedbed.scripted.greeting import Hello
from ansible.module_utils.seedbed.scripted.link import Link
from ansible.module_utils.seedbed.scripted.messages import WireError
from ansible.module_utils.seedbed.scripted.peer_session import PeerSession, handshake, reserved_bits
from ansible.module_utils.seedbed.scripted.played import PlayedPeer, PlayedTorrent, Program, peer_id
from ansible.module_utils.seedbed.scripted.prelude import Prelude, Stranger
from ansible.module_utils.seedbed.scripted.questions import Questions
from ansible.module_utils.seedbed.scripted.testimony import Testimony, Visit

LINKS = 4096  # connections at a time
HELLO = 30.0  # seconds until the first words have to be complete
LATE = 30.0  # seconds after which a peer with reach: late begins to listen
CALLS = 3  # of one visit to one client
CALLING = 64  # connections that are being made


class Stage:
    """What is played, and the connections of those who came."""

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int = LINKS) -> None:
        self.loop = loop
        self.port, self.room = 0, room
        self.program = Program()
        self.networks: list[Any] = []
        self.testimony = Testimony()
        self.reload_fault = ""
        self.turned_away = 0
        self.began = time.time()
        self._links: dict[Link, bytes] = {}
        self._of_client: Counter[str] = Counter()
        self._tasks: set[Any] = set()
        self.questions = Questions(self)

    # Connections

    def welcome(self, sock: socket.socket, reach: str = "here") -> None:
        """Take a new connection that came to one of the ports."""
        if len(self._links) >= self.room:
            self.turned_away += 1
            sock.close()
            return
        try:
            link = Link(self.loop, sock, self._forget)
        except OSError:  # gone already
            sock.close()
            return
        if self._of_client[link.client] >= self.room // 2:  # one client shall not keep all others out
            self.turned_away += 1
            link.end("too many connections of one client")
            return
        self._add(link)
        link.narrow(len(self._links))
        if reach in ("here", "late"):
            link.speaker = Prelude(self, link)
            if reach == "late":
                link.rest(LATE)
            link.later(HELLO + (LATE if reach == "late" else 0), partial(_give_up, link))
        else:
            link.speaker = Stranger(self, link, reach)

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._links)

    def _add(self, link: Link, key: bytes = b"") -> None:
        self._links[link] = key
        self._of_client[link.client] += 1

    def _forget(self, link: Link) -> None:
        if self._links.pop(link, None) is not None:
            self._of_client[link.client] -= 1
            if not self._of_client[link.client]:
                del self._of_client[link.client]

    def close(self) -> None:
        """Close every connection."""
        for link in list(self._links):
            link.end("the daemon stops")

    def assign(self, link: Link, torrent: PlayedTorrent) -> None:
        """Note of which torrent a connection is."""
        self._links[link] = torrent.key

    def follow(self, program: Program, changed: set[bytes]) -> None:
        """Play another program; what is the same in both goes on."""
        self.program = program
        self.testimony.forget(set(program.torrents))
        for link, key in list(self._links.items()):
            if key in changed:
                link.end("the catalogue has changed")

    def meet(self, link: Link, info_hash: bytes) -> tuple[PlayedTorrent, PlayedPeer]:
        """Return who is met at this address; raise WireError where there is nobody."""
        torrent = self.program.find(info_hash)
        if torrent is None:
            raise WireError("a torrent that is not played here")
        peer = torrent.peer_at(link.own)
        if peer is None:
            raise WireError("a torrent that has no peer at this address")
        return torrent, peer

    def talk(self, link: Link, hello: Hello, *, called: bool = False) -> PeerSession:
        """Go on after a client's handshake; raise WireError where the script does not want it."""
        torrent, peer = self.meet(link, hello.info_hash)
        script, served = peer.script, self.program.served(torrent)
        self.assign(link, torrent)
        visit = self.testimony.visit(torrent.key, link.client)
        log = visit.peer(peer.number)
        if time.monotonic() < log.memory.refused_until:
            log.refused += 1
            raise WireError("scripted: refused for a while")
        if script.encryption == "rc4" and not hello.encrypted:
            log.refused += 1
            visit.event("refused", peer=peer.number, why="plain")
            raise WireError("scripted: takes encrypted connections only")
        if not called:
            link.send(self.our_hello(link, hello, torrent, peer))
        link.outgoing, link.incoming = hello.outgoing, hello.incoming
        if script.hello == "cut":
            link.finish("scripted: the handshake is cut")
        others = torrent.found_by("pex", self.port)
        return PeerSession(link, served, peer, visit, hello, port=self.port, others=others)

    def our_hello(self, link: Link, hello: Hello, torrent: PlayedTorrent, peer: PlayedPeer) -> bytes:
        """Return the handshake of a peer, encrypted where the rest is."""
        script = peer.script
        reserved = reserved_bits(fast=script.fast, extensions=script.extensions != "none", v2=torrent.v2)
        ours = handshake(
            hello.info_hash, peer_id(link.own, self.port, torrent.key), hello.peer_id, script.hello, reserved
        )
        return hello.outgoing.crypt(ours) if hello.outgoing else ours

    def choose(self, link: Link, info_hash: bytes, offered: int) -> int:
        """Return the method for an encrypted handshake."""
        torrent, peer = self.meet(link, info_hash)
        if peer.script.encryption == "plain":
            visit = self.testimony.visit(torrent.key, link.client)
            visit.peer(peer.number).refused += 1
            visit.event("refused", peer=peer.number, why="encrypted")
            raise WireError("scripted: takes plain connections only")
        return offered & RC4 or (offered & PLAIN if peer.script.encryption == "any" else 0)

    def note_stranger(self, link: Link, reach: str, data: bytes) -> Callable[[str], None] | None:
        """Count a client at a port that never shakes hands for the torrent that its plain hello names.

        Return what notes its end, too, None where it names none.
        """
        torrent = self.program.find(data[28:48]) if data.startswith(PROTOCOL) else None
        peer = torrent.peer_at(link.own) if torrent else None
        if torrent is None or peer is None:
            return None
        visit, number = self.testimony.visit(torrent.key, link.client), peer.number
        visit.peer(number).came(visit.age(), encrypted=False)
        visit.event("connected", peer=number, reach=reach)

        def went(why: str) -> None:
            visit.peer(number).went(visit.age(), why)
            visit.event("closed", peer=number, why=why)

        return went

    # Calling

    def call(self, torrent: PlayedTorrent, visit: Visit, client: str, port: int) -> None:
        """Have the peers that call connect to a client that announced itself."""
        for peer in torrent.peers:
            if len(self._tasks) >= CALLING:
                return
            if peer.script.calls and visit.memory.calls < CALLS and port and (":" in peer.address) == (":" in client):
                visit.memory.calls += 1
                visit.event("calls", peer=peer.number, port=port)
                task = self.loop.create_task(self._call(torrent, peer, client, port))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _call(self, torrent: PlayedTorrent, peer: PlayedPeer, client: str, port: int) -> None:
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET)
        except OSError:  # there are too many
            return
        sock.setblocking(False)
        try:
            sock.bind((peer.address, 0))
            await asyncio.wait_for(self.loop.sock_connect(sock, (client, port)), HELLO)
            link = Link(self.loop, sock, self._forget)
        except (OSError, asyncio.TimeoutError):
            sock.close()
            return
        self._add(link, torrent.key)
        link.speaker = Prelude(self, link, called=True)
        link.later(HELLO, partial(_give_up, link))
        reserved = reserved_bits(fast=peer.script.fast, extensions=True, v2=torrent.v2)
        link.send(PROTOCOL + reserved + torrent.hashes[0] + peer_id(peer.address, self.port, torrent.key))


def _give_up(link: Link) -> None:
    if isinstance(link.speaker, Prelude):
        link.end("no handshake in time")
