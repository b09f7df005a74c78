"""A metainfo file of others with trackers of ours, its info section byte for byte."""

from __future__ import annotations

from typing import Sequence

from ansible.module_utils.seedbed.torrent.bencode import Encoded, encode
from ansible.module_utils.seedbed.torrent.metainfo import outer_dictionary
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent
from ansible.module_utils.seedbed.torrent.model import Tiers, flatten_tiers


def retarget(torrent: ReadTorrent, *, trackers: Sequence[Sequence[str]], keep: bool = True) -> tuple[bytes, Tiers]:
    """Return the file with our tiers after its own, or instead of them, and the tiers that it then has."""
    own = torrent.info["trackers"] if keep else []
    known = flatten_tiers(own)
    tiers = own + [tier for tier in ([url for url in tier if url not in known] for tier in trackers) if tier]
    rest = {key: value for key, value in torrent.outer.items() if key not in (b"info", b"announce", b"announce-list")}
    fresh = outer_dictionary(trackers=tiers)
    rest.update({key.encode(): fresh[key] for key in ("announce", "announce-list") if key in fresh})
    return encode({**rest, b"info": Encoded(torrent.info_section)}), tiers
