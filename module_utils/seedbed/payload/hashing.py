"""Piece hashes (BEP 3), merkle trees (BEP 52) and SHA-256 of files, of many payloads in one go.

Files are mapped rather than read where that is safe: in a forked worker, since a file that shrinks kills its reader.
Small files are packed into one buffer, and content of a recipe is computed instead of read.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from bisect import bisect_right
from itertools import accumulate
from typing import Callable, Iterator, NamedTuple, Sequence, Tuple, Union

from ansible.module_utils.seedbed.base import workers
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.base.workers import Worker
from ansible.module_utils.seedbed.payload import content

LEAF = 16 * 1024
UNIT = 16 * MIB
WINDOW = 8 * MIB
MAPPED = MIB  # files from this size on are mapped
SMALL = 32 * MIB  # less than this is not worth a fork
_POPULATE_READ = 22  # MADV_POPULATE_READ, Linux 5.14
_ZEROS = bytes(MIB)

Bytes = Union[bytes, memoryview]


class Source(NamedTuple):
    """A file to hash: on disk, or computed from its key; with neither it is zeros."""

    length: int
    path: str = ""
    key: bytes = b""


class Work(NamedTuple):
    """What to hash of one payload."""

    files: Sequence[Source]
    piece_length: int
    hybrid: bool = False
    single: bool = False  # one file without a directory: its last piece is not padded
    pieces: bool = True
    checksums: bool = True


class Digests(NamedTuple):
    """What came out of it."""

    pieces: bytes
    checksums: list[bytes]
    roots: list[bytes]  # BEP 52 roots by file, empty for an empty file; only of hybrids
    layers: list[bytes]  # BEP 52 piece layers by file, empty for files of at most one piece


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


def _fill(source: Source, offset: int, buffer: memoryview) -> None:
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


def _chunks(source: Source, offset: int, length: int, worker: Worker, room: memoryview) -> Iterator[Bytes]:
    """The bytes of a range, in runs that begin at multiples of 16 KiB from its own begin; room may hold them."""
    if source.key:
        while length:
            take = min(length, content.GROUP_BYTES - offset % content.GROUP_BYTES)
            yield content.read(source.key, offset, take)
            offset, length = offset + take, length - take
            worker.tick(take)
        return
    if not source.path:
        while length:
            take = min(length, len(_ZEROS))
            yield _ZEROS[:take]
            length -= take
            worker.tick(take)
        return
    if not worker.forked or source.length < MAPPED:
        while length:
            take = min(length, len(room))
            _fill(source, offset, room[:take])
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


class _Pieces:
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
        """Zeros up to the piece border."""
        while self.hash is not None:
            self.feed(_ZEROS[: min(self.room, len(_ZEROS))])

    def close(self) -> None:
        """End the piece at hand, full or not."""
        if self.hash is not None:
            self.put(self.hash.digest())
            self.hash, self.room = None, self.piece_length


def _fold(nodes: list[bytes], width: int, zero: bytes) -> bytes:
    """Root of a merkle tree of at least width nodes, missing ones taken as zero."""
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


class _Leaves:
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
        root = _fold(nodes, 1 if self.whole else self.width, bytes(32))
        self.store[self.at : self.at + 32] = root
        self.at += 32

    def close(self) -> None:
        if self.nodes:
            self.put(self.nodes)
            self.nodes = []


class _Plan:
    """Where the bytes of a payload lie in the v1 stream, and its digests in the shared memory."""

    def __init__(self, work: Work, base: int) -> None:
        self.work, self.base = work, base
        piece = work.piece_length
        sizes = [file.length for file in work.files]
        if work.hybrid and not work.single:
            sizes = [size + -size % piece for size in sizes]
        self.starts = [0, *accumulate(sizes)]
        self.count = -(-self.starts[-1] // piece) if work.pieces else 0
        self.sums = base + 20 * self.count
        self.roots = self.sums + (32 * len(sizes) if work.checksums else 0)
        self.layers = self.roots
        nodes = [0] * len(sizes)
        if work.hybrid:
            self.layers += 32 * len(sizes)
            nodes = [-(-file.length // piece) if file.length > piece else 0 for file in work.files]
        self.layer_starts = [self.layers, *(self.layers + 32 * total for total in accumulate(nodes))]
        self.end = self.layer_starts[-1]

    def spans(self, start: int, end: int) -> Iterator[tuple[Source, int, int]]:
        """Files that make up a run of the v1 stream, with the part of each."""
        number = bisect_right(self.starts, start) - 1
        while start < end:
            stop = min(end, self.starts[number + 1])
            if stop > start:
                yield self.work.files[number], start - self.starts[number], stop - start
                start = stop
            number += 1

    def units(self, index: int) -> Iterator[tuple[int, _Unit]]:
        """Units of about 16 MiB with their weight in bytes."""
        work = self.work
        if work.checksums:
            for first, end, weight in _batches([file.length for file in work.files]):
                yield weight, (_sum_files, index, first, end)
        if not work.pieces:
            return
        if not work.hybrid:
            step = max(1, UNIT // work.piece_length)
            for first in range(0, self.count, step):
                end = min(first + step, self.count)
                weight = min(end * work.piece_length, self.starts[-1]) - first * work.piece_length
                yield weight, (_hash_pieces, index, first, end)
            return
        step = max(1, UNIT // work.piece_length) * work.piece_length
        for first, end, weight in _batches([file.length for file in work.files]):
            if end - first > 1 or weight <= step:
                yield weight, (_hash_files, index, first, end)
            else:
                for offset in range(0, weight, step):
                    yield min(step, weight - offset), (_hash_run, index, first, offset)


_Unit = Tuple[Callable[["_Job", _Plan, int, int, Worker], None], int, int, int]


def _batches(sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Runs (first, end, bytes) of files of together about 16 MiB; larger files stand alone."""
    first, weight = 0, 0
    for number, size in enumerate(sizes):
        if number > first and weight + size > UNIT:
            yield first, number, weight
            first, weight = number, 0
        weight += size
    if first < len(sizes):
        yield first, len(sizes), weight


