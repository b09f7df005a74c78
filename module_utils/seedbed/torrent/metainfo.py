"""Metainfo files of our own making (BEP 3, 12, 19, 27, 47, 52), such as every client takes.

The info dictionary is made of content, names and options alone: trackers, comments and web seeds stand
outside it, so that they may change without changing the info hash.
"""

from __future__ import annotations

import base64
from typing import Any, Sequence

from ansible.module_utils.seedbed.torrent.bencode import Encoded, encode
from ansible.module_utils.seedbed.torrent.links import links_for
from ansible.module_utils.seedbed.torrent.metainfo_reader import V2_ALONE, MetainfoError, torrent_info
from ansible.module_utils.seedbed.torrent.model import MadeTorrent, Payload, PayloadFile, flatten_tiers

CREATOR = "Seedbed"


def info_dictionary(
    payload: Payload, *, private: bool = False, tag: str = "", without_v1: bool = False
) -> dict[str, Any]:
    """Return the info dictionary of a payload descriptor; without_v1: of a hybrid's, what v2 has alone."""
    piece_length = payload["piece_length"]
    files = payload["files"]
    info: dict[str, Any] = {"name": payload["name"], "piece length": piece_length}
    if not without_v1:
        info["pieces"] = base64.b64decode(payload["pieces"])
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


def _v1_file(file: PayloadFile, pad: int) -> bytes:
    """A file of the list, with its BEP 47 padding; written by hand, as there may be a hundred thousand."""
    path = b"".join([b"%d:%b" % (len(raw), raw) for raw in map(str.encode, file["path"])])
    listed = b"d6:lengthi%de4:pathl%bee" % (file["length"], path)
    return listed + encode({"attr": "p", "length": pad, "path": [".pad", str(pad)]}) if pad else listed


def _file_tree(payload: Payload) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for file in payload["files"]:
        node = tree
        for part in file["path"] or [payload["name"]]:
            node = node.setdefault(part, {})
        node[""] = {"length": file["length"]}
        if file["length"]:
            node[""]["pieces root"] = base64.b64decode(file["root"])
    return tree


def outer_dictionary(
    *, trackers: Sequence[Sequence[str]], webseeds: Sequence[str] = (), comment: str = "", creation_date: int = 0
) -> dict[str, Any]:
    """Return everything of a metainfo file but its info dictionary and piece layers."""
    outer: dict[str, Any] = {"created by": CREATOR}
    urls = flatten_tiers(trackers)
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
    payload: Payload,
    *,
    trackers: Sequence[Sequence[str]] = (),
    private: bool = False,
    webseeds: Sequence[str] = (),
    comment: str = "",
    tag: str = "",
    creation_date: int = 0,
    without_v1: bool = False,
) -> MadeTorrent:
    """Return metainfo (base64), info hashes and magnet links of a payload descriptor.

    without_v1: make a v2-only torrent of a payload that was hashed as a hybrid.
    """
    outer = outer_dictionary(trackers=trackers, webseeds=webseeds, comment=comment, creation_date=creation_date)
    if payload.get("hybrid"):
        outer["piece layers"] = {
            base64.b64decode(file["root"]): base64.b64decode(file["layer"])
            for file in payload["files"]
            if file.get("layer")
        }
    info = encode(info_dictionary(payload, private=private, tag=tag, without_v1=without_v1))
    links = links_for(
        info,
        name=payload["name"],
        size=payload["length"],
        version="v2" if without_v1 else "hybrid" if payload.get("hybrid") else "v1",
        private=private,
        trackers=flatten_tiers(trackers),
        webseeds=webseeds,
    )
    made = encode({**outer, "info": Encoded(info)})
    _refuse_odd(made, V2_ALONE if without_v1 else "")
    return {"name": payload["name"], "metainfo": base64.b64encode(made).decode(), **links}


def _refuse_odd(made: bytes, meant: str) -> None:
    """Raise what the reader of everybody's torrents finds odd in ours: some client would not take it as it is meant.

    meant: how the remark begins on what is ordered to be so.
    """
    remarks = [remark for remark in torrent_info(made)["remarks"] if not (meant and remark.startswith(meant))]
    if remarks:
        raise MetainfoError("; ".join(remarks))
