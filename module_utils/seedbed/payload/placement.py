"""One entry of a catalogue on one host: its files, where their bytes come from, and how they lie on the disk."""

from __future__ import annotations

import os
from itertools import accumulate
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import Stat, digest, stat_of
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.hashing import Digests, HashWork
from ansible.module_utils.seedbed.payload.layouts import ContentFile
from ansible.module_utils.seedbed.payload.manifest import FileMark, Manifest, Manifests
from ansible.module_utils.seedbed.payload.sources import Source
from ansible.module_utils.seedbed.torrent.model import Spec
from ansible.module_utils.seedbed.torrent.shares import held_pieces

STAGE = ".seedbed"  # beside the payloads: what is being made, and links to content with another name


class EntryError(SeedbedError):
    """An entry that cannot be done on this host; the text says why."""


class UnfitClient(EntryError):
    """An entry that the host's Transmission cannot seed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Transmission 3.00 {why}; a seeder with version 4 would do")


class PayloadHost(NamedTuple):
    """What matters of the host."""

    payload_dir: str
    manifests: Manifests
    client: tuple[int, ...] = ()  # the version of its Transmission, empty if there is none
    owner: tuple[int, int] | None = None  # user and group of the daemon, which writes to what it shall complete

    @property
    def renames(self) -> bool:
        """Return whether its client looks for names other than the torrent's."""
        return bool(self.client) and self.client < (4,)


class MadeFile(NamedTuple):
    """A file that is made, as it has to lie on the disk."""

    path: str  # below the payload directory
    length: int
    key: bytes  # of its content; empty for padding


class Placement:
    """One entry on its way through a run."""

    def __init__(self, spec: Spec, manifest: Manifest) -> None:
        self.spec, self.name = spec, spec["name"]
        self.files: list[ContentFile] = []
        self.sources: list[Source] = []  # where the bytes of each file come from
        self.stream: list[Source] = []  # files and padding in the order of a foreign torrent
        self.foreign_pads: set[int] = set()
        self.disk: list[MadeFile] = []  # what has to lie below the payload directory
        self.links: dict[str, str] = {}  # path below the payload directory: where it points
        self.manifest = manifest  # of the last run
        self.former: Manifest = {}  # of the last run, below another payload directory, which is to go
        self.owner: tuple[int, int] | None = None
        self.root = ""
        self.download_dir = ""
        self.piece_length = 0
        self.missing: list[int] = []  # numbers in disk
        self.digests: Digests | None = None
        self.stats: list[Stat | None] = []  # of the files that were not made here, when they were hashed
        self.hashed_ns = 0  # when that was; 0 for digests of an earlier run
        self.changed = False
        self._held_pieces: list[bool] | None = None

    @property
    def synthetic(self) -> bool:
        return bool(self.spec["kind"] == "synthetic")

    @property
    def virtual(self) -> bool:
        """Return whether nothing of it is made here: it is only hashed."""
        return bool(self.spec.get("virtual"))

    @property
    def period(self) -> int:
        """Return after how many bytes of the whole the content begins again; 0 for never."""
        return int(self.spec.get("recipe", {}).get("period", 0))

    @property
    def hybrid(self) -> bool:
        return bool(self.spec.get("hybrid"))

    @property
    def single(self) -> bool:
        return len(self.files) == 1 and not self.files[0].path

    @property
    def padded(self) -> bool:
        """Return whether each file begins on a piece border."""
        return self.hybrid and not self.single

    @property
    def fetches_rest(self) -> bool:
        """Return whether the daemon fetches the share that was not made, into the files that were."""
        return bool(self.spec.get("fetch_rest"))

    @property
    def length(self) -> int:
        return sum(file.length for file in self.files)

    def pads(self) -> list[int]:
        """Return the lengths of the pad files that a client wants to find."""
        if not self.padded:
            return sorted(self.foreign_pads)
        return sorted({-file.length % self.piece_length for file in self.files} - {0})

    def starts(self) -> list[int]:
        """Return where each file begins in the v1 stream, and where the last one ends."""
        piece = self.piece_length if self.padded else 1
        return [0, *accumulate(file.length + -file.length % piece for file in self.files)]

    def fingerprint(self) -> str:
        """Return a name for all that the digests of this entry depend on, but for the content of foreign files."""
        listed = digest([[list(file.path), file.length] for file in self.files])
        seed = self.spec["recipe"]["seed"] if self.synthetic else None
        stream = [source.length for source in self.stream]
        period = [self.period] if self.period else []
        return digest(content.FORMAT, seed, listed, stream, self.piece_length, self.hybrid, *period)

    def layout(self) -> str:
        """Return a name for what the bytes on the disk depend on besides each file's own key and length."""
        share, begin = self.spec.get("available"), self.spec.get("available_from", 0)
        more = ([begin] if begin else []) + ([self.owner] if self.fetches_rest else [])
        return digest(content.FORMAT, share, self.piece_length if share is not None else 0, *more)

    def mark(self, made: MadeFile, found: Stat) -> FileMark:
        """Return what tells that a file is the one that was made; the times of one that a daemon completes move."""
        kept = found._replace(mtime_ns=0, ctime_ns=0) if self.fetches_rest else found
        return [*kept, made.key.hex()]

    def held_pieces(self) -> list[bool] | None:
        """Return which pieces a partial seeder holds; None for all. The choice depends on name and number alone."""
        share = self.spec.get("available")
        if share is None or self._held_pieces is not None:
            return self._held_pieces
        count, begin = -(-self.starts()[-1] // self.piece_length), self.spec.get("available_from", 0)
        self._held_pieces = held_pieces(self.name, count, (begin, begin + share))
        return self._held_pieces

    def hash_work(self, payload_dir: str, *, written: bool) -> HashWork:
        """Return what to hash: files on the disk where they are whole, else the content itself."""
        if self.stream:
            return HashWork(self.stream, self.piece_length, single=self.single)
        files: Sequence[Source] = self.sources
        if self.synthetic and written and not self.virtual and self.spec.get("available") is None:
            paths = (os.path.join(payload_dir, made.path) for made in self.disk)
            files = [Source(file.length, path) for file, path in zip(self.files, paths)]
        return HashWork(files, self.piece_length, hybrid=self.hybrid, single=self.single, period=self.period)

    def wanted_paths(self) -> set[str]:
        """Return what has to lie below the payload directory: files and links."""
        return {made.path for made in self.disk} | set(self.links)

    def source_stats(self) -> list[Stat | None]:
        """Return the stats of the files that we did not make."""
        return [stat_of(source.path) for source in self.sources if source.path]
