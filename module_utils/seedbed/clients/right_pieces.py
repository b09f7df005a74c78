"""How much of a download is right: what clients say of it counts blocks that nobody has verified."""

from __future__ import annotations

import contextlib
import hashlib
from typing import IO, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent, read_torrent
from ansible.module_utils.seedbed.torrent.model import StreamFile

DIGEST = 20  # bytes of SHA-1


def right_bytes(torrent: bytes, paths: Sequence[str]) -> int | None:
    """Return the bytes in pieces that are right on the disk; None where the torrent has no v1 pieces.

    paths: the files without padding, in the torrent's order. One that is missing or short is wrong where it is.
    """
    try:
        read = read_torrent(torrent)
    except SeedbedError:
        return None
    pieces = _pieces(read)
    if pieces is None:
        return None
    length, right = read.info["piece_length"], 0
    with contextlib.ExitStack() as opened:
        stream = _Stream(read.stream, paths, opened)
        for index in range(len(pieces) // DIGEST):
            data = stream.read(length)
            if hashlib.sha1(data).digest() == pieces[index * DIGEST : (index + 1) * DIGEST]:
                right += len(data)
    return right


def _pieces(read: ReadTorrent) -> bytes | None:
    info = read.outer[b"info"]
    pieces = info.get(b"pieces") if isinstance(info, dict) else None
    return pieces if isinstance(pieces, bytes) else None


class _Stream:
    """The bytes of all files behind each other, zeros where there are none."""

    def __init__(self, files: Sequence[StreamFile], paths: Sequence[str], opened: contextlib.ExitStack) -> None:
        names = iter(paths)
        self._files = [(file["length"], "" if file["pad"] else next(names, "")) for file in files]
        self._opened = opened
        self._file: IO[bytes] | None = None
        self._left = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer only at the end."""
        data = bytearray()
        while len(data) < size and (self._left or self._files):
            if not self._left:
                self._next()
            wanted = min(size - len(data), self._left)
            part = self._file.read(wanted) if self._file else b""
            data += part.ljust(wanted, b"\0")
            self._left -= wanted
        return bytes(data)

    def _next(self) -> None:
        self._opened.close()
        self._left, path = self._files.pop(0)
        self._file = None
        with contextlib.suppress(OSError):
            self._file = self._opened.enter_context(open(path, "rb"))  # noqa: SIM115 - closed before the next one
