"""What scripts have to remember of a client, be it seen or not: the 60 % of a peer that stalls are 60 % once.

It is a few numbers a peer, so it outlives what the testimony tells, which is forgotten where many come.
"""

from __future__ import annotations

from typing import Callable

Clock = Callable[[], float]


class PeerMemory:
    """Of one scripted peer."""

    __slots__ = ("given", "grown", "kept", "next_free", "refused_until", "revealed")

    def __init__(self) -> None:
        self.given = 0  # bytes
        self.grown = self.revealed = 0  # pieces
        self.kept: dict[tuple[int, int], int] = {}  # how often it happened to a block
        self.next_free = self.refused_until = 0.0


class ClientMemory:
    """Of all scripts of a torrent, since the client began with it."""

    __slots__ = ("_began", "_clock", "calls", "peer_id", "peers", "tracker_asks", "web_asks")

    def __init__(self, clock: Clock, peer_id: str = "") -> None:
        self._clock, self._began = clock, clock()
        self.peer_id = peer_id
        self.peers: dict[int, PeerMemory] = {}
        self.calls = self.web_asks = 0
        self.tracker_asks: dict[str, int] = {}

    def age(self) -> float:
        """Seconds since the client began."""
        return self._clock() - self._began

    def peer(self, number: int) -> PeerMemory:
        """Return what one of the torrent's peers remembers."""
        return self.peers.setdefault(number, PeerMemory())

    def weight(self) -> int:
        """Return about how many counters it has."""
        return 10 + sum(5 + len(peer.kept) for peer in self.peers.values())
