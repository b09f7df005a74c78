"""What has to happen to a correct client in a swarm that is played by script, computed from the scripts alone.

Three grades of rules: *assert* is what no client may break, *bounded* is what a client may do within limits, *tell* is
what differs from client to client and is never a verdict.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.sizes import WHOLE, Range, format_share
from ansible.module_utils.seedbed.scripted.peer_script import PeerScript
from ansible.module_utils.seedbed.scripted.tracker_script import TrackerScript
from ansible.module_utils.seedbed.scripted.vocabulary import ENDLESS, is_picked
from ansible.module_utils.seedbed.scripted.webseed_script import WebseedScript
from ansible.module_utils.seedbed.torrent.model import Promise, PromiseRule
from ansible.module_utils.seedbed.torrent.shares import held_pieces

LIMIT = 300  # seconds that a client gets beyond what the ordered rates take
REPEATS = 100  # requests for one block in a minute
LISTED = 1000  # pieces that never come are listed up to so many

# What keeps a peer from handing out a single piece, by facet.
_NOTHING = {
    "reach": ("mute", "garbage", "close", "reset", "http", "refused", "dropped", "port-zero"),
    "hello": ("other-hash", "other-protocol", "cut", "own-id"),
    "bitfield": ("short", "long", "empty", "all-then-none"),
    "choke": ("never",),
    "have": ("none",),
    "answer": ("ignore", "reject", "offset", "index", "short", "long", "empty", "huge"),
    "noise": ("length", "have-beyond"),
}
# With whom a client never comes to an exchange of messages.
_STRANGER = {"reach": _NOTHING["reach"], "hello": _NOTHING["hello"]}
# What popular clients give up on although every piece is to be had: nothing is asserted where nobody else helps.
_UNSURE_ALONE = {
    "reach": ("late",),
    "family": ("ipv6",),  # to a client without IPv6 there is nobody
    "found_by": ("pex", "dht"),  # nor to one that has them switched off
    "metadata": ("size-negative",),
    "encryption": ("plain",),
    "hello": ("zero-id",),
    "bitfield": ("twice",),
    "choke": ("cycle",),
    "extensions": ("garbage",),
    "have": ("grow", "super"),
    "answer": ("drop", "reject-some", "unasked", "twice"),
    "noise": ("keep-alives", "asks", "message", "extension"),
}
# Trackers that popular clients do not get their peers from, although they tell of them.
_UNSURE_TRACKER = {"peers": ("odd",), "transfer": ("gzip",), "udp": ("other-address",)}
_PATIENCE = 20  # seconds for an answer, which all clients wait
_GHOSTS = 50  # that no client spends its time on
_HOPS = 4  # redirects that all clients follow
# What keeps popular clients from completing even beside an honest peer.
_HARMS_OTHERS = {
    "answer": ("offset", "index", "unasked", "twice", "huge"),
    "corrupt": ("first-block",),
}
# What keeps popular clients from the metadata even beside an honest peer.
_HARMS_METADATA = {
    "metadata": (
        *("ignore", "reject", "corrupt", "corrupt-once", "random", "longer", "short"),
        *("size-2gib", "size-1tib", "size-zero"),
    ),
}


class Swarm(NamedTuple):
    """All who take part in one item."""

    name: str
    pieces: int
    size: int
    private: bool = False
    peers: Sequence[PeerScript] = ()
    trackers: Sequence[Sequence[TrackerScript]] = ()  # by tier; none where trackers are real ones
    webseed: WebseedScript | None = None
    seeded: Sequence[Range] = ()  # what each seeder holds that is no script
    v2: bool = False  # alone


def promise(swarm: Swarm, testimony: str = "") -> Promise:
    """Return what a client is promised by the scripts of a swarm."""
    reached, surely = _reached(swarm.trackers)
    peers = [peer for peer in swarm.peers if reached or peer.calls or peer.found_by == "dht"]
    told = any(peer.pex and not _is_stranger(peer) for peer in peers)
    hidden = ("pex", "dht") if swarm.private else () if told else ("pex",)
    peers = [peer for peer in peers if peer.found_by not in hidden]
    every = (1 << swarm.pieces) - 1
    honest = _honest_pieces(swarm, [peer for peer in peers if surely or peer.calls], reached=surely)
    never, share = _never_and_share(swarm, peers, honest)
    outcome = "completes" if share == WHOLE else "stalls"
    if swarm.pieces and not honest and not swarm.webseed and peers and all(map(_is_stranger, peers)):
        outcome = "refused"
    rules: list[PromiseRule] = [
        {"grade": "assert", "rule": "bytes-right"},
        {"grade": "assert", "rule": "at-most", "value": format_share(share)},
    ]
    if never:
        rules.append({"grade": "assert", "rule": "never-has", "value": "never_pieces"})
    if any(peer.hello == "own-id" for peer in peers):
        rules.append({"grade": "assert", "rule": "own-id-dropped"})
    magnet = None if swarm.private else _magnet_outcome(swarm, peers, outcome, reached=reached)
    hard = outcome == "completes" and (_is_hard(swarm, peers) or (reached and not surely and honest != every))
    if outcome == "completes":
        sure = honest == every and not hard
        seconds = LIMIT + _latest(peers) + swarm.size // _slowest(swarm, peers)
        rules.append({"grade": "assert" if sure else "tell", "rule": "completes-within", "value": seconds})
    if magnet not in (None, "no_metadata"):
        harmed = any(_has(peer, _HARMS_METADATA) for peer in peers)
        rules.append({"grade": "tell" if harmed else "assert", "rule": "metadata-comes"})
        hard |= harmed
    rules += [
        {"grade": "bounded", "rule": "same-block-a-minute", "value": REPEATS},
        {"grade": "bounded", "rule": "announces-by-interval"},
        {"grade": "tell", "rule": "bans"},
        {"grade": "tell", "rule": "comes-back-after"},
    ]
    return {
        "outcome": outcome,
        "magnet": magnet,
        "available": format_share(share),
        "never_pieces": never,
        "hard": hard,
        "rules": rules,
        "testimony": testimony,
    }


def _has(script: PeerScript, table: Mapping[str, tuple[str, ...]]) -> bool:
    return any(getattr(script, facet) in values for facet, values in table.items())


def _reached(tiers: Sequence[Sequence[TrackerScript]]) -> tuple[bool, bool]:
    """Whether a client hears of the peers through its trackers at all, and whether every client does.

    It stays with the first tier that answers, whatever that says.
    """
    if not tiers:
        return True, True
    answering = [[script for script in tier if _answers(script)] for tier in tiers]
    first = next(filter(None, answering), [])
    return any(map(_tells, itertools.chain(*answering))), bool(first) and all(map(_tells_all, first))


def _answers(script: TrackerScript) -> bool:
    """Whether a client takes what a tracker says, sooner or later, for an answer."""
    if script.times:
        return True
    good = script.answer in ("right", "empty") and script.status == 200 and script.redirects < ENDLESS
    # How it is over UDP is said of trackers that are right in all else.
    return good and (script.answer == "empty" or script.udp in ("right", "other-address"))


def _tells(script: TrackerScript) -> bool:
    """Whether an answer has the peers, by address."""
    return bool(script.times) or (script.answer == "right" and script.peers != "names")


def _tells_all(script: TrackerScript) -> bool:
    """Whether every client finds the peers by it."""
    if any(getattr(script, facet) in values for facet, values in _UNSURE_TRACKER.items()):
        return False
    patient = script.delay <= _PATIENCE and script.redirects <= _HOPS and script.ghosts <= _GHOSTS
    return patient and _tells(script) and abs(int(script.interval)) < 2**31


def _is_stranger(script: PeerScript) -> bool:
    return _has(script, _STRANGER)


def given(script: PeerScript, swarm: Swarm) -> int:
    """Return the pieces, as bits, that a peer hands out rightly in the end."""
    if _has(script, _NOTHING):
        return 0
    bits = (1 << swarm.pieces) - 1
    if script.have == "share":
        bits = _bits(held_pieces(swarm.name, swarm.pieces, script.share))
    if script.corrupt != "none" and not script.times:
        bits &= ~_picked(script.pieces, swarm.pieces)
    return bits


def _bits(held: Sequence[bool]) -> int:
    return int("".join("1" if one else "0" for one in reversed(held)) or "0", 2)


def _picked(pieces: Any, count: int) -> int:
    return _bits([is_picked(pieces, index) for index in range(count)])


def _honest_pieces(swarm: Swarm, peers: Sequence[PeerScript], *, reached: bool) -> int:
    """The pieces that come from somebody whom no correct client gives up on."""
    bits = 0
    for peer in peers:
        leaves = peer.close_blocks or peer.close_after
        if peer.stall == WHOLE and not leaves and not _has(peer, _UNSURE_ALONE):
            bits |= given(peer, swarm)
    for held in swarm.seeded if reached else ():
        bits |= _bits(held_pieces(swarm.name, swarm.pieces, held))
    seed = swarm.webseed
    if seed and seed == WebseedScript(upload_limit=seed.upload_limit, delay=seed.delay):
        bits |= (1 << swarm.pieces) - 1
    return bits


def _never_and_share(swarm: Swarm, peers: Sequence[PeerScript], honest: int) -> tuple[list[int], int]:
    """The pieces that nobody gives rightly, and the share of the others that is to be had, in millionths."""
    free, capped, room = honest, 0, 0
    for peer in peers:
        if peer.stall == WHOLE:
            free |= given(peer, swarm)
        else:
            capped |= given(peer, swarm)
            room += swarm.pieces * peer.stall // WHOLE
    if swarm.webseed:
        free |= _webseed_pieces(swarm.webseed, swarm.pieces)
    reachable = free | capped
    lacking = bin((1 << swarm.pieces) - 1 & ~reachable)[:1:-1]  # from the first piece on
    never = [index for index, lacks in enumerate(lacking) if lacks == "1"]
    number = bin(free).count("1")
    number += min(room, bin(reachable).count("1") - number)
    share = number * WHOLE // swarm.pieces if swarm.pieces else WHOLE
    return never[:LISTED], share


def _webseed_pieces(script: WebseedScript, count: int) -> int:
    broken = script.answer != "right" or script.status != 200 or script.redirects == ENDLESS
    if broken and not script.times:
        return 0
    every = (1 << count) - 1
    return every & ~_picked(script.pieces, count) if script.corrupt != "none" else every


def _is_hard(swarm: Swarm, peers: Sequence[PeerScript]) -> bool:
    """Whether popular clients are known to fail although somebody honest is there."""
    seed = swarm.webseed
    if swarm.v2 or (seed and (seed.answer == "mute" or seed.corrupt != "none")):
        return True
    return any(_has(peer, _HARMS_OTHERS) or (peer.corrupt == "pieces" and peer.times) for peer in peers)


def _magnet_outcome(swarm: Swarm, peers: Sequence[PeerScript], outcome: str, *, reached: bool) -> str:
    """What happens to one who begins with the bare metadata hash."""
    shown = any(
        peer.metadata in ("right", "corrupt-once")
        and peer.extensions == "right"
        and not _is_stranger(peer)
        and peer.noise not in ("length", "have-beyond")
        and peer.bitfield in ("right", "twice")
        for peer in peers
    )
    return outcome if shown or (swarm.seeded and reached) else "no_metadata"


def _slowest(swarm: Swarm, peers: Sequence[PeerScript]) -> int:
    """The bytes a second that come at least, by the limits that were ordered."""
    limits = [peer.upload_limit for peer in peers if given(peer, swarm) and peer.upload_limit]
    if swarm.webseed and swarm.webseed.upload_limit:
        limits.append(swarm.webseed.upload_limit)
    return min([*limits, 64 * 1024])


def _latest(peers: Sequence[PeerScript]) -> int:
    """The seconds until the last peer has begun to serve."""
    return math.ceil(max((peer.after for peer in peers), default=0))