class _Job:
    """The shared memory of a run."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.plans: list[_Plan] = []
        end = 0
        for work in works:
            self.plans.append(_Plan(work, end))
            end = self.plans[-1].end
        self.shared = mmap.mmap(-1, max(1, end))
        self.store = memoryview(self.shared)
        # On a page border: into a bytearray, which is 16 bytes off it, the kernel copies several times slower.
        self.buffer = memoryview(mmap.mmap(-1, MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    def do(self, unit: _Unit, worker: Worker) -> None:
        function, index, first, end = unit
        function(self, self.plans[index], first, end, worker)


def _hash_pieces(job: _Job, plan: _Plan, first: int, end: int, worker: Worker) -> None:
    """v1: whole pieces, straight through the files."""
    piece = plan.work.piece_length
    pieces = _Pieces(piece, job.store[plan.base + 20 * first : plan.base + 20 * end])
    buffer, fill = job.buffer, 0
    for source, offset, length in plan.spans(first * piece, min(end * piece, plan.starts[-1])):
        if source.path and length < MAPPED:
            if fill + length > len(buffer):
                pieces.feed(buffer[:fill])
                fill = 0
            _fill(source, offset, buffer[fill : fill + length])
            fill += length
            worker.tick(length)
            continue
        if fill:
            pieces.feed(buffer[:fill])
            fill = 0
        for chunk in _chunks(source, offset, length, worker, job.buffer):
            pieces.feed(chunk)
    pieces.feed(buffer[:fill])
    pieces.close()


def _hash_run(job: _Job, plan: _Plan, number: int, offset: int, worker: Worker) -> None:
    """Hybrid: one run of a large file, SHA-1 and leaves from the same window."""
    work, source = plan.work, plan.work.files[number]
    piece = work.piece_length
    step = max(1, UNIT // piece) * piece
    _hash_both(job, plan, number, (offset, min(step, source.length - offset)), worker)


def _hash_both(job: _Job, plan: _Plan, number: int, run: tuple[int, int], worker: Worker) -> None:
    work, source = plan.work, plan.work.files[number]
    offset, length = run
    piece = work.piece_length
    whole = source.length <= piece
    first_piece = (plan.starts[number] + offset) // piece
    pieces = _Pieces(piece, job.store[plan.base + 20 * first_piece :])
    at = plan.roots + 32 * number if whole else plan.layer_starts[number] + 32 * (offset // piece)
    leaves = _Leaves(piece, job.store[at:], whole=whole)
    for chunk in _chunks(source, offset, length, worker, job.buffer):
        pieces.feed(chunk)
        leaves.feed(chunk)
    if not work.single:
        pieces.pad()
    pieces.close()
    leaves.close()


def _hash_files(job: _Job, plan: _Plan, first: int, end: int, worker: Worker) -> None:
    """Hybrid: a batch of whole small files."""
    for number in range(first, end):
        length = plan.work.files[number].length
        if length:
            _hash_both(job, plan, number, (0, length), worker)


def _sum_files(job: _Job, plan: _Plan, first: int, end: int, worker: Worker) -> None:
    """SHA-256 of whole files."""
    for number in range(first, end):
        source = plan.work.files[number]
        checksum = hashlib.sha256()
        for chunk in _chunks(source, 0, source.length, worker, job.buffer):
            checksum.update(chunk)
        at = plan.sums + 32 * number
        job.store[at : at + 32] = checksum.digest()


def _digests(job: _Job, plan: _Plan) -> Digests:
    store, work = job.store, plan.work
    files = range(len(work.files))
    checksums = [bytes(store[plan.sums + 32 * n : plan.sums + 32 * n + 32]) for n in files] if work.checksums else []
    roots: list[bytes] = []
    layers: list[bytes] = []
    if work.hybrid:
        zero_piece = _fold([bytes(32)], work.piece_length // LEAF, bytes(32))
        for number, source in enumerate(work.files):
            layer = bytes(store[plan.layer_starts[number] : plan.layer_starts[number + 1]])
            layers.append(layer)
            if layer:
                roots.append(_fold([layer[at : at + 32] for at in range(0, len(layer), 32)], 1, zero_piece))
            else:
                at = plan.roots + 32 * number
                roots.append(bytes(store[at : at + 32]) if source.length else b"")
    return Digests(bytes(store[plan.base : plan.base + 20 * plan.count]), checksums, roots, layers)


def total(works: Sequence[Work]) -> int:
    """Bytes that hash_all will report as done in the end."""
    passes = ((int(work.pieces) + int(work.checksums), work.files) for work in works)
    return sum(times * sum(file.length for file in files) for times, files in passes)


def hash_all(
    works: Sequence[Work], *, processes: int = 0, report: workers.Report | None = None
) -> tuple[list[Digests], dict[int, str]]:
    """Digests of every payload, and what went wrong by the number of the payload."""
    job = _Job(works)
    weighed = [unit for index, plan in enumerate(job.plans) for unit in plan.units(index)]
    # The longest first (a file's SHA-256 cannot be shared out), the others in the order of the disk.
    weighed.sort(key=lambda unit: -unit[0] if unit[0] > UNIT else 0)
    if any(source.key for work in works for source in work.files):
        content.prepare()
    small = sum(weight for weight, _unit in weighed) < SMALL
    faults = workers.run([unit for _weight, unit in weighed], job.do, workers=processes, small=small, report=report)
    failed: dict[int, str] = {}
    for number, fault in faults:
        failed.setdefault(weighed[number][1][1], fault)
    return [_digests(job, plan) for plan in job.plans], failed
