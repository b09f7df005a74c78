"""Where the bytes of a file come from: a file on the disk, a recipe that they are computed from, or zeros.

Files are mapped rather than read where that is safe: in a forked worker, since a file that shrinks kills its reader.
"""

from __future__ import annotations

import errno
import mmap
import os
from functools import lru_cache
from typing import Iterator, NamedTuple, Union

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.base.workers import Worker
from ansible.module_utils.seedbed.payload import content

WINDOW = 8 * MIB
MAPPED = MIB  # files from this size on are mapped
_POPULATE_READ = 22  # MADV_POPULATE_READ, Linux 5.14
ZEROS = bytes(MIB)

Bytes = Union[bytes, memoryview]


class Source(NamedTuple):
    """A file to hash: on disk, or computed from its key; with neither it is zeros.

    With a period, what is computed begins at start, and at 0 again wherever the period ends.
    """

    length: int
    path: str = ""
    key: bytes = b""
    start: int = 0
    period: int = 0


class FileChanged(SeedbedError):
    """A file that is not as long as it was a moment ago."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} became shorter while it was read")
        self.path = path


def _window(descriptor: int, offset: int, length: int, path: str) -> mmap.mmap:
    view = mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)
    try:
        view.madvise(_POPULATE_READ)
    except OSError as error:
        # EINVAL: a kernel before 5.14, which then faults page by page.
        if error.errno == errno.EFAULT:
            view.close()
            raise FileChanged(path) from None
    return view


def read_into(source: Source, offset: int, buffer: memoryview) -> None:
    descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while buffer:
            count = os.preadv(descriptor, [buffer], offset)
            if not count:
                raise FileChanged(source.path)
            buffer = buffer[count:]
            offset += count
    finally:
        os.close(descriptor)


@lru_cache(maxsize=64)
def _read_again(key: bytes, offset: int, length: int) -> bytes:
    """What is computed once, and read for every turn of its period."""
    return content.read(key, offset, length)


def chunks(source: Source, offset: int, length: int, worker: Worker, room: memoryview) -> Iterator[Bytes]:
    """Yield the bytes of a range, in runs that begin at multiples of 16 KiB from its own begin; room may hold them."""
    if source.key:
        while length:
            place = (source.start + offset) % source.period if source.period else offset
            take = min(length, content.GROUP_BYTES - place % content.GROUP_BYTES)
            if source.period:
                take = min(take, source.period - place)
                yield _read_again(source.key, place, take)
            else:
                yield content.read(source.key, place, take)
            offset, length = offset + take, length - take
            worker.tick(take)
        return
    if not source.path:
        while length:
            take = min(length, len(ZEROS))
            yield ZEROS[:take]
            length -= take
            worker.tick(take)
        return
    if not worker.forked or source.length < MAPPED:
        while length:
            take = min(length, len(room))
            read_into(source, offset, room[:take])
            yield room[:take]
            offset, length = offset + take, length - take
            worker.tick(take)
        return
    descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size < offset + length:
            raise FileChanged(source.path)
        while length:
            skip = offset % mmap.ALLOCATIONGRANULARITY
            take = min(length, WINDOW)
            window = _window(descriptor, offset - skip, take + skip, source.path)
            view = memoryview(window)
            run = view[skip:]
            try:
                yield run
            finally:
                run.release()
                view.release()
                window.close()
            offset, length = offset + take, length - take
            worker.tick(take)
    finally:
        os.close(descriptor)
