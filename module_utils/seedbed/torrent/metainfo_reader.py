"""Metainfo files that somebody else made, read without trust."""

from __future__ import annotations

import base64
from typing import Any, Dict, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import decode_spans
from ansible.module_utils.seedbed.torrent.links import links_for
from ansible.module_utils.seedbed.torrent.model import ListedFile, StreamFile, Tiers, TorrentInfo, flatten_tiers
from ansible.module_utils.seedbed.torrent.names import component_fault

Dictionary = Dict[bytes, Any]  # as it was decoded: nothing is known of the values


class MetainfoError(SeedbedError):
    """A metainfo file that breaks the rules; the text says which."""


class ReadTorrent(NamedTuple):
    """A metainfo file, decoded once."""

    outer: Dictionary
    info_section: bytes
    info: TorrentInfo
    stream: list[StreamFile]  # the files in the order of their bytes, padding among them


class _TreeFile(NamedTuple):
    """A file of a BEP 52 file tree."""

    path: list[str]
    length: int


def read_torrent(raw: bytes) -> ReadTorrent:
    """Return a metainfo file as it was read; raise an exact reason on anything hostile or broken."""
    outer, spans = decode_spans(raw, strict=False)
    if not isinstance(outer, dict):
        raise MetainfoError("not a dictionary")
    info = outer.get(b"info")
    if not isinstance(info, dict):
        raise MetainfoError("no info dictionary")
    name = _name(info)
    piece_length = _number(info.get(b"piece length"), "piece length")
    if not piece_length:
        raise MetainfoError("piece length is 0")
    has_v1, has_v2 = b"pieces" in info, info.get(b"meta version") == 2
    if not has_v1 and not has_v2:
        raise MetainfoError("info has no pieces")
    stream, single = _v1_content(info, piece_length) if has_v1 else ([], False)
    if has_v2:
        tree = _v2_content(info, piece_length)
        if has_v1:
            _agree(stream, single, tree, name)
        else:
            single = len(tree) == 1 and tree[0].path == [name]
            stream = [{"path": [] if single else file.path, "length": file.length, "pad": False} for file in tree]
    start, end = spans[b"info"]
    version = "hybrid" if has_v1 and has_v2 else "v2" if has_v2 else "v1"
    return ReadTorrent(
        outer, raw[start:end], _info(outer, raw[start:end], stream, single=single, version=version), stream
    )


def torrent_info(raw: bytes) -> TorrentInfo:
    """Return what a metainfo file says; raise an exact reason on anything hostile or broken."""
    return read_torrent(raw).info


def _text(value: Any, what: str) -> str:
    if not isinstance(value, bytes):
        raise MetainfoError(f"{what} is not a text")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MetainfoError(f"{what} is not UTF-8: {value[:40]!r}") from None


def _remark(value: Any, what: str) -> str:
    """A text that nothing depends on: whatever its encoding, it is no reason to refuse the torrent."""
    return value.decode(errors="replace") if isinstance(value, bytes) else _text(b"" if value is None else value, what)


def _component(value: Any, what: str) -> str:
    text = _text(value, what)
    fault = component_fault(text)
    if fault:
        raise MetainfoError(f"{what} is unsafe: {fault}")
    return text


def _utf8_value(dictionary: Mapping[bytes, Any], key: bytes) -> Any:
    """The value of a key, or of the one that has it in UTF-8 beside an older encoding, as clients prefer it."""
    return dictionary.get(key + b".utf-8", dictionary.get(key))


def _name(info: Mapping[bytes, Any]) -> str:
    return _component(_utf8_value(info, b"name"), "name")


def _number(value: Any, what: str) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise MetainfoError(f"{what} is not a number from 0 to 2**63")
    return value


def _tiers(outer: Mapping[bytes, Any]) -> Tiers:
    """BEP 12: the announce list wins over announce."""
    tiers = outer.get(b"announce-list", [])
    if not isinstance(tiers, list) or not all(isinstance(tier, list) for tier in tiers):
        raise MetainfoError("announce-list is not a list of lists")
    found = [[_text(url, "tracker") for url in tier] for tier in tiers]
    found = [tier for tier in found if tier]
    if not found and b"announce" in outer:
        found = [[_text(outer[b"announce"], "announce")]]
    return found


