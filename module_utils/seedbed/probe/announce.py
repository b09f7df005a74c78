"""Ask trackers who is there: announce (BEP 3, 7, 23) and scrape (BEP 48) over HTTP, both over UDP (BEP 15).

A question never counts itself. It announces as a leecher on PROBE_PORT, where no client listens. By that port its own
entry can be told from real peers, and so can those of questions that other hosts ask meanwhile. Then it says
``stopped``.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, NamedTuple, Sequence
from urllib.parse import SplitResult, quote_from_bytes, urlsplit

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe import tracker_http, tracker_udp
from ansible.module_utils.seedbed.torrent import bencode

PROBE_PORT = 1
PROBE_LEFT = 16384
_NONE, _STOPPED = 0, 3  # BEP 15 events
_GOODBYE_SECONDS = 2.0

Result = Dict[str, Any]


class Settings(NamedTuple):
    """How to ask; the same for all questions of one call."""

    timeout: float = 5.0
    family: str = "any"
    numwant: int = 50
    compact: bool = True
    port: int = PROBE_PORT
    raw: bool = False
    workers: int = 200
    peer_id: bytes = b"-SB0100-" + os.urandom(6).hex().encode()


class Question(NamedTuple):
    """One thing to ask one tracker about one torrent."""

    tracker: str
    kind: str
    info_hash: str


def ask(questions: Sequence[Question], settings: Settings) -> list[Result]:
    """All answers, in the order of the questions.

    Scrapes come before announces, so that no scrape counts us. Announces of one torrent to one host follow each other:
    its trackers over HTTP and UDP may be one process, which would count our other entry. All else is asked side by
    side. So is a tracker that answered no scrape, lest dead ones cost their time-outs one after another.
    """
    results: list[Result] = [{}] * len(questions)
    silent: set[tuple[str, str]] = set()

    def work(indexes: list[int]) -> None:
        for index in indexes:
            results[index] = answer(questions[index], settings)
            if results[index]["reason"] in ("timeout", "unreachable", "dns"):
                silent.add((questions[index].tracker, questions[index].info_hash))

    for kind in ("scrape", "announce"):
        groups: dict[Any, list[int]] = {}
        for index, question in enumerate(questions):
            if question.kind == kind:
                alone = kind == "scrape" or (question.tracker, question.info_hash) in silent
                together = index if alone else (_host(question.tracker), question.info_hash)
                groups.setdefault(together, []).append(index)
        if groups:
            with ThreadPoolExecutor(min(settings.workers, len(groups))) as pool:
                list(pool.map(work, groups.values()))
    scraped = {(result["tracker"], result["info_hash"]): result for result in results if result["kind"] == "scrape"}
    for result in results:
        twin = scraped.get((result["tracker"], result["info_hash"]), {})
        if result["kind"] == "announce" and result["ok"] and twin.get("ok") and result["leechers"] is not None:
            # Two names of one tracker may have counted our other entry; the scrape came before all entries.
            result["leechers"] = min(result["leechers"], twin["leechers"])
    return results


def answer(question: Question, settings: Settings) -> Result:
    """One question asked; a bad answer of the world is a result with a reason, never an exception."""
    started = time.monotonic()
    result: Result = {
        "tracker": question.tracker,
        "kind": question.kind,
        "info_hash": question.info_hash,
        "ok": False,
        "reason": "",
        "message": "",
        "address": "",
        "own_address": "",
        "redirects": [],
    }
    try:
        parts = _split(question.tracker)
        asking = _ask_udp if parts.scheme == "udp" else _ask_http
        asking(parts, question, settings, result)
        result["ok"] = True
    except NetError as error:
        result.update(reason=error.reason, message=str(error), address=error.address or result["address"])
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


def _host(tracker: str) -> str | None:
    try:
        return urlsplit(tracker).hostname
    except ValueError:
        return None


def _split(tracker: str) -> SplitResult:
    try:
        parts = urlsplit(tracker)
        port = parts.port
    except ValueError as error:
        raise NetError("bad_url", f"{tracker!r} is no tracker address: {error}") from error
    if parts.scheme not in ("http", "https", "udp"):
        raise NetError("bad_url", f"{tracker!r} is no http, https or udp address")
    if not parts.hostname or (parts.scheme == "udp" and not port):
        raise NetError("bad_url", f"{tracker!r} lacks a {'port' if parts.hostname else 'host'}")
    return parts


def scrape_path(path: str) -> str:
    """The path to scrape at: only where the last part begins with ``announce`` is there one (BEP 48)."""
    head, slash, last = path.rpartition("/")
    if not slash or not last.startswith("announce"):
        raise NetError(
            "no_scrape", f"the tracker's path {path or '/'} does not end in /announce, so it has no scrape address"
        )
    return f"{head}/scrape{last[len('announce') :]}"


# -- HTTP -----------------------------------------------------------------------------------------------------------


def _url(parts: SplitResult, path: str, query: str) -> str:
    return parts._replace(path=path, query=f"{parts.query}&{query}" if parts.query else query, fragment="").geturl()


def _announce_url(parts: SplitResult, info_hash: bytes, settings: Settings, stopped: bool) -> str:
    query = (
        f"info_hash={quote_from_bytes(info_hash, safe='')}&peer_id={quote_from_bytes(settings.peer_id, safe='')}"
        f"&port={settings.port}&uploaded=0&downloaded=0&left={PROBE_LEFT}&compact={int(settings.compact)}"
    )
    return _url(parts, parts.path, query + ("&numwant=0&event=stopped" if stopped else f"&numwant={settings.numwant}"))


def _ask_http(parts: SplitResult, question: Question, settings: Settings, result: Result) -> None:
    info_hash = bytes.fromhex(question.info_hash)
    deadline = Deadline(settings.timeout)
    if question.kind == "scrape":
        url = _url(parts, scrape_path(parts.path), f"info_hash={quote_from_bytes(info_hash, safe='')}")
        result.update(_scraped(_get(url, settings, deadline, result), info_hash))
        return
    body = _get(_announce_url(parts, info_hash, settings, stopped=False), settings, deadline, result)
    result.update(announced(body))
    _count(result, settings)
    if settings.port:

        def goodbye() -> None:
            url = _announce_url(parts, info_hash, settings, stopped=True)
            tracker_http.get(url, settings.family, Deadline(_GOODBYE_SECONDS))

        result["deregistered"] = _say(goodbye)


def _get(url: str, settings: Settings, deadline: Deadline, result: Result) -> dict[bytes, Any]:
    """The dictionary that a tracker answers, or why there is none."""
    reply = tracker_http.get(url, settings.family, deadline)
    result.update(address=reply.address, own_address=reply.own_address, redirects=reply.redirects, status=reply.status)
    if settings.raw:
        result["raw"] = base64.b64encode(reply.body).decode("ascii")
    try:
        body = bencode.decode(reply.body, strict=False)
    except bencode.BencodeError as error:
        title = re.search(rb"<title>([^<]{1,80})", reply.body, re.IGNORECASE)
        said = title.group(1).decode("utf-8", "replace").strip() if title else ""
        if reply.status != 200:
            raise NetError("http_status", f"HTTP status {reply.status}" + (f" ({said})" if said else "")) from error
        raise NetError("not_bencode", f"the answer is not bencode: {error}") from error
    if not isinstance(body, dict):
        raise NetError("not_bencode", "the answer is bencode, but no dictionary")
    if b"failure reason" in body:
        text = _text(body[b"failure reason"])
        reason = "not_authorized" if "not authorized" in text.lower() else "failure"
        raise NetError(reason, f"the tracker refuses: {text}")
    if reply.status != 200:
        raise NetError("http_status", f"HTTP status {reply.status}")
    return body


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def announced(body: dict[bytes, Any]) -> Result:
    """The fields of an HTTP announce answer; peers as compact text (BEP 23, BEP 7) or as dictionaries (BEP 3)."""
    listed = body.get(b"peers", b"")
    if isinstance(listed, bytes):
        peers = compact_peers(listed, 4)
    else:
        peers = [_peer(entry) for entry in (listed if isinstance(listed, list) else [listed])]
    more = body.get(b"peers6", b"")
    if not isinstance(more, bytes):
        raise _malformed("peers6 is no text")
    peers += compact_peers(more, 16)
    return {
        "interval": _number(body, b"interval"),
        "min_interval": _number(body, b"min interval"),
        "seeders": _number(body, b"complete"),
        "leechers": _number(body, b"incomplete"),
        "downloaded": _number(body, b"downloaded"),
        "warning": _text(body.get(b"warning message", b"")),
        "peers": peers,
    }


def _malformed(what: str) -> NetError:
    return NetError("malformed", what)


def _number(body: dict[bytes, Any], key: bytes) -> int | None:
    value = body.get(key)
    return value if isinstance(value, int) else None


def _peer(entry: Any) -> Result:
    if not isinstance(entry, dict) or not isinstance(entry.get(b"port"), int) or b"ip" not in entry:
        raise _malformed("a peer without address and port")
    return {"address": _text(entry[b"ip"]), "port": entry[b"port"]}


def compact_peers(data: bytes, width: int) -> list[Result]:
    """Peers in 6 (IPv4) or 18 (IPv6) bytes each; width is that of the address."""
    if len(data) % (width + 2):
        raise _malformed(f"{len(data)} bytes of peers, no multiple of {width + 2}")
    return [
        {
            "address": str(ipaddress.ip_address(data[at : at + width])),
            "port": int.from_bytes(data[at + width : at + width + 2], "big"),
        }
        for at in range(0, len(data), width + 2)
    ]


def _scraped(body: dict[bytes, Any], info_hash: bytes) -> Result:
    files = body.get(b"files")
    if not isinstance(files, dict):
        raise _malformed("a scrape answer without files")
    counts = files.get(info_hash, {})  # a tracker leaves out what it does not know
    if not isinstance(counts, dict):
        raise _malformed("a scrape answer without counts")
    return {
        "known": info_hash in files,
        "seeders": _number(counts, b"complete") or 0,
        "leechers": _number(counts, b"incomplete") or 0,
        "downloaded": _number(counts, b"downloaded") or 0,
    }


# -- UDP ------------------------------------------------------------------------------------------------------------


def _ask_udp(parts: SplitResult, question: Question, settings: Settings, result: Result) -> None:
    endpoint = tracker_udp.Endpoint(str(parts.hostname), int(parts.port or 0), settings.family)
    info_hash = bytes.fromhex(question.info_hash)

    def exchange(action: int, payload: bytes, deadline: Deadline) -> bytes:
        reply = tracker_udp.exchange(endpoint, action, payload, deadline)
        result.update(address=reply.address, own_address=reply.own_address)
        if settings.raw and "raw" not in result:
            result["raw"] = base64.b64encode(reply.payload).decode("ascii")
        return reply.payload

    deadline = Deadline(settings.timeout)
    if question.kind == "scrape":
        seeders, downloaded, leechers = _unpack(">III", exchange(tracker_udp.SCRAPE, info_hash, deadline))
        known = bool(seeders or downloaded or leechers)
        result.update(known=known, seeders=seeders, leechers=leechers, downloaded=downloaded)
        return
    data = exchange(tracker_udp.ANNOUNCE, _announce_packet(info_hash, settings, _NONE), deadline)
    interval, leechers, seeders = _unpack(">III", data)
    width = 16 if ":" in result["address"] else 4
    result.update(interval=interval, min_interval=None, seeders=seeders, leechers=leechers, downloaded=None, warning="")
    result["peers"] = compact_peers(data[12:], width)
    _count(result, settings)
    packet = _announce_packet(info_hash, settings, _STOPPED)
    result["deregistered"] = _say(lambda: exchange(tracker_udp.ANNOUNCE, packet, Deadline(_GOODBYE_SECONDS)))


def _unpack(layout: str, data: bytes) -> tuple[int, ...]:
    size = struct.calcsize(layout)
    if len(data) < size:
        raise _malformed(f"an answer of {len(data) + 8} bytes, BEP 15 says at least {size + 8}")
    return struct.unpack(layout, data[:size])


def _announce_packet(info_hash: bytes, settings: Settings, event: int) -> bytes:
    numwant = 0 if event == _STOPPED else settings.numwant
    return info_hash + struct.pack(
        ">20sQQQIIIiH", settings.peer_id, 0, PROBE_LEFT, 0, event, 0, 0, numwant, settings.port
    )


# -- both -----------------------------------------------------------------------------------------------------------


def _say(goodbye: Callable[[], object]) -> bool:
    """Whether the tracker took our goodbye; if not, it forgets us by itself after its own time."""
    try:
        goodbye()
        return True
    except NetError:
        return False


def _count(result: Result, settings: Settings) -> None:
    """Take ourselves, and others who ask at this moment, out of what the tracker lists and counts."""
    asking = [peer["address"] for peer in result["peers"] if peer["port"] == settings.port]
    result["peers"] = [peer for peer in result["peers"] if peer["port"] != settings.port]
    own = result["own_address"]
    # The address under which the tracker would hand us out: ours, or the one that a NAT or proxy put in its place.
    result["seen_as"] = own if own in asking else asking[0] if len(asking) == 1 else ""
    if result["leechers"] is not None:
        result["leechers"] = max(0, result["leechers"] - max(1, len(asking)))
