"""Magnet links of others (BEP 9, 53), read as libtorrent reads them, and a little more where it loses a part."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Dict, List
from urllib.parse import unquote_plus

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.torrent.model import Peer, Subject
from ansible.module_utils.seedbed.torrent.notes import Notes

Fields = Dict[str, List[str]]
_KNOWN = ("xt", "dn", "tr", "x.pe")


class MagnetError(SeedbedError):
    """A magnet without a usable v1 info hash."""


def read_magnet(magnet: str) -> Subject:
    """Return what a magnet names, with a remark on each oddity."""
    notes = Notes()
    text = magnet.strip()
    scheme, _question, query = text.partition("?")
    fields = _fields(query, notes) if scheme.lower() == "magnet:" else {}
    if scheme != "magnet:" and fields:
        notes.add(f"it begins with {scheme}", "libtorrent takes magnet: in small letters alone")
    info_hash = _info_hash(magnet, fields.get("xt", []), notes)
    names = [name for name in fields.get("dn", []) if name]
    trackers = []
    for url in fields.get("tr", []):
        if url.strip():
            trackers.append([url.strip()])
        if url != url.strip() or not url:
            notes.add("a tracker is empty or has white space around it", "libtorrent passes over such a tracker")
    peers = _peers(fields.get("x.pe", []), notes)
    if peers:
        notes.add("it names peers (x.pe)", "libtorrent meets them, Transmission does not")
    return {
        "name": names[-1] if names else info_hash,
        "info_hash": info_hash,
        "private": False,
        "trackers": trackers,
        "peers": peers,
        "remarks": notes.sentences(),
        "swarm": None,
    }


def _fields(query: str, notes: Notes) -> Fields:
    """The fields by their names: in small letters, without a number behind. An unescaped # cuts nothing off."""
    if "#" in query:
        notes.add("it has an unescaped #", "clients read on behind it, browsers may cut it off there")
    if "&amp;" in query:
        notes.add("it has &amp; where & belongs", "clients lose the parts behind it")
        query = query.replace("&amp;", "&")
    fields: Fields = {}
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        name = re.sub(r"\.[0-9]+$", "", unquote_plus(key).lower())
        if not equals:
            notes.add(
                "it has a part without =" if part else "it has an empty part",
                "libtorrent loses the one behind it, too",
                kind="no field",
            )
        elif name in _KNOWN:
            fields.setdefault(name, []).append(unquote_plus(value))
            if key != name:
                notes.add(
                    f"it has {quoted(key)} for {name}",
                    "libtorrent and Transmission know numbers behind, and libtorrent capital letters; others may not",
                    kind="spelling",
                )
    return fields


def _info_hash(magnet: str, topics: list[str], notes: Notes) -> str:
    found = []
    for topic in topics:
        match = re.fullmatch(r"urn:btih:([0-9a-fA-F]{40}|[A-Za-z2-7]{32})", topic)
        if match:
            text = match.group(1)
            found.append(text.lower() if len(text) == 40 else base64.b32decode(text.upper()).hex())
    if len(set(found)) > 1:
        notes.add("it names several v1 info hashes", "libtorrent takes the last, others may take the first")
    if found:
        return found[-1]
    if any(re.fullmatch(r"urn:btmh:1220[0-9a-fA-F]{64}", topic) for topic in topics):
        raise MagnetError(
            f"magnet is {quoted(magnet)}, which is of version 2 alone (btmh); the doctor knows v1 and hybrid"
        )
    raise MagnetError(
        f"magnet is {quoted(magnet)}, which has no v1 info hash; "
        "expected magnet:?xt=urn:btih: and 40 hexadecimal digits"
    )


def _peers(texts: list[str], notes: Notes) -> list[Peer]:
    """The peers that a magnet names by IP address and port, as libtorrent takes them."""
    peers: list[Peer] = []
    for text in texts:
        address, _colon, port = text.rpartition(":")
        try:
            host = ipaddress.ip_address(address[1:-1] if address.startswith("[") else address)
            number = int(port) if port.isdigit() and port.isascii() else 0
        except ValueError:
            number = 0
        if 0 < number < 65536:
            peers.append({"address": str(host), "port": number})
        else:
            notes.add(f"it has the peer {quoted(text)}", "libtorrent takes an IP address and a port alone", kind="peer")
    return peers
