"""Payloads on a host: recipes carried out, existing content looked at, both hashed, all of it in one run.

Nothing half-made is ever in its place: files are written under .seedbed/ beside the payloads and renamed,
and the manifest of an entry is written when the entry is done. A run that was killed at any moment leaves
at most files without a manifest, or with one that was cut off, and the next run makes those again.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import time
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base import sizes, workers
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import digest, is_racy, make_directory, stat_of
from ansible.module_utils.seedbed.base.workers import Worker
from ansible.module_utils.seedbed.payload import content, hashing
from ansible.module_utils.seedbed.payload.collection import expand
from ansible.module_utils.seedbed.payload.hashing import Digests
from ansible.module_utils.seedbed.payload.placement import STAGE, Entry, Host, UnfitClient, agreement, look

BATCH = sizes.GIB  # work between two looks at the manifests: what a killed run loses at most
FILE = 64 * sizes.KIB  # a file of no bytes takes at least as long to make as so many bytes to write
# Written so, the page cache keeps a file in huge pages where the kernel can, and hashing maps those at no cost.
_WRITE = 2 * sizes.MIB


class StoreError(SeedbedError):
    """Something that went wrong while an entry was made."""


class Piece(NamedTuple):
    """A file to make, or a part of one."""

    stage: str
    key: bytes
    offset: int
    length: int
    create: bool = False  # all of a file, which is not there yet


class Report(NamedTuple):
    """How far a run is."""

    step: str  # making or hashing
    done: int
    total: int


class Store:
    """The payloads of a host."""

    def __init__(
        self,
        host: Host,
        *,
        processes: int = 0,
        check: bool = False,
        report: Callable[[Report], None] | None = None,
    ) -> None:
        self.host, self.payload_dir, self.manifests = host, host.payload_dir, host.manifests
        self.processes, self.check, self.report = processes, check, report
        self.entries: list[Entry] = []
        self.gone: list[str] = []
        self.failures: list[dict[str, Any]] = []
        self.changed: list[str] = []
        self.made = self.hashed = 0
        self.total_made = self.total_hashed = 0

    def fail(self, name: str, reason: str, *, unfit: bool = False) -> None:
        self.failures.append({"name": name, "reason": reason, "unfit": unfit})

    def _progress(self, step: str, total: int) -> workers.Report | None:
        report = self.report
        if report is None:
            return None
        before = self.made if step == "making" else self.hashed
        return lambda done: report(Report(step, before + done, max(total, before + done)))

    # Looking

    def look(self, specs: Sequence[Mapping[str, Any]], *, prune: bool = True) -> None:
        """See what the entries are and what of them is there; changes nothing."""
        wanted = [spec for spec in specs if spec["state"] == "present"]
        singles = [spec for spec in wanted if spec["kind"] != "collection"]
        taken = {spec["name"] for spec in singles}
        for spec in wanted:
            if spec["kind"] == "collection":
                found, faults = expand(spec, taken)
                singles += found
                for fault in faults:
                    self.fail(spec["collection"], fault)
        self.gone = [name for spec in specs if spec["state"] == "absent" for name in _names(spec, taken)]
        if prune:
            self.gone += self.manifests.others({*taken, *self.gone})
        places: dict[str, str] = {}
        for spec in singles:
            try:
                entry = look(spec, self.host)
                if entry.synthetic and places.setdefault(entry.root, entry.name) != entry.name:
                    raise UnfitClient(f"takes its name for that of {places[entry.root]!r}")
                self.entries.append(entry)
            except (SeedbedError, OSError) as error:
                self.fail(spec["name"], str(error), unfit=isinstance(error, UnfitClient))
        self._make_room()

    def _make_room(self) -> None:
        """Without space for all that is missing, nothing of it is begun."""
        need = self.needs(self.entries, grown=True)
        if not need or self.check:
            return
        path, free = _free(self.payload_dir)
        free += self._reclaimed()
        if need <= free:
            return
        reason = f"needs {sizes.format_size(need)} on {path}, {sizes.format_size(free)} free"
        for entry in self.entries:
            if entry.missing:
                self.fail(entry.name, reason)
        self.entries = [entry for entry in self.entries if not entry.missing]

    def _reclaimed(self) -> int:
        """Bytes that run() frees before it writes: of entries that go, and of a run that was killed."""
        gone = [os.path.join(*one) for name in self.gone for one in self._made(self.manifests.load(name))]
        paths = [*gone, *self._staged()]
        return sum(os.lstat(path).st_blocks * 512 for path in paths if os.path.lexists(path))

    def _staged(self) -> list[str]:
        """Files that were begun and not put in place."""
        stage = os.path.join(self.payload_dir, STAGE, "making")
        return [os.path.join(stage, name) for name in os.listdir(stage)] if os.path.isdir(stage) else []

    def to_hash(self) -> list[Entry]:
        """Entries whose digests are wanted and not known from before."""
        return [entry for entry in self.entries if entry.spec["hash"] and not self._reuse(entry)]

    def cost(self) -> int:
        """Bytes that the run will write and hash, and what takes as long as some."""
        works = [entry.work(self.payload_dir, written=not self.check) for entry in self.to_hash()]
        files = sum(len(entry.missing) for entry in self.entries)
        return (0 if self.check else self.needs(self.entries) + files * FILE) + hashing.total(works)

    def needs(self, entries: Sequence[Entry], *, grown: bool = False) -> int:
        """Bytes that making these entries takes; grown: with those that the daemon will fetch."""
        return sum(
            length
            for entry in entries
            for number in entry.missing
            for _offset, length in (
                [(0, entry.disk[number].length)] if grown and entry.grows else self._held_ranges(entry, number)
            )
        )

    # Making

    def _held_ranges(self, entry: Entry, number: int) -> Iterator[tuple[int, int]]:
        """(offset, length) of what has to be written of a file, in runs of at most 16 MiB."""
        disk = entry.disk[number]
        if not disk.key:
            return  # padding is a hole: zeros without a write
        held = entry.held()
        if held is None:
            for offset in range(0, disk.length, hashing.UNIT):
                yield offset, min(hashing.UNIT, disk.length - offset)
            return
        piece, start = entry.piece_length, entry.starts()[number]
        for first in range(start // piece, -(-(start + disk.length) // piece)):
            if held[first]:
                low, high = max(start, first * piece), min(start + disk.length, (first + 1) * piece)
                if high > low:
                    yield low - start, high - low

    def _stage(self, entry: Entry, number: int) -> str:
        return os.path.join(self.payload_dir, STAGE, "making", f"{digest(entry.name)}-{number}")

    def _begin(self, entry: Entry) -> list[list[Piece]]:
        """Create the missing files of an entry beside their places, still empty, or leave it to who writes them;
        returns what to write."""
        # From here on what lies in its place is ours, finished or not.
        known = {**entry.known, "made": entry.synthetic, "kind": entry.spec["kind"], "payload_dir": self.payload_dir}
        self.manifests.save(entry.name, known)
        batches: list[list[Piece]] = [[]]
        weight = 0
        for number in entry.missing:
            path, disk = self._stage(entry, number), entry.disk[number]
            # A file that one worker writes is cheaper without.
            create = entry.held() is None and bool(disk.key) and 0 < disk.length <= hashing.UNIT
            if not create:
                _create(path, disk.length, whole=entry.held() is None and bool(disk.key), owner=entry.owner)
            for offset, length in self._held_ranges(entry, number):
                batches[-1].append(Piece(path, disk.key, offset, length, create))
                weight += length
                if weight >= hashing.UNIT:
                    batches.append([])
                    weight = 0
        return [batch for batch in batches if batch]

    def make(self, entries: Sequence[Entry]) -> list[Entry]:
        """Write what is missing of these entries; returns those that are complete."""
        make_directory(os.path.join(self.payload_dir, STAGE, "making"))
        units: list[tuple[int, list[Piece]]] = []
        failed: dict[int, str] = {}
        for index, entry in enumerate(entries):
            try:
                _clear(self._made(entry.elsewhere))
                units += [(index, batch) for batch in self._begin(entry)]
            except OSError as error:
                failed[index] = str(error)
        content.prepare()
        weight = self.needs(entries)
        report = self._progress("making", self.total_made)
        faults = workers.run(units, _write, workers=self.processes, small=weight < hashing.SMALL, report=report)
        self.made += weight
        for unit, fault in faults:
            failed.setdefault(units[unit][0], fault)
        done = []
        for index, entry in enumerate(entries):
            try:
                if index not in failed:
                    self._place(entry)
            except OSError as error:
                failed[index] = f"cannot put its files in place: {error}"
            if index in failed:
                self.fail(entry.name, failed[index])
            else:
                done.append(entry)
        self._sweep()
        return done

    def _sweep(self) -> None:
        """Remove what was begun and will not be finished."""
        for path in self._staged():
            os.unlink(path)

    def _place(self, entry: Entry) -> None:
        """Rename the files of an entry into their places, and take away what no longer belongs to it."""
        wanted = {disk.path for disk in entry.disk} | set(entry.links)
        had = {*dict(entry.known.get("disk", [])), *entry.known.get("links", [])}
        _clear([(self.payload_dir, path) for path in sorted(had - wanted)])
        parents = set()
        for number in entry.missing:
            target = os.path.join(self.payload_dir, entry.disk[number].path)
            parent = os.path.dirname(target)
            if parent not in parents:
                make_directory(parent)
                parents.add(parent)
            os.rename(self._stage(entry, number), target)
        for path, points in entry.links.items():
            where = os.path.join(self.payload_dir, path)
            if not os.path.islink(where) or os.readlink(where) != points:
                make_directory(os.path.dirname(where))
                _unlink(where + ".part")
                os.symlink(points, where + ".part")
                os.rename(where + ".part", where)

    def _made(self, known: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What was made for an entry: the payload directory of then, and each path below it."""
        below = known.get("payload_dir", self.payload_dir)
        return [(below, path) for path in (*dict(known.get("disk", [])), *known.get("links", []))]

    def remove(self, name: str) -> None:
        """Take back what was made for an entry; sources are never touched."""
        known = self.manifests.load(name)
        if not known:
            return
        self.changed.append(name)
        if not self.check:
            _clear(self._made(known))
            self.manifests.remove(name)

    # Hashing

    def _reuse(self, entry: Entry) -> bool:
        """Take the digests of the last run if they still hold."""
        saved = entry.known.get("digests")
        if entry.digests is not None:
            return True
        if not saved or saved["of"] != entry.fingerprint():
            return False
        if not entry.synthetic:
            stats = [list(stat) if stat else None for stat in entry.seen()]
            if entry.known.get("racy") or saved["stats"] != stats:
                return False
        entry.digests = Digests(
            base64.b64decode(saved["pieces"]),
            [bytes.fromhex(one) for one in saved["checksums"]],
            [base64.b64decode(one) for one in saved["roots"]],
            [base64.b64decode(one) for one in saved["layers"]],
        )
        return True

    def hash(self, entries: Sequence[Entry]) -> list[Entry]:
        """Digests of these entries; returns those whose content stood still meanwhile."""
        before = []
        for entry in entries:
            entry.looked_ns = time.time_ns()
            before.append(entry.seen())
        works = [entry.work(self.payload_dir, written=not self.check) for entry in entries]
        report = self._progress("hashing", self.total_hashed)
        found, failed = hashing.hash_all(works, processes=self.processes, report=report)
        self.hashed += hashing.total(works)
        done = []
        for index, (entry, digests) in enumerate(zip(entries, found)):
            if index in failed:
                self.fail(entry.name, failed[index])
            elif entry.seen() != before[index]:
                self.fail(entry.name, f"{entry.root} changed while it was hashed; run again when it is complete")
            else:
                entry.stats = before[index]
                entry.digests = digests
                done.append(entry)
        return done

    def save(self, entry: Entry) -> None:
        """Write the manifest: from here on the entry is done."""
        known: dict[str, Any] = {"kind": entry.spec["kind"], "made": entry.synthetic, "layout": entry.layout()}
        known["payload_dir"] = self.payload_dir
        known["links"] = sorted(entry.links)
        known["disk"] = disk_stats = []
        for disk in entry.disk:
            seen = stat_of(os.path.join(self.payload_dir, disk.path))
            if seen is None:
                raise StoreError(f"{disk.path} vanished while it was made")
            disk_stats.append([disk.path, entry.mark(disk, seen)])
        if entry.digests and not (entry.known.get("digests") and not entry.looked_ns):
            known["racy"] = is_racy([stat for stat in entry.stats if stat], entry.looked_ns)
            known["digests"] = {
                "of": entry.fingerprint(),
                "stats": [list(stat) if stat else None for stat in entry.stats],
                "pieces": base64.b64encode(entry.digests.pieces).decode(),
                "checksums": [one.hex() for one in entry.digests.checksums],
                "roots": [base64.b64encode(one).decode() for one in entry.digests.roots],
                "layers": [base64.b64encode(one).decode() for one in entry.digests.layers],
            }
        elif entry.known.get("digests", {}).get("of") == entry.fingerprint():
            known.update({key: entry.known[key] for key in ("digests", "racy") if key in entry.known})
        self.manifests.save(entry.name, known)

    # All of it

    def run(self) -> list[dict[str, Any]]:
        """Do what look() found to be done; returns the descriptors of what the host then holds."""
        if not self.check:
            self._sweep()  # of a run that was killed
        for name in self.gone:
            self.remove(name)
        self.total_made = self.needs(self.entries)
        self.total_hashed = hashing.total(
            [entry.work(self.payload_dir, written=not self.check) for entry in self.to_hash()]
        )
        done = [one for batch in _batches(self.entries) for one in self._batch(batch)]
        return [describe(entry) for entry in done]

    def _batch(self, entries: list[Entry]) -> list[Entry]:
        changed = [entry for entry in entries if entry.changed]
        if changed and not self.check:
            lost = set(map(id, changed)) - set(map(id, self.make(changed)))
            entries = [entry for entry in entries if id(entry) not in lost]
        unhashed = [entry for entry in entries if entry.spec["hash"] and not self._reuse(entry)]
        fresh = set(map(id, unhashed))
        lost = fresh - set(map(id, self.hash(unhashed))) if unhashed else set()
        entries = [entry for entry in entries if id(entry) not in lost]
        self.changed += [entry.name for entry in entries if entry.changed]
        if not self.check:
            for entry in entries:
                if id(entry) in fresh or entry.changed:
                    self.save(entry)
        good = []
        for entry in entries:
            difference = agreement(entry)
            if difference:
                self.fail(entry.name, difference)
            else:
                good.append(entry)
        return good


