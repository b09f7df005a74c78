"""Hash requests (BEP 52): parts of a file's merkle tree, with what proves them."""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import NamedTuple

from ansible.module_utils.seedbed.payload.hashers import merkle_root
from ansible.module_utils.seedbed.scripted.messages import BLOCK
from ansible.module_utils.seedbed.scripted.served import ServedFile, ServedTorrent

TREES = 32  # of files, whose upper layers stay in memory
MAX_COUNT = 8192  # 512 is what libtorrent asks for at most
_REQUEST = struct.Struct(">32sIIII")


class HashRequest(NamedTuple):
    """So many nodes of a layer of a file's tree, and what proves them through so many layers above."""

    root: bytes
    base: int
    first: int
    number: int
    proof: int


def read_hash_request(payload: bytes) -> HashRequest | None:
    """Return what is asked for, None for a message that is no such question."""
    if len(payload) != _REQUEST.size:
        return None
    request = HashRequest(*_REQUEST.unpack(payload))
    count = request.number
    good = 0 < count <= MAX_COUNT and not count & (count - 1) and not request.first % count
    return request if good and request.base < 64 and request.proof < 64 else None


class FileTree:
    """The merkle tree of one file: its upper layers from the metainfo, what lies below from the content."""

    def __init__(self, torrent: ServedTorrent, file: ServedFile) -> None:
        self._torrent, self._file = torrent, file
        self._blocks = -(-file.length // BLOCK)
        self.height = (self._blocks - 1).bit_length()
        self._rows: list[list[bytes]] = []  # from the layer of the pieces upwards
        self._piece_level = (torrent.piece_length // BLOCK - 1).bit_length()
        if file.layer:
            row = [file.layer[at : at + 32] for at in range(0, len(file.layer), 32)]
            level = self._piece_level
            while level < self.height:
                self._rows.append(row)
                zero = zero_root(level)
                row = [
                    hashlib.sha256(row[n] + (row[n + 1 : n + 2] or [zero])[0]).digest() for n in range(0, len(row), 2)
                ]
                level += 1
            self._rows.append(row)

    def row(self, level: int, first: int, count: int) -> list[bytes]:
        """Return nodes of a layer, those beyond the file as of zeros."""
        if self._rows and level >= self._piece_level:
            known = self._rows[level - self._piece_level][first : first + count]
            return known + [zero_root(level)] * (count - len(known))
        width = 1 << level
        leaves = self._leaves(first * width, count * width)
        if not level:
            return leaves + [bytes(32)] * (count - len(leaves))
        nodes = [merkle_root(leaves[at : at + width], width, bytes(32)) for at in range(0, len(leaves), width)]
        return nodes + [zero_root(level)] * (count - len(nodes))

    def _leaves(self, first: int, count: int) -> list[bytes]:
        end = min(self._file.length, (first + count) * BLOCK)
        if first * BLOCK >= end:
            return []
        data = memoryview(self._torrent.stream.read(self._file.start + first * BLOCK, end - first * BLOCK))
        return [hashlib.sha256(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]


@lru_cache(maxsize=TREES)
def _tree(torrent: ServedTorrent, root: bytes) -> FileTree:
    return FileTree(torrent, torrent.by_root[root])


@lru_cache(maxsize=64)
def zero_root(level: int) -> bytes:
    """Return the root of a tree that has no block at all."""
    node = bytes(32)
    for _level in range(level):
        node = hashlib.sha256(node + node).digest()
    return node


def answer_hashes(torrent: ServedTorrent, request: HashRequest) -> bytes | None:
    """Return the hashes asked for and their proof, None where the torrent has no such nodes."""
    if request.root not in torrent.by_root:
        return None
    tree = _tree(torrent, request.root)
    if request.base > tree.height or request.first + request.number > 1 << (tree.height - request.base):
        return None
    nodes = tree.row(request.base, request.first, request.number)
    # What lies between these nodes and the root of their own follows from themselves.
    for above in range(request.number.bit_length() - 1, request.proof + 1):
        level = request.base + above
        if level >= tree.height:
            break
        nodes += tree.row(level, (request.first >> above) ^ 1, 1)
    return b"".join(nodes)
