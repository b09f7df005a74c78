"""How a scripted peer behaves: its facets and presets (BEP 3, 6, 9, 10, 21)."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE, Range
from ansible.module_utils.seedbed.scripted import vocabulary
from ansible.module_utils.seedbed.scripted.vocabulary import Preset, Vocabulary, choice, flag

# What answers before the handshake cannot know the torrent: it has a port of its own, so many above the first.
REACH = {
    "here": 0,
    "mute": 1,
    "garbage": 2,
    "close": 3,
    "reset": 4,
    "http": 5,
    "late": 6,
    "refused": 7,
    "dropped": 8,
    "port-zero": 0,
}
# Those that have a listener of their own.
PORTS = {reach: above for reach, above in REACH.items() if reach not in ("refused", "dropped", "port-zero")}


class PeerScript(NamedTuple):
    """Every facet of a peer; without anything said it is an honest seeder."""

    reach: str = "here"
    family: str = "any"
    hello: str = "right"
    encryption: str = "any"
    fast: bool = True
    extensions: str = "right"
    have: str = "all"
    share: Range = (0, 600_000)
    every: float = 0.25
    bitfield: str = "right"
    choke: str = "open"
    cycle: float = 2.0
    after: float = 0.0
    answer: str = "right"
    one_in: int = 5
    corrupt: str = "none"
    pieces: Any = 1
    times: int = 0
    upload_limit: int = 0
    stall: int = WHOLE
    close_blocks: int = 0
    close_after: float = 0.0
    refuse: float = 0.0
    metadata: str = "right"
    metadata_delay: float = 0.0
    noise: str = "none"
    calls: bool = False
    found_by: str = "tracker"
    pex: bool = False


FACETS: Mapping[str, vocabulary.Read] = {
    "reach": choice(*REACH),
    "family": choice("any", "ipv6"),
    "hello": choice("right", "other-hash", "other-protocol", "cut", "own-id", "zero-id"),
    "encryption": choice("any", "plain", "rc4"),
    "fast": flag,
    "extensions": choice("right", "none", "garbage"),
    "have": choice("all", "none", "share", "grow", "super"),
    "share": vocabulary.share_range,
    "every": vocabulary.seconds,
    "bitfield": choice("right", "short", "long", "empty", "twice", "all-then-none"),
    "choke": choice("open", "never", "cycle"),
    "cycle": vocabulary.seconds,
    "after": vocabulary.seconds,
    "answer": choice(
        *("right", "ignore", "reject", "drop", "reject-some", "offset", "index", "unasked", "twice"),
        *("short", "long", "empty", "huge"),
    ),
    "one_in": vocabulary.count(2, 1_000_000),
    "corrupt": choice("none", "pieces", "first-block"),
    "pieces": vocabulary.pieces,
    "times": vocabulary.count(0, 1_000_000),
    "upload_limit": vocabulary.rate,
    "stall": vocabulary.share,
    "close_blocks": vocabulary.count(1, 1_000_000_000),
    "close_after": vocabulary.seconds,
    "refuse": vocabulary.seconds,
    "metadata": choice(
        *("right", "none", "ignore", "reject", "corrupt", "corrupt-once", "random", "longer", "short"),
        *("size-2gib", "size-1tib", "size-zero", "size-negative"),
    ),
    "metadata_delay": vocabulary.seconds,
    "noise": choice("none", "length", "keep-alives", "asks", "message", "extension", "have-beyond"),
    "calls": flag,
    "found_by": choice("tracker", "pex", "dht"),
    "pex": flag,
}

PRESETS: Mapping[str, Preset] = {
    "healthy": Preset("an honest seeder; upload_limit, after and have: grow make slow and late swarms"),
    "corrupt": Preset("wrong bytes in pieces: hash checks, bans, asking again", {"corrupt": "pieces"}),
    "corrupt-once": Preset(
        "pieces that are wrong the first time only: no ban for ever",
        {"corrupt": "pieces", "pieces": "1/8", "times": 1},
    ),
    "corrupt-block": Preset(
        "the first block of each piece is wrong: who of several sent the bad one", {"corrupt": "first-block"}
    ),
    "poison-offset": Preset(
        "blocks for another place than was asked for: bookkeeping of requests", {"answer": "offset"}
    ),
    "poison-index": Preset("blocks of another piece than was asked for: bookkeeping of requests", {"answer": "index"}),
    "poison-unasked": Preset("zeros that nobody asked for before each block", {"answer": "unasked"}),
    "duplicates": Preset("every block twice: accounting of what is left", {"answer": "twice"}),
    "stall": Preset("silence after 60 %: request time-outs, snubbing", {"stall": "60%"}),
    "partial": Preset("a bitfield of 60 % and never more: progress that ends without an error", {"have": "share"}),
    "grow": Preset("a seeder that gets its pieces one by one: interest that comes and goes", {"have": "grow"}),
    "super-seed": Preset("shows the next piece when the last has spread (BEP 16)", {"have": "super"}),
    "empty": Preset("a peer that has nothing and wants nothing: a slot that is worth nothing", {"have": "none"}),
    "never-unchoke": Preset("chokes for ever: a client has to look for others", {"choke": "never"}),
    "snub": Preset("unchokes and answers nothing: time-outs of requests", {"answer": "ignore"}),
    "drop-some": Preset("each fifth request goes unanswered once: asking again", {"answer": "drop"}),
    "reject-all": Preset("rejects every request (BEP 6): hot loops", {"answer": "reject"}),
    "reject-some": Preset("rejects each fifth request once (BEP 6)", {"answer": "reject-some"}),
    "drip": Preset("64 KiB/s: estimates, patience", {"upload_limit": "64KiB/s"}),
    "flap": Preset("closes after 16 blocks and refuses for 5 s: coming back", {"close_blocks": 16, "refuse": "5s"}),
    "choke-cycle": Preset("two seconds open, two choked: requests that are lost with a choke", {"choke": "cycle"}),
    "bitfield-short": Preset("a bitfield that is a byte short: has to be refused (BEP 3)", {"bitfield": "short"}),
    "bitfield-long": Preset("a bitfield that is a byte long: has to be refused (BEP 3)", {"bitfield": "long"}),
    "bitfield-empty": Preset("a bitfield of no bytes: has to be refused (BEP 3)", {"bitfield": "empty"}),
    "bitfield-twice": Preset("a second bitfield after the first", {"bitfield": "twice"}),
    "have-all-none": Preset("has all, then none (BEP 6): has to be refused", {"bitfield": "all-then-none"}),
    "have-beyond": Preset("has a piece that the torrent does not have", {"noise": "have-beyond"}),
    "garbage": Preset("noise instead of a handshake", {"reach": "garbage"}),
    "http": Preset("a web server where a peer should be", {"reach": "http"}),
    "mute": Preset("accepts and says nothing: time-outs of handshakes", {"reach": "mute"}),
    "closes": Preset("accepts and closes at once: back-off", {"reach": "close"}),
    "resets": Preset("accepts and resets at once: back-off", {"reach": "reset"}),
    "late-hello": Preset("shakes hands after 30 s: time-outs of handshakes", {"reach": "late"}),
    "other-hash": Preset("answers with another info hash", {"hello": "other-hash"}),
    "other-protocol": Preset("answers with another protocol's name", {"hello": "other-protocol"}),
    "cut-hello": Preset("closes in the middle of its handshake", {"hello": "cut"}),
    "own-id": Preset("has the client's own peer id: a connection to itself", {"hello": "own-id"}),
    "zero-id": Preset("has a peer id of zeros", {"hello": "zero-id"}),
    "plain-only": Preset("closes on encrypted handshakes: the way back to plain", {"encryption": "plain"}),
    "encrypted-only": Preset("closes on plain handshakes: the way to RC4", {"encryption": "rc4"}),
    "bad-extension": Preset("an extension handshake that is no bencode (BEP 10)", {"extensions": "garbage"}),
    "length-2gib": Preset("a message of 2 GiB is said to follow: memory", {"noise": "length"}),
    "keepalive-flood": Preset("thousands of keep-alives a second", {"noise": "keep-alives"}),
    "asks-1gib": Preset("asks the client for a block of 1 GiB: memory", {"noise": "asks"}),
    "unknown-message": Preset("a message of type 99: has to be passed over", {"noise": "message"}),
    "unknown-extension": Preset("an extended message of type 99: has to be passed over", {"noise": "extension"}),
    "piece-2mib": Preset("blocks of 2 MiB where 16 KiB were asked for: buffers", {"answer": "huge"}),
    "short-block": Preset("blocks that are a byte short", {"answer": "short"}),
    "long-block": Preset("blocks that are a byte long", {"answer": "long"}),
    "zero-block": Preset("blocks without a byte", {"answer": "empty"}),
    "ghost-refused": Preset("announced, and nobody listens: fast failures", {"reach": "refused"}),
    "ghost-dropped": Preset("announced, and no packet comes back: slow failures", {"reach": "dropped"}),
    "ipv6-only": Preset("reachable over IPv6 alone: peers6 in answers, sockets of both families", {"family": "ipv6"}),
    "found-by-pex": Preset("named by other peers alone: peer exchange (BEP 11)", {"found_by": "pex"}),
    "found-by-dht": Preset("named by the lab's own DHT alone: a client without trackers (BEP 5)", {"found_by": "dht"}),
    "go-between": Preset("has nothing, and names others by peer exchange (BEP 11)", {"have": "none", "pex": True}),
    "ghost-port-0": Preset("announced with port 0: has to be left alone", {"reach": "port-zero"}),
    "metadata-none": Preset("offers no metadata (BEP 9)", {"metadata": "none"}),
    "metadata-mute": Preset("offers metadata and never sends it", {"metadata": "ignore"}),
    "metadata-reject": Preset("offers metadata and rejects each request", {"metadata": "reject"}),
    "metadata-corrupt": Preset("one byte of the metadata is wrong", {"metadata": "corrupt"}),
    "metadata-corrupt-once": Preset("one byte of the metadata is wrong, the first time", {"metadata": "corrupt-once"}),
    "metadata-random": Preset("metadata of random bytes", {"metadata": "random"}),
    "metadata-longer": Preset("says that the metadata is a byte longer than it is", {"metadata": "longer"}),
    "metadata-short": Preset("sends parts of the metadata a byte short", {"metadata": "short"}),
    "metadata-2gib": Preset("says that the metadata has 2 GiB: memory", {"metadata": "size-2gib"}),
    "metadata-1tib": Preset("says that the metadata has 1 TiB: numbers of 32 bits", {"metadata": "size-1tib"}),
    "metadata-zero": Preset("says that the metadata has no byte", {"metadata": "size-zero"}),
    "metadata-negative": Preset("says that the metadata has -1 bytes", {"metadata": "size-negative"}),
    "metadata-slow": Preset("a part of the metadata every five seconds", {"metadata_delay": "5s"}),
}

_NEEDS = {
    "share": ("have", ("share", "grow")),
    "every": ("have", ("grow",)),
    "cycle": ("choke", ("cycle",)),
    "one_in": ("answer", ("drop", "reject-some")),
    "pieces": ("corrupt", ("pieces", "first-block")),
    "times": ("corrupt", ("pieces", "first-block")),
}


def _needs(values: Mapping[str, Any]) -> str:
    for key, (other, wanted) in _NEEDS.items():
        if key in values and values.get(other) not in wanted:
            return f"{key} belongs to {other}: {' or '.join(wanted)}"
    return ""


def _refuse_needs_close(values: Mapping[str, Any]) -> str:
    if "refuse" in values and not {"close_blocks", "close_after"} & set(values):
        return "refuse says for how long it refuses after it closed; add close_blocks or close_after"
    return ""


def _reach_is_alone(values: Mapping[str, Any]) -> str:
    reach = values.get("reach", "here")
    others = sorted(set(values) - {"reach"})
    if reach in ("here", "late") or not others:
        return ""
    return f"a peer with reach: {reach} never gets so far that {' or '.join(others)} would show"


def _serves_something(values: Mapping[str, Any]) -> str:
    mute = [
        f"{key}: {values[key]}"
        for key, silent in (("choke", ("never",)), ("answer", ("ignore", "reject")), ("have", ("none",)))
        if values.get(key) in silent
    ]
    served = [key for key in ("upload_limit", "stall", "close_blocks", "corrupt") if key in values]
    if mute and served and values.get("corrupt") != "none":
        return f"{mute[0]} serves nothing, so {' and '.join(served)} would never show"
    return ""


def _fast_to_reject(values: Mapping[str, Any]) -> str:
    rejects = values.get("answer") in ("reject", "reject-some") or values.get("bitfield") == "all-then-none"
    return (
        "without fast (BEP 6) there are neither rejects nor have-all"
        if rejects and not values.get("fast", True)
        else ""
    )


def _calls_over_ipv4(values: Mapping[str, Any]) -> str:
    if values.get("calls") and values.get("family") == "ipv6":
        return "calls goes to where a client announced from; family: ipv6 is for peers that wait to be called"
    return ""


def _found_or_calls(values: Mapping[str, Any]) -> str:
    hidden = values.get("found_by", "tracker") != "tracker"
    return "a peer that calls is found by nobody's word; leave found_by out" if hidden and values.get("calls") else ""


def _metadata_is_offered(values: Mapping[str, Any]) -> str:
    plain = values.get("extensions", "right") != "right"
    if plain and values.get("pex"):
        return "without extensions: right there is no peer exchange (BEP 10)"
    if plain and ("metadata_delay" in values or values.get("metadata", "none") not in ("none", "right")):
        return "without extensions: right there is no metadata (BEP 10)"
    return ""


PEERS = Vocabulary(
    FACETS,
    PRESETS,
    (
        *(_needs, _refuse_needs_close, _reach_is_alone, _serves_something, _fast_to_reject),
        *(_calls_over_ipv4, _found_or_calls, _metadata_is_offered),
    ),
)


def peer_script(wish: Mapping[str, Any]) -> PeerScript:
    """Return the script that a wish without faults stands for."""
    return PeerScript(**PEERS.values(wish))