def _names(spec: Mapping[str, Any], taken: set[str]) -> list[str]:
    """What an entry that is absent was; of a folder, what lies in it and belongs to no other entry."""
    if spec["kind"] != "collection":
        return [spec["name"]]
    return [entry["name"] for entry in expand(spec, set(taken))[0]]


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    weight = 0
    for entry in entries:
        batch.append(entry)
        weight += entry.length
        if weight >= BATCH:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def describe(entry: Entry) -> dict[str, Any]:
    """The descriptor of a payload, as the controller wants it."""
    told: dict[str, Any] = {"name": entry.name, "download_dir": entry.download_dir, "changed": entry.changed}
    if "collection" in entry.spec:
        told["collection"] = entry.spec["collection"]
    if entry.digests is None:
        return told
    told.update(
        length=entry.length,
        single_file=entry.single,
        piece_length=entry.piece_length,
        hybrid=entry.hybrid,
        pieces=base64.b64encode(entry.digests.pieces).decode(),
        recipe={"format": content.FORMAT, "seed": entry.spec["recipe"]["seed"]} if entry.synthetic else None,
    )
    told["files"] = files = []
    for number, file in enumerate(entry.files):
        one = {"path": list(file.path), "length": file.length, "sha256": entry.digests.checksums[number].hex()}
        if entry.hybrid:
            one["root"] = base64.b64encode(entry.digests.roots[number]).decode()
            one["layer"] = base64.b64encode(entry.digests.layers[number]).decode()
        files.append(one)
    return told


