"""Metainfo files (BEP 3, 12, 19, 27, 47, 52), info hashes and magnet links.

The info dictionary is made of content, names and options alone: trackers, comments and web seeds stand
outside it, so that they may change without changing the info hash.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import Encoded, encode
from ansible.module_utils.seedbed.torrent.magnet import magnet_link

CREATOR = "Seedbed"


class MetainfoError(SeedbedError):
    """A metainfo file that breaks the rules; the text says which."""


def info_dictionary(payload: Mapping[str, Any], *, private: bool = False, tag: str = "") -> dict[str, Any]:
    """The info dictionary of a payload descriptor."""
    piece_length = payload["piece_length"]
    files: Sequence[Mapping[str, Any]] = payload["files"]
    info: dict[str, Any] = {
        "name": payload["name"],
        "piece length": piece_length,
        "pieces": base64.b64decode(payload["pieces"]),
    }
    if payload["single_file"]:
        info["length"] = files[0]["length"]
    else:
        padded = piece_length if payload.get("hybrid") else 1
        info["files"] = Encoded(b"l%be" % b"".join(_v1_file(file, -file["length"] % padded) for file in files))
    if payload.get("hybrid"):
        info["meta version"] = 2
        info["file tree"] = _file_tree(payload)
    if private:
        info["private"] = 1
    if tag:
        info["source"] = tag
    return info


def _v1_file(file: Mapping[str, Any], pad: int) -> bytes:
    """A file of the list, with its BEP 47 padding; written by hand, as there may be a hundred thousand."""
    path = b"".join([b"%d:%b" % (len(raw), raw) for raw in map(str.encode, file["path"])])
    listed = b"d6:lengthi%de4:pathl%bee" % (file["length"], path)
    return listed + encode({"attr": "p", "length": pad, "path": [".pad", str(pad)]}) if pad else listed


def _file_tree(payload: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for file in payload["files"]:
        node = tree
        for part in file["path"] or [payload["name"]]:
            node = node.setdefault(part, {})
        node[""] = {"length": file["length"]}
        if file["length"]:
            node[""]["pieces root"] = base64.b64decode(file["root"])
    return tree


class Links(NamedTuple):
    """What names a torrent to others."""

    info_hash: str
    info_hash_v2: str
    magnet: str | None
    bare_magnet: str | None


def outer_dictionary(
    *, trackers: Sequence[Sequence[str]], webseeds: Sequence[str] = (), comment: str = "", creation_date: int = 0
) -> dict[str, Any]:
    """Everything of a metainfo file but its info dictionary and piece layers."""
    outer: dict[str, Any] = {"created by": CREATOR}
    urls = [url for tier in trackers for url in tier]
    if urls:
        outer["announce"] = urls[0]
    if len(urls) > 1:
        outer["announce-list"] = [list(tier) for tier in trackers if tier]
    if webseeds:
        outer["url-list"] = list(webseeds)
    if comment:
        outer["comment"] = comment
    if creation_date:
        outer["creation date"] = creation_date
    return outer


def torrent_metainfo(
    payload: Mapping[str, Any],
    *,
    trackers: Sequence[Sequence[str]] = (),
    private: bool = False,
    webseeds: Sequence[str] = (),
    comment: str = "",
    tag: str = "",
    creation_date: int = 0,
) -> dict[str, Any]:
    """Metainfo (base64), info hashes and magnet links of a payload descriptor."""
    outer = outer_dictionary(trackers=trackers, webseeds=webseeds, comment=comment, creation_date=creation_date)
    if payload.get("hybrid"):
        outer["piece layers"] = {
            base64.b64decode(file["root"]): base64.b64decode(file["layer"])
            for file in payload["files"]
            if file.get("layer")
        }
    info = encode(info_dictionary(payload, private=private, tag=tag))
    links = links_for(
        info,
        name=payload["name"],
        size=payload["length"],
        hybrid=bool(payload.get("hybrid")),
        private=private,
        trackers=[url for tier in trackers for url in tier],
        webseeds=webseeds,
    )
    metainfo = base64.b64encode(encode({**outer, "info": Encoded(info)})).decode()
    return {"name": payload["name"], "metainfo": metainfo, **links._asdict()}


def links_for(
    info: bytes,
    *,
    name: str,
    size: int,
    hybrid: bool,
    private: bool,
    trackers: Sequence[str],
    webseeds: Sequence[str] = (),
) -> Links:
    """Hashes and links of an info dictionary; a private torrent has no magnet: nobody serves its metadata."""
    info_hash = hashlib.sha1(info).hexdigest()
    v2 = hashlib.sha256(info).hexdigest() if hybrid else ""
    if private:
        return Links(info_hash, v2, None, None)
    full = magnet_link(info_hash, name=name, info_hash_v2=v2, size=size, trackers=trackers, webseeds=webseeds)
    return Links(info_hash, v2, full, magnet_link(info_hash))
