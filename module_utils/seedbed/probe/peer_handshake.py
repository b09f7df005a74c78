"""Shake hands with a peer, plain or encrypted (BEP 3, 6, 10)."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from typing import Any, ContextManager, NamedTuple

from ansible.module_utils.seedbed.base.net import Deadline, NetError, open_tcp, resolve
from ansible.module_utils.seedbed.probe.peer_encryption import call
from ansible.module_utils.seedbed.probe.peer_wire import Wire

PROTOCOL = b"\x13BitTorrent protocol"
# Extension protocol (BEP 10) and fast extension (BEP 6).
RESERVED = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04])
NO_QUEUE: ContextManager[Any] = nullcontext()
_CLIENTS = {"TR": "Transmission", "LT": "libtorrent", "lt": "libTorrent", "qB": "qBittorrent", "A2": "aria2"}


class Target(NamedTuple):
    """A peer and the torrent that it is asked for."""

    address: str
    port: int
    info_hash: str


class PeerOptions(NamedTuple):
    """How to meet peers; the same for all of one call."""

    timeout: float = 6.0
    metadata: bool = True
    metadata_timeout: float = 15.0  # Transmission 3.00 sends two parts a second
    piece: bool = False
    piece_timeout: float = 25.0  # a seeder serves a new peer at its next choke cycle, ten seconds on
    source: str = ""
    workers: int = 128


class Greeting(NamedTuple):
    """A connection after the handshakes, and what the peer said of itself in them."""

    wire: Wire
    reserved: bytes
    peer_id: bytes

    @property
    def speaks_extensions(self) -> bool:
        """Whether it speaks the extension protocol; one that does not may close on its messages."""
        return bool(self.reserved[5] & RESERVED[5])


def greet(target: Target, options: PeerOptions, turn: ContextManager[Any] = NO_QUEUE, *, provide: int = 0) -> Greeting:
    """Return a connection; provide: of an encrypted handshake, what may follow it. Time in the queue does not count."""
    with turn:
        deadline = Deadline(options.timeout)
        address = resolve(target.address, target.port, "any", deadline)[0]
        wire = Wire(open_tcp(address, deadline, options.source), deadline)
        try:
            return _shake_hands(wire, bytes.fromhex(target.info_hash), provide)
        except NetError:
            wire.sock.close()
            raise


def _shake_hands(wire: Wire, info_hash: bytes, provide: int) -> Greeting:
    hello = PROTOCOL + RESERVED + info_hash + b"-SB0100-" + os.urandom(6).hex().encode()
    if provide:
        ciphers = call(wire.send, wire.receive, info_hash, hello, provide)
        if ciphers:
            wire.encrypt(ciphers)
    else:
        wire.send(hello)
    answer = wire.receive(68)
    if not answer.startswith(PROTOCOL):
        raise NetError("malformed", "the peer does not speak BitTorrent")
    if answer[28:48] != info_hash:
        raise NetError("wrong_hash", f"the peer answers with info hash {answer[28:48].hex()}")
    return Greeting(wire, answer[20:28], answer[48:])


def client_name(peer_id: bytes) -> str:
    """Return the client behind a peer id in the common form -XX1234-; empty for others."""
    match = re.match(rb"-([A-Za-z~][A-Za-z0-9~])([0-9A-Za-z]{4})-", peer_id)
    if not match:
        return ""
    code = match.group(1).decode("ascii")
    return f"{_CLIENTS.get(code, code)} {'.'.join(match.group(2).decode('ascii'))}"
