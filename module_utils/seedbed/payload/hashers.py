"""Hashes of a stream that arrives in runs: SHA-1 of its pieces (BEP 3), merkle roots of its pieces (BEP 52)."""

from __future__ import annotations

import hashlib

from ansible.module_utils.seedbed.payload.sources import ZEROS, Bytes

LEAF = 16 * 1024


class PieceHasher:
    """SHA-1 of each piece of a stream, stored as soon as it is known."""

    def __init__(self, piece_length: int, store: memoryview) -> None:
        self.piece_length, self.room, self.store = piece_length, piece_length, store
        self.at = 0
        self.hash: hashlib._Hash | None = None

    def put(self, digest: bytes) -> None:
        self.store[self.at : self.at + 20] = digest
        self.at += 20

    def feed(self, data: Bytes) -> None:
        at, end = 0, len(data)
        while at < end:
            take = min(self.room, end - at)
            part = data[at : at + take] if take != end else data
            if take == self.piece_length:
                self.put(hashlib.sha1(part).digest())
            else:
                if self.hash is None:
                    self.hash = hashlib.sha1()
                self.hash.update(part)
                self.room -= take
                if not self.room:
                    self.close()
            at += take

    def pad(self) -> None:
        """Add zeros up to the piece border."""
        while self.hash is not None:
            self.feed(ZEROS[: min(self.room, len(ZEROS))])

    def close(self) -> None:
        """End the piece at hand, full or not."""
        if self.hash is not None:
            self.put(self.hash.digest())
            self.hash, self.room = None, self.piece_length


def merkle_root(nodes: list[bytes], width: int, zero: bytes) -> bytes:
    """Return the root of a merkle tree of at least width nodes, missing ones taken as zero."""
    sha256 = hashlib.sha256
    size = max(width, 1 << (len(nodes) - 1).bit_length())
    while size > 1:
        if len(nodes) % 2:
            nodes = [*nodes, zero]
        joined = b"".join(nodes)
        nodes = [sha256(joined[at : at + 64]).digest() for at in range(0, len(joined), 64)]
        zero = sha256(zero + zero).digest()
        size //= 2
    return nodes[0]


class LeafHasher:
    """Merkle roots of each piece of a file, or of the whole file if it is no longer than a piece."""

    def __init__(self, piece_length: int, store: memoryview, *, whole: bool) -> None:
        self.width, self.store = piece_length // LEAF, store
        self.whole = whole
        self.nodes: list[bytes] = []
        self.at = 0

    def feed(self, data: Bytes) -> None:
        sha256 = hashlib.sha256
        self.nodes += [sha256(data[at : at + LEAF]).digest() for at in range(0, len(data), LEAF)]
        while len(self.nodes) >= self.width and not self.whole:
            self.put(self.nodes[: self.width])
            del self.nodes[: self.width]

    def put(self, nodes: list[bytes]) -> None:
        root = merkle_root(nodes, 1 if self.whole else self.width, bytes(32))
        self.store[self.at : self.at + 32] = root
        self.at += 32

    def close(self) -> None:
        if self.nodes:
            self.put(self.nodes)
            self.nodes = []
