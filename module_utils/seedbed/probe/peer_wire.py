"""Meet a peer as another peer would (BEP 3, 6, 9, 10) and see what it has: nothing is served, little is fetched."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, ContextManager, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.net import Deadline, NetError, net_error, open_tcp, resolve
from ansible.module_utils.seedbed.probe.peer_encryption import Rc4, call
from ansible.module_utils.seedbed.torrent import bencode

PROTOCOL = b"\x13BitTorrent protocol"
# Extension protocol (BEP 10) and fast extension (BEP 6).
RESERVED = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04])
CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7
HAVE_ALL, HAVE_NONE, EXTENDED = 14, 15, 20
BLOCK = 16384
MAX_MESSAGE = 4 * 1024 * 1024
MAX_METADATA = 32 * 1024 * 1024
OUR_METADATA_ID = 1
STEADY = 2.0  # seconds without a part of the metadata after which none is expected to come
NO_QUEUE: ContextManager[Any] = nullcontext()
VAIN = 6  # attempts at a client, each torrent plain and encrypted, after which nothing more is expected of it
CROWD_PROOF = "Transmission 4"
PAUSES = (0.0, 0.7, 1.4)  # seconds before those who were turned away come again: a busy host takes longer
_CLIENTS = {"TR": "Transmission", "LT": "libtorrent", "lt": "libTorrent", "qB": "qBittorrent", "A2": "aria2"}


class Target(NamedTuple):
    """A peer and the torrent that it is asked for."""

    address: str
    port: int
    info_hash: str


class Settings(NamedTuple):
    """How to look; the same for all peers of one call."""

    timeout: float = 6.0
    metadata: bool = True
    metadata_timeout: float = 15.0  # Transmission 3.00 sends two parts a second
    piece: bool = False
    piece_timeout: float = 25.0  # a seeder serves a new peer at its next choke cycle, ten seconds on
    source: str = ""
    workers: int = 128


class Wire:
    """A connection to a peer, plain or encrypted, read by whole messages.

    What came before a deadline passed is kept, so that a message whose rest comes later is still read from its start.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self._come = b""
        self._outgoing: Rc4 | None = None
        self._incoming: Rc4 | None = None

    def encrypt(self, ciphers: tuple[Rc4, Rc4]) -> None:
        """All that follows is encrypted."""
        self._outgoing, self._incoming = ciphers

    def send(self, data: bytes) -> None:
        """Sends raw bytes."""
        try:
            self.sock.settimeout(self.deadline.left())
            self.sock.sendall(self._outgoing.crypt(data) if self._outgoing else data)
        except OSError as error:
            raise net_error(error, self.deadline) from error

    def receive(self, size: int) -> bytes:
        """Exactly so many bytes."""
        self._await(size)
        data, self._come = self._come[:size], self._come[size:]
        return data

    def message(self) -> tuple[int, bytes]:
        """The next message, keep-alives passed over."""
        while True:
            self._await(4)
            size = int.from_bytes(self._come[:4], "big")
            if size > MAX_MESSAGE:
                raise NetError("malformed", f"the peer announces a message of {size} bytes")
            data = self.receive(4 + size)
            if size:
                return data[4], data[5:]

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Sends a message."""
        self.send(struct.pack(">IB", len(payload) + 1, kind) + payload)

    def _await(self, size: int) -> None:
        """Until so many bytes have come; never more of them, since what follows may be encrypted."""
        while len(self._come) < size:
            try:
                self.sock.settimeout(self.deadline.left())
                more = self.sock.recv(min(size - len(self._come), 65536))
            except OSError as error:
                raise net_error(error, self.deadline) from error
            if not more:
                raise NetError("closed", "the peer closed the connection")
            self._come += self._incoming.crypt(more) if self._incoming else more


class Door:
    """A client that turned somebody away: the next attempts wait for each other, and end when none has come through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vain = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._vain >= VAIN:
            self._lock.release()
            raise NetError("closed", "the peer closes on everybody")

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        self._vain = self._vain + 1 if error else 0
        self._lock.release()


def probe_all(targets: Sequence[Target], settings: Settings) -> list[dict[str, Any]]:
    """All peers side by side, in the order given.

    Transmission 3.00 closes on whoever comes from an address that is still shaking hands, which takes it half a second:
    who was turned away in the crowd comes again, one after another. What a client takes beside plain connections is
    asked once a client, not once a torrent.
    """
    if not targets:
        return []
    with ThreadPoolExecutor(min(settings.workers, len(targets))) as pool:
        results = list(pool.map(lambda target: probe(target, settings), targets))
        for pause in PAUSES:
            turned_away = _turned_away(targets, results)
            if turned_away:
                time.sleep(pause)  # a client tells no event; there are few pauses
                _meet_again(turned_away, results, settings, pool)
        met = {target[:2]: target for target, result in zip(targets, results) if result["encryption"] == "plain"}
        answers = pool.map(lambda target: refuses_encryption(target, settings), met.values())
        refusing = dict(zip(met, answers))
    for target, result in zip(targets, results):
        result["plain_only"] = refusing.get(target[:2])
    return results