def _free(path: str) -> tuple[str, int]:
    """The nearest directory that is there, and the space that is free on it."""
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    seen = os.statvfs(path)
    return path, seen.f_bavail * seen.f_frsize


def _clear(paths: Sequence[tuple[str, str]]) -> None:
    """Remove our files (payload directory, path below it) and the directories that they leave empty; nothing else."""
    parents = set()
    for below, path in paths:
        _unlink(os.path.join(below, path))
        parent = os.path.dirname(path)
        while parent:
            parents.add((below, parent))
            parent = os.path.dirname(parent)
    for below, parent in sorted(parents, key=lambda one: len(one[1]), reverse=True):
        try:
            os.rmdir(os.path.join(below, parent))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                raise


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def _create(path: str, length: int, *, whole: bool, owner: tuple[int, int] | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        if owner:
            os.fchown(descriptor, *owner)
        # Two workers that grow one file get in each other's way; small files are cheaper without.
        if whole and length >= sizes.MIB:
            try:
                os.posix_fallocate(descriptor, 0, length)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
        os.ftruncate(descriptor, length)
    finally:
        os.close(descriptor)


def _write(unit: tuple[int, list[Piece]], worker: Worker) -> None:
    for piece in unit[1]:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if piece.create else 0)
        descriptor = os.open(piece.stage, flags, 0o644)
        try:
            if piece.create:
                os.fchmod(descriptor, 0o644)  # whatever our umask
            offset, end = piece.offset, piece.offset + piece.length
            while offset < end:
                take = min(_WRITE - offset % _WRITE, end - offset)
                count = os.pwritev(descriptor, content.parts(piece.key, offset, take), offset)
                offset += count
                worker.tick(count)
        finally:
            os.close(descriptor)
