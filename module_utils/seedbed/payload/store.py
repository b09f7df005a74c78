"""Payloads on a host: recipes carried out, existing content inspected, both hashed, all of it in one run.

The manifest of an entry is written when the entry is done. A run that was killed at any moment leaves at most files
without a manifest, or with one that was cut off, and the next run makes those again.
"""

from __future__ import annotations

import os
import time
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible.module_utils.seedbed.base import sizes, workers
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import is_racy, stat_of
from ansible.module_utils.seedbed.payload.collection import expand_collection
from ansible.module_utils.seedbed.payload.descriptor import describe
from ansible.module_utils.seedbed.payload.hashing import HashError, HashWork, bytes_to_hash, hash_all
from ansible.module_utils.seedbed.payload.inspection import inspect_entry, torrent_difference
from ansible.module_utils.seedbed.payload.making import (
    PayloadMaker,
    bytes_to_hold,
    bytes_to_write,
    clear_files,
    made_paths,
)
from ansible.module_utils.seedbed.payload.manifest import Manifest, digests_of, load_digests, save_digests
from ansible.module_utils.seedbed.payload.placement import PayloadHost, Placement, UnfitClient
from ansible.module_utils.seedbed.torrent.model import Failure, Payload, Spec

BATCH = sizes.GIB  # work between two writes of manifests: what a killed run loses at most
FILE = 64 * sizes.KIB  # a file of no bytes takes at least as long to make as so many bytes to write


class StoreError(SeedbedError):
    """Something that went wrong while an entry was made."""


class StoreProgress(NamedTuple):
    """How far a run is."""

    step: str  # making or hashing
    done: int
    total: int


