"""Malformed .torrent files, each broken in one way: for the parsers of clients, never for a swarm."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple, TypedDict

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
        ("trailing-bytes", "goes on after its end", sound + b"junk"),
        ("list-outside", "the outermost value is a list", b"l" + sound + b"e"),
        ("no-info", "has no info dictionary", encode({"announce": _ANNOUNCE})),
        ("info-is-text", "info is a string", encode({"announce": _ANNOUNCE, "info": "x"})),
        ("no-name", "info has no name", _torrent(name=None)),
        ("empty-name", "the name has no characters", _torrent(name="")),
        ("name-dot-dot", "the name is the parent directory", _torrent(name="..")),
        ("name-absolute", "the name is an absolute path", _torrent(name="/etc/passwd")),
        ("name-not-utf-8", "the name is not UTF-8", _torrent(name=b"\xff\xfe\xfd")),
        ("name-with-null", "the name has a null character", _torrent(name="x\0.txt")),
        ("no-piece-length", "info has no piece length", _torrent(piece_length=None)),
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
        ("length-and-files", "both length and files", _torrent(files=[{"length": 20000, "path": ["y"]}])),
        ("neither-length-nor-files", "neither length nor files", _torrent(length=None)),
        ("files-empty", "a list of no files", _torrent(length=None, files=[], pieces=b"")),
        ("path-empty", "a file whose path has no components", _files([])),
        ("path-is-text", "a path that is a string", _torrent(length=None, files=[{"length": 20000, "path": "y"}])),
        ("path-traversal", "a path that climbs out of the directory", _files(["..", "..", "etc", "cron.d", "x"])),
        ("path-slash", "a component with a slash in it", _files(["a/../../b"])),
        ("path-empty-component", "a component without characters", _files(["a", "", "b"])),
        ("path-not-utf-8", "a path that is not UTF-8", _files([b"\xc3\x28"])),
        ("path-twice", "two files of the same path", _files(["a"], ["a"], length=10000)),
        ("sum-overflows", "lengths whose sum passes 2**64", _files(["a"], ["b"], ["c"], length=2**63 - 1)),
        ("unsorted-keys", "keys in the wrong order", _swap(b"6:lengthi20000e4:name1:x", b"4:name1:x6:lengthi20000e")),
        ("duplicate-keys", "the same key twice", _swap(b"4:name1:x", b"4:name1:x4:name1:y")),
        ("key-is-number", "a key that is an integer", _swap(b"4:name1:x", b"i5e1:x")),
        ("key-without-value", "a dictionary of an odd number of parts", b"d8:announce3:abc4:infoe"),
        ("string-too-long", "a string longer than the file", _swap(b"4:name1:x", b"4:name999999999:x")),
        ("string-length-giant", "a string length beyond 64 bits", _swap(b"1:x", b"99999999999999999999:x")),
        ("string-length-negative", "a negative string length", _swap(b"1:x", b"-1:x")),
        ("nesting", "lists in lists, 100,000 deep", b"d4:junk" + b"l" * 100_000 + b"e" * 100_000 + b"e"),
        ("announce-is-number", "an announce URL that is an integer", _torrent({"announce": 5})),
        ("announce-list-flat", "an announce list without tiers", _torrent({"announce-list": [_ANNOUNCE]})),
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


class MalformedEntry(TypedDict):
    """What catalogue.json says of a broken file: its name, where it is published, and what it breaks."""

    name: str
    torrent: str
    about: str


def malformed_list() -> list[MalformedEntry]:
    """Return what catalogue.json says of every broken file."""
    return [
        {"name": file.name, "torrent": f"malformed/{file.name}.torrent", "about": file.fault}
        for file in malformed_torrents()
    ]


def malformed_files() -> list[WebFile]:
    """Return what is published of them: the files, and a table of what each breaks."""
    files = malformed_torrents()
    published: list[WebFile] = [
        {"path": f"malformed/{file.name}.torrent", "content": base64.b64encode(file.data).decode()} for file in files
    ]
    table = "".join(f"{file.name}.torrent\t{file.fault}\n" for file in files)
    return [*published, {"path": "malformed/index.tsv", "content": base64.b64encode(table.encode()).decode()}]
