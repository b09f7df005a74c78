"""Piece hashes (BEP 3), merkle trees (BEP 52) and SHA-256 of files, of many payloads in one go, on every processor.

Small files are packed into one buffer, and content of a recipe is computed instead of read.
"""

from __future__ import annotations

import hashlib
import mmap
from bisect import bisect_right
from itertools import accumulate, islice
from typing import Callable, Iterator, NamedTuple, Sequence, Tuple, Union

from ansible.module_utils.seedbed.base import workers
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.base.workers import Worker
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.hashers import LEAF, LeafHasher, PieceHasher, merkle_root
from ansible.module_utils.seedbed.payload.periodic import different_files, repeat_pieces, spread_checksums
from ansible.module_utils.seedbed.payload.sources import MAPPED, Source, chunks, read_into

UNIT = 16 * MIB
SMALL = 32 * MIB  # less than this is not worth a fork


class HashWork(NamedTuple):
    """What to hash of one payload."""

    files: Sequence[Source]
    piece_length: int
    hybrid: bool = False
    single: bool = False  # one file without a directory: its last piece is not padded
    pieces: bool = True
    checksums: bool = True
    period: int = 0  # of v1 alone: after so many bytes of the whole they begin again


class Digests(NamedTuple):
    """What came out of it."""

    pieces: bytes
    checksums: list[bytes]
    roots: list[bytes]  # BEP 52 roots by file, empty for an empty file; only of hybrids
    layers: list[bytes]  # BEP 52 piece layers by file, empty for files of at most one piece


class HashError(SeedbedError):
    """A payload that could not be hashed; the text says why."""


class _StreamPlan:
    """Where the bytes of a payload lie in the v1 stream, and its digests in the shared memory."""

    def __init__(self, work: HashWork, base: int) -> None:
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
        """Yield the files that make up a span of the v1 stream, with the part of each: source, offset, length."""
        number = bisect_right(self.starts, start) - 1
        while start < end:
            stop = min(end, self.starts[number + 1])
            if stop > start:
                yield self.work.files[number], start - self.starts[number], stop - start
                start = stop
            number += 1

    def units(self, index: int) -> Iterator[tuple[int, _Unit]]:
        """Yield units of about 16 MiB with their weight in bytes."""
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
                    yield min(step, weight - offset), (_hash_span, index, first, offset)


_Unit = Tuple[Callable[["_HashRun", _StreamPlan, int, int, Worker], None], int, int, int]


