"""Ask trackers who is there: announce (BEP 3, 7, 23) and scrape (BEP 48) over HTTP, both over UDP (BEP 15).

A question never counts itself. It announces as a leecher on PROBE_PORT, where no client listens. By that port its own
entry can be told from real peers, and so can those of questions that other hosts ask meanwhile. Then it announces
``stopped``.

A scrape answer lists nobody, so it may count another host that asks at this moment. Every count of leechers is too high
by such entries or right, never too low: of what one tracker answers, the least is taken.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Sequence
from urllib.parse import SplitResult, quote_from_bytes, urlsplit

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe import tracker_http, tracker_udp
from ansible.module_utils.seedbed.probe.tracker_answers import announced, compact_peers, malformed_answer, scraped, text
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.torrent.model import TrackerAnswer

PROBE_PORT = 1
PROBE_LEFT = 16384
_NONE, _STOPPED = 0, 3  # BEP 15 events
_GOODBYE_SECONDS = 2.0


class AnnounceOptions(NamedTuple):
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


def ask(questions: Sequence[Question], options: AnnounceOptions) -> list[TrackerAnswer]:
    """Return all answers, in the order of the questions.

    Scrapes come before announces, so that no scrape counts us. Announces of one torrent to one host follow each other:
    its trackers over HTTP and UDP may be one process, which would count our other entry. All else is asked side by
    side. So is a tracker that answered no scrape, lest dead ones cost their time-outs one after another.
    """
    results: list[TrackerAnswer] = [{} for _ in questions]
    silent: set[tuple[str, str]] = set()

    def work(indexes: list[int]) -> None:
        for index in indexes:
            results[index] = answer(questions[index], options)
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
            with ThreadPoolExecutor(min(options.workers, len(groups))) as pool:
                list(pool.map(work, groups.values()))
    _take_the_least(results)
    return results


def _take_the_least(results: Sequence[TrackerAnswer]) -> None:
    """Correct the leechers of each tracker's scrape by its announce, and the other way round."""
    counts: dict[tuple[str, str], int] = {}
    for result in results:
        leechers = result.get("leechers")
        if leechers is not None:
            key = (result["tracker"], result["info_hash"])
            counts[key] = min(leechers, counts.get(key, leechers))
    for result in results:
        if result.get("leechers") is not None:
            result["leechers"] = counts[result["tracker"], result["info_hash"]]


