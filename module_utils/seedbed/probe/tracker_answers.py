"""What trackers answer, decoded: as liberal as clients are."""

from __future__ import annotations

import ipaddress
from typing import Any, Sequence

from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.torrent.model import Peer, TrackerAnswer


def announced(body: dict[bytes, Any]) -> TrackerAnswer:
    """Return the fields of an HTTP announce answer; peers as compact text (BEP 23, 7) or as dictionaries (BEP 3)."""
    listed = body.get(b"peers", b"")
    if isinstance(listed, bytes):
        peers = compact_peers(listed, 4)
    else:
        peers = _long_peers(listed if isinstance(listed, list) else [listed])
    more = body.get(b"peers6", b"")
    if not isinstance(more, bytes):
        raise malformed_answer("peers6 is no text")
    peers += compact_peers(more, 16)
    return {
        "interval": _number(body, b"interval"),
        "min_interval": _number(body, b"min interval"),
        "seeders": _number(body, b"complete"),
        "leechers": _number(body, b"incomplete"),
        "downloaded": _number(body, b"downloaded"),
        "warning": text(body.get(b"warning message", b"")),
        "peers": peers,
    }


def scraped(body: dict[bytes, Any], info_hash: bytes) -> TrackerAnswer:
    files = body.get(b"files")
    if not isinstance(files, dict):
        raise malformed_answer("a scrape answer without files")
    counts = files.get(info_hash, {})  # a tracker leaves out what it does not know
    if not isinstance(counts, dict):
        raise malformed_answer("a scrape answer without counts")
    return {
        "known": info_hash in files,
        "seeders": _number(counts, b"complete") or 0,
        "leechers": _number(counts, b"incomplete") or 0,
        "downloaded": _number(counts, b"downloaded") or 0,
    }


def _long_peers(entries: Sequence[Any]) -> list[Peer]:
    """Return the peers that can be reached; one that has no address and port is passed over, as clients do."""
    good: list[Peer] = [
        {"address": text(entry[b"ip"]), "port": entry[b"port"]}
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(b"ip"), bytes) and _is_port(entry.get(b"port"))
    ]
    if entries and not good:
        raise malformed_answer("peers without address and port")
    return good


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 65536


def compact_peers(data: bytes, width: int) -> list[Peer]:
    """Return peers in 6 (IPv4) or 18 (IPv6) bytes each; width is that of the address."""
    if len(data) % (width + 2):
        raise malformed_answer(f"{len(data)} bytes of peers, no multiple of {width + 2}")
    return [
        {
            "address": str(ipaddress.ip_address(data[at : at + width])),
            "port": int.from_bytes(data[at + width : at + width + 2], "big"),
        }
        for at in range(0, len(data), width + 2)
    ]


def _number(body: dict[bytes, Any], key: bytes) -> int | None:
    value = body.get(key)
    return value if isinstance(value, int) else None


def text(value: Any) -> str:
    """Return a byte string as text, whatever its encoding."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def malformed_answer(message: str) -> NetError:
    return NetError("malformed", message)
