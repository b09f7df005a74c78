"""Ask trackers who is there: announce (BEP 3, 7, 23) and scrape (BEP 48) over HTTP, both over UDP (BEP 15).

A question never counts itself. It announces as a leecher on PROBE_PORT, where no client listens. By that port its own
entry can be told from real peers, and so can those of questions that other hosts ask meanwhile. Then it announces
``stopped``.

A scrape answer lists nobody, so it may count another host that asks at this moment. Every count of leechers is too high
by such entries or right, never too low: of what one tracker answers, the least is taken.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import re
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Sequence
from urllib.parse import SplitResult, quote_from_bytes

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe import tracker_udp
from ansible.module_utils.seedbed.probe.door import Door
from ansible.module_utils.seedbed.probe.http_question import ask_http
from ansible.module_utils.seedbed.probe.tracker_answers import (
    announced,
    compact_peers,
    decoded,
    refusal,
    scraped,
    unpacked,
)
from ansible.module_utils.seedbed.probe.tracker_urls import host_of, scrape_path, split_tracker, url_data, with_query
from ansible.module_utils.seedbed.torrent.credentials import HIDDEN, without_password
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
    ports: tuple[int, int] = (8000, 9000)
    """First and last of those of which one is bound and announced where a tracker refuses `port`."""
    raw: bool = False
    workers: int = 200
    peer_id: bytes = b"-SB0100-" + os.urandom(6).hex().encode()


def ports_fault(ports: Sequence[int]) -> str:
    """Return why these are no first and last port, or an empty text."""
    if len(ports) == 2 and 1 <= ports[0] <= ports[1] <= 65535:
        return ""
    return f"ports is {list(ports)}; expected the first and the last of some, such as [8000, 9000]"


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
    door = Door(*options.ports)

    def work(indexes: list[int]) -> None:
        for index in indexes:
            results[index] = answer(questions[index], options, door)
            if results[index]["reason"] in ("timeout", "unreachable", "dns"):
                silent.add((questions[index].tracker, questions[index].info_hash))

    for kind in ("scrape", "announce"):
        groups: dict[Any, list[int]] = {}
        for index, question in enumerate(questions):
            if question.kind == kind:
                alone = kind == "scrape" or (question.tracker, question.info_hash) in silent
                together = index if alone else (host_of(question.tracker), question.info_hash)
                groups.setdefault(together, []).append(index)
        if groups:
            with contextlib.closing(door), ThreadPoolExecutor(min(options.workers, len(groups))) as pool:
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


def answer(question: Question, options: AnnounceOptions, door: Door) -> TrackerAnswer:
    """Return the answer to one question; a bad answer of the world is a result with a reason, never an exception."""
    started = time.monotonic()
    result = _answer_to(question, options)
    if question.kind == "announce" and _may_mean_the_port(result):
        result = _asked_again(question, options, door, result)
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


def _answer_to(question: Question, options: AnnounceOptions) -> TrackerAnswer:
    result: TrackerAnswer = {
        "tracker": without_password(question.tracker),
        "kind": question.kind,
        "info_hash": question.info_hash,
        "ok": False,
        "reason": "",
        "message": "",
        "address": "",
        "own_address": "",
        "redirects": [],
        "remarks": [],
    }
    try:
        if question.tracker != question.tracker.strip():
            result["remarks"].append("there are blanks around its address; not every client passes over them")
        if f"//{HIDDEN}@" in question.tracker:
            result["remarks"].append("catalogue.json does not tell its password, so it was asked without")
        parts = split_tracker(question.tracker)
        asking = _ask_udp if parts.scheme == "udp" else _ask_http
        asking(parts, question, options, result)
        result["ok"] = True
    except NetError as error:
        result["reason"], result["message"] = error.reason, str(error)
        result["address"] = error.address or result["address"]
    return result


def _may_mean_the_port(result: TrackerAnswer) -> bool:
    """Return whether a tracker refuses what no client asks: a port on which nobody can listen, as private ones do."""
    if result["reason"] == "http_status":
        return 400 <= result.get("status", 0) < 500 and result.get("status") not in (401, 404)
    return result["reason"] == "failure" or (result["reason"] == "not_authorized" and "port" in result["message"])


def _asked_again(question: Question, options: AnnounceOptions, door: Door, first: TrackerAnswer) -> TrackerAnswer:
    """Return the answer to a question from a port that is really bound, where the first one was refused."""
    try:
        port = door.port()
    except NetError as error:
        return {**first, "message": f"{first['message']} ({error})"}
    second = _answer_to(question, options._replace(port=port))
    if second["ok"]:
        words = first["message"]
        second["remarks"].append(f"it refuses port {options.port} ({words}); asked again, it took port {port}")
        return second
    return first if second["reason"] in ("timeout", "reset") else second


# -- HTTP -----------------------------------------------------------------------------------------------------------


def _announce_url(parts: SplitResult, info_hash: bytes, options: AnnounceOptions, stopped: bool) -> str:
    query = (
        f"info_hash={quote_from_bytes(info_hash, safe='')}&peer_id={quote_from_bytes(options.peer_id, safe='')}"
        f"&port={options.port}&uploaded=0&downloaded=0&left={PROBE_LEFT}&compact={int(options.compact)}"
    )
    query += "&numwant=0&event=stopped" if stopped else f"&numwant={options.numwant}"
    return with_query(parts, parts.path, query)


def _ask_http(parts: SplitResult, question: Question, options: AnnounceOptions, result: TrackerAnswer) -> None:
    info_hash = bytes.fromhex(question.info_hash)
    deadline = Deadline(options.timeout)
    if question.kind == "scrape":
        url = with_query(parts, scrape_path(parts.path), f"info_hash={quote_from_bytes(info_hash, safe='')}")
        result.update(scraped(_get(url, options, deadline, result), info_hash, result["remarks"].append))
        return
    body = _get(_announce_url(parts, info_hash, options, stopped=False), options, deadline, result)
    result.update(announced(body, result["remarks"].append))
    _leave_out_probes(result, options)
    if options.port:

        def goodbye() -> None:
            url = _announce_url(parts, info_hash, options, stopped=True)
            ask_http(url, options.family, Deadline(_GOODBYE_SECONDS))

        result["deregistered"] = _reaches_the_tracker(goodbye)


def _get(url: str, options: AnnounceOptions, deadline: Deadline, result: TrackerAnswer) -> dict[bytes, Any]:
    """Return the dictionary that a tracker answers, or raise why there is none."""
    reply = ask_http(url, options.family, deadline)
    result["address"], result["own_address"] = reply.address, reply.own_address
    result["redirects"], result["status"] = reply.redirects, reply.status
    result["remarks"] += reply.remarks
    if options.raw:
        result["raw"] = base64.b64encode(reply.body).decode("ascii")
    try:
        body = decoded(reply.body, result["remarks"].append)
    except NetError as error:
        if reply.status == 200:
            raise
        title = re.search(rb"<title>([^<]{1,80})", reply.body, re.IGNORECASE)
        words = title.group(1).decode("utf-8", "replace").strip() if title else ""
        raise NetError("http_status", f"HTTP status {reply.status}" + (f" ({words})" if words else "")) from error
    refused = refusal(body)
    if refused:
        raise refused
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
        seeders, downloaded, leechers = unpacked(">III", exchange(tracker_udp.SCRAPE, info_hash, deadline))
        result["known"] = bool(seeders or downloaded or leechers)
        result["seeders"], result["leechers"], result["downloaded"] = seeders, leechers, downloaded
        return
    more = url_data(parts)
    data = exchange(tracker_udp.ANNOUNCE, _announce_packet(info_hash, options, _NONE) + more, deadline)
    interval, leechers, seeders = unpacked(">III", data)
    width = 16 if ":" in result["address"] else 4
    result["interval"], result["min_interval"], result["warning"] = interval, None, ""
    result["seeders"], result["leechers"], result["downloaded"] = seeders, leechers, None
    result["peers"] = compact_peers(data[12:], width, result["remarks"].append)
    _leave_out_probes(result, options)
    packet = _announce_packet(info_hash, options, _STOPPED) + more
    goodbye = functools.partial(exchange, tracker_udp.ANNOUNCE, packet)
    result["deregistered"] = _reaches_the_tracker(lambda: goodbye(Deadline(_GOODBYE_SECONDS)))


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
    """Take ourselves, and others who ask at this moment, out of what the tracker lists and counts.

    Others may listen on a port that is not the probes' own: there it is our address that tells, if it is listed.
    """
    own = result["own_address"]
    probes = [peer for peer in result["peers"] if peer["port"] == options.port]
    if options.port > PROBE_PORT and len(probes) > 1:
        probes = [peer for peer in probes if peer["address"] == own]
    peers = [peer for peer in result["peers"] if peer not in probes]
    addresses = [peer["address"] for peer in probes]
    result["peers"], result["probes"] = peers, len(probes)
    # The address under which the tracker would hand us out: ours, or the one that a NAT or proxy put in its place.
    result["seen_as"] = own if own in addresses else addresses[0] if len(addresses) == 1 else ""
    if result["leechers"] is not None:
        result["leechers"] = max(0, result["leechers"] - max(1, len(probes)))