def _turned_away(targets: Sequence[Target], results: Sequence[dict[str, Any]]) -> dict[int, Target]:
    """Those who may have been turned away for the crowd, by their index."""
    patient = {target[:2] for target, result in zip(targets, results) if result["client"].startswith(CROWD_PROOF)}
    return {
        index: target
        for index, (target, result) in enumerate(zip(targets, results))
        if result["reason"] == "not_served" and target[:2] not in patient
    }


def _meet_again(
    turned_away: dict[int, Target], results: list[dict[str, Any]], settings: Settings, pool: ThreadPoolExecutor
) -> None:
    doors = {target[:2]: Door() for target in turned_away.values()}
    second = pool.map(lambda target: probe(target, settings, doors[target[:2]]), turned_away.values())
    for index, result in zip(turned_away, second):
        results[index] = result


def refuses_encryption(target: Target, settings: Settings) -> bool | None:
    """Whether a peer that takes plain connections takes no encrypted ones; None where it cannot be told."""
    reason = _greeting(target, settings, encrypted=True)
    if reason not in ("closed", "reset", "malformed", "not_encrypted"):
        return None if reason else False
    # A client may also close on one who comes again so soon: then it closes on a plain connection, too.
    return True if _greeting(target, settings, encrypted=False) == "" else None


def _greeting(target: Target, settings: Settings, *, encrypted: bool) -> str:
    """Why a peer does not shake hands; nothing if it does."""
    try:
        wire, _ = _greet(target, settings, NO_QUEUE, encrypted=encrypted)
    except NetError as error:
        return error.reason
    wire.sock.close()
    return ""


def probe(target: Target, settings: Settings, turn: ContextManager[Any] = NO_QUEUE) -> dict[str, Any]:
    """One peer; what goes wrong is a reason in the result.

    ``ok`` means that it serves the torrent over the wire. A plain handshake comes first; only a peer that closes on it
    is tried encrypted, which tells a peer that insists on encryption from one that does not have the torrent.
    """
    started = time.monotonic()
    result: dict[str, Any] = {
        **target._asdict(),
        "ok": False,
        "reason": "",
        "message": "",
        "encryption": "",
        "plain_only": None,
        "client": "",
        "share": None,
        "utp": "not probed",
    }
    try:
        try:
            _look(target, settings, result, turn, encrypted=False)
        except NetError as error:
            if error.reason not in ("closed", "reset", "malformed") or result["encryption"]:
                raise
            _look_again(target, settings, result, turn, error)
    except NetError as error:
        reason, message = error.reason, str(error)
        if reason in ("closed", "reset") and not result["encryption"]:
            reason = "not_served"
            message = "something answers there, but closes on this info hash, plain and encrypted"
        elif result["share"] is None:
            result["ok"] = False  # it shook hands and left
        result.update(reason=reason, message=message)
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


def _look_again(
    target: Target, settings: Settings, result: dict[str, Any], turn: ContextManager[Any], first: NetError
) -> None:
    """Encrypted, after the plain handshake failed; something that is no peer at all stays what it was."""
    try:
        _look(target, settings, result, turn, encrypted=True)
    except NetError:
        if first.reason == "malformed":
            raise first from None
        raise


def _look(
    target: Target, settings: Settings, result: dict[str, Any], turn: ContextManager[Any], *, encrypted: bool
) -> None:
    wire, peer_id = _greet(target, settings, turn, encrypted=encrypted)
    with wire.sock:
        result.update(ok=True, encryption="encrypted" if encrypted else "plain", client=client_name(peer_id))
        _Visit(wire, target, settings, result).run()


def _greet(target: Target, settings: Settings, turn: ContextManager[Any], *, encrypted: bool) -> tuple[Wire, bytes]:
    """A connection after the handshakes, and the peer's id; the time until it is our turn does not count."""
    with turn:
        deadline = Deadline(settings.timeout)
        address = resolve(target.address, target.port, "any", deadline)[0]
        wire = Wire(open_tcp(address, deadline, settings.source), deadline)
        try:
            return wire, _shake_hands(wire, bytes.fromhex(target.info_hash), encrypted=encrypted)
        except NetError:
            wire.sock.close()
            raise


