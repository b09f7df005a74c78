"""What an entry is on this host, and what of it is there already; changes nothing."""

from __future__ import annotations

import base64
import os
import stat
from itertools import accumulate
from operator import attrgetter

from ansible.module_utils.seedbed.base.files import digest, stat_of
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.layouts import ContentFile, Path, recipe_files
from ansible.module_utils.seedbed.payload.manifest import digests_of
from ansible.module_utils.seedbed.payload.placement import (
    STAGE,
    EntryError,
    MadeFile,
    PayloadHost,
    Placement,
    UnfitClient,
)
from ansible.module_utils.seedbed.payload.sources import Source
from ansible.module_utils.seedbed.torrent.client_names import name_on_3, path_on_3
from ansible.module_utils.seedbed.torrent.model import Spec
from ansible.module_utils.seedbed.torrent.names import path_fault
from ansible.module_utils.seedbed.torrent.piece_lengths import fit_piece_length

PAD = ".pad"


def inspect_entry(spec: Spec, host: PayloadHost) -> Placement:
    """Return what an entry is, and what of it is there already; raise EntryError if it cannot be done here."""
    entry = Placement(spec, host.manifests.load(spec["name"]))
    if entry.manifest.get("payload_dir", host.payload_dir) != host.payload_dir:
        # Nothing of it is ours below this directory; hashes stay what they are.
        entry.former, entry.manifest = entry.manifest, digests_of(entry.manifest)
        entry.changed = bool(entry.former.get("disk") or entry.former.get("links"))
    if not spec.get("seeded", True):
        host = host._replace(client=())  # none looks for it
    entry.owner = host.owner if entry.fetches_rest else None
    if (entry.hybrid or spec.get("needs_hybrid")) and host.renames:
        raise UnfitClient("cannot load hybrid torrents")
    if entry.synthetic:
        _inspect_synthetic(entry, host)
    elif spec["kind"] == "torrent":
        _inspect_torrent(entry, host)
    else:
        _inspect_source(entry, host)
    for path, target in entry.links.items():
        where = os.path.join(host.payload_dir, path)
        entry.changed |= not os.path.islink(where) or os.readlink(where) != target
    marks = dict(entry.manifest.get("disk", []))
    if entry.manifest.get("layout") != entry.layout():
        marks = {}
    for number, made in enumerate(entry.disk):
        found = stat_of(os.path.join(host.payload_dir, made.path))
        if found is None or marks.get(made.path) != entry.mark(made, found) or found.size != made.length:
            entry.missing.append(number)
    entry.changed |= bool(entry.missing or (set(marks) | set(entry.manifest.get("links", []))) - entry.wanted_paths())
    return entry


def _check_paths(entry: Placement) -> None:
    """Refuse files of others whose names some client does not take."""
    for file in entry.files:
        fault = path_fault((entry.name, *file.path)[bool(file.path) :], hybrid=entry.hybrid)
        if fault:
            raise EntryError(fault)


def _set_piece_length(entry: Placement) -> None:
    lengths = [file.length for file in entry.files]
    entry.piece_length = fit_piece_length(lengths, hybrid=entry.hybrid, given=entry.spec.get("piece_length") or 0)


