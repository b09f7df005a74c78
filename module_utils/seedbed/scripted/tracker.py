"""The answers of scripted trackers: who is handed out (BEP 3, 7, 23), and how it goes wrong over HTTP."""

from __future__ import annotations

import gzip
import os
import socket
from typing import Any, NamedTuple

from ansible.module_utils.seedbed.scripted.http_talk import Question, Reply
from ansible.module_utils.seedbed.scripted.played import PlayedTorrent, peer_id
from ansible.module_utils.seedbed.scripted.testimony import Visit
from ansible.module_utils.seedbed.scripted.tracker_script import TrackerScript
from ansible.module_utils.seedbed.scripted.vocabulary import next_hop
from ansible.module_utils.seedbed.torrent.bencode import Encoded, encode
from ansible.module_utils.seedbed.torrent.model import Peer

_HTML = b"<!DOCTYPE html><title>Welcome</title><p>Please accept the terms to use this network."


class Announced(NamedTuple):
    """What a client said in an announce."""

    event: str
    left: int
    port: int
    peer_id: bytes
    numwant: int


def read_announce(parameters: dict[str, bytes]) -> Announced:
    """Return what an HTTP announce says; what is missing or no number counts as nothing."""

    def number(name: str, default: int) -> int:
        value = parameters.get(name, b"")
        return int(value) if value.isdigit() and len(value) < 20 else default

    port = number("port", 0)

    event = parameters.get("event", b"").decode("latin-1")
    client = parameters.get("peer_id", b"")[:20]
    return Announced(event, number("left", -1), port if port < 65536 else 0, client, number("numwant", 50))


def note_announce(visit: Visit, name: str, said: Announced) -> int:
    """Note an announce; return how many this tracker has had of the visit by now."""
    asked = visit.asked_tracker(name)
    visit.event("announce", tracker=name, event=said.event[:16], left=said.left, port=said.port)
    return asked


def handed_out(torrent: PlayedTorrent, port: int, script: TrackerScript) -> list[Peer]:
    """Return the peers of a swarm as this tracker tells of them."""
    ghosts: list[Peer] = [{"address": _ghost(number), "port": 9} for number in range(script.ghosts)]
    return [] if script.answer == "empty" else [*ghosts, *torrent.found_by("tracker", port), *torrent.seeders]


def _ghost(number: int) -> str:
    """Addresses of this machine alone: whatever a client does with them stays on its own."""
    return f"127.{100 + number // 62500}.{number // 250 % 250 + 1}.{number % 250 + 1}"


def compact(peers: list[Peer], family: socket.AddressFamily) -> bytes:
    """Return the peers of a family in their short form."""
    colon = family == socket.AF_INET6
    return b"".join(
        socket.inet_pton(family, peer["address"]) + peer["port"].to_bytes(2, "big")
        for peer in peers
        if (":" in peer["address"]) == colon
    )


def answer_body(torrent: PlayedTorrent, port: int, script: TrackerScript) -> bytes:
    """Return the body of an announce's answer."""
    if script.answer == "failure":
        failure: dict[str, Any] = {"failure reason": script.message or "this tracker refuses by script"}
        if script.retry_in:
            failure["retry in"] = script.retry_in
        return encode(failure)
    peers = handed_out(torrent, port, script)
    seeds = len(torrent.peers) + len(torrent.seeders)
    said: dict[str, Any] = {
        "complete": seeds,
        "incomplete": 0,
        "interval": Encoded(b"i%be" % script.interval.encode()),
    }
    if script.warning:
        said["warning message"] = script.warning
    if script.peers in ("dictionaries", "names"):
        said["peers"] = [_dictionary(torrent, peer, named=script.peers == "names") for peer in peers]
    else:
        said["peers"] = compact(peers, socket.AF_INET) + (b"\x7f" if script.peers == "odd" else b"")
        six = compact(peers, socket.AF_INET6)
        if six:
            said["peers6"] = six
    return encode(said)


def _dictionary(torrent: PlayedTorrent, peer: Peer, *, named: bool) -> dict[str, Any]:
    address = f"{peer['address']}.invalid" if named and ":" not in peer["address"] else peer["address"]
    return {"ip": address, "port": peer["port"], "peer id": peer_id(peer["address"], peer["port"], torrent.key)}


def announce_reply(question: Question, torrent: PlayedTorrent, port: int, script: TrackerScript, asked: int) -> Reply:
    """Return the answer to an HTTP announce."""
    hop = next_hop(_hop(question), script.redirects)
    if hop:
        target = f"{question.path}?hop={hop}&".encode() + _without_hop(question.query)
        return Reply(302, [("Location", target.decode("latin-1"))])
    if script.times and asked > script.times:
        script = TrackerScript(interval=script.interval, peers=script.peers)
    if script.answer == "mute":
        return Reply(status=0)
    retry = [("Retry-After", f"{script.retry_after:.0f}")] if script.retry_after else []
    if script.status != 200:
        return Reply(script.status, retry, b"by script", delay=script.delay)
    plain = [("Content-Type", "text/plain")]
    if script.answer == "html":
        return Reply(200, [("Content-Type", "text/html")], _HTML, delay=script.delay)
    body = answer_body(torrent, port, script)
    if script.answer == "cut":
        body = body[: len(body) // 2]
    elif script.answer == "garbage":
        body = os.urandom(200)
    if script.transfer == "gzip":
        return Reply(200, [*plain, ("Content-Encoding", "gzip")], gzip.compress(body), delay=script.delay)
    if script.transfer == "trailing":
        body += b"and something more"
    length = {"chunked": "chunked", "no-length": "none"}.get(script.transfer, "right")
    return Reply(200, plain, body, delay=script.delay, length=length)


def _hop(question: Question) -> int:
    value = question.parameters().get("hop", b"0")
    return int(value) if value.isdigit() and len(value) < 6 else 0


def _without_hop(query: bytes) -> bytes:
    return b"&".join(pair for pair in query.split(b"&") if not pair.startswith(b"hop="))
