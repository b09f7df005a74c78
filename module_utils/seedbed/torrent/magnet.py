"""Magnet links (BEP 9, 53): written and read."""

from __future__ import annotations

import base64
import re
from typing import Sequence
from urllib.parse import parse_qs, quote

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.torrent.model import Subject


def magnet_link(
    info_hash: str,
    *,
    name: str = "",
    info_hash_v2: str = "",
    size: int | None = None,
    trackers: Sequence[str] = (),
    webseeds: Sequence[str] = (),
    peers: Sequence[str] = (),
    select: str = "",
) -> str:
    """Return a magnet link (BEP 9, 53); everything but the info hash is optional."""
    terms = [f"xt=urn:btih:{info_hash}"]
    if info_hash_v2:
        terms.append(f"xt=urn:btmh:1220{info_hash_v2}")
    if name:
        terms.append("dn=" + quote(name, safe=""))
    if size is not None:
        terms.append(f"xl={size}")
    terms += ["tr=" + quote(url, safe="") for url in trackers]
    terms += ["ws=" + quote(url, safe="") for url in webseeds]
    terms += ["x.pe=" + quote(peer, safe=":[]") for peer in peers]
    if select:
        terms.append("so=" + select)
    return "magnet:?" + "&".join(terms)


class MagnetError(SeedbedError):
    """A magnet without a usable v1 info hash."""


def read_magnet(magnet: str) -> Subject:
    """Return what a magnet names: name, info hash, trackers (BEP 9); clients take an unescaped # in a name as it is."""
    scheme, _question, query = magnet.strip().partition("?")
    fields = parse_qs(query) if scheme.lower() == "magnet:" else {}
    for topic in fields.get("xt", []):
        match = re.fullmatch(r"urn:btih:([0-9a-fA-F]{40}|[A-Za-z2-7]{32})", topic)
        if match:
            text = match.group(1)
            info_hash = text.lower() if len(text) == 40 else base64.b32decode(text.upper()).hex()
            name = fields.get("dn", [info_hash])[0]
            trackers = [[url] for key in fields if re.fullmatch(r"tr(\.\d+)?", key) for url in fields[key]]
            return {"name": name, "info_hash": info_hash, "private": False, "trackers": trackers, "swarm": None}
    raise MagnetError(
        f"magnet is {quoted(magnet)}, which has no v1 info hash; "
        "expected magnet:?xt=urn:btih: and 40 hexadecimal digits"
    )
