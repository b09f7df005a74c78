"""One piece of a torrent, fetched from a peer and compared."""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from typing import Callable, NamedTuple

from ansible.module_utils.seedbed.probe.peer_wire import CHOKE, PIECE, REJECT, REQUEST, UNCHOKE
from ansible.module_utils.seedbed.torrent import bencode

BLOCK = 16384
# Transmission 3.00 drops what goes beyond 512 requests at once, others say how many they take (reqq).
IN_FLIGHT = 64
MAX_REFUSALS = 5  # of all requests together, by a peer that has unchoked us


class Pieces(NamedTuple):
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


def pieces_of(metadata: bytes) -> Pieces | None:
    """Return None for metadata that is no torrent's: an info hash may be that of anything."""
    try:
        info = bencode.decode_head(metadata).value
        hashes, length, files = info[b"pieces"], info[b"piece length"], info.get(b"files")
        total = sum(file[b"length"] for file in files) if files else info[b"length"]
        if isinstance(hashes, bytes) and length > 0 and len(hashes) == 20 * -(-total // length):
            return Pieces(hashes, length, total)
    except (bencode.BencodeError, AttributeError, KeyError, TypeError):
        pass
    return None


class PieceFetch:
    """The blocks of one piece: a few in flight, asked for again after a choke."""

    def __init__(
        self, index: int, pieces: Pieces, send: Callable[[int, bytes], None], *, in_flight: int, unchoked: bool
    ) -> None:
        self.index, self.size = index, pieces.size(index)
        self.unchoked = unchoked
        self.served = unchoked  # whether it ever unchoked us
        self._hash, self._send, self._in_flight = pieces.hash(index), send, in_flight
        self._waiting = deque(range(0, self.size, BLOCK))
        self._asked: set[int] = set()
        self._blocks: dict[int, bytes] = {}
        self._refusals = 0
        self._ask_on()

    @property
    def done(self) -> bool:
        return len(self._blocks) * BLOCK >= self.size or self.refused

    @property
    def refused(self) -> bool:
        return self._refusals >= MAX_REFUSALS

    def _ask_on(self) -> None:
        while self.unchoked and self._waiting and len(self._asked) < self._in_flight:
            begin = self._waiting.popleft()
            self._asked.add(begin)
            self._send(REQUEST, struct.pack(">III", self.index, begin, self._length(begin)))

    def _length(self, begin: int) -> int:
        return min(BLOCK, self.size - begin)

    def take(self, kind: int, payload: bytes) -> None:
        """Take a message; blocks that were not asked for are passed over."""
        if kind == CHOKE:
            self.unchoked = False
            self._waiting.extendleft(sorted(self._asked, reverse=True))
            self._asked.clear()
        elif kind == UNCHOKE:
            self.unchoked = self.served = True
        elif kind in (PIECE, REJECT) and len(payload) >= 8:
            index, begin = struct.unpack(">II", payload[:8])
            if index != self.index or begin not in self._asked:
                return
            self._asked.discard(begin)
            if kind == PIECE and len(payload) - 8 == self._length(begin):
                self._blocks[begin] = payload[8:]
            else:
                self._waiting.append(begin)
                self._refusals += self.unchoked
        if not self.refused:
            self._ask_on()

    def result(self, seconds: float) -> tuple[str, str]:
        """Return whether the piece is the torrent's, for programs and people; seconds: how long was waited for it."""
        if not self.served:
            return "choked", f"the peer served nothing for {seconds:g} s"
        data = b"".join(self._blocks[begin] for begin in sorted(self._blocks))
        if self.refused:
            return "rejected", f"the peer rejects requests for piece {self.index}"
        if len(data) < self.size:
            return "timeout", f"{len(data)} of {self.size} bytes of piece {self.index} came"
        good = hashlib.sha1(data).digest() == self._hash
        return ("ok", "") if good else ("wrong_hash", f"piece {self.index} is not the torrent's: damaged content")
