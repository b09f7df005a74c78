"""A torrent as it is served: its metadata, its pieces, and the bytes behind them, for v1, hybrid and v2 alone."""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.payload.content import file_key
from ansible.module_utils.seedbed.scripted.streams import Part, Stream
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent, read_torrent
from ansible.module_utils.seedbed.torrent.model import StreamFile


class ServedFile(NamedTuple):
    """A file, as web seeds and hash requests name it."""

    path: Sequence[str]
    start: int
    length: int
    root: bytes  # BEP 52; empty in v1
    layer: bytes  # the hashes of its pieces, empty for a file of at most one


class ServedTorrent:
    """What there is of one torrent."""

    def __init__(self, read: ReadTorrent, stream: Stream, files: list[ServedFile]) -> None:
        self.info = read.info_section
        self.name: str = read.info["name"]
        self.version = read.info["version"]
        self.private = read.info["private"]
        self.single: bool = read.info["single_file"]
        self.piece_length: int = read.info["piece_length"]
        self.stream, self.files = stream, files
        self.by_root = {file.root: file for file in files if file.root}
        self.length = stream.length
        self.count = -(-self.length // self.piece_length)

    def piece_size(self, index: int) -> int:
        """Return how many bytes a piece has."""
        return min(self.piece_length, self.length - index * self.piece_length)

    def is_block(self, index: int, begin: int, length: int) -> bool:
        """Return whether the torrent has such a block."""
        return length > 0 and index < self.count and begin + length <= self.piece_size(index)

    def read(self, index: int, begin: int, length: int) -> bytes:
        """Return bytes of one piece."""
        return self.stream.read(index * self.piece_length + begin, length)


def serve_torrent(raw: bytes, *, seed: str = "", source: str = "", period: int = 0) -> ServedTorrent:
    """Return the torrent of a metainfo file, its content computed from a seed, or read below source."""
    read = read_torrent(raw)
    if not seed and not source:
        raise SeedbedError("content needs a seed that it is computed from, or a source that it is read from")
    listed = _padded(read)
    roots = _roots(read.outer[b"info"])
    layers = read.outer.get(b"piece layers")
    layers = layers if isinstance(layers, dict) else {}
    parts: list[Part] = []
    files: list[ServedFile] = []
    start = 0
    for file in listed:
        parts.append(_part(file, seed, source, period))
        if not file["pad"]:
            root = roots.get(tuple(file["path"]) or (read.info["name"],), b"")
            files.append(ServedFile(file["path"] or [], start, file["length"], root, layers.get(root, b"")))
        start += file["length"]
    return ServedTorrent(read, Stream(parts, period), files)


def check_hash(torrent: ServedTorrent, info_hash: bytes) -> bool:
    """Return whether this is the torrent of an info hash: of v1, or of v2 cut to 20 bytes."""
    digests = (hashlib.sha1(torrent.info).digest(), hashlib.sha256(torrent.info).digest()[:20])
    return info_hash in digests


def _padded(read: ReadTorrent) -> list[StreamFile]:
    """The files of the stream; those of v2 alone begin on piece borders."""
    if read.info["version"] != "v2":
        return read.stream
    padded: list[StreamFile] = []
    for number, file in enumerate(read.stream):
        padded.append(file)
        room = -file["length"] % read.info["piece_length"]
        if room and any(later["length"] for later in read.stream[number + 1 :]):
            padded.append({"path": [".pad", str(room)], "length": room, "pad": True})
    return padded


def _part(file: StreamFile, seed: str, source: str, period: int) -> Part:
    if file["pad"] or not file["length"]:
        return Part(file["length"])
    if source:
        return Part(file["length"], path=os.path.join(source, *file["path"]))
    # What repeats does so through all files, as if they were one.
    return Part(file["length"], key=file_key(seed, () if period else tuple(file["path"])))


def _roots(info: dict[bytes, Any]) -> dict[Sequence[str], bytes]:
    """The merkle roots of the files by their paths; the reader has seen that the tree is one."""
    found: dict[Sequence[str], bytes] = {}
    stack: list[Any] = [((), info.get(b"file tree", {}))]
    while stack:
        path, node = stack.pop()
        for key, below in node.items():
            if key:
                stack.append(((*path, key.decode()), below))
            else:
                found[path] = below.get(b"pieces root", b"")
    return found