def _inspect_synthetic(entry: Placement, host: PayloadHost) -> None:
    recipe = entry.spec["recipe"]
    entry.files = recipe_files(recipe, recipe["seed"])
    if entry.period:
        _inspect_periodic(entry, content.file_key(recipe["seed"], ()))
        return
    keys = [content.file_key(recipe["seed"], file.path) for file in entry.files]
    if len(set(keys)) != len(keys):
        raise EntryError("two files of this recipe would have the same content key; choose another seed")
    _set_piece_length(entry)
    entry.sources = [Source(file.length, "", key) for file, key in zip(entry.files, keys)]
    if entry.virtual:
        return
    entry.download_dir = host.payload_dir
    paths = [(entry.name, *file.path) for file in entry.files]
    if host.renames:
        paths = [path_on_3(path) for path in paths]
        if len(set(paths)) != len(paths) or not all(paths):
            raise UnfitClient("takes two of its names for the same")
    entry.root = os.path.join(host.payload_dir, paths[0][0])
    entry.disk = [MadeFile(os.path.join(*path), file.length, key) for path, file, key in zip(paths, entry.files, keys)]
    entry.disk += [MadeFile(os.path.join(entry.name, PAD, str(pad)), pad, b"") for pad in entry.pads()]
    if entry.spec.get("webseed"):
        # Clients of a web seed ask for the torrent's own names.
        own = [os.path.join(entry.name, *file.path) for file in entry.files]
        entry.links = {
            path: os.path.join(host.payload_dir, made.path) for path, made in zip(own, entry.disk) if path != made.path
        }
    if not entry.manifest.get("made") and os.path.lexists(entry.root):
        raise EntryError(f"{entry.root} is there already and was not made by this lab; move it away")


def _inspect_periodic(entry: Placement, key: bytes) -> None:
    """Content that repeats does so through all files, as if they were one; no disk holds it."""
    _set_piece_length(entry)
    starts = accumulate((file.length for file in entry.files), initial=0)
    entry.sources = [
        Source(file.length, "", key, start % entry.period, entry.period) for file, start in zip(entry.files, starts)
    ]


def walk_directory(root: str) -> list[ContentFile]:
    """Return every file of a directory, hidden and empty ones too, in component-wise byte order."""
    files: list[ContentFile] = []
    stack: list[tuple[Path, os.DirEntry[str]]] = []

    def scan(path: Path, directory: str) -> None:
        with os.scandir(directory) as found:
            # Text sorts like its UTF-8; the first name has to lie on top.
            stack.extend(((*path, child.name), child) for child in sorted(found, key=attrgetter("name"), reverse=True))

    scan((), root)
    while stack:
        path, child = stack.pop()
        try:
            child.name.encode()
        except UnicodeEncodeError:
            raise EntryError(f"{os.fsencode(child.path)!r} has a name that is not UTF-8") from None
        if child.is_dir(follow_symlinks=False):
            scan(path, child.path)
        elif child.is_file():
            files.append(ContentFile(path, child.stat().st_size))
        elif child.is_dir():
            raise EntryError(f"{child.path} is a link to a directory; links are followed to files alone")
        else:
            raise EntryError(f"{child.path} is neither a file nor a directory")
    return files


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise EntryError(f"{path} does not exist") from None


def _inspect_source(entry: Placement, host: PayloadHost) -> None:
    path = entry.root = str(entry.spec["source"]).rstrip("/") or "/"
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        entry.files = walk_directory(path)
        if not entry.files:
            raise EntryError(f"{path} holds no files")
    elif stat.S_ISREG(mode):
        entry.files = [ContentFile((), os.stat(path).st_size)]
    else:
        raise EntryError(f"{path} is neither a file nor a directory")
    _check_paths(entry)
    _set_piece_length(entry)
    entry.sources = [Source(file.length, "/".join((path, *file.path))) for file in entry.files]
    _link(entry, host)


def _link(entry: Placement, host: PayloadHost) -> None:
    """Lead clients, which look for the torrent's names, to content that lies elsewhere."""
    if entry.virtual:
        return
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
    entry.disk = [MadeFile(os.path.join(below, name, PAD, str(pad)), pad, b"") for pad in pads]


def _inspect_torrent(entry: Placement, host: PayloadHost) -> None:
    """Find content for a .torrent that somebody else made; whether it matches is found by hashing."""
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
        found = stat_of(where)
        # A file that is missing or too short counts as different; what is longer may still begin right.
        fits = found is not None and found.size >= file["length"]
        entry.files.append(ContentFile(tuple(file["path"]), file["length"]))
        entry.sources.append(Source(file["length"], where if fits else ""))
        entry.stream.append(entry.sources[-1])
    _link(entry, host)


def torrent_difference(entry: Placement) -> str:
    """Return how far content is from what a foreign torrent wants, in a sentence; empty if it matches."""
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
