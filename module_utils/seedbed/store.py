"""Payloads on a host: recipes carried out, existing content looked at, both hashed, all of it in one run.

Nothing half-made is ever in its place: files are written under .seedbed/ beside the payloads and renamed,
and the manifest of an entry is written when the entry is done. A run that was killed at any moment leaves
at most files without a manifest, and the next run makes those again.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import time
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed import content, hashing, layouts, sizes, workers
from ansible.module_utils.seedbed.errors import SeedbedError
from ansible.module_utils.seedbed.hashing import Digests, Source, Work
from ansible.module_utils.seedbed.layouts import File
from ansible.module_utils.seedbed.manifest import Manifests, Stat, digest, is_racy, stat_of
from ansible.module_utils.seedbed.workers import Worker

STAGE = ".seedbed"
BATCH = sizes.GIB  # work between two looks at the manifests: what a killed run loses at most
_WRITE = sizes.MIB


class StoreError(SeedbedError):
    """An entry that cannot be done on this host; the text says why."""


class Piece(NamedTuple):
    """A file to make, or a part of one."""

    stage: str
    key: bytes  # empty: zeros
    offset: int
    length: int


class Disk(NamedTuple):
    """A file as it lies on the disk."""

    path: str  # below the payload directory
    length: int
    key: bytes  # of its content; empty for padding


class Entry:
    """One entry on its way through a run."""

    def __init__(self, spec: Mapping[str, Any], name: str) -> None:
        self.spec, self.name = spec, name
        self.files: list[File] = []
        self.sources: list[Source] = []
        self.disk: list[Disk] = []
        self.known: dict[str, Any] = {}
        self.root = ""
        self.download_dir = ""
        self.piece_length = 0
        self.missing: list[int] = []  # numbers in disk
        self.digests: Digests | None = None
        self.stats: list[Stat] = []
        self.changed = False
        self.looked_ns = 0
        self._held: list[bool] | None = None

    @property
    def synthetic(self) -> bool:
        return bool(self.spec["kind"] == "synthetic")

    @property
    def single(self) -> bool:
        return len(self.files) == 1 and not self.files[0].path

    @property
    def length(self) -> int:
        return sum(file.length for file in self.files)

    def fingerprint(self) -> str:
        """Everything that the digests of this entry depend on, but for the content of foreign files."""
        listed = digest([[list(file.path), file.length] for file in self.files])
        seed = self.spec["recipe"]["seed"] if self.synthetic else None
        return digest(content.FORMAT, seed, listed, self.piece_length, bool(self.spec.get("hybrid")))

    def held(self) -> list[bool] | None:
        """Which pieces a partial seeder holds; None for all. The choice depends on name and number alone."""
        share = self.spec.get("available")
        if share is None or self._held is not None:
            return self._held
        padded = self.spec.get("hybrid") and not self.single
        lengths = [file.length + (-file.length % self.piece_length if padded else 0) for file in self.files]
        count = -(-sum(lengths) // self.piece_length)
        keep = min(count * share // 1_000_000, max(0, count - 1))
        order = sorted(range(count), key=lambda n: hashlib.sha256(f"{self.name}/{n}".encode()).digest())
        chosen = set(order[:keep])
        self._held = [number in chosen for number in range(count)]
        return self._held


def _set_piece_length(entry: Entry) -> None:
    lengths = [file.length for file in entry.files]
    choose = (
        sizes.hybrid_piece_length_for(lengths) if entry.spec.get("hybrid") else sizes.piece_length_for(sum(lengths))
    )
    entry.piece_length = entry.spec.get("piece_length") or choose


def walk(root: str) -> list[File]:
    """Every file of a directory, hidden and empty ones too, in component-wise byte order."""
    files: list[File] = []
    stack: list[tuple[str, ...]] = [()]
    while stack:
        path = stack.pop()
        where = os.path.join(root, *path)
        with os.scandir(where) as found:
            for one in found:
                part = (*path, one.name)
                try:
                    one.name.encode()
                except UnicodeEncodeError:
                    raise StoreError(f"{os.fsencode(one.path)!r} has a name that is not UTF-8") from None
                if one.is_dir(follow_symlinks=False):
                    stack.append(part)
                elif one.is_file():
                    files.append(File(part, one.stat().st_size))
                else:
                    raise StoreError(f"{one.path} is neither a file nor a directory")
    files.sort(key=lambda file: layouts.sort_key(file.path))
    return files


class Store:
    """The payloads of a host."""

    def __init__(self, payload_dir: str, state_dir: str, *, processes: int = 0, check: bool = False) -> None:
        self.payload_dir, self.state_dir = payload_dir, state_dir
        self.processes, self.check = processes, check
        self.manifests = Manifests(os.path.join(state_dir, "manifests"))
        self.failures: list[dict[str, str]] = []
        self.changed: list[str] = []
        self.made = self.hashed = 0

    def fail(self, name: str, reason: str) -> None:
        self.failures.append({"name": name, "reason": reason})

    # Looking

    def look(self, spec: Mapping[str, Any], name: str) -> Entry:
        """What an entry is, and what of it is there already."""
        entry = Entry(spec, name)
        entry.known = self.manifests.load(name)
        if entry.synthetic:
            self._look_synthetic(entry)
        else:
            self._look_source(entry)
        return entry

    def _look_synthetic(self, entry: Entry) -> None:
        recipe = entry.spec["recipe"]
        entry.files = layouts.plan(recipe, recipe["seed"])
        keys = [content.file_key(recipe["seed"], file.path) for file in entry.files]
        if len(set(keys)) != len(keys):
            raise StoreError("two files of this recipe would have the same content key; choose another seed")
        _set_piece_length(entry)
        entry.sources = [Source(file.length, "", key) for file, key in zip(entry.files, keys)]
        entry.download_dir = self.payload_dir
        entry.root = os.path.join(self.payload_dir, entry.name)
        entry.disk = [
            Disk(os.path.join(entry.name, *file.path), file.length, key) for file, key in zip(entry.files, keys)
        ]
        if entry.spec.get("hybrid") and not entry.single:
            pads = sorted({-file.length % entry.piece_length for file in entry.files} - {0})
            entry.disk += [Disk(os.path.join(entry.name, ".pad", str(pad)), pad, b"") for pad in pads]
        if not entry.known.get("made") and os.path.lexists(entry.root):
            raise StoreError(f"{entry.root} is there already and was not made by this lab; move it away")
        known = dict(entry.known.get("disk", []))
        if entry.known.get("layout") != self._layout(entry):
            known = {}
        for number, disk in enumerate(entry.disk):
            seen = stat_of(os.path.join(self.payload_dir, disk.path))
            if seen is None or known.get(disk.path) != [*seen, disk.key.hex()] or seen.size != disk.length:
                entry.missing.append(number)
        entry.changed = bool(entry.missing or set(known) - {disk.path for disk in entry.disk})

    def _layout(self, entry: Entry) -> str:
        """What the bytes on the disk depend on besides each file's own key and length."""
        share = entry.spec.get("available")
        return digest(content.FORMAT, share, entry.piece_length if share is not None else 0)

    def _look_source(self, entry: Entry) -> None:
        path = str(entry.spec["source"]).rstrip("/") or "/"
        if os.path.isdir(path):
            entry.files = walk(path)
            if not entry.files:
                raise StoreError(f"{path} holds no files")
        elif os.path.isfile(path):
            entry.files = [File((), os.stat(path).st_size)]
        elif os.path.lexists(path):
            raise StoreError(f"{path} is neither a file nor a directory")
        else:
            raise StoreError(f"{path} does not exist")
        _set_piece_length(entry)
        entry.sources = [Source(file.length, os.path.join(path, *file.path)) for file in entry.files]
        entry.root = path
        entry.download_dir = os.path.dirname(path)
        if os.path.basename(path) != entry.name:
            # Clients look for the torrent's name: a link of that name leads to the content.
            entry.download_dir = os.path.join(self.payload_dir, STAGE, "links", digest(entry.name))
            link = os.path.join(entry.download_dir, entry.name)
            entry.changed = not os.path.islink(link) or os.readlink(link) != path

    # Making

    def _held_ranges(self, entry: Entry, number: int) -> Iterator[tuple[int, int]]:
        """(offset, length) of what has to be written of a file, in runs of at most 16 MiB."""
        disk = entry.disk[number]
        held = entry.held()
        if not disk.key:
            return  # padding is a hole: zeros without a write
        if held is None:
            for offset in range(0, disk.length, hashing.UNIT):
                yield offset, min(hashing.UNIT, disk.length - offset)
            return
        piece = entry.piece_length
        padded = entry.spec.get("hybrid") and not entry.single
        start = sum(f.length + (-f.length % piece if padded else 0) for f in entry.files[:number])
        for first in range(start // piece, -(-(start + disk.length) // piece)):
            if held[first]:
                low, high = max(start, first * piece), min(start + disk.length, (first + 1) * piece)
                if high > low:
                    yield low - start, high - low

    def _stage(self, entry: Entry, number: int) -> str:
        return os.path.join(self.payload_dir, STAGE, "making", f"{digest(entry.name)}-{number}")

    def needs(self, entries: Sequence[Entry]) -> int:
        """Bytes that making all entries will take."""
        return sum(
            length
            for entry in entries
            for number in entry.missing
            for _offset, length in self._held_ranges(entry, number)
        )

    def _free(self) -> int:
        path = self.payload_dir
        while not os.path.isdir(path):
            path = os.path.dirname(path) or "/"
        seen = os.statvfs(path)
        return seen.f_bavail * seen.f_frsize

    def make(self, entries: Sequence[Entry], report: workers.Report | None = None) -> list[Entry]:
        """Write what is missing of these entries; returns those that are complete."""
        stage = os.path.join(self.payload_dir, STAGE, "making")
        _make_directory(stage)
        for left in os.listdir(stage):
            os.unlink(os.path.join(stage, left))  # of a run that was killed
        units: list[tuple[int, list[Piece]]] = []
        for index, entry in enumerate(entries):
            self.manifests.save(entry.name, {**entry.known, "made": True, "kind": "synthetic"})
            batch: list[Piece] = []
            weight = 0
            for number in entry.missing:
                path, disk = self._stage(entry, number), entry.disk[number]
                _create(path, disk.length, whole=entry.spec.get("available") is None and bool(disk.key))
                for offset, length in self._held_ranges(entry, number):
                    batch.append(Piece(path, disk.key, offset, length))
                    weight += length
                    if weight >= hashing.UNIT:
                        units.append((index, batch))
                        batch, weight = [], 0
            if batch:
                units.append((index, batch))
        content.prepare()
        self.made += self.needs(entries)
        faults = workers.run(
            units, _write, workers=self.processes, small=self.needs(entries) < hashing.SMALL, report=report
        )
        failed: dict[int, str] = {}
        for unit, fault in faults:
            failed.setdefault(units[unit][0], fault)
        done = []
        for index, entry in enumerate(entries):
            if index in failed:
                self.fail(entry.name, failed[index])
                continue
            try:
                self._place(entry)
            except OSError as error:
                self.fail(entry.name, f"cannot put its files in place: {error}")
            else:
                done.append(entry)
        return done

    def _place(self, entry: Entry) -> None:
        """Rename the files of an entry into their places, and take away what no longer belongs to it."""
        wanted = {disk.path for disk in entry.disk}
        stale = set(dict(entry.known.get("disk", []))) - wanted
        self._clear(sorted(stale))
        made = set()
        for number in entry.missing:
            target = os.path.join(self.payload_dir, entry.disk[number].path)
            parent = os.path.dirname(target)
            if parent not in made:
                _make_directory(parent)
                made.add(parent)
            os.rename(self._stage(entry, number), target)

    def _clear(self, paths: Sequence[str]) -> None:
        """Remove our files and the directories that they leave empty; never anything else."""
        parents = set()
        for path in paths:
            _unlink(os.path.join(self.payload_dir, path))
            parent = os.path.dirname(path)
            while parent:
                parents.add(parent)
                parent = os.path.dirname(parent)
        for parent in sorted(parents, key=len, reverse=True):
            try:
                os.rmdir(os.path.join(self.payload_dir, parent))
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                    raise

    def remove(self, name: str) -> None:
        """Take back what was made for an entry; sources are never touched."""
        known = self.manifests.load(name)
        if not known:
            return
        self.changed.append(name)
        if self.check:
            return
        if known.get("kind") == "synthetic":
            self._clear(sorted(dict(known.get("disk", []))))
        links = os.path.join(self.payload_dir, STAGE, "links", digest(name))
        _unlink(os.path.join(links, name))
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(links)
        self.manifests.remove(name)

    # Hashing

    def _reuse(self, entry: Entry) -> bool:
        """Take the digests of the last run if they still hold."""
        saved = entry.known.get("digests")
        if not saved or saved["of"] != entry.fingerprint():
            return False
        if not entry.synthetic:
            stats = [stat_of(source.path) for source in entry.sources]
            if entry.known.get("racy") or saved["stats"] != [list(stat) if stat else None for stat in stats]:
                return False
        entry.digests = Digests(
            base64.b64decode(saved["pieces"]),
            [bytes.fromhex(one) for one in saved["checksums"]],
            [base64.b64decode(one) for one in saved["roots"]],
            [base64.b64decode(one) for one in saved["layers"]],
        )
        return True

    def _work(self, entry: Entry) -> Work:
        """What to read: the files on the disk where they are whole, else the content itself."""
        files: Sequence[Source] = entry.sources
        if entry.synthetic and not self.check and entry.spec.get("available") is None:
            paths = (os.path.join(self.payload_dir, disk.path) for disk in entry.disk)
            files = [Source(file.length, path) for file, path in zip(entry.files, paths)]
        return Work(files, entry.piece_length, hybrid=bool(entry.spec.get("hybrid")), single=entry.single)

    def hash(self, entries: Sequence[Entry], report: workers.Report | None = None) -> list[Entry]:
        """Digests of these entries; returns those whose content stood still meanwhile."""
        for entry in entries:
            entry.looked_ns = time.time_ns()
            entry.stats = [stat for stat in (stat_of(source.path) for source in entry.sources if source.path) if stat]
        works = [self._work(entry) for entry in entries]
        found, failed = hashing.hash_all(works, processes=self.processes, report=report)
        self.hashed += hashing.total(works)
        done = []
        for index, (entry, digests) in enumerate(zip(entries, found)):
            after = [stat for stat in (stat_of(source.path) for source in entry.sources if source.path) if stat]
            if index in failed:
                self.fail(entry.name, failed[index])
            elif after != entry.stats:
                self.fail(entry.name, f"{entry.root} changed while it was hashed; run again when it is complete")
            else:
                entry.digests = digests
                done.append(entry)
        return done

    def save(self, entry: Entry) -> None:
        """Write the manifest: from here on the entry is done."""
        known: dict[str, Any] = {"kind": entry.spec["kind"]}
        if entry.synthetic:
            known["made"] = True
            known["layout"] = self._layout(entry)
            known["disk"] = disk_stats = []
            for disk in entry.disk:
                seen = stat_of(os.path.join(self.payload_dir, disk.path))
                if seen is None:
                    raise StoreError(f"{disk.path} vanished while it was made")
                disk_stats.append([disk.path, [*seen, disk.key.hex()]])
        if entry.digests:
            known["racy"] = is_racy(entry.stats, entry.looked_ns)
            known["digests"] = {
                "of": entry.fingerprint(),
                "stats": [list(stat) for stat in entry.stats],
                "pieces": base64.b64encode(entry.digests.pieces).decode(),
                "checksums": [one.hex() for one in entry.digests.checksums],
                "roots": [base64.b64encode(one).decode() for one in entry.digests.roots],
                "layers": [base64.b64encode(one).decode() for one in entry.digests.layers],
            }
        elif entry.known.get("digests", {}).get("of") == entry.fingerprint():
            known["digests"] = entry.known["digests"]
        self.manifests.save(entry.name, known)

    def link(self, entry: Entry) -> None:
        """The torrent's name beside the content that has another one."""
        if entry.synthetic or entry.download_dir == os.path.dirname(entry.root):
            return
        _make_directory(entry.download_dir)
        link = os.path.join(entry.download_dir, entry.name)
        if not os.path.islink(link) or os.readlink(link) != entry.root:
            os.symlink(entry.root, link + ".part")
            os.rename(link + ".part", link)

    # All of it

    def run(self, specs: Sequence[Mapping[str, Any]], *, prune: bool = True) -> list[dict[str, Any]]:
        """Bring this host to what the entries say; returns the descriptors of what it holds."""
        wanted = [spec for spec in specs if spec["state"] == "present"]
        names = {spec["name"] for spec in wanted}
        gone = [spec["name"] for spec in specs if spec["state"] == "absent"]
        if prune:
            gone += [name for name in self.manifests.names() if name not in names and name not in gone]
        for name in gone:
            self.remove(name)
        entries = []
        for spec in wanted:
            try:
                entries.append(self.look(spec, spec["name"]))
            except (SeedbedError, OSError) as error:
                self.fail(spec["name"], str(error))
        entries = self._make_room(entries)
        done = [one for batch in _batches(entries) for one in self._batch(batch)]
        return [describe(entry) for entry in done]

    def _make_room(self, entries: list[Entry]) -> list[Entry]:
        """Without space for all that is missing, nothing of it is begun."""
        need = self.needs(entries)
        if not need or self.check:
            return entries
        free = self._free()
        if need <= free:
            return entries
        reason = f"needs {sizes.format_size(need)} on {self.payload_dir} (all entries together), "
        reason += f"{sizes.format_size(free)} free"
        for entry in entries:
            if entry.missing:
                self.fail(entry.name, reason)
        return [entry for entry in entries if not entry.missing]

    def _batch(self, entries: list[Entry]) -> list[Entry]:
        made: list[Entry] = [entry for entry in entries if entry.changed and entry.synthetic]
        if made and not self.check:
            done = set(map(id, self.make(made)))
            entries = [entry for entry in entries if not (entry.changed and entry.synthetic) or id(entry) in done]
        unhashed = [entry for entry in entries if entry.spec["hash"] and not self._reuse(entry)]
        fresh = set(map(id, unhashed))
        lost = fresh - set(map(id, self.hash(unhashed))) if unhashed else set()
        good = [entry for entry in entries if id(entry) not in lost]
        for entry in good:
            if entry.changed:
                self.changed.append(entry.name)
            if not self.check:
                self.link(entry)
                if id(entry) in fresh or entry.changed:
                    self.save(entry)
        return good


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
    if entry.digests is None:
        return told
    hybrid = bool(entry.spec.get("hybrid"))
    told.update(
        length=entry.length,
        single_file=entry.single,
        piece_length=entry.piece_length,
        hybrid=hybrid,
        pieces=base64.b64encode(entry.digests.pieces).decode(),
        recipe={"format": content.FORMAT, "seed": entry.spec["recipe"]["seed"]} if entry.synthetic else None,
    )
    told["files"] = files = []
    for number, file in enumerate(entry.files):
        one = {"path": list(file.path), "length": file.length, "sha256": entry.digests.checksums[number].hex()}
        if hybrid:
            one["root"] = base64.b64encode(entry.digests.roots[number]).decode()
            one["layer"] = base64.b64encode(entry.digests.layers[number]).decode()
        files.append(one)
    return told


def _make_directory(path: str) -> None:
    """A directory that every daemon may enter, whatever our umask."""
    if os.path.isdir(path):
        return
    _make_directory(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, 0o755)  # noqa: S103 - the daemon that seeds is another user


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _create(path: str, length: int, *, whole: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
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
        descriptor = os.open(piece.stage, os.O_WRONLY | os.O_CLOEXEC)
        try:
            offset, end = piece.offset, piece.offset + piece.length
            while offset < end:
                take = min(_WRITE - offset % _WRITE, end - offset)
                data = memoryview(content.read(piece.key, offset, take))
                while data:
                    count = os.pwrite(descriptor, data, offset)
                    data, offset = data[count:], offset + count
                worker.tick(take)
        finally:
            os.close(descriptor)
