"""What trackers answer, decoded: as liberal as clients are, with a remark on what they are liberal about."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any, Callable, Sequence

from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.torrent.bencode import BencodeError, decode_closely
from ansible.module_utils.seedbed.torrent.model import Peer, TrackerAnswer

Remark = Callable[[str], None]
"""Takes what is odd about an answer, as half a sentence."""


# What is no bencode by the letter, and what clients make of it; keys out of order are read by all.
_FORMS = {
    "duplicate": "its answer has a key twice; libtorrent and Transmission take the first value, aria2 the last one",
    "zero": "its answer has a number with a leading zero; Transmission refuses it",
    "minus zero": "its answer has the number -0; clients take it for 0, strict parsers may not",
    "length zero": "its answer has the length of a text with a leading zero; clients read it, strict parsers may not",
    "sign": "its answer has a number with a plus sign; libtorrent refuses it",
}


def decoded(raw: bytes, remark: Remark) -> dict[bytes, Any]:
    """Return the dictionary that an answer begins with."""
    try:
        (body, _, end), oddities, _ = decode_closely(raw)
    except BencodeError as error:
        hint = ""
        if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"d" and raw[:1] != b"d":
            hint = "; clients do not pass over what comes before the dictionary"
        raise NetError("not_bencode", f"the answer is not bencode: {error}{hint}") from error
    if not isinstance(body, dict):
        raise NetError("not_bencode", "the answer is bencode, but no dictionary")
    for kind in oddities:
        if kind in _FORMS:
            remark(_FORMS[kind])
    if end < len(raw):
        remark(f"{_bytes(len(raw) - end)} behind the end of its answer; clients pass over them, strict parsers may not")
    return body


def refusal(body: dict[bytes, Any]) -> NetError | None:
    """Return why the tracker refuses, if it does; a reason that is no text counts for nothing, as for clients."""
    words = body.get(b"failure reason")
    if not isinstance(words, bytes):
        return None
    reason = "not_authorized" if b"not authorized" in words.lower() else "failure"
    return NetError(reason, f"the tracker refuses: {text(words)}" if words else "the tracker refuses, without a reason")


def announced(body: dict[bytes, Any], remark: Remark = lambda _: None) -> TrackerAnswer:
    """Return the fields of an HTTP announce answer; peers as compact text (BEP 23, 7) or as dictionaries (BEP 3)."""
    if b"failure reason" in body:
        remark("its failure reason is no text; clients pass over it")
    peers = _listed(body.get(b"peers"), remark) if b"peers" in body else []
    if b"peers6" in body:
        peers += _listed6(body[b"peers6"], remark)
    if b"peers" not in body and b"peers6" not in body:
        remark("its answer has no peers at all, not even an empty list")
    warning = body.get(b"warning message", b"")
    if not isinstance(warning, bytes):
        remark("its warning message is no text; clients pass over it")
        warning = b""
    interval = _number(body, b"interval", remark)
    if interval is None and b"interval" not in body:
        remark("its answer names no interval; clients take their own, mostly half an hour")
    return {
        "interval": interval,
        "min_interval": _number(body, b"min interval", remark),
        "seeders": _number(body, b"complete", remark),
        "leechers": _number(body, b"incomplete", remark),
        "downloaded": _number(body, b"downloaded", remark),
        "warning": text(warning),
        "peers": peers,
    }


def scraped(body: dict[bytes, Any], info_hash: bytes, remark: Remark = lambda _: None) -> TrackerAnswer:
    files = body.get(b"files")
    if not isinstance(files, dict):
        raise malformed_answer("a scrape answer without files")
    counts = files.get(info_hash, {})  # a tracker leaves out what it does not know
    if not isinstance(counts, dict):
        raise malformed_answer("a scrape answer without counts")
    return {
        "known": info_hash in files,
        "seeders": _number(counts, b"complete", remark) or 0,
        "leechers": _number(counts, b"incomplete", remark) or 0,
        "downloaded": _number(counts, b"downloaded", remark) or 0,
    }


def _listed(listed: Any, remark: Remark) -> list[Peer]:
    if isinstance(listed, bytes):
        return compact_peers(listed, 4, remark)
    if isinstance(listed, list):
        return _long_peers(listed, remark)
    remark(f"its peers are {_kind(listed)} and no list; no client finds a peer in it")
    return []


def _listed6(listed: Any, remark: Remark) -> list[Peer]:
    if isinstance(listed, bytes):
        return compact_peers(listed, 16, remark)
    empty = "an empty list" if listed == [] else _kind(listed)
    remark(f"its peers6 is {empty} and no text; libtorrent and Transmission pass over it")
    return []


def _long_peers(entries: Sequence[Any], remark: Remark) -> list[Peer]:
    """Return the peers that can be reached; one that has no address and port is passed over, as clients do."""
    good: list[Peer] = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get(b"ip"), bytes) and _is_port(entry.get(b"port")):
            good.append({"address": text(entry[b"ip"]).strip(), "port": entry[b"port"]})
    if len(good) < len(entries):
        if not good:
            raise malformed_answer("peers without address and port")
        bad = len(entries) - len(good)
        remark(
            f"{bad} of the {len(entries)} peers that it lists {'has' if bad == 1 else 'have'} no usable address and "
            "port; clients pass over such"
        )
    return good


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < 65536


def compact_peers(data: bytes, width: int, remark: Remark = lambda _: None) -> list[Peer]:
    """Return peers in 6 (IPv4) or 18 (IPv6) bytes each; width is that of the address."""
    size = width + 2
    rest = len(data) % size
    if rest == len(data) > 0 and width == 4:
        raise malformed_answer(f"{len(data)} bytes of peers, no multiple of {size}")
    if rest:
        who = ("Transmission takes", "libtorrent and aria2 refuse")
        if width > 4:
            who = ("Transmission and aria2 take", "libtorrent refuses")
        remark(
            f"its compact peers have {len(data)} bytes, no multiple of {size}; {who[0]} the whole ones, {who[1]} the "
            "answer"
        )
    return [
        {
            "address": str(ipaddress.ip_address(data[at : at + width])),
            "port": int.from_bytes(data[at + width : at + size], "big"),
        }
        for at in range(0, len(data) - rest, size)
    ]


def _number(body: dict[bytes, Any], key: bytes, remark: Remark) -> int | None:
    value = body.get(key)
    if isinstance(value, int) and value >= 0:
        return value
    if value is not None:
        shown = str(value) if isinstance(value, int) else _kind(value)
        remark(f"its {key.decode()} is {shown} and no number from 0; clients do without")
    return None


def _kind(value: Any) -> str:
    names = {bytes: "a text", int: "a number", list: "a list", dict: "a dictionary"}
    return names.get(type(value), "something else")


def _bytes(number: int) -> str:
    return f"{number} byte{'' if number == 1 else 's'}"


def text(value: bytes) -> str:
    """Return a byte string as text, whatever its encoding."""
    return value.decode("utf-8", "replace")


def unpacked(layout: str, data: bytes) -> tuple[int, ...]:
    """Return the numbers that a UDP answer begins with (BEP 15)."""
    size = struct.calcsize(layout)
    if len(data) < size:
        raise malformed_answer(f"an answer of {len(data) + 8} bytes, BEP 15 says at least {size + 8}")
    return struct.unpack(layout, data[:size])


def malformed_answer(message: str) -> NetError:
    return NetError("malformed", message)
