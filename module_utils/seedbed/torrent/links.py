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
    version: str,
    private: bool,
    trackers: Sequence[str],
    webseeds: Sequence[str] = (),
) -> Links:
    """Return hashes and links of an info section; version: v1, hybrid or v2, which has no v1 info hash.

    A private torrent has no magnet: nobody serves its metadata.
    """
    info_hash = "" if version == "v2" else hashlib.sha1(info).hexdigest()
    v2 = "" if version == "v1" else hashlib.sha256(info).hexdigest()
    full = bare = None
    if not private:
        full = magnet_link(info_hash, name=name, info_hash_v2=v2, size=size, trackers=trackers, webseeds=webseeds)
        bare = magnet_link(info_hash, info_hash_v2="" if info_hash else v2)
    return {"info_hash": info_hash, "info_hash_v2": v2, "magnet": full, "bare_magnet": bare}
