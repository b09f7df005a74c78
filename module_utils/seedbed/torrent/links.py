"""Info hashes and magnet links: what names a torrent to others."""

from __future__ import annotations

import hashlib
from typing import Sequence

from ansible.module_utils.seedbed.torrent.magnet import magnet_link
from ansible.module_utils.seedbed.torrent.model import Links


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
    """Return hashes and links of an info section; a private torrent has no magnet: nobody serves its metadata."""
    info_hash = hashlib.sha1(info).hexdigest()
    v2 = hashlib.sha256(info).hexdigest() if hybrid else ""
    full = bare = None
    if not private:
        full = magnet_link(info_hash, name=name, info_hash_v2=v2, size=size, trackers=trackers, webseeds=webseeds)
        bare = magnet_link(info_hash)
    return {"info_hash": info_hash, "info_hash_v2": v2, "magnet": full, "bare_magnet": bare}
