"""Magnet links (BEP 9, 53), written by the letter."""

from __future__ import annotations

from typing import Sequence
from urllib.parse import quote


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
    """Return a magnet link (BEP 9, 53); everything but one info hash is optional."""
    terms = [f"xt=urn:btih:{info_hash}"] if info_hash else []
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
