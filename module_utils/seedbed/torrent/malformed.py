"""Malformed .torrent files, each broken in one way: for the parsers of clients, never for a swarm.

Each is refused by one client at least of libtorrent, Transmission 3.00, Transmission 4 and aria2; what all of them load
is odd (`odd`), not malformed.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.torrent.model import WebFile


class Malformed(NamedTuple):
    """One broken file."""

    name: str
    fault: str
    data: bytes


_INFO: dict[str, Any] = {"length": 20000, "name": "x", "piece length": 16384, "pieces": bytes(range(40))}
_ANNOUNCE = "http://192.0.2.1:8888/announce"


def _torrent(outer: dict[str, Any] | None = None, **info: Any) -> bytes:
    """A sound torrent with some keys replaced; None takes a key away, _ in a key stands for a space."""
    changed = {**_INFO, **{key.replace("_", " "): value for key, value in info.items()}}
    changed = {key: value for key, value in changed.items() if value is not None}
    return encode({"announce": _ANNOUNCE, "info": changed, **(outer or {})})


def _files(*paths: list[Any], length: int = 20000, pieces: int = 2) -> bytes:
    listed = [{"length": length, "path": path} for path in paths]
    return _torrent(length=None, files=listed, pieces=bytes(20 * pieces))


def _swap(old: bytes, new: bytes) -> bytes:
    sound = _torrent()
    assert old in sound  # noqa: S101 - a table that is built wrong must not be published
    return sound.replace(old, new, 1)


def malformed_torrents() -> list[Malformed]:
    """Return every broken file."""
    sound = _torrent()
    tree = {"x": {"": {"length": 20000, "pieces root": bytes(32)}}}
    table = [
        ("empty", "no bytes at all", b""),
        ("not-bencode", "an HTML page where a torrent should be", b"<!DOCTYPE html><title>404</title>"),
        ("truncated", "ends in the middle of the pieces", sound[:-30]),
        ("list-outside", "the outermost value is a list", b"l" + sound + b"e"),
        ("no-info", "has no info dictionary", encode({"announce": _ANNOUNCE})),
        ("info-is-text", "info is a string", encode({"announce": _ANNOUNCE, "info": "x"})),
        ("no-name", "info has no name", _torrent(name=None)),
        ("empty-name", "the name has no characters", _torrent(name="")),
        ("name-with-tab", "a tab in the name", _torrent(name="x\t.txt")),
        ("name-dot-dot", "the name is the parent directory", _torrent(name="..")),
        ("name-absolute", "the name is an absolute path", _torrent(name="/etc/passwd")),
        ("no-piece-length", "info has no piece length", _torrent(piece_length=None)),
        ("giant-piece-length", "a piece length of 1 GiB", _torrent(piece_length=2**30, pieces=bytes(20))),
        ("zero-piece-length", "the piece length is 0: a division by it", _torrent(piece_length=0)),
        ("negative-piece-length", "the piece length is negative", _torrent(piece_length=-16384)),
        ("no-pieces", "info has no piece hashes", _torrent(pieces=None)),
        ("pieces-too-few", "fewer hashes than the length needs", _torrent(pieces=bytes(20))),
        ("pieces-too-many", "more hashes than the length needs", _torrent(pieces=bytes(60))),
        ("pieces-odd", "the hashes are no multiple of 20 bytes", _torrent(pieces=bytes(39))),
        ("negative-length", "a length below zero", _torrent(length=-1)),
        ("length-is-text", "a length that is a string", _torrent(length="20000")),
        ("length-giant", "a length of 2**63", _torrent(length=2**63)),
        ("length-thousand-digits", "an integer of 1,000 digits", _swap(b"i20000e", b"i" + b"9" * 1000 + b"e")),
        ("integer-leading-zero", "an integer with a leading zero", _swap(b"i20000e", b"i020000e")),
        ("integer-minus-zero", "the integer -0", _swap(b"i20000e", b"i-0e")),
        ("integer-empty", "an integer without digits", _swap(b"i20000e", b"ie")),
        ("neither-length-nor-files", "neither length nor files", _torrent(length=None)),
        ("files-empty", "a list of no files", _torrent(length=None, files=[], pieces=b"")),
        (
            "link-without-length",
            "a symbolic link without a length (BEP 47)",
            _torrent(
                length=None,
                files=[{"attr": "l", "path": ["a"], "symlink path": ["b"]}, {"length": 20000, "path": ["b"]}],
            ),
        ),
        ("path-empty", "a file whose path has no components", _files([])),
        ("path-is-text", "a path that is a string", _torrent(length=None, files=[{"length": 20000, "path": "y"}])),
        ("path-traversal", "a path that climbs out of the directory", _files(["..", "..", "etc", "cron.d", "x"])),
        ("path-slash", "a component with a slash in it", _files(["a/../../b"])),
        ("sum-overflows", "lengths whose sum passes 2**64", _files(["a"], ["b"], ["c"], length=2**63 - 1)),
        ("duplicate-keys", "the same key twice", _swap(b"4:name1:x", b"4:name1:x4:name1:y")),
        ("key-is-number", "a key that is an integer", _swap(b"4:name1:x", b"i5e1:x")),
        ("key-without-value", "a dictionary of an odd number of parts", b"d8:announce3:abc4:infoe"),
        ("string-too-long", "a string longer than the file", _swap(b"4:name1:x", b"4:name999999999:x")),
        ("string-length-giant", "a string length beyond 64 bits", _swap(b"1:x", b"99999999999999999999:x")),
        ("string-length-negative", "a negative string length", _swap(b"1:x", b"-1:x")),
        ("nesting-of-40", "lists in lists, 40 deep", b"d4:aaaa" + b"l" * 40 + b"e" * 40 + sound[1:]),
        ("nesting", "lists in lists, 100,000 deep", b"d4:junk" + b"l" * 100_000 + b"e" * 100_000 + b"e"),
        (
            "v2-root-missing",
            "meta version 2 with a file without a pieces root",
            _torrent(meta_version=2, file_tree={"x": {"": {"length": 20000}}}),
        ),
        (
            "v2-mismatch",
            "a hybrid whose two file lists differ",
            _torrent(meta_version=2, file_tree={"y": tree["x"]}),
        ),
        (
            "v2-odd-piece-length",
            "meta version 2 with a piece length that is no power of two",
            _torrent(meta_version=2, file_tree=tree, piece_length=20000, pieces=bytes(20)),
        ),
    ]
    return [Malformed(*row) for row in table]


class ListedFile(TypedDict):
    """What catalogue.json says of such a file: its name, where it is published, and why it exists."""

    name: str
    torrent: str
    about: str


def malformed_list() -> list[ListedFile]:
    """Return what catalogue.json says of every broken file."""
    return [
        {"name": file.name, "torrent": f"malformed/{file.name}.torrent", "about": file.fault}
        for file in malformed_torrents()
    ]


def malformed_files() -> list[WebFile]:
    """Return what is published of them: the files, and a table of what each breaks."""
    return files_with_table("malformed", [(file.name, file.fault, file.data) for file in malformed_torrents()])


def files_with_table(directory: str, files: Sequence[tuple[str, str, bytes]]) -> list[WebFile]:
    """Return .torrent files (name, why it exists, data) and a table of them, as they are published."""
    table = "".join(f"{name}.torrent\t{about}\n" for name, about, _data in files)
    named = [(f"{name}.torrent", data) for name, _about, data in files] + [("index.tsv", table.encode())]
    return [{"path": f"{directory}/{name}", "content": base64.b64encode(data).decode()} for name, data in named]