def _batches(sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first, end, bytes) of files of together about 16 MiB; larger files stand alone."""
    first, weight = 0, 0
    for number, size in enumerate(sizes):
        if number > first and weight + size > UNIT:
            yield first, number, weight
            first, weight = number, 0
        weight += size
    if first < len(sizes):
        yield first, len(sizes), weight


class _HashRun:
    """The shared memory of a run."""

    def __init__(self, works: Sequence[HashWork]) -> None:
        self.plans: list[_StreamPlan] = []
        end = 0
        for work in works:
            self.plans.append(_StreamPlan(work, end))
            end = self.plans[-1].end
        self.shared = mmap.mmap(-1, max(1, end))
        self.store = memoryview(self.shared)
        # On a page border: into a bytearray, which is 16 bytes off it, the kernel copies several times slower.
        self.buffer = memoryview(mmap.mmap(-1, MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    def do(self, unit: _Unit, worker: Worker) -> None:
        function, index, first, end = unit
        function(self, self.plans[index], first, end, worker)


def _hash_pieces(run: _HashRun, plan: _StreamPlan, first: int, end: int, worker: Worker) -> None:
    """Hash whole v1 pieces, straight through the files."""
    piece = plan.work.piece_length
    pieces = PieceHasher(piece, run.store[plan.base + 20 * first : plan.base + 20 * end])
    buffer, fill = run.buffer, 0
    for source, offset, length in plan.spans(first * piece, min(end * piece, plan.starts[-1])):
        if source.path and length < MAPPED:
            if fill + length > len(buffer):
                pieces.feed(buffer[:fill])
                fill = 0
            read_into(source, offset, buffer[fill : fill + length])
            fill += length
            worker.tick(length)
            continue
        if fill:
            pieces.feed(buffer[:fill])
            fill = 0
        for chunk in chunks(source, offset, length, worker, run.buffer):
            pieces.feed(chunk)
    pieces.feed(buffer[:fill])
    pieces.close()


def _hash_span(run: _HashRun, plan: _StreamPlan, number: int, offset: int, worker: Worker) -> None:
    """Hash one span of a large file of a hybrid: SHA-1 and leaves from the same window."""
    work, source = plan.work, plan.work.files[number]
    piece = work.piece_length
    step = max(1, UNIT // piece) * piece
    _hash_both(run, plan, number, (offset, min(step, source.length - offset)), worker)


def _hash_both(run: _HashRun, plan: _StreamPlan, number: int, span: tuple[int, int], worker: Worker) -> None:
    work, source = plan.work, plan.work.files[number]
    offset, length = span
    piece = work.piece_length
    whole = source.length <= piece
    first_piece = (plan.starts[number] + offset) // piece
    pieces = PieceHasher(piece, run.store[plan.base + 20 * first_piece :])
    at = plan.roots + 32 * number if whole else plan.layer_starts[number] + 32 * (offset // piece)
    leaves = LeafHasher(piece, run.store[at:], whole=whole)
    for chunk in chunks(source, offset, length, worker, run.buffer):
        pieces.feed(chunk)
        leaves.feed(chunk)
    if not work.single:
        pieces.pad()
    pieces.close()
    leaves.close()


def _hash_files(run: _HashRun, plan: _StreamPlan, first: int, end: int, worker: Worker) -> None:
    """Hash a batch of whole small files of a hybrid."""
    for number in range(first, end):
        length = plan.work.files[number].length
        if length:
            _hash_both(run, plan, number, (0, length), worker)


def _sum_files(run: _HashRun, plan: _StreamPlan, first: int, end: int, worker: Worker) -> None:
    """Hash whole files with SHA-256."""
    for number in range(first, end):
        source = plan.work.files[number]
        checksum = hashlib.sha256()
        for chunk in chunks(source, 0, source.length, worker, run.buffer):
            checksum.update(chunk)
        at = plan.sums + 32 * number
        run.store[at : at + 32] = checksum.digest()


def _digests(run: _HashRun, plan: _StreamPlan) -> Digests:
    store, work = run.store, plan.work
    files = range(len(work.files))
    checksums = [bytes(store[plan.sums + 32 * n : plan.sums + 32 * n + 32]) for n in files] if work.checksums else []
    roots: list[bytes] = []
    layers: list[bytes] = []
    if work.hybrid:
        zero_piece = merkle_root([bytes(32)], work.piece_length // LEAF, bytes(32))
        for number, source in enumerate(work.files):
            layer = bytes(store[plan.layer_starts[number] : plan.layer_starts[number + 1]])
            layers.append(layer)
            if layer:
                roots.append(merkle_root([layer[at : at + 32] for at in range(0, len(layer), 32)], 1, zero_piece))
            else:
                at = plan.roots + 32 * number
                roots.append(bytes(store[at : at + 32]) if source.length else b"")
    return Digests(bytes(store[plan.base : plan.base + 20 * plan.count]), checksums, roots, layers)


def bytes_to_hash(works: Sequence[HashWork]) -> int:
    """Return how many bytes hash_all will report as done in the end."""
    parts = (part for work in works for part in _parts(work))
    passes = ((int(work.pieces) + int(work.checksums), work.files) for work in parts)
    return sum(times * sum(file.length for file in files) for times, files in passes)


HashResult = Union[Digests, HashError]
"""Either what came out of it, or why nothing did: digests of which a part failed are not to be had."""


def hash_all(
    works: Sequence[HashWork], *, processes: int = 0, report: workers.ReportDone | None = None
) -> list[HashResult]:
    """Return for every payload its digests, or what went wrong."""
    parts = [_parts(work) for work in works]
    found = iter(_hash_plain([part for each in parts for part in each], processes=processes, report=report))
    return [_joined(work, list(islice(found, len(each)))) for work, each in zip(works, parts)]


def _parts(work: HashWork) -> list[HashWork]:
    """What has to be hashed of a payload: itself, or its period for the pieces, and its different files."""
    if not work.period:
        return [work]
    whole = Source(min(work.period, sum(file.length for file in work.files)), "", work.files[0].key)
    pieces = work._replace(files=[whole], single=True, checksums=False, period=0)
    return [pieces, work._replace(files=different_files(work.files), pieces=False, period=0)]


def _joined(work: HashWork, results: list[HashResult]) -> HashResult:
    if not work.period:
        return results[0]
    done = []
    for result in results:
        if isinstance(result, HashError):
            return result
        done.append(result)
    pieces = repeat_pieces(done[0].pieces, sum(file.length for file in work.files), work.piece_length)
    return Digests(pieces, spread_checksums(work.files, done[1].checksums), [], [])


def _hash_plain(works: Sequence[HashWork], *, processes: int, report: workers.ReportDone | None) -> list[HashResult]:
    run = _HashRun(works)
    weighed = [unit for index, plan in enumerate(run.plans) for unit in plan.units(index)]
    # The longest first (a file's SHA-256 cannot be shared out), the others in the order of the disk.
    weighed.sort(key=lambda unit: -unit[0] if unit[0] > UNIT else 0)
    if any(source.key for work in works for source in work.files):
        content.prepare()
    small = sum(weight for weight, _unit in weighed) < SMALL
    units = [unit for _weight, unit in weighed]
    failed: dict[int, HashError] = {}
    for number, reason in workers.run_units(units, run.do, workers=processes, small=small, report=report):
        failed.setdefault(units[number][1], HashError(reason))
    return [failed.get(index) or _digests(run, plan) for index, plan in enumerate(run.plans)]


def hash_one(work: HashWork, *, processes: int = 0) -> Digests:
    """Return the digests of a payload; raise HashError if a part of it could not be hashed."""
    (result,) = hash_all([work], processes=processes)
    if isinstance(result, HashError):
        raise result
    return result