def _shake_hands(wire: Wire, info_hash: bytes, *, encrypted: bool) -> bytes:
    hello = PROTOCOL + RESERVED + info_hash + b"-SB0100-" + os.urandom(6).hex().encode()
    if encrypted:
        wire.encrypt(call(wire.send, wire.receive, info_hash, hello))
    else:
        wire.send(hello)
    answer = wire.receive(68)
    if not answer.startswith(PROTOCOL):
        raise NetError("malformed", "the peer does not speak BitTorrent")
    if answer[28:48] != info_hash:
        raise NetError("wrong_hash", f"the peer answers with info hash {answer[28:48].hex()}")
    return answer[48:]


def client_name(peer_id: bytes) -> str:
    """The client behind a peer id in the common form -XX1234-; empty for others."""
    match = re.match(rb"-([A-Za-z~][A-Za-z0-9~])([0-9A-Za-z]{4})-", peer_id)
    if not match:
        return ""
    code = match.group(1).decode("ascii")
    return f"{_CLIENTS.get(code, code)} {'.'.join(match.group(2).decode('ascii'))}"


class _Pieces(NamedTuple):
    """The pieces of a torrent, as its metadata tells them."""

    hashes: bytes
    length: int
    total: int

    @property
    def number(self) -> int:
        return len(self.hashes) // 20

    def hash(self, index: int) -> bytes:
        return self.hashes[20 * index : 20 * index + 20]

    def size(self, index: int) -> int:
        return min(self.length, self.total - index * self.length)


