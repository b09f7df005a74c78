"""The lists of files in info dictionaries of others: version 1 (BEP 3, 47) and 2 (BEP 52)."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.torrent.foreign_names import MetainfoError, no_path, path_of, tree_name, utf8_value
from ansible.module_utils.seedbed.torrent.model import StreamFile
from ansible.module_utils.seedbed.torrent.notes import Notes

_MAX_FILES = 1_000_000


class Content(NamedTuple):
    """What a torrent holds."""

    stream: list[StreamFile]
    """In the order of their bytes, padding among them."""
    single: bool
    pieces: int
    version: str


class TreeFile(NamedTuple):
    """A file of a BEP 52 file tree."""

    path: list[str]
    length: int


def v1_content(info: Mapping[bytes, Any], piece_length: int, notes: Notes) -> Content:
    """Return the files of a v1 info dictionary, whose number of piece hashes fits."""
    stream, lengths, single = _v1_files(info, notes)
    size = len(info[b"pieces"])
    expected = max(0, -(-sum(lengths) // piece_length))
    if size != 20 * expected:
        raise MetainfoError(f"pieces has {size} bytes, but {expected} pieces need {20 * expected}")
    return Content(stream, single, expected, "v1")


def _v1_files(info: Mapping[bytes, Any], notes: Notes) -> tuple[list[StreamFile], list[int], bool]:
    """The files, their lengths as they stand there, and whether it is a single file."""
    files = info.get(b"files")
    if b"length" in info and not isinstance(files, list):
        if b"files" in info:
            notes.add("files is no list", "clients take length instead", harm=True)
        length = _number(info[b"length"], "length")
        return [{"path": [], "length": length, "pad": False}], [length], True
    if not isinstance(files, list) or not files:
        raise MetainfoError("info has neither length nor files")
    if b"length" in info:
        notes.add("info has both length and files", "clients take files")
    stream: list[StreamFile] = []
    lengths: list[int] = []
    for number, entry in enumerate(files):
        what = f"file {number}"
        if not isinstance(entry, dict):
            notes.add(
                f"{what} is no dictionary",
                "Transmission 4 and aria2 leave it out, libtorrent and Transmission 3.00 refuse the torrent",
                kind="no dictionary",
                harm=True,
            )
            continue
        attr = entry.get(b"attr", b"")
        attr = attr if isinstance(attr, bytes) else b""
        lengths.append(_file_length(entry, attr, what, notes))
        path = path_of(utf8_value(entry, b"path", list, notes), what, notes)
        stream.append({"path": path, "length": max(0, lengths[-1]), "pad": b"p" in attr})
    if not stream:
        no_path("file 0")
    _note_twins(stream, notes)
    return stream, lengths, False


def _file_length(entry: Mapping[bytes, Any], attr: bytes, what: str, notes: Notes) -> int:
    length = entry.get(b"length")
    if length is None and b"l" in attr:
        notes.add(
            f"{what} is a symbolic link without a length",
            "libtorrent and Transmission 4 take 0, Transmission 3.00 and aria2 refuse the torrent",
            kind="link",
            harm=True,
        )
        return 0
    if isinstance(length, int) and -(2**63) <= length < 0:
        notes.add(
            f"length of {what} is {length}",
            "libtorrent and aria2 refuse the torrent, Transmission counts with it",
            kind="negative",
            harm=True,
        )
        return length
    return _number(length, f"length of {what}")


def _note_twins(stream: list[StreamFile], notes: Notes) -> None:
    seen: set[tuple[str, ...]] = set()
    for file in stream:
        path = tuple(file["path"])
        if path in seen and not file["pad"]:
            notes.add(
                f"two files have the path {'/'.join(path)[:80]!r}",
                "libtorrent renames one, Transmission and aria2 write one over the other",
                kind="twins",
                harm=True,
            )
        elif not file["pad"]:
            seen.add(path)


def _number(value: Any, what: str) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise MetainfoError(f"{what} is not a number from 0 to 2**63")
    return value


def v2_files(info: Mapping[bytes, Any], piece_length: int, notes: Notes) -> list[TreeFile]:
    """Return the files of a BEP 52 file tree, whose piece length BEP 52 allows; the decoder has bounded its depth."""
    if piece_length < 16384 or piece_length & (piece_length - 1):
        raise MetainfoError(f"piece length {piece_length} is not a power of two from 16384 on")
    files: list[TreeFile] = []
    stack: list[tuple[Any, list[str]]] = [(info.get(b"file tree"), [])]
    while stack:
        node, path = stack.pop()
        if not isinstance(node, dict) or len(files) > _MAX_FILES:
            raise MetainfoError("file tree is not a tree")
        if b"" in node:
            files.append(_tree_file(node, path))
            continue
        for key in sorted(node, reverse=True):
            stack.append((node[key], [*path, tree_name(key, notes)]))
    return files


def _tree_file(node: Mapping[bytes, Any], path: list[str]) -> TreeFile:
    leaf = node[b""]
    if len(node) != 1 or not isinstance(leaf, dict) or not path:
        raise MetainfoError("file tree mixes files and directories")
    length = _number(leaf.get(b"length"), f"length of {printable('/'.join(path))}")
    root = leaf.get(b"pieces root", b"")
    if not isinstance(root, bytes) or len(root) != (32 if length else 0):
        raise MetainfoError(f"pieces root of {printable('/'.join(path))} is not 32 bytes")
    return TreeFile(path, length)
