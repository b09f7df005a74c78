"""Recipes carried out: files written beside their places, then renamed into them.

Nothing half-made is ever in its place: files are written under .seedbed/ beside the payloads. What a killed run leaves
there the next one removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Iterator, NamedTuple, Sequence

from ansible.module_utils.seedbed.base import sizes, workers
from ansible.module_utils.seedbed.base.files import digest, link_atomically, make_directory
from ansible.module_utils.seedbed.base.workers import Worker
from ansible.module_utils.seedbed.payload import content, hashing
from ansible.module_utils.seedbed.payload.manifest import Manifest
from ansible.module_utils.seedbed.payload.placement import STAGE, PayloadHost, Placement

# Written so, the page cache keeps a file in huge pages where the kernel can, and hashing maps those at no cost.
_WRITE = 2 * sizes.MIB


class FilePart(NamedTuple):
    """A file to write, or a part of one."""

    stage: str
    key: bytes
    offset: int
    length: int
    create: bool = False  # all of a file, which is not there yet


class PayloadMaker:
    """Makes what is missing of entries on a host."""

    def __init__(self, host: PayloadHost, processes: int) -> None:
        self.host, self.processes = host, processes
        self._stage_dir = os.path.join(host.payload_dir, STAGE, "making")

    def staged(self) -> list[str]:
        """Return the files that were begun and not put in place."""
        names = os.listdir(self._stage_dir) if os.path.isdir(self._stage_dir) else []
        return [os.path.join(self._stage_dir, name) for name in names]

    def sweep(self) -> None:
        """Remove what was begun and will not be finished."""
        for path in self.staged():
            os.unlink(path)

    def make(self, entries: Sequence[Placement], report: workers.ReportDone | None = None) -> dict[int, str]:
        """Write what is missing of these entries; return why, by its number, for each that is not complete now."""
        make_directory(self._stage_dir)
        units: list[tuple[int, list[FilePart]]] = []
        failed: dict[int, str] = {}
        for index, entry in enumerate(entries):
            try:
                clear_files(made_paths(entry.former, self.host.payload_dir))
                units += [(index, batch) for batch in self._begin(entry)]
            except OSError as error:
                failed[index] = str(error)
        content.prepare()
        small = bytes_to_write(entries) < hashing.SMALL
        for unit, reason in workers.run_units(units, _write_parts, workers=self.processes, small=small, report=report):
            failed.setdefault(units[unit][0], reason)
        for index, entry in enumerate(entries):
            try:
                if index not in failed:
                    self._place(entry)
            except OSError as error:
                failed[index] = f"cannot put its files in place: {error}"
        self.sweep()
        return failed

    def _stage_path(self, entry: Placement, number: int) -> str:
        return os.path.join(self._stage_dir, f"{digest(entry.name)}-{number}")

    def _begin(self, entry: Placement) -> list[list[FilePart]]:
        """Create the missing files of an entry, empty, beside their places, or leave that to whoever writes them.

        Return what is to be written.
        """
        # From here on what lies in its place is ours, finished or not.
        begun: Manifest = {
            **entry.manifest,
            "made": entry.synthetic,
            "kind": entry.spec["kind"],
            "payload_dir": self.host.payload_dir,
        }
        self.host.manifests.save(entry.name, begun)
        batches: list[list[FilePart]] = [[]]
        weight = 0
        for number in entry.missing:
            path, made = self._stage_path(entry, number), entry.disk[number]
            whole = entry.held_pieces() is None and bool(made.key)
            # A file that one worker writes is cheaper without.
            create = whole and 0 < made.length <= hashing.UNIT
            if not create:
                _create(path, made.length, allocate=whole, owner=entry.owner)
            for offset, length in held_ranges(entry, number):
                batches[-1].append(FilePart(path, made.key, offset, length, create))
                weight += length
                if weight >= hashing.UNIT:
                    batches.append([])
                    weight = 0
        return [batch for batch in batches if batch]

    def _place(self, entry: Placement) -> None:
        """Rename the files of an entry into their places, and remove what no longer belongs to it."""
        payload_dir, wanted = self.host.payload_dir, entry.wanted_paths()
        clear_files([(below, path) for below, path in made_paths(entry.manifest, payload_dir) if path not in wanted])
        parents = set()
        for number in entry.missing:
            target = os.path.join(payload_dir, entry.disk[number].path)
            parent = os.path.dirname(target)
            if parent not in parents:
                make_directory(parent)
                parents.add(parent)
            os.rename(self._stage_path(entry, number), target)
        for path, target in entry.links.items():
            link = os.path.join(payload_dir, path)
            if not os.path.islink(link) or os.readlink(link) != target:
                make_directory(os.path.dirname(link))
                link_atomically(link, target)


def held_ranges(entry: Placement, number: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of what has to be written of a file, in runs of at most 16 MiB."""
    made = entry.disk[number]
    if not made.key:
        return  # padding is a hole: zeros without a write
    held = entry.held_pieces()
    if held is None:
        for offset in range(0, made.length, hashing.UNIT):
            yield offset, min(hashing.UNIT, made.length - offset)
        return
    piece, start = entry.piece_length, entry.starts()[number]
    for first in range(start // piece, -(-(start + made.length) // piece)):
        if held[first]:
            low, high = max(start, first * piece), min(start + made.length, (first + 1) * piece)
            if high > low:
                yield low - start, high - low


def bytes_to_write(entries: Sequence[Placement]) -> int:
    """Return how many bytes making these entries will write."""
    return sum(
        length for entry in entries for number in entry.missing for _offset, length in held_ranges(entry, number)
    )


def bytes_to_hold(entries: Sequence[Placement]) -> int:
    """Return how many bytes these entries will take of the disk, with those that the daemon fetches."""
    return sum(
        sum(entry.disk[number].length for number in entry.missing) if entry.fetches_rest else bytes_to_write([entry])
        for entry in entries
    )


def made_paths(manifest: Manifest, payload_dir: str) -> list[tuple[str, str]]:
    """Return what was made for an entry: the payload directory of then, and each path below it."""
    below = manifest.get("payload_dir", payload_dir)
    return [(below, path) for path in (*dict(manifest.get("disk", [])), *manifest.get("links", []))]


def clear_files(paths: Sequence[tuple[str, str]]) -> None:
    """Remove our files (payload directory, path below it) and the directories that they leave empty; nothing else."""
    parents = set()
    for below, path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(os.path.join(below, path))
        parent = os.path.dirname(path)
        while parent:
            parents.add((below, parent))
            parent = os.path.dirname(parent)
    for below, parent in sorted(parents, key=lambda each: len(each[1]), reverse=True):
        try:
            os.rmdir(os.path.join(below, parent))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                raise


def _create(path: str, length: int, *, allocate: bool, owner: tuple[int, int] | None) -> None:
    """Make an empty file of a length, of holes or with its space allocated."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        if owner:
            os.fchown(descriptor, *owner)
        # Two workers that grow one file get in each other's way; small files are cheaper without.
        if allocate and length >= sizes.MIB:
            try:
                os.posix_fallocate(descriptor, 0, length)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
        os.ftruncate(descriptor, length)
    finally:
        os.close(descriptor)


def _write_parts(unit: tuple[int, list[FilePart]], worker: Worker) -> None:
    for part in unit[1]:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if part.create else 0)
        descriptor = os.open(part.stage, flags, 0o644)
        try:
            if part.create:
                os.fchmod(descriptor, 0o644)  # whatever our umask
            offset, end = part.offset, part.offset + part.length
            while offset < end:
                take = min(_WRITE - offset % _WRITE, end - offset)
                count = os.pwritev(descriptor, content.parts(part.key, offset, take), offset)
                offset += count
                worker.tick(count)
        finally:
            os.close(descriptor)