def _pieces(metadata: bytes) -> _Pieces | None:
    """Nothing for metadata that is no torrent's: an info hash may be that of anything."""
    try:
        info = bencode.decode(metadata, strict=False)
        hashes, length, files = info[b"pieces"], info[b"piece length"], info.get(b"files")
        total = sum(file[b"length"] for file in files) if files else info[b"length"]
        if isinstance(hashes, bytes) and length > 0 and len(hashes) == 20 * -(-total // length):
            return _Pieces(hashes, length, total)
    except (bencode.BencodeError, AttributeError, KeyError, TypeError):
        pass
    return None


class _Visit:
    """The talk after the handshakes: what the peer has, its metadata, one of its pieces."""

    def __init__(self, wire: Wire, target: Target, settings: Settings, result: dict[str, Any]) -> None:
        self.wire, self.settings, self.result = wire, settings, result
        self.info_hash = bytes.fromhex(target.info_hash)
        self.have: bytes | bool | None = None
        self.unchoked = False
        self.extensions: dict[bytes, Any] | None = None
        self.metadata: dict[int, bytes] = {}
        self.last_metadata = 0.0
        self.block: dict[int, bytes] = {}
        self.pieces: _Pieces | None = None

    def run(self) -> None:
        """Greets, listens, asks; a peer that falls silent has told what it told."""
        self.wire.deadline = Deadline(self.settings.metadata_timeout)
        hello = bencode.encode({"m": {"ut_metadata": OUR_METADATA_ID}, "v": "seedbed"})
        self.wire.say(EXTENDED, b"\0" + hello)
        self._listen(lambda: self.have is not None and self.extensions is not None, 2.0)
        extensions = self.extensions or {}
        name = extensions.get(b"v")
        if isinstance(name, bytes) and name:
            self.result["client"] = name.decode("utf-8", "replace")[:80]
        if self.settings.metadata:
            self.result["metadata"], self.result["metadata_message"] = self._fetch_metadata(extensions)
        self._tell_share()
        if self.settings.piece and self.pieces:
            self.result["piece"], self.result["piece_message"] = self._fetch_piece(self.pieces)

    def _listen(self, done: Any, seconds: float) -> None:
        deadline = self.wire.deadline
        self.wire.deadline = Deadline(min(seconds, deadline.left()))
        try:
            while not done():
                self._take(*self.wire.message())
        except NetError as error:
            if error.reason != "timeout":
                raise
        finally:
            self.wire.deadline = deadline

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == BITFIELD:
            self.have = payload
        elif kind in (HAVE_ALL, HAVE_NONE):
            self.have = kind == HAVE_ALL
        elif kind in (CHOKE, UNCHOKE):
            self.unchoked = kind == UNCHOKE
        elif kind == PIECE and len(payload) > 8:
            self.block[int.from_bytes(payload[4:8], "big")] = payload[8:]
        elif kind == HAVE and isinstance(self.have, bytes) and len(payload) == 4:
            index = int.from_bytes(payload, "big")
            if index // 8 < len(self.have):
                held = bytearray(self.have)
                held[index // 8] |= 0x80 >> index % 8
                self.have = bytes(held)
        elif kind == EXTENDED and payload:
            self._take_extension(payload[0], payload[1:])

    def _take_extension(self, number: int, payload: bytes) -> None:
        if number == 0:
            try:
                said = bencode.decode(payload, strict=False)
            except bencode.BencodeError as error:
                raise NetError("malformed", f"an extension handshake that is not bencode: {error}") from error
            self.extensions = said if isinstance(said, dict) else {}
        elif number == OUR_METADATA_ID:
            end = payload.find(b"ee") + 2
            match = re.search(rb"5:piecei(\d{1,9})e", payload[:end])
            if b"8:msg_typei1e" in payload[:end] and match:
                self.metadata[int(match.group(1))] = payload[end:]
                self.last_metadata = time.monotonic()
            elif b"8:msg_typei2e" in payload[:end]:
                raise NetError("rejected", "the peer refuses to send the metadata")

    def _fetch_metadata(self, extensions: dict[bytes, Any]) -> tuple[str, str]:
        """Whether a bare magnet would work with this peer (BEP 9): ok, or why not."""
        methods = extensions.get(b"m")
        number = methods.get(b"ut_metadata") if isinstance(methods, dict) else None
        size = extensions.get(b"metadata_size")
        if not isinstance(number, int) or not number or not isinstance(size, int):
            return "not_offered", "the peer offers no metadata (as for every private torrent)"
        if not 0 < size <= MAX_METADATA:
            return "malformed", f"the peer offers metadata of {size} bytes"
        count = -(-size // BLOCK)
        for index in range(count):
            self.wire.say(EXTENDED, bytes([number & 255]) + bencode.encode({"msg_type": 0, "piece": index}))
        try:
            self._listen(lambda: len(self.metadata) >= count, self.wire.deadline.left())
        except NetError as error:
            return error.reason, str(error)
        data = b"".join(self.metadata.get(index, b"") for index in range(count))
        if len(self.metadata) < count:
            # What still comes will come, however much there is of it.
            state = "slow" if time.monotonic() - self.last_metadata < STEADY else "timeout"
            return state, f"{len(self.metadata)} of {count} parts of the metadata came"
        if hashlib.sha1(data).digest() != self.info_hash:
            return "wrong_hash", "the metadata that came is not that of the info hash"
        self.pieces = _pieces(data)
        return ("ok", "") if self.pieces else ("malformed", "what has this info hash is no torrent's metadata")

    def _tell_share(self) -> None:
        if isinstance(self.have, bool):
            self.result["share"] = float(self.have)
        elif self.have is not None:
            bits = bin(int.from_bytes(self.have, "big")).count("1")
            # Without metadata the count of pieces is known to within the last byte.
            count = (self.pieces and self.pieces.number) or max(1, len(self.have) * 8 - 7)
            self.result["share"] = round(min(1.0, bits / count), 4)
        else:
            self.result["share"] = 0.0  # no word means none (BEP 3: the bitfield may be left out)

    def _fetch_piece(self, pieces: _Pieces) -> tuple[str, str]:
        """Whether one of the pieces that the peer says it has is really the torrent's."""
        held = [index for index in range(pieces.number) if self._has(index)]
        if not held:
            return "none_held", "the peer holds no piece yet"
        index = held[int.from_bytes(os.urandom(4), "big") % len(held)]
        size = pieces.size(index)
        self.wire.deadline = Deadline(self.settings.piece_timeout)
        self.wire.say(INTERESTED)
        try:
            self._listen(lambda: self.unchoked, self.settings.piece_timeout)
            if not self.unchoked:
                return "choked", f"the peer served nothing for {self.settings.piece_timeout:g} s"
            for begin in range(0, size, BLOCK):
                self.wire.say(REQUEST, struct.pack(">III", index, begin, min(BLOCK, size - begin)))
            count = -(-size // BLOCK)
            self._listen(lambda: len(self.block) >= count, self.settings.piece_timeout)
        except NetError as error:
            return error.reason, str(error)
        data = b"".join(self.block[begin] for begin in sorted(self.block))
        if len(data) < size:
            return "timeout", f"{len(data)} of {size} bytes of piece {index} came"
        good = hashlib.sha1(data).digest() == pieces.hash(index)
        return ("ok", "") if good else ("wrong_hash", f"piece {index} is not the torrent's: damaged content")

    def _has(self, index: int) -> bool:
        if isinstance(self.have, bytes):
            return index // 8 < len(self.have) and bool(self.have[index // 8] & (0x80 >> index % 8))
        return bool(self.have)
