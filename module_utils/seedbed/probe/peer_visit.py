"""What a peer has, after the handshakes: its share of the pieces, the metadata (BEP 9), one piece."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import time
from typing import Any, Callable, NamedTuple

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peer_wire import (
    BITFIELD,
    CHOKE,
    EXTENDED,
    HAVE,
    HAVE_ALL,
    HAVE_NONE,
    INTERESTED,
    PIECE,
    REQUEST,
    UNCHOKE,
    Wire,
)
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.torrent.model import PeerAnswer

BLOCK = 16384
MAX_METADATA = 32 * 1024 * 1024
OUR_METADATA_ID = 1
STEADY = 2.0  # seconds without a part of the metadata after which none is expected to come


class _Pieces(NamedTuple):
    """The pieces of a torrent, by its metadata."""

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
    """Return None for metadata that is no torrent's: an info hash may be that of anything."""
    try:
        info = bencode.decode(metadata, strict=False)
        hashes, length, files = info[b"pieces"], info[b"piece length"], info.get(b"files")
        total = sum(file[b"length"] for file in files) if files else info[b"length"]
        if isinstance(hashes, bytes) and length > 0 and len(hashes) == 20 * -(-total // length):
            return _Pieces(hashes, length, total)
    except (bencode.BencodeError, AttributeError, KeyError, TypeError):
        pass
    return None


class Visit:
    """The talk after the handshakes: what the peer has, its metadata, one of its pieces."""

    def __init__(self, wire: Wire, target: Target, options: PeerOptions, result: PeerAnswer) -> None:
        self.wire, self.options, self.result = wire, options, result
        self.info_hash = bytes.fromhex(target.info_hash)
        self.have: bytes | bool | None = None
        self.unchoked = False
        self.extensions: dict[bytes, Any] | None = None
        self.metadata: dict[int, bytes] = {}
        self.last_metadata = 0.0
        self.block: dict[int, bytes] = {}
        self.pieces: _Pieces | None = None

    def run(self) -> None:
        """Send our extensions, listen, ask; what a peer sent before it fell silent counts."""
        self.wire.deadline = Deadline(self.options.metadata_timeout)
        hello = bencode.encode({"m": {"ut_metadata": OUR_METADATA_ID}, "v": "seedbed"})
        self.wire.send_message(EXTENDED, b"\0" + hello)
        self._listen(lambda: self.have is not None and self.extensions is not None, 2.0)
        extensions = self.extensions or {}
        name = extensions.get(b"v")
        if isinstance(name, bytes) and name:
            self.result["client"] = name.decode("utf-8", "replace")[:80]
        if self.options.metadata:
            self.result["metadata"], self.result["metadata_message"] = self._fetch_metadata(extensions)
        self._count_share()
        if self.options.piece and self.pieces:
            self.result["piece"], self.result["piece_message"] = self._fetch_piece(self.pieces)

    def _listen(self, done: Callable[[], bool], seconds: float) -> None:
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
                extensions = bencode.decode(payload, strict=False)
            except bencode.BencodeError as error:
                raise NetError("malformed", f"an extension handshake that is not bencode: {error}") from error
            self.extensions = extensions if isinstance(extensions, dict) else {}
        elif number == OUR_METADATA_ID:
            end = payload.find(b"ee") + 2
            match = re.search(rb"5:piecei(\d{1,9})e", payload[:end])
            if b"8:msg_typei1e" in payload[:end] and match:
                self.metadata[int(match.group(1))] = payload[end:]
                self.last_metadata = time.monotonic()
            elif b"8:msg_typei2e" in payload[:end]:
                raise NetError("rejected", "the peer refuses to send the metadata")

    def _fetch_metadata(self, extensions: dict[bytes, Any]) -> tuple[str, str]:
        """Return whether a bare magnet would work with this peer (BEP 9): ok, or why not."""
        methods = extensions.get(b"m")
        number = methods.get(b"ut_metadata") if isinstance(methods, dict) else None
        size = extensions.get(b"metadata_size")
        if not isinstance(number, int) or not number or not isinstance(size, int):
            return "not_offered", "the peer offers no metadata (as for every private torrent)"
        if not 0 < size <= MAX_METADATA:
            return "malformed", f"the peer offers metadata of {size} bytes"
        count = -(-size // BLOCK)
        for index in range(count):
            self.wire.send_message(EXTENDED, bytes([number & 255]) + bencode.encode({"msg_type": 0, "piece": index}))
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

    def _count_share(self) -> None:
        if isinstance(self.have, bool):
            self.result["share"] = float(self.have)
        elif self.have is not None:
            bits = bin(int.from_bytes(self.have, "big")).count("1")
            # Without metadata the count of pieces is known to within the last byte.
            count = (self.pieces and self.pieces.number) or max(1, len(self.have) * 8 - 7)
            self.result["share"] = round(min(1.0, bits / count), 4)
        else:
            self.result["share"] = 0.0  # no bitfield means none (BEP 3: it may be left out)

    def _fetch_piece(self, pieces: _Pieces) -> tuple[str, str]:
        """Return whether one of the pieces that the peer says it has is really the torrent's."""
        held = [index for index in range(pieces.number) if self._has(index)]
        if not held:
            return "none_held", "the peer holds no piece yet"
        index = held[int.from_bytes(os.urandom(4), "big") % len(held)]
        size = pieces.size(index)
        self.wire.deadline = Deadline(self.options.piece_timeout)
        self.wire.send_message(INTERESTED)
        try:
            self._listen(lambda: self.unchoked, self.options.piece_timeout)
            if not self.unchoked:
                return "choked", f"the peer served nothing for {self.options.piece_timeout:g} s"
            for begin in range(0, size, BLOCK):
                self.wire.send_message(REQUEST, struct.pack(">III", index, begin, min(BLOCK, size - begin)))
            count = -(-size // BLOCK)
            self._listen(lambda: len(self.block) >= count, self.options.piece_timeout)
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
