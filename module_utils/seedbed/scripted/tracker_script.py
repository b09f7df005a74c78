"""How a scripted tracker answers: its facets and presets (BEP 3, 7, 12, 15, 23, 31)."""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple

from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.scripted import vocabulary
from ansible.module_utils.seedbed.scripted.vocabulary import Preset, Vocabulary, choice

INTERVAL = 120
UDP_GHOSTS = 50  # of a packet that has to hold peers of 18 bytes, too


class TrackerScript(NamedTuple):
    """Every facet of a tracker; without anything said it hands out the peers."""

    answer: str = "right"
    status: int = 200
    retry_after: float = 0.0
    delay: float = 0.0
    message: str = ""
    warning: str = ""
    retry_in: int = 0
    ghosts: int = 0
    interval: str = str(INTERVAL)
    peers: str = "compact"
    transfer: str = "plain"
    redirects: int = 0
    udp: str = "right"
    times: int = 0


def _interval(value: object) -> str:
    """A number of seconds as it goes into the answer: one of thousands of digits is a text."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else value
    if not isinstance(text, str) or not re.fullmatch("-?[0-9]{1,1000}", text):
        raise vocabulary.FacetError(f"{quoted(value)} is no number of seconds")
    return text


FACETS: Mapping[str, vocabulary.Read] = {
    "answer": choice("right", "mute", "failure", "html", "cut", "garbage", "empty"),
    "status": vocabulary.count(200, 599),
    "retry_after": vocabulary.seconds,
    "delay": vocabulary.seconds,
    "message": vocabulary.text,
    "warning": vocabulary.text,
    "retry_in": vocabulary.count(1, 100_000),
    "ghosts": vocabulary.count(1, 5000),
    "interval": _interval,
    "peers": choice("compact", "dictionaries", "names", "odd"),
    "transfer": choice("plain", "gzip", "chunked", "no-length", "trailing"),
    "redirects": vocabulary.count(1, vocabulary.ENDLESS),
    "udp": choice("right", "mute", "wrong-transaction", "other-address", "short", "wrong-action"),
    "times": vocabulary.count(1, 1_000_000),
}

PRESETS: Mapping[str, Preset] = {
    "healthy": Preset("hands out the peers"),
    "mute": Preset("takes the question and never answers: time-outs, the next tier", {"answer": "mute", "udp": "mute"}),
    "slow": Preset("answers after 20 s: time-outs against patience", {"delay": "20s"}),
    "failure": Preset("refuses with a reason: what a client shows, when it asks again", {"answer": "failure"}),
    "failure-retry": Preset(
        "refuses, and says when to ask again (BEP 31)", {"answer": "failure", "message": "come back", "retry_in": 1}
    ),
    "failure-control": Preset(
        "a reason with control characters: interfaces that hand it on",
        {"answer": "failure", "message": "\x1b[31mred\x07\x00 <b>bold</b>\r\nnext"},
    ),
    "warning": Preset("answers, with a warning", {"warning": "this tracker is going away"}),
    "forbidden": Preset("HTTP 403", {"status": 403}),
    "missing": Preset("HTTP 404", {"status": 404}),
    "broken": Preset("HTTP 500", {"status": 500}),
    "overloaded": Preset("HTTP 503 with Retry-After", {"status": 503, "retry_after": "60s"}),
    "broken-once": Preset("HTTP 500 the first time, then good", {"status": 500, "times": 1}),
    "html": Preset("a web page with HTTP 200, as of a captive portal", {"answer": "html"}),
    "cut": Preset("an answer that ends in its middle", {"answer": "cut"}),
    "garbage": Preset("an answer that is no bencode", {"answer": "garbage"}),
    "empty": Preset("no peers at all", {"answer": "empty"}),
    "ghosts": Preset("50 peers that are not there before the good ones", {"ghosts": 50}),
    "many-ghosts": Preset("1,000 peers that are not there before the good ones", {"ghosts": 1000}),
    "redirect": Preset("four redirects, then the answer", {"redirects": 4}),
    "redirect-loop": Preset("redirects without end: hot loops", {"redirects": vocabulary.ENDLESS}),
    "gzip": Preset("a compressed answer that nobody asked for", {"transfer": "gzip"}),
    "chunked": Preset("an answer in chunks", {"transfer": "chunked"}),
    "no-length": Preset("an answer that ends with the connection", {"transfer": "no-length"}),
    "trailing": Preset("bytes behind the end of the answer", {"transfer": "trailing"}),
    "dictionaries": Preset("peers as dictionaries, whatever was asked for (BEP 23)", {"peers": "dictionaries"}),
    "names": Preset("peers by name instead of address", {"peers": "names"}),
    "odd-length": Preset("compact peers with a byte too many", {"peers": "odd"}),
    "hurried": Preset("an interval of one second", {"interval": 1}),
    "negative": Preset("an interval of -60 seconds", {"interval": -60}),
    "endless": Preset("an interval beyond 64 bits", {"interval": "1" + "0" * 30}),
    "udp-mute": Preset("UDP that is never answered (BEP 15): retransmission, the next tier", {"udp": "mute"}),
    "udp-wrong-transaction": Preset("UDP answers to another question", {"udp": "wrong-transaction"}),
    "udp-other-address": Preset("UDP answers from another address", {"udp": "other-address"}),
    "udp-short": Preset("UDP answers that are cut", {"udp": "short"}),
    "udp-wrong-action": Preset("UDP answers of another action", {"udp": "wrong-action"}),
}


def _one_answer(values: Mapping[str, object]) -> str:
    parts = [
        f"{key}: {values[key]}"
        for key, right in (("answer", "right"), ("status", 200))
        if values.get(key, right) != right
    ]
    if values.get("redirects", 0) == vocabulary.ENDLESS:
        parts.append(f"redirects: {vocabulary.ENDLESS}")
    if len(parts) > 1:
        return f"{' and '.join(parts)} exclude each other: a client sees one of them"
    return ""


def _words_need_failure(values: Mapping[str, object]) -> str:
    if ("message" in values or "retry_in" in values) and values.get("answer") != "failure":
        return "message and retry_in belong to answer: failure"
    return ""


def _ghosts_leave_room(values: Mapping[str, object]) -> str:
    ghosts = values.get("ghosts", 0)
    if "udp" in values and isinstance(ghosts, int) and ghosts > UDP_GHOSTS:
        return f"over UDP at most {UDP_GHOSTS} ghosts leave room for a peer that is there"
    return ""


TRACKERS = Vocabulary(FACETS, PRESETS, (_one_answer, _words_need_failure, _ghosts_leave_room))


def is_udp(wish: Mapping[str, object]) -> bool:
    """Return whether a wish without faults is for a tracker over UDP: it says how that answers, and nothing of HTTP."""
    values = TRACKERS.values(wish)
    return "udp" in values and values.get("answer", "right") == "right"


def tracker_script(wish: Mapping[str, object]) -> TrackerScript:
    """Return the script that a wish without faults stands for."""
    return TrackerScript(**TRACKERS.values(wish))
