"""What a peer says by extensions (BEP 10): the metadata (BEP 9), and other peers (BEP 11)."""

from __future__ import annotations

import hashlib
import socket
from typing import Any, Sequence

from ansible.module_utils.seedbed.scripted.messages import BLOCK, extended
from ansible.module_utils.seedbed.scripted.served import ServedTorrent
from ansible.module_utils.seedbed.scripted.tracker import compact
from ansible.module_utils.seedbed.torrent.bencode import BencodeError, decode
from ansible.module_utils.seedbed.torrent.model import Peer

METADATA, PEX = "ut_metadata", "ut_pex"
OUR_ID = 3
OUR_PEX_ID = 1
_SIZES = {"size-2gib": 2**31 - 1, "size-1tib": 2**40, "size-zero": 0, "size-negative": -1}


def offer(torrent: ServedTorrent, kind: str) -> dict[str, Any]:
    """Return what the extension handshake says of the metadata; the torrent's own for a private one is nothing."""
    if kind == "none" or (kind == "right" and torrent.private):
        return {"m": {}}
    size = len(torrent.info) + (kind == "longer")
    return {"m": {"ut_metadata": OUR_ID}, "metadata_size": _SIZES.get(kind, size)}


def exchange(their_id: int, peers: Sequence[Peer]) -> bytes:
    """Return a message that names peers (BEP 11)."""
    four, six = compact(list(peers), socket.AF_INET), compact(list(peers), socket.AF_INET6)
    added = {"added": four, "added.f": bytes(len(four) // 6), "added6": six, "added6.f": bytes(len(six) // 18)}
    return extended(their_id, {**added, "dropped": b"", "dropped6": b""})


def read_request(payload: bytes) -> int | None:
    """Return the part that is asked for, None for a message that is no question."""
    try:
        asked = decode(payload, strict=False, max_size=4096)
    except BencodeError:
        return None
    if not isinstance(asked, dict) or asked.get(b"msg_type") != 0:
        return None
    part = asked.get(b"piece")
    return part if isinstance(part, int) and 0 <= part < 2**32 else None


def reply(torrent: ServedTorrent, kind: str, their_id: int, part: int, asked: int) -> bytes:
    """Return what is sent for a part, which the client asks for that many times by now; empty for silence."""
    info = torrent.info
    data = info[part * BLOCK : (part + 1) * BLOCK]
    if kind == "ignore":
        return b""
    if kind == "reject" or not data:
        return extended(their_id, {"msg_type": 2, "piece": part})
    if kind == "corrupt" or (kind == "corrupt-once" and asked == 1):
        data = bytes([data[0] ^ 0xFF]) + data[1:]
    elif kind == "random":
        data = hashlib.shake_128(b"metadata/%d" % part).digest(len(data))
    elif kind == "short":
        data = data[:-1]
    elif kind == "longer" and (part + 1) * BLOCK > len(info):
        data += b"\0"
    total = offer(torrent, kind).get("metadata_size", len(info))
    return extended(their_id, {"msg_type": 1, "piece": part, "total_size": total}, data)


def hello(offered: dict[str, Any], *, version: str, queue: int, port: int) -> dict[str, Any]:
    """Return the extension handshake (BEP 10)."""
    return {**offered, "v": version, "reqq": queue, "p": port}


def their_extensions(payload: bytes) -> tuple[dict[str, int], str]:
    """Return the numbers under which the client takes what it knows, and what it calls itself."""
    try:
        said = decode(payload, strict=False)
    except BencodeError:
        return {}, ""
    if not isinstance(said, dict):
        return {}, ""
    known, name = said.get(b"m"), said.get(b"v")
    numbers = {
        word: known[word.encode()]
        for word in (METADATA, PEX)
        if isinstance(known, dict) and isinstance(known.get(word.encode()), int) and 0 < known[word.encode()] < 256
    }
    text = name.decode("utf-8", "replace")[:80] if isinstance(name, bytes) else ""
    return numbers, text
