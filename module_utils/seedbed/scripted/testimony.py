"""What the daemon saw each client do: counters by torrent, visit and scripted peer, in bounded memory.

A visit begins with an announce of ``started`` under another peer id, or with whatever comes first of a client.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from operator import itemgetter
from typing import Any, Callable, Dict, Iterable

from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.scripted.memory import ClientMemory, Clock, PeerMemory

WEIGHT = 300_000  # counters of all together, of about 100 bytes each
SCRIPTS = 60_000  # as many are kept of those that were forgotten, for the scripts alone
RECORDS = 4096  # clients and torrents; who was not seen for longest is forgotten
VISITS = 4  # of each that are kept
EVENTS = 64  # and as many words of pieces that a client has
TOLD = 256  # clients of one answer
PIECES = 4096  # of which requests are counted one by one
REPEATED = 64
NAMES = 8
TIMES = 16

Words = Callable[[Dict[str, Any]], Any]


class PeerLog:
    """What one scripted peer saw in one visit, and beside it what its script has to remember."""

    __slots__ = (
        *(
            "asks",
            "bad",
            "blocks",
            "bytes",
            "cancels",
            "closes",
            "connected",
            "connections",
            "corrupt",
            "corrupt_again",
        ),
        *("encrypted", "first_block", "grown", "haves", "interested", "keep_alives", "memory", "metadata"),
        *("names", "open", "other_asks", "plain", "refused", "repeated", "started"),
    )

    def __init__(self, started: float, memory: PeerMemory) -> None:
        self.started, self.memory = started, memory
        self.connections = self.open = self.plain = self.encrypted = self.refused = 0
        self.connected: deque[float] = deque(maxlen=TIMES)
        self.names: dict[str, None] = {}
        self.first_block: float | None = None
        self.bytes = self.blocks = self.other_asks = self.cancels = self.keep_alives = 0
        self.bad = self.haves = self.interested = self.metadata = self.corrupt_again = 0
        self.asks: dict[int, int] = {}  # requests by piece
        self.repeated: dict[tuple[int, int], int] = {}  # of blocks that were asked for before
        self.corrupt: dict[int, int] = {}  # wrong blocks sent, by piece
        self.closes: deque[tuple[float, str]] = deque(maxlen=TIMES)

    def came(self, at: float, *, encrypted: bool) -> None:
        """Note a connection."""
        self.connections += 1
        self.open += 1
        self.connected.append(at)
        self.encrypted += encrypted
        self.plain += not encrypted

    def went(self, at: float, why: str) -> None:
        """Note its end."""
        self.open -= 1
        self.closes.append((at, why))

    def sent(self, blocks: int, size: int) -> None:
        """Count blocks that are sent, of so many bytes together."""
        self.blocks += blocks
        self.bytes += size
        self.memory.given += size

    def asked(self, index: int, begin: int, blocks: int) -> None:
        """Count a request; those of a piece that was asked for as a whole are looked at more closely."""
        asks = self.asks
        seen = asks.get(index, 0)
        if not seen and len(asks) >= PIECES:
            self.other_asks += 1
            return
        asks[index] = seen + 1
        if seen >= blocks:
            self._repeat((index, begin))

    def _repeat(self, block: tuple[int, int]) -> None:
        """Misra and Gries: what is asked for most stays among a constant number of counters."""
        repeated = self.repeated
        if block in repeated or len(repeated) < REPEATED:
            repeated[block] = repeated.get(block, 0) + 1
            return
        for other in list(repeated):
            repeated[other] -= 1
            if not repeated[other]:
                del repeated[other]

    def weight(self) -> int:
        """Return about how many counters it has."""
        return 20 + len(self.asks) + len(self.repeated) + len(self.corrupt) + len(self.memory.kept)

    def name(self, client: str) -> None:
        """Note what the client calls itself."""
        if len(self.names) < NAMES:
            self.names[client] = None

    def facts(self) -> dict[str, Any]:
        """Return what is told of it."""
        most = max(self.repeated.items(), key=lambda pair: pair[1], default=None)
        return {
            "connections": self.connections,
            "open": self.open,
            "connected": [round(at, 3) for at in self.connected],
            "refused": self.refused,
            "plain": self.plain,
            "encrypted": self.encrypted,
            "clients": list(self.names),
            "first_block": self.first_block,
            "bytes": self.bytes,
            "blocks": self.blocks,
            "requests": sum(self.asks.values()) + self.other_asks,
            "requests_by_piece": {str(piece): number for piece, number in sorted(self.asks.items())},
            "most_repeated": most and {"piece": most[0][0], "begin": most[0][1], "times": most[1]},
            "corrupt_sent": {str(piece): number for piece, number in sorted(self.corrupt.items())},
            "corrupt_asked_again": self.corrupt_again,
            "metadata_requests": self.metadata,
            "haves": self.haves,
            "cancels": self.cancels,
            "interested": self.interested,
            "keep_alives": self.keep_alives,
            "bad_messages": self.bad,
            "closes": [{"at": round(at, 3), "why": why} for at, why in self.closes],
        }


class Visit:
    """One client at one torrent, from its start to its next start."""

    def __init__(self, clock: Clock, memory: ClientMemory) -> None:
        self._clock, self._epoch = clock, time.time()
        self._began = clock()
        self.memory = memory
        self.peers: dict[int, PeerLog] = {}
        self.announces = 0
        self.scrapes = 0
        self.web_requests = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        # One for every piece and peer: among the others they would displace what happens once.
        self._haves: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._told = 0
        self._heard = 0.0
        self.tracker_asks: dict[str, int] = {}

    def age(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def peer(self, number: int) -> PeerLog:
        """Return the log of one of the torrent's peers."""
        found = self.peers.get(number)
        if found is None:
            found = self.peers[number] = PeerLog(self._clock(), self.memory.peer(number))
        return found

    def asked_tracker(self, name: str) -> int:
        """Count an announce; return how many this tracker has had of the client since it began."""
        self.announces += 1
        self.tracker_asks[name] = self.tracker_asks.get(name, 0) + 1
        asks = self.memory.tracker_asks
        asks[name] = asked = asks.get(name, 0) + 1
        return asked

    def asked_web(self) -> int:
        """Count a request to the web seed; return how many it has had of the client since that one began."""
        self.web_requests += 1
        self.memory.web_asks += 1
        return self.memory.web_asks

    def weight(self) -> int:
        """Return about how many counters it has; an event is as large as some."""
        return 10 + 5 * (len(self._events) + len(self._haves)) + sum(log.weight() for log in self.peers.values())

    def hear(self) -> None:
        """Note that the client said something, be it no event."""
        self._heard = self.age()

    def event(self, what: str, **details: Any) -> None:
        """Note something that happened; of many the last ones stay."""
        self._told += 1
        self.hear()
        kept = self._haves if what == "have" else self._events
        kept.append({"number": self._told, "at": round(self.age(), 3), "what": what, **details})

    def heard(self) -> float:
        """Return when something of it was last seen, in seconds since 1970."""
        return self._epoch + self._heard

    def facts(self, since: float, words: Words | None = None) -> dict[str, Any]:
        """Return what is told of it, events from a time on; words makes sentences of all its facts."""
        events = sorted([*self._events, *self._haves], key=itemgetter("number"))
        told = {
            "began": round(self._epoch, 3),
            "heard": round(self.heard(), 3),
            "peer_id": printable(self.memory.peer_id),
            "announces": self.announces,
            "announces_by_tracker": dict(self.tracker_asks),
            "web_requests": self.web_requests,
            "peers": {str(number): log.facts() for number, log in sorted(self.peers.items())},
            "events": events,
            "events_lost": self._told - len(events),
        }
        if words:
            told["words"] = words(told)
        told["events"] = [event for event in events if self._epoch + event["at"] >= since]
        return told