def _v1_content(info: Mapping[bytes, Any], piece_length: int) -> tuple[list[StreamFile], bool]:
    """The files of a v1 info dictionary, whose number of piece hashes fits, and whether it is a single file."""
    files, single = _v1_files(info)
    pieces = info[b"pieces"]
    expected = -(-sum(file["length"] for file in files) // piece_length)
    if not isinstance(pieces, bytes) or len(pieces) != 20 * expected:
        size = len(pieces) if isinstance(pieces, bytes) else 0
        raise MetainfoError(f"pieces has {size} bytes, but {expected} pieces need {20 * expected}")
    return files, single


def _v1_files(info: Mapping[bytes, Any]) -> tuple[list[StreamFile], bool]:
    if b"length" in info and b"files" in info:
        raise MetainfoError("info has both length and files")
    if b"length" in info:
        return [{"path": [], "length": _number(info[b"length"], "length"), "pad": False}], True
    if not isinstance(info.get(b"files"), list) or not info[b"files"]:
        raise MetainfoError("info has neither length nor files")
    files: list[StreamFile] = []
    for number, entry in enumerate(info[b"files"]):
        what = f"file {number}"
        listed = _utf8_value(entry, b"path") if isinstance(entry, dict) else None
        if not isinstance(listed, list) or not listed:
            raise MetainfoError(f"{what} has no path")
        path = [_component(part, f"path of {what}") for part in listed]
        attr = entry.get(b"attr", b"")
        pad = isinstance(attr, bytes) and b"p" in attr
        files.append({"path": path, "length": _number(entry.get(b"length"), f"length of {what}"), "pad": pad})
    seen = {tuple(file["path"]) for file in files if not file["pad"]}
    if len(seen) != sum(not file["pad"] for file in files):
        raise MetainfoError("two files have the same path")
    return files, False


def _v2_content(info: Mapping[bytes, Any], piece_length: int) -> list[_TreeFile]:
    """The files of a v2 info dictionary, whose piece length BEP 52 allows."""
    if piece_length < 16384 or piece_length & (piece_length - 1):
        raise MetainfoError(f"piece length {piece_length} is not a power of two from 16384 on")
    return _tree_files(info.get(b"file tree"))


def _tree_files(tree: Any, limit: int = 1_000_000) -> list[_TreeFile]:
    """Files of a BEP 52 file tree; the decoder has bounded its depth already."""
    files: list[_TreeFile] = []
    stack: list[tuple[Any, list[str]]] = [(tree, [])]
    while stack:
        node, path = stack.pop()
        if not isinstance(node, dict) or len(files) > limit:
            raise MetainfoError("file tree is not a tree")
        if b"" in node:
            leaf = node[b""]
            if len(node) != 1 or not isinstance(leaf, dict) or not path:
                raise MetainfoError("file tree mixes files and directories")
            length = _number(leaf.get(b"length"), f"length of {'/'.join(path)}")
            root = leaf.get(b"pieces root", b"")
            if not isinstance(root, bytes) or len(root) != (32 if length else 0):
                raise MetainfoError(f"pieces root of {'/'.join(path)} is not 32 bytes")
            files.append(_TreeFile(path, length))
            continue
        for key in sorted(node, reverse=True):
            stack.append((node[key], [*path, _component(key, "name in the file tree")]))
    return files


def _agree(files: list[StreamFile], single: bool, tree: list[_TreeFile], name: str) -> None:
    """BEP 52: both lists of a hybrid have the same files in the same order."""
    listed = [([name] if single else file["path"], file["length"]) for file in files if not file["pad"]]
    if listed != [(file.path, file.length) for file in tree]:
        raise MetainfoError("the v1 and v2 file lists do not match")


def _listed(files: list[StreamFile], *, pad: bool) -> list[ListedFile]:
    return [{"path": file["path"], "length": file["length"]} for file in files if file["pad"] == pad]


def _info(
    outer: Mapping[bytes, Any], info_section: bytes, stream: list[StreamFile], *, single: bool, version: str
) -> TorrentInfo:
    info = outer[b"info"]
    name, files = _name(info), _listed(stream, pad=False)
    size, total = (sum(file["length"] for file in listed) for listed in (files, stream))
    private = info.get(b"private") == 1
    trackers = _tiers(outer)
    links = links_for(
        info_section,
        name=name,
        size=size,
        hybrid=version != "v1",
        private=private,
        trackers=flatten_tiers(trackers),
    )
    seeds = outer.get(b"url-list", [])
    seeds = [seeds] if isinstance(seeds, bytes) else seeds
    piece_length: int = info[b"piece length"]
    return {
        "name": name,
        **links,
        "version": version,
        "private": private,
        "single_file": single,
        "size": size,
        "piece_length": piece_length,
        "pieces": -(-total // piece_length),
        "piece_hashes": base64.b64encode(info.get(b"pieces", b"")).decode(),
        "files": files,
        "padding": total - size,
        "pad_files": _listed(stream, pad=True),
        "trackers": trackers,
        "webseeds": [_text(url, "web seed") for url in seeds] if isinstance(seeds, list) else [],
        "comment": _remark(_utf8_value(outer, b"comment"), "comment"),
        "source": _remark(info.get(b"source"), "source"),
        "created_by": _remark(outer.get(b"created by"), "created by"),
        "creation_date": _number(outer.get(b"creation date", 0), "creation date"),
    }
