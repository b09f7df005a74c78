"""Metainfo files that somebody else made, read without trust, and as liberally as clients read them.

What at least two of libtorrent 2, Transmission 3.00, Transmission 4 and aria2 load is read, and each oddity noted
(docs/troubleshooting.md lists them). The strict side is `metainfo`, and `ReadTorrent.unfit` for files of others.
"""

from __future__ import annotations

import base64
from typing import Any, Dict, Mapping, NamedTuple

from ansible.module_utils.seedbed.torrent.bencode import Reading, decode_closely
from ansible.module_utils.seedbed.torrent.file_lists import Content, v1_content, v2_files
from ansible.module_utils.seedbed.torrent.foreign_names import MetainfoError, name_of
from ansible.module_utils.seedbed.torrent.links import links_for
from ansible.module_utils.seedbed.torrent.model import ListedFile, StreamFile, TorrentInfo, flatten_tiers
from ansible.module_utils.seedbed.torrent.notes import Notes, type_name
from ansible.module_utils.seedbed.torrent.odd_bencode import hashed_section, note_oddities
from ansible.module_utils.seedbed.torrent.outer_keys import Outer, read_outer

__all__ = ["MetainfoError", "ReadTorrent", "read_torrent", "torrent_info"]

Dictionary = Dict[bytes, Any]  # as it was decoded: nothing is known of the values
V2_ALONE = "the torrent is of version 2 alone"
_MAX_PIECE_OF_LIBTORRENT = 536_854_528


class ReadTorrent(NamedTuple):
    """A metainfo file, decoded once."""

    outer: Dictionary
    """Without what no client reads."""
    info_section: bytes
    info: TorrentInfo
    stream: list[StreamFile]  # the files in the order of their bytes, padding among them
    unfit: list[str]
    """Why the lab does not seed it: some client refuses it, or takes it for another torrent."""


def read_torrent(raw: bytes) -> ReadTorrent:
    """Return a metainfo file as it was read; raise an exact reason on what no two clients load."""
    reading = decode_closely(raw)
    outer = reading.head.value
    if not isinstance(outer, dict):
        raise MetainfoError("not a dictionary")
    info = outer.get(b"info")
    if not isinstance(info, dict):
        raise MetainfoError("no info dictionary")
    for at in reading.oddities.pop("giant", []):
        raise MetainfoError(f"a number beyond 63 bits at byte {at}, which libtorrent alone reads")
    notes = Notes()
    section = _section(raw, reading, notes)
    piece_length = _piece_length(info, notes)
    name = name_of(info, notes)
    if not isinstance(info.get(b"pieces", b""), bytes):
        raise MetainfoError("pieces is not a text")
    content = _content(info, name, piece_length, notes)
    told = _info(info, section, name, content=content, outer=read_outer(outer, notes), notes=notes)
    return ReadTorrent(outer, section, told, content.stream, notes.sentences(harm_alone=True))


def torrent_info(raw: bytes) -> TorrentInfo:
    """Return what a metainfo file says; raise an exact reason on what no two clients load."""
    return read_torrent(raw).info


def _section(raw: bytes, reading: Reading, notes: Notes) -> bytes:
    """The info dictionary as clients hash it."""
    start, end = reading.head.spans[b"info"]
    count = len(raw) - reading.head.end
    if count:
        notes.add(
            f"{count} byte{'' if count == 1 else 's'} behind the end",
            "libtorrent, Transmission and aria2 ignore them, strict parsers may not",
        )
    section = hashed_section(reading, raw[start:end])
    note_oddities(reading, section, notes)
    return section


def _piece_length(info: Mapping[bytes, Any], notes: Notes) -> int:
    value = info.get(b"piece length")
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise MetainfoError("piece length is not a number from 1 to 2**32")
    if not value:
        raise MetainfoError("piece length is 0")
    if value > _MAX_PIECE_OF_LIBTORRENT:
        notes.add(f"piece length is {value}", "libtorrent takes none above 512 MiB and refuses the torrent", harm=True)
    return value


def _content(info: Mapping[bytes, Any], name: str, piece_length: int, notes: Notes) -> Content:
    """The files, by both versions where both can be used."""
    version = info.get(b"meta version")
    if b"pieces" not in info:
        if version != 2:
            raise MetainfoError("info has no pieces")
        notes.add(V2_ALONE, "libtorrent loads it, Transmission and aria2 do not", harm=True)
        files = v2_files(info, piece_length, notes)
        single = len(files) == 1 and files[0].path == [name]
        stream: list[StreamFile] = [
            {"path": [] if single else file.path, "length": file.length, "pad": False} for file in files
        ]
        pieces = sum(-(-file.length // piece_length) for file in files)
        return Content(stream, single, pieces, "v2")
    content = v1_content(info, piece_length, notes)
    if version != 2:
        if b"file tree" in info:
            notes.add("info has a file tree, but not meta version 2", "libtorrent refuses the torrent", harm=True)
        elif isinstance(version, int) and version > 2:
            notes.add(f"meta version is {version}", "libtorrent refuses the torrent", harm=True)
        return content
    try:
        files = v2_files(info, piece_length, notes)
        listed = [([name] if content.single else f["path"], f["length"]) for f in content.stream if not f["pad"]]
        if listed != [(file.path, file.length) for file in files]:
            raise MetainfoError("the v1 and v2 file lists do not match")
    except MetainfoError as error:
        notes.add(
            f"version 2 of it is broken: {error}",
            "libtorrent refuses the torrent, Transmission 4 and aria2 load its version 1",
            harm=True,
        )
        return content
    return content._replace(version="hybrid")


def _private(info: Mapping[bytes, Any], notes: Notes) -> bool:
    value = info.get(b"private", 0)
    if not isinstance(value, int):
        notes.add(f"private is {type_name(value)}", "clients take the torrent for a public one")
        return False
    if value not in (0, 1):
        notes.add(
            f"private is {value}", "libtorrent and Transmission take the torrent for a private one, others may not"
        )
    return value != 0


def _source(info: Mapping[bytes, Any], notes: Notes) -> str:
    value = info.get(b"source", b"")
    if not isinstance(value, bytes):
        notes.add(f"source is {type_name(value)}", "clients pass over it")
        return ""
    return value.decode(errors="replace")


def _listed(files: list[StreamFile], *, pad: bool) -> list[ListedFile]:
    return [{"path": file["path"], "length": file["length"]} for file in files if file["pad"] == pad]


def _info(
    info: Mapping[bytes, Any], section: bytes, name: str, *, content: Content, outer: Outer, notes: Notes
) -> TorrentInfo:
    stream, version = content.stream, content.version
    files = _listed(stream, pad=False)
    size, total = (sum(file["length"] for file in listed) for listed in (files, stream))
    private = _private(info, notes)
    links = links_for(
        section,
        name=name,
        size=size,
        version=version,
        private=private,
        trackers=flatten_tiers(outer.trackers),
    )
    return {
        # Clients show the info hash of a torrent without a name.
        "name": name or links["info_hash"] or links["info_hash_v2"],
        **links,
        "version": version,
        "private": private,
        "single_file": content.single,
        "size": size,
        "piece_length": info[b"piece length"],
        "pieces": content.pieces,
        "piece_hashes": base64.b64encode(info.get(b"pieces", b"")).decode(),
        "files": files,
        "padding": total - size,
        "pad_files": _listed(stream, pad=True),
        "trackers": outer.trackers,
        "webseeds": outer.webseeds,
        "comment": outer.comment,
        "source": _source(info, notes),
        "created_by": outer.created_by,
        "creation_date": outer.creation_date,
        "remarks": notes.sentences(),
    }