class Testimony:
    """Everything seen, by torrent and client."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[tuple[bytes, str], deque[Visit]] = OrderedDict()
        self._scripts: OrderedDict[tuple[bytes, str], ClientMemory] = OrderedDict()  # of those that were forgotten

    def visit(self, torrent: bytes, client: str) -> Visit:
        """Return the visit at hand, a new one for who was never here."""
        key = (torrent, client)
        found = self._records.get(key)
        if found is None:
            memory = self._scripts.pop(key, None) or ClientMemory(self._clock)
            found = self._records[key] = deque([Visit(self._clock, memory)], maxlen=VISITS)
            if len(self._records) > RECORDS:
                self._forget_oldest()
        else:
            self._records.move_to_end(key)
        return found[-1]

    def start(self, torrent: bytes, client: str, peer_id: str) -> Visit:
        """Return the visit that an announce of ``started`` belongs to.

        One that had no peer id yet becomes its; libtorrent announces once for every address that it listens on.
        """
        visit = self.visit(torrent, client)
        if visit.memory.peer_id and visit.memory.peer_id != peer_id:
            visit = Visit(self._clock, ClientMemory(self._clock))
            self._records[(torrent, client)].append(visit)
        visit.memory.peer_id = peer_id
        return visit

    def facts(
        self, torrent: bytes, client: str = "", since: float = 0.0, words: Words | None = None
    ) -> list[dict[str, Any]]:
        """Return what is told of a torrent: of one client, or of those that were here last, from a time on."""
        found = [(who, visits) for (known, who), visits in self._records.items() if known == torrent]
        return [
            {"client": who, "visits": [visit.facts(since, words) for visit in visits if visit.heard() >= since]}
            for who, visits in ([one for one in found if one[0] == client] if client else found[-TOLD:])
        ]

    def trim(self) -> None:
        """Forget those who were not seen for longest, until what is remembered fits."""
        total = sum(map(_weight, self._records.values()))
        while total > WEIGHT and self._records:
            total -= self._forget_oldest()
        scripts = sum(memory.weight() for memory in self._scripts.values())
        while scripts > SCRIPTS:
            scripts -= self._scripts.popitem(last=False)[1].weight()

    def _forget_oldest(self) -> int:
        """Forget what was seen of a client, not what its scripts go by; return how much that was."""
        key, visits = self._records.popitem(last=False)
        self._scripts[key] = visits[-1].memory
        return _weight(visits)

    def forget(self, kept: set[bytes]) -> None:
        """Forget the torrents that are played no more."""
        for key in [key for key in self._records if key[0] not in kept]:
            del self._records[key]
        for key in [key for key in self._scripts if key[0] not in kept]:
            del self._scripts[key]


def _weight(visits: Iterable[Visit]) -> int:
    return sum(visit.weight() for visit in visits)