def answer(question: Question, options: AnnounceOptions) -> TrackerAnswer:
    """Return the answer to one question; a bad answer of the world is a result with a reason, never an exception."""
    started = time.monotonic()
    result: TrackerAnswer = {
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
        asking(parts, question, options, result)
        result["ok"] = True
    except NetError as error:
        result["reason"], result["message"] = error.reason, str(error)
        result["address"] = error.address or result["address"]
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
    """Return the path to scrape at: only where the last part begins with ``announce`` is there one (BEP 48)."""
    head, slash, last = path.rpartition("/")
    if not slash or not last.startswith("announce"):
        raise NetError(
            "no_scrape", f"the tracker's path {path or '/'} does not end in /announce, so it has no scrape address"
        )
    return f"{head}/scrape{last[len('announce') :]}"


# -- HTTP -----------------------------------------------------------------------------------------------------------


def _url(parts: SplitResult, path: str, query: str) -> str:
    return parts._replace(path=path, query=f"{parts.query}&{query}" if parts.query else query, fragment="").geturl()


def _announce_url(parts: SplitResult, info_hash: bytes, options: AnnounceOptions, stopped: bool) -> str:
    query = (
        f"info_hash={quote_from_bytes(info_hash, safe='')}&peer_id={quote_from_bytes(options.peer_id, safe='')}"
        f"&port={options.port}&uploaded=0&downloaded=0&left={PROBE_LEFT}&compact={int(options.compact)}"
    )
    return _url(parts, parts.path, query + ("&numwant=0&event=stopped" if stopped else f"&numwant={options.numwant}"))


def _ask_http(parts: SplitResult, question: Question, options: AnnounceOptions, result: TrackerAnswer) -> None:
    info_hash = bytes.fromhex(question.info_hash)
    deadline = Deadline(options.timeout)
    if question.kind == "scrape":
        url = _url(parts, scrape_path(parts.path), f"info_hash={quote_from_bytes(info_hash, safe='')}")
        result.update(scraped(_get(url, options, deadline, result), info_hash))
        return
    body = _get(_announce_url(parts, info_hash, options, stopped=False), options, deadline, result)
    result.update(announced(body))
    _leave_out_probes(result, options)
    if options.port:

        def goodbye() -> None:
            url = _announce_url(parts, info_hash, options, stopped=True)
            tracker_http.get(url, options.family, Deadline(_GOODBYE_SECONDS))

        result["deregistered"] = _reaches_the_tracker(goodbye)


def _get(url: str, options: AnnounceOptions, deadline: Deadline, result: TrackerAnswer) -> dict[bytes, Any]:
    """Return the dictionary that a tracker answers, or raise why there is none."""
    reply = tracker_http.get(url, options.family, deadline)
    result["address"], result["own_address"] = reply.address, reply.own_address
    result["redirects"], result["status"] = reply.redirects, reply.status
    if options.raw:
        result["raw"] = base64.b64encode(reply.body).decode("ascii")
    try:
        body = bencode.decode(reply.body, strict=False)
    except bencode.BencodeError as error:
        title = re.search(rb"<title>([^<]{1,80})", reply.body, re.IGNORECASE)
        words = title.group(1).decode("utf-8", "replace").strip() if title else ""
        if reply.status != 200:
            raise NetError("http_status", f"HTTP status {reply.status}" + (f" ({words})" if words else "")) from error
        raise NetError("not_bencode", f"the answer is not bencode: {error}") from error
    if not isinstance(body, dict):
        raise NetError("not_bencode", "the answer is bencode, but no dictionary")
    if b"failure reason" in body:
        words = text(body[b"failure reason"])
        reason = "not_authorized" if "not authorized" in words.lower() else "failure"
        raise NetError(reason, f"the tracker refuses: {words}")
    if reply.status != 200:
        raise NetError("http_status", f"HTTP status {reply.status}")
    return body


# -- UDP ------------------------------------------------------------------------------------------------------------


def _ask_udp(parts: SplitResult, question: Question, options: AnnounceOptions, result: TrackerAnswer) -> None:
    endpoint = tracker_udp.Endpoint(str(parts.hostname), int(parts.port or 0), options.family)
    info_hash = bytes.fromhex(question.info_hash)

    def exchange(action: int, payload: bytes, deadline: Deadline) -> bytes:
        reply = tracker_udp.exchange(endpoint, action, payload, deadline)
        result["address"], result["own_address"] = reply.address, reply.own_address
        if options.raw and "raw" not in result:
            result["raw"] = base64.b64encode(reply.payload).decode("ascii")
        return reply.payload

    deadline = Deadline(options.timeout)
    if question.kind == "scrape":
        seeders, downloaded, leechers = _unpack(">III", exchange(tracker_udp.SCRAPE, info_hash, deadline))
        result["known"] = bool(seeders or downloaded or leechers)
        result["seeders"], result["leechers"], result["downloaded"] = seeders, leechers, downloaded
        return
    data = exchange(tracker_udp.ANNOUNCE, _announce_packet(info_hash, options, _NONE), deadline)
    interval, leechers, seeders = _unpack(">III", data)
    width = 16 if ":" in result["address"] else 4
    result["interval"], result["min_interval"], result["warning"] = interval, None, ""
    result["seeders"], result["leechers"], result["downloaded"] = seeders, leechers, None
    result["peers"] = compact_peers(data[12:], width)
    _leave_out_probes(result, options)
    packet = _announce_packet(info_hash, options, _STOPPED)
    goodbye = functools.partial(exchange, tracker_udp.ANNOUNCE, packet)
    result["deregistered"] = _reaches_the_tracker(lambda: goodbye(Deadline(_GOODBYE_SECONDS)))


def _unpack(layout: str, data: bytes) -> tuple[int, ...]:
    size = struct.calcsize(layout)
    if len(data) < size:
        raise malformed_answer(f"an answer of {len(data) + 8} bytes, BEP 15 says at least {size + 8}")
    return struct.unpack(layout, data[:size])


def _announce_packet(info_hash: bytes, options: AnnounceOptions, event: int) -> bytes:
    numwant = 0 if event == _STOPPED else options.numwant
    return info_hash + struct.pack(
        ">20sQQQIIIiH", options.peer_id, 0, PROBE_LEFT, 0, event, 0, 0, numwant, options.port
    )


# -- both -----------------------------------------------------------------------------------------------------------


def _reaches_the_tracker(goodbye: Callable[[], object]) -> bool:
    """Return whether the tracker took our goodbye; if not, it drops our entry by itself after its own time."""
    try:
        goodbye()
        return True
    except NetError:
        return False


def _leave_out_probes(result: TrackerAnswer, options: AnnounceOptions) -> None:
    """Take ourselves, and others who ask at this moment, out of what the tracker lists and counts."""
    probes = [peer["address"] for peer in result["peers"] if peer["port"] == options.port]
    result["peers"] = [peer for peer in result["peers"] if peer["port"] != options.port]
    result["probes"] = len(probes)
    own = result["own_address"]
    # The address under which the tracker would hand us out: ours, or the one that a NAT or proxy put in its place.
    result["seen_as"] = own if own in probes else probes[0] if len(probes) == 1 else ""
    if result["leechers"] is not None:
        result["leechers"] = max(0, result["leechers"] - max(1, len(probes)))