class Store:
    """The payloads of a host."""

    def __init__(
        self,
        host: PayloadHost,
        *,
        processes: int = 0,
        check: bool = False,
        report: Callable[[StoreProgress], None] | None = None,
    ) -> None:
        self.host, self.payload_dir, self.manifests = host, host.payload_dir, host.manifests
        self.processes, self.check, self.report = processes, check, report
        self.entries: list[Placement] = []
        self.gone: list[str] = []
        self.failures: list[Failure] = []
        self.changed: list[str] = []
        self.made = self.hashed = 0
        self._maker = PayloadMaker(host, processes)
        self._to_make = self._to_hash = 0

    def _fail(self, name: str, reason: str, *, unfit: bool = False) -> None:
        self.failures.append({"name": name, "reason": reason, "unfit": unfit})

    def _reporter(self, step: str, before: int, total: int) -> workers.ReportDone | None:
        report = self.report
        if report is None:
            return None
        return lambda done: report(StoreProgress(step, before + done, max(total, before + done)))

    # Inspecting

    def inspect(self, specs: Sequence[Spec], *, prune: bool = True) -> None:
        """Find what the entries are and what of them is there; change nothing."""
        wanted = [spec for spec in specs if spec["state"] == "present"]
        singles = [spec for spec in wanted if spec["kind"] != "collection"]
        taken = {spec["name"] for spec in singles}
        for spec in wanted:
            if spec["kind"] == "collection":
                found, faults = expand_collection(spec, taken)
                singles += found
                for fault in faults:
                    self._fail(spec["collection"], fault)
        self.gone = [name for spec in specs if spec["state"] == "absent" for name in _absent_names(spec, taken)]
        if prune:
            self.gone += self.manifests.others({*taken, *self.gone})
        names: dict[str, str] = {}  # of entries, by the place that is theirs
        for spec in singles:
            try:
                entry = inspect_entry(spec, self.host)
                if entry.root and entry.synthetic and names.setdefault(entry.root, entry.name) != entry.name:
                    raise UnfitClient(f"takes its name for that of {names[entry.root]!r}")
                self.entries.append(entry)
            except (SeedbedError, OSError) as error:
                self._fail(spec["name"], str(error), unfit=isinstance(error, UnfitClient))
        self._require_space()

    def _require_space(self) -> None:
        """Without space for all that is missing, begin nothing of it."""
        need = bytes_to_hold(self.entries)
        if not need or self.check:
            return
        path, free = _free_space(self.payload_dir)
        free += self._reclaimed()
        if need <= free:
            return
        reason = f"needs {sizes.format_size(need)} on {path}, {sizes.format_size(free)} free"
        for entry in self.entries:
            if entry.missing:
                self._fail(entry.name, reason)
        self.entries = [entry for entry in self.entries if not entry.missing]

    def _reclaimed(self) -> int:
        """Return the bytes that run() frees before it writes: of entries that go, and of a run that was killed."""
        gone = [
            os.path.join(*place)
            for name in self.gone
            for place in made_paths(self.manifests.load(name), self.payload_dir)
        ]
        paths = [*gone, *self._maker.staged()]
        return sum(os.lstat(path).st_blocks * 512 for path in paths if os.path.lexists(path))

    def _hash_works(self) -> list[HashWork]:
        """Return what is to be hashed of the entries whose digests are wanted and not known from before."""
        return [self._hash_work(entry) for entry in self.entries if entry.spec["hash"] and not self._reuse(entry)]

    def _hash_work(self, entry: Placement) -> HashWork:
        return entry.hash_work(self.payload_dir, written=not self.check)

    def cost(self) -> int:
        """Return the bytes that the run will write and hash, and what takes as long as some."""
        files = sum(len(entry.missing) for entry in self.entries)
        return (0 if self.check else bytes_to_write(self.entries) + files * FILE) + bytes_to_hash(self._hash_works())

    # Doing

    def run(self) -> list[Payload]:
        """Do what inspect() found to be done; return the descriptors of what the host then holds."""
        if not self.check:
            self._maker.sweep()  # of a run that was killed
        for name in self.gone:
            self._remove(name)
        self._to_make = bytes_to_write(self.entries)
        self._to_hash = bytes_to_hash(self._hash_works())
        return [describe(entry) for batch in _batches(self.entries) for entry in self._complete(batch)]

    def _complete(self, entries: list[Placement]) -> list[Placement]:
        """Make, hash and note these entries; return those of which all is right."""
        changed = [entry for entry in entries if entry.changed]
        if changed and not self.check:
            entries = _without(entries, self._make(changed))
        fresh = [entry for entry in entries if entry.spec["hash"] and not self._reuse(entry)]
        if fresh:
            entries = _without(entries, self._hash(fresh))
        if not self.check:
            hashed = set(fresh)
            entries = _without(entries, self._save([entry for entry in entries if entry.changed or entry in hashed]))
        self.changed += [entry.name for entry in entries if entry.changed]
        different = []
        for entry in entries:
            difference = torrent_difference(entry)
            if difference:
                self._fail(entry.name, difference)
                different.append(entry)
        return _without(entries, different)

    def _make(self, entries: Sequence[Placement]) -> list[Placement]:
        """Write what is missing of these entries; return those that failed."""
        failed = self._maker.make(entries, self._reporter("making", self.made, self._to_make))
        self.made += bytes_to_write(entries)
        for index, reason in sorted(failed.items()):
            self._fail(entries[index].name, reason)
        return [entries[index] for index in failed]

    def _hash(self, entries: Sequence[Placement]) -> list[Placement]:
        """Hash these entries; return those that failed, or whose content did not stand still meanwhile."""
        before = []
        for entry in entries:
            entry.hashed_ns = time.time_ns()
            before.append(entry.source_stats())
        works = [self._hash_work(entry) for entry in entries]
        results = hash_all(
            works, processes=self.processes, report=self._reporter("hashing", self.hashed, self._to_hash)
        )
        self.hashed += bytes_to_hash(works)
        failed = []
        for entry, stats, result in zip(entries, before, results):
            if isinstance(result, HashError):
                self._fail(entry.name, str(result))
                failed.append(entry)
            elif entry.source_stats() != stats:
                self._fail(entry.name, f"{entry.root} changed while it was hashed; run again when it is complete")
                failed.append(entry)
            else:
                entry.stats, entry.digests = stats, result
        return failed

    def _reuse(self, entry: Placement) -> bool:
        """Take the digests of the last run if they still hold; return whether the entry has digests."""
        saved = entry.manifest.get("digests")
        if entry.digests is not None:
            return True
        if not saved or saved["of"] != entry.fingerprint():
            return False
        if not entry.synthetic:
            stats = [list(stat) if stat else None for stat in entry.source_stats()]
            if entry.manifest.get("racy") or saved["stats"] != stats:
                return False
        entry.digests = load_digests(saved)
        return True

    def _save(self, entries: Sequence[Placement]) -> list[Placement]:
        """Write the manifests, from which on the entries are done; return those that are not."""
        failed = []
        for entry in entries:
            try:
                self.manifests.save(entry.name, self._manifest(entry))
            except StoreError as error:
                self._fail(entry.name, str(error))
                failed.append(entry)
        return failed

    def _manifest(self, entry: Placement) -> Manifest:
        manifest: Manifest = {
            "kind": entry.spec["kind"],
            "made": entry.synthetic and not entry.virtual,
            "layout": entry.layout(),
            "payload_dir": self.payload_dir,
            "links": sorted(entry.links),
            "disk": [],
        }
        for made in entry.disk:
            found = stat_of(os.path.join(self.payload_dir, made.path))
            if found is None:
                raise StoreError(f"{made.path} vanished while it was made")
            manifest["disk"].append((made.path, entry.mark(made, found)))
        if entry.digests and (entry.hashed_ns or "digests" not in entry.manifest):
            stats = [list(stat) if stat else None for stat in entry.stats]
            manifest["racy"] = is_racy([stat for stat in entry.stats if stat], entry.hashed_ns)
            manifest["digests"] = save_digests(entry.digests, entry.fingerprint(), stats)
        elif "digests" in entry.manifest and entry.manifest["digests"]["of"] == entry.fingerprint():
            manifest.update(digests_of(entry.manifest))
        return manifest

    def _remove(self, name: str) -> None:
        """Remove what was made for an entry; sources are never touched."""
        manifest = self.manifests.load(name)
        if not manifest:
            return
        self.changed.append(name)
        if not self.check:
            clear_files(made_paths(manifest, self.payload_dir))
            self.manifests.remove(name)


def _without(entries: Sequence[Placement], failed: Sequence[Placement]) -> list[Placement]:
    left_out = set(failed)
    return [entry for entry in entries if entry not in left_out]


def _absent_names(spec: Spec, taken: set[str]) -> list[str]:
    """Return what an entry that is absent was; of a folder, what lies in it and belongs to no other entry."""
    if spec["kind"] != "collection":
        return [spec["name"]]
    return [entry["name"] for entry in expand_collection(spec, set(taken))[0]]


def _batches(entries: Sequence[Placement]) -> Iterator[list[Placement]]:
    batch: list[Placement] = []
    weight = 0
    for entry in entries:
        batch.append(entry)
        weight += entry.length
        if weight >= BATCH:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _free_space(path: str) -> tuple[str, int]:
    """Return the nearest directory that is there, and the space that is free on it."""
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    found = os.statvfs(path)
    return path, found.f_bavail * found.f_frsize
