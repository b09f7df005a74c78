"""The bytes of a torrent, one file after the other: computed, read, or zeros (BEP 3, 47, 52)."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.payload import content


class StreamError(SeedbedError):
    """Content that should be there and is not."""


class Part(NamedTuple):
    """A file, or padding: computed from a key, read from a path, with neither zeros."""

    length: int
    key: bytes = b""
    path: str = ""


class Stream:
    """Any range of the files of a torrent as they follow each other.

    With a period, what is computed begins again after so many bytes of the whole: a torrent larger than any disk is
    hashed as quickly as its period.
    """

    def __init__(self, parts: Sequence[Part], period: int = 0) -> None:
        self.parts = parts
        self.starts = [0, *accumulate(part.length for part in parts)]
        self.length = self.starts[-1]
        self._period = period

    def read(self, offset: int, length: int) -> bytes:
        """Return so many bytes from there, none beyond the end; raise StreamError for a file that is not there."""
        found: list[bytes] = []
        end = min(offset + length, self.length)
        number = bisect_right(self.starts, offset) - 1
        while offset < end:
            stop = min(end, self.starts[number + 1])
            if stop > offset:
                found += self._read_part(number, offset, stop - offset)
                offset = stop
            number += 1
        return found[0] if len(found) == 1 else b"".join(found)

    def _read_part(self, number: int, offset: int, length: int) -> list[bytes]:
        part = self.parts[number]
        if part.path:
            return [_read_file(part.path, offset - self.starts[number], length)]
        if not part.key:
            return [bytes(length)]
        if not self._period:
            return content.parts(part.key, offset - self.starts[number], length)
        found: list[bytes] = []
        while length:
            place = offset % self._period
            take = min(length, self._period - place)
            found += content.parts(part.key, place, take)
            offset, length = offset + take, length - take
        return found


def _read_file(path: str, offset: int, length: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StreamError(f"{path}: {error.strerror}") from error
    if len(data) != length:
        raise StreamError(f"{path} is shorter than the torrent says")
    return data
