"""One entry of a catalogue on one host: what it consists of, and how much of that is there already."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from itertools import accumulate
from operator import attrgetter
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import Stat, digest, stat_of
from ansible.module_utils.seedbed.payload import content, layouts
from ansible.module_utils.seedbed.payload.hashing import Digests, Source, Work
from ansible.module_utils.seedbed.payload.layouts import File, Path
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.torrent.client_names import name_on_3, path_on_3
from ansible.module_utils.seedbed.torrent.piece_lengths import fit_piece_length

STAGE = ".seedbed"  # beside the payloads: what is being made, and links to content with another name
PAD = ".pad"


class EntryError(SeedbedError):
    """An entry that cannot be done on this host; the text says why."""


class UnfitClient(EntryError):
    """An entry that the host's Transmission cannot seed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Transmission 3.00 {why}; a seeder with version 4 would do")


class Host(NamedTuple):
    """What matters of the host."""

    payload_dir: str
    manifests: Manifests
    client: tuple[int, ...] = ()  # the version of its Transmission, empty if there is none
    owner: tuple[int, int] | None = None  # user and group of the daemon, which writes to what it shall complete

    @property
    def renames(self) -> bool:
        """Whether its client looks for names other than the torrent's."""
        return bool(self.client) and self.client < (4,)


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
        self.sources: list[Source] = []  # where the bytes of each file come from
        self.stream: list[Source] = []  # files and padding in the order of a foreign torrent
        self.foreign_pads: set[int] = set()
        self.disk: list[Disk] = []  # what has to lie below the payload directory
        self.links: dict[str, str] = {}  # path below the payload directory: where it points
        self.known: dict[str, Any] = {}
        self.elsewhere: dict[str, Any] = {}  # what is known of it below another payload directory, which is to go
        self.owner: tuple[int, int] | None = None
        self.root = ""
        self.download_dir = ""
        self.piece_length = 0
        self.missing: list[int] = []  # numbers in disk
        self.digests: Digests | None = None
        self.stats: list[Stat | None] = []
        self.looked_ns = 0
        self.changed = False
        self._held: list[bool] | None = None

    @property
    def synthetic(self) -> bool:
        return bool(self.spec["kind"] == "synthetic")

    @property
    def hybrid(self) -> bool:
        return bool(self.spec.get("hybrid"))

    @property
    def single(self) -> bool:
        return len(self.files) == 1 and not self.files[0].path

    @property
    def padded(self) -> bool:
        """Whether each file begins on a piece border."""
        return self.hybrid and not self.single

    @property
    def grows(self) -> bool:
        """Whether the daemon fetches the share that was not made, into the files that were."""
        return bool(self.spec.get("fetch_rest"))

    @property
    def length(self) -> int:
        return sum(file.length for file in self.files)

    def pads(self) -> list[int]:
        """Lengths of the pad files that a client wants to find."""
        if not self.padded:
            return sorted(self.foreign_pads)
        return sorted({-file.length % self.piece_length for file in self.files} - {0})

    def starts(self) -> list[int]:
        """Where each file begins in the v1 stream, and where the last one ends."""
        piece = self.piece_length if self.padded else 1
        return [0, *accumulate(file.length + -file.length % piece for file in self.files)]

    def fingerprint(self) -> str:
        """Everything that the digests of this entry depend on, but for the content of foreign files."""
        listed = digest([[list(file.path), file.length] for file in self.files])
        seed = self.spec["recipe"]["seed"] if self.synthetic else None
        stream = [source.length for source in self.stream]
        return digest(content.FORMAT, seed, listed, stream, self.piece_length, self.hybrid)

    def layout(self) -> str:
        """What the bytes on the disk depend on besides each file's own key and length."""
        share = self.spec.get("available")
        grows = [self.owner] if self.grows else []
        return digest(content.FORMAT, share, self.piece_length if share is not None else 0, *grows)

    def mark(self, disk: Disk, seen: Stat) -> list[Any]:
        """What tells that a file is the one that was made; the times of one that a daemon completes move."""
        kept = seen._replace(mtime_ns=0, ctime_ns=0) if self.grows else seen
        return [*kept, disk.key.hex()]

    def held(self) -> list[bool] | None:
        """Which pieces a partial seeder holds; None for all. The choice depends on name and number alone."""
        share = self.spec.get("available")
        if share is None or self._held is not None:
            return self._held
        count = -(-self.starts()[-1] // self.piece_length)
        keep = min(count * share // sizes.WHOLE, max(0, count - 1))
        order = sorted(range(count), key=lambda n: hashlib.sha256(f"{self.name}/{n}".encode()).digest())
        chosen = set(order[:keep])
        self._held = [number in chosen for number in range(count)]
        return self._held

    def work(self, payload_dir: str, *, written: bool) -> Work:
        """What to hash: files on the disk where they are whole, else the content itself."""
        if self.stream:
            return Work(self.stream, self.piece_length, single=self.single)
        files: Sequence[Source] = self.sources
        if self.synthetic and written and self.spec.get("available") is None:
            paths = (os.path.join(payload_dir, disk.path) for disk in self.disk)
            files = [Source(file.length, path) for file, path in zip(self.files, paths)]
        return Work(files, self.piece_length, hybrid=self.hybrid, single=self.single)

    def seen(self) -> list[Stat | None]:
        """The stats of the files that we did not make."""
        return [stat_of(source.path) for source in self.sources if source.path]


def look(spec: Mapping[str, Any], host: Host) -> Entry:
    """What an entry is, and what of it is there already."""
    entry = Entry(spec, spec["name"])
    entry.known = host.manifests.load(entry.name)
    if entry.known.get("payload_dir", host.payload_dir) != host.payload_dir:
        # Nothing of it is ours below this directory; hashes stay what they are.
        entry.elsewhere = entry.known
        entry.known = {key: entry.known[key] for key in ("digests", "racy") if key in entry.known}
        entry.changed = bool(entry.elsewhere.get("disk") or entry.elsewhere.get("links"))
    entry.owner = host.owner if entry.grows else None
    if not spec.get("seeded", True):
        host = host._replace(client=())  # none looks for it
    if (entry.hybrid or spec.get("needs_hybrid")) and host.renames:
        raise UnfitClient("cannot load hybrid torrents")
    if entry.synthetic:
        _look_synthetic(entry, host)
    elif spec["kind"] == "torrent":
        _look_torrent(entry, host)
    else:
        _look_source(entry, host)
    for path, target in entry.links.items():
        where = os.path.join(host.payload_dir, path)
        entry.changed |= not os.path.islink(where) or os.readlink(where) != target
    known = dict(entry.known.get("disk", []))
    if entry.known.get("layout") != entry.layout():
        known = {}
    for number, disk in enumerate(entry.disk):
        seen = stat_of(os.path.join(host.payload_dir, disk.path))
        if seen is None or known.get(disk.path) != entry.mark(disk, seen) or seen.size != disk.length:
            entry.missing.append(number)
    wanted = {disk.path for disk in entry.disk} | set(entry.links)
    known_links = set(entry.known.get("links", []))
    entry.changed |= bool(entry.missing or (set(known) | known_links) - wanted)
    return entry


def _set_piece_length(entry: Entry) -> None:
    lengths = [file.length for file in entry.files]
    entry.piece_length = fit_piece_length(lengths, hybrid=entry.hybrid, given=entry.spec.get("piece_length") or 0)


def _look_synthetic(entry: Entry, host: Host) -> None:
    recipe = entry.spec["recipe"]
    entry.files = layouts.plan(recipe, recipe["seed"])
    keys = [content.file_key(recipe["seed"], file.path) for file in entry.files]
    if len(set(keys)) != len(keys):
        raise EntryError("two files of this recipe would have the same content key; choose another seed")
    _set_piece_length(entry)
    entry.sources = [Source(file.length, "", key) for file, key in zip(entry.files, keys)]
    entry.download_dir = host.payload_dir
    paths = [(entry.name, *file.path) for file in entry.files]
    if host.renames:
        paths = [path_on_3(path) for path in paths]
        if len(set(paths)) != len(paths) or not all(paths):
            raise UnfitClient("takes two of its names for the same")
    entry.root = os.path.join(host.payload_dir, paths[0][0])
    entry.disk = [Disk(os.path.join(*path), file.length, key) for path, file, key in zip(paths, entry.files, keys)]
    entry.disk += [Disk(os.path.join(entry.name, PAD, str(pad)), pad, b"") for pad in entry.pads()]
    if entry.spec.get("webseed"):
        # Clients of a web seed ask for the torrent's own names.
        own = [os.path.join(entry.name, *file.path) for file in entry.files]
        entry.links = {
            path: os.path.join(host.payload_dir, disk.path) for path, disk in zip(own, entry.disk) if path != disk.path
        }
    if not entry.known.get("made") and os.path.lexists(entry.root):
        raise EntryError(f"{entry.root} is there already and was not made by this lab; move it away")


def walk(root: str) -> list[File]:
    """Every file of a directory, hidden and empty ones too, in component-wise byte order."""
    files: list[File] = []
    stack: list[tuple[Path, os.DirEntry[str]]] = []

    def scan(path: Path, directory: str) -> None:
        with os.scandir(directory) as found:
            # Text sorts like its UTF-8; the first name has to lie on top.
            stack.extend(((*path, one.name), one) for one in sorted(found, key=attrgetter("name"), reverse=True))

    scan((), root)
    while stack:
        path, one = stack.pop()
        try:
            one.name.encode()
        except UnicodeEncodeError:
            raise EntryError(f"{os.fsencode(one.path)!r} has a name that is not UTF-8") from None
        if one.is_dir(follow_symlinks=False):
            scan(path, one.path)
        elif one.is_file():
            files.append(File(path, one.stat().st_size))
        elif one.is_dir():
            raise EntryError(f"{one.path} is a link to a directory; links are followed to files alone")
        else:
            raise EntryError(f"{one.path} is neither a file nor a directory")
    return files


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise EntryError(f"{path} does not exist") from None


def _look_source(entry: Entry, host: Host) -> None:
    path = entry.root = str(entry.spec["source"]).rstrip("/") or "/"
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        entry.files = walk(path)
        if not entry.files:
            raise EntryError(f"{path} holds no files")
    elif stat.S_ISREG(mode):
        entry.files = [File((), os.stat(path).st_size)]
    else:
        raise EntryError(f"{path} is neither a file nor a directory")
    _set_piece_length(entry)
    entry.sources = [Source(file.length, "/".join((path, *file.path))) for file in entry.files]
    _link(entry, host)


def _link(entry: Entry, host: Host) -> None:
    """Lead clients, which look for the torrent's names, to content that lies elsewhere."""
    name = name_on_3(entry.name) if host.renames else entry.name
    if host.renames:
        odd = next((file.path for file in entry.files if path_on_3(file.path) != file.path), None)
        if odd or not name:
            raise UnfitClient(f"looks for {'/'.join(odd or (entry.name,))!r} under another name")
    pads = entry.pads()
    entry.download_dir = os.path.dirname(entry.root)
    if os.path.basename(entry.root) == name and not pads:
        return
    below = os.path.join(STAGE, "links", digest(entry.name))
    entry.download_dir = os.path.join(host.payload_dir, below)
    if not pads:
        entry.links = {os.path.join(below, name): entry.root}
        return
    # Pad files are no business of the owner's directory: one of links stands in for it, with the padding beside them.
    tops = sorted({file.path[0] for file in entry.files})
    if PAD in tops:
        raise EntryError(f"{entry.root} has a {PAD} of its own, which padding would mix with")
    entry.links = {os.path.join(below, name, top): os.path.join(entry.root, top) for top in tops}
    entry.disk = [Disk(os.path.join(below, name, PAD, str(pad)), pad, b"") for pad in pads]


def _look_torrent(entry: Entry, host: Host) -> None:
    """Content for a .torrent that somebody else made; whether it matches is found by hashing."""
    spec = entry.spec
    path = entry.root = str(spec["source"]).rstrip("/") or "/"
    entry.piece_length = spec["piece_length"]
    if stat.S_ISDIR(_mode(path)) == bool(spec["single_file"]):
        wanted = "one file" if spec["single_file"] else "a directory of files"
        raise EntryError(f"{path} does not fit: the torrent is {wanted}")
    for file in spec["files"]:
        if file["pad"]:
            if not spec["pads_plain"]:
                raise EntryError(f"its padding does not lie in {PAD}/<length>, where it could be provided")
            entry.stream.append(Source(file["length"]))
            entry.foreign_pads.add(file["length"])
            continue
        where = os.path.join(path, *file["path"])
        seen = stat_of(where)
        # A file that is missing or too short counts as different; what is longer may still begin right.
        fits = seen is not None and seen.size >= file["length"]
        entry.files.append(File(tuple(file["path"]), file["length"]))
        entry.sources.append(Source(file["length"], where if fits else ""))
        entry.stream.append(entry.sources[-1])
    _link(entry, host)


def agreement(entry: Entry) -> str:
    """For a foreign torrent: how far the content is from what it wants; empty if it matches."""
    if entry.spec["kind"] != "torrent" or entry.digests is None:
        return ""
    wanted, found = base64.b64decode(entry.spec["pieces"]), entry.digests.pieces
    if wanted == found:
        return ""
    count = len(wanted) // 20
    good = [wanted[at : at + 20] == found[at : at + 20] for at in range(0, len(wanted), 20)]
    missing = [source for source, file in zip(entry.sources, entry.files) if file.length and not source.path]
    text = (
        f"{entry.root} does not match the torrent: {sum(good)} of {count} pieces agree ({sum(good) * 100 // count} %)"
    )
    if missing:
        text += f"; {len(missing)} of {len(entry.files)} files are missing or too short"
    return text + f"; the first difference is in piece {good.index(False)}"
